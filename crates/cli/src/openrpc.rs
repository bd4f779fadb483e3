//! `enshrine openrpc`.

use crate::output::say;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only methods of this namespace; can be repeated.
    #[arg(long, value_name = "NAME", value_parser = ["admin", "enshrine", "rollup"])]
    namespace: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> eyre::Result<ExitCode> {
    let namespaces = &arguments.namespace;
    let document = rpc_types::document(|method| {
        let namespace = method.split('_').next().unwrap_or(method);
        namespaces.is_empty() || namespaces.iter().any(|name| name == namespace)
    });
    say!("{document:#}");
    Ok(ExitCode::SUCCESS)
}
