//! `enshrine prove`, `verify` and `calldata`, with L1 and L2 nodes.

use crate::support::{LimitedLogs, json_of, path, place, refuse, run};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, U256, hex};
use alloy_sol_types::SolCall as _;
use contracts::{
    Deployment, L2_MESSENGER, Verification,
    bindings::{
        IL1MessageQueue::{backCall, claimCall, sendCall as depositCall},
        IL2Messenger::sendCall,
        INativeRollup::{
            Change, advanceCall, announceCall, clearCall, offerOwnershipCall, withdrawCall,
        },
    },
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{ETHER, FORCED_GAS, Key, NodeProcess, eip1559};
use toolchain::{Toolchain, progress_to_stderr};

/// Starts a devnet with the genesis of a rollup as the L2.
fn l2(folder: &str) -> NodeProcess {
    run(&["init", folder, "--json", "--timestamp", "1700000000"]);
    let genesis = path(Path::new(folder), "genesis.json");
    NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).args([
        "devnet",
        "--mainnet",
        "--no-execute",
        "--init",
        &genesis,
    ]))
    .unwrap()
}

/// Sends a message with a fee to L1, from the first account of the devnet.
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
fn prove_prints_claim_from_state_with_message() {
    let (_parent, folder) = place();
    let l2 = l2(&folder);
    let url = l2.client().url().to_owned();
    let said = refuse(&["prove", "--l2", &url, "--message", "0"]);
    assert!(said.contains("has no message 0"), "{said}");
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
    // A block before the message was sent.
    let said = refuse(&["prove", "--l2", &url, "--message", "1", "--block", "1"]);
    assert!(said.contains("was sent in L2 block 2"), "{said}");
    // A fee needs a recipient.
    let said = refuse(&["prove", "--l2", &url, "--message", "1"]);
    assert!(said.contains("--fee-recipient"), "{said}");
    let to = bob.to_string();
    let told = json_of(&["prove", "--l2", &url, "--message", "1", "--fee-recipient", &to]);
    let calldata = hex::decode(told["calldata"].as_str().unwrap()).unwrap();
    assert_eq!(claimCall::abi_decode(&calldata).unwrap().feeRecipient, bob);

    // A proof that does not match the block's state, and a state without the message.
    let mine = || l2.client().request::<_, Value>("evm_mine", ()).unwrap();
    mine();
    let cheat = (L2_MESSENGER, contracts::sent_slot(0), B256::ZERO);
    let _: Value = l2.client().request("anvil_setStorageAt", cheat).unwrap();
    mine();
    for (block, reason) in
        [("3", "prove the account"), ("4", "has a message with the hash 0x00000000")]
    {
        let said = refuse(&["prove", "--l2", &url, "--message", "0", "--block", block]);
        assert!(said.contains("does not show") && said.contains(reason), "{said}");
        assert!(said.len() < 1_000, "{said}");
    }
    json_of(&["prove", "--l2", &url, "--message", "0", "--block", "2"]);
}

/// An L1 with EXECUTE, on which forge deploys rollups.
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
        Self::with(name, &[])
    }

    /// Starts an L1 with additional flags.
    fn with(name: &str, flags: &[&str]) -> Self {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let node = NodeProcess::start(
            Command::new(env!("CARGO_BIN_EXE_enshrine")).args(["devnet", "--mainnet"]).args(flags),
        );
        let node = node.unwrap();
        let accounts: Vec<Address> = node.client().request("eth_accounts", ()).unwrap();
        let folder = format!("cache/{name}-{}", std::process::id());
        Self { node, tools, sender: accounts[0], folder }
    }

    fn url(&self) -> &str {
        self.node.client().url()
    }

    /// Creates and deploys a rollup; returns its folder and the output of `init`.
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
        let plan = fs::read_to_string(top.join(&folder).join("rollup.toml")).unwrap();
        let plan: toml::Table = plan.parse().unwrap();
        let forks = plan["rollup"]["forks"].as_str().unwrap();
        let output = self
            .tools
            .forge_beside_others("script/Deploy.s.sol", Path::new(&self.folder))
            .unwrap()
            .args(["script", "script/Deploy.s.sol", "--sig", "run(string)"])
            .arg(format!("{folder}/rollup.toml"))
            .args(["--rpc-url", self.url(), "--broadcast", "--slow", "--unlocked"])
            .args(["--sender", &self.sender.to_string()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}{failed}");
        assert!(said.contains(&format!("forks: {forks}")), "{name}: {said}");
        (top.join(folder), told)
    }

    /// Sends calldata to a contract; returns `true` if the transaction succeeded.
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
fn deployed_rollup_file_contains_genesis() {
    let l1 = L1::new("init");
    for (name, flags) in [("usual", &[][..]), ("dev", &["--dev", "--policy", "open"])] {
        let (folder, told) = l1.rollup(name, flags);
        let file = folder.join("deployment.json");
        let deployment = Deployment::read(&file).unwrap();
        assert_eq!(deployment.genesis_hash.to_string(), told["genesisHash"].as_str().unwrap());
        assert_eq!(deployment.l2_chain_id, 8_079);
        assert_eq!(deployment.verification, Verification::Native);
        assert!(fs::read_to_string(&file).unwrap().contains("\"verification\""));
        assert_eq!(deployment.l1_chain_id, 31_337);
        assert_eq!(deployment.deployer, l1.sender);
        assert!(!deployment.policy.is_zero(), "{name} has a policy");
        assert!(!deployment.exit.is_zero(), "{name} has an exit");
        // The genesis is in the deployment file itself too.
        fs::remove_file(folder.join("genesis.json")).unwrap();
        assert_eq!(Deployment::read(&file).unwrap(), deployment);
    }
}

/// Alters the genesis in a deployment file, and updates its hash and state root.
fn alter(file: &Path, alteration: impl FnOnce(&mut Value)) {
    let mut deployment: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    alteration(&mut deployment["genesis"]["alloc"]);
    fs::write(file, deployment.to_string()).unwrap();
    let first = json_of(&["genesis", file.to_str().unwrap()]);
    deployment["genesisHash"] = first["blockHash"].clone();
    deployment["genesisStateRoot"] = first["stateRoot"].clone();
    fs::write(file, deployment.to_string()).unwrap();
}

#[test]
fn verify_rejects_premine_and_altered_messenger() {
    let l1 = L1::new("verify");
    let (folder, _) = l1.rollup("rollup", &["--operator-float", "0"]);
    let file = path(&folder, "deployment.json");
    let with_l1 = ["verify", &file, "--l1", l1.url()];
    let told = json_of(&with_l1);
    assert_eq!((&told["valid"], &told["comparedWithL1"]), (&json!(true), &json!(true)));
    assert_eq!((&told["owedWei"], &told["missingWei"]), (&json!("0"), &json!("0")));
    assert!(run(&["verify", &file]).contains("All checks passed."));

    let original = fs::read_to_string(&file).unwrap();
    let messenger = L2_MESSENGER.to_string().to_lowercase();
    let alice = Address::repeat_byte(0xa1).to_string().to_lowercase();
    let (allowed, too_little) = (format!("{alice}=1000"), format!("{alice}=999"));
    let slot = json!({ B256::with_last_byte(9).to_string(): B256::with_last_byte(1) });
    for (name, who, field, value) in [
        ("premine", &alice, "balance", json!("0x3e8")),
        ("code", &messenger, "code", json!("0x00")),
        ("slot", &messenger, "storage", slot),
    ] {
        fs::write(&file, &original).unwrap();
        alter(Path::new(&file), |alloc| {
            if alloc[who].is_null() {
                alloc[who] = json!({ "balance": "0x0" });
            }
            alloc[who][field] = value;
        });
        let said = refuse(&["verify", &file]).to_lowercase();
        assert!(said.contains(who), "{name}: {said}");
        // The file is consistent, but the contract on L1 has another hash.
        let said = refuse(&[&with_l1[..], &["--allow-balance", &allowed]].concat());
        assert!(said.contains("started from another block"), "{name}: {said}");
        let allow = |most| ["verify", &file, "--allow-balance", most];
        if name == "premine" {
            assert!(run(&allow(&allowed)).contains("1000 wei outside"));
            assert!(refuse(&allow(&too_little)).to_lowercase().contains(&allowed));
        } else {
            assert!(refuse(&allow(&allowed)).to_lowercase().contains(&messenger));
        }
    }
}

#[test]
fn verify_requires_backing_of_the_genesis() {
    let l1 = L1::new("verify-backing");
    let (folder, _) = l1.rollup("rollup", &["--operator-float", "0.5", "--dev"]);
    let file = path(&folder, "deployment.json");
    let deployment = Deployment::read(Path::new(&file)).unwrap();
    let keys: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("keys.json")).unwrap()).unwrap();
    let float = ETHER / 2;
    let allowed = format!("{}={float}", keys["operator"]["address"].as_str().unwrap());
    let flags = ["verify", &file, "--l1", l1.url(), "--allow-balance", &allowed];
    let accepting = [&flags[..], &["--allow-unbacked"]].concat();
    let pay = |data: Vec<u8>, value: u128| {
        let transaction = json!({
            "from": l1.sender, "to": deployment.message_queue, "value": U256::from(value),
            "data": hex::encode_prefixed(data),
        });
        let client = l1.node.client();
        let hash: B256 = client.request("eth_sendTransaction", [transaction]).unwrap();
        let receipt: Value = client.request("eth_getTransactionReceipt", [hash]).unwrap();
        assert_eq!(receipt["status"], "0x1");
    };
    let deposit = depositCall {
        to: l1.sender,
        refundTo: l1.sender,
        gasLimit: 0,
        fee: ETHER,
        data: Default::default(),
    };
    // A deposit backs only the ETH that it mints, not that of the genesis.
    pay(deposit.abi_encode(), ETHER + ETHER);
    pay(backCall {}.abi_encode(), 0);
    for (value, missing) in [(float - 1, 1), (1, 0)] {
        let before = json_of(&accepting);
        assert_ne!(before["missingWei"], "0");
        assert!(refuse(&flags).contains("--allow-unbacked"));
        pay(backCall {}.abi_encode(), value);
        let told = json_of(&accepting);
        assert_eq!(told["owedWei"], float.to_string());
        assert_eq!(told["missingWei"], missing.to_string());
        assert_eq!(told["escrowWei"], (ETHER + ETHER + float - missing).to_string());
    }
    assert!(run(&flags).contains("missing 0 wei"));

    let limited = LimitedLogs::of(l1.node.client());
    let url = limited.url();
    let flags = ["verify", &file, "--l1", &url, "--allow-balance", &allowed];
    for blocks in [1, 3] {
        limited.limit(blocks);
        assert_eq!(json_of(&flags)["backedWei"], float.to_string(), "{blocks} blocks");
        assert!(limited.take_refused() > 2, "{blocks} blocks");
    }
    // A node that returns no logs at all has not shown that the escrow is not backed.
    limited.limit(0);
    assert!(refuse(&flags).contains(LimitedLogs::MESSAGE));
}

#[test]
fn verify_describes_effect_of_l1_forks() {
    let l1 = L1::with("verify-forks", &["--fork-registry"]);
    let owner = Address::repeat_byte(0xaa).to_string();
    for (name, flags, expected) in [
        ("follow", &[][..], "follow: blocks have the fork that L1 had at their timestamp"),
        (
            "registry",
            &["--fork-mode", "registry"],
            "registry: blocks have the fork of L1's registry",
        ),
        ("frozen", &["--fork-mode", "pinned"], "THE NEXT FORK OF L1 STOPS THE ROLLUP PERMANENTLY"),
        ("pinned", &["--fork-mode", "pinned", "--owner", &owner], "until the owner has added it"),
    ] {
        let (folder, _) = l1.rollup(name, &[flags, &["--operator-float", "0"]].concat());
        let file = path(&folder, "deployment.json");
        let with_l1 = ["verify", &file, "--l1", l1.url()];
        let said = run(&with_l1);
        assert!(said.contains(expected), "{name}: {said}");
        let told = json_of(&with_l1);
        assert!(said.contains(told["nextForkOfL1"].as_str().unwrap()), "{told}");
        let has_owner = told["owner"].as_str().unwrap().eq_ignore_ascii_case(&owner);
        assert_eq!(has_owner, name == "pinned", "{told}");
        // Without L1, the source of forks is unknown.
        assert!(!run(&["verify", &file]).contains("forks "));
    }
}

#[test]
fn verify_rejects_announced_changes_unless_allowed() {
    let l1 = L1::new("verify-announced");
    let client = l1.node.client();
    let owner = client.request::<_, Vec<Address>>("eth_accounts", ()).unwrap()[0];
    let policy = Address::repeat_byte(0x9c);
    let flags = ["--owner", &owner.to_string(), "--operator-float", "0"];
    let (folder, _) = l1.rollup("rollup", &flags);
    let file = path(&folder, "deployment.json");
    let rollup = Deployment::read(Path::new(&file)).unwrap().rollup;
    let with_l1 = ["verify", &file, "--l1", l1.url()];
    assert!(run(&with_l1).contains("All checks passed."));
    assert_eq!(json_of(&with_l1)["announced"], json!([]));

    let send = |data: Vec<u8>| {
        let transaction =
            json!({ "from": owner, "to": rollup, "data": hex::encode_prefixed(data) });
        let hash: B256 = client.request("eth_sendTransaction", [transaction]).unwrap();
        let receipt: Value = client.request("eth_getTransactionReceipt", [hash]).unwrap();
        assert_eq!(receipt["status"], "0x1");
    };
    let value = policy.into_word().into();
    send(announceCall { change: Change::Policy, value }.abi_encode());
    send(offerOwnershipCall { next: policy }.abi_encode());
    let said = refuse(&with_l1);
    assert!(said.contains("change of the policy to 0x9c9c"), "{said}");
    assert!(said.contains("not cleared yet"), "{said}");
    let allowed = [&with_l1[..], &["--allow-announced-changes"]].concat();
    let said = run(&allowed);
    assert!(said.contains("change of the policy to 0x9c9c"), "{said}");
    assert!(said.contains(&format!("ownership is offered to {policy}")), "{said}");
    let told = json_of(&allowed);
    assert_eq!(told["announced"][0]["change"], "policy");
    assert_eq!(told["announced"][0]["cleared"], false);

    // No obligation is pending at that time, so that the change can be cleared.
    let ready: u64 = told["announced"][0]["readyAt"].as_u64().unwrap();
    let _: Value = client.request("evm_setNextBlockTimestamp", [ready]).unwrap();
    send(clearCall { change: Change::Policy, value }.abi_encode());
    assert_eq!(json_of(&allowed)["announced"][0]["cleared"], true);
    assert!(refuse(&with_l1).contains(", cleared, can be made from timestamp"));
    send(withdrawCall { change: Change::Policy, value }.abi_encode());
    assert!(run(&with_l1).contains("All checks passed."));
}

/// Starts a devnet with only a rollup's genesis as the L2; returns it with the operator's key.
pub(crate) fn bare_l2(folder: &Path) -> (NodeProcess, Key) {
    let keys = fs::read_to_string(folder.join("keys.json")).unwrap();
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let secret: B256 = keys["operator"]["key"].as_str().unwrap().parse().unwrap();
    let genesis = path(folder, "genesis.json");
    let arguments = ["devnet", "--mainnet", "--no-execute", "--accounts", "0", "--init", &genesis];
    let node = NodeProcess::start(Command::new(env!("CARGO_BIN_EXE_enshrine")).args(arguments));
    (node.unwrap(), Key::from_secret(secret).unwrap())
}

/// Sends wei from the operator on the L2 to an account on L1.
fn withdraw(l2: &NodeProcess, operator: &Key, to: Address, wei: u64) {
    let call =
        sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Default::default() }.abi_encode();
    let signed = operator.sign(TxEip1559 {
        value: U256::from(wei),
        input: call.into(),
        ..eip1559(0, L2_MESSENGER, 300_000)
    });
    let raw = hex::encode_prefixed(signed.encoded_2718());
    let _: B256 = l2.client().request("eth_sendRawTransaction", [raw]).unwrap();
}

#[test]
fn withdrawal_is_claimed_with_calldata_of_commands() {
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
    assert!(said.contains("L1 has L2 blocks only up to 0"), "{said}");
    let said = refuse(&[&honest[..], &["--block", "1"]].concat());
    assert!(said.contains("stateRootAt"), "{said}");
    // The URL of L1 as that of the L2.
    let said = refuse(&[&prove[..], &["--l2", &l1_url]].concat());
    assert!(said.contains("is on chain") && said.contains("8079"), "{said}");

    // Advance the rollup by the block that the L2 node returns.
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
    assert!(said.contains("block.ssz is of chain 8079, expected L2 chain 8080"), "{said}");
    // Fetched from the L2 node, with the fork of the genesis in the deployment file.
    let from_node = ["calldata", "advance", "--l2", &l2_url, "--block", "1", "--deployment"];
    assert_eq!(run(&[&from_node[..], &[&file]].concat()), calldata);
    let said = refuse(&[&from_node[..], &[&other]].concat());
    assert!(said.contains("is of chain 8079, expected L2 chain 8080"), "{said}");
    let garbage = path(&folder, "garbage.ssz");
    fs::write(&garbage, [7; 700]).unwrap();
    let said = refuse(&["calldata", "advance", &input, &garbage]);
    assert!(said.contains("garbage"), "{said}");
    // Reference codes on L1, which a transaction must store there first.
    let named = run(&["calldata", "advance", "--kept", &input]);
    assert!(named.len() + 2_000 < calldata.len());
    assert!(!l1.send(deployment.rollup, &named), "the codes are not on L1 yet");
    let kept = json_of(&["calldata", "keep", &input]);
    let proxy = kept[0]["to"].as_str().unwrap().parse().unwrap();
    let keep = run(&["calldata", "keep", &input]);
    assert_eq!(keep.trim(), kept[0]["calldata"]);
    assert!(l1.send(proxy, &keep), "the codes are stored on L1");
    assert!(refuse(&["calldata", "keep", &garbage]).contains("garbage"));
    assert!(l1.send(deployment.rollup, &named), "the block is advanced");

    // A node with another block at this height cannot prove the message to L1.
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
    assert!(said.contains("has already been claimed"), "{said}");

    // Forced transactions for this L2 and for another chain.
    for (chain_id, good) in [(8_079, true), (8_080, false)] {
        let gas_limit = FORCED_GAS;
        let signed =
            operator.sign(TxEip1559 { chain_id, nonce: 1, gas_limit, ..Default::default() });
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
