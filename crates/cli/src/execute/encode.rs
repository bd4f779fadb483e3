//! `enshrine execute encode`.

use super::{
    content,
    load::{Source, decode_input},
};
use crate::output::say;
use clap::Args;
use eyre::{Result, bail};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Output file for the calldata of EXECUTE; `-` is standard output, with nothing else on it.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// JSON instead of a line of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut sources = arguments.source.load();
    let (Some((path, loaded)), None) = (sources.next(), sources.next()) else {
        bail!("name exactly one file, or --block with --witness and --chain");
    };
    let loaded = loaded?;
    let (fork, schema) = {
        let input = decode_input(&path, &loaded.calldata)?;
        (input.fork(), input.schema().to_string())
    };
    if !content::write(&arguments.output, &loaded.calldata)? {
        return Ok(ExitCode::SUCCESS);
    }
    let bytes = loaded.calldata.len();
    if arguments.json {
        let document = json!({
            "file": arguments.output,
            "schema": schema,
            "fork": fork.name(),
            "bytes": bytes,
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        say!("wrote {bytes} bytes, schema {schema} ({fork}), to {}", arguments.output.display());
    }
    Ok(ExitCode::SUCCESS)
}
