//! `eth_sendRawTransactionSync` and conditional sends.

use crate::support::{BOB, LOGGER, Server, raw};
use enshrine_rpc::{RequestLimits, codes};
use node::{MineRequest, Mining, SetMining};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Key, Timeout};

const SYNC: &str = "eth_sendRawTransactionSync";
const CONDITIONAL: &str = "eth_sendRawTransactionConditional";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_send_returns_the_receipt() {
    let server = Server::new(Mining::Auto);
    let receipt = server.ask(SYNC, json!([raw(0, BOB, vec![])])).await;
    assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    let same = server.ask("eth_getTransactionReceipt", json!([receipt["transactionHash"]])).await;
    assert_eq!(receipt, same);
    // Rejections are the same as for `eth_sendRawTransaction`.
    assert_eq!(server.code(SYNC, json!([raw(0, BOB, vec![])])).await, i64::from(codes::REJECTED));
    assert_eq!(server.code(SYNC, json!(["0x02c0"])).await, i64::from(codes::PARAMS));

    // The call waits for a block that is built in the meantime.
    server.node.execute(SetMining(Mining::Manual));
    let params = json!([raw(1, BOB, vec![]), "0x2710"]);
    let (node, timeout) = (server.node.clone(), Timeout::begin());
    let mining = tokio::task::spawn_blocking(move || {
        while node.read(|node| node.pool.is_empty()) {
            assert!(timeout.lasts(), "no transaction arrived");
            std::thread::yield_now();
        }
        node.mine(&MineRequest::default()).unwrap();
    });
    assert_eq!(server.ask(SYNC, params).await["blockNumber"], "0x2");
    mining.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_send_times_out_with_the_hash() {
    let sync_time = Duration::from_millis(20);
    let server = Server::bounded(RequestLimits { sync_time, ..RequestLimits::default() });
    server.node.execute(SetMining(Mining::Manual));
    // No timeout, an invalid one, one above the node's limit, and a shorter one.
    let waits = [json!(null), json!(0), json!("0xffffffff"), json!(1)];
    for (nonce, wait) in waits.into_iter().enumerate() {
        let transaction = raw(nonce as u64, BOB, vec![]);
        let answer = server.answer(SYNC, json!([transaction, wait])).await;
        let error = &answer["error"];
        assert_eq!(error["code"], codes::TIMEOUT, "{answer}");
        let found = server.ask("eth_getTransactionByHash", json!([error["data"]])).await;
        assert_eq!(found["nonce"], format!("{nonce:#x}"));
    }
    let answer = server.answer(SYNC, json!([raw(9, BOB, vec![])])).await;
    assert_eq!(answer["error"]["code"], codes::UNREADY, "{answer}");
    assert_eq!(answer["error"]["data"], "0x4", "the missing nonce");
}

#[tokio::test]
async fn conditional_send_requires_its_conditions() {
    let server = Server::new(Mining::Auto);
    let alice = Key::named("alice").address();
    let root = server.ask("eth_getProof", json!([LOGGER, [], "latest"])).await;
    let root = root["storageHash"].clone();
    let code = server.ask("eth_getCode", json!([LOGGER, "latest"])).await;
    let known = |address: &dyn std::fmt::Display, value: Value| json!({ "knownAccounts": { address.to_string(): value } });
    // For each condition, a set that holds and one that does not.
    let pairs = [
        (json!({ "blockNumberMin": "0x1" }), json!({ "blockNumberMin": "0x99" })),
        (json!({ "blockNumberMax": 99 }), json!({ "blockNumberMax": "0x0" })),
        (json!({ "timestampMin": "0x1" }), json!({ "timestampMin": "0xffffffffffff" })),
        (json!({ "timestampMax": "0xffffffffffff" }), json!({ "timestampMax": "0x1" })),
        (known(&LOGGER, root.clone()), known(&BOB, json!(format!("0x{}", "11".repeat(32))))),
        (known(&LOGGER, json!({ "0x0": "0x0" })), known(&LOGGER, json!({ "0x0": "0x1" }))),
        (known(&BOB, json!({ "code": "" })), known(&LOGGER, json!({ "code": "" }))),
        (known(&LOGGER, json!({ "code": code })), known(&LOGGER, json!({ "code": "0xef0100" }))),
        (known(&LOGGER, json!({ "balance": "0x0" })), known(&BOB, json!({ "balance": "0x99" }))),
        (json!({}), known(&alice, json!({ "nonce": "0x99" }))),
        (json!(null), json!({ "blockNumberMin": "0x1", "blockNumberMax": "0x0" })),
    ];
    for (nonce, (met, unmet)) in pairs.into_iter().enumerate() {
        let transaction = raw(nonce as u64, BOB, vec![]);
        let answer = server.answer(CONDITIONAL, json!([transaction, unmet])).await;
        assert_eq!(answer["error"]["code"], codes::REJECTED, "{unmet}: {answer}");
        assert!(answer["error"]["data"]["expected"].is_string(), "{answer}");
        let hash = server.ask(CONDITIONAL, json!([transaction, met])).await;
        let receipt = server.ask("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], "0x1", "{met}");
    }
}

#[tokio::test]
async fn excessive_or_invalid_conditions_are_rejected() {
    let server = Server::new(Mining::Auto);
    let slots = |count: u64| {
        let slots: serde_json::Map<_, _> =
            (0..count).map(|slot| (format!("{slot:#x}"), json!("0x0"))).collect();
        json!([raw(0, BOB, vec![]), { "knownAccounts": { LOGGER.to_string(): slots } }])
    };
    let answer = server.answer(CONDITIONAL, slots(1_001)).await;
    assert_eq!(answer["error"]["code"], codes::BUSY, "{answer}");
    assert_eq!(answer["error"]["data"], json!({ "got": 1_001, "limit": 1_000 }));
    for wrong in [
        json!({ "paysCoinbase": "0x1" }),
        json!({ "knownAccounts": { LOGGER.to_string(): { "slot": "0x0" } } }),
        json!({ "knownAccounts": { LOGGER.to_string(): { "0x0": "zero" } } }),
        json!({ "knownAccounts": { LOGGER.to_string(): "0x11" } }),
    ] {
        let answer = server.answer(CONDITIONAL, json!([raw(0, BOB, vec![]), wrong])).await;
        assert_eq!(answer["error"]["code"], codes::PARAMS, "{wrong}: {answer}");
    }
    assert!(server.ask(CONDITIONAL, slots(1_000)).await.is_string());
}
