//! Checks of more than 100,000 pairs of messages, and of as many with mutated evidence, against
//! `test/vectors/judgements.bin`. `test/sequencing/preconf/ManyJudgements.t.sol` compares the same
//! file with the contract.

use crate::{
    judge_broken, judge_lie, letter,
    messages::{Message, conflicting, context, honest, malformed, mixed},
};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolValue;
use enshrine_preconf::faults::{TransactionEvidence, equivocation};
use std::{env, fs};
use wire::SchemaId;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/judgements.bin");
/// Number of messages with several random changes.
const MIXED: u64 = 280;

/// Messages, and hashes of the rows of verdicts of each kind.
type File = (Vec<Encoded>, Vec<B256>, Vec<B256>, Vec<B256>, Vec<B256>, Vec<B256>);
/// `IPreconfBonds.Signed`.
type Encoded = ((Address, B256, u16, bool, u64, B256), Bytes, Bytes);

fn encoded(signed: &Message) -> Encoded {
    let message = &signed.message;
    let schema = message.schema.get();
    let fields = (message.rollup, message.block_hash, schema, message.is_sealed, message.l1_block);
    let (rollup, hash, schema, is_sealed, l1_block) = fields;
    let message = (rollup, hash, schema, is_sealed, l1_block, message.l1_hash);
    (message, signed.signature.clone().into(), signed.header.clone().into())
}

fn messages() -> Vec<Message> {
    let mut all = honest();
    all.extend(conflicting());
    all.extend(malformed());
    all.extend(mixed(MIXED));
    all
}

/// Mutates a message. The contract's test applies the same mutation for the same indices.
fn mutated(message: &Message, i: usize, j: usize) -> Message {
    let random = keccak256([(i as u16).to_be_bytes(), (j as u16).to_be_bytes()].concat());
    let position = usize::from(u16::from_be_bytes([random[1], random[2]]));
    let bit = 1_u8 << (random[3] % 8);
    let mut message = message.clone();
    let flip = |bytes: &mut Vec<u8>| {
        if !bytes.is_empty() {
            let at = position % bytes.len();
            bytes[at] ^= bit;
        }
    };
    match random[0] % 8 {
        // With the hash of the mutated header, the signature recovers to another account.
        0..3 => {
            flip(&mut message.header);
            if random[4].is_multiple_of(2) {
                message.message.block_hash = keccak256(&message.header);
            }
        }
        3 => flip(&mut message.signature),
        4 => message.message.l1_block ^= u64::from(bit),
        5 => message.message.l1_hash.0[position % 32] ^= bit,
        6 => {
            if random[4].is_multiple_of(2) {
                message.message.is_sealed = !message.message.is_sealed;
            } else {
                message.message.schema =
                    SchemaId::new(message.message.schema.get() ^ u16::from(bit));
            }
        }
        _ => message.header.truncate(position % (message.header.len() + 1)),
    }
    message
}

/// Check of two messages, by their indices.
type Judge<'j> = &'j dyn Fn(usize, usize) -> char;

#[test]
fn many_judgements_match_the_file() {
    let all = messages();
    let none = TransactionEvidence::default();
    let equivocations = |a: &Message, b: &Message| {
        letter(&equivocation(&a.signed(), &b.signed(), &none, &context()))
    };
    let broken = |a: &Message, b: &Message| judge_broken(&a.signed(), &b.signed(), &none);
    let lies = |a: &Message, b: &Message| judge_lie(&a.signed(), &b.signed());
    let judges: [Judge<'_>; 5] = [
        &|i, j| equivocations(&all[i], &all[j]),
        &|i, j| broken(&all[i], &all[j]),
        &|i, j| lies(&all[i], &all[j]),
        &|i, j| equivocations(&mutated(&all[i], i, j), &all[j]),
        &|i, j| broken(&mutated(&all[i], i, j), &all[j]),
    ];
    let row = |judge: Judge<'_>, i| (0..all.len()).map(|j| judge(i, j)).collect::<String>();
    assert!(all.len() * all.len() > 100_000);
    let messages: Vec<Encoded> = all.iter().map(encoded).collect();
    if env::var_os("ENSHRINE_WRITE_VECTORS").is_some() {
        let rows = judges.map(|judge| (0..all.len()).map(|i| row(judge, i)).collect::<Vec<_>>());
        for rows in &rows {
            let accepted = rows.concat().matches('+').count();
            assert!(accepted > 0, "no fault");
        }
        let hashes = rows.map(|rows| rows.iter().map(keccak256).collect::<Vec<B256>>());
        let [plain, broken, lies, changed, changed_broken] = hashes;
        let file = (messages.clone(), plain, broken, lies, changed, changed_broken);
        fs::write(FILE, file.abi_encode_params()).unwrap();
    }
    let file = fs::read(FILE).unwrap();
    let file = <File as SolValue>::abi_decode_params(&file).unwrap();
    assert!(file.0 == messages, "run with ENSHRINE_WRITE_VECTORS=yes");
    let expected = [file.1, file.2, file.3, file.4, file.5];
    for (kind, (judge, expected)) in judges.into_iter().zip(expected).enumerate() {
        // The contract's test also checks every sixteenth row by default.
        for i in (0..all.len()).step_by(16) {
            let row = row(judge, i);
            assert_eq!(keccak256(&row), expected[i], "kind {kind}, row {i}: {row}");
        }
    }
}
