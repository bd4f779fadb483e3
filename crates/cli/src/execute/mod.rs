//! `enshrine execute`: everything about the input of EXECUTE.

mod bench;
pub(crate) mod content;
mod encode;
mod fetch;
mod inspect;
mod load;
mod transaction;
mod verify;

use clap::Subcommand;
use client::RedactedUrl;
use eyre::{Result, ensure};
use load::decode_input;
use std::{path::Path, process::ExitCode};
use wire::ProtocolFork;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify blocks.
    ///
    /// Exits with 0 if every one is valid, with 1 if one is not, with 3 if the witness of one is
    /// too small to say, with 2 if one cannot be read; with the first of these that is true.
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

pub(crate) use load::{fork_since, parse_fork};

/// The calldata of EXECUTE for a block or for a batch of blocks, where it comes from, and of which
/// chain the blocks are.
#[derive(Debug)]
pub(crate) struct Calldata {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) chain_id: u64,
}

impl Calldata {
    /// Reads the input in a file, or on standard input for `-`. A block that does not tell its own
    /// fork needs `fork`.
    pub(crate) fn read(path: &Path, fork: Option<ProtocolFork>) -> Result<Self> {
        Self::of(content::name_of(path), load::load_file(path, fork)?.calldata)
    }

    /// Fetches the input for a block of the node at a URL.
    pub(crate) fn fetch(url: &str, number: u64, fork: Option<ProtocolFork>) -> Result<Self> {
        let name = format!("block {number} of {}", RedactedUrl::new(url));
        let fetched = fetch::fetch(url, &number.to_string(), fetch::TIMEOUT)?;
        let got = fetched.number;
        ensure!(
            got == number,
            "{} has given block {got}, and was asked for block {number}",
            RedactedUrl::new(url)
        );
        Self::of(name, load::calldata_of(&fetched.bundle, fork)?)
    }

    fn of(name: String, bytes: Vec<u8>) -> Result<Self> {
        let chain_id = decode_input(&name, &bytes)?.chain_id();
        Ok(Self { name, bytes, chain_id })
    }
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
