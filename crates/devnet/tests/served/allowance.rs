//! Transactions of type 0x05 that buy an allowance of EXECUTE gas on the devnet's market.

use crate::{
    execute_tx::{ExecuteTxDevnet, GAS},
    support::number,
};
use alloy_primitives::{Address, TxKind, U256, hex};
use codec::{ExecuteTx, ExecuteTxVersion};
use serde_json::{Value, json};
use variants::market::{LIMIT, MARKET_ADDRESS, excess_at, price};

const GWEI: u64 = 1_000_000_000;
/// EXECUTE gas of every call in this file, whatever its input.
const CALL: u64 = 400_000;

fn devnet() -> ExecuteTxDevnet {
    ExecuteTxDevnet::with(|config| {
        config.execute_market = true;
        config.execute_gas = format!("{CALL}+0").parse().unwrap();
    })
}

/// A transaction of the first account to the precompile or another target, with this allowance.
fn buys(devnet: &ExecuteTxDevnet, nonce: u64, gas: u64, wei: u128) -> ExecuteTx {
    let tx = devnet.tx(nonce, TxKind::Create);
    let version = ExecuteTxVersion::V3 {
        anchor: tx.anchor(),
        max_fee_per_execute_gas: wei,
        execute_gas_limit: gas,
    };
    ExecuteTx { version, ..tx }
}

fn balance(devnet: &ExecuteTxDevnet, at: &str) -> U256 {
    let asked = devnet.ask("eth_getBalance", json!([devnet.key.address(), at]));
    serde_json::from_value(asked).unwrap()
}

/// Price of EXECUTE gas in the block after this one.
fn price_at(devnet: &ExecuteTxDevnet, at: &str) -> u64 {
    let slot = devnet.ask("eth_getStorageAt", json!([MARKET_ADDRESS, "0x0", at]));
    price(serde_json::from_value::<U256>(slot).unwrap().to())
}

/// Sets the price of EXECUTE gas in the next block.
fn set_price(devnet: &ExecuteTxDevnet, wei: u64) {
    let excess = U256::from(excess_at(wei)).to_be_bytes::<32>();
    let word = alloy_primitives::B256::from(excess);
    devnet.ask("anvil_setStorageAt", json!([MARKET_ADDRESS, "0x0", word]));
}

#[test]
fn allowance_is_charged_and_shown_in_traces() {
    let devnet = devnet();
    let (before, wei) = (balance(&devnet, "latest"), price_at(&devnet, "latest"));
    let tx = buys(&devnet, 0, 1_000_000, 5 * u128::from(GWEI));
    let hash = devnet.signed(tx.clone()).hash();
    let receipt = devnet.sent(tx);
    assert_eq!((&receipt["status"], &receipt["type"]), (&json!("0x1"), &json!("0x5")));
    let gas = number(&receipt["gasUsed"]);
    let paid = U256::from(gas) * U256::from(number(&receipt["effectiveGasPrice"]))
        + U256::from(CALL) * U256::from(wei);
    let after = balance(&devnet, "latest");
    assert_eq!(before - after, paid, "the undrawn allowance is refunded");

    let found = devnet.ask("eth_getTransactionByHash", json!([hash]));
    let own = &found["execute"];
    assert_eq!(own["version"], 3);
    assert_eq!(number(&own["executeGasLimit"]), 1_000_000);
    assert_eq!(number(&own["maxFeePerExecuteGas"]), 5 * GWEI);

    let config = json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } });
    let diff = devnet.ask("debug_traceTransaction", json!([hash, config]));
    let sender = format!("{:#x}", devnet.key.address());
    let of = |side: &str| -> U256 {
        serde_json::from_value(diff[side][&sender]["balance"].clone()).unwrap()
    };
    assert_eq!((of("pre"), of("post")), (before, after), "{diff}");
    let parity = devnet.ask("trace_replayTransaction", json!([hash, ["stateDiff"]]));
    let change = &parity["stateDiff"][&sender]["balance"]["*"];
    assert_eq!((&change["from"], &change["to"]), (&json!(before), &json!(after)), "{parity}");
}

#[test]
fn pool_rejects_unsellable_execute_gas() {
    let devnet = devnet();
    let wei = u128::from(price_at(&devnet, "latest"));
    let said = devnet.refused(buys(&devnet, 0, CALL, wei - 1));
    let expected = format!("max fee per EXECUTE gas less than its price: {} < {wei}", wei - 1);
    assert!(said.contains(&expected), "{said}");
    let said = devnet.refused(buys(&devnet, 0, LIMIT + 1, wei));
    assert!(said.contains("EXECUTE gas limit 60000001 exceeds the block's 60000000"), "{said}");
    for cap in [u128::MAX, u128::MAX / 2] {
        let said = devnet.refused(buys(&devnet, 0, LIMIT, cap));
        assert!(said.contains("Insufficient funds"), "{said}");
    }
    // Exactly the account's balance, and one wei more.
    let tx = buys(&devnet, 0, CALL, 0);
    let gas = U256::from(tx.gas_limit) * U256::from(tx.max_fee_per_gas);
    let all = (balance(&devnet, "latest") - gas) / U256::from(CALL);
    let all = all.to::<u128>();
    let said = devnet.refused(buys(&devnet, 0, CALL, all + 1));
    assert!(said.contains("Insufficient funds"), "{said}");
    assert_eq!(devnet.sent(buys(&devnet, 0, CALL, all))["status"], "0x1");
}

#[test]
fn transaction_waits_until_execute_gas_price_falls() {
    let devnet = devnet();
    devnet.ask("evm_setAutomine", json!([false]));
    let wei = price_at(&devnet, "latest");
    let tx = buys(&devnet, 0, CALL, u128::from(wei));
    let hash = devnet.signed(tx.clone()).hash();
    devnet.ask("eth_sendRawTransaction", json!([devnet.raw(tx)]));
    let receipt = || devnet.ask("eth_getTransactionReceipt", json!([hash]));
    set_price(&devnet, 2 * wei);
    devnet.ask("evm_mine", json!([]));
    assert_eq!(receipt(), Value::Null);
    assert_eq!(number(&devnet.ask("txpool_status", json!([]))["pending"]), 1);
    set_price(&devnet, wei / 2);
    devnet.ask("evm_mine", json!([]));
    assert_eq!(receipt()["status"], "0x1");
}

#[test]
fn call_beyond_allowance_names_the_limit() {
    let devnet = devnet();
    let tx = buys(&devnet, 0, CALL - 1, 5 * u128::from(GWEI));
    let hash = devnet.signed(tx.clone()).hash();
    let receipt = devnet.sent(tx);
    assert_eq!((&receipt["status"], number(&receipt["gasUsed"])), (&json!("0x0"), GAS));
    let explained = devnet.ask("enshrine_explainExecute", json!([hash]));
    let said = "EXECUTE gas allowance exceeded: the call requires 400000, 399999 are left";
    assert_eq!(
        (&explained[0]["kind"], &explained[0]["reason"]),
        (&json!("beyondAllowance"), &json!(said))
    );
    // A call to another contract draws from the same allowance.
    let relay = Address::repeat_byte(0xa1);
    devnet.deploy(relay, &crate::execute_tx::relay(&crate::execute_tx::ALL_GAS));
    for (nonce, gas, status) in [(1, CALL - 1, "0x0"), (2, CALL, "0x1")] {
        let tx = ExecuteTx { to: relay.into(), ..buys(&devnet, nonce, gas, 5 * u128::from(GWEI)) };
        assert_eq!(devnet.sent(tx)["status"], status, "{gas}");
    }
}

/// Calls `0x12` with its calldata and always reverts.
const REVERTS: [u8; 17] = hex!("365f5f375f5f365f5f60125af1505f5ffd");

/// Amount that a transaction cost its sender according to its receipt, in wei.
fn paid(receipt: &Value, value: U256) -> U256 {
    let product = |gas: &str, price: &str| {
        U256::from(number(&receipt[gas])) * U256::from(number(&receipt[price]))
    };
    let moved = if receipt["status"] == "0x1" { value } else { U256::ZERO };
    moved + product("gasUsed", "effectiveGasPrice") + product("executeGasUsed", "executeGasPrice")
}

/// Transactions with all outcomes, and the EXECUTE gas that each draws.
fn all_outcomes(devnet: &ExecuteTxDevnet) -> Vec<(ExecuteTx, u64)> {
    let (relay, reverts) = (Address::repeat_byte(0xa1), Address::repeat_byte(0xa2));
    devnet.deploy(relay, &crate::execute_tx::relay(&crate::execute_tx::ALL_GAS));
    devnet.deploy(reverts, &REVERTS);
    let idle = Address::repeat_byte(0x1d);
    let buys = |nonce, gas, to: TxKind| {
        let value = U256::from(1_000_000_007_u64);
        ExecuteTx { to, value, ..buys(devnet, nonce, gas, 5 * u128::from(GWEI)) }
    };
    let mut refused = buys(3, 2 * CALL, relay.into());
    refused.timestamp += 1;
    vec![
        (buys(0, 2 * CALL, TxKind::Create), CALL),
        (buys(1, 2 * CALL, relay.into()), CALL),
        (buys(2, 2 * CALL, reverts.into()), CALL),
        (refused, CALL),
        (buys(4, CALL - 1, TxKind::Create), 0),
        (buys(5, LIMIT / 100, idle.into()), 0),
    ]
}

#[test]
fn receipts_account_for_all_wei_spent() {
    let devnet = devnet();
    let all = all_outcomes(&devnet);
    let mut statuses = Vec::new();
    for (tx, drawn) in all {
        let (before, wei) = (balance(&devnet, "latest"), price_at(&devnet, "latest"));
        let (value, hash) = (tx.value, devnet.signed(tx.clone()).hash());
        let receipt = devnet.sent(tx);
        let figures = (number(&receipt["executeGasUsed"]), number(&receipt["executeGasPrice"]));
        assert_eq!(figures, (drawn, wei), "{receipt}");
        assert_eq!(before - balance(&devnet, "latest"), paid(&receipt, value), "{receipt}");
        statuses.push(receipt["status"] == "0x1");
        // All methods that return receipts agree.
        assert_eq!(devnet.ask("eth_getBlockReceipts", json!(["latest"])), json!([receipt]));
        let block = number(&receipt["blockNumber"]);
        let shown = devnet.ask("ots_getBlockTransactions", json!([block, 0, 10]));
        let shown = &shown["receipts"][0];
        assert_eq!(
            (&shown["executeGasUsed"], &shown["executeGasPrice"]),
            (&receipt["executeGasUsed"], &receipt["executeGasPrice"]),
            "{hash}: {shown}"
        );
    }
    assert_eq!(statuses, [true, true, false, false, false, true]);
    // A transaction without an allowance only pays for gas, and its receipt has no EXECUTE fields.
    let (before, tx) = (balance(&devnet, "latest"), devnet.tx(6, TxKind::Create));
    let receipt = devnet.sent(tx);
    assert_eq!((&receipt["status"], receipt.get("executeGasUsed")), (&json!("0x1"), None));
    assert_eq!(receipt.get("executeGasPrice"), None);
    let gas = U256::from(number(&receipt["gasUsed"]));
    let expected = gas * U256::from(number(&receipt["effectiveGasPrice"]));
    assert_eq!(before - balance(&devnet, "latest"), expected);
}

#[test]
fn allowance_receipts_survive_state_files_and_reorgs() {
    let devnet = devnet();
    let all = all_outcomes(&devnet);
    devnet.ask("evm_setAutomine", json!([false]));
    let before = balance(&devnet, "latest");
    let mut values = Vec::new();
    for (tx, _) in &all {
        values.push(tx.value);
        devnet.ask("eth_sendRawTransaction", json!([devnet.raw(tx.clone())]));
    }
    devnet.ask("evm_mine", json!([]));
    let receipts = devnet.ask("eth_getBlockReceipts", json!(["latest"]));
    let shown = receipts.as_array().unwrap();
    let drawn: Vec<_> = shown.iter().map(|receipt| number(&receipt["executeGasUsed"])).collect();
    assert_eq!(drawn, all.iter().map(|(_, drawn)| *drawn).collect::<Vec<_>>());
    let total = shown.iter().zip(&values).map(|(receipt, value)| paid(receipt, *value));
    assert_eq!(before - balance(&devnet, "latest"), total.sum::<U256>());

    let state = devnet.ask("anvil_dumpState", json!([]));
    let other = self::devnet();
    other.ask("anvil_loadState", json!([state]));
    assert_eq!(other.ask("eth_getBlockReceipts", json!(["latest"])), receipts);

    // After a reorg and re-execution, the receipts have the draws of the new block.
    let hashes: Vec<_> = shown.iter().map(|receipt| receipt["transactionHash"].clone()).collect();
    devnet.ask("anvil_reorg", json!([1, []]));
    for hash in &hashes {
        assert_eq!(devnet.ask("eth_getTransactionReceipt", json!([hash])), Value::Null);
    }
    for (tx, _) in &all {
        devnet.ask("eth_sendRawTransaction", json!([devnet.raw(tx.clone())]));
    }
    devnet.ask("evm_mine", json!([]));
    let again = devnet.ask("eth_getBlockReceipts", json!(["latest"]));
    let drawn_again =
        again.as_array().unwrap().iter().map(|receipt| number(&receipt["executeGasUsed"]));
    assert_eq!(drawn_again.collect::<Vec<_>>(), drawn);
    assert_eq!(number(&again[0]["executeGasPrice"]), price_at(&devnet, "0x1"));
}
