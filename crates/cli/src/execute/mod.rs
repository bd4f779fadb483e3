//! `enshrine execute`: verifies, inspects, benchmarks, encodes and fetches inputs of EXECUTE.

mod bench;
pub(crate) mod content;
mod encode;
mod fetch;
mod fields;
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
    /// Exits with 0 if all blocks are valid; otherwise with 1 if a block is invalid, else with 3 if
    /// a witness is incomplete, else with 2 if an input cannot be read.
    Verify(verify::Arguments),
    /// Print the contents of an input and the gas that EXECUTE charges for it.
    Inspect(inspect::Arguments),
    /// Benchmark EXECUTE against the minimum work of any verifier.
    Bench(bench::Arguments),
    /// Write the calldata of EXECUTE for a block in any supported format.
    Encode(encode::Arguments),
    /// Fetch a block and its witness from a node, and write them to one file.
    Fetch(fetch::Arguments),
}

pub(crate) use load::{fork_since, parse_fork};

/// The calldata of EXECUTE for a block or a batch of blocks, with the name of its source and the
/// chain id of the blocks.
#[derive(Debug)]
pub(crate) struct Calldata {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) chain_id: u64,
}

impl Calldata {
    /// Reads the input from a file, or from standard input for `-`. `fork` is required for a block
    /// whose fork follows neither from its encoding nor from its chain.
    pub(crate) fn read(path: &Path, fork: Option<ProtocolFork>) -> Result<Self> {
        Self::of(content::name_of(path), load::load_file(path, fork)?.calldata)
    }

    /// Fetches the input for a block from the node at a URL.
    pub(crate) fn fetch(url: &str, number: u64, fork: Option<ProtocolFork>) -> Result<Self> {
        let name = format!("block {number} of {}", RedactedUrl::new(url));
        let fetched = fetch::fetch(url, &number.to_string(), fetch::TIMEOUT)?;
        let got = fetched.number;
        ensure!(
            got == number,
            "{} returned block {got}, expected block {number}",
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
