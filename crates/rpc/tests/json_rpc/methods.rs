//! RPC methods of a node that produces blocks.

use crate::support::{BOB, CHAIN_ID, LOGGER, Server, raw};
use alloy_consensus::{SidecarBuilder, SimpleCoder, TxEip4844, TxEip4844WithSidecar, TxEnvelope};
use alloy_eips::{
    eip2718::Encodable2718, eip4844::BlobTransactionSidecar, eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{B256, Bytes, U256};
use codec::{OwnedWitness, RawBlock};
use execute::Execute;
use node::{MineRequest, Mining, Restore, Settings};
use serde_json::{Value, json};
use testkit::Key;

#[tokio::test]
async fn sent_transaction_is_mined_and_found() {
    let server = Server::new(Mining::Auto);
    let hash = server.ask("eth_sendRawTransaction", json!([raw(0, BOB, vec![])])).await;
    let receipt = server.ask("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["blockNumber"], "0x1");
    assert_eq!(server.ask("eth_blockNumber", Value::Null).await, "0x1");
    assert_eq!(server.ask("eth_getBalance", json!([BOB, "latest"])).await, "0x1");
    assert_eq!(server.ask("eth_getBalance", json!([BOB, "earliest"])).await, "0x0");
    let block = server.ask("eth_getBlockByNumber", json!(["latest", true])).await;
    assert_eq!(block["transactions"][0]["hash"], hash);
    let by_hash = json!({ "blockHash": block["hash"], "requireCanonical": true });
    assert_eq!(server.ask("eth_getBalance", json!([BOB, by_hash])).await, "0x1");
    let by_number = json!({ "blockNumber": "0x0" });
    assert_eq!(server.ask("eth_getBalance", json!([BOB, by_number])).await, "0x0");
    let alice = Key::named("alice").address();
    let found = server.ask("eth_getTransactionBySenderAndNonce", json!([alice, "0x0"])).await;
    assert_eq!(found["hash"], hash);
}

#[tokio::test]
async fn invalid_parameters_are_rejected_and_null_is_absent() {
    let server = Server::new(Mining::Auto);
    assert_eq!(server.ask("eth_chainId", Value::Null).await, "0x1f8f");
    assert_eq!(server.ask("eth_getBalance", json!([BOB, null])).await, "0x0");
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!({ "address": BOB })),
        ("eth_getBalance", json!(["0x1234", "latest"])),
        ("eth_getBalance", json!([BOB, "yesterday"])),
        ("eth_getBlockByNumber", json!(["12", false])),
        ("eth_getBlockByHash", json!(["0x12", false])),
        ("eth_sendRawTransaction", json!(["0x"])),
        ("eth_sendRawTransaction", json!(["0x02c0"])),
        ("eth_sendRawTransaction", json!(["not hex"])),
        ("eth_feeHistory", json!(["0x1", "latest", [50, 20]])),
        ("eth_feeHistory", json!(["0x1", "latest", [101]])),
        ("eth_getLogs", json!([{ "fromBlock": "0x2", "toBlock": "0x1" }])),
        ("eth_getLogs", json!([{ "fromBlock": "0x90" }])),
        ("eth_getLogs", json!([{ "fromBlock": "0x90", "toBlock": "0x91" }])),
        ("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "0x90" }])),
    ] {
        assert_eq!(server.code(method, params.clone()).await, -32_602, "{method} {params}");
    }
    let logs = json!([{ "fromBlock": "0x0", "toBlock": "0x0" }]);
    assert_eq!(server.ask("eth_getLogs", logs).await, json!([]));
    assert_eq!(server.code("eth_noSuchThing", json!([])).await, -32_601);
    assert_eq!(server.code("eth_getBalance", json!([BOB, "0x64"])).await, -32_000);
    let history = server.ask("eth_feeHistory", json!([1, "latest", [20.5, 60.0]])).await;
    assert_eq!(history["baseFeePerGas"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn rpc_witness_verifies_its_block_and_is_minimal() {
    let server = Server::new(Mining::Auto);
    for nonce in 0..3 {
        let input = U256::from(nonce).to_be_bytes::<32>().to_vec();
        server.ask("eth_sendRawTransaction", json!([raw(nonce, LOGGER, input)])).await;
    }
    let block: Bytes =
        serde_json::from_value(server.ask("debug_getRawBlock", json!(["0x2"])).await).unwrap();
    let witness = server.ask("debug_executionWitness", json!(["0x2"])).await;
    let part =
        |name: &str| -> Vec<Bytes> { serde_json::from_value(witness[name].clone()).unwrap() };
    let witness =
        OwnedWitness { state: part("state"), codes: part("codes"), headers: part("headers") };
    let raw = RawBlock::decode(&block).unwrap();
    let input = raw.to_input(wire::ProtocolFork::Osaka, CHAIN_ID, &witness, &[], &[]).unwrap();
    Execute::l1().run(&input, u64::MAX).unwrap();
    // The witness is minimal: without any one of its nodes, verification fails.
    for index in 0..witness.state.len() {
        let mut less = witness.clone();
        less.state.remove(index);
        let input = raw.to_input(wire::ProtocolFork::Osaka, CHAIN_ID, &less, &[], &[]).unwrap();
        assert!(Execute::l1().run(&input, u64::MAX).is_err(), "node {index}");
    }
}

#[tokio::test]
async fn calls_apply_state_and_block_overrides() {
    let server = Server::new(Mining::Auto);
    let call = json!({ "to": LOGGER, "data": B256::ZERO });
    let word = |value: u64| json!(B256::from(U256::from(value)));
    assert_eq!(server.ask("eth_call", json!([call, "latest"])).await, word(0));
    let overridden = json!({ LOGGER.to_string(): { "stateDiff": { B256::ZERO.to_string(): B256::with_last_byte(9) } } });
    assert_eq!(server.ask("eth_call", json!([call, "latest", overridden])).await, word(9));
    // Returns NUMBER.
    let number = json!({ BOB.to_string(): { "code": "0x435f5260205ff3" } });
    let params = json!([{ "to": BOB }, "latest", number, { "number": "0x539" }]);
    assert_eq!(server.ask("eth_call", params).await, word(0x539));
    assert_eq!(server.ask("eth_call", json!([call, "latest"])).await, word(0), "nothing stays");
    // REVERT without data, and INVALID.
    for (code, expected) in [("0x5f5ffd", 3), ("0xfe", -32_000)] {
        let broken = json!({ BOB.to_string(): { "code": code } });
        assert_eq!(
            server.code("eth_call", json!([{ "to": BOB }, "latest", broken])).await,
            expected
        );
    }
    let gas = server.ask("eth_estimateGas", json!([call])).await;
    let gas = u64::from_str_radix(gas.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let with = |gas: u64| {
        let mut call = call.clone();
        call["gas"] = json!(format!("{gas:#x}"));
        json!([call, "latest"])
    };
    assert!(server.answer("eth_call", with(gas)).await.get("result").is_some());
    assert!(server.answer("eth_call", with(gas - 1)).await.get("error").is_some());
}

#[tokio::test]
async fn filters_report_new_and_removed_logs() {
    let server = Server::new(Mining::Auto);
    let blocks = server.ask("eth_newBlockFilter", json!([])).await;
    let pending = server.ask("eth_newPendingTransactionFilter", json!([])).await;
    let topic = B256::with_last_byte(7);
    let wanted = json!({ "fromBlock": "earliest", "address": LOGGER, "topics": [topic] });
    let logs = server.ask("eth_newFilter", json!([wanted])).await;
    let snapshot = server.node.read(|node| node.snapshot());
    let sent = raw(0, LOGGER, topic.to_vec());
    let hash = server.ask("eth_sendRawTransaction", json!([sent])).await;
    server.ask("eth_sendRawTransaction", json!([raw(1, LOGGER, vec![0; 32])])).await;

    let changes = server.ask("eth_getFilterChanges", json!([blocks])).await;
    assert_eq!(changes.as_array().map(Vec::len), Some(2));
    let changes = server.ask("eth_getFilterChanges", json!([pending])).await;
    assert_eq!(changes[0], hash);
    let found = server.ask("eth_getFilterChanges", json!([logs])).await;
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    assert_eq!((&found[0]["transactionHash"], &found[0]["removed"]), (&hash, &json!(false)));
    assert_eq!(server.ask("eth_getFilterChanges", json!([logs])).await, json!([]));
    assert_eq!(server.ask("eth_getFilterLogs", json!([logs])).await, found);

    server.node.execute(Restore(snapshot)).unwrap();
    let gone = server.ask("eth_getFilterChanges", json!([logs])).await;
    assert_eq!((&gone[0]["transactionHash"], &gone[0]["removed"]), (&hash, &json!(true)));
    assert_eq!(server.ask("eth_uninstallFilter", json!([logs])).await, true);
    assert_eq!(server.code("eth_getFilterChanges", json!([logs])).await, -32_000);
}

fn blob_transaction(nonce: u64, sidecar: BlobTransactionSidecarVariant) -> Bytes {
    let tx = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 30_000,
        max_fee_per_gas: 20_000_000_000,
        max_fee_per_blob_gas: 1_000_000_000,
        to: BOB,
        blob_versioned_hashes: sidecar.versioned_hashes().collect(),
        ..Default::default()
    };
    let signed = Key::named("alice").sign(tx.clone());
    let with = TxEip4844WithSidecar { tx, sidecar };
    let signature = *signed.signature();
    let signed = alloy_consensus::Signed::new_unchecked(with.into(), signature, *signed.hash());
    TxEnvelope::Eip4844(signed).encoded_2718().into()
}

#[tokio::test]
async fn blobs_are_verified_mined_and_served() {
    let server = Server::new(Mining::Manual);
    let build = || SidecarBuilder::<SimpleCoder>::from_slice(b"a blob of words");
    let sidecar = build().build_7594().unwrap();
    let good = BlobTransactionSidecarVariant::Eip7594(sidecar.clone());

    // Proofs of another blob, proofs of the format before Osaka, and no blobs at all.
    let other = SidecarBuilder::<SimpleCoder>::from_slice(b"other words").build_7594().unwrap();
    let mut forged = sidecar.clone();
    forged.cell_proofs.clone_from(&other.cell_proofs);
    let forged = BlobTransactionSidecarVariant::Eip7594(forged);
    let old: BlobTransactionSidecar = build().build_4844().unwrap();
    let old = BlobTransactionSidecarVariant::Eip4844(old);
    for bad in [forged, old] {
        let answer =
            server.answer("eth_sendRawTransaction", json!([blob_transaction(0, bad)])).await;
        assert!(answer["error"]["message"].to_string().contains("blob"), "{answer}");
    }
    let raw = blob_transaction(0, good);
    let hash = server.ask("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(server.ask("eth_getRawTransactionByHash", json!([hash])).await, json!(raw));

    let block = server.node.mine(&MineRequest::default()).unwrap();
    assert_eq!(block.header.blob_gas_used, Some(131_072));
    let receipt = server.ask("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!((&receipt["type"], &receipt["blobGasUsed"]), (&json!("0x3"), &json!("0x20000")));
    assert_eq!(receipt["blobGasPrice"], "0x1");
    let served = server.ask("eth_getBlobSidecars", json!(["latest"])).await;
    assert_eq!(served[0]["blobs"].as_array().map(Vec::len), Some(1));
    assert_eq!(served[0]["commitments"][0], json!(sidecar.commitments[0]));
}

#[tokio::test]
async fn invalid_transactions_get_geth_messages() {
    let server = Server::new(Mining::Auto);
    let sent = raw(0, BOB, vec![]);
    server.ask("eth_sendRawTransaction", json!([sent])).await;
    for (transaction, words) in [(sent, "already known"), (raw(0, LOGGER, vec![]), "nonce too low")]
    {
        let answer = server.answer("eth_sendRawTransaction", json!([transaction])).await;
        assert_eq!(answer["error"]["code"], -32_003);
        assert!(answer["error"]["message"].to_string().contains(words), "{answer}");
    }
}

#[tokio::test]
async fn simulated_block_processes_withdrawals() {
    let server = Server::new(Mining::Auto);
    let withdrawals = json!([{
        "index": "0x0", "validatorIndex": "0x1", "address": BOB, "amount": "0x7",
    }]);
    let blocks = |overrides: Value| {
        json!([{ "blockStateCalls": [
            { "blockOverrides": overrides },
            { "stateOverrides": null, "calls": [{ "from": BOB, "to": LOGGER, "value": "0x1a13b8600" }] },
        ] }, "latest"])
    };
    let paid = blocks(json!({ "withdrawals": withdrawals, "time": "0x2000" }));
    let answer = server.ask("eth_simulateV1", paid).await;
    assert_eq!(answer[0]["withdrawals"], withdrawals);
    assert_eq!(answer[0]["timestamp"], "0x2000");
    assert_eq!(answer[1]["withdrawals"], json!([]));
    assert_ne!(answer[0]["withdrawalsRoot"], answer[1]["withdrawalsRoot"]);
    // Bob forwards 7 gwei, which he only has after the withdrawal.
    assert_eq!(answer[1]["calls"][0]["status"], "0x1");
    assert_eq!(server.code("eth_simulateV1", blocks(json!({ "time": "0x2000" }))).await, -38_014);
}

#[tokio::test]
async fn pruned_states_fail_but_blocks_remain() {
    let server = Server::with(Settings { history: Some(2), ..Settings::default() });
    let mut hashes = Vec::new();
    for nonce in 0..6 {
        hashes.push(server.ask("eth_sendRawTransaction", json!([raw(nonce, BOB, vec![])])).await);
    }
    assert_eq!(server.ask("eth_getBalance", json!([BOB, "0x4"])).await, "0x4");
    assert_eq!(server.code("eth_getBalance", json!([BOB, "0x3"])).await, -32_000);
    assert_eq!(server.code("eth_getProof", json!([BOB, [], "0x3"])).await, -32_000);
    assert_eq!(server.code("eth_call", json!([{ "to": BOB }, "earliest"])).await, -32_000);
    assert_eq!(server.ask("eth_getTransactionReceipt", json!([hashes[0]])).await["status"], "0x1");
    let alice = Key::named("alice").address();
    let found = server.ask("eth_getTransactionBySenderAndNonce", json!([alice, "0x1"])).await;
    assert_eq!(found["hash"], hashes[1]);
}

#[tokio::test]
async fn documentation_lists_exactly_the_common_methods() {
    let document = include_str!("../../../../docs/methods.md");
    let (_, section) = document.split_once("## Of any node\n").unwrap();
    let (section, _) = section.split_once("\nWhat Ethereum's nodes").unwrap();
    let mut listed: Vec<_> = section.split('`').skip(1).step_by(2).collect();
    let server = Server::new(Mining::Auto);
    let mut known: Vec<_> = server.methods.method_names().collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}
