//! End-to-end run of a native rollup, in nine parts:
//!
//! 1. In process: an L1 with EXECUTE, an L2 that is a plain Ethereum chain, a deposit, a block on
//!    L1, balances proven against the state root on L1, and rejected blocks: forged ones, and one
//!    without a due forced transaction.
//! 2. More input forms of EXECUTE: a transaction of type `0x05`, and blocks as in the EIP-8079
//!    draft.
//! 3. A rollup without an owner that follows L1 through an invented fork, whose inputs have a
//!    layout that its contract does not know.
//! 4. An L2 with EXECUTE, and an L3 whose withdrawal is claimed on the L2 and on L1.
//! 5. A rollup that is no longer advanced, whose users are paid on L1 by proofs.
//! 6. A sequencer with a bond that signs a prefix with a false log: a follower finds it, EXECUTE on
//!    L1 proves it, and the bond is lost.
//! 7. As processes: devnet, sequencer and followers, a withdrawal, a killed sequencer, and an L1
//!    reorg.
//! 8. Concurrently with that, an L1 that forks from Prague to Amsterdam during the operation of a
//!    rollup without an owner.
//! 9. Real mainnet blocks through the same precompile.
//!
//! Nothing is mocked: contracts are compiled and deployed, transactions are signed, blocks are
//! executed, witnesses are recorded. The exit code is 0 if all checks passed.

#![warn(clippy::print_stdout)]

mod bridge;
mod exit;
mod forks;
mod forms;
mod gas;
mod in_process;
mod l3;
mod later_fork;
mod lie;
mod mainnet;
mod nodes;

use clap::Parser;
use eyre::{Result, WrapErr as _, eyre};
use nodes::Nodes;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};
use testkit::localnet::{
    output::{complain, exit_on_failed_print},
    page,
    report::Report,
    say,
};

/// Run a native rollup from deposit to proof, and real blocks through EXECUTE
#[derive(Debug, Parser)]
#[command(name = "e2e", version)]
struct Arguments {
    /// Real block with its witness (JSON bundle, also .json.zst) for the last part; may be given
    /// several times. Default: the blocks of the test vectors, if there are any.
    #[arg(long, value_name = "FILE")]
    block: Vec<PathBuf>,

    /// Run the L1 in this process instead of a devnet process.
    #[arg(long)]
    in_process: bool,

    /// Skip the real blocks.
    #[arg(long, conflicts_with = "block")]
    quick: bool,

    /// Run only the part with the L1 forks.
    #[arg(long, conflicts_with_all = ["in_process", "block", "keep"])]
    forks: bool,

    /// Keep devnet, sequencer and follower running at the end, until interrupted, and print
    /// commands to try.
    #[arg(long, conflicts_with_all = ["in_process", "json"])]
    keep: bool,

    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,

    /// Also write a page with figures and charts, as one self-contained HTML file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_on_failed_print(|| run_and_print(&arguments))
}

/// Runs all parts and prints the report.
fn run_and_print(arguments: &Arguments) -> ExitCode {
    match run(arguments) {
        Ok((report, nodes)) => {
            if arguments.json {
                say!("{}", report.to_json());
            } else {
                report.print_tables();
                say!("\nAll checks passed.");
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

/// Runs all parts. Returns the report, and the nodes that are still running.
fn run(arguments: &Arguments) -> Result<(Report, Option<Nodes>)> {
    let mut report = Report::new(arguments.json);
    if let Some(path) = &arguments.html {
        // Fail now if the file cannot be written, and not after minutes.
        write_page(path, &report)?;
    }
    if arguments.forks {
        forks::run(&mut report)?;
        return Ok((report, None));
    }
    in_process::run(arguments.in_process, &mut report)?;
    forms::run(arguments.in_process, &mut report)?;
    later_fork::run(&mut report)?;
    l3::run(arguments.in_process, &mut report)?;
    exit::run(arguments.in_process, &mut report)?;
    lie::run(arguments.in_process, &mut report)?;
    let nodes = if arguments.in_process { None } else { Some(with_processes(&mut report)?) };
    if !arguments.quick {
        mainnet::verify(&arguments.block, &mut report)?;
    }
    if let Some(path) = &arguments.html {
        write_page(path, &report)?;
    }
    Ok((report, nodes))
}

/// Runs the two parts whose nodes are processes concurrently, since both wait most of the time.
fn with_processes(report: &mut Report) -> Result<Nodes> {
    let mut aside = report.aside();
    let (nodes, forks) = thread::scope(|scope| {
        let forks = scope.spawn(|| forks::run(&mut aside));
        (nodes::run(report), forks.join())
    });
    let nodes = nodes?;
    forks.map_err(|_| eyre!("the part with the L1 forks panicked"))??;
    report.append(aside);
    Ok(nodes)
}

fn write_page(path: &Path, report: &Report) -> Result<()> {
    fs::write(path, page::page(report)).wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// Keeps the nodes running until a signal ends the run.
fn keep(nodes: &Nodes) -> ExitCode {
    match rpc::termination() {
        Ok(end) => {
            say!("\n{}", nodes.what_to_try());
            // The sender is dropped only after a signal, so an error also means that the run should
            // end.
            let _ = end.blocking_recv();
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(format_args!("\nFAILED: cannot listen to signals: {error}"));
            ExitCode::FAILURE
        }
    }
}
