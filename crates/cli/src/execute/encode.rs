//! `enshrine execute encode`: writes the calldata of EXECUTE.

use super::{
    content,
    load::{Source, decode_input},
};
use crate::output::say;
use clap::Args;
use eyre::{Result, bail};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};
use variants::{DialectCall, DialectName};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Output file for the calldata of EXECUTE; `-` is standard output, to which nothing else is
    /// written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Dialect of the call: specs, drake, blobs, nested, draft-8079, execute-tx, headers or
    /// headers-blobs. Blobs are written to FILE.blob0, FILE.blob1 and so on, and the witness of an
    /// execute-tx to FILE.witness.
    #[arg(long, value_name = "DIALECT", default_value_t = DialectName::Specs)]
    to: DialectName,

    /// Print JSON instead of a line of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut sources = arguments.source.load();
    let (Some((path, loaded)), None) = (sources.next(), sources.next()) else {
        bail!("expected exactly one file, or --block with --witness and --chain");
    };
    let loaded = loaded?;
    let (fork, schema) = {
        let input = decode_input(&path, &loaded.calldata)?;
        (input.fork(), input.schema().to_string())
    };
    let DialectCall { calldata, blobs } = loaded.encode(arguments.to)?;
    if !blobs.is_empty() && arguments.output.as_os_str() == "-" {
        bail!("the call has {} more files: name a file for --output", blobs.len());
    }
    if !content::write(&arguments.output, &calldata)? {
        return Ok(ExitCode::SUCCESS);
    }
    for (index, blob) in blobs.iter().enumerate() {
        let mut name = arguments.output.clone().into_os_string();
        match arguments.to {
            DialectName::ExecuteTx => name.push(".witness"),
            _ => name.push(format!(".blob{index}")),
        }
        content::write(name.as_ref(), blob)?;
    }
    let bytes = calldata.len();
    if arguments.json {
        let document = json!({
            "file": arguments.output,
            "schema": schema,
            "fork": fork.name(),
            "bytes": bytes,
            "dialect": arguments.to.name(),
            "blobs": if arguments.to == DialectName::ExecuteTx { 0 } else { blobs.len() },
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        say!("wrote {bytes} bytes, schema {schema} ({fork}), to {}", arguments.output.display());
        match arguments.to {
            DialectName::ExecuteTx => say!("wrote the witness next to it"),
            _ if !blobs.is_empty() => say!("wrote {} blobs next to it", blobs.len()),
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}
