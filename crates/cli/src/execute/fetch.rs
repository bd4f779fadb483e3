//! `enshrine execute fetch`: fetches a block with its witness from a node.

use super::{
    content,
    load::{calldata_of, parse_fork},
};
use crate::output::say;
use alloy_json_rpc::{RpcError, RpcRecv, RpcSend};
use alloy_primitives::{B256, Bytes, U64};
use clap::{Args, ValueEnum};
use client::{Client, ClientError, ClientOptions};
use codec::{Bundle, OwnedWitness, RawBlock};
use eyre::{Context, Result, bail, eyre};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode, time::Duration};
use wire::ProtocolFork;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// JSON-RPC URL of a node with debug_executionWitness and debug_getRawBlock.
    #[arg(long, value_name = "URL")]
    rpc: String,

    /// Block number, or a tag such as latest.
    #[arg(long, value_name = "N")]
    block: String,

    /// Output file; `-` is standard output, to which nothing else is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Output format: a JSON bundle, or the exact calldata of EXECUTE.
    #[arg(long, value_enum, default_value_t = Format::Bundle)]
    format: Format,

    /// With --format ssz: fork that is active from genesis on; required for chains other than
    /// public networks.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Timeout of each request, in seconds. Some nodes are slow to return the witness of a large
    /// block.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT.as_secs())]
    timeout: u64,

    /// Print JSON instead of a line of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Bundle,
    Ssz,
}

/// Maximum size of a response, in bytes: ten times the witness of a full mainnet block in hex.
const LONGEST_ANSWER: usize = 1 << 30;

/// Default timeout of each request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(120);

/// JSON-RPC error code of an unknown method.
const METHOD_NOT_FOUND: i64 = -32601;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let timeout = Duration::from_secs(arguments.timeout);
    let Fetched { bundle, number, hash } = fetch(&arguments.rpc, &arguments.block, timeout)?;
    let chain_id = bundle.chain_id;
    let bytes = match arguments.format {
        Format::Bundle => bundle.to_json().into_bytes(),
        Format::Ssz => calldata_of(&bundle, arguments.fork)?,
    };
    if !content::write(&arguments.output, &bytes)? {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.json {
        let document = json!({
            "file": arguments.output, "chainId": chain_id, "blockNumber": number,
            "blockHash": hash, "bytes": bytes.len(),
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        let path = arguments.output.display();
        say!("wrote block {number} ({hash}) of chain {chain_id} to {path}, {} bytes", bytes.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// A block with its witness, as returned by a node.
pub(super) struct Fetched {
    pub(super) bundle: Bundle,
    pub(super) number: u64,
    hash: B256,
}

/// Fetches a block by its number or a tag, and its witness, from the node at a URL.
pub(super) fn fetch(url: &str, block: &str, timeout: Duration) -> Result<Fetched> {
    let options =
        ClientOptions { timeout, longest_answer: LONGEST_ANSWER, ..ClientOptions::default() };
    let node = Node(Client::new(url, options)?);
    let block = block_parameter(block)?;
    let chain_id = node.call::<U64>("eth_chainId", ())?.to::<u64>();
    let raw: Bytes = node.call("debug_getRawBlock", [block])?;
    let decoded = RawBlock::decode(&raw).wrap_err("debug_getRawBlock returned no valid block")?;
    let number = [U64::from(decoded.header.number)];
    let witness = OwnedWitness::from_json_value(node.call("debug_executionWitness", number)?)
        .wrap_err("debug_executionWitness returned no valid witness")?;
    let bundle = Bundle { chain_id, block: raw, pre_state_root: None, witness };
    Ok(Fetched { bundle, number: decoded.header.number, hash: decoded.hash })
}

/// Converts a block number in decimal or hex, or a tag, to a JSON-RPC parameter.
fn block_parameter(block: &str) -> Result<String> {
    if let Ok(number) = block.parse::<u64>() {
        return Ok(format!("{number:#x}"));
    }
    let is_hex = block.strip_prefix("0x").is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok());
    if is_hex || ["latest", "safe", "finalized", "earliest"].contains(&block) {
        return Ok(block.to_owned());
    }
    bail!("--block {block:?} is neither a number nor latest, safe, finalized or earliest")
}

/// Client of a node; a null result means that the node does not have the block.
struct Node(Client);

impl Node {
    fn call<T: RpcRecv>(&self, method: &str, params: impl RpcSend + 'static) -> Result<T> {
        let context = || format!("{method} at {}", self.0.address());
        let answer: Option<T> =
            self.0.request(method, params).map_err(explain).wrap_err_with(context)?;
        answer.ok_or_else(|| eyre!("no such block")).wrap_err_with(context)
    }
}

/// Converts an error of the node to one with advice.
fn explain(error: ClientError) -> eyre::Report {
    match &error {
        ClientError::Rpc(RpcError::ErrorResp(refusal)) if refusal.code == METHOD_NOT_FOUND => {
            eyre!("{}; the node does not serve this method: enable its debug API", refusal.message)
        }
        ClientError::Rpc(RpcError::ErrorResp(refusal)) => eyre!("{}", refusal.message),
        _ => error.into(),
    }
}
