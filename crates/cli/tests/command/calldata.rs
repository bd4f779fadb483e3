//! `enshrine calldata` without L1, from all sources of its input.

use crate::support::{
    Node, batch, block, enshrine, feed, forced, json_of, path, refuse, run, witness_json,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Bytes, hex};
use alloy_sol_types::SolCall as _;
use codec::Bundle;
use contracts::{
    bindings::INativeRollup::{Evidence, advanceCall},
    code_reference::{CodeReference, shorten},
};
use serde_json::json;
use std::fs;
use testkit::CHAIN_ID;
use wire::ProtocolFork;

/// Runs a command with `form` on standard input; returns its output, or standard error if it fails.
fn fed(arguments: &[&str], form: &[u8]) -> Result<String, String> {
    let output = feed(arguments, form);
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
}

/// Returns the inputs in calldata of `advance`, and asserts that it has no evidence.
fn inputs_of(calldata: &str) -> Vec<Bytes> {
    let call =
        advanceCall::abi_decode(&hex::decode(calldata.trim()).expect("hex")).expect("a call");
    assert_eq!(call.evidence, Evidence::default());
    call.inputs
}

#[test]
fn forced_transaction_is_read_from_all_sources() {
    let raw = forced(3).encoded_2718();
    let digits = hex::encode_prefixed(&raw);
    let expected = run(&["calldata", "force", &digits]);
    assert_eq!(run(&["calldata", "force", &digits[2..]]), expected);
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "raw");
    for form in [
        raw.clone(),
        digits.clone().into_bytes(),
        format!("{}\n", &digits[2..]).into_bytes(),
        json!({ "jsonrpc": "2.0", "id": 1, "result": digits }).to_string().into_bytes(),
    ] {
        fs::write(&file, &form).expect("writes");
        assert_eq!(run(&["calldata", "force", &file]), expected);
        assert_eq!(fed(&["calldata", "force", "-"], &form).as_ref(), Ok(&expected));
    }
    for (form, reason) in [
        (&raw[..raw.len() - 1], "not a signed transaction"),
        (&digits.as_bytes()[..digits.len() - 1], "cut off"),
        (b"{\"hash\":\"0x12\"}", "a JSON object"),
        (b"", "is empty"),
    ] {
        let said = fed(&["calldata", "force", "-"], form).expect_err("no transaction");
        assert!(said.contains(reason), "{reason}: {said}");
    }
    let said = refuse(&["calldata", "force", &path(folder.path(), "absent")]);
    assert!(said.contains("absent") && said.contains("RAWTX"), "{said}");
}

#[test]
fn advance_accepts_blocks_and_batches_only() {
    let (single, batch) = (block(ProtocolFork::Osaka).input().expect("encodes"), batch());
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let file = path(folder.path(), name);
        fs::write(&file, bytes).expect("writes");
        file
    };
    let one = write("one.ssz", &single);
    let three = write("three.hex", hex::encode(&batch).as_bytes());
    let told = json_of(&["calldata", "advance", &one, &three, &one]);
    let expected = [&single, &batch, &single].map(|input| Bytes::copy_from_slice(input));
    assert_eq!(inputs_of(told["calldata"].as_str().expect("text")), expected);
    let calldata = fed(&["calldata", "advance", "-"], &batch).expect("succeeds");
    assert_eq!(inputs_of(&calldata), expected[1..2]);
    // The codes of a batch can be referenced and stored like those of a block.
    let codes = CodeReference::of_codes_in(&batch);
    let shortened = shorten(&batch, &codes).expect("it has codes").bytes;
    let named = run(&["calldata", "advance", "--kept", &three]);
    assert_eq!(inputs_of(&named), [shortened]);
    let keep = run(&["calldata", "keep", &three]);
    assert_eq!(keep.trim(), codes[0].creation().to_string());

    for (name, bytes) in [
        ("short-block.ssz", &single[..100]),
        ("short-batch.ssz", &batch[..100]),
        ("unknown.ssz", &[&[0xff; 2][..], &batch[2..]].concat()),
    ] {
        let file = write(name, bytes);
        let said = refuse(&["calldata", "advance", &one, &file]);
        assert!(said.contains(&format!("{name} is not an input of EXECUTE")), "{said}");
        assert!(refuse(&["calldata", "keep", &file]).contains(name));
    }
}

#[test]
fn bundle_is_encoded_with_given_fork() {
    let built = block(ProtocolFork::Osaka);
    let bundle = Bundle {
        chain_id: CHAIN_ID,
        block: built.block.rlp(),
        pre_state_root: None,
        witness: built.witness.clone(),
    };
    let input = [Bytes::from(built.input().expect("encodes"))];
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "bundle.json");
    fs::write(&file, bundle.to_json()).expect("writes");
    for command in [&["calldata", "advance"][..], &["calldata", "keep"]] {
        let said = refuse(&[command, &[&file]].concat());
        assert!(said.contains("--fork"), "{said}");
    }
    let calldata = run(&["calldata", "advance", "--fork", "osaka", &file]);
    assert_eq!(inputs_of(&calldata), input);
    let keep = run(&["calldata", "keep", "--fork", "osaka", &file]);
    assert_eq!(keep.trim(), CodeReference::of_codes_in(&input[0])[0].creation().to_string());
}

#[test]
fn advance_fetches_requested_block_from_node() {
    let built = block(ProtocolFork::Osaka);
    let (rlp, witness) = (built.block.rlp().to_string(), witness_json(&built.witness));
    let node = Node::start(move |method, params| match method {
        "eth_chainId" => json!({ "result": "0x1f8f" }),
        // Returns its only block for every number.
        "debug_getRawBlock" => json!({ "result": rlp }),
        "debug_executionWitness" => {
            assert_eq!(params, &json!(["0x1"]));
            json!({ "result": witness })
        }
        other => panic!("{other}"),
    });
    let input = [Bytes::from(built.input().expect("encodes"))];
    let advance = ["calldata", "advance", "--fork", "osaka", "--l2", &node.url];
    let calldata = run(&[&advance[..], &["--block", "1"]].concat());
    assert_eq!(inputs_of(&calldata), input);
    let calldata = run(&[&advance[..], &["--block", "1", "--block", "1"]].concat());
    assert_eq!(inputs_of(&calldata), [&input[..], &input].concat());
    let said = refuse(&[&advance[..], &["--block", "2"]].concat());
    assert!(said.contains("returned block 1, expected block 2"), "{said}");
    let said = refuse(&["calldata", "advance", "--l2", &node.url, "--block", "1"]);
    assert!(said.contains("--fork"), "{said}");
    let said = refuse(&["calldata", "advance", "--block", "1", "block.ssz"]);
    assert!(said.contains("--block requires --l2"), "{said}");
    // Conflicting or incomplete flags.
    for flags in [
        &["--l2", &node.url][..],
        &["--block", "1"],
        &["--l2", &node.url, "--block", "1", "block.ssz"],
        &[],
    ] {
        let output = enshrine(&[&["calldata", "advance"], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Usage"), "{flags:?}");
    }
}
