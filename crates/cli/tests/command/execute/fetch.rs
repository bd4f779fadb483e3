//! `enshrine execute fetch` against a scripted node.

use super::text;
use crate::support::{Node, block, enshrine, unread, witness_json};
use codec::Bundle;
use serde_json::json;
use std::{fs, path::Path};
use wire::ProtocolFork;

#[test]
fn fetch_writes_bundle_or_calldata() {
    let built = block(ProtocolFork::Osaka);
    let (raw, witness) = (built.block.rlp(), built.witness.clone());
    let rlp = raw.clone();
    let node = Node::start(move |method, params| match method {
        "eth_chainId" => json!({ "result": "0x1f8f" }),
        "debug_getRawBlock" => {
            assert_eq!(params, &json!(["latest"]));
            json!({ "result": rlp.to_string() })
        }
        // The number of the returned block, so that block and witness match.
        "debug_executionWitness" => {
            assert_eq!(params, &json!(["0x1"]));
            json!({ "result": witness_json(&witness) })
        }
        other => panic!("{other}"),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("block.json");
    let path = out.display().to_string();
    let output =
        enshrine(&["execute", "fetch", "--rpc", &node.url, "--block", "latest", "-o", &path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("wrote block 1"));
    let bundle = Bundle::from_json(&fs::read(&out).expect("written")).expect("a bundle");
    assert_eq!(bundle.chain_id, 8_079);
    assert_eq!(bundle.block, raw);
    assert_eq!(bundle.witness, built.witness);

    // A private chain requires --fork.
    let output = enshrine(&["execute", "verify", &path]);
    assert!(text(&output.stdout).contains("--fork"), "{}", text(&output.stdout));
    let output = enshrine(&["execute", "verify", "--fork", "osaka", &path]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let ssz = folder.path().join("block.ssz").display().to_string();
    let fetch = ["execute", "fetch", "--rpc", &node.url, "--block", "latest", "-o", &ssz];
    let output = enshrine(&[&fetch[..], &["--format", "ssz", "--fork", "osaka"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read(&ssz).expect("written"), built.input().expect("encodes"));
}

#[test]
fn fetch_prints_only_block_to_standard_output() {
    let built = block(ProtocolFork::Osaka);
    let (rlp, witness) = (built.block.rlp().to_string(), witness_json(&built.witness));
    let node = Node::start(move |method, _| match method {
        "eth_chainId" => json!({ "result": "0x1f8f" }),
        "debug_getRawBlock" => json!({ "result": rlp }),
        _ => json!({ "result": witness }),
    });
    let fetch = ["execute", "fetch", "--rpc", &node.url, "--block", "1", "-o", "-"];
    let input = built.input().expect("encodes");
    for flags in [&[][..], &["--json"], &["--format", "ssz", "--fork", "osaka"]] {
        let arguments = [&fetch[..], flags].concat();
        let output = enshrine(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        match flags.contains(&"ssz") {
            true => assert!(output.stdout == input, "{} bytes", output.stdout.len()),
            false => {
                let bundle = Bundle::from_json(&output.stdout).expect("a bundle and nothing else");
                assert_eq!(bundle.witness, built.witness);
            }
        }
        let output = unread(&arguments, b"");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(141), String::new()));
    }
    assert!(!Path::new("-").exists());
}

#[test]
fn fetch_errors_contain_cause_and_advice() {
    let node = Node::start(|method, _| match method {
        "eth_chainId" => json!({ "result": "0x1" }),
        _ => json!({ "error": { "code": -32601, "message": "the method does not exist" } }),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("block.json").display().to_string();
    let output = enshrine(&["execute", "fetch", "--rpc", &node.url, "--block", "7", "-o", &path]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.contains("debug_getRawBlock") && error.contains("enable its debug API"),
        "{error}"
    );
    assert!(!Path::new(&path).exists());

    let absent = Node::start(|method, _| match method {
        "eth_chainId" => json!({ "result": "0x1" }),
        _ => json!({ "result": null }),
    });
    let output = enshrine(&["execute", "fetch", "--rpc", &absent.url, "--block", "7", "-o", &path]);
    assert!(text(&output.stderr).contains("no such block"), "{}", text(&output.stderr));

    let closed = "http://127.0.0.1:1";
    let output = enshrine(&["execute", "fetch", "--rpc", closed, "--block", "7", "-o", &path]);
    assert!(text(&output.stderr).contains(closed), "{}", text(&output.stderr));
    let output = enshrine(&["execute", "fetch", "--rpc", closed, "--block", "soon", "-o", &path]);
    assert!(text(&output.stderr).contains("neither a number nor"), "{}", text(&output.stderr));
}
