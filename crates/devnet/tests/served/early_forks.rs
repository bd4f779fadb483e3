//! Forks before the merge which, as in anvil, have no difficulty and no block rewards.

use crate::support::{SINK, Served, number, serve};
use clap::ValueEnum as _;
use enshrine_devnet::{Devnet, DevnetConfig, Hardfork};
use serde_json::{Value, json};
use variants::{DialectName, Dialects};

const MINER: &str = "0x00000000000000000000000000000000000000c0";

fn under(fork: Hardfork) -> Served {
    serve(|config| {
        config.hardfork = fork;
        config.verify_blocks = false;
    })
}

#[test]
fn chain_works_under_every_fork() {
    for fork in Hardfork::value_variants() {
        let served = under(*fork);
        let from = served.devnet.addresses()[0];
        served.ask("anvil_setCoinbase", json!([MINER]));
        let sent = json!([{ "from": from, "to": SINK, "value": "0x7" }]);
        let snapshot = served.ask("evm_snapshot", json!([]));
        let hash = served.ask("eth_sendTransaction", sent);
        let transaction = served.ask("eth_getTransactionByHash", json!([hash]));
        let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
        // Receipts have a status since Byzantium, and before that a state root.
        let has_status = *fork >= Hardfork::Byzantium;
        assert_eq!(receipt["status"] == "0x1", has_status, "{fork:?}: {receipt}");
        assert_eq!(receipt["root"].is_string(), !has_status, "{fork:?}: {receipt}");
        assert_eq!(served.number("eth_getBalance", json!([SINK, "latest"])), 7, "{fork:?}");

        let block = served.block("latest");
        let has = |field: &str| block.get(field).is_some_and(|value| !value.is_null());
        assert_eq!(block["difficulty"], "0x0", "{fork:?}");
        assert_eq!(has("baseFeePerGas"), *fork >= Hardfork::London, "{fork:?}");
        assert_eq!(has("withdrawalsRoot"), *fork >= Hardfork::Shanghai, "{fork:?}");
        assert_eq!(has("blobGasUsed"), *fork >= Hardfork::Cancun, "{fork:?}");
        let kind = if *fork >= Hardfork::London { "0x2" } else { "0x0" };
        assert_eq!(transaction["type"], kind, "{fork:?}");
        // The miner receives the fees above the base fee, but no block reward.
        let price = number(&receipt["effectiveGasPrice"]);
        let base_fee = if has("baseFeePerGas") { number(&block["baseFeePerGas"]) } else { 0 };
        let paid = served.ask("eth_getBalance", json!([MINER, "latest"]));
        let gas = number(&receipt["gasUsed"]);
        assert_eq!(number(&paid), gas * (price - base_fee), "{fork:?}");

        assert_eq!(served.ask("evm_revert", json!([snapshot])), json!(true));
        assert_eq!(served.number("eth_blockNumber", json!([])), 0, "{fork:?}");
        let dumped = served.ask("anvil_dumpState", json!([]));
        assert_eq!(served.ask("anvil_loadState", json!([dumped])), json!(true), "{fork:?}");
        served.ask("evm_mine", json!([]));
    }
}

#[test]
fn unsupported_transaction_type_error_names_required_fork() {
    let tip = json!({ "maxPriorityFeePerGas": "0x1" });
    let list = json!({ "gasPrice": "0x77359400", "accessList": [] });
    let authorized = json!({ "authorizationList": [] });
    for (fork, bring, advice) in [
        (Hardfork::Istanbul, &list, Some("--hardfork berlin")),
        (Hardfork::Berlin, &list, None),
        (Hardfork::GrayGlacier, &tip, None),
        (Hardfork::Berlin, &tip, Some("--hardfork london")),
        (Hardfork::London, &tip, None),
        (Hardfork::London, &authorized, Some("--hardfork prague")),
    ] {
        let served = under(fork);
        let mut request = bring.clone();
        request["from"] = json!(served.devnet.addresses()[0]);
        request["to"] = json!(SINK);
        match advice {
            None => drop(served.ask("eth_sendTransaction", json!([request]))),
            Some(advice) => {
                let error = served.refused("eth_sendTransaction", json!([request]));
                assert!(error.contains(advice), "{fork:?}: {error}");
            }
        }
    }
    // A signed transaction of an unsupported type is rejected too.
    let (new, old) = (under(Hardfork::London), under(Hardfork::Berlin));
    let request = json!([{ "from": new.devnet.addresses()[0], "to": SINK }]);
    let raw = new.ask("eth_signTransaction", request);
    let error = old.refused("eth_sendRawTransaction", json!([raw]));
    assert!(error.contains("transaction type not supported"), "{error}");
    new.ask("eth_sendRawTransaction", json!([raw]));
}

#[test]
fn opcodes_match_the_fork() {
    // PUSH0, BASEFEE, CHAINID and SHL, each returned as a word.
    let programs = [
        ("5f60005260206000f3", Hardfork::Shanghai),
        ("4860005260206000f3", Hardfork::London),
        ("4660005260206000f3", Hardfork::Istanbul),
        ("600160011b60005260206000f3", Hardfork::Constantinople),
    ];
    for (code, since) in programs {
        for fork in [Hardfork::Frontier, Hardfork::Berlin, Hardfork::GrayGlacier, since] {
            let served = under(fork);
            let call = json!([{ "data": format!("0x{code}") }, "latest"]);
            let ran = served.client.request::<_, Value>("eth_call", call).is_ok();
            assert_eq!(ran, fork >= since, "{code} under {fork:?}");
        }
    }
}

#[test]
fn settable_fee_depends_on_the_fork() {
    for (fork, has_base_fee) in [(Hardfork::Berlin, false), (Hardfork::London, true)] {
        let served = under(fork);
        let price = served.client.request::<_, Value>("anvil_setMinGasPrice", json!(["0x10"]));
        assert_eq!(price.is_err(), has_base_fee);
        let fee =
            served.client.request::<_, Value>("anvil_setNextBlockBaseFeePerGas", json!(["0x10"]));
        assert_eq!(fee.is_ok(), has_base_fee);
        let expected = if has_base_fee { 16 + 1_000_000_000 } else { 16 };
        assert_eq!(served.number("eth_gasPrice", json!([])), expected);
    }
    let berlin = under(Hardfork::Berlin);
    let price = number(&berlin.ask("eth_gasPrice", json!([])));
    assert_eq!(u128::from(price), DevnetConfig::LEGACY_GAS_PRICE);
}

#[test]
fn flags_require_forks_that_support_them() {
    let served = under(Hardfork::London);
    let call = json!([{ "to": execute::EXECUTE_ADDRESS, "data": "0x1001" }, "latest"]);
    let error = served.refused("eth_call", call);
    assert!(error.contains("EXECUTE refused"), "{error}");

    let start = |change: fn(&mut DevnetConfig), fork| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let with = |config: &mut DevnetConfig| {
            change(config);
            config.hardfork = fork;
        };
        runtime.block_on(Devnet::builder().with(with).spawn()).map(|devnet| devnet.chain_id())
    };
    type Change = fn(&mut DevnetConfig);
    let cancun =
        |config: &mut DevnetConfig| config.execute_forks = vec![wire::ProtocolFork::Cancun];
    // Each flag with the first fork that supports it.
    let flags: [(Change, &str, Hardfork); 5] = [
        (|config| config.verify_blocks = true, "--verify-blocks", Hardfork::Cancun),
        (cancun, "--execute-schema", Hardfork::Paris),
        (
            |config| config.execute_dialects = Dialects::usual(&[DialectName::Blobs]),
            "--execute-dialects",
            Hardfork::Paris,
        ),
        (|config| config.execute_any_block = true, "--execute-any-block", Hardfork::Paris),
        (|config| config.execute_market = true, "--execute-market", Hardfork::Paris),
    ];
    for (change, flag, since) in flags {
        for fork in [Hardfork::GrayGlacier, Hardfork::Paris, Hardfork::Shanghai, Hardfork::Cancun] {
            let started = start(change, fork);
            assert_eq!(started.is_ok(), fork >= since, "{flag} under {fork:?}: {started:?}");
            if let Err(error) = started {
                let error = error.to_string();
                assert!(error.contains(flag) && error.contains("use --hardfork cancun"), "{error}");
            }
        }
    }
    start(|_| {}, Hardfork::GrayGlacier).unwrap();
}

#[test]
fn verification_requires_a_genesis_with_cancun() {
    let start = |cancun: Option<u64>| {
        let mut genesis = alloy_genesis::Genesis::default();
        genesis.config.chain_id = 1;
        genesis.config.terminal_total_difficulty = Some(Default::default());
        genesis.config.shanghai_time = Some(0);
        genesis.config.cancun_time = cancun;
        let origin = enshrine_devnet::Origin::Genesis { genesis: genesis.into(), blocks: None };
        let with = |config: &mut DevnetConfig| {
            config.verify_blocks = true;
            config.origin = origin;
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Devnet::builder().with(with).spawn()).map(|devnet| devnet.chain_id())
    };
    let error = start(None).unwrap_err().to_string();
    assert!(error.contains("--verify-blocks") && error.contains("cancunTime"), "{error}");
    assert_eq!(start(Some(0)).unwrap(), 1);
    // Earlier blocks are verified only by execution, as on any chain before that fork.
    assert_eq!(start(Some(u64::MAX)).unwrap(), 1);
}
