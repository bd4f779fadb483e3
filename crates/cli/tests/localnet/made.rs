//! Makes the built-in state of `enshrine localnet`: deploys a rollup by the scripts of the checkout
//! to a devnet, and sends the messages that the first L2 block relays.
//!
//! All timestamps follow from the block number, so the state is the same each time.

use crate::l2::transactions;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use client::Client;
use contracts::{Deployment, bindings::IL1MessageQueue};
use devnet::{Accounts, MnemonicSource, state_file::StateFile};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};
use testkit::{Artifacts, ETHER, NodeProcess};
use toolchain::{Toolchain, progress_to_stderr};

/// Timestamp of the first block of L1 and of the L2: 2026-01-01.
const GENESIS_TIME: u64 = 1_767_225_600;
/// Number of L1 blocks from whose timestamps `enshrine init` derives the slots of L1.
const BLOCKS_TO_MEASURE: u64 = 40;
/// Number of user accounts, which have the first indices; the accounts of the sequencer and its
/// operator follow.
pub(crate) const USERS: usize = 10;
/// Deposit of each user, in ether.
pub(crate) const DEPOSIT: u128 = 100;
/// Balance of the operator on the L2 at genesis, in ether.
const FLOAT: u128 = 10;
/// Fee of a message to the L2, in wei: more than enough for any gas limit at the first base fees.
const MESSAGE_FEE: u128 = ETHER / 100;
/// Gas limit of each transaction. The devnet's estimates are for the latest block, in which another
/// deposit may already have paid for a checkpoint.
const GAS: &str = "0x2dc6c0";
/// Salt that, with the deployer's account, determines the addresses of the contracts.
const SALT: &str = "enshrine localnet";

sol! {
    interface IL1TokenBridge {
        function REGISTER_GAS() external view returns (uint64);
        function l2TokenOf(address l1Token) external view returns (address);
        function register(address l1Token, uint64 gasLimit) external payable returns (uint64);
    }
}

/// The built-in state, as made by the scripts.
pub(crate) struct Made {
    /// State of L1.
    pub(crate) l1: StateFile,
    /// Deployment file of the rollup.
    pub(crate) deployment: Value,
    /// Addresses of the test token, and the first transactions of the L2.
    pub(crate) l2: Value,
}

/// The accounts of the test mnemonic, by index.
pub(crate) fn accounts() -> Accounts {
    Accounts::derive(&MnemonicSource::default(), "m/44'/60'/0'/0/", USERS as u32 + 2).unwrap()
}

impl Made {
    /// Starts a devnet and deploys the rollup to it.
    pub(crate) fn by_scripts() -> Self {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let caches = tools.root().join("cache");
        fs::create_dir_all(&caches).unwrap();
        // The scripts may write only there.
        let folder = tempfile::Builder::new().prefix("localnet-").tempdir_in(caches).unwrap();
        let place = folder.path().join("rollup");
        let l1 = NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).args([
            "devnet",
            "--silent",
            "--mainnet",
            "--hardfork",
            "osaka",
            "--accounts",
            &(USERS + 2).to_string(),
            "--timestamp",
            &GENESIS_TIME.to_string(),
            "--execute-dialects",
            "specs,headers,headers-blobs",
            "--execute-blobs",
        ]))
        .unwrap();
        let node = l1.client();
        let _: Value = node.request("anvil_setBlockTimestampInterval", (1_u64,)).unwrap();
        let _: Value = node.request("anvil_mine", (BLOCKS_TO_MEASURE,)).unwrap();
        initialise(&place, node.url());
        let file = place.join("rollup.toml");
        run_script(&tools, folder.path(), "Deploy", "run(string)", &file, node.url());
        let file = place.join("deployment.json");
        let deployment = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let found = Deployment::read(&file).unwrap();
        let (token, registration) = send_messages(node, &tools, &found);
        let packed: Bytes = node.request("anvil_dumpState", ()).unwrap();
        let transactions = transactions(&tools, folder.path(), &place, &found, &registration);
        let l2 = json!({ "token": token, "transactions": transactions });
        Self { l1: StateFile::decode(&packed).unwrap(), deployment, l2 }
    }
}

/// Runs `enshrine init` with the keys of the test mnemonic.
fn initialise(place: &Path, l1: &str) {
    fs::create_dir_all(place).unwrap();
    let accounts = accounts();
    let key = |index: usize| {
        let signer = &accounts.signers[index];
        json!({ "address": signer.address(), "key": signer.to_bytes() })
    };
    let keys = json!({ "advance": key(USERS), "operator": key(USERS + 1) });
    fs::write(place.join("keys.json"), keys.to_string()).unwrap();
    let init = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .arg("init")
        .arg(place)
        .args(["--dev", "--json", "--l1", l1, "--salt", SALT])
        .args(["--timestamp", &GENESIS_TIME.to_string()])
        .args(["--operator-float", &FLOAT.to_string()])
        .output()
        .unwrap();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
}

/// Runs a function of a script on a file, with transactions of the sequencer's account.
pub(crate) fn run_script(
    tools: &Toolchain,
    folder: &Path,
    name: &str,
    function: &str,
    file: &Path,
    url: &str,
) {
    let script = format!("script/{name}.s.sol");
    let key = accounts().signers[USERS].to_bytes().to_string();
    let output = tools
        .forge_beside_others(&script, folder)
        .unwrap()
        .args(["script", &script, "--sig", function])
        .arg(file)
        // The node must estimate the gas, because forge's EVM supports neither forks after Osaka
        // nor EXECUTE.
        .args(["--rpc-url", url, "--broadcast", "--slow", "--skip-simulation"])
        .args(["--private-key", &key])
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Backs the operator's float, deposits for each user and for the sequencer, and deploys and
/// registers the test token. Returns the addresses of the token on both chains, and the receipt of
/// the registration.
fn send_messages(l1: &Client, tools: &Toolchain, deployment: &Deployment) -> (Value, Value) {
    let queue = deployment.message_queue;
    let back = IL1MessageQueue::backCall {};
    transact(l1, Some(queue), FLOAT * ETHER, &back.abi_encode().into());
    for to in accounts().addresses().take(USERS + 1) {
        let call = IL1MessageQueue::sendCall {
            to,
            refundTo: to,
            gasLimit: 0,
            fee: MESSAGE_FEE,
            data: Bytes::new(),
        };
        transact(l1, Some(queue), DEPOSIT * ETHER + MESSAGE_FEE, &call.abi_encode().into());
    }
    let made = Artifacts::compile_files(tools, &["test/utils/TestToken.sol"]).unwrap();
    let code = made.get("TestToken").unwrap().init_code.clone();
    let created = transact(l1, None, 0, &code);
    let token: Address = created["contractAddress"].as_str().unwrap().parse().unwrap();
    let bridge = deployment.l1_bridge;
    let gas = ask(l1, bridge, &IL1TokenBridge::REGISTER_GASCall {});
    let register = IL1TokenBridge::registerCall { l1Token: token, gasLimit: gas };
    let registration = transact(l1, Some(bridge), MESSAGE_FEE, &register.abi_encode().into());
    let l2: Address = ask(l1, bridge, &IL1TokenBridge::l2TokenOfCall { l1Token: token });
    (json!({ "l1": token, "l2": l2 }), registration)
}

/// Sends a transaction from the sequencer's account, and returns its receipt.
fn transact(l1: &Client, to: Option<Address>, wei: u128, input: &Bytes) -> Value {
    let from = accounts().signers[USERS].address();
    let mut transaction =
        json!({ "from": from, "value": U256::from(wei), "input": input, "gas": GAS });
    if let Some(to) = to {
        transaction["to"] = json!(to);
    }
    let hash: B256 = l1.request("eth_sendTransaction", (transaction,)).unwrap();
    let receipt: Value = l1.request("eth_getTransactionReceipt", (hash,)).unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    receipt
}

/// Calls a contract at the latest block.
fn ask<C: SolCall>(l1: &Client, to: Address, call: &C) -> C::Return {
    let request = json!({ "to": to, "input": Bytes::from(call.abi_encode()) });
    let answer: Bytes = l1.request("eth_call", (request, "latest")).unwrap();
    C::abi_decode_returns(&answer).unwrap()
}
