//! `enshrine execute`: everything about the input of EXECUTE.

mod bench;
pub(crate) mod content;
mod encode;
mod fetch;
mod inspect;
mod load;
mod verify;

use clap::Subcommand;
use eyre::Result;
use std::{path::Path, process::ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify blocks.
    ///
    /// Exits with 0 if every one is valid, with 1 if one is not, with 3 if the witness of one is too small
    /// to say, with 2 if one cannot be read; with the first of these that is true.
    Verify(verify::Arguments),
    /// Show what an input holds and what EXECUTE would charge for it.
    Inspect(inspect::Arguments),
    /// Measure EXECUTE against the least work that a verifier must do.
    Bench(bench::Arguments),
    /// Write the exact calldata of EXECUTE for a block given in any form.
    Encode(encode::Arguments),
    /// Fetch a block and its witness from a node and write them as one file.
    Fetch(fetch::Arguments),
}

pub(crate) use load::fork_since;

/// The input of EXECUTE that a file holds, in a form that names its fork.
pub(crate) fn load_input(path: &Path) -> Result<Vec<u8>> {
    let loaded = load::load_file(path, None)?;
    load::decode(&loaded.name, &loaded.calldata)?;
    Ok(loaded.calldata)
}

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Encode(arguments) => encode::run(&arguments),
        Command::Fetch(arguments) => fetch::run(&arguments),
    }
}
