//! Deposits and time on a localnet.

use crate::{
    made::{DEPOSIT, USERS},
    process::{Localnet, until},
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::SolCall as _;
use client::Client;
use contracts::bindings::IL1MessageQueue;
use rpc_types::SyncStatus;
use serde_json::{Value, json};
use std::{
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};
use testkit::ETHER;
use toolchain::{Toolchain, progress_to_stderr};

/// Fee of a message to the L2, in wei.
const FEE: u128 = ETHER / 100;

fn balance(node: &Client, account: Address) -> U256 {
    node.request("eth_getBalance", (account, "latest")).unwrap()
}

fn timestamp(node: &Client) -> u64 {
    let block: Value = node.request("eth_getBlockByNumber", ("latest", false)).unwrap();
    serde_json::from_value::<U64>(block["timestamp"].clone()).unwrap().to()
}

/// Deposits ether of the first user, and waits for the transaction's success.
fn deposit(localnet: &Localnet, to: Address, wei: u128) {
    let call =
        IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: FEE, data: Bytes::new() };
    let transaction = json!({
        "from": localnet.user(0), "to": localnet.contract("messageQueue"),
        "value": U256::from(wei + FEE), "input": Bytes::from(call.abi_encode()), "gas": "0x16e360",
    });
    let hash: B256 = localnet.l1.request("eth_sendTransaction", (transaction,)).unwrap();
    let mut receipt = Value::Null;
    until("a receipt", || {
        receipt = localnet.l1.request("eth_getTransactionReceipt", (hash,)).unwrap();
        !receipt.is_null()
    });
    assert_eq!(receipt["status"], "0x1", "{receipt}");
}

#[test]
fn deposits_arrive_on_l2_and_follower() {
    let localnet = Localnet::start(&["--follower"]);
    for user in 0..USERS {
        let expected = U256::from(DEPOSIT * ETHER);
        assert_eq!(balance(&localnet.l2, localnet.user(user)), expected, "{user}");
    }
    let stranger = Address::repeat_byte(0x5a);
    deposit(&localnet, stranger, ETHER);
    let arrived = |node: &Client| balance(node, stranger) == U256::from(ETHER);
    until("the deposit", || arrived(&localnet.l2));
    let follower = localnet.report["followerUrl"].as_str().unwrap();
    let follower = Client::new(follower, client::ClientOptions::default()).unwrap();
    until("the deposit on the follower", || arrived(&follower));
}

/// The built-in state is of an earlier year.
#[test]
fn both_chains_have_time_of_system() {
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let localnet = Localnet::start(&[]);
    assert!(timestamp(&localnet.l1) >= begun);
    // L1 is two seconds behind until the first L2 block.
    assert!(timestamp(&localnet.l2) + 2 >= begun);
}

#[test]
fn time_of_l1_moves_both_chains() {
    let localnet = Localnet::start(&[]);
    let begun = timestamp(&localnet.l2);
    let day = 86_400_u64;
    let _: Value = localnet.l1.request("evm_increaseTime", (day,)).unwrap();
    // The L2 makes a block, for which it reads L1's time.
    deposit(&localnet, Address::repeat_byte(0x5b), ETHER);
    until("the time of the L2", || timestamp(&localnet.l2) >= begun + day);
    assert!(timestamp(&localnet.l1) >= begun + day);
    until("the deposit", || !balance(&localnet.l2, Address::repeat_byte(0x5b)).is_zero());
    // The rollup continues: its newest block is posted to L1.
    let status = || localnet.l2.request::<_, SyncStatus>("rollup_syncStatus", ()).unwrap();
    let number = status().unsafe_head.number;
    until("the block on L1", || status().safe_head.number >= number);
}

/// The commands that the banner prints, with the accounts and URLs in it.
#[test]
fn printed_commands_work_in_shell() {
    let localnet = Localnet::start(&[]);
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let (cast, enshrine) = (tools.cast(), env!("CARGO_BIN_EXE_enshrine"));
    let is_command = |line: &&str| line.starts_with("  cast ");
    // The banner follows the first answers.
    until("the commands", || localnet.said("out").lines().filter(is_command).count() == 3);
    let said = localnet.said("out");
    let commands: Vec<_> = said.lines().filter(is_command).collect();
    for command in commands {
        let command = command
            .replace("  cast ", &format!("{} ", cast.display()))
            .replace("$(enshrine ", &format!("$({enshrine} "));
        let mut said = String::new();
        until("a command of the banner", || {
            let output = Command::new("bash").args(["-c", &command]).output().unwrap();
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success()
        });
        assert!(said.is_empty() || !said.contains("error"), "{said}");
    }
}
