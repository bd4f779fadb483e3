//! Transactions of the L2 that a localnet sends after the first block: they deploy the L2 side of
//! the token bridge, and deliver the registration of the test token, which failed without it.

use crate::made::{USERS, accounts, run_script};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use contracts::{
    Deployment, L2_MESSENGER,
    bindings::{IL1MessageQueue::MessageSent, IL2Messenger},
};
use serde_json::Value;
use std::{path::Path, process::Command};
use testkit::{Key, NodeProcess};
use toolchain::Toolchain;

/// Gas limit of a deployment: from Amsterdam on the larger one takes 6.9 million.
const DEPLOYMENT_GAS: u64 = 7_500_000;
/// Gas limit of the delivery.
const DELIVERY_GAS: u64 = 2_000_000;

/// Signs the transactions, with the first nonces of the sequencer's account.
pub(crate) fn transactions(
    tools: &Toolchain,
    folder: &Path,
    place: &Path,
    deployment: &Deployment,
    registration: &Value,
) -> Vec<Bytes> {
    let mut calls: Vec<_> = bridge(tools, folder, place)
        .into_iter()
        .map(|(to, input)| (to, input, DEPLOYMENT_GAS))
        .collect();
    assert_eq!(calls.len(), 2, "the implementation of the tokens, and the bridge");
    calls.push((L2_MESSENGER, delivery(registration), DELIVERY_GAS));
    let key = Key::from_secret(accounts().signers[USERS].to_bytes()).unwrap();
    let sign = |(nonce, (to, input, gas_limit)): (usize, (Address, Bytes, u64))| {
        let signed = key.sign(TxEip1559 {
            chain_id: deployment.l2_chain_id,
            nonce: nonce as u64,
            gas_limit,
            max_fee_per_gas: 20_000_000_000,
            max_priority_fee_per_gas: 1_000_000,
            to: TxKind::Call(to),
            input,
            ..Default::default()
        });
        Bytes::from(signed.encoded_2718())
    };
    calls.into_iter().enumerate().map(sign).collect()
}

/// Deploys the L2 side of the bridge to a devnet with the L2 genesis. Returns recipients and inputs
/// of the transactions.
fn bridge(tools: &Toolchain, folder: &Path, place: &Path) -> Vec<(Address, Bytes)> {
    let l2 = NodeProcess::start(
        Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .args(["devnet", "--silent", "--mainnet", "--no-execute", "--accounts"])
            .arg((USERS + 2).to_string())
            .arg("--init")
            .arg(place.join("genesis.json")),
    )
    .unwrap();
    let file = place.join("deployment.json");
    run_script(tools, folder, "Operate", "deployL2Bridge(string)", &file, l2.client().url());
    let mut found = Vec::new();
    for number in 1_u64.. {
        let number = format!("{number:#x}");
        let block: Value = l2.client().request("eth_getBlockByNumber", (number, true)).unwrap();
        let Some(transactions) = block["transactions"].as_array() else { break };
        for transaction in transactions {
            let to = transaction["to"].as_str().unwrap().parse().unwrap();
            found.push((to, transaction["input"].as_str().unwrap().parse().unwrap()));
        }
    }
    found
}

/// Returns the calldata that delivers the message of a registration, given its receipt on L1.
fn delivery(registration: &Value) -> Bytes {
    let logs = registration["logs"].as_array().unwrap().iter();
    let sent = logs.filter_map(|log| {
        let topics: Vec<B256> = serde_json::from_value(log["topics"].clone()).unwrap();
        let data: Bytes = serde_json::from_value(log["data"].clone()).unwrap();
        MessageSent::decode_raw_log(topics, &data).ok()
    });
    let [MessageSent { index, sender, to, refundTo, value, fee, gasLimit, data }] =
        <[MessageSent; 1]>::try_from(sent.collect::<Vec<_>>()).unwrap();
    let message = IL2Messenger::Message { sender, to, refundTo, value, fee, gasLimit, index, data };
    IL2Messenger::retryCall { message }.abi_encode().into()
}
