//! Transactions of type 0x05, which carry the witness for EXECUTE in addition to their calldata.

use crate::support::{Served, execute_input, failure, number, refused, serve};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Sealed, TxKind, U256, hex};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use enshrine_devnet::{DevnetConfig, Hardfork};
use execute::Execute;
use serde_json::{Value, json};
use testkit::{CHAIN_ID, ETHER, Key, L2, TRANSACTION_GAS_CAP, execute_tx_of, rich_genesis};
use variants::{DialectName, Dialects, ExecuteExtension, ExecuteTail, VerdictCounts};
use wire::ProtocolFork;

/// Default gas limit of transactions in this file.
pub(crate) const GAS: u64 = 1_000_000;

pub(crate) struct ExecuteTxDevnet {
    pub(crate) served: Served,
    pub(crate) key: Key,
    /// Input of EXECUTE for an empty block, split into two parts.
    head: Vec<u8>,
    witness: Vec<u8>,
}

impl ExecuteTxDevnet {
    fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut DevnetConfig)) -> Self {
        let served = serve(|config| {
            config.execute_dialects =
                Dialects::usual(&[DialectName::Specs, DialectName::ExecuteTx]);
            change(config);
        });
        let input = hex::decode(execute_input()).unwrap();
        let (head, witness) = input.split_at(ExecuteTail::split_at(&input).unwrap());
        let (head, witness) = (head.to_vec(), witness.to_vec());
        Self { key: served.key(0), served, head, witness }
    }

    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        self.served.ask(method, params)
    }

    /// A transaction that calls this account, or the precompile, with the head of the input.
    pub(crate) fn tx(&self, nonce: u64, to: TxKind) -> ExecuteTx {
        ExecuteTx {
            chain_id: self.served.devnet.chain_id(),
            nonce,
            max_priority_fee_per_gas: 1,
            max_fee_per_gas: 20_000_000_000,
            gas_limit: GAS,
            to,
            ..execute_tx_of(&[&self.head[..], &self.witness].concat()).unwrap()
        }
    }

    pub(crate) fn signed(&self, tx: ExecuteTx) -> SignedExecuteTx {
        let signature = self.key.sign_digest(&tx.signing_hash());
        SignedExecuteTx { tx, signature }
    }

    pub(crate) fn raw(&self, tx: ExecuteTx) -> Bytes {
        self.signed(tx).encode().into()
    }

    /// Sends a transaction that the pool accepts, and returns its receipt.
    pub(crate) fn sent(&self, tx: ExecuteTx) -> Value {
        let hash = self.signed(tx.clone()).hash();
        assert_eq!(self.ask("eth_sendRawTransaction", json!([self.raw(tx)])), json!(hash));
        self.ask("eth_getTransactionReceipt", json!([hash]))
    }

    pub(crate) fn refused(&self, tx: ExecuteTx) -> String {
        self.served.refused("eth_sendRawTransaction", json!([self.raw(tx)]))
    }

    fn counts(&self) -> VerdictCounts {
        let node = self.served.devnet.node();
        let execute =
            |it: &chain::ChainConfig| it.extension::<ExecuteExtension>().unwrap().verdicts.counts();
        node.read(|node| execute(node.chain.config()))
    }

    /// Sets an account's code.
    pub(crate) fn deploy(&self, address: Address, code: &[u8]) {
        self.ask("anvil_setCode", json!([address, Bytes::copy_from_slice(code)]));
    }
}

/// GAS, as an operand of a call: forwards all gas.
pub(crate) const ALL_GAS: [u8; 1] = hex!("5a");

/// Code that forwards its calldata to `0x12` with this gas operand, and returns or reverts with the
/// returndata.
pub(crate) fn relay(gas: &[u8]) -> Vec<u8> {
    let call = [&hex!("365f5f375f5f365f5f6012")[..], gas, &hex!("f13d5f5f3e60")].concat();
    let succeeds = u8::try_from(call.len() + 5).unwrap();
    [&call[..], &[succeeds], &hex!("573d5ffd5b3d5ff3")].concat()
}

/// Code that calls `0x12` `count` times with its calldata, and stops if every call succeeds.
fn many_times(count: usize) -> Vec<u8> {
    let copy = hex!("365f5f37");
    let call = |fails: u8| [&hex!("5f5f365f5f60125af11560")[..], &[fails], &hex!("57")].concat();
    let fails = u8::try_from(copy.len() + count * call(0).len() + 1).unwrap();
    [&copy[..], &call(fails).repeat(count), &hex!("005b5f5ffd")].concat()
}

#[test]
fn execute_transaction_carries_witness_outside_calldata() {
    let devnet = ExecuteTxDevnet::new();
    let tx = devnet.tx(0, TxKind::Create);
    let (signed, raw) = (devnet.signed(tx.clone()), devnet.raw(tx.clone()));
    let receipt = devnet.sent(tx);
    assert_eq!((&receipt["status"], &receipt["type"]), (&json!("0x1"), &json!("0x5")));
    assert_eq!(
        (&receipt["to"], &receipt["contractAddress"]),
        (&json!(ExecuteTx::PRECOMPILE), &Value::Null)
    );

    // The transaction in each JSON-RPC representation.
    let hash = json!([signed.hash()]);
    assert_eq!(devnet.ask("eth_getRawTransactionByHash", hash.clone()), json!(raw));
    let found = devnet.ask("eth_getTransactionByHash", hash.clone());
    assert_eq!((&found["type"], &found["execute"]["version"]), (&json!("0x5"), &json!(2)));
    assert_eq!(found["execute"]["witness"], json!(Bytes::from(devnet.witness.clone())));
    assert_eq!((&found["from"], &found["to"]), (&json!(devnet.key.address()), &Value::Null));
    let read: chain::Transaction = serde_json::from_value(found).unwrap();
    assert_eq!(read.encoded_2718(), raw.to_vec());
    let block = devnet.ask("eth_getBlockByNumber", json!(["latest", true]));
    assert_eq!(block["transactions"][0]["hash"], hash[0]);

    // The receipts trie contains the receipt with its type.
    let receipts = devnet.ask("debug_getRawReceipts", json!(["latest"]));
    assert!(receipts[0].as_str().unwrap().starts_with("0x05"), "{receipts}");

    // Re-execution has the same result.
    let trace = devnet.ask("debug_traceTransaction", json!([hash[0], { "tracer": "callTracer" }]));
    assert_eq!(trace["gasUsed"], receipt["gasUsed"]);
    assert_eq!(trace["output"].as_str().map(str::len), Some(2 + 2 * 43), "{trace}");
}

/// At any call depth, but not in other transactions or calls.
#[test]
fn witness_is_available_only_within_its_transaction() {
    let devnet = ExecuteTxDevnet::new();
    let relay = Address::repeat_byte(0xa1);
    devnet.deploy(relay, &self::relay(&ALL_GAS));
    assert_eq!(devnet.sent(devnet.tx(0, relay.into()))["status"], "0x1");
    // The same call in a transaction of another type, or by `eth_call`, has no witness.
    let ethereum = devnet.key.sign(TxEip1559 {
        chain_id: devnet.served.devnet.chain_id(),
        nonce: 1,
        gas_limit: GAS,
        max_fee_per_gas: 20_000_000_000,
        to: relay.into(),
        input: devnet.head.clone().into(),
        ..TxEip1559::default()
    });
    devnet.ask("eth_sendRawTransaction", json!([Bytes::from(ethereum.encoded_2718())]));
    let receipt = devnet.ask("eth_getTransactionReceipt", json!([ethereum.hash()]));
    assert_eq!(receipt["status"], "0x0");
    for input in [devnet.head.clone(), [&devnet.head[..], &devnet.witness].concat()] {
        let call = json!([{ "to": ExecuteTx::PRECOMPILE, "data": Bytes::from(input) }, "latest"]);
        failure(&devnet.served.client, "eth_call", call);
    }
    // Both types in one block.
    devnet.ask("evm_setAutomine", json!([false]));
    let (third, fourth) = (devnet.tx(2, relay.into()), devnet.tx(4, TxKind::Create));
    let between = devnet.key.sign(TxEip1559 { nonce: 3, ..eip1559(&ethereum) });
    devnet.ask("eth_sendRawTransaction", json!([devnet.raw(third)]));
    devnet.ask("eth_sendRawTransaction", json!([Bytes::from(between.encoded_2718())]));
    devnet.ask("eth_sendRawTransaction", json!([devnet.raw(fourth)]));
    devnet.ask("evm_mine", json!([]));
    let receipts = devnet.ask("eth_getBlockReceipts", json!(["latest"]));
    let statuses: Vec<_> =
        receipts.as_array().unwrap().iter().map(|receipt| &receipt["status"]).collect();
    assert_eq!(statuses, ["0x1", "0x0", "0x1"]);
}

fn eip1559(transaction: &testkit::Transaction) -> TxEip1559 {
    transaction.as_eip1559().unwrap().tx().clone()
}

#[test]
fn mismatched_field_consumes_all_call_gas() {
    let devnet = ExecuteTxDevnet::new();
    type Change = fn(&mut ExecuteTx);
    let changes: [Change; 8] = [
        |tx| tx.pre_state_root.0[0] ^= 1,
        |tx| tx.coinbase.0[0] ^= 1,
        |tx| tx.block_number += 1,
        |tx| tx.timestamp += 1,
        |tx| tx.version = ExecuteTxVersion::V2 { anchor: Some(B256::repeat_byte(1)) },
        |tx| tx.input = tx.input[..tx.input.len() - 1].to_vec().into(),
        |tx| tx.witness = [&tx.witness[..], &[0]].concat().into(),
        |tx| {
            let split = tx.input.len() - 1;
            tx.witness = [&tx.input[split..], &tx.witness].concat().into();
            tx.input = tx.input[..split].to_vec().into();
        },
    ];
    for (nonce, change) in (0..).zip(changes) {
        let mut tx = devnet.tx(nonce, TxKind::Create);
        change(&mut tx);
        let receipt = devnet.sent(tx);
        assert_eq!(
            (&receipt["status"], number(&receipt["gasUsed"])),
            (&json!("0x0"), GAS),
            "{nonce}"
        );
    }
    // The other versions, without their optional fields.
    let versions =
        [ExecuteTxVersion::V1 { blob_hashes: Vec::new() }, ExecuteTxVersion::V2 { anchor: None }];
    for (nonce, version) in (8..).zip(versions) {
        let tx = ExecuteTx { version, ..devnet.tx(nonce, TxKind::Create) };
        assert_eq!(devnet.sent(tx)["status"], "0x1");
    }
}

#[test]
fn pool_rejects_unpaid_fields() {
    let devnet = ExecuteTxDevnet::new();
    let tx = || devnet.tx(0, TxKind::Create);
    let version = ExecuteTxVersion::V1 { blob_hashes: vec![B256::repeat_byte(1)] };
    let said = devnet.refused(ExecuteTx { version, ..tx() });
    assert!(said.contains("an ExecuteTx with blobs"), "{said}");
    let said = devnet.refused(ExecuteTx { withdrawals: vec![1].into(), ..tx() });
    assert!(said.contains("an ExecuteTx with withdrawals"), "{said}");
    let version =
        ExecuteTxVersion::V3 { anchor: None, max_fee_per_execute_gas: 1, execute_gas_limit: 1 };
    let said = devnet.refused(ExecuteTx { version, ..tx() });
    assert!(said.contains("an ExecuteTx with an allowance"), "{said}");
    let said = devnet.refused(ExecuteTx { chain_id: 1, ..tx() });
    assert!(said.contains("chain id"), "{said}");
    let mut high = devnet.signed(tx());
    high.signature = alloy_primitives::Signature::new(
        high.signature.r(),
        U256::from(1).wrapping_neg(),
        high.signature.v(),
    );
    let raw = Bytes::from(high.encode());
    refused(&devnet.served.client, "eth_sendRawTransaction", json!([raw]));
    assert_eq!(devnet.sent(tx())["status"], "0x1");
}

#[test]
fn printed_transaction_can_be_signed_and_resent() {
    let devnet = ExecuteTxDevnet::new();
    let printed = |hash: Value| devnet.ask("eth_getTransactionByHash", json!([hash]));
    let status =
        |hash: &Value| devnet.ask("eth_getTransactionReceipt", json!([hash]))["status"].clone();
    let raw = devnet.raw(devnet.tx(0, TxKind::Create));
    let first = printed(devnet.ask("eth_sendRawTransaction", json!([raw])));
    let without = |field: &str| {
        let mut request = first.clone();
        request.as_object_mut().unwrap().remove(field).unwrap();
        request
    };
    // The node signs it again with the next nonce.
    let hash = devnet.ask("eth_sendTransaction", json!([without("nonce")]));
    assert_eq!(status(&hash), "0x1");
    let second = printed(hash);
    assert_eq!((&second["nonce"], &second["from"]), (&json!("0x1"), &json!(devnet.key.address())));
    for field in ["type", "chainId", "gas", "maxFeePerGas", "to", "value", "input", "execute"] {
        assert_eq!(second[field], first[field], "{field}");
    }
    // Only the fields that a node cannot fill in.
    let short = json!({ "input": first["input"], "execute": first["execute"] });
    let raw = devnet.ask("eth_signTransaction", json!([short]));
    let signed = SignedExecuteTx::decode(&serde_json::from_value::<Bytes>(raw).unwrap()).unwrap();
    assert_eq!(signed.recover_signer().unwrap(), devnet.key.address());
    let filled = devnet.ask("eth_fillTransaction", json!([short]));
    assert_eq!(filled["tx"]["execute"], first["execute"]);
    let hash = devnet.ask("eth_sendTransaction", json!([short]));
    assert_eq!((status(&hash), &printed(hash)["nonce"]), (json!("0x1"), &json!("0x2")));

    let refused =
        |request: Value| refused(&devnet.served.client, "eth_sendTransaction", json!([request]));
    for (field, value) in [
        ("accessList", json!([])),
        ("blobVersionedHashes", json!([B256::repeat_byte(1)])),
        ("authorizationList", json!([])),
        ("gasPrice", json!("0x4a817c800")),
    ] {
        let mut request = short.clone();
        request[field] = value;
        let said = refused(request);
        assert!(said.contains("a transaction of type 0x05 has no such field"), "{field}: {said}");
    }
    for (field, value, reason) in [
        ("version", json!(3), "got fields of another, expected 1, 2 or 3"),
        ("executeGasLimit", json!("0x1"), "got fields of another, expected 1, 2 or 3"),
        ("witness", Value::Null, "invalid type: null"),
        ("withdrawals", json!("0x01"), "an ExecuteTx with withdrawals"),
    ] {
        let mut request = short.clone();
        request["execute"][field] = value;
        let said = refused(request);
        assert!(said.contains(reason), "{field}: {said}");
    }
    let stranger = Address::repeat_byte(0xee);
    devnet.ask("anvil_impersonateAccount", json!([stranger]));
    let mut request = short.clone();
    request["from"] = json!(stranger);
    let said = refused(request);
    assert!(said.contains("a transaction of type 0x05 needs a signature"), "{said}");
    // A failing call is sent as well, and fails in its block.
    let mut request = short;
    request["execute"]["timestamp"] = json!("0x1");
    assert_eq!(status(&devnet.ask("eth_sendTransaction", json!([request]))), "0x0");
}

#[test]
fn execute_type_requires_its_dialect() {
    let devnet = ExecuteTxDevnet::with(|config| config.execute_dialects = Dialects::default());
    let said = devnet.refused(devnet.tx(0, TxKind::Create));
    assert!(said.contains("transaction type not supported"), "{said}");
    let early = ExecuteTxDevnet::with(|config| {
        config.hardfork = Hardfork::Shanghai;
        config.verify_blocks = false;
    });
    let said = early.refused(early.tx(0, TxKind::Create));
    assert!(said.contains("transaction type not supported"), "{said}");
}

/// The price of bytes bounds a block's payload. A type that carried bytes for less would lift that
/// bound.
#[test]
fn attack_witness_bytes_cost_like_calldata() {
    for hardfork in [Hardfork::Cancun, Hardfork::Prague, Hardfork::Osaka, Hardfork::Amsterdam] {
        let devnet = ExecuteTxDevnet::with(|config| {
            config.hardfork = hardfork;
            config.verify_blocks = false;
        });
        let to = Address::repeat_byte(0x77);
        let data = hex!("00112233000000aabbcc");
        let mut nonce = 0;
        for witness in
            [vec![], vec![0; 1_000], vec![1; 1_000], [[0, 1]; 5_000].concat(), vec![7; 3]]
        {
            let tx = ExecuteTx {
                input: data.into(),
                witness: witness.clone().into(),
                ..devnet.tx(nonce, to.into())
            };
            let used = number(&devnet.sent(tx.clone())["gasUsed"]);
            let ethereum = devnet.key.sign(TxEip1559 {
                chain_id: tx.chain_id,
                nonce: nonce + 1,
                gas_limit: GAS,
                max_fee_per_gas: tx.max_fee_per_gas,
                to: to.into(),
                input: [&data[..], &witness].concat().into(),
                ..TxEip1559::default()
            });
            let raw = Bytes::from(ethereum.encoded_2718());
            let hash = devnet.ask("eth_sendRawTransaction", json!([raw]));
            let receipt = devnet.ask("eth_getTransactionReceipt", json!([hash]));
            let same = number(&receipt["gasUsed"]);
            // From Amsterdam on, the amount is rounded up to the tokens of an address.
            let rounded = if hardfork == Hardfork::Amsterdam { 20 * 16 } else { 0 };
            assert!(
                (same..=same + rounded).contains(&used),
                "{hardfork:?}: {used}, expected {same}"
            );
            nonce += 2;
            // A lower gas limit is rejected before execution, and this limit suffices.
            let tight = ExecuteTx { nonce, gas_limit: used - 1, ..tx.clone() };
            // From Amsterdam on, the pool does not know the cost of the recipient.
            if hardfork != Hardfork::Amsterdam {
                let said = devnet.refused(tight);
                assert!(said.contains("intrinsic gas") || said.contains("floor"), "{said}");
            }
            assert_eq!(devnet.sent(ExecuteTx { nonce, gas_limit: used, ..tx })["status"], "0x1");
            nonce += 1;
        }
    }
}

/// The intrinsic gas pays for carrying the witness once. Hashing it in each of many calls is
/// additional work.
#[test]
fn attack_each_call_pays_for_shared_witness() {
    let devnet = ExecuteTxDevnet::new();
    let (few, many) = (Address::repeat_byte(0xa1), Address::repeat_byte(0xa2));
    devnet.deploy(few, &many_times(8));
    devnet.deploy(many, &many_times(18));
    let used = |receipt: Value| {
        assert_eq!(receipt["status"], "0x1");
        number(&receipt["gasUsed"])
    };
    let eight = used(devnet.sent(devnet.tx(0, few.into())));
    let eighteen = used(devnet.sent(devnet.tx(1, many.into())));
    // At least as much as calls with the whole input in their calldata.
    let input = [&devnet.head[..], &devnet.witness].concat();
    let least = 10 * Execute::default().run(&input, u64::MAX).unwrap().gas;
    assert!(eighteen - eight >= least, "{eighteen} for 18 calls, {eight} for 8, {least} expected");
}

#[test]
fn pool_verdict_is_reused_by_block_and_replacement() {
    let devnet = ExecuteTxDevnet::new();
    devnet.ask("evm_setAutomine", json!([false]));
    devnet.ask("eth_sendRawTransaction", json!([devnet.raw(devnet.tx(0, TxKind::Create))]));
    assert_eq!(devnet.counts(), VerdictCounts { hits: 0, misses: 1 });
    let dearer = ExecuteTx {
        max_fee_per_gas: 40_000_000_000,
        max_priority_fee_per_gas: 2,
        ..devnet.tx(0, TxKind::Create)
    };
    let hash = devnet.ask("eth_sendRawTransaction", json!([devnet.raw(dearer)]));
    assert_eq!(devnet.counts(), VerdictCounts { hits: 0, misses: 1 });
    devnet.ask("evm_mine", json!([]));
    let receipt = devnet.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x1");
    let VerdictCounts { hits, misses } = devnet.counts();
    assert!(hits >= 1 && misses == 1, "{hits} hits, {misses} misses");
    // A verdict does not apply to a call with less gas than its reserve.
    devnet.ask("evm_setAutomine", json!([true]));
    let (short, enough) = (Address::repeat_byte(0xa3), Address::repeat_byte(0xa4));
    devnet.deploy(short, &relay(&hex!("615dc0")));
    devnet.deploy(enough, &relay(&hex!("62010000")));
    assert_eq!(devnet.sent(devnet.tx(1, short.into()))["status"], "0x0");
    assert_eq!(devnet.sent(devnet.tx(2, enough.into()))["status"], "0x1");
    assert_eq!(devnet.counts().misses, 3, "the call without enough gas ran twice");
    // A verdict only applies to its own block.
    let mut other = devnet.tx(3, TxKind::Create);
    other.witness = [&other.witness[..], &[0]].concat().into();
    assert_eq!(devnet.sent(other)["status"], "0x0");
}

/// Input of an L2 block in which BLAKE2F fails and uses all gas, because of 2^32 - 1 rounds.
fn failing_precompile() -> Vec<u8> {
    const CALL: &[u8] = &hex!("63ffffffff60e01b5f52600160d4535f5f60d55f60095afa5000");
    let fork = ProtocolFork::Osaka;
    let mut l2 = L2::new(CHAIN_ID, fork, &rich_genesis(fork, ["alice"], ETHER)).unwrap();
    let time = l2.chain().head().header.timestamp + 1;
    let alice = Key::named("alice");
    let call = l2.sign(&alice, TxKind::Create, U256::ZERO, CALL.into(), 3_000_000).unwrap();
    l2.seal(time, B256::ZERO, vec![call]).unwrap().0.input().unwrap()
}

/// One node's cached verdict must not decide anything, because other nodes do not have it.
#[test]
fn node_without_verdicts_agrees_on_blocks() {
    let start = |config: &mut DevnetConfig| config.timestamp = Some(1_700_000_000);
    let (warm, cold) = (ExecuteTxDevnet::with(start), ExecuteTxDevnet::with(start));
    let mut cold = cold.served.devnet.node().read(|node| node.chain.detached());
    let plain = [&warm.head[..], &warm.witness].concat();
    let mut statuses = Vec::new();
    let mut nonce = 0;
    for input in [plain, failing_precompile()] {
        let reserve = Execute::default().run(&input, u64::MAX).unwrap().reserve;
        let of = |nonce, gas_limit| ExecuteTx {
            nonce,
            gas_limit,
            chain_id: warm.served.devnet.chain_id(),
            max_fee_per_gas: 20_000_000_000,
            ..execute_tx_of(&input).unwrap()
        };
        let signed = warm.signed(of(0, TRANSACTION_GAS_CAP));
        let hash = signed.hash();
        let around = chain::Transaction::Execute(Sealed::new_unchecked(signed, hash).into());
        let initial = chain::initial_gas(&around, ProtocolFork::Osaka);
        // The first transaction caches the verdict. The others have gas close to the reserve, and
        // far from it.
        let near = (0..7).map(|step| initial + reserve - 3 + step);
        let least = chain::intrinsic_gas(&around, ProtocolFork::Osaka);
        let wide = (1..8).map(|step| initial + reserve / 8 * step);
        // For a small block, some of these limits are below the transaction's minimum gas.
        let given = near.chain(wide).filter(|gas| *gas >= least);
        for gas_limit in [TRANSACTION_GAS_CAP].into_iter().chain(given) {
            let receipt = warm.sent(of(nonce, gas_limit));
            statuses.push(receipt["status"].clone());
            nonce += 1;
            let raw = warm.ask("debug_getRawBlock", json!(["latest"]));
            let raw: Bytes = serde_json::from_value(raw).unwrap();
            // Fails unless the gas and the receipts match the header.
            let imported = cold.import(&codec::RawBlock::decode(&raw).unwrap()).unwrap();
            cold.append(imported).unwrap();
        }
    }
    let succeeded = statuses.iter().filter(|status| **status == "0x1").count();
    assert!(succeeded >= 6 && statuses.len() - succeeded >= 6, "{statuses:?}");
    assert!(warm.counts().hits >= 4, "{:?}", warm.counts());
}

#[test]
fn attack_rejected_transactions_are_not_executed() {
    let devnet = ExecuteTxDevnet::new();
    devnet.ask("evm_setAutomine", json!([false]));
    devnet.ask("eth_sendRawTransaction", json!([devnet.raw(devnet.tx(0, TxKind::Create))]));
    let kept = VerdictCounts { hits: 0, misses: 1 };
    assert_eq!(devnet.counts(), kept);
    // Each would be new work, but none pays more than the transaction that it would replace.
    for byte in 0..3 {
        let mut other = devnet.tx(0, TxKind::Create);
        other.witness = [&other.witness[..], &[byte]].concat().into();
        let refusal = devnet.refused(other);
        assert!(refusal.contains("underpriced"), "{refusal}");
    }
    assert_eq!(devnet.counts(), kept);
}

/// One of the replacements pays for verification, in the block.
#[test]
fn attack_replacements_are_not_verified_before_their_block() {
    let devnet = ExecuteTxDevnet::new();
    devnet.ask("evm_setAutomine", json!([false]));
    devnet.ask("eth_sendRawTransaction", json!([devnet.raw(devnet.tx(0, TxKind::Create))]));
    let once = VerdictCounts { hits: 0, misses: 1 };
    assert_eq!(devnet.counts(), once);
    let replacement = |step: u64| {
        let mut other = devnet.tx(0, TxKind::Create);
        other.max_fee_per_gas = 20_000_000_000 * (1 << step);
        other.max_priority_fee_per_gas = 1 << step;
        other.timestamp += step;
        other
    };
    for step in 1..5 {
        devnet.ask("eth_sendRawTransaction", json!([devnet.raw(replacement(step))]));
    }
    assert_eq!(devnet.counts(), once);
    devnet.ask("evm_mine", json!([]));
    let hash = devnet.signed(replacement(4)).hash();
    let receipt = devnet.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&receipt["status"], number(&receipt["gasUsed"])), (&json!("0x0"), GAS));
}

#[test]
fn execute_transactions_survive_reorgs_and_exports() {
    let devnet = ExecuteTxDevnet::new();
    let snapshot = devnet.ask("evm_snapshot", json!([]));
    let tx = devnet.tx(0, TxKind::Create);
    let hash = json!([devnet.signed(tx.clone()).hash()]);
    let receipt = devnet.sent(tx.clone());
    devnet.ask("evm_revert", json!([snapshot]));
    assert_eq!(devnet.ask("eth_getTransactionReceipt", hash.clone()), Value::Null);
    assert_eq!(devnet.sent(tx.clone())["gasUsed"], receipt["gasUsed"]);

    // After a rollback, the transaction is mined again.
    devnet.ask("anvil_rollback", json!([1]));
    assert_eq!(devnet.ask("eth_getTransactionReceipt", hash.clone()), Value::Null);
    assert_eq!(devnet.sent(tx)["status"], "0x1");

    let state = devnet.ask("anvil_dumpState", json!([]));
    let receipt = devnet.ask("eth_getTransactionReceipt", hash.clone());
    let found = devnet.ask("eth_getTransactionByHash", hash.clone());
    let other = ExecuteTxDevnet::new();
    other.ask("anvil_loadState", json!([state]));
    assert_eq!(other.ask("eth_getTransactionReceipt", hash.clone()), receipt);
    assert_eq!(other.ask("eth_getTransactionByHash", hash), found);

    // A chain with the transaction type imports and re-executes the block from RLP; a chain without
    // it rejects the block.
    let raw: Bytes =
        serde_json::from_value(devnet.ask("debug_getRawBlock", json!(["latest"]))).unwrap();
    let block = codec::RawBlock::decode(&raw).unwrap();
    let imported = devnet.served.devnet.node().read(|node| {
        let mut chain = node.chain.detached();
        let imported = chain.import(&block).unwrap();
        assert_eq!(imported.block.hash, block.hash);
        chain.configure(|config| config.execute_tx = None);
        (imported, chain.import(&block).unwrap_err().to_string())
    });
    assert!(imported.1.contains("type 0x05 do not exist"), "{}", imported.1);
    assert_eq!(imported.0.block.raw_receipts()[0][0], 5);
}
