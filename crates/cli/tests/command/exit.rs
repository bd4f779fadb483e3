//! `enshrine exit`, with a real L1 and an L2 node whose rollup is no longer advanced.

use crate::support::{Deployed, LimitedLogs, devnet, enshrine, json_of, path, refuse, run};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, hex};
use alloy_sol_types::SolCall as _;
use contracts::{
    L2_MESSENGER, Message, alias_account,
    bindings::{
        IL1MessageQueue::{backCall, sendCall},
        IRollupExit::{exitAliasCall, exitCall},
    },
    exit::RELAYED_SLOT,
    kept_slot,
};
use serde_json::{Value, json};
use std::fs;
use testkit::{ETHER, Key, NodeProcess, Proxy};

const LOST_AFTER: u64 = 30 * 86_400;

/// An L1 with a rollup, and an L2 node with its last state: the genesis.
struct LostRollup {
    rollup: Deployed,
    l2: NodeProcess,
}

fn alice() -> Address {
    Key::named("alice").address()
}

/// Account without any rights.
const fn stranger() -> Address {
    Address::repeat_byte(0x5a)
}

const fn bob() -> Address {
    Address::repeat_byte(0xb0)
}

const fn holder() -> Address {
    Address::repeat_byte(0x70)
}

const fn wallet() -> Address {
    Address::repeat_byte(0x3a)
}

/// Messages to the L2, of which it has relayed the first two and kept the second as failed. The
/// refund account of the fourth one is a contract of the L2, and that of the last one the wallet's
/// alias account.
fn messages() -> [Message; 5] {
    [0, 1, 2, 3, 4].map(|index| Message {
        sender: Key::named("deployer").address(),
        to: holder(),
        refund_to: [bob(), bob(), bob(), holder(), alias_account(wallet())][index as usize],
        value: ETHER,
        fee: 5,
        gas_limit: 50_000,
        index,
        data: Default::default(),
    })
}

impl LostRollup {
    fn new() -> Self {
        let deployer = Key::named("deployer").address();
        let account = |wei: u128, nonce| GenesisAccount {
            balance: U256::from(wei),
            nonce: Some(nonce),
            ..Default::default()
        };
        let code = Some(vec![0].into());
        let rollup = Deployed::new(&[bob(), stranger()], |fixture| {
            fixture
                .accounts([
                    (alice(), account(3 * ETHER, 1)),
                    (bob(), account(2 * ETHER, 0)),
                    (holder(), GenesisAccount { code, ..account(7 * ETHER, 1) }),
                    (alias_account(wallet()), account(ETHER, 0)),
                ])
                .with_genesis(|genesis| {
                    let messenger = genesis.alloc.get_mut(&L2_MESSENGER).unwrap();
                    let storage = messenger.storage.get_or_insert_default();
                    let kept = kept_slot(messages()[1].hash());
                    storage.insert(RELAYED_SLOT.into(), B256::with_last_byte(2));
                    storage.insert(kept.into(), B256::with_last_byte(1));
                })
                .with(|config| config.lost_after = Some(LOST_AFTER))
        });
        let genesis = path(rollup.folder.path(), "genesis.json");
        fs::write(&genesis, serde_json::to_string(&rollup.deployment.genesis).unwrap()).unwrap();
        let l2 = devnet(&["--no-execute", "--accounts", "0", "--init", &genesis]);
        let setup = Self { rollup, l2 };
        let queue = setup.rollup.deployment.message_queue;
        assert!(setup.pay(deployer, queue, 13 * ETHER, &backCall {}.abi_encode()));
        for Message { to, refund_to, value, fee, gas_limit, data, .. } in messages() {
            let call = sendCall { to, refundTo: refund_to, gasLimit: gas_limit.into(), fee, data };
            assert!(setup.pay(deployer, queue, value + fee, &call.abi_encode()));
        }
        setup
    }

    /// Sends a transaction of any account on L1; returns `true` if it succeeds.
    fn pay(&self, from: Address, to: Address, wei: u128, calldata: &[u8]) -> bool {
        let client = self.rollup.l1.client();
        let _: Value = client.request("anvil_impersonateAccount", [from]).unwrap();
        let transaction = json!({
            "from": from, "to": to, "value": U256::from(wei), "gas": "0xf4240",
            "data": hex::encode_prefixed(calldata),
        });
        let hash: B256 = client.request("eth_sendTransaction", [transaction]).unwrap();
        let receipt: Value = client.request("eth_getTransactionReceipt", [hash]).unwrap();
        receipt["status"] == "0x1"
    }

    /// Sends printed calldata to the exit.
    fn send(&self, from: Address, calldata: &str) -> bool {
        let calldata = hex::decode(calldata.trim()).unwrap();
        self.pay(from, self.rollup.deployment.exit, 0, &calldata)
    }

    fn balance(&self, account: Address) -> U256 {
        self.rollup.l1.client().request("eth_getBalance", (account, "latest")).unwrap()
    }

    fn pass(&self, seconds: u64) {
        let _: Value = self.rollup.l1.client().request("evm_increaseTime", [seconds]).unwrap();
        let _: Value = self.rollup.l1.client().request("evm_mine", ()).unwrap();
    }

    fn close(&self) {
        self.pass(LOST_AFTER + 60);
        assert!(self.send(stranger(), &run(&self.arguments(&["close"]))));
    }

    /// Returns the arguments of a command with the honest node.
    fn arguments<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        self.with_node(command, self.l2.client().url())
    }

    fn with_node<'a>(&'a self, command: &[&'a str], l2: &'a str) -> Vec<&'a str> {
        let l1 = self.rollup.l1.client().url();
        let own = ["--l2", l2, "--l1", l1, "--deployment", &self.rollup.file];
        [&["exit"], command, &own].concat()
    }
}

#[test]
fn closed_rollup_pays_accounts_with_printed_calldata() {
    let setup = LostRollup::new();
    let (alice_, bob_) = (alice().to_string(), bob().to_string());
    let close = setup.arguments(&["close"]);
    let output = enshrine(&close);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("at the earliest"), "{said}");
    assert!(!setup.send(stranger(), &run(&close)), "the rollup is not lost yet");
    let said = enshrine(&setup.arguments(&["account", &alice_])).stderr;
    assert!(String::from_utf8_lossy(&said).contains("the rollup is not closed"));
    let told = json_of(&close);
    assert_eq!((&told["relayedMessages"], &told["blockNumber"]), (&json!(2), &json!(0)));
    setup.close();
    assert!(refuse(&close).contains("has already been closed"));

    // Any account may exit for Alice, who has a nonce; only Bob may exit for himself.
    let of_alice = setup.arguments(&["account", &alice_]);
    let told = json_of(&of_alice);
    assert_eq!(told["wei"], (3 * ETHER).to_string());
    assert_eq!((&told["onlyCaller"], &told["knownToL1"]), (&Value::Null, &json!(true)));
    let printed = run(&of_alice);
    assert_eq!(told["calldata"], printed.trim());
    let call = exitCall::abi_decode(&hex::decode(printed.trim()).unwrap()).unwrap();
    assert_eq!((call.account, call.delegate), (alice(), Address::ZERO));
    assert!(setup.send(bob(), &printed));
    assert_eq!(setup.balance(alice()), U256::from(3 * ETHER));
    assert!(refuse(&of_alice).contains("has already been paid"));
    let of_bob = setup.arguments(&["account", &bob_]);
    let output = enshrine(&of_bob);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("pays 2 ETH to {bob_}")), "{said}");
    assert!(said.contains(&format!("only {bob_}")), "{said}");
    assert!(!setup.send(stranger(), &run(&of_bob)), "only Bob may send");
    assert!(setup.send(bob(), &run(&of_bob)));

    // The alias account of an L1 contract.
    let (account, contract) = (alias_account(wallet()).to_string(), wallet().to_string());
    let said = refuse(&setup.arguments(&["account", &account, "--alias", &bob_]));
    assert!(said.contains("is not the alias account of"), "{said}");
    let of_alias = setup.arguments(&["account", &account, "--alias", &contract]);
    let printed = run(&of_alias);
    let call = exitAliasCall::abi_decode(&hex::decode(printed.trim()).unwrap()).unwrap();
    assert_eq!(call.l1Account, wallet());
    assert!(setup.send(bob(), &printed));
    assert_eq!(setup.balance(wallet()), U256::from(ETHER));

    // Nobody can be paid.
    let said = refuse(&setup.arguments(&["account", &holder().to_string()]));
    assert!(
        said.contains("is a contract of the L2") && said.contains("stay in the escrow"),
        "{said}"
    );
    let nobody = Address::repeat_byte(0xee).to_string();
    let said = refuse(&setup.arguments(&["account", &nobody]));
    assert!(said.contains("has no ETH on the L2"), "{said}");
}

#[test]
fn messages_are_returned_with_printed_calldata() {
    let setup = LostRollup::new();
    setup.close();
    let said = refuse(&setup.arguments(&["message", "0"]));
    assert!(said.contains("has relayed message 0, as the first 2"), "{said}");
    for (index, status, fee) in [("1", "failed", 0), ("2", "unrelayed", 5)] {
        let arguments = setup.arguments(&["message", index]);
        let told = json_of(&arguments);
        assert_eq!(told["status"], status);
        assert_eq!(told["wei"], (ETHER + fee).to_string());
        let printed = run(&arguments);
        assert_eq!(told["calldata"], printed.trim());
        assert!(!setup.send(stranger(), &printed), "neither refund account nor sender");
        let before = setup.balance(bob());
        assert!(setup.send(bob(), &printed));
        assert!(setup.balance(bob()) > before + U256::from(ETHER - ETHER / 10));
        let said = refuse(&arguments);
        assert!(said.contains("has already been returned"), "{said}");
    }
    let said = refuse(&setup.arguments(&["message", "5"]));
    assert!(said.contains("there is no message 5: 5 were sent"), "{said}");
    let carol = Address::repeat_byte(0xca);
    let to = carol.to_string();
    let said = refuse(&setup.arguments(&["message", "1", "--reclaim-to", &to]));
    assert!(said.contains("has already been returned"), "{said}");
    let arguments = setup.arguments(&["message", "3", "--reclaim-to", &to]);
    let sender = Key::named("deployer").address();
    let told = json_of(&arguments);
    assert_eq!((&told["recipient"], &told["callers"]), (&json!(carol), &json!([sender])));
    let printed = run(&arguments);
    assert!(!setup.send(bob(), &printed), "only the sender may send");
    assert!(setup.send(sender, &printed));
    assert_eq!(setup.balance(carol), U256::from(ETHER + 5));
    assert!(refuse(&arguments).contains("has already been returned"));
    let said = refuse(&["exit", "message", "1", "--l2", setup.l2.client().url()]);
    assert!(said.contains("--l1 and --deployment are missing"), "{said}");
}

#[test]
fn owner_of_alias_account_has_message_returned() {
    let setup = LostRollup::new();
    setup.close();
    let (bob_, wallet_) = (bob().to_string(), wallet().to_string());
    for (index, other) in [("4", &bob_), ("2", &wallet_)] {
        let said = refuse(&setup.arguments(&["message", index, "--alias", other]));
        assert!(said.contains("is not the alias account of"), "{said}");
    }
    let arguments = setup.arguments(&["message", "4", "--alias", &wallet_]);
    let told = json_of(&arguments);
    assert_eq!((&told["recipient"], &told["callers"]), (&json!(wallet()), &json!([wallet()])));
    let printed = run(&arguments);
    assert!(!setup.send(bob(), &printed), "only the wallet may send");
    assert!(setup.pay(stranger(), wallet(), ETHER, &[]));
    assert!(setup.send(wallet(), &printed));
    assert!(setup.balance(wallet()) > U256::from(2 * ETHER - ETHER / 10));
}

/// The deployment file names a contract that has sent no message.
#[test]
fn messages_of_others_are_no_deposits() {
    let setup = LostRollup::new();
    setup.close();
    let said = refuse(&setup.arguments(&["message", "2", "--reclaim-to", &bob().to_string()]));
    assert!(said.contains("is no contract of the L2"), "{said}");
    let deposit = ["deposit", "2"];
    assert!(refuse(&setup.arguments(&deposit)).contains("no token bridge (l1Bridge)"));
    let text = fs::read_to_string(&setup.rollup.file).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["l1Bridge"] = json!(wallet());
    document["l2Bridge"] = json!(holder());
    fs::write(&setup.rollup.file, document.to_string()).unwrap();
    let said = refuse(&setup.arguments(&deposit));
    assert!(said.contains("message 2 is no deposit of tokens: it is from"), "{said}");
}

#[test]
fn messages_are_found_with_limited_log_ranges() {
    let setup = LostRollup::new();
    setup.close();
    let l1 = LimitedLogs::of(setup.rollup.l1.client());
    let (l2, url) = (setup.l2.client().url(), l1.url());
    let own = ["--l2", l2, "--l1", &url, "--deployment", &setup.rollup.file];
    let limited = [&["exit", "message", "2"][..], &own].concat();
    let honest = json_of(&setup.arguments(&["message", "2"]));
    for blocks in [1, 2, 5] {
        l1.limit(blocks);
        assert_eq!(json_of(&limited), honest, "{blocks} blocks");
        assert!(l1.take_refused() > 2, "{blocks} blocks");
    }
    // A node that returns no logs at all has not shown that there are none.
    l1.limit(0);
    assert!(refuse(&limited).contains(LimitedLogs::MESSAGE));
}

#[test]
fn lying_nodes_and_wrong_deployments_are_detected() {
    let setup = LostRollup::new();
    let alice_ = alice().to_string();
    let address = setup.l2.client().url().trim_start_matches("http://").trim_end_matches('/');
    let proxy = Proxy::start(address.parse().unwrap()).unwrap();
    let url = proxy.url();
    let through = |command: &[&str]| -> Vec<String> {
        setup.with_node(command, &url).into_iter().map(str::to_owned).collect()
    };
    let refused = |command: &[&str]| {
        let arguments = through(command);
        refuse(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let accepted = |command: &[&str]| {
        let arguments = through(command);
        json_of(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let honest = accepted(&["account", &alice_]);
    // Only the nodes of the proof count, so another balance changes nothing.
    let lie = |method: &'static str, change: fn(&mut Value)| {
        proxy.set(move |request, answer| {
            if !request.contains(method) {
                return Some(answer);
            }
            let mut answer: Value = serde_json::from_str(&answer).unwrap();
            change(&mut answer["result"]);
            Some(answer.to_string())
        });
    };
    lie("eth_getProof", |proof| proof["balance"] = json!("0x1"));
    assert_eq!(accepted(&["account", &alice_]), honest);
    lie("eth_getProof", |proof| {
        proof["accountProof"].as_array_mut().unwrap().pop();
    });
    for command in [&["account", &alice_][..], &["close"]] {
        let said = refused(command);
        assert!(said.contains("do not prove the account"), "{said}");
        assert!(said.contains(&url), "{said}");
    }
    // A contract as an account without code.
    lie("eth_getProof", |proof| proof["codeHash"] = json!(KECCAK256_EMPTY));
    let said = refused(&["account", &holder().to_string()]);
    assert!(said.contains("has the hash"), "{said}");
    lie("eth_getProof", |proof| {
        proof["storageProof"][0]["proof"].as_array_mut().unwrap().pop();
    });
    let said = refused(&["close"]);
    assert!(said.contains("do not prove slot"), "{said}");
    lie("eth_getBlockByNumber", |block| block["stateRoot"] = json!(B256::repeat_byte(7)));
    let said = refused(&["account", &alice_]);
    assert!(said.contains("but L1 has"), "{said}");
    proxy.honest();
    assert_eq!(accepted(&["account", &alice_]), honest);

    // Deployment files of another rollup, and without an exit.
    let text = fs::read_to_string(&setup.rollup.file).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_str(&text).unwrap();
        change(&mut document);
        let file = path(setup.rollup.folder.path(), "other.json");
        fs::write(&file, document.to_string()).unwrap();
        let (l1, l2) = (setup.rollup.l1.client().url(), setup.l2.client().url());
        refuse(&["exit", "close", "--l2", l2, "--l1", l1, "--deployment", &file])
    };
    let said = with(&|document| document["rollup"] = json!(Address::repeat_byte(9)));
    assert!(said.contains("is that of the rollup"), "{said}");
    let said = with(&|document| document["exit"] = json!(Address::repeat_byte(9)));
    assert!(said.contains("is the contract deployed?"), "{said}");
    let said = with(&|document| {
        document.as_object_mut().unwrap().remove("exit");
    });
    assert!(said.contains("has no exit"), "{said}");
}

#[test]
fn all_known_accounts_are_listed_with_sums() {
    let setup = LostRollup::new();
    setup.close();
    let nobody = Address::repeat_byte(0xee);
    let addresses = path(setup.rollup.folder.path(), "addresses");
    let lines = [wallet(), alice(), nobody, holder(), alice()].map(|account| account.to_string());
    fs::write(&addresses, format!("\n{}\n", lines.join("\n"))).unwrap();
    let (l2, given) = (setup.l2.client().url(), ["--addresses", &addresses]);
    let json = |arguments: &[&str]| -> Vec<Value> {
        let output = run(&[arguments, &["--json"]].concat());
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    // From a file only: Bob is not known.
    let listed = json(&[&["exit", "all", "--l2", l2][..], &given].concat());
    let accounts: Vec<_> = listed.iter().map(|row| row["account"].clone()).collect();
    let expected = [alias_account(wallet()), alice(), holder()].map(|account| json!(account));
    assert_eq!(accounts[..3], expected);
    assert!(listed[2]["refused"].as_str().unwrap().contains("is a contract of the L2"));
    let sums = &listed[3]["sums"];
    assert_eq!(sums["payable"], json!({ "accounts": 2, "wei": (4 * ETHER).to_string() }));
    assert_eq!(sums["contracts"], json!({ "accounts": 1, "wei": (7 * ETHER).to_string() }));
    assert_eq!(sums["unknown"], Value::Null);
    assert_eq!(listed.len(), 4);
    // Bob's address is also found on L1, in his messages.
    let printed = listed[1]["calldata"].as_str().unwrap();
    assert!(setup.send(bob(), printed));
    let all = setup.arguments(&["all", "--addresses", &addresses]);
    let sums = json(&all).pop().unwrap()["sums"].clone();
    assert_eq!(sums["payable"], json!({ "accounts": 2, "wei": (3 * ETHER).to_string() }));
    assert_eq!(sums["paid"], json!({ "accounts": 1, "wei": (3 * ETHER).to_string() }));
    let said = run(&all);
    assert!(said.contains("payable     3 ETH in 2 accounts"), "{said}");
    assert!(said.contains("  1 ETH  can be paid to "), "{said}");

    assert!(refuse(&["exit", "all", "--l2", l2]).contains("use --addresses"));
    fs::write(&addresses, format!("{}\nalice\n", alice())).unwrap();
    let said = refuse(&[&["exit", "all", "--l2", l2][..], &given].concat());
    assert!(said.contains("line 2: alice is not an address"), "{said}");
    assert_eq!(enshrine(&["exit", "close"]).status.code(), Some(2));
}
