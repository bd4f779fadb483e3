//! `enshrine execute encode`.

use super::{
    content::STDIO,
    load::{Source, decode},
};
use crate::output::say;
use clap::Args;
use eyre::{Context, Result, bail};
use serde_json::json;
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Where to write the calldata of EXECUTE; `-` is standard output, with nothing else on it.
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
    let input = decode(&path, &loaded.calldata)?;
    if arguments.output.as_os_str() == STDIO {
        return match io::stdout().lock().write_all(&loaded.calldata) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(ExitCode::SUCCESS),
        };
    }
    fs::write(&arguments.output, &loaded.calldata)
        .wrap_err_with(|| format!("cannot write {}", arguments.output.display()))?;
    let (bytes, schema) = (loaded.calldata.len(), input.schema().to_string());
    let fork = input.fork;
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
