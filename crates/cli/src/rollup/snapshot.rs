//! `enshrine snapshot`: exports and imports the state of an L2.

use crate::output::say;
use ::rollup::{L1Client, SnapshotSummary, export_snapshot, import_snapshot};
use clap::{Args, Subcommand};
use contracts::Deployment;
use eyre::{Result, WrapErr as _};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode, time::Duration};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the state after a block to a file. The node must not be running.
    Export(Export),
    /// Create a data directory from a snapshot, from which a node continues.
    ///
    /// Verifies every trie node and code against the state root of the block on L1, and reads L1
    /// for that, without blobs.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Data directory of the node.
    #[arg(long, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// Deployment file of the rollup.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Number of the L2 block [default: the newest block that L1 had included]
    #[arg(long, value_name = "NUMBER")]
    block: Option<u64>,
    /// Snapshot file to write.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Snapshot file to read.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Data directory to create.
    #[arg(long, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// Deployment file of the rollup.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// JSON-RPC URLs of L1 nodes, separated by commas. With several, a header is accepted if a
    /// majority of the responding nodes have it.
    #[arg(long, value_name = "URL", value_delimiter = ',', required = true)]
    l1: Vec<String>,
    /// Import a block that an L1 reorg can still remove. The node cannot revert to an earlier block
    /// in that case.
    #[arg(long)]
    allow_unfinal: bool,
    /// Timeout of a request to L1, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    l1_timeout: u64,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let (summary, is_json, done) = match command {
        Command::Export(Export { data_dir, deployment, block, file, json }) => {
            let deployment = Deployment::read(deployment)?;
            let written = export_snapshot(data_dir, &deployment, *block, file);
            (written.wrap_err("failed to export the snapshot")?, *json, "wrote snapshot of")
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
            (taken.wrap_err("failed to import the snapshot")?, *json, "imported snapshot of")
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
