//! `enshrine calldata`: prints calldata for the rollup's contracts on L1.

use super::{account, force, prove};
use crate::{
    execute::{Calldata, parse_fork},
    output::say,
};
use alloy_primitives::{Bytes, hex};
use alloy_sol_types::SolCall as _;
use chain::spec_of;
use clap::{Args, Subcommand};
use contracts::{
    Deployment,
    bindings::INativeRollup::{Evidence, advanceCall},
    code_reference::{CodeReference, PROXY, shorten},
};
use eyre::{Result, ensure};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};
use wire::ProtocolFork;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Calldata of `ForcedInbox.submit`, for an L2 transaction that the sequencer is forced to
    /// include: a signed transaction, or one that this command signs with the highest fee cap that
    /// the sender's balance covers.
    Force(force::Force),
    /// Calldata of `L1MessageQueue.claim`, for an L2→L1 message; equal to `enshrine prove`.
    Claim(prove::Arguments),
    /// Calldata of `L1MessageQueue.send`, with which a contract on L1, such as a multisig, calls a
    /// target on the L2 from its alias account.
    Account(account::AccountArguments),
    /// Calldata of `L2Accounts.force`, which delivers a message to an alias account after the
    /// sequencer has parked it or its delivery has failed. Any key can sign the L2 transaction, and
    /// `calldata force` turns it into a forced transaction.
    Deliver(account::Deliver),
    /// Calldata of `NativeRollup.advance`, for L2 blocks without a new anchor and without due
    /// messages or forced transactions. Contains the inputs of EXECUTE unchanged, and no evidence.
    Advance(Advance),
    /// Calldata of the CREATE2 proxy that stores the codes of an EXECUTE input on L1, so that later
    /// inputs can reference them instead of containing them.
    Keep(Keep),
}

#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// Files with inputs of EXECUTE, each for a block or a batch of blocks, in order, as written by
    /// `enshrine execute encode` and `enshrine execute fetch`. `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "l2", conflicts_with = "l2")]
    files: Vec<PathBuf>,

    /// JSON-RPC URL of an L2 node with debug_executionWitness and debug_getRawBlock, instead of
    /// files. Its responses are checked no further than files are.
    #[arg(long, value_name = "URL", requires = "block")]
    l2: Option<String>,

    /// With --l2: number of the block to fetch; can be repeated, in order.
    #[arg(long, value_name = "NUMBER", requires = "l2")]
    block: Vec<u64>,

    /// Fork of the L2, for blocks that are not encoded as inputs of EXECUTE yet [default: with
    /// --deployment, that of the genesis]
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Replace the codes of each input with references to the accounts that
    /// `enshrine calldata keep` creates.
    #[arg(long)]
    kept: bool,

    /// With --kept: reference the accounts that `enshrine calldata keep --each` creates.
    #[arg(long, requires = "kept")]
    each: bool,

    /// Deployment file, to check that the blocks belong to this L2.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,

    /// Print JSON instead of the calldata only.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// File with an input of EXECUTE; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Fork of the L2, for a block that is not encoded as an input of EXECUTE yet.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Store each code of at least 256 bytes separately, for inputs that contain only some of these
    /// codes.
    #[arg(long)]
    each: bool,

    /// Print JSON instead of the calldata only.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Force(arguments) => force::run(arguments),
        Command::Claim(arguments) => prove::run(arguments),
        Command::Account(arguments) => account::order(arguments),
        Command::Deliver(arguments) => account::deliver(arguments),
        Command::Advance(arguments) => advance(arguments),
        Command::Keep(arguments) => keep(arguments),
    }
}

fn advance(arguments: &Advance) -> Result<ExitCode> {
    // With files, clap does not enforce that --block requires --l2.
    ensure!(arguments.block.is_empty() || arguments.l2.is_some(), "--block requires --l2");
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let fork = arguments.fork.or_else(|| deployment.as_ref().and_then(first_fork));
    let inputs: Result<Vec<_>> = match &arguments.l2 {
        Some(url) => {
            arguments.block.iter().map(|block| Calldata::fetch(url, *block, fork)).collect()
        }
        None => arguments.files.iter().map(|path| Calldata::read(path, fork)).collect(),
    };
    let input = |Calldata { name, bytes, chain_id: got }: Calldata| {
        if let Some(Deployment { l2_chain_id: expected, .. }) = &deployment {
            ensure!(got == *expected, "{name} is of chain {got}, expected L2 chain {expected}");
        }
        let codes = if arguments.kept { codes(&bytes, arguments.each) } else { Vec::new() };
        let named = shorten(&bytes, &codes).map(|shortened| shortened.bytes);
        Ok(named.unwrap_or_else(|| bytes.into()))
    };
    let inputs = inputs?.into_iter().map(input).collect::<Result<_>>()?;
    let call = advanceCall { inputs, evidence: Evidence::default() };
    let calldata = Bytes::from(call.abi_encode());
    if !arguments.json {
        say!("{calldata}");
        return Ok(ExitCode::SUCCESS);
    }
    let document = json!({
        "to": deployment.map(|deployment| deployment.rollup),
        "bytes": calldata.len(),
        "calldata": calldata,
    });
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

/// Returns the fork at the genesis of an L2.
fn first_fork(deployment: &Deployment) -> Option<ProtocolFork> {
    let genesis = &deployment.genesis;
    spec_of(&genesis.config).fork_at(genesis.timestamp)
}

fn codes(input: &[u8], each: bool) -> Vec<CodeReference> {
    if each { CodeReference::of_each_code_in(input) } else { CodeReference::of_codes_in(input) }
}

fn keep(arguments: &Keep) -> Result<ExitCode> {
    let input = Calldata::read(&arguments.file, arguments.fork)?;
    let codes = codes(&input.bytes, arguments.each);
    ensure!(!codes.is_empty(), "{} contains no codes", input.name);
    if !arguments.json {
        for code in &codes {
            say!("{}", hex::encode_prefixed(code.creation()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let part = |code: &CodeReference| {
        json!({
            "to": PROXY,
            "account": code.account(),
            "bytes": code.bytes().len(),
            "calldata": code.creation(),
        })
    };
    let document = codes.iter().map(part).collect::<Vec<_>>();
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}
