//! Checks of all pairs of many messages against `test/vectors/preconfirmations.json`. The test
//! `test/sequencing/preconf/Judgements.t.sol` compares the same file with the contract.
//!
//! `ENSHRINE_WRITE_VECTORS=yes` writes the file.

mod evidence;
mod many;
mod messages;
mod promises;

use alloy_primitives::Bytes;
use enshrine_preconf::{
    HeaderError, HeaderSummary,
    faults::{
        Canonical, Executed, Offence, Refusal, Signed, TransactionEvidence, broken, equivocation,
        late, lie,
    },
};
use messages::{CHAIN_ID, Message, NUMBER, POST_WITHIN, TIMESTAMP, context, messages, trie};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{env, fs, sync::LazyLock};
use wire::SchemaId;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/preconfirmations.json");

/// Returns the letter of a verdict in the file.
const fn letter(verdict: &Result<Offence, Refusal>) -> char {
    match verdict {
        Ok(_) => '+',
        Err(refusal) => match refusal {
            Refusal::Header(HeaderError::TooLong { .. }) => 'l',
            Refusal::Header(HeaderError::Items { .. }) => 'i',
            Refusal::Header(_) => 'm',
            Refusal::Signature(_) => 's',
            Refusal::Proof(_) => 'p',
            Refusal::HeaderMismatch { .. } => 'h',
            Refusal::RollupDiffers { .. } => 'r',
            Refusal::AccountDiffers { .. } => 'a',
            Refusal::HeightDiffers { .. } => 'n',
            Refusal::ParentDiffers { .. } => 'q',
            Refusal::ConditionUnavailable { .. } => 'u',
            Refusal::ConditionVoid { .. } => 'v',
            Refusal::PromiseEnded { .. } => 'e',
            Refusal::NotInConflict => 'c',
            Refusal::InputsDiffer { .. } => 'd',
            Refusal::SchemaDiffers { .. } => 'x',
            Refusal::ChainIdDiffers { .. } => 'y',
            Refusal::OutcomesEqual => 'o',
            Refusal::NotLate { .. } => 't',
            Refusal::LateAlready { .. } => 'w',
            Refusal::HeadReached { .. } => 'g',
            Refusal::NotCanonical { .. } => 'z',
        },
    }
}

/// Checks a message with the header of another one as the rollup's block.
fn judge_broken(s: &Signed<'_>, c: &Signed<'_>, proof: &TransactionEvidence) -> char {
    let canonical = Canonical { header: c.header, hash: c.message.block_hash };
    letter(&broken(s, canonical, proof, &context()))
}

/// Checks a message with the header of another one as that of a valid Osaka block.
fn judge_lie(s: &Signed<'_>, c: &Signed<'_>) -> char {
    let block_hash = c.message.block_hash;
    let executed = Executed { schema: SchemaId::OSAKA, chain_id: CHAIN_ID, block_hash };
    letter(&lie(s, c.header, &executed, CHAIN_ID, &context()))
}

/// Head, time and end of the last penalty.
const TIMES: [(u64, u64, u64); 6] = [
    (NUMBER - 1, TIMESTAMP + POST_WITHIN, 0),
    (NUMBER - 1, TIMESTAMP + POST_WITHIN + 1, 0),
    (NUMBER - 1, TIMESTAMP + 2 * POST_WITHIN, TIMESTAMP + 2 * POST_WITHIN + 1),
    (NUMBER - 1, TIMESTAMP + 2 * POST_WITHIN, TIMESTAMP + 2 * POST_WITHIN),
    (NUMBER, TIMESTAMP + 2 * POST_WITHIN, 0),
    (NUMBER + 1, TIMESTAMP + 2 * POST_WITHIN, 0),
];

/// Proves the transactions of two messages at an index.
fn evidence(a: &Message, b: &Message, index: u32) -> TransactionEvidence {
    let nodes = |spec: &Message| trie(&spec.transactions, index).1;
    TransactionEvidence { index, ours: nodes(a), theirs: nodes(b) }
}

/// Indices with keys of one, two and three bytes, and those after the last transaction.
const INDICES: [u32; 12] = [0, 1, 2, 3, 127, 128, 255, 256, 299, 300, 65_535, 65_536];

fn proofs(all: &[Message]) -> Vec<Value> {
    let mut cases = Vec::new();
    // Pairs with different transactions and the same environment.
    for (i, a) in all.iter().enumerate().take(10) {
        for (j, b) in all.iter().enumerate().take(10) {
            for index in INDICES {
                let is_long = a.transactions.len().max(b.transactions.len()) > 3;
                // The proofs of the long trie are large, so the file contains only one pair of
                // them.
                let is_kept =
                    if is_long { (i, j) == (7, 3) } else { index < 3 && (i + j) % 3 == 0 };
                let proof = evidence(a, b, index);
                let found = letter(&equivocation(&a.signed(), &b.signed(), &proof, &context()));
                let broken = judge_broken(&a.signed(), &b.signed(), &proof);
                assert!("+c".contains(found) && "+c".contains(broken), "{} {}", a.name, b.name);
                if is_kept {
                    cases.push(json!({
                        "a": i, "b": j, "index": index, "ours": proof.ours, "theirs": proof.theirs,
                        "equivocation": found.to_string(), "broken": broken.to_string(),
                    }));
                }
            }
        }
    }
    cases
}

fn vectors() -> Value {
    let all = messages();
    let none = TransactionEvidence::default();
    let rows = |judge: &dyn Fn(&Signed<'_>, &Signed<'_>) -> char| -> Vec<String> {
        let row = |a: &Message| all.iter().map(|b| judge(&a.signed(), &b.signed())).collect();
        all.iter().map(row).collect()
    };
    let messages = all.iter().map(|spec| {
        json!({
            "name": spec.name,
            "rollup": spec.message.rollup,
            "blockHash": spec.message.block_hash,
            "schema": spec.message.schema.get(),
            "isSealed": spec.message.is_sealed,
            "l1Block": spec.message.l1_block,
            "l1Hash": spec.message.l1_hash,
            "signature": Bytes::from(spec.signature.clone()),
            "header": Bytes::from(spec.header.clone()),
        })
    });
    let fingerprints = all.iter().map(|spec| match HeaderSummary::read(&spec.header) {
        Ok(header) => json!([header.inputs, header.environment]),
        Err(_) => json!([]),
    });
    let late_row = |spec: &Message| -> String {
        let judge = |(head, now, until)| late(&spec.signed(), head, now, until, &context());
        TIMES.into_iter().map(judge).map(|verdict| letter(&verdict)).collect()
    };
    json!({
        "messages": messages.collect::<Vec<_>>(),
        "fingerprints": fingerprints.collect::<Vec<_>>(),
        "equivocation": rows(&|a, b| letter(&equivocation(a, b, &none, &context()))),
        "broken": rows(&|s, c| judge_broken(s, c, &none)),
        "lie": rows(&judge_lie),
        "times": TIMES.map(|(head, now, until)| json!([head, now, until])),
        "late": all.iter().map(late_row).collect::<Vec<_>>(),
        "proofs": proofs(&all),
    })
}

#[test]
fn judgements_match_the_file() {
    let found = format!("{:#}\n", vectors());
    if env::var_os("ENSHRINE_WRITE_VECTORS").is_some() {
        fs::write(FILE, &found).unwrap();
    }
    assert!(fs::read_to_string(FILE).unwrap() == found, "run with ENSHRINE_WRITE_VECTORS=yes");
    // The messages cover every verdict, except those on proofs, chain ids and hashes, which are
    // tested below.
    let all: Value = serde_json::from_str(&found).unwrap();
    let letters =
        ["equivocation", "broken", "lie", "late"].map(|kind| all[kind].to_string()).concat();
    for letter in "+limshranquvecdxotwg".chars() {
        assert!(letters.contains(letter), "no verdict {letter}");
    }
}

fn find<'a>(all: &'a [Message], name: &str) -> &'a Message {
    all.iter().find(|spec| spec.name == name).unwrap()
}

#[test]
fn equivocation_is_symmetric_without_proofs() {
    let all = messages();
    let none = TransactionEvidence::default();
    for a in &all {
        assert!(equivocation(&a.signed(), &a.signed(), &none, &context()).is_err(), "{}", a.name);
        for b in &all {
            let one = equivocation(&a.signed(), &b.signed(), &none, &context());
            let other = equivocation(&b.signed(), &a.signed(), &none, &context());
            assert_eq!(one.is_ok(), other.is_ok(), "{} {}", a.name, b.name);
        }
    }
}

#[test]
fn growing_prefixes_are_never_a_fault() {
    let all = messages();
    let chain = ["empty prefix", "prefix of one", "prefix of three", "sealed block of three"];
    let sealed = find(&all, "sealed block of three");
    for a in chain.map(|name| find(&all, name)) {
        for b in chain.map(|name| find(&all, name)) {
            for index in INDICES {
                let proof = evidence(a, b, index);
                let found = equivocation(&a.signed(), &b.signed(), &proof, &context());
                assert_eq!(found, Err(Refusal::NotInConflict), "{} {} {index}", a.name, b.name);
            }
        }
        for index in INDICES {
            assert_eq!(
                judge_broken(&a.signed(), &sealed.signed(), &evidence(a, sealed, index)),
                'c'
            );
        }
    }
}

#[test]
fn transactions_decide_between_prefixes() {
    let all = messages();
    let judge = |a: &str, b: &str, index| {
        let (a, b) = (find(&all, a), find(&all, b));
        letter(&equivocation(&a.signed(), &b.signed(), &evidence(a, b, index), &context()))
    };
    assert_eq!(judge("prefix of three", "other last transaction", 1), 'c');
    assert_eq!(judge("prefix of three", "other last transaction", 2), '+');
    // A sealed block is complete; a prefix may be extended.
    assert_eq!(judge("prefix of three", "sealed block of one", 1), '+');
    assert_eq!(judge("sealed block of one", "prefix of three", 1), '+');
    assert_eq!(judge("prefix of three", "prefix of one", 1), 'c');
    assert_eq!(judge("sealed empty block", "prefix of one", 0), '+');
    assert_eq!(judge("prefix of 300", "other order", 1), '+');
}

#[test]
fn proofs_of_other_tries_are_refused() {
    let all = messages();
    let (a, b) = (find(&all, "prefix of 300"), find(&all, "other order"));
    let good = evidence(a, b, 256);
    assert!(good.ours.len() > 2);
    let judge = |proof| letter(&equivocation(&a.signed(), &b.signed(), &proof, &context()));
    assert_eq!(judge(evidence(a, b, 0)), '+');
    let mut swapped = good.clone();
    std::mem::swap(&mut swapped.ours, &mut swapped.theirs);
    assert_eq!(judge(swapped), 'p');
    let mut short = good.clone();
    short.ours.pop();
    assert_eq!(judge(short), 'p');
    let mut long = good;
    long.ours.push(Bytes::new());
    assert_eq!(judge(long), 'p');
}

#[test]
fn lies_are_bound_to_the_execution() {
    let all = messages();
    let (lying, honest) = (find(&all, "other state root"), find(&all, "prefix of one"));
    let good = Executed {
        schema: SchemaId::OSAKA,
        chain_id: CHAIN_ID,
        block_hash: honest.message.block_hash,
    };
    let judge = |executed| lie(&lying.signed(), &honest.header, &executed, CHAIN_ID, &context());
    assert!(judge(good).is_ok());
    assert_eq!(letter(&judge(Executed { schema: SchemaId::AMSTERDAM, ..good })), 'x');
    assert_eq!(letter(&judge(Executed { chain_id: 1, ..good })), 'y');
    assert_eq!(letter(&judge(Executed { block_hash: lying.message.block_hash, ..good })), 'h');
}

#[test]
fn only_the_block_of_the_rollup_counts() {
    let all = messages();
    let (s, c) = (find(&all, "prefix of one"), find(&all, "other coinbase"));
    let none = TransactionEvidence::default();
    let judge =
        |hash| broken(&s.signed(), Canonical { header: &c.header, hash }, &none, &context());
    assert!(judge(c.message.block_hash).is_ok());
    assert_eq!(letter(&judge(s.message.block_hash)), 'z');
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A changed byte of signature or header never turns into evidence against another account.
    #[test]
    fn changed_evidence_never_panics(
        (which, other) in (0usize..10, 0usize..10),
        (position, value, index) in (0usize..700, any::<u8>(), any::<u32>()),
        nodes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
    ) {
        static ALL: LazyLock<Vec<Message>> = LazyLock::new(messages);
        let all = &*ALL;
        let mut a = all[which].clone();
        let b = &all[other];
        if position < 65 { a.signature[position] = value } else {
            let at = (position - 65) % a.header.len();
            a.header[at] = value;
        }
        let nodes: Vec<_> = nodes.into_iter().map(Bytes::from).collect();
        let proof = TransactionEvidence { index, ours: nodes.clone(), theirs: nodes };
        let found = equivocation(&a.signed(), &b.signed(), &proof, &context());
        let is_changed = a.header != all[which].header || a.signature != all[which].signature;
        if is_changed {
            prop_assert!(found.is_err());
        }
    }
}
