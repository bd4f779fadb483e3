//! Validation of payloads, choice of the head, and payload building.

use crate::support::{BOB, Peer, attributes, tampered, to};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{B256, Bytes, FixedBytes, U64};
use chain::{Block, ChainReader};
use codec::{PayloadStatus, PayloadVerdict};
use enshrine_rpc::engine::{ForkchoiceState, HeadPolicy, NewPayload};
use execute::Rules;
use eyre::{OptionExt as _, Result};
use node::MineRequest;
use serde_json::{Value, json};
use std::sync::Arc;
use wire::ProtocolFork;

#[tokio::test(flavor = "multi_thread")]
async fn valid_payload_does_not_change_head() -> Result<()> {
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    maker.offer(0, BOB)?;
    let first = maker.make(2_000)?;
    let second = maker.make(2_001)?;
    let genesis = taker.head().hash;

    // The parent is unknown.
    let status = taker.client.new_payload(&NewPayload::of(&second), taker.fork).await?;
    assert_eq!(status, PayloadStatus::syncing());
    taker.take(&first).await?;
    taker.take(&second).await?;
    taker.take(&first).await?;
    assert_eq!(taker.head().hash, genesis);
    taker.follow(&second).await?;
    let balance = taker.node.read(|node| node.chain.reader().balance(BOB))?;
    assert_eq!(balance.to::<u64>(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_payload_and_its_child_are_invalid() -> Result<()> {
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    let genesis = taker.head();
    maker.offer(0, BOB)?;
    let block = maker.make(2_000)?;
    let ask = async |new: &NewPayload| taker.client.new_payload(new, taker.fork).await;

    let lie = tampered(&block);
    let status = ask(&lie).await?;
    assert_eq!(status.status, PayloadVerdict::Invalid);
    assert_eq!(status.latest_valid_hash, Some(genesis.hash));
    assert!(status.validation_error.is_some_and(|error| error.contains("state root")));
    let hash = lie.payload.block_hash;
    let updated = taker.client.forkchoice_updated(to(hash), None, taker.fork).await?;
    assert_eq!(updated.payload_status.status, PayloadVerdict::Invalid);
    assert_eq!(updated.payload_status.latest_valid_hash, Some(genesis.hash));
    assert_eq!(taker.head().hash, genesis.hash);

    let mut header = maker.make(2_001)?.header.clone();
    header.parent_hash = hash;
    let child = Block::sealed(header, Vec::new(), Vec::new(), Vec::new(), Default::default());
    let status = ask(&NewPayload { requests: Vec::new(), ..NewPayload::of(&child) }).await?;
    assert_eq!(status.status, PayloadVerdict::Invalid);
    assert_eq!(status.latest_valid_hash, Some(genesis.hash));

    // A payload that does not match its block hash has no latest valid ancestor.
    let mut other = NewPayload::of(&block);
    other.payload.gas_used = U64::from(1);
    let status = ask(&other).await?;
    assert_eq!((status.status, status.latest_valid_hash), (PayloadVerdict::Invalid, None));
    let mut blobs = NewPayload::of(&block);
    blobs.versioned_hashes.push(B256::repeat_byte(1));
    let status = ask(&blobs).await?;
    assert_eq!((status.status, status.latest_valid_hash), (PayloadVerdict::Invalid, None));

    // The untampered block is valid.
    taker.take(&block).await
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_with_withdrawals_is_invalid_on_l2() -> Result<()> {
    let fork = ProtocolFork::Osaka;
    let maker = Peer::with(fork, Rules::L1, Arc::new(())).await?;
    let withdrawal = Withdrawal { index: 0, validator_index: 0, address: BOB, amount: 1 };
    let request = MineRequest {
        timestamp: Some(2_000),
        withdrawals: vec![withdrawal],
        ..MineRequest::default()
    };
    let block = maker.node.mine(&request)?;
    let l2 = Peer::new().await?;
    let status = l2.client.new_payload(&NewPayload::of(&block), fork).await?;
    assert_eq!(status.status, PayloadVerdict::Invalid);
    assert!(status.validation_error.is_some_and(|error| error.contains("withdrawals")));
    Peer::with(fork, Rules::L1, Arc::new(())).await?.take(&block).await
}

#[tokio::test(flavor = "multi_thread")]
async fn forkchoice_moves_head_and_updates_pool() -> Result<()> {
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    let transaction = maker.offer(0, BOB)?;
    let first = maker.make(2_000)?;
    let sibling_maker = Peer::new().await?;
    let sibling = sibling_maker.make(2_005)?;
    taker.offer(0, BOB)?;
    for block in [&first, &sibling] {
        taker.take(block).await?;
    }
    let waiting = || taker.node.read(|node| node.pool.get(&transaction).is_some());
    assert!(waiting());
    taker.follow(&first).await?;
    assert!(!waiting(), "the head includes it");
    taker.follow(&sibling).await?;
    assert!(waiting(), "its block was reorged out");
    // The head can move back to an ancestor.
    let genesis = taker.node.read(|node| node.chain.reader().block(&first.header.parent_hash))?;
    taker.follow(&genesis).await?;
    taker.follow(&first).await
}

#[tokio::test(flavor = "multi_thread")]
async fn inconsistent_forkchoice_leaves_head_unchanged() -> Result<()> {
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    let (first, second) = (maker.make(2_000)?, maker.make(2_001)?);
    let sibling = Peer::new().await?.make(2_005)?;
    for block in [&first, &second, &sibling] {
        taker.take(block).await?;
    }
    let genesis = taker.head().hash;
    let method = "engine_forkchoiceUpdatedV3";
    let state = |safe, finalized| ForkchoiceState {
        head_block_hash: second.hash,
        safe_block_hash: safe,
        finalized_block_hash: finalized,
    };
    for (safe, finalized) in [
        (sibling.hash, genesis),
        (first.hash, sibling.hash),
        (B256::repeat_byte(1), B256::ZERO),
        (B256::ZERO, B256::repeat_byte(1)),
    ] {
        assert_eq!(taker.code(method, json!([state(safe, finalized), null])).await?, -38_002);
        assert_eq!(taker.head().hash, genesis);
    }
    let unknown = taker.client.forkchoice_updated(to(B256::repeat_byte(1)), None, taker.fork);
    assert_eq!(unknown.await?.payload_status, PayloadStatus::syncing());

    let good = state(first.hash, genesis);
    let updated = taker.client.forkchoice_updated(good, None, taker.fork).await?;
    assert_eq!(updated.payload_status, PayloadStatus::valid(second.hash));
    let tagged = async |tag: &str| -> Result<Value> {
        Ok(taker.client.call::<Value>("eth_getBlockByNumber", json!([tag, false])).await?["hash"]
            .take())
    };
    assert_eq!(tagged("latest").await?, json!(second.hash));
    assert_eq!(tagged("safe").await?, json!(first.hash));
    assert_eq!(tagged("finalized").await?, json!(genesis));
    Ok(())
}

/// Policy that rejects heads below this block number.
#[derive(Debug)]
struct NotBelow(u64);

impl HeadPolicy for NotBelow {
    fn check(&self, _: &ChainReader, head: &Block) -> Result<(), String> {
        (head.header.number >= self.0).then_some(()).ok_or_else(|| "too low".to_owned())
    }

    fn keeps_finality(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_policy_overrides_forkchoice() -> Result<()> {
    let maker = Peer::new().await?;
    let (first, second) = (maker.make(2_000)?, maker.make(2_001)?);
    let policy = Arc::new(NotBelow(2));
    let taker = Peer::with(ProtocolFork::Osaka, Rules::default(), policy).await?;
    taker.take(&first).await?;
    taker.take(&second).await?;
    let method = "engine_forkchoiceUpdatedV3";
    assert_eq!(taker.code(method, json!([to(first.hash), null])).await?, -38_002);
    assert_eq!(taker.head().header.number, 0);
    taker.follow(&second).await?;
    // The policy keeps safe and finalized blocks out of the caller's control.
    assert_eq!(taker.node.read(|node| node.forkchoice), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn built_payload_includes_pool_and_validates_elsewhere() -> Result<()> {
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let builder = Peer::with(fork, Rules::default(), Arc::new(())).await?;
        let head = builder.head();
        builder.offer(0, BOB)?;
        let wanted = attributes(&head, fork);
        let client = &builder.client;
        let begun = client.forkchoice_updated(to(head.hash), Some(&wanted), fork).await?;
        let id = begun.payload_id.ok_or_eyre("no payload is being built")?;
        // The payload contains the transactions that arrived before the first request for it.
        builder.offer(1, testkit::LOGGER)?;
        let built = client.get_payload(id, fork).await?;
        builder.offer(2, BOB)?;
        assert_eq!(client.get_payload(id, fork).await?, built);
        let payload = &built.execution_payload;
        assert_eq!(payload.transactions.len(), 2, "{fork}");
        assert_eq!(payload.prev_randao, wanted.prev_randao);
        assert_eq!(payload.fee_recipient, wanted.suggested_fee_recipient);
        assert_eq!(payload.timestamp, wanted.timestamp);
        assert_eq!(payload.slot_number, wanted.slot_number);
        assert!(!built.block_value.is_zero());
        assert!(built.blobs_bundle.blobs.is_empty());
        assert_eq!(built.execution_requests.is_some(), fork >= ProtocolFork::Prague);
        let again = client.forkchoice_updated(to(head.hash), Some(&wanted), fork).await?;
        assert_eq!(again.payload_id, Some(id), "equal attributes have one payload id");

        let new = built.into_new_payload(wanted.parent_beacon_block_root);
        let hash = new.payload.block_hash;
        for peer in [&builder, &Peer::with(fork, Rules::default(), Arc::new(())).await?] {
            let status = peer.client.new_payload(&new, fork).await?;
            assert_eq!(status, PayloadStatus::valid(hash), "{fork}");
            peer.client.forkchoice_updated(to(hash), None, fork).await?;
            assert_eq!(peer.head().hash, hash);
        }
        assert_eq!(builder.head().header.parent_beacon_block_root, Some(B256::repeat_byte(9)));
        assert_eq!(builder.node.read(|node| node.pool.len()), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_return_specified_error_codes() -> Result<()> {
    let peer = Peer::new().await?;
    let head = peer.head();
    let good = serde_json::to_value(attributes(&head, peer.fork))?;
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let without = |field: &str| {
        let mut changed = good.clone();
        changed.as_object_mut().map(|fields| fields.remove(field));
        changed
    };
    let withdrawal = json!([{
        "index": "0x0", "validatorIndex": "0x0", "address": BOB, "amount": "0x1",
    }]);
    let update = "engine_forkchoiceUpdatedV3";
    for (attributes, code) in [
        (with("timestamp", json!(U64::from(head.header.timestamp))), -38_003),
        (with("slotNumber", json!("0x1")), -38_003),
        (with("withdrawals", withdrawal), -38_003),
        (without("parentBeaconBlockRoot"), -38_003),
        (without("withdrawals"), -38_003),
        (json!("x"), -38_003),
    ] {
        let got = peer.code(update, json!([to(head.hash), attributes])).await?;
        assert_eq!(got, code, "{attributes}");
    }
    // A method version for another fork.
    let later = with("slotNumber", json!("0x1"));
    let got = peer.code("engine_forkchoiceUpdatedV4", json!([to(head.hash), later])).await?;
    assert_eq!(got, -38_005);
    let begun: Value = peer.client.call(update, json!([to(head.hash), good])).await?;
    for (method, code) in [
        ("engine_getPayloadV3", -38_005),
        ("engine_getPayloadV4", -38_005),
        ("engine_getPayloadV6", -38_005),
    ] {
        assert_eq!(peer.code(method, json!([begun["payloadId"]])).await?, code, "{method}");
    }
    let _: Value = peer.client.call("engine_getPayloadV5", json!([begun["payloadId"]])).await?;
    let unknown = FixedBytes::<8>::repeat_byte(1);
    assert_eq!(peer.code("engine_getPayloadV5", json!([unknown])).await?, -38_001);

    let block = Peer::new().await?.make(2_000)?;
    let NewPayload { payload, .. } = NewPayload::of(&block);
    let payload = serde_json::to_value(payload)?;
    let root = B256::ZERO;
    let short = |field: &str| {
        let mut changed = payload.clone();
        changed.as_object_mut().map(|fields| fields.remove(field));
        changed
    };
    let mut with_list = payload.clone();
    with_list["blockAccessList"] = json!("0xc0");
    let pair = |a: &str, b: &str| json!([payload, [], root, [a, b]]);
    for (method, params, code) in [
        ("engine_newPayloadV3", json!([payload, [], root]), -38_005),
        ("engine_newPayloadV5", json!([payload, [], root, []]), -32_602),
        ("engine_newPayloadV4", json!([payload, [], root]), -32_602),
        ("engine_newPayloadV4", json!([payload, [], null, []]), -32_602),
        ("engine_newPayloadV4", json!([payload, null, root, []]), -32_602),
        ("engine_newPayloadV4", json!([short("excessBlobGas"), [], root, []]), -32_602),
        ("engine_newPayloadV4", json!([short("withdrawals"), [], root, []]), -32_602),
        ("engine_newPayloadV4", json!([with_list, [], root, []]), -32_602),
        ("engine_newPayloadV4", json!([payload, [], root, [Bytes::from(vec![1])]]), -32_602),
        ("engine_newPayloadV4", pair("0x0201", "0x0101"), -32_602),
        ("engine_newPayloadV4", pair("0x0101", "0x0101"), -32_602),
    ] {
        assert_eq!(peer.code(method, params).await?, code, "{method}");
    }
    // Well-formed requests that do not match the block make the payload invalid, not the call.
    let status: Value = peer.client.call("engine_newPayloadV4", pair("0x0101", "0x0201")).await?;
    assert_eq!(status["status"], "INVALID");
    peer.take(&block).await
}

#[tokio::test(flavor = "multi_thread")]
async fn oldest_payload_job_is_dropped() -> Result<()> {
    let peer = Peer::new().await?;
    let head = peer.head();
    let mut ids = Vec::new();
    for later in 1..=17 {
        let mut wanted = attributes(&head, peer.fork);
        wanted.timestamp += U64::from(later);
        let begun = peer.client.forkchoice_updated(to(head.hash), Some(&wanted), peer.fork).await?;
        ids.push(begun.payload_id.ok_or_eyre("no payload")?);
    }
    assert_eq!(peer.code("engine_getPayloadV5", json!([ids[0]])).await?, -38_001);
    for id in [ids[1], ids[16]] {
        peer.client.get_payload(id, peer.fork).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_bodies_by_hash_and_range() -> Result<()> {
    let peer = Peer::with(ProtocolFork::Amsterdam, Rules::default(), Arc::new(())).await?;
    peer.offer(0, BOB)?;
    let (first, second) = (peer.make(2_000)?, peer.make(2_001)?);
    let call = async |method: &str, params: Value| -> Result<Value> {
        Ok(peer.client.call(method, params).await?)
    };
    let bodies = call(
        "engine_getPayloadBodiesByHashV1",
        json!([[first.hash, B256::repeat_byte(1), second.hash]]),
    )
    .await?;
    assert_eq!(bodies[0]["transactions"], json!(first.raw_transactions()));
    assert_eq!(bodies[0].get("blockAccessList"), None);
    assert_eq!(bodies[1], Value::Null);
    assert_eq!(bodies[2], json!({ "transactions": [], "withdrawals": [] }));
    let bodies = call("engine_getPayloadBodiesByRangeV2", json!(["0x1", "0x5"])).await?;
    assert_eq!(bodies.as_array().map(Vec::len), Some(2), "no bodies past the head");
    assert_eq!(bodies[0]["blockAccessList"], json!(first.executed.block_access_list));
    assert_eq!(call("engine_getPayloadBodiesByRangeV1", json!(["0x9", "0x1"])).await?, json!([]));

    let hashes = |count: usize| json!([vec![first.hash; count]]);
    let by_hash = "engine_getPayloadBodiesByHashV1";
    assert_eq!(call(by_hash, hashes(32)).await?.as_array().map(Vec::len), Some(32));
    assert_eq!(peer.code(by_hash, hashes(33)).await?, -38_004);
    let by_range = "engine_getPayloadBodiesByRangeV1";
    assert_eq!(peer.code(by_range, json!(["0x1", "0x21"])).await?, -38_004);
    for params in [json!(["0x0", "0x1"]), json!(["0x1", "0x0"])] {
        assert_eq!(peer.code(by_range, params).await?, -32_602);
    }
    Ok(())
}
