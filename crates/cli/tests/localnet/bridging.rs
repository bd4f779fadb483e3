//! Deposits, withdrawals, tokens and time on a localnet.

use crate::{
    made::{DEPOSIT, USERS},
    process::{Localnet, until},
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::{SolCall, sol};
use client::Client;
use contracts::{
    L2_MESSENGER,
    bindings::{IL1MessageQueue, IL2Messenger},
};
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

sol! {
    interface IL1TokenBridge {
        function DEPOSIT_GAS() external view returns (uint64);
        function deposit(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit)
            external payable returns (uint64);
    }
    interface IToken {
        function mint(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
    }
}

fn balance(node: &Client, account: Address) -> U256 {
    node.request("eth_getBalance", (account, "latest")).unwrap()
}

fn timestamp(node: &Client) -> u64 {
    let block: Value = node.request("eth_getBlockByNumber", ("latest", false)).unwrap();
    serde_json::from_value::<U64>(block["timestamp"].clone()).unwrap().to()
}

/// Sends a transaction from an unlocked account of L1, and waits for its success.
fn on_l1(localnet: &Localnet, from: Address, to: Address, wei: u128, input: &Bytes) {
    let transaction = json!({
        "from": from, "to": to, "value": U256::from(wei), "input": input, "gas": "0x16e360",
    });
    let hash: B256 = localnet.l1.request("eth_sendTransaction", (transaction,)).unwrap();
    until_success(&localnet.l1, hash);
}

fn until_success(node: &Client, hash: B256) {
    let mut receipt = Value::Null;
    until("a receipt", || {
        receipt = node.request("eth_getTransactionReceipt", (hash,)).unwrap();
        !receipt.is_null()
    });
    assert_eq!(receipt["status"], "0x1", "{receipt}");
}

fn deposit(localnet: &Localnet, to: Address, wei: u128) {
    let call =
        IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: FEE, data: Bytes::new() };
    let queue = localnet.contract("messageQueue");
    on_l1(localnet, localnet.user(0), queue, wei + FEE, &call.abi_encode().into());
}

/// Sends a transaction of a user on the L2, signed with the key in the report.
fn on_l2(localnet: &Localnet, user: usize, to: Address, wei: u128, input: Bytes) {
    let key = localnet.report["accounts"][user]["key"].as_str().unwrap().parse().unwrap();
    let key = testkit::Key::from_secret(key).unwrap();
    let nonce: U64 = {
        let count = (key.address(), "latest");
        localnet.l2.request("eth_getTransactionCount", count).unwrap()
    };
    let transaction = key.sign(alloy_consensus::TxEip1559 {
        chain_id: 8_079,
        nonce: nonce.to(),
        gas_limit: 300_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to: to.into(),
        value: U256::from(wei),
        input,
        ..Default::default()
    });
    let raw = Bytes::from(alloy_eips::eip2718::Encodable2718::encoded_2718(&transaction));
    let hash = localnet.l2.request("eth_sendRawTransaction", (raw,)).unwrap();
    until_success(&localnet.l2, hash);
}

/// Claims a message of the L2, as soon as its block is on L1.
fn claim(localnet: &Localnet, message: u64) {
    let url = |key: &str| localnet.report[key].as_str().unwrap();
    let mut calldata = None;
    until("the proof of a message", || {
        let proved = Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .args(["prove", "--message", &message.to_string()])
            .args(["--l1", url("l1Url"), "--l2", url("l2Url")])
            .args(["--deployment", url("deployment")])
            .output()
            .unwrap();
        calldata = proved.status.success().then_some(proved.stdout);
        calldata.is_some()
    });
    let claim: Bytes = String::from_utf8(calldata.unwrap()).unwrap().trim().parse().unwrap();
    on_l1(localnet, localnet.user(0), localnet.contract("messageQueue"), 0, &claim);
}

#[test]
fn ether_crosses_both_ways() {
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

    let call = IL2Messenger::sendCall {
        to: stranger,
        refundTo: stranger,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    on_l2(&localnet, 0, L2_MESSENGER, ETHER / 2, call.abi_encode().into());
    claim(&localnet, 0);
    assert_eq!(balance(&localnet.l1, stranger), U256::from(ETHER / 2));
}

#[test]
fn test_token_crosses_to_l2() {
    let localnet = Localnet::start(&["--fork", "amsterdam"]);
    let (user, bridge) = (localnet.user(3), localnet.contract("l1Bridge"));
    let (on_l1_side, on_l2_side) = (localnet.address("l1Token"), localnet.address("l2Token"));
    let amount = U256::from(7);
    let mint = IToken::mintCall { to: user, amount };
    on_l1(&localnet, user, on_l1_side, 0, &mint.abi_encode().into());
    let approve = IToken::approveCall { spender: bridge, amount };
    on_l1(&localnet, user, on_l1_side, 0, &approve.abi_encode().into());
    let call = |node: &Client, to: Address, data: Vec<u8>| -> Bytes {
        let request = json!({ "to": to, "input": Bytes::from(data) });
        node.request("eth_call", (request, "latest")).unwrap()
    };
    let gas = call(&localnet.l1, bridge, IL1TokenBridge::DEPOSIT_GASCall {}.abi_encode());
    let deposit = IL1TokenBridge::depositCall {
        l1Token: on_l1_side,
        to: user,
        refundTo: user,
        amount,
        gasLimit: IL1TokenBridge::DEPOSIT_GASCall::abi_decode_returns(&gas).unwrap(),
    };
    on_l1(&localnet, user, bridge, FEE, &deposit.abi_encode().into());
    let held = IToken::balanceOfCall { account: user }.abi_encode();
    until("the tokens on the L2", || {
        let answer = call(&localnet.l2, on_l2_side, held.clone());
        IToken::balanceOfCall::abi_decode_returns(&answer).is_ok_and(|units| units == amount)
    });
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
