//! `enshrine execute verify`.

use super::load::{Loaded, Source};
use crate::output::{complain, say, told};
use clap::Args;
use execute::{Execute, ExecuteError, Executed, Rules};
use executor::BlockError;
use eyre::{Report, Result, bail};
use serde_json::json;
use std::{collections::BTreeSet, process::ExitCode, thread, time::Instant};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Also demand what an L2 demands: no blobs, no withdrawals.
    #[arg(long)]
    l2: bool,

    /// Threads per block.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,

    /// One JSON document instead of a line per file.
    #[arg(long)]
    json: bool,
}

/// What became of a file. The later ones say more than the earlier, and one of them is what the program
/// ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Valid,
    Unreadable,
    WitnessTooSmall,
    Invalid,
}

impl Finding {
    /// What an error says about the block; `None` if it is a fault of ours, which says nothing.
    fn of(error: &Report) -> Option<Self> {
        for cause in error.chain() {
            let (is_internal, lacks_witness, is_unreadable) =
                if let Some(error) = cause.downcast_ref::<ExecuteError>() {
                    let is_internal = matches!(error, ExecuteError::Internal(_));
                    (is_internal, error.lacks_witness(), error.is_unreadable())
                } else if let Some(error) = cause.downcast_ref::<BlockError>() {
                    match error {
                        BlockError::Internal(_) => (true, false, false),
                        BlockError::Invalid(it) => (false, it.lacks_witness(), it.is_unreadable()),
                    }
                } else {
                    continue;
                };
            return match () {
                () if is_internal => None,
                () if lacks_witness => Some(Self::WitnessTooSmall),
                () if is_unreadable => Some(Self::Unreadable),
                () => Some(Self::Invalid),
            };
        }
        Some(Self::Unreadable)
    }

    const fn exit_code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Unreadable => 2,
            Self::WitnessTooSmall => 3,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unreadable => "unreadable",
            Self::WitnessTooSmall => "witness too small",
        }
    }

    /// What to do about it.
    const fn next(self) -> Option<&'static str> {
        match self {
            Self::Valid => None,
            Self::Invalid => Some("`enshrine execute inspect` shows what the block claims"),
            Self::Unreadable => Some(
                "give the calldata of EXECUTE in binary or hex, or a bundle of block and witness, as \
                 `enshrine execute fetch` writes them for blocks from Cancun on",
            ),
            Self::WitnessTooSmall => Some(
                "the block may be valid all the same: fetch its witness again, from a node that puts \
                 all into it that the block reads (`enshrine execute fetch`)",
            ),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.source.is_empty() {
        bail!(
            "nothing to verify: name files, - for standard input, or --block with --witness and --chain"
        );
    }
    let execute = Execute {
        rules: if arguments.l2 { Rules::default() } else { Rules::L1 },
        threads: arguments.threads.try_into().or_else(|_| thread::available_parallelism())?,
        ..Execute::l1()
    };
    let mut documents = Vec::new();
    let mut findings = BTreeSet::new();
    for (path, loaded) in arguments.source.load() {
        let start = Instant::now();
        let outcome = loaded.and_then(|Loaded { calldata, .. }| {
            Ok((calldata.len(), execute.run(&calldata, u64::MAX)?))
        });
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        let finding = match &outcome {
            Ok(_) => Finding::Valid,
            Err(error) => match Finding::of(error) {
                Some(finding) => finding,
                None => bail!("{path}: {}: nothing is said about the block", told(error)),
            },
        };
        findings.insert(finding);
        if arguments.json {
            documents.push(document(&path, finding, &outcome, milliseconds));
        } else {
            print(&path, finding, &outcome, milliseconds);
        }
    }
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&documents)?);
    } else {
        for next in findings.iter().filter_map(|finding| finding.next()) {
            complain(format_args!("{next}"));
        }
    }
    match findings.last() {
        Some(worst) => Ok(worst.exit_code().into()),
        None => bail!("nothing to verify: the folder is empty"),
    }
}

fn print(path: &str, finding: Finding, outcome: &Result<(usize, Executed)>, milliseconds: f64) {
    match outcome {
        Ok((bytes, executed)) => {
            let last = &executed.verdict;
            let blocks = match executed.earlier.first() {
                None => format!("block {}", last.header.number),
                Some(first) => format!("blocks {} to {}", first.header.number, last.header.number),
            };
            say!(
                "valid    {path}  {blocks} of chain {}, {} transactions, {:.2} Mgas, {bytes} bytes, \
                 {milliseconds:.1} ms",
                last.chain_id,
                transactions(executed),
                executed.gas_used() as f64 / 1e6,
            );
        }
        Err(error) => say!("{}  {path}  {}", finding.name().to_uppercase(), told(error)),
    }
}

/// Transactions of all blocks.
fn transactions(executed: &Executed) -> usize {
    executed.verdicts().map(|verdict| verdict.executed.receipts.len()).sum()
}

fn document(
    path: &str,
    finding: Finding,
    outcome: &Result<(usize, Executed)>,
    milliseconds: f64,
) -> serde_json::Value {
    match outcome {
        Ok((bytes, executed)) => json!({
            "file": path,
            "valid": true,
            "verdict": finding.name(),
            "blocks": executed.verdicts().count(),
            "blockNumber": executed.verdict.header.number,
            "chainId": executed.verdict.chain_id,
            "blockHash": executed.verdict.block_hash,
            "stateRoot": executed.verdict.header.state_root,
            "requestRoot": executed.result.request_root,
            "transactions": transactions(executed),
            "gasUsed": executed.gas_used(),
            "bytes": bytes,
            "milliseconds": milliseconds,
        }),
        Err(error) => json!({
            "file": path,
            "valid": false,
            "verdict": finding.name(),
            "reason": told(error),
            "next": finding.next(),
        }),
    }
}
