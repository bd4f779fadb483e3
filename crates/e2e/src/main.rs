//! The whole of a native rollup in one run: an L1 with EXECUTE, an L2 that is a plain Ethereum
//! chain, a deposit, a block advanced, balances proven from the root that L1 holds, a forged block
//! refused; then the same L2 as users have it, a devnet, a sequencer and followers as processes, with a
//! withdrawal claimed, a sequencer killed, a reorganisation of L1; and real mainnet blocks through the
//! same precompile.
//!
//! Everything is real: contracts are compiled and deployed, transactions are signed, blocks are
//! executed, witnesses are recorded. The exit code tells whether all went as it must.

mod devnet;
mod mainnet;
mod nodes;
mod report;
mod story;

use clap::Parser;
use eyre::Result;
use report::Report;
use std::{path::PathBuf, process::ExitCode};

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

    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) => {
            if arguments.json {
                println!("{}", report.to_json());
            } else {
                report.print_tables();
                println!("\nAll as it must be.");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nFAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new(arguments.json);
    story::tell(arguments.in_process, &mut report)?;
    if !arguments.in_process {
        nodes::tell(&mut report)?;
    }
    mainnet::verify(&arguments.block, &mut report)?;
    Ok(report)
}
