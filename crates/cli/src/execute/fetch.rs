//! `enshrine execute fetch`.

use super::load::{calldata_of, parse_fork};
use alloy_primitives::Bytes;
use clap::{Args, ValueEnum};
use eyre::{Context, Result, bail, eyre};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::ExitCode, time::Duration};
use wire::{
    OwnedWitness, ProtocolFork,
    convert::{Bundle, RawBlock},
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// JSON-RPC address of a node that has debug_executionWitness and debug_getRawBlock.
    #[arg(long, value_name = "URL")]
    rpc: String,

    /// The block: a number, or a tag such as latest.
    #[arg(long, value_name = "N")]
    block: String,

    /// Where to write it.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// What to write: a JSON bundle, or the exact calldata of EXECUTE.
    #[arg(long, value_enum, default_value_t = Format::Bundle)]
    format: Format,

    /// For --format ssz of a chain that is not a public network: the fork whose rules hold on it.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Seconds to wait for each answer; witnesses of large blocks take some nodes a while.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,

    /// JSON instead of a line of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Bundle,
    Ssz,
}

/// Longest answer that is read: a witness of a full mainnet block in hex is a tenth of this.
const LONGEST_ANSWER: u64 = 1 << 30;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let node = Node {
        agent: ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(arguments.timeout)))
            .http_status_as_error(false)
            .build()
            .into(),
        url: arguments.rpc.clone(),
    };
    let block = block_parameter(&arguments.block)?;
    let chain_id = quantity(&node.call("eth_chainId", &json!([]))?)?;
    let raw: Bytes = serde_json::from_value(node.call("debug_getRawBlock", &json!([&block]))?)
        .wrap_err("debug_getRawBlock did not answer hex bytes")?;
    let decoded = RawBlock::decode(&raw).wrap_err("debug_getRawBlock answered no block")?;
    let number = json!([format!("{:#x}", decoded.header.number)]);
    let witness = OwnedWitness::from_json_value(node.call("debug_executionWitness", &number)?)
        .wrap_err("debug_executionWitness answered no witness")?;
    let bundle = Bundle { chain_id, block: raw, pre_state_root: None, witness };
    let bytes = match arguments.format {
        Format::Bundle => bundle.to_json().into_bytes(),
        Format::Ssz => calldata_of(&bundle, arguments.fork)?,
    };
    fs::write(&arguments.output, &bytes)
        .wrap_err_with(|| format!("cannot write {}", arguments.output.display()))?;
    let (number, hash) = (decoded.header.number, decoded.hash);
    if arguments.json {
        let document = json!({
            "file": arguments.output, "chain_id": chain_id, "number": number,
            "block_hash": hash, "bytes": bytes.len(),
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        let path = arguments.output.display();
        println!(
            "wrote block {number} ({hash}) of chain {chain_id} to {path}, {} bytes",
            bytes.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A block number in decimal or hex, or a tag, as JSON-RPC wants it.
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

fn quantity(value: &Value) -> Result<u64> {
    value
        .as_str()
        .and_then(|text| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok())
        .ok_or_else(|| eyre!("{value} is not a quantity"))
}

struct Node {
    agent: ureq::Agent,
    url: String,
}

impl Node {
    fn call(&self, method: &str, params: &Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let context = || format!("{method} at {} failed", self.url);
        let mut response = self.agent.post(&self.url).send_json(&request).wrap_err_with(context)?;
        let status = response.status();
        let mut answer: Value = response
            .body_mut()
            .with_config()
            .limit(LONGEST_ANSWER)
            .read_json()
            .wrap_err_with(|| format!("{method} at {}: HTTP {status}, no JSON", self.url))?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let hint = match error.get("code").and_then(Value::as_i64) {
                Some(-32601) => "; the node does not offer it: enable its debug API",
                _ => "",
            };
            bail!("{method} at {}: {message}{hint}", self.url);
        }
        match answer.get_mut("result").map(Value::take) {
            Some(Value::Null) | None => bail!("{method} at {}: no such block", self.url),
            Some(result) => Ok(result),
        }
    }
}
