//! `enshrine calldata`.

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
    /// Calldata of `ForcedInbox.submit`, for an L2 transaction that the sequencer must not leave
    /// out: a signed one, or one that the command signs with the greatest fee cap that the sender's
    /// balance pays for.
    Force(force::Force),
    /// Calldata of `L1MessageQueue.claim`, for a message of the L2: the same as `enshrine prove`.
    Claim(prove::Arguments),
    /// Calldata of `L1MessageQueue.send` for a contract on L1, a multisig for instance: its alias
    /// account on the L2 makes a call.
    Account(account::Order),
    /// Calldata of `L2Accounts.force`, which delivers a message to an alias account that the
    /// sequencer has parked or that has failed. Any key may sign the transaction, and
    /// `calldata force` makes it a forced one.
    Deliver(account::Deliver),
    /// Calldata of `NativeRollup.advance`, for L2 blocks that name no new anchor and owe nothing.
    /// It has the inputs of EXECUTE as they are, and no evidence.
    Advance(Advance),
    /// Calldata of the CREATE2 proxy that makes L1 keep the codes of an input of EXECUTE, so that
    /// later inputs with the same codes need not carry them.
    Keep(Keep),
}

#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// Inputs of EXECUTE in files, each for a block or for a batch of blocks, and in order; as
    /// `enshrine execute encode` and `enshrine execute fetch` write them. `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "l2", conflicts_with = "l2")]
    files: Vec<PathBuf>,

    /// JSON-RPC address of a node of the L2 that has debug_executionWitness and debug_getRawBlock,
    /// in place of files. What it gives is checked no further than a file is.
    #[arg(long, value_name = "URL", requires = "block")]
    l2: Option<String>,

    /// With --l2: the block that is taken from there; may be given several times, in order.
    #[arg(long, value_name = "NUMBER", requires = "l2")]
    block: Vec<u64>,

    /// The fork whose rules hold on the L2, for blocks that are no inputs of EXECUTE yet [default:
    /// with --deployment that of the genesis]
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Name the codes of each input by the accounts that `enshrine calldata keep` makes of them, in
    /// place of the codes themselves.
    #[arg(long)]
    kept: bool,

    /// With --kept: those that `enshrine calldata keep --each` makes.
    #[arg(long, requires = "kept")]
    each: bool,

    /// The file that script/Deploy.s.sol has written, to check that the blocks are of this L2.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,

    /// JSON instead of the calldata alone.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// An input of EXECUTE in a file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The fork whose rules hold on the L2, for a block that is no input of EXECUTE yet.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Each code by itself, if it has 256 bytes or more: for inputs that have some of these codes,
    /// and not all.
    #[arg(long)]
    each: bool,

    /// JSON instead of the calldata alone.
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
    // Where there are files, the parser asks for no node.
    ensure!(
        arguments.block.is_empty() || arguments.l2.is_some(),
        "--block is of a node, and none is named by --l2"
    );
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let fork = arguments.fork.or_else(|| deployment.as_ref().and_then(first_fork));
    let given: Result<Vec<_>> = match &arguments.l2 {
        Some(url) => arguments.block.iter().map(|it| Calldata::fetch(url, *it, fork)).collect(),
        None => arguments.files.iter().map(|path| Calldata::read(path, fork)).collect(),
    };
    let input = |Calldata { name, bytes, chain_id: got }: Calldata| {
        if let Some(Deployment { l2_chain_id: expected, .. }) = &deployment {
            ensure!(got == *expected, "{name} is of chain {got}, and the L2 is chain {expected}");
        }
        let codes = if arguments.kept { codes(&bytes, arguments.each) } else { Vec::new() };
        let named = shorten(&bytes, &codes).map(|shortened| shortened.bytes);
        Ok(named.unwrap_or_else(|| bytes.into()))
    };
    let inputs = given?.into_iter().map(input).collect::<Result<_>>()?;
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

/// The fork with which an L2 has begun.
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
    ensure!(!codes.is_empty(), "{} carries no codes", input.name);
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
