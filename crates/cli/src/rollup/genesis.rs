//! `enshrine genesis`: prints the first block of a genesis file.

use crate::{
    execute::content::{self, Content},
    output::{print_stderr, say},
};
use alloy_genesis::Genesis;
use alloy_primitives::{Bytes, hex};
use chain::{Block, Chain, ChainConfig, spec_of};
use clap::Args;
use eyre::{Result, WrapErr as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use wire::ProtocolFork;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Genesis file with `alloc` and `config`, in the format of geth and reth, or a deployment file
    /// that contains one. `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let context = || format!("cannot read {}", arguments.file.display());
    let Content::Object(text) = content::read(&arguments.file)? else {
        bail!("{} is not a genesis file: not a JSON object", arguments.file.display())
    };
    let value: Value = serde_json::from_slice(&text).wrap_err_with(context)?;
    let inner = value.get("genesis");
    let is_there = |name| inner.unwrap_or(&value).get(name).is_some();
    ensure!(
        is_there("alloc") && is_there("config"),
        "{} is not a genesis file: it needs both `config` (chainId, forks) and `alloc` (accounts)",
        arguments.file.display()
    );
    // Parsed from the text, not from `value`, so that an error has a line and a column.
    let genesis = match inner {
        Some(_) => serde_json::from_slice(&text).map(|Deployed { genesis }| genesis),
        None => serde_json::from_slice(&text),
    };
    let genesis: Genesis = genesis.wrap_err_with(context)?;
    let first = First::of(&genesis)?;
    let header = &first.block.header;
    for finding in contracts::storage_only_accounts(&genesis) {
        print_stderr(format_args!("warning: {finding}"));
    }
    if arguments.json {
        let document = json!({
            "chainId": genesis.config.chain_id,
            "fork": first.fork.name(),
            "schema": first.fork.schema().to_string(),
            "blockNumber": header.number,
            "timestamp": header.timestamp,
            "gasLimit": header.gas_limit,
            "accounts": genesis.alloc.len(),
            "blockHash": first.block.hash,
            "stateRoot": header.state_root,
            "header": first.header(),
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(ExitCode::SUCCESS);
    }
    say!("chain id    {}", genesis.config.chain_id);
    say!("fork        {} (schema {})", first.fork, first.fork.schema());
    say!("number      {}", header.number);
    say!("timestamp   {}", header.timestamp);
    say!("gas limit   {}", header.gas_limit);
    say!("accounts    {}", genesis.alloc.len());
    say!("hash        {}", first.block.hash);
    say!("state root  {}", header.state_root);
    say!("header RLP  {}", hex::encode_prefixed(first.header()));
    Ok(ExitCode::SUCCESS)
}

/// The part of a deployment file that contains the genesis.
#[derive(Debug, Deserialize)]
struct Deployed {
    genesis: Genesis,
}

/// The first block of an L2, and its fork.
pub(crate) struct First {
    pub(crate) block: Arc<Block>,
    pub(crate) fork: ProtocolFork,
}

impl First {
    /// Executes a genesis into its first block.
    pub(crate) fn of(genesis: &Genesis) -> Result<Self> {
        let spec = spec_of(&genesis.config);
        let Some(fork) = spec.fork_at(genesis.timestamp) else {
            bail!(
                "the fork at the genesis timestamp {} is older than Shanghai: `config` must activate \
                 a newer one, for example with pragueTime",
                genesis.timestamp
            )
        };
        let chain = Chain::new(genesis, ChainConfig::new(spec))?;
        Ok(Self { block: Arc::clone(chain.head()), fork })
    }

    /// Returns the RLP encoding of the header.
    pub(crate) fn header(&self) -> Bytes {
        alloy_rlp::encode(&self.block.header).into()
    }
}
