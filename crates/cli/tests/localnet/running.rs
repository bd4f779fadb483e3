//! Start, end, restart and rejected flags of a localnet.

use crate::process::{Localnet, ports, refuse, text, until};
use alloy_primitives::{Address, U64, U256};
use client::Client;
use devnet::state_file::StateFile;
use rpc_types::SyncStatus;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    process::{Child, Command},
};

fn height(node: &Client) -> u64 {
    node.request::<_, U64>("eth_blockNumber", ()).unwrap().to()
}

fn balance(node: &Client, account: Address) -> U256 {
    node.request("eth_getBalance", (account, "latest")).unwrap()
}

/// Pays an account on L1, and waits until it has the payment.
fn pay(localnet: &Localnet, to: Address) {
    let before = balance(&localnet.l1, to);
    let transaction = json!({ "from": localnet.user(0), "to": to, "value": "0x1" });
    let _: Value = localnet.l1.request("eth_sendTransaction", (transaction,)).unwrap();
    until("the payment", || balance(&localnet.l1, to) > before);
}

/// Waits until L1 and the L2 have new blocks, and the latest L2 block is on L1.
fn until_progress(localnet: &Localnet) {
    let (l1, l2) = (height(&localnet.l1), height(&localnet.l2));
    until("blocks of both chains", || height(&localnet.l1) > l1 && height(&localnet.l2) > l2);
    let number = height(&localnet.l2);
    until("the L2 on L1", || {
        let status: SyncStatus = localnet.l2.request("rollup_syncStatus", ()).unwrap();
        assert_eq!(status.fault, None);
        status.safe_head.number >= number
    });
}

#[test]
fn signal_ends_localnet_and_removes_files() {
    for signal in ["INT", "TERM"] {
        let mut localnet = Localnet::start(&["--json", "--block-time", "2"]);
        // The file is there before the output.
        let printed = || serde_json::from_str::<Value>(&localnet.said("out"));
        until("the output", || printed().is_ok());
        let printed = printed().unwrap();
        assert_eq!(printed, localnet.report);
        let deployment = localnet.report["deployment"].as_str().unwrap().to_owned();
        assert!(fs::exists(&deployment).unwrap());
        assert!(localnet.end(signal).success(), "{signal}: {}", localnet.said("err"));
        assert!(!localnet.ready_file().exists(), "{signal}");
        assert!(!fs::exists(&deployment).unwrap(), "{signal}");
    }
}

#[test]
fn restart_continues_both_chains() {
    let folder = tempfile::tempdir().unwrap();
    let place = text(&folder.path().join("new"));
    let flags = ["--data-dir", &*place, "--follower"];
    let stranger = Address::repeat_byte(0x5c);
    let mut localnet = Localnet::start(&flags);
    pay(&localnet, stranger);
    until_progress(&localnet);
    let (l1, l2) = (height(&localnet.l1), height(&localnet.l2));
    let said = refuse(&["--l1-port", "0", "--l2-port", "0", "--data-dir", &place]);
    assert!(said.contains("another localnet uses"), "{said}");
    assert!(localnet.end("INT").success());

    let localnet = Localnet::start(&flags);
    assert!(height(&localnet.l1) >= l1 && height(&localnet.l2) >= l2);
    assert_eq!(balance(&localnet.l1, stranger), U256::from(1));
    until_progress(&localnet);
}

/// L1 restarts from its last state file, as after a reorg, and the L2 posts its blocks again.
#[test]
fn killed_localnet_continues() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--data-dir", &*text(folder.path())];
    let stranger = Address::repeat_byte(0x5d);
    let mut localnet = Localnet::start(&flags);
    pay(&localnet, stranger);
    let file = folder.path().join("l1.json");
    until("the payment in the state file", || {
        let written = StateFile::read(&file).unwrap();
        written.accounts.contains_key(&stranger)
    });
    until_progress(&localnet);
    let l2 = height(&localnet.l2);
    assert!(!localnet.end("KILL").success());
    let mut localnet = Localnet::start(&flags);
    assert_eq!(balance(&localnet.l1, stranger), U256::from(1));
    until_progress(&localnet);
    assert!(height(&localnet.l2) >= l2);
    pay(&localnet, stranger);
    assert!(localnet.end("TERM").success());
}

/// L1 has no state file yet but the built-in one, whereas the L2 has stored blocks.
#[test]
fn localnet_killed_before_first_save_continues() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--data-dir", &*text(folder.path())];
    assert!(!Localnet::start(&flags).end("KILL").success());
    let localnet = Localnet::start(&flags);
    until_progress(&localnet);
    let code: String =
        localnet.l2.request("eth_getCode", (localnet.address("l2Token"), "latest")).unwrap();
    assert!(code.len() > 2, "the test token is gone");
}

#[test]
fn report_has_config_and_documented_keys() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/localnet.md");
    let document = fs::read_to_string(root).unwrap();
    let (_, table) = document.split_once("## For programs").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<_> = rows
        .flat_map(|row| row.split(" | ").next().unwrap_or_default().split(", "))
        .map(|key| key.trim_matches('`').to_owned())
        .collect();
    let localnet = Localnet::start(&[]);
    let config: Map<String, Value> = localnet.l2.request("rollup_config", ()).unwrap();
    let report = localnet.report.as_object().unwrap();
    for (key, value) in &config {
        assert_eq!(report.get(key), Some(value), "{key}");
    }
    let keys = report.keys().filter(|key| !config.contains_key(*key)).cloned();
    assert_eq!(listed, keys.collect());
}

/// The genesis has no ETH besides the operator's, which is in the escrow.
#[test]
fn genesis_is_verified_and_backed() {
    let localnet = Localnet::start(&[]);
    let verify = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
        command.args(["verify", localnet.report["deployment"].as_str().unwrap()]);
        command.args(["--l1", localnet.report["l1Url"].as_str().unwrap()]).args(more);
        command.output().unwrap().status.success()
    };
    let float = format!("{}=10000000000000000000", localnet.address("operator"));
    assert!(verify(&["--allow-balance", &float]));
    assert!(!verify(&[]));
}

/// A process that keeps a core busy, killed on drop.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn starts_succeed_beside_busy_loops() {
    let _busy = [Busy::start(), Busy::start()];
    for _ in 0..5 {
        let mut localnet = Localnet::start(&[]);
        assert!(localnet.end("INT").success());
    }
}

#[test]
fn each_rejected_flag_has_accepted_neighbour() {
    let free = ["--l1-port", "0", "--l2-port", "0"];
    let refused = |flags: &[&str], expected: &str| {
        let said = refuse(&[&free[..], flags].concat());
        assert!(said.contains(expected), "{flags:?}: {said}");
    };
    refused(&["--host", "0.0.0.0"], "expected a loopback address");
    refused(&["--host", "localhost"], "--host");
    refused(&["--fork", "prague"], "--fork");
    refused(&["--block-time", "0"], "1..=12");
    refused(&["--", "--chain-id", "1"], "--chain-id: the localnet sets this itself");
    refused(&["--block-time", "13"], "1..=12");
    refused(&["--data-dir", "/proc/localnet"], "cannot create");
    let file = tempfile::NamedTempFile::new().unwrap();
    refused(&["--data-dir", &text(file.path())], "cannot create");
    let theirs = tempfile::tempdir().unwrap();
    fs::write(theirs.path().join("thesis.tex"), "").unwrap();
    refused(&["--data-dir", &text(theirs.path())], "no localnet.json");
    refused(&["--ready-file", "/proc/localnet"], "/proc/localnet");

    let flags = ["--host", "0.0.0.0", "--i-know-these-keys-are-public", "--block-time", "12"];
    refused(&["--blobs", "--data-dir", &text(theirs.path())], "cannot be used with");
    drop(Localnet::start(&flags));
    let flags = ["--host", "127.0.0.2", "--fork", "bpo2", "--blobs", "--", "--order", "fifo"];
    drop(Localnet::start(&flags));
}

#[test]
fn taken_and_equal_ports_are_rejected() {
    let (l1, l2) = ports();
    let (one, other) = (l1.to_string(), l2.to_string());
    for (flag, port) in [("--l1-port", l1), ("--l2-port", l2), ("--follower", l2 + 1)] {
        let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let said = refuse(&["--l1-port", &one, "--l2-port", &other, "--follower"]);
        assert!(said.contains(flag) && said.contains("expected a free port"), "{said}");
        drop(taken);
    }
    for (first, second) in [(&one, &one), (&(l2 + 1).to_string(), &other)] {
        let said = refuse(&["--l1-port", first, "--l2-port", second, "--follower"]);
        assert!(said.contains("expected one of its own"), "{said}");
    }
    let said = refuse(&["--l1-port", &one, "--l2-port", "65535", "--follower"]);
    assert!(said.contains("expected at most 65534"), "{said}");
    drop(Localnet::start_on((l1, l2), &["--follower"]));
}
