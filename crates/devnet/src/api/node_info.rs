//! Information about the devnet, and miscellaneous settings.

use super::{
    Method,
    args::{Args, Number, not_implemented},
};
use crate::{CLIENT_VERSION, cheats::SetChainId, state::DevnetState, upstream::RemoteError};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{B256, Bytes, map::HashMap};
use client::RedactedUrl;
use node::NodeState;
use rpc::RpcError;
use serde_json::{Value, json};

/// Version of the anvil that the devnet is compatible with, plus its own version as build metadata.
const SEMVER: &str = concat!("1.7.1+enshrine.", env!("CARGO_PKG_VERSION"));

/// Commit of that version of anvil.
const COMMIT: &str = "4072e48705af9d93e3c0f6e29e93b5e9a40caed8";

pub(super) const METHODS: &[Method] = &[
    (&["anvil_nodeInfo"], node_info),
    (&["anvil_metadata", "hardhat_metadata"], metadata),
    (&["anvil_setChainId"], set_chain_id),
    (&["anvil_setLoggingEnabled", "hardhat_setLoggingEnabled"], set_logging),
    (&["anvil_setRpcUrl"], set_rpc_url),
    // Ethereum has no fee tokens, and no proof of work.
    (
        &["anvil_setFeeToken", "anvil_setValidatorFeeToken", "anvil_setFeeAmmLiquidity"],
        not_implemented,
    ),
    (&["anvil_getBlobByHash"], blob_by_hash),
    (&["eth_getWork", "eth_submitWork", "eth_submitHashrate"], not_implemented),
    (&["anvil_getBlobsByTransactionHash"], blobs_of_transaction),
];

fn node_info(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    Ok(devnet.node.read(|node| {
        let head = node.chain.head();
        let base_fee = node.next_base_fee();
        let price = node.settings.gas_price.unwrap_or_else(|| u128::from(base_fee) + 1_000_000_000);
        let limit = node.next_gas_limit();
        json!({
            "currentBlockNumber": format!("{:#x}", head.header.number),
            "currentBlockTimestamp": head.header.timestamp,
            "currentBlockHash": head.hash,
            "hardFork": hard_fork(devnet, node).name(),
            "transactionOrder": if devnet.config.order_by_fees { "fees" } else { "fifo" },
            "environment": {
                "baseFee": format!("{base_fee:#x}"),
                "chainId": node.chain.config().spec.chain_id(),
                "gasLimit": format!("{limit:#x}"),
                "gasPrice": format!("{price:#x}"),
            },
            "forkConfig": {
                "forkUrl": devnet.remote().as_ref().map(|remote| RedactedUrl::new(&remote.url())),
                "forkBlockNumber": devnet.remote().as_ref().map(|remote| remote.number()),
                "forkRetryBackoff": null,
            },
        })
    }))
}

/// Returns the fork of the head block if later forks are scheduled, otherwise the configured fork.
fn hard_fork(devnet: &DevnetState, node: &NodeState) -> EthereumHardfork {
    if devnet.config.later_forks.is_empty() {
        return devnet.config.hardfork.into();
    }
    let head = &node.chain.head().header;
    node.chain.config().spec.hardfork_at(head.number, head.timestamp)
}

fn metadata(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    let snapshots: HashMap<String, Value> = devnet
        .snapshots
        .lock()
        .iter()
        .map(|(number, moment)| {
            let block = moment.chain.state().block();
            (format!("{number:#x}"), json!([block.header.number, block.hash]))
        })
        .collect();
    let instance = *devnet.instance.lock();
    Ok(devnet.node.read(|node| {
        json!({
            "clientVersion": CLIENT_VERSION,
            "clientSemver": SEMVER,
            "clientCommitSha": COMMIT,
            "chainId": node.chain.config().spec.chain_id(),
            "instanceId": instance,
            "latestBlockNumber": node.chain.head().header.number,
            "latestBlockHash": node.chain.head().hash,
            "forkedNetwork": devnet.remote().as_ref().map(|remote| json!({
                "chainId": remote.chain_id,
                "forkBlockNumber": remote.number(),
                "forkBlockHash": remote.hash,
            })),
            "snapshots": snapshots,
        })
    }))
}

fn set_chain_id(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let id = args.required::<Number>()?.u64()?;
    devnet.node.execute(SetChainId(id));
    Ok(Value::Null)
}

fn set_logging(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let enabled: bool = args.required()?;
    devnet.api.options().telemetry.mute(!enabled);
    Ok(Value::Null)
}

fn set_rpc_url(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let url: String = args.required()?;
    // Without a forked node there is nothing to change; anvil accepts this call too.
    if let Some(remote) = devnet.remote() {
        let refused = |error: RemoteError| RpcError {
            data: error.hashes(),
            ..RpcError::params(error.to_string())
        };
        remote.set_url(url).map_err(refused)?;
    }
    Ok(Value::Null)
}

fn blob_by_hash(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let wanted: B256 = args.required()?;
    Ok(json!(devnet.node.read(|node| {
        let waiting = node.pool.iter().filter_map(|waiting| waiting.sidecar.as_ref());
        node.sidecars.values().chain(waiting).find_map(|sidecar| {
            let position = sidecar.versioned_hashes().position(|hash| hash == wanted)?;
            sidecar.blobs().get(position).map(|blob| Bytes::copy_from_slice(blob.as_slice()))
        })
    })))
}

fn blobs_of_transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    Ok(json!(devnet.node.read(|node| {
        let waiting = || node.pool.get(&hash)?.sidecar.as_ref();
        let sidecar = node.sidecars.get(&hash).or_else(waiting)?;
        let bytes = sidecar.blobs().iter().map(|blob| Bytes::copy_from_slice(blob.as_slice()));
        Some(bytes.collect::<Vec<_>>())
    })))
}
