//! Bundles: a block and its witness in one JSON document.

use super::{
    geth::canonical,
    samples::{BlockParts, header, transactions},
};
use alloy_primitives::B256;
use enshrine_codec::Bundle;
use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value, json};
use wire::{DecodeError, ProtocolFork};

fn bundle() -> Bundle {
    Bundle {
        chain_id: 11_155_111,
        block: BlockParts::new(&header(ProtocolFork::Osaka, 18), &transactions()).rlp().into(),
        pre_state_root: Some(B256::repeat_byte(3)),
        witness: canonical(),
    }
}

#[test]
fn bundle_survives_json_roundtrip() {
    let with_root = bundle();
    let without_root = Bundle { pre_state_root: None, ..bundle() };
    for bundle in [with_root, without_root] {
        assert_eq!(Bundle::from_json(bundle.to_json().as_bytes()), Ok(bundle));
    }
}

#[test]
fn witness_of_any_client_becomes_canonical() {
    let mut document: Value = serde_json::from_str(&bundle().to_json()).unwrap();
    document["witness"]["headers"].as_array_mut().unwrap().reverse();
    document["witness"]["state"].as_array_mut().unwrap().extend([json!("0x80"), json!("0x01")]);
    assert_eq!(Bundle::from_json(document.to_string().as_bytes()), Ok(bundle()));
}

#[test]
fn malformed_bundle_error_names_its_position() {
    let good: Value = serde_json::from_str(&bundle().to_json()).unwrap();
    assert!(Bundle::from_json(good.to_string().as_bytes()).is_ok());
    let reason = |document: &Value| match Bundle::from_json(document.to_string().as_bytes()) {
        Err(DecodeError::Json { what: "block bundle", message }) => message,
        other => panic!("{document}: {other:?}"),
    };
    for field in ["chainId", "block", "witness"] {
        let mut document = good.clone();
        document.as_object_mut().unwrap().remove(field);
        assert!(reason(&document).contains(&format!("missing field `{field}`")));
    }
    for (field, bad) in [
        ("chainId", json!(-1)),
        ("chainId", json!(1.5)),
        ("block", json!([1, 2])),
        ("block", json!("0x1")),
        ("preStateRoot", json!("0x01")),
        ("witness", json!([])),
        ("witness", json!({ "state": ["0x1"] })),
    ] {
        let mut document = good.clone();
        document[field] = bad;
        let reason = reason(&document);
        assert!(reason.contains("line 1 column"), "{field}: {reason}");
        assert!(reason.len() < 200, "{field}: {reason}");
    }
    let mut document = good;
    document["witness"]["headers"] = json!(["0xc0"]);
    assert!(matches!(
        Bundle::from_json(document.to_string().as_bytes()),
        Err(DecodeError::Rlp { what: "witness header", .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(0x6275_6e64_6c65),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_mutation_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = bundle().to_json().into_bytes();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(read) = Bundle::from_json(&bytes) {
            prop_assert_eq!(Bundle::from_json(read.to_json().as_bytes()), Ok(read));
        }
    }
}
