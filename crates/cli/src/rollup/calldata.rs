//! `enshrine calldata`.

use super::prove;
use crate::execute::load_input;
use crate::output::say;
use alloy_consensus::{
    EthereumTxEnvelope, Transaction as _, TxEip4844, transaction::SignerRecoverable as _,
};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Bytes, hex};
use alloy_sol_types::SolCall as _;
use clap::{Args, Subcommand};
use contracts::{
    Deployment,
    bindings::{
        IForcedInbox::submitCall,
        INativeRollup::{Evidence, advanceCall},
    },
    kept::{KeptCode, PROXY, shorten},
};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};
use wire::StatelessInput;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Of `ForcedInbox.submit`, for a signed L2 transaction that the sequencer must not leave out.
    Force(Force),
    /// Of `L1MessageQueue.claim`, for a message of the L2: the same as `enshrine prove`.
    Claim(prove::Arguments),
    /// Of `NativeRollup.advance`, for L2 blocks that name no new anchor and owe nothing: the input of
    /// EXECUTE for each goes into it as it is, and no evidence.
    Advance(Advance),
    /// Of the CREATE2 proxy, to have L1 keep the codes that an input of EXECUTE carries: others with the same codes
    /// need not carry them then.
    Keep(Keep),
}

#[derive(Debug, Args)]
pub(crate) struct Force {
    /// The transaction as `cast mktx` prints it, in hexadecimal digits.
    #[arg(value_name = "RAWTX")]
    raw: String,

    /// The file that script/Deploy.s.sol has written, to check that the transaction is for this L2.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,

    /// JSON instead of the calldata alone.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// Inputs of EXECUTE in files, one for each block and in order; as `enshrine execute encode` and
    /// `enshrine execute fetch --format ssz` write them.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Name the codes of each input by the accounts that `enshrine calldata keep` makes of them, in place of the
    /// codes themselves.
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
    /// An input of EXECUTE in a file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Each code by itself, if it has 256 bytes or more: for inputs that have some of these codes, and not all.
    #[arg(long)]
    each: bool,

    /// JSON instead of the calldata alone.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Force(arguments) => force(arguments),
        Command::Claim(arguments) => prove::run(arguments),
        Command::Advance(arguments) => advance(arguments),
        Command::Keep(arguments) => keep(arguments),
    }
}

fn force(arguments: &Force) -> Result<ExitCode> {
    let raw = hex::decode(arguments.raw.trim()).wrap_err(
        "RAWTX is a signed transaction in hexadecimal digits, as `cast mktx` prints it",
    )?;
    let transaction = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(&raw)
        .wrap_err("RAWTX is not a signed transaction")?;
    let sender = transaction.recover_signer().wrap_err("nobody has signed RAWTX")?;
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    if let Some(deployment) = &deployment {
        let expected = deployment.l2_chain_id;
        let got = transaction.chain_id().ok_or_eyre("RAWTX is signed for every chain at once")?;
        ensure!(got == expected, "RAWTX is signed for chain {got}, and the L2 is chain {expected}");
    }
    let calldata = Bytes::from(submitCall { raw: raw.into() }.abi_encode());
    if !arguments.json {
        say!("{}", hex::encode_prefixed(&calldata));
        return Ok(ExitCode::SUCCESS);
    }
    let document = json!({
        "to": deployment.map(|deployment| deployment.forced),
        "transactionHash": transaction.trie_hash(),
        "sender": sender,
        "nonce": transaction.nonce(),
        "gasLimit": transaction.gas_limit(),
        "calldata": calldata,
    });
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

fn advance(arguments: &Advance) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let input = |path: &PathBuf| {
        let input = load_input(path)?;
        if let Some(Deployment { l2_chain_id: expected, .. }) = &deployment {
            let got = StatelessInput::decode(&input)?.chain_id;
            let path = path.display();
            ensure!(got == *expected, "{path} is of chain {got}, and the L2 is chain {expected}");
        }
        let codes = if arguments.kept { codes(&input, arguments.each) } else { Vec::new() };
        let named = shorten(&input, &codes).map(|shortened| shortened.bytes);
        Ok(named.unwrap_or_else(|| input.into()))
    };
    let inputs = arguments.files.iter().map(input).collect::<Result<_>>()?;
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

fn codes(input: &[u8], each: bool) -> Vec<KeptCode> {
    if each { KeptCode::of_each_code_in(input) } else { KeptCode::of_codes_in(input) }
}

fn keep(arguments: &Keep) -> Result<ExitCode> {
    let codes = codes(&load_input(&arguments.file)?, arguments.each);
    ensure!(!codes.is_empty(), "{} carries no codes", arguments.file.display());
    if !arguments.json {
        for code in &codes {
            say!("{}", hex::encode_prefixed(code.creation()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let part = |code: &KeptCode| {
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
