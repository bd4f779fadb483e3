//! Failover between processes: a follower replaces a killed sequencer, which later returns.

use crate::support::{Deployed, free_port, write_keys};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use client::{Client, ClientOptions};
use serde_json::{Value, json};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use testkit::{ETHER, Key, Timeout, allowed_balances, eip1559};

/// Bearer token of the admin ports.
const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let timeout = Timeout::begin();
    while !holds() {
        assert!(timeout.lasts(), "timed out waiting for {what}");
        sleep(Duration::from_millis(50));
    }
}

/// A node process that can be restarted at the same ports.
pub(crate) struct Node {
    process: Option<Child>,
    arguments: Vec<String>,
    /// Environment variables of the process.
    pub(crate) environment: Vec<(String, String)>,
    /// File of the process's standard error, if it is not that of the test.
    pub(crate) log: Option<PathBuf>,
    port: u16,
    pub(crate) admin_port: u16,
    admin: Client,
    pub(crate) public: Client,
}

impl Node {
    pub(crate) fn new(arguments: &[&str], folder: &Path, port: u16) -> Self {
        let admin = free_port();
        let token_file = folder.join("admin.token").display().to_string();
        std::fs::write(&token_file, ADMIN_TOKEN).unwrap();
        let own = [
            "--http-port".to_owned(),
            port.to_string(),
            "--admin-addr".to_owned(),
            format!("127.0.0.1:{admin}"),
            "--admin-token-file".to_owned(),
            token_file,
            "--data-dir".to_owned(),
            folder.join(port.to_string()).display().to_string(),
        ];
        let arguments =
            arguments.iter().map(|argument| (*argument).to_owned()).chain(own).collect();
        let environment = Vec::new();
        Self {
            process: None,
            arguments,
            environment,
            log: None,
            port,
            admin_port: admin,
            admin: client_of(admin),
            public: client_of(port),
        }
    }

    pub(crate) fn start(&mut self, further: &[&str]) {
        // With SIGXFSZ ignored, exceeding the file size limit fails a write, as a full disk does.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_enshrine")]);
        command.arg("node").args(&self.arguments).args(further).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(log) = &self.log {
            command.stderr(File::create(log).unwrap());
        }
        self.process = Some(command.stdout(Stdio::null()).spawn().unwrap());
        until("a node", || self.public.request::<_, U64>("eth_chainId", ()).is_ok());
    }

    /// Returns the process id while the node runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Returns another client of the public port.
    pub(crate) fn client(&self) -> Client {
        client_of(self.port)
    }

    pub(crate) fn socket(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub(crate) fn status(&self) -> Value {
        self.public.request("rollup_syncStatus", ()).unwrap()
    }

    pub(crate) fn role(&self) -> String {
        self.status()["role"].as_str().unwrap().to_owned()
    }

    fn change(&self, method: &str, parameters: Value) -> Result<Value, String> {
        self.admin.request(method, parameters).map_err(|error| error.to_string())
    }

    fn refused(&self, method: &str, reason: &str) {
        let said = self.change(method, json!([])).unwrap_err();
        assert!(said.contains(reason), "{said}");
    }

    /// Retries `rollup_promote` until the node accepts it.
    fn promote(&self) {
        let mut said = String::new();
        until("the promotion", || match self.change("rollup_promote", json!([])) {
            Ok(_) => true,
            Err(reason) => {
                assert!(reason.contains("L1") || reason.contains("nonces"), "{reason}");
                said = reason;
                false
            }
        });
        until("the role", || self.role() == "sequencer");
    }

    pub(crate) fn nonce(&self, of: Address) -> u64 {
        self.public.request::<_, U64>("eth_getTransactionCount", (of, "latest")).unwrap().to()
    }

    pub(crate) fn balance(&self, of: Address) -> U256 {
        self.public.request("eth_getBalance", (of, "latest")).unwrap()
    }

    /// Sends one wei and requires that the node acknowledges it.
    pub(crate) fn send(&self, from: &Key, nonce: u64, to: Address) {
        self.try_send(from, nonce, to).unwrap();
    }

    /// Sends one wei; returns the error if the node does not acknowledge it.
    pub(crate) fn try_send(&self, from: &Key, nonce: u64, to: Address) -> Result<B256, String> {
        send(&self.public, from, nonce, to)
    }

    pub(crate) fn is_on_l1(&self) -> bool {
        let status = self.status();
        status["safeHead"] == status["unsafeHead"]
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn client_of(port: u16) -> Client {
    let options =
        ClientOptions { timeout: Duration::from_secs(5), tries: 1, ..ClientOptions::default() };
    // The public port ignores the token.
    let header = ("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"));
    Client::of_several(&[&format!("http://127.0.0.1:{port}")], &[header], options).unwrap()
}

/// Sends one wei; returns the error if the node does not acknowledge it.
pub(crate) fn send(node: &Client, from: &Key, nonce: u64, to: Address) -> Result<B256, String> {
    let signed = from.sign(TxEip1559 {
        max_priority_fee_per_gas: 1_000_000,
        value: U256::ONE,
        ..eip1559(nonce, to, 21_000)
    });
    let raw = Bytes::from(signed.encoded_2718());
    node.request("eth_sendRawTransaction", (raw,)).map_err(|error| error.to_string())
}

/// An L1 with a deployed rollup, on whose L2 alice and carol have ether, and the keys of the
/// sequencer.
pub(crate) struct SequencedRollup {
    pub(crate) rollup: Deployed,
    /// Balances in the genesis, for --allow-balance.
    allowed: String,
    keys: String,
}

impl SequencedRollup {
    pub(crate) fn new() -> Self {
        let (operator, advance) = (Key::named("operator"), Key::named("advance"));
        let rollup = Deployed::new(&[advance.address()], |fixture| {
            fixture
                .rich(["operator", "alice", "carol"], ETHER)
                .with(|config| config.lost_after = Some(30 * 86_400))
        });
        let allowed = allowed_balances(&rollup.deployment.genesis);
        let keys = write_keys(rollup.folder.path(), "keys.json", &advance, &operator);
        Self { rollup, allowed, keys }
    }

    /// Returns the arguments of every node.
    pub(crate) fn common(&self) -> Vec<&str> {
        [
            &["--deployment", &self.rollup.file, "--l1", self.rollup.l1.client().url()][..],
            &["--allow-balance", &self.allowed],
            &["--block-time-ms", "200", "--submit-interval-ms", "300", "--poll-interval-ms", "50"],
        ]
        .concat()
    }

    /// Returns the path of the sequencer's key file.
    pub(crate) fn keys(&self) -> &str {
        &self.keys
    }

    /// Returns the arguments of a node with the keys of the sequencer.
    pub(crate) fn with_keys(&self) -> Vec<&str> {
        let keys = ["--advance-key", &self.keys, "--operator-key", &self.keys];
        [&self.common()[..], &keys].concat()
    }
}

#[test]
fn follower_replaces_killed_sequencer() {
    let setup = SequencedRollup::new();
    let (l1, folder) = (&setup.rollup.l1, &setup.rollup.folder);
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let (carol, dave) = (Key::named("carol"), Address::repeat_byte(0xda));
    let (common, with_keys) = (setup.common(), setup.with_keys());

    let mut first = Node::new(&with_keys, folder.path(), free_port());
    let mut second = Node::new(&with_keys, folder.path(), free_port());
    let mut keyless = Node::new(&common, folder.path(), free_port());
    let (to_first, to_second) = (first.socket(), second.socket());
    let leads = ["--role", "sequencer", "--sequencer", &to_second];
    // It cannot post to L1, so that only its follower has what it has acknowledged.
    first.start(&[&leads[..], &["--daily-limit-gwei", "1"]].concat());
    let follows = ["--role", "follower", "--sequencer", &to_first];
    second.start(&follows);
    keyless.start(&["--role", "follower", "--sequencer", &to_first]);
    until("the roles", || first.role() == "sequencer" && second.role() == "follower");

    let ready = |node: &Node| node.status()["synced"] == json!(true);
    until("L1", || ready(&second) && ready(&keyless));
    second.refused("rollup_promote", "is the sequencer");
    second.refused("rollup_demote", "this node is already a follower");
    first.refused("rollup_promote", "this node is already a sequencer");
    keyless.refused("rollup_promote", "without the keys");
    // The public port does not serve the admin methods.
    let said = second.public.request::<_, Value>("rollup_promote", ()).unwrap_err().to_string();
    assert!(said.contains("-32601") || said.contains("not found"), "{said}");

    for nonce in 0..8 {
        first.send(&alice, nonce, bob);
    }
    until("the follower", || second.nonce(alice.address()) == 8);
    assert_eq!(second.status()["safeHead"]["number"], json!("0x0"));
    // A killed follower keeps the transactions that it has acknowledged.
    second.send(&carol, 0, dave);
    second.kill();
    second.start(&follows);
    until("L1", || ready(&second));
    first.kill();
    // While a transaction of the killed sequencer is pending on L1, promotion is refused.
    let _: Value = l1.client().request("evm_setAutomine", (false,)).unwrap();
    let chain: U64 = l1.client().request("eth_chainId", ()).unwrap();
    let waits = Key::named("advance").sign(TxEip1559 {
        chain_id: chain.to(),
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        to: bob.into(),
        ..Default::default()
    });
    let raw = Bytes::from(waits.encoded_2718());
    let _: B256 = l1.client().request("eth_sendRawTransaction", (raw,)).unwrap();
    second.refused("rollup_promote", "has nonce 0 on L1, but 1 with its pending transactions");
    assert_eq!(second.role(), "follower");
    let _: Value = l1.client().request("evm_mine", ()).unwrap();
    let _: Value = l1.client().request("evm_setAutomine", (true,)).unwrap();
    second.promote();
    assert_eq!(second.balance(bob), U256::from(8), "no block of the follower is lost");
    until("the transaction that the follower had acknowledged", || {
        second.balance(dave) == U256::ONE
    });
    for nonce in 8..12 {
        second.send(&alice, nonce, bob);
    }
    until("further blocks", || second.balance(bob) == U256::from(12));
    until("all on L1", || second.is_on_l1());

    // The first starts with the role of sequencer, finds another one, and follows it.
    first.start(&leads);
    until("the first node to follow", || {
        first.role() == "follower" && first.balance(bob) == U256::from(12)
    });
    until("L1", || ready(&first));
    first.refused("rollup_promote", "is the sequencer");
    second.send(&alice, 12, bob);
    until("the new block at the first node", || first.balance(bob) == U256::from(13));

    // Swap the roles back without a restart.
    until("all on L1", || second.is_on_l1());
    second.change("rollup_demote", json!([to_first])).unwrap();
    until("the role", || second.role() == "follower");
    first.promote();
    first.send(&alice, 13, bob);
    until("both", || [&first, &second].iter().all(|node| node.balance(bob) == U256::from(14)));
    // Each node may have read another L1 block.
    until("all on L1", || {
        first.is_on_l1()
            && second.is_on_l1()
            && first.status()["safeHead"] == second.status()["safeHead"]
    });
}

#[test]
fn admin_address_must_be_loopback() {
    let output = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .args(["node", "--deployment", "/nowhere.json", "--l1", "http://127.0.0.1:1"])
        .args(["--admin-addr", "0.0.0.0:0", "--admin-token-file", "/nowhere.token"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("loopback"), "{said}");
}
