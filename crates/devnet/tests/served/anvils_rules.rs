//! By default the devnet follows anvil's rules, and mainnet's on request. The expected values are
//! those of stock anvil 1.7.1.

use crate::support::{SINK, Served, TOOLS, number, run, serve, serve_as_anvil, tool};
use alloy_primitives::B256;
use client::ClientError;
use enshrine_devnet::{DevnetConfig, Hardfork, MiningMode, TimeOfDay, state_file::StateFile};
use serde_json::{Value, json};

const POOR: &str = "0x00000000000000000000000000000000000000ab";
const GWEI: u64 = 1_000_000_000;

fn hex(number: u64) -> Value {
    json!(format!("{number:#x}"))
}

/// Sends a transfer with this gas limit and calldata length. Returns the receipt, or the error if
/// it was rejected.
fn sent(served: &Served, gas: u64, data: usize) -> Result<Value, String> {
    let from = served.devnet.addresses()[0];
    let data = format!("0x{}", "11".repeat(data));
    let request = json!([{ "from": from, "to": SINK, "gas": hex(gas), "data": data }]);
    let hash: Value = served
        .client
        .request("eth_sendTransaction", request)
        .map_err(|error: ClientError| error.to_string())?;
    Ok(served.ask("eth_getTransactionReceipt", json!([hash])))
}

#[test]
fn anvils_looser_limits_apply_without_mainnet_rules() {
    let (anvil, mainnet) = (serve_as_anvil(|_| {}), serve(|_| {}));
    let cases = [
        (20_000_000, 0, "transaction gas limit too high (cap: 16777216, tx: 20000000)"),
        (10_000_000, 200_000, "at most 131072 are accepted"),
    ];
    for (gas, data, words) in cases {
        let receipt = sent(&anvil, gas, data).unwrap();
        assert_eq!(receipt["status"], "0x1", "{gas} {data}");
        let refusal = sent(&mainnet, gas, data).unwrap_err();
        assert!(refusal.contains(words), "{refusal}");
    }
    for (gas, data) in [(16_000_000, 0), (10_000_000, 100_000)] {
        for served in [&anvil, &mainnet] {
            assert_eq!(sent(served, gas, data).unwrap()["status"], "0x1", "{gas} {data}");
        }
    }
}

#[test]
fn calldata_floor_is_enforced_at_admission_with_mainnet() {
    let (anvil, mainnet) = (serve_as_anvil(|_| {}), serve(|_| {}));
    // 1,000 bytes of calldata cost 37,000 gas intrinsically, and at least 61,000 in total
    // (EIP-7623).
    assert_eq!(sent(&anvil, 40_000, 1_000).unwrap(), Value::Null, "submitted but not mined");
    let refusal = sent(&mainnet, 40_000, 1_000).unwrap_err();
    assert!(
        refusal.contains("intrinsic gas too low: gas 40000, minimum needed 61000"),
        "{refusal}"
    );
    for served in [&anvil, &mainnet] {
        let refusal = sent(served, 36_999, 1_000).unwrap_err();
        assert!(refusal.contains("intrinsic gas too low"), "{refusal}");
        assert_eq!(sent(served, 61_000, 1_000).unwrap()["status"], "0x1");
        let status = served.ask("txpool_status", json!([]));
        assert_eq!((&status["pending"], &status["queued"]), (&json!("0x0"), &json!("0x0")));
    }
}

#[test]
fn equal_timestamps_are_allowed_without_mainnet_rules() {
    let now = |config: &mut DevnetConfig| config.time = TimeOfDay::manual(1_800_000_000);
    let rise = |served: Served| {
        served.ask("anvil_mine", json!(["0x2"]));
        let time = |tag: &str| number(&served.block(tag)["timestamp"]);
        time("0x2") - time("0x1")
    };
    assert_eq!(rise(serve_as_anvil(now)), 0);
    assert_eq!(rise(serve(now)), 1);
}

#[test]
fn disabled_gas_limit_matches_anvil() {
    let served = serve_as_anvil(|config| config.gas_limit = DevnetConfig::NO_GAS_LIMIT);
    for _ in 0..3 {
        assert_eq!(sent(&served, 100_000_000, 0).unwrap()["status"], "0x1");
    }
    for tag in ["0x0", "latest", "pending"] {
        assert_eq!(served.block(tag)["gasLimit"], "0xffffffffffffffff", "{tag}");
    }
    let info = served.ask("anvil_nodeInfo", json!([]));
    assert_eq!(info["environment"]["gasLimit"], "0xffffffffffffffff");
    // The blocks are nearly empty, so the base fee falls by an eighth each time, rounded up.
    assert_eq!(served.block("0x1")["baseFeePerGas"], hex(GWEI));
    assert_eq!(served.block("0x2")["baseFeePerGas"], hex(GWEI / 8 * 7 + 1));
}

#[test]
fn calls_use_gas_and_base_fee_of_block() {
    let served = serve_as_anvil(|_| {});
    let word = |request: Value| served.number("eth_call", json!([request, "latest"]));
    let base_fee = number(&served.block("latest")["baseFeePerGas"]);
    // BASEFEE, and the remaining GAS of the block's 30,000,000.
    assert_eq!(word(json!({ "data": "0x485f5260205ff3" })), base_fee);
    assert_eq!(word(json!({ "data": "0x5a5f5260205ff3" })), 29_946_884);
    assert_eq!(word(json!({ "data": "0x5a5f5260205ff3", "gas": "0x2faf080" })), 49_946_884);
    // GASPRICE of a call without a fee.
    assert_eq!(word(json!({ "data": "0x3a5f5260205ff3" })), 0);
}

#[test]
fn client_version_and_metadata_match_anvil() {
    let served = serve_as_anvil(|_| {});
    assert_eq!(served.ask("web3_clientVersion", json!([])), "anvil/v1.7.1");
    let metadata = served.ask("anvil_metadata", json!([]));
    assert_eq!(metadata["clientVersion"], "anvil/v1.7.1");
    let semver = metadata["clientSemver"].as_str().unwrap();
    assert!(semver.starts_with("1.7.1+enshrine."), "{semver}");
    let commit = metadata["clientCommitSha"].as_str().unwrap();
    assert!(commit.len() == 40 && commit.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(metadata["instanceId"].as_str().unwrap().parse::<B256>().is_ok());
    assert_eq!(metadata["latestBlockNumber"], 0);
}

#[test]
fn version_and_commit_match_the_tested_anvil() {
    let said = run(tool(TOOLS.anvil()).arg("--version"));
    let of = |title: &str| said.lines().find_map(|line| line.strip_prefix(title)).unwrap();
    let version = of("anvil Version: ");
    let manifest = std::fs::read_to_string(TOOLS.root().join("package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["dependencies"]["@foundry-rs/anvil"], version);

    let served = serve_as_anvil(|_| {});
    let metadata = served.ask("anvil_metadata", json!([]));
    assert_eq!(metadata["clientVersion"], format!("anvil/v{version}"));
    let semver = metadata["clientSemver"].as_str().unwrap();
    assert_eq!(semver.split_once('+').unwrap().0, version);
    assert_eq!(metadata["clientCommitSha"], of("Commit SHA: "));
}

#[test]
fn block_pages_start_with_first_transaction() {
    let served = serve_as_anvil(|config| config.mining = MiningMode::Manual);
    let from = served.devnet.addresses()[0];
    let hashes: Vec<Value> = (0..10)
        .map(|_| served.ask("eth_sendTransaction", json!([{ "from": from, "to": SINK }])))
        .collect();
    served.ask("evm_mine", json!([]));
    for (page, expected) in hashes.chunks(3).chain([[].as_slice()]).enumerate() {
        let answer = served.ask("ots_getBlockTransactions", json!([1, page, 3]));
        let shown = |list: &Value, name: &str| -> Vec<Value> {
            list.as_array().unwrap().iter().map(|item| item[name].clone()).collect()
        };
        assert_eq!(shown(&answer["fullblock"]["transactions"], "hash"), expected, "{page}");
        assert_eq!(shown(&answer["receipts"], "transactionHash"), expected, "{page}");
        assert_eq!(answer["fullblock"]["transactionCount"], expected.len());
    }
}

#[test]
fn unpaid_sender_can_spend_funds_received_in_block() {
    let started = |unpaid: bool| {
        let served = serve_as_anvil(|config| {
            config.unpaid = unpaid;
            config.mining = MiningMode::Manual;
        });
        served.ask("anvil_impersonateAccount", json!([POOR]));
        let (ether, fee) = (1_000_000_000 * GWEI, GWEI);
        let fund = json!([{
            "from": served.devnet.addresses()[0], "to": POOR, "value": hex(ether),
            "gasPrice": hex(2_000 * GWEI),
        }]);
        let spend = json!([{
            "from": POOR, "to": SINK, "value": hex(ether - 21_000 * fee), "gasPrice": hex(fee),
        }]);
        (served, fund, spend)
    };
    let (served, fund, spend) = started(true);
    let hashes = [fund, spend].map(|request| served.ask("eth_sendTransaction", request));
    served.ask("evm_mine", json!([]));
    for hash in hashes {
        let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
        assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    }
    let (served, fund, spend) = started(false);
    served.ask("eth_sendTransaction", fund);
    let words = served.refused("eth_sendTransaction", spend);
    assert!(words.contains("Insufficient funds for gas * price + value"), "{words}");
}

#[test]
fn impersonated_blob_transaction_needs_no_blobs() {
    let served = serve_as_anvil(|config| {
        config.hardfork = Hardfork::Cancun;
        config.auto_impersonate = true;
    });
    served.ask("anvil_setBalance", json!([POOR, hex(60_262_144_030_131_080)]));
    let fee = hex(2 * GWEI + 1);
    let request = json!([{
        "from": POOR, "to": SINK, "nonce": "0x0", "value": "0x0", "type": "0x3",
        "maxFeePerBlobGas": fee, "maxFeePerGas": fee, "maxPriorityFeePerGas": "0x1",
        "blobVersionedHashes": [format!("0x01{}", "d5".repeat(31))],
    }]);
    let hash = served.ask("eth_sendTransaction", request);
    let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&receipt["status"], &receipt["type"]), (&json!("0x1"), &json!("0x3")));
}

#[test]
fn state_file_of_old_anvil_loads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let served = serve_as_anvil(|_| {});
    sent(&served, 21_000, 0).unwrap();
    served.ask("anvil_setStorageAt", json!([SINK, "0x1", format!("0x{:064x}", 7)]));
    served.devnet.dump_state(&path).unwrap();
    let hash = served.block("latest")["hash"].clone();

    // Versions of 2024 wrote transactions by type, short words, no receipts, and other field names.
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    file.as_object_mut().unwrap().remove("transactions");
    let transactions = file["blocks"][1]["transactions"].as_array_mut().unwrap();
    let mut transaction = transactions[0]["transaction"].take();
    transaction.as_object_mut().unwrap().remove("type");
    transactions[0] = json!({ "EIP1559": transaction });
    file["accounts"][SINK]["storage"] = json!({ "0x1": "0x7", "0x2": "0x0" });
    file["block"]["coinbase"] = file["block"]["beneficiary"].take();
    file["block"].as_object_mut().unwrap().remove("beneficiary");
    file["best_block_number"] = json!("0x1");
    std::fs::write(&path, file.to_string()).unwrap();

    let again = serve_as_anvil(|_| {});
    again.devnet.load_state(&path).unwrap();
    assert_eq!(again.block("latest")["hash"], hash);
    let slot = again.ask("eth_getStorageAt", json!([SINK, "0x1", "latest"]));
    assert_eq!(number(&slot), 7);
    assert_eq!(sent(&again, 21_000, 0).unwrap()["status"], "0x1", "the chain can be extended");

    file["blocks"][1]["transactions"] = json!([{ "Deposit": {} }]);
    let words = StateFile::decode(file.to_string().as_bytes()).unwrap_err();
    assert!(words.contains("no transaction has the type Deposit"), "{words}");
}
