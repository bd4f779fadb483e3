//! `enshrine execute verify`: runs EXECUTE on inputs and prints the verdicts.

use super::load::{Source, UnknownFork};
use crate::output::{error_chain, print_stderr, say};
use chain::{ForkTimes, ForkTimesError};
use clap::Args;
use execute::{Execute, ExecuteError, Executed, ForkRule, Rules};
use executor::{BlockError, ChainSpec, Invalid};
use eyre::{Report, Result, bail};
use serde_json::json;
use std::{collections::BTreeSet, io, process::ExitCode, thread, time::Instant};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Also enforce the rules of an L2: no blobs, no withdrawals.
    #[arg(long)]
    l2: bool,

    /// Fork schedule of L1, such as prague,osaka@1800000000: reject a block whose fork is not the
    /// one that L1 had at its timestamp, as EXECUTE does for chain ids that do not belong to a
    /// public network. Without it, each fork from Cancun on is accepted at any timestamp.
    #[arg(long, value_name = "FORKS", value_parser = fork_rule)]
    l1_forks: Option<ForkRule>,

    /// Number of threads per block; 0 uses all cores.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,

    /// Print one JSON document instead of a line per file.
    #[arg(long)]
    json: bool,
}

/// Verdict on a file, in ascending severity. The most severe verdict determines the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Valid,
    Unreadable,
    WitnessTooSmall,
    Invalid,
}

impl Finding {
    /// Returns the verdict for a cause; `None` for an internal error, which is not a verdict on the
    /// block.
    fn of(cause: &Cause<'_>) -> Option<Self> {
        let (is_internal, lacks_witness, is_unreadable) = match cause {
            Cause::Execute(error) => {
                let is_internal = matches!(error, ExecuteError::Internal(_));
                (is_internal, error.lacks_witness(), error.is_unreadable())
            }
            Cause::Block(BlockError::Internal(_)) => (true, false, false),
            Cause::Block(BlockError::Invalid(it)) => {
                (false, it.lacks_witness(), it.is_unreadable())
            }
            Cause::Input(_) => (false, false, true),
        };
        match () {
            () if is_internal => None,
            () if lacks_witness => Some(Self::WitnessTooSmall),
            () if is_unreadable => Some(Self::Unreadable),
            () => Some(Self::Invalid),
        }
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
}

/// Cause of an error.
pub(super) enum Cause<'e> {
    /// EXECUTE rejected the call.
    Execute(&'e ExecuteError),
    /// The block could not be executed to encode its input.
    Block(&'e BlockError),
    /// The file cannot be read as an input of EXECUTE.
    Input(&'e Report),
}

impl<'e> Cause<'e> {
    pub(super) fn of(error: &'e Report) -> Self {
        let mut causes = error.chain();
        let cause = causes.find_map(|cause| {
            let executed = cause.downcast_ref().map(Cause::Execute);
            executed.or_else(|| cause.downcast_ref().map(Cause::Block))
        });
        cause.unwrap_or(Self::Input(error))
    }

    const fn invalid(&self) -> Option<&'e Invalid> {
        match self {
            Self::Execute(ExecuteError::Invalid(invalid))
            | Self::Block(BlockError::Invalid(invalid)) => Some(invalid),
            _ => None,
        }
    }

    /// Returns the kind of the reason as a single word, for JSON.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Execute(error) => error.kind(),
            Self::Block(BlockError::Invalid(invalid)) => invalid.kind(),
            Self::Block(BlockError::Internal(_)) => "internal",
            Self::Input(_) => "input",
        }
    }

    /// Returns advice for the user; `None` if the error itself contains it.
    fn next(&self, finding: Finding) -> Option<&'static str> {
        match (finding, self) {
            (Finding::Valid, _) => None,
            (Finding::WitnessTooSmall, _) => Some(
                "the block may still be valid: fetch its witness again, from a node that includes \
                 everything that the block reads (`enshrine execute fetch`)",
            ),
            (Finding::Unreadable, _)
                if matches!(self.invalid(), Some(Invalid::UnsupportedFork(_))) =>
            {
                Some("use a block of Cancun or later: older forks are not supported")
            }
            (Finding::Unreadable, Self::Input(error)) => match error.downcast_ref() {
                Some(UnknownFork(_)) => None,
                None if error.chain().any(|cause| cause.is::<io::Error>()) => {
                    Some("name existing files that can be read, or - for standard input")
                }
                None => Some(FORMS),
            },
            (Finding::Unreadable, _) => Some(FORMS),
            (Finding::Invalid, Self::Execute(ExecuteError::Rules(_))) => Some(
                "an L2 may not have this block; without --l2, only the rules of Ethereum apply",
            ),
            (Finding::Invalid, _) => Some("`enshrine execute inspect` shows what the block claims"),
        }
    }
}

/// Parses the fork schedule of an L1.
fn fork_rule(text: &str) -> Result<ForkRule, ForkTimesError> {
    let schedule: ForkTimes = text.parse()?;
    let later = schedule.timestamps((0, 0), None)?;
    Ok(ForkRule::Scheduled(ChainSpec::scheduled(0, schedule.first, &later).into()))
}

/// Advice that lists the supported formats.
const FORMS: &str = "use the calldata of EXECUTE in binary or hex, or a bundle of block and witness, as \
                     `enshrine execute fetch` writes them for blocks from Cancun on";

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.source.is_empty() {
        bail!(
            "nothing to verify: name files, - for standard input, or --block with --witness and --chain"
        );
    }
    let execute = Execute {
        rules: if arguments.l2 { Rules::default() } else { Rules::L1 },
        threads: arguments.threads.try_into().or_else(|_| thread::available_parallelism())?,
        forks: arguments.l1_forks.clone().unwrap_or_else(ForkRule::every),
        cryptography: crypto::libraries(),
        ..Execute::l1()
    };
    let mut documents = Vec::new();
    let mut findings = BTreeSet::new();
    let mut next = BTreeSet::new();
    for (path, loaded) in arguments.source.load() {
        let start = Instant::now();
        let outcome = loaded.and_then(|loaded| {
            let fork = arguments.source.fork();
            let executed = loaded.run(&loaded.execute_on(&execute, fork))?;
            Ok((loaded.calldata.len(), executed))
        });
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        let finding = match &outcome {
            Ok(_) => Finding::Valid,
            Err(error) => {
                let cause = Cause::of(error);
                let Some(finding) = Finding::of(&cause) else {
                    bail!("{path}: {}: internal error, no verdict on the block", error_chain(error))
                };
                next.extend(cause.next(finding));
                finding
            }
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
        for next in next {
            print_stderr(format_args!("{next}"));
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
        Err(error) => {
            let reason = error_chain(error);
            // The output line already contains the path.
            let mut own =
                ["read", "decode"].map(|verb| format!("cannot {verb} {path}: ")).into_iter();
            let reason = own.find_map(|own| reason.strip_prefix(&own)).unwrap_or(&reason);
            say!("{}  {path}  {reason}", finding.name().to_uppercase());
        }
    }
}

/// Returns the number of transactions in all blocks.
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
        Err(error) => {
            let cause = Cause::of(error);
            json!({
                "file": path,
                "valid": false,
                "verdict": finding.name(),
                "reason": error_chain(error),
                "kind": cause.kind(),
                "next": cause.next(finding),
            })
        }
    }
}
