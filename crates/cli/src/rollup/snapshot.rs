//! `enshrine snapshot`.

use crate::output::say;
use ::rollup::{L1Client, SnapshotSummary, export_snapshot, import_snapshot};
use clap::{Args, Subcommand};
use contracts::Deployment;
use eyre::{Result, WrapErr as _};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode, time::Duration};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the state after a block of a node that is not running.
    Export(Export),
    /// Make a data directory from a snapshot, for a node that goes on from there.
    ///
    /// Every node and code is verified against the state root of the block that L1 has taken. L1 is
    /// read for that, without blobs.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Data directory of the node.
    #[arg(long, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// The deployment file of the rollup.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Number of the L2 block. By default the newest one that L1 had taken.
    #[arg(long, value_name = "NUMBER")]
    block: Option<u64>,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The snapshot.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Data directory to make.
    #[arg(long, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// The deployment file of the rollup.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// JSON-RPC address of L1; several, and a header is taken if most of them have it.
    #[arg(long, value_name = "URL", value_delimiter = ',', required = true)]
    l1: Vec<String>,
    /// Take a block that L1 may still reorganise away. The node cannot go back behind it then.
    #[arg(long)]
    allow_unfinal: bool,
    /// Longest wait for an answer of L1, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    l1_timeout: u64,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let (summary, is_json, done) = match command {
        Command::Export(Export { data_dir, deployment, block, file, json }) => {
            let deployment = Deployment::read(deployment)?;
            let written = export_snapshot(data_dir, &deployment, *block, file);
            (written.wrap_err("the snapshot is not written")?, *json, "wrote snapshot of")
        }
        Command::Import(Import {
            file,
            data_dir,
            deployment,
            l1,
            allow_unfinal,
            l1_timeout,
            json,
        }) => {
            let deployment = Deployment::read(deployment)?;
            let client = L1Client::new(l1, Duration::from_secs(*l1_timeout))?;
            let taken = import_snapshot(file, data_dir, &deployment, client, *allow_unfinal);
            (taken.wrap_err("the snapshot is not taken")?, *json, "imported snapshot of")
        }
    };
    let SnapshotSummary { number, hash, records } = summary;
    if is_json {
        say!("{}", json!({ "blockNumber": number, "blockHash": hash, "records": records }));
    } else {
        say!("{done} block {number} ({hash}): {records} nodes and codes");
    }
    Ok(ExitCode::SUCCESS)
}
