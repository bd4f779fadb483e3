//! EXECUTE with inputs that continue in blobs of their own transaction, from the pool to the Beacon
//! API.

use crate::support::{Served, execute_input, serve};
use alloy_consensus::{TxEip4844, TxEip4844WithSidecar, TxEnvelope};
use alloy_eips::{
    eip2718::Encodable2718,
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::{B256, Bytes, hex};
use codec::blob_tail::{MIN_HEAD, Trailer, to_blobs};
use serde_json::{Value, json};
use variants::{BLOB_EXECUTE_ADDRESS, DialectName, Dialects, Drake};

struct BlobDevnet {
    served: Served,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl BlobDevnet {
    fn new() -> Self {
        let served = serve(|config| config.execute_dialects = Dialects::usual(&DialectName::ALL));
        let input = hex::decode(execute_input()).unwrap();
        let (head, tail) = input.split_at(MIN_HEAD);
        Self { served, head: head.to_vec(), tail: tail.to_vec() }
    }

    fn calldata(&self) -> Vec<u8> {
        let trailer = Trailer::new(self.tail.len(), 0).unwrap().encode();
        [&self.head[..], &trailer].concat()
    }

    /// A transaction that calls EXECUTE with this calldata, signed by the first account, and its
    /// hash.
    fn transaction(
        &self,
        nonce: u64,
        input: Vec<u8>,
        sidecar: &BlobTransactionSidecarEip7594,
    ) -> (Bytes, B256) {
        let tx = TxEip4844 {
            chain_id: self.served.devnet.chain_id(),
            nonce,
            gas_limit: 1_000_000,
            max_fee_per_gas: 20_000_000_000,
            max_fee_per_blob_gas: 1_000_000_000,
            to: BLOB_EXECUTE_ADDRESS,
            input: input.into(),
            blob_versioned_hashes: sidecar.versioned_hashes().collect(),
            ..Default::default()
        };
        let signed = self.served.key(0).sign(tx.clone());
        let sidecar = BlobTransactionSidecarVariant::Eip7594(sidecar.clone());
        let with = TxEip4844WithSidecar { tx, sidecar };
        let (signature, hash) = (*signed.signature(), *signed.hash());
        let signed = alloy_consensus::Signed::new_unchecked(with.into(), signature, hash);
        (TxEnvelope::Eip4844(signed).encoded_2718().into(), hash)
    }

    /// Status and JSON of a page.
    fn page(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.page_as(path, "application/json");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Status and body of a page, requested with this `Accept` header.
    fn page_as(&self, path: &str, accept: &str) -> (u16, Vec<u8>) {
        let answer = self.served.page(&format!("GET {path} HTTP/1.1\r\nAccept: {accept}"));
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&answer[..end]).unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[end + 4..].to_vec())
    }
}

fn sidecar(tail: &[u8]) -> BlobTransactionSidecarEip7594 {
    let blobs = to_blobs(tail).iter().map(|blob| blob.as_slice().try_into().unwrap()).collect();
    BlobTransactionSidecarEip7594::try_from_blobs(blobs).unwrap()
}

#[test]
fn execute_reads_blobs_of_own_transaction_only() {
    let devnet = BlobDevnet::new();
    let own = sidecar(&devnet.tail);
    // The block also verifies from its witness, and blobs of another transaction do not count.
    let (raw, hash) = devnet.transaction(0, devnet.calldata(), &own);
    assert_eq!(devnet.served.ask("eth_sendRawTransaction", json!([raw])), json!(hash));
    let receipt = devnet.served.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&receipt["status"], &receipt["blobGasUsed"]), (&json!("0x1"), &json!("0x20000")));
    let (raw, other) = devnet.transaction(1, devnet.calldata(), &sidecar(&devnet.tail[1..]));
    devnet.served.ask("eth_sendRawTransaction", json!([raw]));
    let refused = devnet.served.ask("eth_getTransactionReceipt", json!([other]));
    assert_eq!((&refused["status"], &refused["gasUsed"]), (&json!("0x0"), &json!("0xf4240")));

    // Re-execution has the same result.
    let trace =
        devnet.served.ask("debug_traceTransaction", json!([hash, { "tracer": "callTracer" }]));
    assert_eq!(trace["gasUsed"], receipt["gasUsed"]);
    assert_eq!(trace["output"].as_str().map(str::len), Some(2 + 2 * 43), "{trace}");
    let trace =
        devnet.served.ask("debug_traceTransaction", json!([other, { "tracer": "callTracer" }]));
    assert!(trace["error"].is_string(), "{trace}");

    // So does a call that names the blobs; a call that names unavailable ones fails.
    let hashes: Vec<B256> = own.versioned_hashes().collect();
    let call = |hashes: &[B256]| {
        json!([{
            "from": devnet.served.devnet.addresses()[0],
            "to": BLOB_EXECUTE_ADDRESS, "data": Bytes::from(devnet.calldata()),
            "blobVersionedHashes": hashes, "maxFeePerBlobGas": "0x3b9aca00",
        }, "latest"])
    };
    let answer = devnet.served.ask("eth_call", call(&hashes));
    assert_eq!(answer.as_str().map(str::len), Some(2 + 2 * 43));
    let mut nowhere = hashes[0];
    nowhere[31] ^= 1;
    let said = devnet.served.refused("eth_call", call(&[nowhere]));
    assert!(said.contains(&format!("blob {nowhere} is not available")), "{said}");
    // The failed call does not affect the next block.
    devnet.served.ask("evm_mine", json!([]));
}

#[test]
fn pending_blob_transactions_execute_and_need_blobs() {
    let devnet = BlobDevnet::new();
    devnet.served.ask("evm_setAutomine", json!([false]));
    let own = sidecar(&devnet.tail);
    let (raw, hash) = devnet.transaction(0, devnet.calldata(), &own);
    // Without its blobs the transaction is rejected.
    let bare = devnet.transaction(0, devnet.calldata(), &own).0;
    let bare = TxEnvelope::decode_bare(&bare);
    let said = devnet.served.refused("eth_sendRawTransaction", json!([bare]));
    assert!(said.contains("blobs are missing"), "{said}");
    devnet.served.ask("eth_sendRawTransaction", json!([raw]));
    let call = json!([{
        "from": devnet.served.devnet.addresses()[0],
        "to": BLOB_EXECUTE_ADDRESS, "data": Bytes::from(devnet.calldata()),
        "blobVersionedHashes": own.versioned_hashes().collect::<Vec<_>>(),
        "maxFeePerBlobGas": "0x3b9aca00",
    }, "latest"]);
    assert_eq!(devnet.served.ask("eth_call", call).as_str().map(str::len), Some(2 + 2 * 43));
    devnet.served.ask("evm_mine", json!([]));
    let receipt = devnet.served.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x1");
}

#[test]
fn transaction_beyond_blob_limit_is_rejected() {
    let devnet = BlobDevnet::new();
    devnet.served.ask("evm_setAutomine", json!([false]));
    let with = |count: usize| sidecar(&vec![1; (count - 1) * 31 * 4_096 + 1]);
    let (raw, _) = devnet.transaction(0, Vec::new(), &with(7));
    let said = devnet.served.refused("eth_sendRawTransaction", json!([raw]));
    assert!(said.contains("too many blobs in one transaction, have: 7, max: 6"), "{said}");
    assert_eq!(devnet.served.ask("txpool_status", json!([]))["pending"], "0x0");
    let (raw, hash) = devnet.transaction(0, Vec::new(), &with(6));
    assert_eq!(devnet.served.ask("eth_sendRawTransaction", json!([raw])), json!(hash));
    assert_eq!(devnet.served.ask("txpool_status", json!([]))["pending"], "0x1");
}

#[test]
fn blobs_are_served_like_consensus_clients() {
    let devnet = BlobDevnet::new();
    let own = sidecar(&devnet.tail);
    let (raw, hash) = devnet.transaction(0, devnet.calldata(), &own);
    devnet.served.ask("eth_sendRawTransaction", json!([raw]));
    let block = devnet.served.ask("eth_getBlockByNumber", json!(["latest", false]));
    let number = |text: &Value| u64::from_str_radix(&text.as_str().unwrap()[2..], 16).unwrap();
    let timestamp = number(&block["timestamp"]);
    devnet.served.ask("evm_mine", json!([]));

    let (_, genesis) = devnet.page("/eth/v1/beacon/genesis");
    let (_, spec) = devnet.page("/eth/v1/config/spec");
    let seconds = |text: &Value| text.as_str().unwrap().parse::<u64>().unwrap();
    let since = timestamp - seconds(&genesis["data"]["genesis_time"]);
    let slot = since / seconds(&spec["data"]["SECONDS_PER_SLOT"]);
    let named = own.versioned_hashes().next().unwrap();
    let blob = json!([own.blobs[0]]);
    for id in [slot.to_string(), block["hash"].as_str().unwrap().to_owned()] {
        for query in [String::new(), format!("?versioned_hashes={named}")] {
            let (status, answer) = devnet.page(&format!("/eth/v1/beacon/blobs/{id}{query}"));
            assert_eq!((status, &answer["data"]), (200, &blob));
        }
    }
    let ssz = devnet.page_as(&format!("/eth/v1/beacon/blobs/{slot}"), "application/octet-stream");
    assert_eq!(ssz, (200, own.blobs[0].to_vec()));
    assert_eq!(
        devnet.page_as("/eth/v1/beacon/blobs/head", "application/octet-stream"),
        (200, vec![])
    );
    let path = format!("/eth/v1/beacon/blobs/{slot}?versioned_hashes={hash}");
    assert_eq!(devnet.page(&path).1["data"], json!([]));
    assert_eq!(devnet.page("/eth/v1/beacon/blobs/head").1["data"], json!([]));
    let (status, answer) = devnet.page(&format!("/eth/v1/beacon/blob_sidecars/{slot}"));
    assert_eq!((status, &answer["code"]), (410, &json!(410)));
    assert_eq!(devnet.page("/eth/v1/beacon/blobs/999999999").0, 404);
    assert_eq!(devnet.page(&format!("/eth/v1/beacon/blobs/{hash}")).0, 404);
    for nonsense in ["x", "-1", "0x12", "99999999999999999999", "head?versioned_hashes=1"] {
        assert_eq!(devnet.page(&format!("/eth/v1/beacon/blobs/{nonsense}")).0, 400, "{nonsense}");
    }
}

#[test]
fn drake_dialect_works_beside_the_others() {
    let devnet = BlobDevnet::new();
    let input = [&devnet.head[..], &devnet.tail].concat();
    let mut claim = DialectName::Drake.encode(&input).unwrap().calldata;
    let ask = |claim: &[u8]| {
        let data = Bytes::copy_from_slice(claim);
        devnet.served.ask("eth_call", json!([{ "to": Drake::ADDRESS, "data": data }, "latest"]))
    };
    assert_eq!(ask(&claim), json!(B256::with_last_byte(1)));
    claim[0] ^= 1;
    assert_eq!(ask(&claim), json!(B256::ZERO));
}

#[test]
fn blob_dialect_is_absent_by_default() {
    let devnet = BlobDevnet { served: serve(|_| {}), ..BlobDevnet::new() };
    let call =
        json!([{ "to": BLOB_EXECUTE_ADDRESS, "data": Bytes::from(devnet.calldata()) }, "latest"]);
    assert_eq!(devnet.served.ask("eth_call", call), "0x");
}

/// Converts a transaction from its network form to its form in a block.
trait Bare {
    fn decode_bare(raw: &Bytes) -> Bytes;
}

impl Bare for TxEnvelope {
    fn decode_bare(raw: &Bytes) -> Bytes {
        use alloy_consensus::TxEip4844Variant;
        use alloy_eips::eip2718::Decodable2718;
        let Ok(Self::Eip4844(signed)) = Self::decode_2718(&mut raw.as_ref()) else {
            panic!("a blob transaction")
        };
        let (transaction, signature, hash) = signed.into_parts();
        let TxEip4844Variant::TxEip4844WithSidecar(with) = transaction else { panic!("blobs") };
        let bare = alloy_consensus::Signed::new_unchecked(with.tx.into(), signature, hash);
        Self::Eip4844(bare).encoded_2718().into()
    }
}
