//! Requests from test suites that were written for anvil.

use crate::support::{SINK, number, serve};
use alloy_primitives::Bytes;
use enshrine_devnet::{Hardfork, MiningMode, TimeOfDay};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// Initial time of the devnet's manual clock.
const NOW: u64 = 1_800_000_000;
const EMITTER: &str = "0x00000000000000000000000000000000000000ee";
/// Emits a log without data or topics.
const EMIT: &str = "0x5f5fa0";

/// With loose timestamps, and however many blocks were mined before.
#[test]
fn mined_blocks_keep_requested_interval() {
    let served = serve(|config| {
        config.loose_timestamps = true;
        config.time = TimeOfDay::manual(NOW);
    });
    served.ask("anvil_mine", json!(["0x14"]));
    for gap in [4, 12] {
        served.ask("anvil_mine", json!(["0x3", format!("{gap:#x}")]));
        let head = number(&served.block("latest")["number"]);
        let times: Vec<u64> = (head - 2..=head)
            .map(|at| number(&served.block(&format!("{at:#x}"))["timestamp"]))
            .collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == gap), "{times:?}");
    }
}

#[test]
fn reorg_changes_hashes_of_empty_blocks() {
    let served = serve(|_| {});
    served.ask("anvil_mine", json!(["0x3"]));
    let hashes = || ["0x1", "0x2", "0x3"].map(|tag| served.block(tag)["hash"].clone());
    let before = hashes();
    served.ask("anvil_reorg", json!([2, []]));
    let after = hashes();
    assert_eq!(before[0], after[0]);
    assert!(before[1] != after[1] && before[2] != after[2]);
    served.ask("anvil_reorg", json!([2, []]));
    assert!(after[1] != hashes()[1], "once more");
}

#[test]
fn underpriced_blob_transaction_is_rejected() {
    let served = serve(|_| {});
    let fee = served.number("eth_blobBaseFee", json!([]));
    let send = |fee: u64| {
        let blob = format!("0x{}", "00".repeat(131_072));
        let from = served.devnet.addresses()[0];
        json!([{
            "from": from, "to": SINK, "blobs": [blob], "maxFeePerBlobGas": format!("{fee:#x}"),
        }])
    };
    let words = served.refused("eth_sendTransaction", send(fee - 1));
    assert!(words.contains("max fee per blob gas less than block blob gas fee: 0 < 1"), "{words}");
    let hash = served.ask("eth_sendTransaction", send(fee));
    let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x1");
}

#[test]
fn filter_with_from_block_returns_existing_logs() {
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    served.ask("anvil_setCode", json!([EMITTER, EMIT]));
    let emit = || {
        served.ask("eth_sendTransaction", json!([{ "from": from, "to": EMITTER }]));
    };
    (0..3).for_each(|_| emit());
    let filter = |filter: Value| served.ask("eth_newFilter", json!([filter]));
    let changes = |id: &Value| {
        let changes = served.ask("eth_getFilterChanges", json!([id]));
        changes.as_array().unwrap().len()
    };
    let all = filter(json!({ "fromBlock": "earliest", "address": EMITTER }));
    let first = filter(json!({ "fromBlock": "0x0", "toBlock": "0x1" }));
    let new = filter(json!({ "address": EMITTER }));
    let later = filter(json!({ "fromBlock": "0x4" }));
    emit();
    assert_eq!([&all, &first, &new, &later].map(changes), [4, 1, 1, 1]);
    assert_eq!([&all, &first, &new, &later].map(changes), [0; 4]);
    emit();
    assert_eq!([&all, &first, &new, &later].map(changes), [1, 0, 1, 1]);
}

#[test]
fn set_time_returns_the_offset() {
    let time = TimeOfDay::manual(NOW);
    let served = serve(|config| config.time = time.clone());
    served.ask("evm_setTime", json!([1_000]));
    assert_eq!(served.ask("evm_setTime", json!([5_000])), 4_000);
    // Seven seconds pass, so the offset is relative to 5,007.
    let TimeOfDay::Manual(seconds) = time else { unreachable!("it is manual") };
    seconds.fetch_add(7, Ordering::Relaxed);
    assert_eq!(served.ask("evm_setTime", json!([6_000])), 993);
    assert_eq!(served.ask("evm_setTime", json!([2_000])), 0);
}

#[test]
fn revert_restores_the_snapshot_time() {
    let time = TimeOfDay::manual(NOW);
    let served = serve(|config| config.time = time.clone());
    let mined = || {
        served.ask("evm_mine", json!([]));
        number(&served.block("latest")["timestamp"])
    };
    let TimeOfDay::Manual(seconds) = &time else { unreachable!("it is manual") };
    let increase = |by: u64| served.ask("evm_increaseTime", json!([by]));
    assert_eq!(increase(1_000), 1_000);
    let first = served.ask("evm_snapshot", json!([]));
    // Time changes after the snapshot are discarded, whether or not a block has used them.
    increase(5_000);
    assert_eq!(mined(), NOW + 6_000);
    served.ask("evm_setTime", json!([NOW + 90_000]));
    served.ask("evm_setNextBlockTimestamp", json!([NOW + 95_000]));
    seconds.fetch_add(7, Ordering::Relaxed);
    assert_eq!(served.ask("evm_revert", json!([first])), true);
    assert_eq!(mined(), NOW + 1_007);
    assert_eq!(increase(0), 1_000);

    // A set time is restored too; without one, the clock runs as before.
    served.ask("evm_setTime", json!([NOW + 50_000]));
    let second = served.ask("evm_snapshot", json!([]));
    served.ask("evm_setTime", json!([NOW + 60_000]));
    served.ask("evm_revert", json!([second]));
    assert_eq!(mined(), NOW + 50_000);
}

#[test]
fn timestamps_without_successors_are_rejected() {
    let time = TimeOfDay::manual(NOW);
    let served = serve(|config| config.time = time.clone());
    let last = 100_000_000_000_u64;
    for (method, accepted, rejected) in [
        ("anvil_setBlockTimestampInterval", last - NOW, u64::MAX),
        ("evm_increaseTime", 1, u64::MAX - NOW),
        ("evm_increaseTime", 1, last),
        ("evm_setNextBlockTimestamp", last - 1, last + 1),
        ("evm_mine", last, u64::MAX),
    ] {
        match served.client.request::<_, Value>(method, json!([rejected])) {
            Err(error) => assert!(error.to_string().contains("expected at most"), "{error}"),
            Ok(answer) => panic!("{method} of {rejected}: {answer}"),
        }
        served.ask(method, json!([accepted]));
    }
    assert_eq!(number(&served.block("latest")["timestamp"]), last);
}

#[test]
fn pending_filter_reports_executable_transactions_only() {
    let served = serve(|config| config.mining = MiningMode::Manual);
    let from = served.devnet.addresses()[0];
    let id = served.ask("eth_newPendingTransactionFilter", json!([]));
    let changes = || served.ask("eth_getFilterChanges", json!([id]));
    let send = |nonce: u64, fee: u64| {
        let (nonce, fee) = (format!("{nonce:#x}"), format!("{fee:#x}"));
        let request = json!([{ "from": from, "to": SINK, "nonce": nonce, "gasPrice": fee }]);
        served.ask("eth_sendTransaction", request)
    };
    let late = send(2, 2_000_000_000);
    let second = send(1, 2_000_000_000);
    assert_eq!(changes(), json!([]));
    let first = send(0, 2_000_000_000);
    assert_eq!(changes(), json!([first, second, late]));
    // A replacement is reported as new; transactions after it are not reported again.
    let better = send(0, 3_000_000_000);
    assert_eq!(changes(), json!([better]));
    let last = send(3, 2_000_000_000);
    assert_eq!(changes(), json!([last]));
}

#[test]
fn tiny_gas_limit_is_rejected_and_revert_restores() {
    let served = serve(|_| {});
    let limit = || {
        served.ask("evm_mine", json!([]));
        number(&served.block("latest")["gasLimit"])
    };
    for wrong in ["0x0", "0x1"] {
        let words = served.refused("evm_setBlockGasLimit", json!([wrong]));
        assert!(words.contains("a gas limit of 2 at least"), "{words}");
    }
    let before = limit();
    let snapshot = served.ask("evm_snapshot", json!([]));
    served.ask("evm_setBlockGasLimit", json!(["0x2"]));
    assert_eq!([limit(), limit()], [2, 2]);
    served.ask("evm_revert", json!([snapshot]));
    assert_eq!(limit(), before);
}

#[test]
fn transaction_of_previous_chain_id_is_traced() {
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    let hash = served.ask("eth_sendTransaction", json!([{ "from": from, "to": SINK }]));
    let traces = || served.ask("trace_transaction", json!([hash]));
    let before = traces();
    assert_eq!(before.as_array().unwrap().len(), 1);
    served.ask("anvil_setChainId", json!([56]));
    assert_eq!(traces(), before);
    served.ask("debug_traceTransaction", json!([hash]));
}

#[test]
fn estimate_without_sender_needs_no_funds() {
    let served = serve(|_| {});
    for request in [
        json!({ "to": SINK, "value": "0xde0b6b3a7640000" }),
        json!({ "to": SINK, "gasPrice": "0x77359400" }),
        json!({ "to": SINK, "value": "0x1", "maxFeePerGas": "0x77359400" }),
    ] {
        assert_eq!(served.ask("eth_estimateGas", json!([request])), "0x5208");
    }
    // A named sender must be able to pay.
    let poor = json!({ "from": EMITTER, "to": SINK, "gasPrice": "0x77359400", "data": "0x42" });
    let words = served.refused("eth_estimateGas", json!([poor]));
    assert!(words.contains("Insufficient funds"), "{words}");
}

#[test]
fn only_signed_blob_transactions_need_blobs() {
    let served = serve(|config| {
        config.hardfork = Hardfork::Cancun;
        config.auto_impersonate = true;
    });
    let from = served.devnet.addresses()[0];
    let hash = format!("0x01{}", "22".repeat(31));
    let request = json!([{
        "from": from, "to": SINK, "blobVersionedHashes": [hash], "maxFeePerBlobGas": "0x1",
    }]);
    let sent = served.ask("eth_sendTransaction", request.clone());
    let receipt = served.ask("eth_getTransactionReceipt", json!([sent]));
    assert_eq!(receipt["status"], "0x1");
    served.ask("anvil_autoImpersonateAccount", json!([false]));
    let words = served.refused("eth_sendTransaction", request);
    assert!(words.contains("the blobs are missing"), "{words}");
}

#[test]
fn subscription_over_http_is_unknown_method() {
    let served = serve(|_| {});
    let words = served.refused("eth_subscribe", json!(["newHeads"]));
    assert!(words.contains("-32601") && words.contains("WebSocket"), "{words}");
}

#[test]
fn unsigned_transaction_requires_a_sender() {
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    let words = served.refused("eth_sendUnsignedTransaction", json!([{ "to": SINK }]));
    assert!(words.contains("No Signer available"), "{words}");
    served.ask("eth_sendUnsignedTransaction", json!([{ "from": from, "to": SINK }]));
    // The estimate must not fail because the tip exceeds the fee cap.
    let sign = |gas: Value| {
        let mut request = json!({
            "from": from, "to": SINK, "nonce": "0xa",
            "maxFeePerGas": "0x64", "maxPriorityFeePerGas": "0x65",
        });
        request["gas"] = gas;
        served.ask("eth_signTransaction", json!([request]))
    };
    assert_eq!(sign(Value::Null), sign(json!("0x5208")));
}

#[test]
fn access_list_sees_the_base_fee() {
    let served = serve(|_| {});
    // Reads the slot whose number is the base fee.
    served.ask("anvil_setCode", json!([EMITTER, "0x485400"]));
    let made = served.ask("eth_createAccessList", json!([{ "to": EMITTER }, "latest"]));
    let slot = made["accessList"][0]["storageKeys"][0].as_str().unwrap();
    let fee = number(&served.block("latest")["baseFeePerGas"]);
    assert_eq!(slot, format!("0x{fee:064x}"));
}

#[test]
fn tracing_blocks_without_state_is_an_error() {
    let (old, new) = (serve(|_| {}), serve(|_| {}));
    let from = old.devnet.addresses()[0];
    let send = || old.ask("eth_sendTransaction", json!([{ "from": from, "to": SINK }]));
    let hashes = [send(), send()];
    new.ask("anvil_loadState", json!([old.ask("anvil_dumpState", json!([]))]));
    for method in ["trace_transaction", "debug_traceTransaction"] {
        let words = new.refused(method, json!([hashes[1]]));
        assert!(words.contains("the state of block 1 is not in the loaded file"), "{words}");
    }
    // A file that lacks its own head block is rejected.
    let packed: Bytes = serde_json::from_value(old.ask("anvil_dumpState", json!([]))).unwrap();
    let mut file: Value = serde_json::from_reader(GzDecoder::new(&packed[..])).unwrap();
    file["best_block_number"] = json!(7);
    let file = Bytes::from(file.to_string().into_bytes());
    let words = new.refused("anvil_loadState", json!([file]));
    assert!(words.contains("the best block, 7, is not among the blocks"), "{words}");
    // Later transactions can be traced.
    let own = new.ask("eth_sendTransaction", json!([{ "from": from, "to": SINK }]));
    assert_eq!(new.ask("trace_transaction", json!([own])).as_array().unwrap().len(), 1);
}

#[test]
fn simulated_bloom_excludes_added_transfer_logs() {
    // Emitter of transfer logs.
    const TRANSFERS: &str = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    let bloom = |to: &str, value: &str| {
        let calls = json!([{ "from": from, "to": to, "value": value }]);
        let asked = json!([{ "blockStateCalls": [{ "calls": calls }], "traceTransfers": true }]);
        let block = served.ask("eth_simulateV1", asked)[0].clone();
        assert_eq!(block["calls"][0]["logs"].as_array().map(Vec::len), Some(1), "{block}");
        block["logsBloom"].as_str().unwrap().contains(|digit| !"0x".contains(digit))
    };
    assert!(!bloom(SINK, "0x1"));
    served.ask("anvil_setCode", json!([TRANSFERS, EMIT]));
    assert!(bloom(TRANSFERS, "0x0"));
}
