//! Results of `debug_executionWitness` in the forms of different clients.

use super::{
    geth::{canonical, header_rlp},
    samples::header,
};
use alloy_consensus::Header;
use alloy_primitives::{B256, hex, keccak256};
use enshrine_codec::OwnedWitness;
use serde_json::{Value, json};
use wire::{DecodeError, ProtocolFork};

fn read(document: &Value) -> Result<OwnedWitness, DecodeError> {
    let from_text = OwnedWitness::from_json(&document.to_string());
    // Both entry points accept the same documents; only errors about text have line and column.
    let from_value = OwnedWitness::from_json_value(document.clone());
    assert_eq!(from_text.as_ref().ok(), from_value.as_ref().ok());
    from_text
}

fn header_hex(number: u64) -> String {
    header_rlp(number).to_string()
}

/// A header as geth's RPC marshals it; fields that the fork does not have are null.
fn geth_header(header: &Header) -> Value {
    let quantity = |value: u64| json!(format!("{value:#x}"));
    let optional = |value: Option<u64>| value.map_or(Value::Null, quantity);
    json!({
        "parentHash": header.parent_hash,
        "sha3Uncles": header.ommers_hash,
        "miner": header.beneficiary,
        "stateRoot": header.state_root,
        "transactionsRoot": header.transactions_root,
        "receiptsRoot": header.receipts_root,
        "logsBloom": header.logs_bloom,
        "difficulty": format!("{:#x}", header.difficulty),
        "number": quantity(header.number),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "extraData": header.extra_data,
        "mixHash": header.mix_hash,
        "nonce": header.nonce,
        "baseFeePerGas": optional(header.base_fee_per_gas),
        "withdrawalsRoot": header.withdrawals_root,
        "blobGasUsed": optional(header.blob_gas_used),
        "excessBlobGas": optional(header.excess_blob_gas),
        "parentBeaconBlockRoot": header.parent_beacon_block_root,
        "requestsHash": header.requests_hash,
        "blockAccessListHash": header.block_access_list_hash,
        "slotNumber": optional(header.slot_number),
        "hash": header.hash_slow(),
    })
}

/// The form of reth: arrays of hex in any order, and preimages, which are ignored.
fn reth() -> Value {
    json!({
        "state": ["0x6262", "0x80", "0x61616161", "0x01", "0x6262", "0x"],
        "codes": ["0x60", "0x5b00", "0x", "0x60"],
        "keys": [hex::encode_prefixed([1; 20]), hex::encode_prefixed([2; 32])],
        "headers": [header_hex(15), header_hex(16), header_hex(17)],
    })
}

#[test]
fn reth_and_ethrex_send_hex() {
    assert_eq!(read(&reth()), Ok(canonical()));
    // ethrex: newer versions have no preimages, and some list headers newest first.
    let mut ethrex = reth();
    ethrex.as_object_mut().unwrap().remove("keys");
    ethrex["headers"].as_array_mut().unwrap().reverse();
    assert_eq!(read(&ethrex), Ok(canonical()));
}

#[test]
fn geth_sends_headers_as_objects_and_no_keys() {
    let mut document = reth();
    document.as_object_mut().unwrap().remove("keys");
    document["headers"] =
        [17, 16, 15].map(|number| geth_header(&header(ProtocolFork::Osaka, number))).into();
    assert_eq!(read(&document), Ok(canonical()));
}

#[test]
fn header_objects_of_every_fork_become_rlp() {
    let mut headers: Vec<_> = ProtocolFork::ALL.into_iter().map(|fork| header(fork, 17)).collect();
    // A header from before EIP-1559, and one with all numbers at their maximum.
    headers.push(Header { base_fee_per_gas: None, ..header(ProtocolFork::Paris, 17) });
    headers.push(Header {
        gas_limit: u64::MAX,
        gas_used: u64::MAX,
        timestamp: u64::MAX,
        base_fee_per_gas: Some(u64::MAX),
        blob_gas_used: Some(u64::MAX),
        excess_blob_gas: Some(0),
        ..header(ProtocolFork::Osaka, u64::MAX)
    });
    for header in headers {
        let document = json!({ "state": [], "headers": [geth_header(&header)] });
        let witness = read(&document).unwrap();
        assert_eq!(witness.headers.len(), 1);
        assert_eq!(witness.headers[0], alloy_rlp::encode(&header));
        assert_eq!(keccak256(&witness.headers[0]), header.hash_slow());
    }
}

#[test]
fn older_reth_sends_maps_from_hash_to_bytes() {
    let map = |items: &[&[u8]]| -> Value {
        let entry =
            |item: &&[u8]| (keccak256(item).to_string(), Value::String(hex::encode_prefixed(item)));
        Value::Object(items.iter().map(entry).collect())
    };
    let mut document = reth();
    document["state"] = map(&[b"bb", b"aaaa", b"\x01", b"\x80"]);
    document["codes"] = map(&[b"\x60", b"\x5b\x00", b""]);
    document["keys"] = map(&[&[1; 20]]);
    assert_eq!(read(&document), Ok(canonical()));
}

#[test]
fn codes_and_headers_may_be_absent() {
    let expected = OwnedWitness { codes: vec![], headers: vec![], ..canonical() };
    assert_eq!(read(&json!({ "state": reth()["state"] })), Ok(expected));
    assert_eq!(read(&json!({ "state": {} })), Ok(OwnedWitness::default()));
}

#[test]
fn hex_prefix_and_case_are_optional() {
    let expected = OwnedWitness { state: vec![vec![0xab, 0xcd].into()], ..Default::default() };
    for text in ["0xabcd", "abcd", "0xABCD"] {
        assert_eq!(read(&json!({ "state": [text] })), Ok(expected.clone()), "{text}");
    }
}

/// Returns the reason why a document is rejected, and checks that it is short.
fn reason(document: &Value) -> String {
    match read(document) {
        Err(DecodeError::Json { what: "execution witness", message }) => {
            assert!(message.len() < 200, "{message}");
            message
        }
        other => panic!("{document}: {other:?}"),
    }
}

#[test]
fn malformed_document_error_names_its_position() {
    for text in ["", "{", "{\"state\":[\"0x01\"", "\u{0}", "[1,2", "{\"state\":[]} x"] {
        let error = OwnedWitness::from_json(text).unwrap_err();
        assert!(matches!(error, DecodeError::Json { .. }), "{text}: {error}");
        assert!(error.to_string().contains("line 1 column"), "{text}: {error}");
    }
}

#[test]
fn wrong_types_are_rejected() {
    let good = reth();
    assert!(read(&good).is_ok());
    for (field, bad) in [
        ("state", json!("0x01")),
        ("state", json!(7)),
        ("state", json!([7])),
        ("state", json!([[1, 2]])),
        ("state", json!([null])),
        ("state", json!({ "0x01": "0x01" })),
        ("state", json!({ (B256::ZERO.to_string()): 7 })),
        ("codes", json!("0x")),
        ("codes", json!([["0x"]])),
        ("codes", json!([true])),
        ("headers", json!({})),
        ("headers", json!([7])),
        ("headers", json!([[]])),
        ("headers", json!([null])),
    ] {
        let mut document = good.clone();
        document[field] = bad.clone();
        let reason = reason(&document);
        assert!(reason.contains("invalid"), "{field} {bad}: {reason}");
    }
    assert!(reason(&json!({ "codes": [] })).contains("missing field `state`"));
    assert!(reason(&json!("0x01")).contains("invalid type"));
}

#[test]
fn invalid_hex_is_rejected_without_quoting_it() {
    let long = "0x".to_owned() + &"zz".repeat(100_000);
    for (field, bad, expected) in [
        ("state", "0x012", "odd number of digits"),
        ("codes", "0xzz", "invalid character"),
        ("headers", "0x1", "odd number of digits"),
        ("state", long.as_str(), "invalid character"),
    ] {
        let mut document = reth();
        document[field] = json!([bad]);
        let reason = reason(&document);
        assert!(reason.starts_with("not hex: ") && reason.contains(expected), "{reason}");
        assert!(reason.contains("line 1 column"), "{reason}");
    }
}

#[test]
fn incomplete_header_objects_are_rejected() {
    let good = geth_header(&header(ProtocolFork::Osaka, 17));
    let with = |header: Value| json!({ "state": [], "headers": [header] });
    assert!(read(&with(good.clone())).is_ok());
    for field in ["parentHash", "miner", "stateRoot", "logsBloom", "number", "gasLimit", "nonce"] {
        let mut short = good.clone();
        short.as_object_mut().unwrap().remove(field);
        assert!(reason(&with(short)).contains("missing field"), "{field}");
        let mut bad = good.clone();
        bad[field] = json!("0xnothing");
        reason(&with(bad));
    }
}

#[test]
fn hex_without_header_rlp_is_rejected() {
    let good = header_rlp(17);
    let with = |rlp: &[u8]| read(&json!({ "state": [], "headers": [hex::encode_prefixed(rlp)] }));
    assert!(with(&good).is_ok());
    for bad in [&[][..], &[0x80], &[0xc0], &good[..good.len() - 1], &[&good[..], &[0]].concat()] {
        let error = with(bad).unwrap_err();
        assert!(matches!(error, DecodeError::Rlp { what: "witness header", .. }), "{error}");
    }
}
