//! Moments to come back to, and other ways of undoing blocks.

use super::{
    Method,
    args::{Args, Number, internal, invalid},
};
use crate::{
    DevnetError, cheats::Cheats, dump, fork::Remote, genesis, state::DevnetState,
    state_file::StateFile,
};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_eth::TransactionRequest;
use chain::{Chain, ChainError};
use jsonrpsee::types::ErrorObjectOwned;
use node::{Clock, MineRequest, Mining};
use rpc::RpcError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const METHODS: &[Method] = &[
    (&["anvil_snapshot", "evm_snapshot"], snapshot),
    (&["anvil_revert", "evm_revert"], revert),
    (&["anvil_rollback"], rollback),
    (&["anvil_reset", "hardhat_reset"], reset),
    (&["anvil_reorg"], reorg),
    (&["anvil_dumpState", "hardhat_dumpState"], dump_state),
    (&["anvil_loadState", "hardhat_loadState"], load_state),
];

fn snapshot(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.none()?;
    let snapshot = devnet.node.read(node::NodeState::snapshot);
    Ok(json!(format!("{:#x}", devnet.snapshots.lock().put(snapshot))))
}

fn revert(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let number = args.next::<Number>()?.u64()?;
    let Some(snapshot) = devnet.snapshots.lock().take(number) else { return Ok(json!(false)) };
    devnet
        .node
        .change(|node| -> Result<(), ChainError> {
            // What waits and how blocks are made stays as it is: a snapshot is one of the chain.
            node.chain.set_state(snapshot.state())?;
            node.clock.set(snapshot.state().block().header.timestamp);
            Ok(())
        })
        .map_err(RpcError::from)?;
    Ok(json!(true))
}

/// Makes the block that is `depth` below the head the head.
pub(super) fn go_back(
    devnet: &DevnetState,
    depth: u64,
    what: &str,
) -> Result<(), ErrorObjectOwned> {
    devnet.node.change(|node| {
        let height = node.chain.head().header.number;
        let target = height.checked_sub(depth).map(|number| node.chain.canonical_block(number));
        let Some(block) = target.transpose().map_err(RpcError::from)?.flatten() else {
            return Err(invalid(format!(
                "{what} depth must not exceed current chain height: current height {height}, depth \
                 {depth}"
            )));
        };
        let state = node.state_after(&block).map_err(|error| invalid(error.to_string()))?;
        node.chain.set_state(&state).map_err(RpcError::from)?;
        node.clock.set(block.header.timestamp);
        Ok(())
    })
}

fn rollback(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    go_back(devnet, args.next()?, "Rollback")?;
    Ok(Value::Null)
}

/// Where a reset goes to.
#[derive(Debug, Deserialize)]
struct ResetOptions {
    forking: Option<Forking>,
}

/// Another node or block to continue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Forking {
    /// The node; by default the one that is continued now.
    json_rpc_url: Option<String>,
    /// The block; by default the newest.
    block_number: Option<Number>,
}

/// The chain that continues what `forking` says.
fn fork_again(
    devnet: &DevnetState,
    forking: Forking,
) -> Result<(Arc<Remote>, Chain, Clock), ErrorObjectOwned> {
    let known = devnet.remote().map(|remote| remote.url.clone());
    let url = forking.json_rpc_url.or(known).ok_or_else(|| {
        invalid("this devnet is no fork of another node: `jsonRpcUrl` says which it is to be")
    })?;
    let block = forking.block_number.map(Number::u64).transpose()?;
    let block = block.map(i64::try_from).transpose().map_err(|error| invalid(error.to_string()))?;
    let failed = |error: DevnetError| internal(error.to_string());
    let remote = Arc::new(Remote::connect(&url, block).map_err(failed)?);
    let (chain, clock) =
        genesis::start(&devnet.config, &devnet.accounts, Some(&remote)).map_err(failed)?;
    Ok((remote, chain, clock))
}

fn reset(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let options: Option<ResetOptions> = args.optional()?;
    let another = match options.and_then(|options| options.forking) {
        Some(forking) => Some(fork_again(devnet, forking)?),
        None => None,
    };
    devnet.snapshots.lock().clear();
    *devnet.instance.lock() = B256::random();
    devnet.node.change(|node| {
        let mut start = devnet.start.lock();
        node.restore(&start).map_err(RpcError::from)?;
        node.sidecars.clear();
        if let Some((remote, chain, clock)) = another {
            (node.chain, node.clock) = (chain, clock);
            *start = node.snapshot();
            devnet.continue_another(remote);
            return Ok(Value::Null);
        }
        devnet.change_cheats(node, |cheats| *cheats = Cheats::default());
        let time = devnet.config.timestamp.unwrap_or_else(|| node.chain.head().header.timestamp);
        node.clock.set(time);
        Ok(Value::Null)
    })
}

/// A transaction of a reorganisation: as it is sent, signed or not.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NewTransaction {
    Raw(Bytes),
    Request(Box<TransactionRequest>),
}

/// Replaces the newest blocks by as many others, with the given transactions in them.
fn reorg(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let depth: u64 = args.next()?;
    let given: Vec<(NewTransaction, u64)> = args.next()?;
    if let Some((_, block)) = given.iter().find(|(_, block)| *block >= depth) {
        return Err(invalid(format!(
            "Block number for reorg tx will exceed the reorged chain height. Block number {block} must not exceed (depth-1) {}",
            depth.saturating_sub(1)
        )));
    }
    go_back(devnet, depth, "Reorg")?;
    // Nothing mines between the new blocks, and they hold nothing but what was given.
    let mining =
        devnet.node.change(|node| std::mem::replace(&mut node.settings.mining, Mining::Manual));
    let made = || -> Result<(), ErrorObjectOwned> {
        let mut given: Vec<_> = given.iter().collect();
        given.sort_by_key(|(_, block)| *block);
        let mut given = given.into_iter().peekable();
        for number in 0..depth {
            let mut only = Vec::new();
            while let Some((transaction, _)) = given.next_if(|(_, block)| *block == number) {
                only.push(match transaction {
                    NewTransaction::Request(request) => {
                        super::wallet::send_request(devnet, (**request).clone())?
                    }
                    NewTransaction::Raw(raw) => {
                        let pooled = rpc::decode_pooled(raw)?;
                        devnet.node.submit(pooled).map_err(RpcError::from)?
                    }
                });
            }
            let request = MineRequest { only: Some(only), ..MineRequest::default() };
            devnet.node.mine(&request).map_err(internal)?;
        }
        Ok(())
    };
    let made = made();
    devnet.node.change(|node| node.settings.mining = mining);
    made.map(|()| Value::Null)
}

fn dump_state(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.optional::<bool>()?;
    Ok(json!(dump::dump(devnet).map_err(internal)?.pack()))
}

fn load_state(devnet: &DevnetState, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let packed: Bytes = args.next()?;
    let file = StateFile::decode(&packed).map_err(|_| invalid("Failed to decode state dump"))?;
    dump::load(devnet, &file).map_err(invalid)?;
    Ok(json!(true))
}
