//! Forks of stock anvil and of a devnet.

use crate::support::{PROBE, SINK, Served, TOOLS, run, serve, tool};
use alloy_primitives::U256;
use enshrine_devnet::{Devnet, DevnetConfig, Fork, Origin};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Stock anvil process, stopped when dropped.
struct Anvil(Child, String);

impl Anvil {
    fn start() -> Self {
        let port = testkit::free_port().unwrap();
        let child = Command::new(TOOLS.anvil())
            .args(["--silent", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let anvil = Self(child, format!("http://127.0.0.1:{port}"));
        let asked = || Command::new(TOOLS.cast()).args(["chain-id", "-r", &anvil.1]).output();
        while !asked().unwrap().status.success() {
            std::thread::sleep(Duration::from_millis(50));
        }
        anvil
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SECRET: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// Address of the first contract that the first account creates.
const CONTRACT: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

fn cast(url: &str, arguments: &[&str]) -> String {
    run(tool(TOOLS.cast()).args(arguments).env("ETH_RPC_URL", url))
}

/// Creates a contract, a value, a log and a balance on a node, in three blocks.
fn prepare(url: &str) {
    cast(url, &["send", "--private-key", SECRET, "--create", PROBE.trim()]);
    cast(url, &["send", CONTRACT, "set(uint256)", "42", "--private-key", SECRET]);
    cast(url, &["send", SINK, "--value", "5", "--private-key", SECRET]);
}

/// Checks all features of a fork.
fn check(remote: &str) {
    prepare(remote);
    let fork: Served = serve(|config| *config = config.clone().forking(remote, None));
    let url = fork.url();

    // State, code, storage, block hashes and logs are read from the forked node.
    assert_eq!(cast(&url, &["block-number"]), "3");
    assert_eq!(cast(&url, &["call", CONTRACT, "value()(uint256)"]), "42");
    assert_eq!(cast(&url, &["code", CONTRACT]), cast(remote, &["code", CONTRACT]));
    let slot: U256 = cast(&url, &["storage", CONTRACT, "0"]).parse().unwrap();
    assert_eq!(slot, U256::from(42));
    assert_eq!(cast(&url, &["balance", SINK]), "5");
    for number in ["0", "2", "3"] {
        let hash = ["block", number, "--field", "hash"];
        assert_eq!(cast(&url, &hash), cast(remote, &hash));
    }
    let logs = ["logs", "--from-block", "0", "--address", CONTRACT];
    assert_eq!(cast(&url, &logs), cast(remote, &logs));
    let block = cast(remote, &["block", "2", "--json"]);
    let block: serde_json::Value = serde_json::from_str(&block).unwrap();
    let hash = block["transactions"][0].as_str().unwrap();
    assert_eq!(cast(&url, &["receipt", hash, "blockNumber"]), "2");

    // Changes apply to the fork; the forked node does not see them.
    cast(&url, &["send", CONTRACT, "set(uint256)", "0", "--private-key", SECRET]);
    cast(&url, &["send", SINK, "--value", "1", "--private-key", SECRET]);
    assert_eq!(cast(&url, &["block-number"]), "5");
    assert_eq!(cast(&url, &["call", CONTRACT, "value()(uint256)"]), "0");
    assert_eq!(cast(&url, &["balance", SINK]), "6");
    assert_eq!(cast(remote, &["call", CONTRACT, "value()(uint256)"]), "42");
    assert_eq!(cast(remote, &["balance", SINK]), "5");
    assert_eq!(cast(&url, &["balance", SINK, "--block", "2"]), "0");
    let parent = cast(&url, &["block", "4", "--field", "parentHash"]);
    assert_eq!(parent, cast(remote, &["block", "3", "--field", "hash"]));
    let hash_of = cast(&url, &["call", CONTRACT, "hashOf(uint256)(bytes32)", "2"]);
    assert_eq!(hash_of, cast(remote, &["block", "2", "--field", "hash"]));
    assert_eq!(cast(&url, &logs).matches("topics").count(), 2);

    // Reset to the forked block, and then to no fork at all.
    cast(&url, &["rpc", "anvil_reset", r#"{"forking":{}}"#]);
    assert_eq!(cast(&url, &["block-number"]), "3");
    assert_eq!(cast(&url, &["call", CONTRACT, "value()(uint256)"]), "42");
    cast(&url, &["rpc", "anvil_reset"]);
    assert_eq!(cast(&url, &["block-number"]), "0");
    assert_eq!(cast(&url, &["code", CONTRACT]), "0x");
    assert!(!cast(&url, &["rpc", "anvil_metadata"]).contains("forkBlockNumber"));
}

#[test]
fn stock_anvil_can_be_forked() {
    let anvil = Anvil::start();
    check(&anvil.1.clone());
}

#[test]
fn devnet_can_be_forked() {
    let other = serve(|_| {});
    check(&other.url());
}

#[test]
fn node_can_be_forked_over_websocket() {
    let other = serve(|_| {});
    check(&other.url().replacen("http", "ws", 1));
}

#[test]
fn earlier_block_can_be_forked() {
    let other = serve(|_| {});
    prepare(&other.url());
    let at = format!("{}@1", other.url());
    let fork = serve(|config| *config = config.clone().forking(at, None));
    assert_eq!(cast(&fork.url(), &["block-number"]), "1");
    assert_eq!(cast(&fork.url(), &["call", CONTRACT, "value()(uint256)"]), "1");
    assert_eq!(cast(&fork.url(), &["balance", SINK]), "0");
}

#[test]
fn reset_forks_other_blocks_and_nodes() {
    let (first, second) = (serve(|_| {}), serve(|config| config.chain_id = Some(77)));
    prepare(&first.url());
    let url = |node: &Served| format!(r#"{{"forking":{{"jsonRpcUrl":"{}"}}}}"#, node.url());
    // Not yet a fork.
    let devnet = serve(|_| {});
    cast(&devnet.url(), &["send", SINK, "--value", "9", "--private-key", SECRET]);
    cast(&devnet.url(), &["rpc", "anvil_reset", &url(&first)]);
    assert_eq!(cast(&devnet.url(), &["block-number"]), "3");
    assert_eq!(cast(&devnet.url(), &["balance", SINK]), "5");
    assert_eq!(cast(&devnet.url(), &["call", CONTRACT, "value()(uint256)"]), "42");

    // An earlier block of the same node; later changes are discarded.
    cast(&devnet.url(), &["send", SINK, "--value", "1", "--private-key", SECRET]);
    cast(&devnet.url(), &["rpc", "hardhat_reset", r#"{"forking":{"blockNumber":"0x1"}}"#]);
    assert_eq!(cast(&devnet.url(), &["block-number"]), "1");
    assert_eq!(cast(&devnet.url(), &["balance", SINK]), "0");
    assert_eq!(cast(&devnet.url(), &["call", CONTRACT, "value()(uint256)"]), "1");

    // A plain reset ends the fork, and the new chain continues.
    cast(&devnet.url(), &["rpc", "anvil_reset"]);
    assert_eq!(cast(&devnet.url(), &["block-number"]), "0");
    assert_eq!(cast(&devnet.url(), &["code", CONTRACT]), "0x");
    cast(&devnet.url(), &["send", SINK, "--value", "1", "--private-key", SECRET]);
    assert_eq!(cast(&devnet.url(), &["block-number"]), "1");
    assert_eq!(cast(&devnet.url(), &["balance", SINK]), "1");

    cast(&devnet.url(), &["rpc", "anvil_reset", &url(&second)]);
    assert_eq!(cast(&devnet.url(), &["chain-id"]), "77");
    assert_eq!(cast(&devnet.url(), &["code", CONTRACT]), "0x");
}

#[test]
fn state_file_loads_on_top_of_fork() {
    let other = serve(|_| {});
    prepare(&other.url());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    // The state of a fork is dumped and loaded by another fork of the same block.
    let fork = |load: bool| {
        let fork = serve(|config| *config = config.clone().forking(other.url(), None));
        if load {
            fork.devnet.load_state(&file).unwrap();
        }
        fork
    };
    let first = fork(false);
    cast(&first.url(), &["send", SINK, "--value", "3", "--private-key", SECRET]);
    cast(&first.url(), &["send", CONTRACT, "set(uint256)", "7", "--private-key", SECRET]);
    first.devnet.dump_state(&file).unwrap();
    let second = fork(true);
    let url = second.url();
    assert_eq!(cast(&url, &["block-number"]), "5");
    assert_eq!(cast(&url, &["balance", SINK]), "8");
    assert_eq!(cast(&url, &["call", CONTRACT, "value()(uint256)"]), "7");
    // Values that are not in the file are still read from the forked node.
    assert_eq!(cast(&url, &["code", CONTRACT]), cast(&other.url(), &["code", CONTRACT]));
    assert_eq!(cast(&url, &["balance", SINK, "--block", "3"]), "5");
    cast(&url, &["send", SINK, "--value", "1", "--private-key", SECRET]);
    assert_eq!(
        (cast(&url, &["block-number"]), cast(&url, &["balance", SINK])),
        ("6".into(), "9".into())
    );

    // Of a file from a node that is no fork, only the accounts are loaded.
    let elsewhere = serve(|_| {});
    cast(&elsewhere.url(), &["rpc", "anvil_setBalance", SINK, "0x64"]);
    cast(&elsewhere.url(), &["rpc", "evm_mine"]);
    elsewhere.devnet.dump_state(&file).unwrap();
    let third = fork(true);
    assert_eq!(cast(&third.url(), &["block-number"]), "3");
    assert_eq!(cast(&third.url(), &["balance", SINK]), "100");
}

#[test]
fn missing_state_is_an_error_not_zero() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let first = serve(|_| {});
    prepare(&first.url());
    for (with_past, expected) in [(false, None), (true, Some("42"))] {
        let written = serve(|config| config.preserve_states = with_past);
        prepare(&written.url());
        written.devnet.dump_state(&file).unwrap();
        // Headers may contain any state root, including the empty one.
        let text = std::fs::read_to_string(&file).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
        value["blocks"][1]["header"]["stateRoot"] = empty.into();
        if !with_past {
            std::fs::write(&file, value.to_string()).unwrap();
        }
        let loaded = serve(|_| {});
        loaded.devnet.load_state(&file).unwrap();
        let url = loaded.url();
        assert_eq!(cast(&url, &["call", CONTRACT, "value()(uint256)"]), "42");
        let earlier = ["call", CONTRACT, "value()(uint256)", "--block", "2"];
        let output = tool(TOOLS.cast()).args(earlier).env("ETH_RPC_URL", &url).output().unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        match expected {
            Some(expected) => assert_eq!(out.trim(), expected, "{err}"),
            None => {
                assert!(
                    err.contains("the state of block 2 is not in the loaded file"),
                    "{out} {err}"
                );
                let balance = ["balance", SINK, "--block", "1"];
                let output =
                    tool(TOOLS.cast()).args(balance).env("ETH_RPC_URL", &url).output().unwrap();
                let err = String::from_utf8(output.stderr).unwrap();
                assert!(err.contains("the state of block 1 is not in the loaded file"), "{err}");
            }
        }
    }
}

#[test]
fn fork_blocks_follow_gas_and_fee_flags() {
    let other = serve(|_| {});
    prepare(&other.url());
    let header = |url: &str| {
        cast(url, &["rpc", "evm_mine"]);
        ["gasLimit", "baseFeePerGas"].map(|field| cast(url, &["block", "--field", field]))
    };
    let plain = serve(|config| *config = config.clone().forking(other.url(), None));
    let own = header(&plain.url());
    let forced = serve(|config| {
        let fork =
            Fork { gas_limit: Some(40_000_000), base_fee: Some(77), ..Fork::at(other.url(), None) };
        config.origin = Origin::Fork(fork);
    });
    let url = forced.url();
    for again in [false, true] {
        if again {
            cast(&url, &["rpc", "anvil_reset", r#"{"forking":{}}"#]);
        }
        assert_eq!(header(&url), ["40000000", "77"]);
        // The first new block is a regular parent for the base fee of the next.
        assert_eq!(header(&url)[0], "40000000");
        assert_ne!(own, ["40000000", "77"].map(str::to_owned));
    }
    let sent = ["send", SINK, "--private-key", SECRET, "--gas-limit", "16000000", "--json"];
    assert!(cast(&url, &sent).contains(r#""status":"0x1""#));
    cast(&url, &["rpc", "anvil_reset"]);
    assert_eq!(header(&url)[0], "30000000");
}

#[test]
fn credentials_of_forked_node_are_hidden() {
    let there = serve(|_| ());
    let address = there.url().replace("http://", "");
    let secret = "S3CRET";
    let at = |address: &str| format!("http://{secret}:{secret}@{address}/{secret}?key={secret}");
    let here = serve(|config| *config = config.clone().forking(at(&address), None));
    let facts = here.devnet.facts();
    let shown = [
        enshrine_devnet::banner(here.devnet.config(), here.devnet.accounts(), &facts),
        enshrine_devnet::config_out(here.devnet.config(), here.devnet.accounts(), &facts)
            .to_string(),
        here.cast(&["rpc", "anvil_nodeInfo"]),
    ];
    for text in shown {
        assert!(text.contains(&address) && !text.contains(secret), "{text}");
    }
    // Nothing listens on this port.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fork = |config: &mut DevnetConfig| {
        *config = config.clone().forking(at("127.0.0.1:1"), None);
        if let Origin::Fork(fork) = &mut config.origin {
            fork.retries = 0;
        }
    };
    let failed = runtime.block_on(Devnet::builder().with(fork).spawn()).map(drop);
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && !error.contains(secret), "{error}");
}
