//! Secrets in the options of a node appear in none of its outputs.

use crate::failover::{SequencedRollup, until};
use client::{Client, ClientOptions};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::Duration,
};
use testkit::http;

/// Substring of all secrets, and of nothing else.
const CANARY: &str = "S3CRET";
/// Account for which the remote signers sign.
const ACCOUNT: &str = "0x00000000000000000000000000000000000000aa";

/// Returns a URL with secrets in user, password, path and query.
fn url(scheme: &str, address: &str) -> String {
    format!("{scheme}://{CANARY}:{CANARY}@{address}/v3/{CANARY}?key={CANARY}")
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn no_output_of_a_node_contains_secrets() {
    let setup = SequencedRollup::new();
    let l1 = setup
        .rollup
        .l1
        .client()
        .url()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let folder = setup.rollup.folder.path();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (jwt, token) = (file("jwt", &"5e".repeat(32)), file("token", &CANARY.repeat(8)));
    // Nothing listens there, so each of these URLs causes a fault or a log message.
    let dead = "127.0.0.1:1";
    let [l1, beacon, sequencer, feed, signer, engine] = [
        url("http", &l1),
        url("http", dead),
        url("ws", dead),
        url("ws", dead),
        url("http", dead),
        url("http", dead),
    ];
    let port = crate::support::free_port().to_string();
    let common = setup.common();
    let mut arguments: Vec<&str> = common.clone();
    let at = arguments.iter().position(|argument| *argument == "--l1").unwrap();
    arguments[at + 1] = &l1;
    arguments.extend(["--role", "follower", "--http-port", &port, "--l1-beacon", &beacon]);
    arguments.extend(["--sequencer", &sequencer, "--sequencer-feed", &feed]);
    arguments.extend(["--engine", &engine, "--jwt-secret", &jwt]);
    arguments.extend(["--admin-addr", "127.0.0.1:0", "--admin-token-file", &token]);
    arguments.extend(["--advance-signer", &signer, "--advance-address", ACCOUNT]);
    arguments.extend(["--operator-signer", &signer, "--operator-address", ACCOUNT]);
    let program = env!("CARGO_BIN_EXE_enshrine");
    let clean = |what: &str, text: &str| {
        assert!(!text.contains(CANARY) && !text.contains(&"5e".repeat(32)), "{what}: {text}");
    };
    for flag in ["--print-config", "--check"] {
        let output = Command::new(program).arg("node").args(&arguments).arg(flag).output().unwrap();
        let (out, err) = (output.stdout, output.stderr);
        assert!(!out.is_empty() || !err.is_empty());
        clean(flag, &String::from_utf8_lossy(&out));
        clean(flag, &String::from_utf8_lossy(&err));
    }

    let log = folder.join("log");
    let mut command = Command::new(program);
    command.arg("node").args(&arguments).stdin(Stdio::null());
    command.stdout(File::create(&log).unwrap());
    command.stderr(File::options().append(true).open(&log).unwrap());
    let _running = Running(command.spawn().unwrap());
    let address = format!("http://127.0.0.1:{port}");
    let options = ClientOptions { timeout: Duration::from_secs(5), ..ClientOptions::default() };
    let client = Client::new(&address, options).unwrap();
    let status = || client.request::<_, Value>("rollup_syncStatus", ());
    until("the node", || status().is_ok());
    until("a fault of the feed", || {
        fs::read_to_string(&log).unwrap().contains("feed of unsafe blocks failed")
    });
    clean("rollup_syncStatus", &status().unwrap().to_string());
    let refused = client.request::<_, Value>("eth_sendRawTransaction", json!(["0x02c0"]));
    clean("a send", &refused.unwrap_err().to_string());
    for page in ["health", "metrics"] {
        let server = ("127.0.0.1", port.parse().unwrap());
        let text = http(server, &format!("GET /{page} HTTP/1.1"), "").unwrap();
        assert!(text.len() > 100, "{text}");
        clean(page, &text);
    }
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("127.0.0.1:1"), "the log names the addresses: {text}");
    clean("the log", &text);
}
