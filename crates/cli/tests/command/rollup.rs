//! `enshrine init`, `genesis`, `prove` and `calldata` as processes.

use crate::support::document;
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, U256, address, hex};
use alloy_sol_types::SolCall as _;
use contracts::{
    Deployment, L1_ANCHOR, L2_MESSENGER, PREMINT, Predeploys,
    bindings::{
        IForcedInbox::submitCall, IL1MessageQueue::claimCall, IL2Messenger::sendCall,
        INativeRollup::advanceCall,
    },
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};
use testkit::{ETHER, Key, NodeProcess};
use toolchain::{Toolchain, progress_to_stderr};

fn enshrine(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_enshrine")).args(arguments).output().expect("runs")
}

/// What a command says that succeeds.
#[track_caller]
fn run(arguments: &[&str]) -> String {
    let output = enshrine(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says that must fail.
#[track_caller]
fn refuse(arguments: &[&str]) -> String {
    let output = enshrine(arguments);
    assert!(!output.status.success(), "{arguments:?} was expected to fail");
    String::from_utf8(output.stderr).unwrap()
}

fn json_of(arguments: &[&str]) -> Value {
    document(run(&[arguments, &["--json"]].concat()).as_bytes())
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn toml_of(file: &str) -> toml::Table {
    fs::read_to_string(file).unwrap().parse().unwrap()
}

/// A new folder's name, below one that is removed.
fn place() -> (tempfile::TempDir, String) {
    let parent = tempfile::tempdir().unwrap();
    let folder = path(parent.path(), "deep/my-rollup");
    (parent, folder)
}

#[test]
fn init_makes_files_that_agree_with_one_another() {
    let (_parent, folder) = place();
    let told = json_of(&["init", &folder, "--timestamp", "1700000000"]);
    let folder = Path::new(&folder);
    let (genesis, rollup, node) = (
        path(folder, "genesis.json"),
        toml_of(&path(folder, "rollup.toml")),
        toml_of(&path(folder, "node.toml")),
    );
    let first = json_of(&["genesis", &genesis]);
    assert_eq!(first["blockHash"], told["genesisHash"]);
    assert_eq!(first["stateRoot"], told["genesisStateRoot"]);
    assert_eq!(first["chainId"], 8_079);
    assert_eq!(first["fork"], "osaka");
    assert_eq!(first["timestamp"], 1_700_000_000);
    assert_eq!(rollup["l2"]["chain_id"].as_integer(), first["chainId"].as_i64());
    let fork = rollup["l2"]["schema"].as_str().expect("a name");
    assert_eq!(first["fork"].as_str(), Some(fork));
    assert_eq!(rollup["l2"]["genesis"]["header"].as_str(), first["header"].as_str());
    assert_eq!(rollup["l2"]["genesis"]["file"].as_str(), Some(&*genesis));
    assert_eq!(rollup["deployment"]["file"], node["deployment"]);
    assert_eq!(rollup["deployment"]["file"].as_str(), Some(&*path(folder, "deployment.json")));
    assert_eq!(rollup["sequencing"]["policy"].as_str(), Some("permissioned"));

    let keys: Value =
        serde_json::from_str(&fs::read_to_string(path(folder, "keys.json")).unwrap()).unwrap();
    let account = |name: &str| {
        let secret: B256 = keys[name]["key"].as_str().unwrap().parse().unwrap();
        Key::from_secret(secret).unwrap().address().to_string()
    };
    let lower = |value: &Value| value.as_str().unwrap().parse::<Address>().unwrap().to_string();
    assert_eq!(account("advance"), lower(&keys["advance"]["address"]));
    assert_eq!(account("advance"), lower(&told["advance"]));
    assert_eq!(rollup["sequencing"]["sequencer"].as_str(), Some(&*account("advance")));
    for key in ["advance_key", "operator_key"] {
        assert_eq!(node[key].as_str(), Some(&*path(folder, "keys.json")));
    }
    assert_eq!(node["role"].as_str(), Some("sequencer"));
    for key in [
        "l1",
        "data_dir",
        "http_port",
        "block_time_ms",
        "idle_block_time_ms",
        "submit_interval_ms",
        "l1_confirmations",
    ] {
        assert!(node.contains_key(key), "{key}");
    }
    let idle = node["idle_block_time_ms"].as_integer().unwrap() / 1_000;
    assert!(idle < rollup["sequencing"]["timeout"].as_integer().unwrap(), "others would advance");

    // Of all ether on the L2, nothing but the operator's float is outside the messenger.
    let genesis: Value = serde_json::from_str(&fs::read_to_string(genesis).unwrap()).unwrap();
    let accounts = genesis["alloc"].as_object().unwrap();
    let rich: Vec<_> = accounts
        .iter()
        .map(|(address, account)| (address.parse::<Address>().unwrap(), &account["balance"]))
        .map(|(address, wei)| (address, wei.as_str().unwrap().parse::<U256>().unwrap()))
        .filter(|(_, wei)| !wei.is_zero())
        .collect();
    let operator: Address = account("operator").parse().unwrap();
    assert_eq!(rich.len(), 2);
    assert!(rich.contains(&(L2_MESSENGER, PREMINT)));
    assert!(rich.contains(&(operator, U256::from(ETHER))));
    let code = |address: Address| {
        let (_, account) =
            accounts.iter().find(|(name, _)| name.parse() == Ok(address)).expect("it is there");
        hex::decode(account["code"].as_str().unwrap()).unwrap()
    };
    assert_eq!(code(L1_ANCHOR), Predeploys::built_in().l1_anchor);
    assert!(!code(address!("0x4e59b44847b379578588920cA78FbF26c0B4956C")).is_empty());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path(folder, "keys.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let ignored = fs::read_to_string(path(folder, ".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "keys.json"));
}

#[test]
fn init_overwrites_nothing_and_uses_keys_that_are_there() {
    let (_parent, folder) = place();
    let first = json_of(&["init", &folder]);
    let keys = fs::read_to_string(path(Path::new(&folder), "keys.json")).unwrap();
    for name in ["genesis.json", "rollup.toml", "node.toml"] {
        let said = refuse(&["init", &folder]);
        assert!(said.contains(&path(Path::new(&folder), name)), "{said}");
        fs::remove_file(path(Path::new(&folder), name)).unwrap();
    }
    let again = json_of(&["init", &folder]);
    assert_eq!(again["advance"], first["advance"]);
    assert_eq!(again["operator"], first["operator"]);
    assert_eq!(fs::read_to_string(path(Path::new(&folder), "keys.json")).unwrap(), keys);
    // What a deployment has written is not forgotten either.
    for name in ["genesis.json", "rollup.toml", "node.toml"] {
        fs::remove_file(path(Path::new(&folder), name)).unwrap();
    }
    fs::write(path(Path::new(&folder), "deployment.json"), "{}").unwrap();
    assert!(refuse(&["init", &folder]).contains("deployment.json"));
    fs::remove_file(path(Path::new(&folder), "deployment.json")).unwrap();
    // A key that is not that of its account is a mistake that somebody has to see.
    let mut wrong: Value = serde_json::from_str(&keys).unwrap();
    wrong["advance"]["address"] = json!(Address::repeat_byte(1));
    fs::write(path(Path::new(&folder), "keys.json"), wrong.to_string()).unwrap();
    let said = refuse(&["init", &folder]);
    assert!(said.contains("advance.key is that of"), "{said}");
    // Other keys make another L2, and so other addresses.
    fs::remove_file(path(Path::new(&folder), "keys.json")).unwrap();
    assert_ne!(json_of(&["init", &folder])["genesisHash"], first["genesisHash"]);
}

#[test]
fn init_begins_an_l2_no_later_than_the_latest_block_of_l1() {
    let begins = |l1: &str| {
        let (_parent, folder) = place();
        json_of(&["init", &folder, "--l1", l1]);
        let genesis = json_of(&["genesis", &path(Path::new(&folder), "genesis.json")]);
        genesis["timestamp"].as_u64().unwrap()
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let l1_at = |time: u64| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
        NodeProcess::start(command.args(["devnet", "--timestamp", &time.to_string()])).unwrap()
    };
    assert_eq!(begins(l1_at(1_700_000_000).client().url()), 1_700_000_000);
    // An L1 whose clock is ahead of ours: a block of the L2 is not made in the future.
    let before = now();
    let begun = begins(l1_at(before + 3_600).client().url());
    assert!((before..=now()).contains(&begun));
    // Nobody listens.
    let before = now();
    let begun = begins("http://127.0.0.1:1");
    assert!((before - 60..=now() - 60).contains(&begun));
}

#[test]
fn init_writes_down_what_it_is_asked_for_and_refuses_what_no_rollup_can_have() {
    let (_parent, folder) = place();
    let owner = Address::repeat_byte(0xaa).to_string();
    let sequencer = Address::repeat_byte(0xbb).to_string();
    for (flags, reason) in [
        (&["--chain-id", "1"][..], "a public network's"),
        (&["--chain-id", "0"], "at least 1"),
        (&["--gas-limit", "4294967296"], "at most 4294967295"),
        (&["--fork", "cancun"], "prague, osaka"),
        (&["--policy", "none", "--sequencer", &sequencer], "only --policy permissioned"),
        (&["--sequencer", "0x0000000000000000000000000000000000000000"], "nobody has"),
        (&["--operator-float", "a lot"], "an amount of ether"),
        (&["--operator-float", "19"], "at most 18.44"),
    ] {
        let said = refuse(&[&["init", &folder], flags].concat());
        assert!(said.contains(reason), "{flags:?}: {said}");
        assert!(!Path::new(&folder).exists(), "{flags:?} has left something");
    }
    let flags = [
        "--chain-id",
        "90",
        "--fork",
        "amsterdam",
        "--gas-limit",
        "4294967295",
        "--owner",
        &owner,
        "--sequencer",
        &sequencer,
        "--operator-float",
        "0",
        "--salt",
        "a \"salt\"",
        "--http-port",
        "9000",
        "--l1",
        "http://l1.example:8545",
        "--dev",
    ];
    let told = json_of(&[&["init", &folder][..], &flags].concat());
    assert_eq!(told["fork"], "amsterdam");
    let folder = Path::new(&folder);
    let (rollup, node) =
        (toml_of(&path(folder, "rollup.toml")), toml_of(&path(folder, "node.toml")));
    assert_eq!(rollup["deployment"]["salt"].as_str(), Some("a \"salt\""));
    assert_eq!(rollup["l2"]["chain_id"].as_integer(), Some(90));
    assert_eq!(rollup["l2"]["schema"].as_str(), Some("amsterdam"));
    assert_eq!(rollup["rollup"]["owner"].as_str(), Some(&*owner));
    assert_eq!(rollup["rollup"]["max_lag"].as_integer(), Some(60));
    assert_eq!(rollup["forced"]["delay"].as_integer(), Some(90));
    assert_eq!(rollup["sequencing"]["sequencer"].as_str(), Some(&*sequencer));
    let idle = node["idle_block_time_ms"].as_integer().unwrap() / 1_000;
    assert!(idle < rollup["sequencing"]["timeout"].as_integer().unwrap(), "others would advance");
    assert_eq!(node["http_port"].as_integer(), Some(9_000));
    assert_eq!(node["l1"].as_str(), Some("http://l1.example:8545"));
    let genesis = json_of(&["genesis", &path(folder, "genesis.json")]);
    assert_eq!(genesis["chainId"], 90);
    assert_eq!(genesis["gasLimit"], 4_294_967_295_u64);
    let alloc: Value =
        serde_json::from_str(&fs::read_to_string(path(folder, "genesis.json")).unwrap()).unwrap();
    let operator = told["operator"].as_str().unwrap().to_lowercase();
    assert!(alloc["alloc"].get(&operator).is_none(), "an operator without a float");
}

#[test]
fn genesis_says_what_is_missing_in_a_file_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "genesis.json");
    fs::write(&file, "{\"alloc\": {}}").unwrap();
    let said = refuse(&["genesis", &file]);
    assert!(said.contains("it needs both `config`"), "{said}");
    fs::write(&file, "{\"alloc\": {}, \"config\": {\"chainId\": 7}}").unwrap();
    let said = refuse(&["genesis", &file]);
    assert!(said.contains("older than Shanghai"), "{said}");
    fs::write(&file, "{\"config\": {\"chainId\": 7},\n\"alloc\": {\"0x12\": {}}}").unwrap();
    let said = refuse(&["genesis", &file]);
    assert!(said.contains("genesis.json") && said.contains("line 2 column"), "{said}");
    let config = json!({
        "chainId": 7, "londonBlock": 0, "terminalTotalDifficulty": 0, "shanghaiTime": 0,
        "cancunTime": 0, "pragueTime": 0,
    });
    fs::write(&file, json!({ "alloc": {}, "config": config }).to_string()).unwrap();
    let first = json_of(&["genesis", &file]);
    assert_eq!(first["fork"], "prague");
    assert_eq!(first["accounts"], 0);
    assert!(run(&["genesis", &file]).contains(first["blockHash"].as_str().unwrap()));
    // A deployment file holds one.
    let inside = json!({ "rollup": Address::ZERO, "genesis": { "alloc": {}, "config": config } });
    fs::write(&file, inside.to_string()).unwrap();
    assert_eq!(json_of(&["genesis", &file])["blockHash"], first["blockHash"]);
    let fed = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .args(["genesis", "-", "--json"])
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert_eq!(document(&fed.stdout)["blockHash"], first["blockHash"]);
}

/// An L2 that is a devnet with the genesis of a rollup; nothing but L1 is missing to it.
fn l2(folder: &str) -> NodeProcess {
    run(&["init", folder, "--json", "--timestamp", "1700000000"]);
    let genesis = path(Path::new(folder), "genesis.json");
    NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).args([
        "devnet",
        "--no-execute",
        "--init",
        &genesis,
    ]))
    .unwrap()
}

/// Sends a message to L1 from the first account of the devnet; its fee is `fee`.
fn send(l2: &NodeProcess, to: Address, wei: u64, fee: u64) {
    let accounts: Vec<Address> = l2.client().request("eth_accounts", ()).unwrap();
    let call =
        sendCall { to, refundTo: to, gasLimit: 0, fee: fee.into(), data: Default::default() };
    let transaction = json!({
        "from": accounts[0], "to": L2_MESSENGER, "value": U256::from(wei),
        "data": hex::encode_prefixed(call.abi_encode()), "gas": "0x493e0",
    });
    let _: B256 = l2.client().request("eth_sendTransaction", [transaction]).unwrap();
}

#[test]
fn prove_gives_the_claim_of_a_message_from_a_state_that_holds_it() {
    let (_parent, folder) = place();
    let l2 = l2(&folder);
    let url = l2.client().url().to_owned();
    let said = refuse(&["prove", "--l2", &url, "--message", "0"]);
    assert!(said.contains("knows no message 0"), "{said}");
    let bob = Address::repeat_byte(0xb0);
    send(&l2, bob, 7, 0);
    send(&l2, bob, 9, 2);
    for (index, block, value) in [(0, 1, 7), (0, 2, 7)] {
        let (message, number) = (index.to_string(), block.to_string());
        let told = json_of(&["prove", "--l2", &url, "--message", &message, "--block", &number]);
        assert_eq!(told["blockNumber"], block);
        assert_eq!(told["sentInBlock"], 1);
        assert_eq!(told["knownToL1"], false);
        let calldata = hex::decode(told["calldata"].as_str().unwrap()).unwrap();
        let claim = claimCall::abi_decode(&calldata).unwrap();
        assert_eq!(claim.message.to, bob);
        assert_eq!(claim.message.value, value);
        assert_eq!(claim.message.index, index);
        assert_eq!(claim.proof.l2Block, block);
        assert!(!claim.proof.accountProof.is_empty() && !claim.proof.storageProof.is_empty());
        let calldata = hex::encode_prefixed(calldata);
        let plain = run(&["prove", "--l2", &url, "--message", &message, "--block", &number]);
        assert_eq!(plain.trim(), calldata);
        let same =
            run(&["calldata", "claim", "--l2", &url, "--message", &message, "--block", &number]);
        assert_eq!(same.trim(), calldata);
    }
    // Before it was sent.
    let said = refuse(&["prove", "--l2", &url, "--message", "1", "--block", "1"]);
    assert!(said.contains("was sent in L2 block 2"), "{said}");
    // A fee is for somebody.
    let said = refuse(&["prove", "--l2", &url, "--message", "1"]);
    assert!(said.contains("--fee-recipient"), "{said}");
    let to = bob.to_string();
    let told = json_of(&["prove", "--l2", &url, "--message", "1", "--fee-recipient", &to]);
    let calldata = hex::decode(told["calldata"].as_str().unwrap()).unwrap();
    assert_eq!(claimCall::abi_decode(&calldata).unwrap().feeRecipient, bob);

    // A node whose proof is not of the block's state, and one in whose state the message is not.
    let mine = || l2.client().request::<_, Value>("evm_mine", ()).unwrap();
    mine();
    let cheat = (L2_MESSENGER, contracts::sent_slot(0), B256::ZERO);
    let _: Value = l2.client().request("anvil_setStorageAt", cheat).unwrap();
    mine();
    for (block, reason) in [("3", "prove the account"), ("4", "prove that the messenger holds")] {
        let said = refuse(&["prove", "--l2", &url, "--message", "0", "--block", block]);
        assert!(said.contains("proves something else") && said.contains(reason), "{said}");
        assert!(said.len() < 1_000, "{said}");
    }
    json_of(&["prove", "--l2", &url, "--message", "0", "--block", "2"]);
}

#[test]
fn forced_calldata_holds_the_transaction_as_it_was_signed() {
    let alice = Key::named("alice");
    let signed = alice.sign(TxEip1559 {
        chain_id: 8_079,
        nonce: 3,
        gas_limit: 21_000,
        to: Address::repeat_byte(1).into(),
        ..Default::default()
    });
    let raw = hex::encode_prefixed(signed.encoded_2718());
    let plain = run(&["calldata", "force", &raw]);
    let call = submitCall::abi_decode(&hex::decode(plain.trim()).unwrap()).unwrap();
    assert_eq!(call.raw, signed.encoded_2718());
    let told = json_of(&["calldata", "force", &raw]);
    assert_eq!(told["sender"].as_str().unwrap().parse(), Ok(alice.address()));
    assert_eq!(told["nonce"], 3);
    assert_eq!(told["transactionHash"].as_str().unwrap().parse(), Ok(*signed.tx_hash()));
    for (raw, reason) in [
        (&raw[..raw.len() - 2], "not a signed transaction"),
        (&*format!("{raw}00"), "not a signed transaction"),
        ("0x12345", "hexadecimal digits"),
    ] {
        let said = refuse(&["calldata", "force", raw]);
        assert!(said.contains(reason), "{said}");
    }
}

/// An L1 with EXECUTE, and rollups that forge deploys there.
struct L1 {
    node: NodeProcess,
    tools: Toolchain,
    sender: Address,
    /// Relative to the top of the checkout, where forge may write.
    folder: String,
}

impl Drop for L1 {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.tools.root().join(&self.folder));
    }
}

impl L1 {
    fn new(name: &str) -> Self {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let node = NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).arg("devnet"));
        let node = node.unwrap();
        let accounts: Vec<Address> = node.client().request("eth_accounts", ()).unwrap();
        let folder = format!("cache/{name}-{}", std::process::id());
        Self { node, tools, sender: accounts[0], folder }
    }

    fn url(&self) -> &str {
        self.node.client().url()
    }

    /// Makes a rollup with these flags, and deploys it: its folder, and what `init` says.
    fn rollup(&self, name: &str, flags: &[&str]) -> (PathBuf, Value) {
        let top = self.tools.root();
        let folder = format!("{}/{name}", self.folder);
        let output = Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .args(["init", &folder, "--json", "--l1", self.url()])
            .args(flags)
            .current_dir(top)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = serde_json::from_slice(&output.stdout).unwrap();
        let output = self
            .tools
            .forge_command()
            .args(["script", "script/Deploy.s.sol", "--sig", "run(string)"])
            .arg(format!("{folder}/rollup.toml"))
            .args(["--rpc-url", self.url(), "--broadcast", "--slow", "--unlocked"])
            .args(["--sender", &self.sender.to_string()])
            .env("FOUNDRY_BROADCAST", top.join(&self.folder).join("broadcast"))
            .env("FOUNDRY_DENY", "never")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}{failed}");
        (top.join(folder), told)
    }

    /// Sends calldata to a contract; whether that succeeded.
    fn send(&self, to: Address, calldata: &str) -> bool {
        let transaction =
            json!({ "from": self.sender, "to": to, "data": calldata.trim(), "gas": "0xf42400" });
        let hash: B256 = self.node.client().request("eth_sendTransaction", [transaction]).unwrap();
        let receipt: Value =
            self.node.client().request("eth_getTransactionReceipt", [hash]).unwrap();
        receipt["status"] == "0x1"
    }
}

#[test]
fn what_init_makes_is_deployed_and_read_back_with_the_genesis_in_it() {
    let l1 = L1::new("init");
    for (name, flags) in [("usual", &[][..]), ("dev", &["--dev", "--policy", "open"])] {
        let (folder, told) = l1.rollup(name, flags);
        let file = folder.join("deployment.json");
        let deployment = Deployment::read(&file).unwrap();
        assert_eq!(deployment.genesis_hash.to_string(), told["genesisHash"].as_str().unwrap());
        assert_eq!(deployment.l2_chain_id, 8_079);
        assert_eq!(deployment.l1_chain_id, 31_337);
        assert_eq!(deployment.deployer, l1.sender);
        assert!(!deployment.policy.is_zero(), "{name} has a policy");
        // In the file itself, not only beside it.
        fs::remove_file(folder.join("genesis.json")).unwrap();
        assert_eq!(Deployment::read(&file).unwrap(), deployment);
    }
}

/// An L2 that is a devnet with nothing but a rollup's genesis, and the key that has ether there.
fn bare_l2(folder: &Path) -> (NodeProcess, Key) {
    let keys = fs::read_to_string(folder.join("keys.json")).unwrap();
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let secret: B256 = keys["operator"]["key"].as_str().unwrap().parse().unwrap();
    let genesis = path(folder, "genesis.json");
    let arguments = ["devnet", "--no-execute", "--accounts", "0", "--init", &genesis];
    let node = NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).args(arguments));
    (node.unwrap(), Key::from_secret(secret).unwrap())
}

/// Has the operator of an L2 send wei to an account on L1.
fn withdraw(l2: &NodeProcess, operator: &Key, to: Address, wei: u64) {
    let call =
        sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Default::default() }.abi_encode();
    let signed = operator.sign(TxEip1559 {
        chain_id: 8_079,
        gas_limit: 300_000,
        max_fee_per_gas: 10_000_000_000,
        to: L2_MESSENGER.into(),
        value: U256::from(wei),
        input: call.into(),
        ..Default::default()
    });
    let raw = hex::encode_prefixed(signed.encoded_2718());
    let _: B256 = l2.client().request("eth_sendRawTransaction", [raw]).unwrap();
}

#[test]
fn a_withdrawal_is_advanced_proven_and_claimed_with_calldata_of_the_commands() {
    let l1 = L1::new("withdrawal");
    let (folder, told) = l1.rollup("rollup", &["--policy", "none"]);
    let file = path(&folder, "deployment.json");
    let deployment = Deployment::read(Path::new(&file)).unwrap();
    let (l2, operator) = bare_l2(&folder);
    let first: Value = l2.client().request("eth_getBlockByNumber", ("0x0", false)).unwrap();
    assert_eq!(first["hash"], told["genesisHash"]);
    let bob = Address::repeat_byte(0xb0);
    withdraw(&l2, &operator, bob, 7);

    let (l1_url, l2_url) = (l1.url().to_owned(), l2.client().url().to_owned());
    let prove = ["prove", "--l1", &l1_url, "--deployment", &file, "--message", "0"];
    let honest = [&prove[..], &["--l2", &l2_url]].concat();
    let said = refuse(&honest);
    assert!(said.contains("L1 knows the L2 up to block 0 only"), "{said}");
    let said = refuse(&[&honest[..], &["--block", "1"]].concat());
    assert!(said.contains("stateRootAt"), "{said}");
    // The two nodes mistaken for one another.
    let said = refuse(&[&prove[..], &["--l2", &l1_url]].concat());
    assert!(said.contains("is on chain") && said.contains("8079"), "{said}");

    // The block goes to L1, as the L2 node gives it.
    let input = path(&folder, "block.ssz");
    let fetch = ["execute", "fetch", "--rpc", &l2_url, "--block", "1", "--output", &input];
    run(&[&fetch[..], &["--format", "ssz", "--fork", "osaka"]].concat());
    let calldata = run(&["calldata", "advance", &input]);
    let call = advanceCall::abi_decode(&hex::decode(calldata.trim()).unwrap()).unwrap();
    assert_eq!(call.inputs, [fs::read(&input).unwrap()]);
    let told = json_of(&["calldata", "advance", &input, "--deployment", &file]);
    assert_eq!(told["to"].as_str().unwrap().parse(), Ok(deployment.rollup));
    assert_eq!(told["calldata"], calldata.trim());
    let (other, _) = l1.rollup("other", &["--policy", "none", "--chain-id", "8080"]);
    let other = path(&other, "deployment.json");
    let said = refuse(&["calldata", "advance", &input, "--deployment", &other]);
    assert!(said.contains("block.ssz is of chain 8079, and the L2 is chain 8080"), "{said}");
    let garbage = path(&folder, "garbage.ssz");
    fs::write(&garbage, [7; 700]).unwrap();
    let said = refuse(&["calldata", "advance", &input, &garbage]);
    assert!(said.contains("garbage"), "{said}");
    // With its codes kept on L1: first somebody has to keep them.
    let named = run(&["calldata", "advance", "--kept", &input]);
    assert!(named.len() + 2_000 < calldata.len());
    assert!(!l1.send(deployment.rollup, &named), "nobody keeps the codes");
    let kept = json_of(&["calldata", "keep", &input]);
    let proxy = kept[0]["to"].as_str().unwrap().parse().unwrap();
    let keep = run(&["calldata", "keep", &input]);
    assert_eq!(keep.trim(), kept[0]["calldata"]);
    assert!(l1.send(proxy, &keep), "the codes are kept");
    assert!(refuse(&["calldata", "keep", &garbage]).contains("garbage"));
    assert!(l1.send(deployment.rollup, &named), "the block is advanced");

    // A node with another block in its place proves nothing that L1 would take.
    let (other, _) = bare_l2(&folder);
    withdraw(&other, &operator, bob, 8);
    let said = refuse(&[&prove[..], &["--l2", other.client().url()]].concat());
    assert!(said.contains("is on another chain"), "{said}");

    let escrow = json!([deployment.message_queue, "0x64"]);
    let _: Value = l1.node.client().request("anvil_setBalance", escrow).unwrap();
    let claim = run(&honest);
    assert!(l1.send(deployment.message_queue, &claim), "the message is claimed");
    let balance: U256 = l1.node.client().request("eth_getBalance", (bob, "latest")).unwrap();
    assert_eq!(balance, U256::from(7));
    let said = refuse(&honest);
    assert!(said.contains("has been claimed already"), "{said}");

    // A forced transaction for this L2, and for another.
    for (chain_id, good) in [(8_079, true), (8_080, false)] {
        let signed = operator.sign(TxEip1559 { chain_id, nonce: 1, ..Default::default() });
        let raw = hex::encode_prefixed(signed.encoded_2718());
        let arguments = ["calldata", "force", &raw, "--deployment", &file];
        match good {
            true => {
                let told = json_of(&arguments);
                assert_eq!(told["to"].as_str().unwrap().parse(), Ok(deployment.forced));
            }
            false => assert!(refuse(&arguments).contains("signed for chain 8080")),
        }
    }
}
