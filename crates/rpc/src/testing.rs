//! `testing_buildBlockV1`: builds a block without adding it to the chain.

use crate::{
    Api, Hash, Registry, RpcError,
    payload::{Payload, requests_of, value_of},
    send::decode_pooled,
};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes, U64};
use chain::{BlockAttributes, BlockBuilder, RecoveredTransaction};
use serde::Deserialize;
use serde_json::{Value, json};

/// Gas limit that mainnet builders target.
const GAS_TARGET: u64 = 60_000_000;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("testing_buildBlockV1", |api, args| {
        let Hash(parent) = args.required()?;
        let attributes = args.required()?;
        let transactions: Option<Vec<Bytes>> = args.optional()?;
        let extra_data: Option<Bytes> = args.optional()?;
        build(api, parent, attributes, transactions, extra_data.unwrap_or_default())
    });
}

/// Payload attributes of the Engine API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    timestamp: U64,
    prev_randao: B256,
    suggested_fee_recipient: Address,
    #[serde(default)]
    withdrawals: Vec<Withdrawal>,
    #[serde(default)]
    parent_beacon_block_root: B256,
    #[serde(default)]
    slot_number: U64,
}

fn build(
    api: &Api,
    parent: B256,
    attributes: Attributes,
    transactions: Option<Vec<Bytes>>,
    extra_data: Bytes,
) -> Result<Value, RpcError> {
    let parent = api.state(parent.into())?.detached();
    let attributes = BlockAttributes {
        timestamp: attributes.timestamp.to(),
        fee_recipient: attributes.suggested_fee_recipient,
        prev_randao: attributes.prev_randao,
        parent_beacon_block_root: attributes.parent_beacon_block_root,
        gas_limit: Some(GAS_TARGET),
        extra_data,
        withdrawals: attributes.withdrawals,
        slot_number: attributes.slot_number.to(),
    };
    let is_explicit = transactions.is_some();
    let candidates: Vec<RecoveredTransaction> = match transactions {
        Some(raw) => raw
            .iter()
            .map(|raw| decode_pooled(raw).map(|pooled| pooled.recovered))
            .collect::<Result<_, _>>()?,
        None => {
            let base_fee = parent.next_base_fee()?;
            api.node().read(|node| {
                let next = |sender| parent.nonce(sender).unwrap_or(u64::MAX);
                let ready = node.pool.ready(base_fee, node.settings.order, next);
                ready.iter().map(|pooled| pooled.recovered.clone()).collect()
            })
        }
    };
    let header = parent.open_header(&attributes)?;
    let built = BlockBuilder::new(&parent).build(&header, &attributes.withdrawals, &candidates)?;
    if let Some((index, reason)) = built.rejected.first().filter(|_| is_explicit) {
        return Err(RpcError::server(format!("transaction {index}: {reason}")));
    }
    let block = &built.executed.block;
    Ok(json!({
        "executionPayload": Payload::of(block),
        "blockValue": value_of(block),
        "blobsBundle": { "commitments": [], "proofs": [], "blobs": [] },
        "executionRequests": requests_of(block),
        "shouldOverrideBuilder": false,
    }))
}
