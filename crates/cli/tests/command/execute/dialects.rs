//! EXECUTE calls in dialects other than that of the execution-specs.

use super::{Files, text};
use crate::support::{batch, block, document, enshrine};
use alloy_primitives::{Address, B256, Bytes, hex};
use alloy_sol_types::SolCall as _;
use codec::{ExecuteTx, SignedExecuteTx};
use contracts::bindings::INativeRollup::{Evidence, advanceCall};
use serde_json::json;
use std::fs;
use testkit::{CHAIN_ID, DraftL2, ETHER, Key, execute_tx_calling, rich_genesis};
use variants::DraftBlock;
use wire::ProtocolFork;

#[test]
fn blocks_and_batches_round_trip_through_dialects() {
    let files = Files::new();
    let batched = files.path("batch.ssz");
    fs::write(&batched, batch()).expect("writes");
    for source in [files.path("good.hex"), files.path("good.ssz"), batched.clone()] {
        let plain = files.path("plain");
        assert!(enshrine(&["execute", "encode", &source, "-o", &plain]).status.success());
        for dialect in ["specs", "drake", "blobs", "execute-tx"] {
            // An execute-tx transaction carries the witness of a single block only.
            if dialect == "execute-tx" && source == batched {
                continue;
            }
            let (call, back) = (files.path("call"), files.path("back"));
            let written = enshrine(&["execute", "encode", &source, "--to", dialect, "-o", &call]);
            assert!(written.status.success(), "{dialect}: {}", text(&written.stderr));
            let is_plain = fs::read(&call).expect("written") == fs::read(&plain).expect("written");
            assert_eq!(is_plain, dialect == "specs", "{dialect}");
            let beside = if dialect == "blobs" { ".blob0" } else { ".witness" };
            let blob = format!("{call}{beside}");
            let mut reading = vec!["--dialect", dialect];
            if matches!(dialect, "blobs" | "execute-tx") {
                reading.extend(["--blob", &blob]);
            }
            let read = [&["execute", "encode", &call, "-o", &back], &reading[..]].concat();
            assert!(enshrine(&read).status.success(), "{dialect}");
            assert_eq!(fs::read(&back).expect("written"), fs::read(&plain).expect("written"));
            for subcommand in ["verify", "inspect"] {
                let output = enshrine(&[&["execute", subcommand, &call], &reading[..]].concat());
                assert!(output.status.success(), "{dialect}: {}", text(&output.stderr));
            }
        }
    }
}

#[test]
fn false_claim_is_invalid_with_both_values() {
    let files = Files::new();
    let (good, call) = (files.path("good.ssz"), files.path("call"));
    assert!(enshrine(&["execute", "encode", &good, "--to", "drake", "-o", &call]).status.success());
    let verify = ["execute", "verify", &call, "--dialect", "drake", "--json"];
    assert_eq!(document(&enshrine(&verify).stdout)[0]["verdict"], "valid");
    let claimed = fs::read(&call).expect("written");
    // A byte of the pre-state root, the post-state root and the gas.
    for byte in [0, 32, 127] {
        let mut other = claimed.clone();
        other[byte] ^= 1;
        fs::write(&call, other).expect("writes");
        let output = enshrine(&verify);
        assert_eq!(output.status.code(), Some(1));
        let said = &document(&output.stdout)[0];
        assert_eq!((&said["verdict"], &said["kind"]), (&json!("invalid"), &json!("falseClaim")));
        let reason = said["reason"].as_str().expect("a text");
        assert!(
            reason.contains("got state roots 0x") && reason.contains("expected state roots 0x")
        );
    }
}

#[test]
fn call_of_wrong_dialect_is_unreadable() {
    let files = Files::new();
    let good = files.path("good.ssz");
    for (dialect, reason) in [
        ("drake", "is not canonical"),
        ("blobs", "trailer"),
        ("geth", "dialect \"geth\" is not known, expected specs or drake or blobs"),
    ] {
        let output = enshrine(&["execute", "verify", &good, "--dialect", dialect]);
        assert_eq!(output.status.code(), Some(2), "{dialect}");
        let said = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(said.contains(reason), "{dialect}: {said}");
    }
    // Blobs cannot be written to standard output.
    let output = enshrine(&["execute", "encode", &good, "--to", "blobs", "-o", "-"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(text(&output.stderr).contains("name a file for --output"));
}

#[test]
fn draft_block_has_no_form_in_other_dialects() {
    let fork = ProtocolFork::Osaka;
    let l2 = DraftL2::new(rich_genesis(fork, ["alice"], ETHER), CHAIN_ID, fork).expect("starts");
    let values = DraftBlock { anchor: B256::repeat_byte(0xa5), burned_fees: 0 };
    let built = l2.build(values, Vec::new()).expect("builds");
    let files = Files::new();
    let [call, again, plain] = ["draft.ssz", "again", "good.ssz"].map(|name| files.path(name));
    fs::write(&call, &built.calldata).expect("writes");

    let draft = ["--dialect", "draft-8079"];
    let with = |arguments: &[&str]| enshrine(&[&["execute"], arguments, &draft].concat());
    let said = &document(&with(&["verify", &call, "--json"]).stdout)[0];
    assert_eq!(said["verdict"], "valid");
    let said = &document(&with(&["inspect", &call, "--json"]).stdout)[0];
    let said = &said["input"];
    assert_eq!((&said["anchor"], &said["burnedFees"]), (&json!(values.anchor), &json!(0)));
    let written = with(&["encode", &call, "--to", "draft-8079", "-o", &again]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(fs::read(&again).expect("written"), built.calldata);
    for to in ["specs", "drake", "blobs", "nested"] {
        let refused = with(&["encode", &call, "--to", to, "-o", &again]);
        assert!(!refused.status.success(), "{to}");
        assert!(text(&refused.stderr).contains("cannot be encoded in dialect"), "{to}");
    }
    let refused = enshrine(&["execute", "encode", &plain, "--to", "draft-8079", "-o", &again]);
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("cannot be encoded in dialect")
    );
    // Other burned fees change the block hash.
    let mut forged = built.calldata;
    forged[622] = 1;
    fs::write(&call, forged).expect("writes");
    let said = &document(&with(&["verify", &call, "--json"]).stdout)[0];
    assert_eq!((&said["verdict"], &said["kind"]), (&json!("invalid"), &json!("blockHash")));
}

#[test]
fn raw_type_0x05_transaction_is_recognized() {
    let files = Files::new();
    let [raw, plain, again] = ["raw", "plain", "again"].map(|name| files.path(name));
    let good = files.path("good.ssz");
    assert!(enshrine(&["execute", "encode", &good, "-o", &plain]).status.success());
    let key = Key::named("alice");
    let advance = |head: &[u8]| {
        let inputs = vec![Bytes::copy_from_slice(head)];
        advanceCall { inputs, evidence: Evidence::default() }.abi_encode().into()
    };
    let (block, rollup) = (block(ProtocolFork::Osaka), Address::repeat_byte(0x77));
    let direct =
        execute_tx_calling(&block, ExecuteTx::PRECOMPILE.into(), |head| head.to_vec().into());
    let by_rollup = execute_tx_calling(&block, rollup.into(), advance);
    let sign =
        |tx: ExecuteTx| SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx };
    let inspect = || document(&enshrine(&["execute", "inspect", "--json", &raw]).stdout)[0].clone();
    let verify = || document(&enshrine(&["execute", "verify", "--json", &raw]).stdout)[0].clone();
    for tx in [direct.expect("encodes"), by_rollup.expect("encodes")] {
        let signed = sign(tx.clone());
        fs::write(&raw, signed.encode()).expect("writes");
        let said = &inspect()["input"];
        assert_eq!(said["payload"]["blockHash"], json!(block.block.hash));
        let said = &said["transaction"];
        assert_eq!(
            (&said["transactionHash"], &said["refusal"]),
            (&json!(signed.hash()), &json!(null))
        );
        assert_eq!((&said["sender"], &said["to"]), (&json!(key.address()), &json!(tx.target())));
        assert_eq!(said["witnessBytes"], json!(tx.witness.len()));
        assert_eq!(verify()["verdict"], "valid");
        let written = enshrine(&["execute", "encode", &raw, "-o", &again]);
        assert!(written.status.success(), "{}", text(&written.stderr));
        assert_eq!(fs::read(&again).expect("written"), fs::read(&plain).expect("written"));

        // In hexadecimal, and with a timestamp that is not the block's.
        let other = sign(ExecuteTx { timestamp: tx.timestamp + 1, ..tx.clone() });
        fs::write(&raw, hex::encode_prefixed(other.encode())).expect("writes");
        let refusal = inspect()["input"]["transaction"]["refusal"].clone();
        assert_eq!(refusal, "timestamp of the transaction is not that of the block");
        let said = verify();
        assert_eq!(
            (&said["verdict"], &said["kind"]),
            (&json!("invalid"), &json!("executeTxField"))
        );

        let cut = signed.encode();
        let nothing = sign(ExecuteTx { input: Bytes::new(), ..tx });
        for (bytes, reason) in [
            (&cut[..cut.len() - 1], "list of an ExecuteTx"),
            (&nothing.encode(), "neither the head of an input nor a call"),
        ] {
            fs::write(&raw, bytes).expect("writes");
            let output = enshrine(&["execute", "inspect", &raw]);
            assert_eq!(output.status.code(), Some(2));
            assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
        }
    }
}
