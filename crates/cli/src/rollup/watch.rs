//! `enshrine watch`: a follower that finds faults of the sequencer, and proves them to its registry
//! of bonds.

use super::node::{self, Sources};
use crate::output::say;
use ::rollup::{WatchEvent, WatchReport};
use clap::Args;
use eyre::Result;
use std::{process::ExitCode, sync::mpsc::channel, thread};

/// The flags of a follower. Requires a registry of bonds in the deployment file or by
/// --preconf-bonds; with --reporter-key, evidence is submitted, and with --post also blocks that the
/// sequencer withholds.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Print each report as a line of JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (reports, received) = channel();
    let is_json = arguments.json;
    // Ends with the node, which holds the sender.
    thread::Builder::new()
        .name("reports".to_owned())
        .spawn(move || received.into_iter().for_each(|report| print(&report, is_json)))?;
    node::watch(&arguments.sources, reports)
}

fn print(report: &WatchReport, is_json: bool) {
    if is_json {
        match serde_json::to_string(report) {
            Ok(line) => say!("{line}"),
            Err(error) => tracing::warn!(%error, "cannot serialise a report"),
        }
        return;
    }
    let WatchReport { event, fault, account, number, block_hash, l1_head, .. } = report;
    let what = match event {
        WatchEvent::Evidence => "found evidence",
        WatchEvent::Committed => "committed to evidence",
        WatchEvent::Accepted => "L1 has accepted evidence",
        WatchEvent::Postponed => "evidence is not accepted",
        WatchEvent::Posted => "posted withheld blocks",
        WatchEvent::NotPosted => "withheld blocks are not posted",
    };
    let reason = report.reason.iter().map(|reason| format!(": {reason}")).collect::<String>();
    let reward = report.reward.iter().map(|wei| format!(", reward {wei} wei")).collect::<String>();
    if matches!(event, WatchEvent::Posted | WatchEvent::NotPosted) {
        say!("L1 block {l1_head}: {what} of {account} up to block {number} ({block_hash}){reason}");
        return;
    }
    say!(
        "L1 block {l1_head}: {what} of {fault} by {account} about block {number} \
         ({block_hash}){reward}{reason}"
    );
}
