//! The whole of a native rollup in one run: an L1 with EXECUTE, an L2 that is a plain Ethereum
//! chain, a deposit, a block advanced, balances proven from the root that L1 holds, forged blocks
//! refused, and one that leaves out a forced transaction; then the same L2 as users have it, a devnet, a
//! sequencer and followers as processes, with a withdrawal claimed, a sequencer killed, a reorganisation
//! of L1; and real mainnet blocks through the same precompile.
//!
//! Everything is real: contracts are compiled and deployed, transactions are signed, blocks are
//! executed, witnesses are recorded. The exit code tells whether all went as it must.

#![warn(clippy::print_stdout)]

mod bridge;
mod budget;
mod devnet;
mod gas;
mod load;
mod mainnet;
mod nodes;
mod output;
mod page;
mod processes;
mod progress;
mod report;
mod scripts;
mod soak;
mod story;

use clap::Parser;
use eyre::{Result, WrapErr as _};
use nodes::Nodes;
use output::{complain, say, until_unheard};
use report::Report;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Runs a native rollup from deposit to proof, and real blocks through EXECUTE.
#[derive(Debug, Parser)]
#[command(name = "e2e", version)]
struct Arguments {
    /// A real block with its witness (JSON bundle, also .json.zst) for the last part; may be given
    /// several times. By default the blocks of the test vectors, if they are there.
    #[arg(long, value_name = "FILE")]
    block: Vec<PathBuf>,

    /// Keep the L1 in this process, instead of a devnet in its own.
    #[arg(long)]
    in_process: bool,

    /// Without the real blocks.
    #[arg(long, conflicts_with = "block")]
    quick: bool,

    /// Leave devnet, sequencer and follower running at the end, until it is interrupted, and say what to
    /// try.
    #[arg(long, conflicts_with_all = ["in_process", "json"])]
    keep: bool,

    /// Instead of all that: minutes of random traffic and faults, with L1, sequencer and follower compared
    /// after each step.
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["block", "in_process", "quick", "keep"])]
    soak: Option<f64>,

    /// What the choices of --soak follow from.
    #[arg(long, default_value_t = 1, requires = "soak")]
    seed: u64,

    /// Instead of all that: how much a sequencer takes, how soon others see it, and how fast it is on L1
    /// and rebuilt from it.
    #[arg(long, conflicts_with_all = ["block", "in_process", "quick", "keep", "soak"])]
    load: bool,

    /// Accounts of the L2 whose blocks --load times; 0 leaves that out.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, requires = "load")]
    accounts: u64,

    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,

    /// Write all figures to a page as well, with charts. It is one file that loads nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "soak")]
    html: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    until_unheard(|| tell(&arguments))
}

/// Runs, and prints what there is to say.
fn tell(arguments: &Arguments) -> ExitCode {
    match run(arguments) {
        Ok((report, nodes)) => {
            if arguments.json {
                say!("{}", report.to_json());
            } else {
                report.print_tables();
                say!("\nAll as it must be.");
            }
            if arguments.keep
                && let Some(nodes) = nodes
            {
                return keep(&nodes);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(format_args!("\nFAILED: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// All parts of the run; what it says, and the nodes that still run.
fn run(arguments: &Arguments) -> Result<(Report, Option<Nodes>)> {
    let mut report = Report::new(arguments.json);
    if let Some(path) = &arguments.html {
        // Not to find out after minutes that there is no such folder.
        write_page(path, &report)?;
    }
    if let Some(minutes) = arguments.soak {
        soak::run(minutes, arguments.seed, &mut report)?;
        return Ok((report, None));
    }
    if arguments.load {
        load::run(arguments.accounts, &mut report)?;
        return Ok((report, None));
    }
    story::tell(arguments.in_process, &mut report)?;
    let nodes = if arguments.in_process { None } else { Some(nodes::tell(&mut report)?) };
    if !arguments.quick {
        mainnet::verify(&arguments.block, &mut report)?;
    }
    if let Some(path) = &arguments.html {
        write_page(path, &report)?;
    }
    Ok((report, nodes))
}

fn write_page(path: &Path, report: &Report) -> Result<()> {
    fs::write(path, page::page(report)).wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// Waits for the end, with the nodes at work.
fn keep(nodes: &Nodes) -> ExitCode {
    match rpc::termination() {
        Ok(end) => {
            say!("\n{}", nodes.what_to_try());
            // Whoever listens to signals never gives up before one has come.
            let _ = end.blocking_recv();
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(format_args!("\nFAILED: cannot listen to signals: {error}"));
            ExitCode::FAILURE
        }
    }
}
