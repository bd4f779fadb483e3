//! Transactions that the node signs, and unsigned ones, of the blob and authorization types.

use crate::support::{SINK, Served, serve};
use alloy_eips::eip4844::{BYTES_PER_BLOB, kzg_to_versioned_hash};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use serde_json::{Value, json};

const STRANGER: &str = "0x00000000000000000000000000000000000000ee";
/// Returns 42.
const CODE: &str = "0x602a5f5260205ff3";
const IMPLEMENTATION: &str = "0x00000000000000000000000000000000000000cc";

fn receipt(served: &Served, hash: &Value) -> Value {
    served.ask("eth_getTransactionReceipt", json!([hash]))
}

/// A signature that cannot be valid: no curve point has this coordinate.
fn forged() -> (U256, U256, Bytes) {
    let (r, s) = (U256::from(5), U256::from(7));
    let mut bytes = [r.to_be_bytes::<32>(), s.to_be_bytes::<32>()].concat();
    bytes.push(27);
    (r, s, bytes.into())
}

#[test]
fn impersonated_signature_authorizes_the_account() {
    let served = serve(|config| config.verify_blocks = false);
    let from = served.devnet.addresses()[0];
    served.ask("anvil_setCode", json!([IMPLEMENTATION, CODE]));
    let (r, s, signature) = forged();
    let chain_id: U256 = serde_json::from_value(served.ask("eth_chainId", json!([]))).unwrap();
    let authorization = json!({
        "chainId": chain_id, "address": IMPLEMENTATION, "nonce": "0x0", "yParity": "0x0",
        "r": r, "s": s,
    });
    let request = json!([{
        "from": from, "to": SINK, "gas": "0x30d40", "authorizationList": [authorization],
    }]);
    let code = || served.ask("eth_getCode", json!([STRANGER, "latest"]));
    // Before the cheat, the authorization has no valid signer.
    let hash = served.ask("eth_sendTransaction", request.clone());
    assert_eq!((receipt(&served, &hash)["type"].clone(), code()), (json!("0x4"), json!("0x")));

    served.ask("anvil_impersonateSignature", json!([signature, STRANGER]));
    let call = json!({ "from": from, "to": STRANGER, "authorizationList": [authorization] });
    let pretended = served.ask("eth_call", json!([call, "latest"]));
    assert_eq!(pretended, json!(B256::left_padding_from(&[42])));
    assert_eq!(code(), json!("0x"), "a call does not change the state");
    let hash = served.ask("eth_sendTransaction", request);
    assert_eq!(receipt(&served, &hash)["status"], "0x1");
    let delegated = format!("0xef0100{}", &IMPLEMENTATION[2..]);
    assert_eq!(code(), json!(delegated));
    let answer = served.ask("eth_call", json!([{ "to": STRANGER }, "latest"]));
    assert_eq!(answer, json!(B256::left_padding_from(&[42])));
    // Re-execution has the same result.
    let changes = json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } });
    let trace = served.ask("debug_traceTransaction", json!([hash, changes]));
    assert_eq!(trace["post"][STRANGER]["code"], json!(delegated), "{trace}");
}

fn blob(byte: u8) -> String {
    let mut blob = vec![0; BYTES_PER_BLOB];
    blob[1] = byte;
    hex::encode_prefixed(blob)
}

#[test]
fn node_computes_proofs_for_requested_blobs() {
    let served = serve(|config| config.verify_blocks = false);
    let from = served.devnet.addresses()[0];
    served.ask("anvil_impersonateAccount", json!([STRANGER]));
    served.ask("anvil_setBalance", json!([STRANGER, "0xde0b6b3a7640000"]));
    for sender in [json!(from), json!(STRANGER)] {
        let request = json!({ "from": sender, "to": SINK, "blobs": [blob(1), blob(2)] });
        let filled = served.ask("eth_fillTransaction", json!([request]));
        assert_eq!(filled["tx"]["type"], "0x3");
        let hash = served.ask("eth_sendTransaction", json!([request]));
        let receipt = receipt(&served, &hash);
        assert_eq!(
            (&receipt["status"], &receipt["blobGasUsed"]),
            (&json!("0x1"), &json!("0x40000"))
        );
        let sent = served.ask("eth_getTransactionByHash", json!([hash]));
        assert_eq!(sent["blobVersionedHashes"], filled["tx"]["blobVersionedHashes"]);
        let sidecar = served.ask("eth_getBlobSidecarByTxHash", json!([hash]));
        assert_eq!(sidecar["blobs"], json!([blob(1), blob(2)]));
        let commitment: Bytes = serde_json::from_value(sidecar["commitments"][0].clone()).unwrap();
        assert_eq!(sent["blobVersionedHashes"][0], json!(kzg_to_versioned_hash(&commitment)));
    }
    // Any node would accept the signed transaction.
    let request = json!({ "from": from, "to": SINK, "blobs": [blob(3)] });
    let raw = served.ask("eth_signTransaction", json!([request]));
    served.ask("eth_sendRawTransaction", json!([raw]));

    let named = json!([format!("0x01{}", "00".repeat(31))]);
    let wrong = json!([{ "to": SINK, "blobs": [blob(1)], "blobVersionedHashes": named }]);
    let error = served.refused("eth_sendTransaction", wrong);
    assert!(error.contains("commitments are not those"), "{error}");
    let error = served.refused("eth_sendTransaction", json!([{ "to": SINK, "blobs": ["0x00"] }]));
    assert!(error.contains("131072 bytes"), "{error}");
    let many = json!([{ "to": SINK, "blobs": vec![blob(1); 7] }]);
    let error = served.refused("eth_sendTransaction", many);
    assert!(error.contains("too many blobs in one transaction, have: 7, max: 6"), "{error}");
    let torn = json!([{ "to": SINK, "blobs": [blob(1)], "commitments": ["0x"], "proofs": [] }]);
    assert!(served.client.request::<_, Value>("eth_sendTransaction", torn).is_err());
    let bare = json!([{ "to": SINK, "blobVersionedHashes": named }]);
    let error = served.refused("eth_sendTransaction", bare);
    assert!(error.contains("the blobs are missing"), "{error}");
}

#[test]
fn blob_proofs_are_converted_to_cell_proofs() {
    let old = serve(|config| {
        config.hardfork = enshrine_devnet::Hardfork::Prague;
        config.verify_blocks = false;
    });
    let to = Address::repeat_byte(0xaa);
    let hash = old.ask("eth_sendTransaction", json!([{ "to": to, "blobs": [blob(9)] }]));
    let mut request = old.ask("eth_getBlobSidecarByTxHash", json!([hash]));
    assert_eq!(request["proofs"].as_array().unwrap().len(), 1);
    request["to"] = json!(to);
    let new = serve(|config| config.verify_blocks = false);
    let hash = new.ask("eth_sendTransaction", json!([request]));
    assert_eq!(receipt(&new, &hash)["status"], "0x1");
    let sidecar = new.ask("eth_getBlobSidecarByTxHash", json!([hash]));
    assert!(
        sidecar
            .get("cellProofs")
            .or(sidecar.get("proofs"))
            .is_some_and(|proofs| { proofs.as_array().is_some_and(|proofs| proofs.len() == 128) })
    );
    request["proofs"][0] = json!(format!("0xc0{}", "00".repeat(47)));
    let error = new.refused("eth_sendTransaction", json!([request]));
    assert!(error.contains("blob"), "{error}");

    // Proofs of a signed transaction are converted too. A transaction with more blobs than the fork
    // allows is rejected, because no block could include it.
    let signed = |count: u8| {
        let blobs: Vec<_> = (1..=count).map(blob).collect();
        let request = json!([{ "to": to, "blobs": blobs, "nonce": "0x1" }]);
        old.ask("eth_signTransaction", request)
    };
    let error = new.refused("eth_sendRawTransaction", json!([signed(7)]));
    assert!(error.contains("too many blobs in one transaction, have: 7, max: 6"), "{error}");
    assert_eq!(new.ask("txpool_status", json!([]))["pending"], "0x0");
    let hash = new.ask("eth_sendRawTransaction", json!([signed(6)]));
    assert_eq!(receipt(&new, &hash)["blobGasUsed"], "0xc0000");
    let sidecar = new.ask("eth_getBlobSidecarByTxHash", json!([hash]));
    assert_eq!(sidecar["cellProofs"].as_array().map(Vec::len), Some(6 * 128));
    // Cell proofs are not converted back.
    let request = json!([{ "to": to, "blobs": [blob(1)], "nonce": "0x1" }]);
    let raw = new.ask("eth_signTransaction", request);
    let error = old.refused("eth_sendRawTransaction", json!([raw]));
    assert!(error.contains("cell proofs are not those of this fork"), "{error}");
}

#[test]
fn call_without_blob_fee_is_free() {
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    // Returns BLOBBASEFEE.
    let state = json!({ SINK: { "code": "0x4a5f5260205ff3" } });
    let hash = format!("0x01{}", "00".repeat(31));
    for (offered, fee) in [(Value::Null, 0), (json!("0x0"), 0), (json!("0x5"), 1)] {
        let call = json!({
            "from": from, "to": SINK, "blobVersionedHashes": [hash], "maxFeePerBlobGas": offered,
        });
        let told = served.ask("eth_call", json!([call, "latest", state]));
        assert_eq!(told, json!(B256::left_padding_from(&[fee])));
        served.ask("eth_estimateGas", json!([call]));
    }
    let told = served.ask("eth_call", json!([{ "to": SINK }, "latest", state]));
    assert_eq!(told, json!(B256::left_padding_from(&[1])));
}
