//! Encodings of the transaction of type `0x05`, and of the witness in it.

use alloy_primitives::{Address, B256, Bytes, Sealed, Signature, TxKind, U256, b256, hex};
use codec::OwnedWitness;
use enshrine_variants::{
    ExecuteTail, ExecuteTx, ExecuteTxError, ExecuteTxVersion, SignedExecuteTx, Verdicts,
};
use execute::{Answer, Execute, ExecuteError, PrecompileCall};
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use testkit::{CHAIN_ID, ETHER, Key, L2, execute_tx_calling, rich_genesis};
use wire::ProtocolFork;

/// Encoding of the sample in the geth fork's own test.
const SAMPLE: [u8; 154] = hex!(
    "05f8970103843b9aca0084773594008275309400000000000000000000000000000000000000bb82303984deadbeefa0"
    "00000000000000000000000000000000000000000000000000000000000102030302940000000000000000000000000000"
    "0000000000aa8180846553f10083010203820405e1a0000000000000000000000000000000000000000000000000000000"
    "0000001111010203"
);

fn sample() -> SignedExecuteTx {
    let tx = ExecuteTx {
        chain_id: 1,
        nonce: 3,
        max_priority_fee_per_gas: 1_000_000_000,
        max_fee_per_gas: 2_000_000_000,
        gas_limit: 30_000,
        to: Address::with_last_byte(0xbb).into(),
        value: U256::from(12_345),
        input: hex!("deadbeef").into(),
        pre_state_root: B256::from(U256::from(0x010203)),
        coinbase: Address::with_last_byte(0xaa),
        block_number: 128,
        timestamp: 1_700_000_000,
        witness: hex!("010203").into(),
        withdrawals: hex!("0405").into(),
        version: ExecuteTxVersion::V1 { blob_hashes: vec![B256::from(U256::from(0x1111))] },
    };
    SignedExecuteTx { tx, signature: Signature::new(U256::from(2), U256::from(3), true) }
}

/// The sample in each version, with and without the optional fields.
fn versions() -> Vec<SignedExecuteTx> {
    let anchor = Some(B256::repeat_byte(7));
    let of = |version| SignedExecuteTx { tx: ExecuteTx { version, ..sample().tx }, ..sample() };
    let mut all = vec![sample(), of(ExecuteTxVersion::V1 { blob_hashes: Vec::new() })];
    for anchor in [None, anchor] {
        all.push(of(ExecuteTxVersion::V2 { anchor }));
        for (max_fee_per_execute_gas, execute_gas_limit) in [(0, 0), (u128::MAX, u64::MAX)] {
            let v3 = ExecuteTxVersion::V3 { anchor, max_fee_per_execute_gas, execute_gas_limit };
            all.push(of(v3));
        }
    }
    let mut long = of(ExecuteTxVersion::V2 { anchor });
    long.tx.to = TxKind::Create;
    long.tx.witness = vec![0xab; 70_000].into();
    long.tx.withdrawals = Bytes::new();
    long.tx.value = U256::MAX;
    all.push(long);
    all
}

#[test]
fn geth_fork_sample_has_known_encoding_and_hashes() {
    let sample = sample();
    assert_eq!(sample.encode(), SAMPLE);
    assert_eq!(SignedExecuteTx::decode(&SAMPLE).as_ref(), Ok(&sample));
    let hash = b256!("0x7fccc91f620ee72615bdede7bd79d6e6597d77deac98f0b9ac32b3d2200eb14f");
    assert_eq!(sample.hash(), hash);
    let signed = b256!("0x8071496c3734cba93e815adabddcc23d8fa9d51ab6abfc2d1eea613740655db9");
    assert_eq!(sample.tx.signing_hash(), signed);
}

#[test]
fn verdict_key_covers_every_bound_field() {
    let anchored = |byte| ExecuteTxVersion::V2 { anchor: Some(B256::repeat_byte(byte)) };
    let tx = ExecuteTx { version: anchored(7), ..sample().tx };
    let key = Verdicts::key(b"head", &tx);
    let changes: [fn(&mut ExecuteTx); 7] = [
        |tx| tx.pre_state_root = B256::repeat_byte(9),
        |tx| tx.coinbase = Address::repeat_byte(9),
        |tx| tx.block_number += 1,
        |tx| tx.timestamp += 1,
        |tx| tx.witness = hex!("010204").into(),
        |tx| tx.version = ExecuteTxVersion::V2 { anchor: Some(B256::repeat_byte(9)) },
        |tx| tx.version = ExecuteTxVersion::V2 { anchor: None },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = tx.clone();
        change(&mut changed);
        assert_ne!(Verdicts::key(b"head", &changed), key, "{index}");
    }
    assert_ne!(Verdicts::key(b"heat", &tx), key);
    // An absent anchor differs from a word of zeros.
    let of = |anchor| ExecuteTx { version: ExecuteTxVersion::V2 { anchor }, ..tx.clone() };
    let keys = [None, Some(B256::ZERO)].map(|anchor| Verdicts::key(b"head", &of(anchor)));
    assert_ne!(keys[0], keys[1]);
    // The same block in a transaction that pays more.
    let dearer = ExecuteTx { nonce: 4, max_fee_per_gas: u128::MAX, ..tx.clone() };
    assert_eq!(Verdicts::key(b"head", &dearer), key);
}

#[test]
fn every_version_round_trips_and_signs_all_fields() {
    let all = versions();
    for (index, one) in all.iter().enumerate() {
        assert_eq!(SignedExecuteTx::decode(&one.encode()).as_ref(), Ok(one));
        for other in &all[..index] {
            assert_ne!(one.tx.signing_hash(), other.tx.signing_hash());
        }
    }
}

/// Every changed byte, every truncation and every added byte is refused or yields another
/// transaction that has only this encoding: no two encodings represent the same transaction.
#[test]
fn a_transaction_has_one_encoding() {
    for tx in versions() {
        let good = tx.encode();
        let (mut refused, mut other) = (0, 0);
        let mut judge = |bytes: &[u8]| match SignedExecuteTx::decode(bytes) {
            Ok(decoded) => {
                assert_ne!(decoded, tx);
                assert_eq!(decoded.encode(), bytes);
                other += 1;
            }
            Err(_) => refused += 1,
        };
        for at in 0..good.len().min(300) {
            judge(&good[..at]);
            for value in [0, 1, 0x7f, 0x80, 0x81, 0xa0, 0xb8, 0xc0, 0xf8, 0xff] {
                let mut bytes = good.clone();
                if bytes[at] != value {
                    bytes[at] = value;
                    judge(&bytes);
                }
            }
        }
        judge(&[&good[..], &[0]].concat());
        assert!(refused > 0 && other > 0);
    }
}

/// Encodes RLP items of any meaning after the type.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = vec![ExecuteTx::TYPE];
    alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut out);
    [out, payload].concat()
}

/// Returns the items of an encoding, each with its header.
fn items(bytes: &[u8]) -> Vec<Vec<u8>> {
    let payload = alloy_rlp::Header::decode_bytes(&mut &bytes[1..], true).unwrap();
    let mut rest = payload;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let before = rest;
        let header = alloy_rlp::Header::decode(&mut rest).unwrap();
        rest = &rest[header.payload_length..];
        items.push(before[..before.len() - rest.len()].to_vec());
    }
    items
}

#[test]
fn format_violations_name_got_and_expected() {
    let first = items(&SAMPLE);
    assert_eq!(list(&first), SAMPLE);
    let refusal = |items: &[Vec<u8>]| SignedExecuteTx::decode(&list(items)).unwrap_err();
    let changed = |at: usize, item: &[u8]| {
        let mut items = first.clone();
        items[at] = item.to_vec();
        refusal(&items)
    };

    // A size is a length: one less, one more, and zero.
    for (at, item, size) in [(9, "witness", 2), (9, "witness", 4), (10, "withdrawals", 0x80)] {
        let got = if size == 0x80 { 0 } else { u64::from(size) };
        let expected = if at == 9 { 3 } else { 2 };
        assert_eq!(changed(at, &[size]), ExecuteTxError::Size { item, got, expected });
    }
    // Integers have no leading zeros, and words have 32 bytes.
    for (at, item, bytes) in [
        (0, "chain_id", &[0x00][..]),
        (1, "list", &[0x81, 0x03]),
        (4, "gas_limit", &[0x83, 0, 0x75, 0x30]),
        (5, "to", &[0x93; 20]),
        (8, "pre_state_root", &[0x83, 1, 2, 3]),
        (11, "coinbase", &[0x80]),
        (16, "blob_hashes", &[0x80]),
    ] {
        let error = changed(at, bytes);
        assert!(matches!(error, ExecuteTxError::Item { item: got, .. } if got == item), "{error}");
    }
    assert_eq!(changed(17, &[2]), ExecuteTxError::Parity { got: 2 });

    // Only 20, 22 and 24 items are allowed.
    for got in [0, 19, 21, 23, 25] {
        let others: Vec<_> = first.iter().cycle().take(got).cloned().collect();
        assert_eq!(refusal(&others), ExecuteTxError::Items { got });
    }
    let many: Vec<_> = first.iter().cycle().take(100_000).cloned().collect();
    assert_eq!(refusal(&many), ExecuteTxError::Items { got: 25 }, "no further item is read");

    // Version 2 has no blobs, and its anchor is a word or absent.
    let anchor = Some(B256::repeat_byte(7));
    let version = ExecuteTxVersion::V2 { anchor };
    let second =
        items(&SignedExecuteTx { tx: ExecuteTx { version, ..sample().tx }, ..sample() }.encode());
    assert!(SignedExecuteTx::decode(&list(&second)).is_ok());
    let mut blobs = second.clone();
    blobs[18] = first[16].clone();
    assert_eq!(refusal(&blobs), ExecuteTxError::Blobs { got: 1 });
    let mut short = second;
    (short[11], short[17]) = (vec![31], [&[0x9f][..], &[7; 31]].concat());
    assert_eq!(refusal(&short), ExecuteTxError::Anchor { got: 31 });

    // Another type, an empty input, and a trailing byte.
    for bytes in [&[][..], &[2], &[0x04, 0xc0]] {
        let got = bytes.first().copied();
        assert_eq!(SignedExecuteTx::decode(bytes), Err(ExecuteTxError::Type { got }));
    }
    let surplus = [&SAMPLE[..], &[0xc0]].concat();
    assert_eq!(SignedExecuteTx::decode(&surplus), Err(ExecuteTxError::Surplus { got: 1 }));
}

#[test]
fn python_encoder_produces_equal_bytes() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/execute_tx.py");
    let python =
        Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        testkit::say_skipped("there is no python3, so the second encoder is not compared");
        return;
    };
    let all = versions();
    let mut input = python.stdin.take().expect("piped");
    for tx in &all {
        writeln!(input, "{}", fields(tx)).expect("python reads");
    }
    drop(input);
    let output = python.wait_with_output().expect("python ends");
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).expect("hexadecimal");
    let expected: Vec<_> = all.iter().map(|tx| hex::encode(tx.encode())).collect();
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}

/// Formats the fields of a transaction for the second encoder: numbers in decimal, bytes in
/// hexadecimal, lists in brackets.
fn fields(SignedExecuteTx { tx, signature }: &SignedExecuteTx) -> String {
    let bytes = |bytes: &[u8]| format!("\"{}\"", hex::encode(bytes));
    let to = tx.to.to().map_or_else(String::new, hex::encode);
    let mut fields = vec![
        tx.chain_id.to_string(),
        tx.nonce.to_string(),
        tx.max_priority_fee_per_gas.to_string(),
        tx.max_fee_per_gas.to_string(),
        tx.gas_limit.to_string(),
        format!("\"{to}\""),
        tx.value.to_string(),
        bytes(&tx.input),
        bytes(tx.pre_state_root.as_slice()),
        tx.witness.len().to_string(),
        tx.withdrawals.len().to_string(),
    ];
    let anchor = tx.anchor().map_or_else(Vec::new, |anchor| anchor.to_vec());
    let is_first = matches!(tx.version, ExecuteTxVersion::V1 { .. });
    if !is_first {
        fields.push(anchor.len().to_string());
    }
    fields.extend([
        bytes(tx.coinbase.as_slice()),
        tx.block_number.to_string(),
        tx.timestamp.to_string(),
        bytes(&tx.witness),
        bytes(&tx.withdrawals),
    ]);
    if !is_first {
        fields.push(bytes(&anchor));
    }
    fields.push(match &tx.version {
        ExecuteTxVersion::V1 { blob_hashes } => {
            let hashes: Vec<_> = blob_hashes.iter().map(|hash| bytes(hash.as_slice())).collect();
            format!("[{}]", hashes.join(","))
        }
        _ => "[]".to_owned(),
    });
    if let ExecuteTxVersion::V3 { max_fee_per_execute_gas, execute_gas_limit, .. } = tx.version {
        fields.extend([max_fee_per_execute_gas.to_string(), execute_gas_limit.to_string()]);
    }
    fields.push(u8::from(signature.v()).to_string());
    fields.extend([signature.r().to_string(), signature.s().to_string()]);
    format!("[{}]", fields.join(","))
}

/// Calls the precompile in a transaction with this witness.
fn answer(tx: &ExecuteTx, witness: impl Into<Bytes>) -> Result<Answer, ExecuteError> {
    let tx = ExecuteTx { witness: witness.into(), ..tx.clone() };
    let (head, signature) = (tx.input.clone(), sample().signature);
    let signed = SignedExecuteTx { tx, signature };
    let hash = signed.hash();
    let tail = ExecuteTail::of(Arc::new(Sealed::new_unchecked(signed, hash)));
    Execute::default().answer(&tail, PrecompileCall::from(&head[..]), 10_000_000)
}

#[test]
fn geth_rlp_witness_equals_ssz_witness() {
    let fork = ProtocolFork::Osaka;
    let mut l2 = L2::new(CHAIN_ID, fork, &rich_genesis(fork, ["alice"], ETHER)).unwrap();
    let alice = Key::named("alice");
    let time = l2.chain().head().header.timestamp + 1;
    let to = Address::repeat_byte(7).into();
    let transfer = l2.sign(&alice, to, U256::ONE, Bytes::new(), 21_000).unwrap();
    let (block, _) = l2.seal(time, B256::ZERO, vec![transfer]).unwrap();
    let call = |head: &[u8]| head.to_vec().into();
    let tx = execute_tx_calling(&block, TxKind::Create, call).unwrap();
    let witness = block.witness;
    assert_eq!(tx.witness[..], witness.to_ssz()[..]);

    let expected = answer(&tx, tx.witness.clone()).unwrap();
    let geth = witness.to_geth_rlp();
    assert!(geth[0] >= 0xc0 && tx.witness[0] < 0xc0);
    assert_eq!(answer(&tx, geth.clone()).unwrap(), expected);
    // geth lists codes and nodes in any order.
    let mut shuffled = witness.clone();
    shuffled.state.reverse();
    shuffled.codes.reverse();
    assert_ne!(shuffled.to_geth_rlp(), geth);
    assert_eq!(answer(&tx, shuffled.to_geth_rlp()).unwrap(), expected);

    // A missing node is refused for the same reason in both formats.
    let lacking = OwnedWitness { state: witness.state[1..].to_vec(), ..witness };
    let reasons = [lacking.to_geth_rlp(), lacking.to_ssz().into()]
        .map(|witness: Bytes| answer(&tx, witness).unwrap_err().kind());
    assert_eq!(reasons, ["missingNode"; 2]);
    // A malformed witness in geth's format is refused for that: a truncation, a trailing byte, an
    // empty list, a list of numbers.
    for malformed in [
        geth.slice(..geth.len() - 1),
        [&geth[..], &[0]].concat().into(),
        hex!("c0").into(),
        hex!("c3010203").into(),
    ] {
        let refused = answer(&tx, malformed.clone()).unwrap_err();
        assert_eq!(refused.kind(), "executeTxWitness", "{malformed}");
    }
    assert_eq!(answer(&tx, geth).unwrap(), expected);

    // Many tiny items would each be copied and sorted, although their bytes cost little.
    let with_codes = |count: usize| {
        let code = |number: usize| Bytes::from(vec![(number % 128) as u8]);
        let codes = (0..count).map(code).collect();
        OwnedWitness { codes, ..OwnedWitness::default() }.to_geth_rlp()
    };
    let kind = |count| answer(&tx, with_codes(count)).unwrap_err();
    let refused = kind(70);
    assert_eq!(refused.kind(), "executeTxWitness");
    assert!(refused.to_string().contains("geth witness"), "{refused}");
    assert_ne!(kind(60).kind(), "executeTxWitness", "60 items are below the limit");
}
