//! `enshrine init`, `genesis`, `prove` and `calldata` as processes.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, U256, address, hex};
use alloy_sol_types::SolCall as _;
use contracts::{
    L1_ANCHOR, L2_MESSENGER, PREMINT, Predeploys,
    bindings::{IForcedInbox::submitCall, IL1MessageQueue::claimCall, IL2Messenger::sendCall},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
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
    serde_json::from_str(&run(&[arguments, &["--json"]].concat())).unwrap()
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
    assert_eq!(first["hash"], told["genesisHash"]);
    assert_eq!(first["stateRoot"], told["genesisStateRoot"]);
    assert_eq!(first["chainId"], 8_079);
    assert_eq!(first["fork"], "osaka");
    assert_eq!(first["timestamp"], 1_700_000_000);
    assert_eq!(rollup["l2"]["chain_id"].as_integer(), first["chainId"].as_i64());
    assert_eq!(rollup["l2"]["schema"].as_integer(), first["schema"].as_i64());
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
    for key in ["l1", "data_dir", "http_port", "block_time_ms", "l1_confirmations"] {
        assert!(node.contains_key(key), "{key}");
    }

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
    assert_eq!(rollup["l2"]["schema"].as_integer(), Some(0x1501));
    assert_eq!(rollup["rollup"]["owner"].as_str(), Some(&*owner));
    assert_eq!(rollup["rollup"]["max_lag"].as_integer(), Some(60));
    assert_eq!(rollup["forced"]["delay"].as_integer(), Some(90));
    assert_eq!(rollup["sequencing"]["sequencer"].as_str(), Some(&*sequencer));
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
    let config = json!({
        "chainId": 7, "londonBlock": 0, "terminalTotalDifficulty": 0, "shanghaiTime": 0,
        "cancunTime": 0, "pragueTime": 0,
    });
    fs::write(&file, json!({ "alloc": {}, "config": config }).to_string()).unwrap();
    let first = json_of(&["genesis", &file]);
    assert_eq!(first["fork"], "prague");
    assert_eq!(first["accounts"], 0);
    assert!(run(&["genesis", &file]).contains(first["hash"].as_str().unwrap()));
    // A deployment file holds one.
    let inside = json!({ "rollup": Address::ZERO, "genesis": { "alloc": {}, "config": config } });
    fs::write(&file, inside.to_string()).unwrap();
    assert_eq!(json_of(&["genesis", &file])["hash"], first["hash"]);
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
        assert_eq!(told["block"], block);
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

    // Where the state is not what the message says, as a node that lies would have it, nothing is given.
    let nothing = B256::ZERO;
    let slot = contracts::sent_slot(0);
    let cheat = (L2_MESSENGER, slot, nothing);
    let _: Value = l2.client().request("anvil_setStorageAt", cheat).unwrap();
    let _: Value = l2.client().request("evm_mine", ()).unwrap();
    let said = refuse(&["prove", "--l2", &url, "--message", "0", "--block", "3"]);
    assert!(said.contains("proves something else"), "{said}");
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
    assert_eq!(told["hash"].as_str().unwrap().parse(), Ok(*signed.tx_hash()));
    for (raw, reason) in [
        (&raw[..raw.len() - 2], "no signed transaction"),
        (&*format!("{raw}00"), "no signed transaction"),
        ("0x12345", "hexadecimal digits"),
    ] {
        let said = refuse(&["calldata", "force", raw]);
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn what_init_makes_is_deployed_and_read_back_with_the_genesis_in_it() {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let l1 =
        NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).args(["devnet"])).unwrap();
    let accounts: Vec<Address> = l1.client().request("eth_accounts", ()).unwrap();
    let sender = accounts[0].to_string();
    let name = format!("cache/init-{}", std::process::id());
    let top = tools.root();
    for (kind, flags) in [("usual", &[][..]), ("dev", &["--dev", "--policy", "open"])] {
        let folder = format!("{name}/{kind}");
        let init =
            [&["init", &folder, "--json", "--salt", kind, "--timestamp", "1700000000"], flags];
        let output = Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .args(init.concat())
            .current_dir(top)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let output = tools
            .forge_command()
            .args(["script", "script/Deploy.s.sol", "--sig", "run(string)"])
            .arg(format!("{folder}/rollup.toml"))
            .args(["--rpc-url", l1.client().url(), "--broadcast", "--slow", "--unlocked"])
            .args(["--sender", &sender])
            .env("FOUNDRY_BROADCAST", top.join(&name).join("broadcast"))
            .env("FOUNDRY_DENY", "never")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind}: {said}{failed}");
        let file = top.join(format!("{folder}/deployment.json"));
        let deployment = contracts::Deployment::read(&file).unwrap();
        assert_eq!(deployment.genesis_hash.to_string(), told["genesisHash"].as_str().unwrap());
        assert_eq!(deployment.l2_chain_id, 8_079);
        assert_eq!(deployment.l1_chain_id, 31_337);
        // In the file itself, not only beside it.
        fs::remove_file(top.join(format!("{folder}/genesis.json"))).unwrap();
        contracts::Deployment::read(&file).unwrap();
        assert!(!deployment.policy.is_zero(), "{kind} has a policy");
    }
    fs::remove_dir_all(top.join(name)).unwrap();
}
