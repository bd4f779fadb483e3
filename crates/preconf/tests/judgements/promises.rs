//! Messages that a signer may sign after earlier ones, and checks of all pairs.

use crate::messages::trie;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_rlp::Encodable as _;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use enshrine_preconf::{
    Domain, HeaderSummary, IsReplaced, Preconfirmation, Promised, Promises,
    faults::{Canonical, Context, Refusal, Signed, TransactionEvidence, broken, equivocation},
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::SchemaId;

const POST_WITHIN: u64 = 1_800;
/// Maximum lag of the rollup.
const MAX_LAG: u64 = 2 * POST_WITHIN;
const DOMAIN: Domain = Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };

/// Returns a header with these transactions, and the message about it.
fn candidate(
    parent: u8,
    timestamp: u64,
    transactions: &[u8],
    is_sealed: bool,
    (l1_block, l1_hash): (u64, B256),
) -> (Promised, Vec<u8>) {
    let raw = raw(transactions);
    let (root, _) = trie(&raw, 0);
    let header = Header {
        parent_hash: B256::repeat_byte(parent),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        transactions_root: root,
        // The transactions determine the state root, as in execution.
        state_root: keccak256(root),
        number: 7,
        timestamp,
        base_fee_per_gas: Some(7),
        withdrawals_root: Some(B256::ZERO),
        ..Header::default()
    };
    let mut rlp = Vec::new();
    header.encode(&mut rlp);
    let header = HeaderSummary::read(&rlp).unwrap();
    let message = Preconfirmation {
        rollup: Address::repeat_byte(0xa0),
        block_hash: header.hash,
        schema: SchemaId::OSAKA,
        is_sealed,
        l1_block,
        l1_hash,
    };
    let transactions = raw.iter().map(keccak256).collect();
    // The condition is the L1 block of the anchor.
    (Promised { message, header, transactions, anchor: (l1_block, l1_hash) }, rlp)
}

/// Returns the candidate with another anchor.
fn with_anchor(candidate: (Promised, Vec<u8>), anchor: (u64, B256)) -> Promised {
    Promised { anchor, ..candidate.0 }
}

const NONE: (u64, B256) = (0, B256::ZERO);
const CANONICAL: IsReplaced<'static> = &|_, _| false;

#[test]
fn prefix_may_only_be_extended() {
    let mut promises = Promises::new(MAX_LAG);
    let new = |list: &[u8], is_sealed| candidate(1, 1_000, list, is_sealed, NONE).0;
    for list in [&[1][..], &[1], &[1, 2]] {
        assert_eq!(promises.check(&new(list, false), CANONICAL), Ok(()));
        promises.add(new(list, false));
    }
    for list in [&[1][..], &[2], &[1, 3], &[1, 3, 2], &[]] {
        let refused = promises.check(&new(list, false), CANONICAL).unwrap_err();
        assert_eq!((refused.number, refused.until), (7, 1_000 + MAX_LAG), "{list:?}");
        assert!(promises.check_unsigned(&new(list, true), CANONICAL).is_err(), "{list:?}");
    }
    promises.add(new(&[1, 2, 3], true));
    assert!(promises.has_sealed(7, new(&[1, 2, 3], true).header.hash));
    assert!(!promises.has_sealed(7, new(&[1, 2], true).header.hash));
    assert_eq!(promises.check(&new(&[1, 2, 3], true), CANONICAL), Ok(()));
    assert!(promises.check(&new(&[1, 2, 3, 4], true), CANONICAL).is_err(), "sealed");
}

#[test]
fn other_block_waits_for_end_of_promise() {
    let mut promises = Promises::new(MAX_LAG);
    promises.add(candidate(1, 1_000, &[1], true, NONE).0);
    let at = |timestamp| candidate(1, timestamp, &[2], true, NONE).0;
    assert!(promises.check(&at(1_000 + MAX_LAG - 1), CANONICAL).is_err());
    assert_eq!(promises.check(&at(1_000 + MAX_LAG), CANONICAL), Ok(()));
    // A promise about another parent is irrelevant.
    assert_eq!(promises.check(&candidate(2, 1_000, &[2], true, NONE).0, CANONICAL), Ok(()));
}

#[test]
fn void_promise_may_be_replaced() {
    let mut promises = Promises::new(MAX_LAG);
    let (old, new) = (B256::repeat_byte(0xaa), B256::repeat_byte(0xbb));
    promises.add(candidate(1, 1_000, &[1], true, (100, old)).0);
    let other = |l1_block| candidate(1, 1_001, &[2], true, (l1_block, new)).0;
    let anchored = |at, l1_block| with_anchor(candidate(1, 1_001, &[2], true, at), (l1_block, new));
    assert!(promises.check(&other(100), CANONICAL).is_err(), "L1 still has the block");
    let replaced: IsReplaced<'_> = &|number, hash| (number, hash) == (100, old);
    for (timestamp, minimum) in [(1_001, 100), (999 + MAX_LAG, 100), (1_000 + MAX_LAG, 0)] {
        let parent = B256::repeat_byte(1);
        assert_eq!(promises.min_anchor(7, parent, timestamp), minimum);
        assert_eq!(promises.min_condition(7, parent, timestamp, CANONICAL), minimum);
    }
    let at = |number| (number, new);
    assert!(promises.check(&anchored(at(99), 100), replaced).is_err(), "both could hold");
    assert!(promises.check(&anchored(at(100), 99), replaced).is_err(), "L1 could include both");
    assert_eq!(promises.check(&other(100), replaced), Ok(()));
    let unsigned = |l1_block| anchored(NONE, l1_block);
    assert!(promises.check_unsigned(&unsigned(99), replaced).is_err(), "L1 could include both");
    assert_eq!(promises.check_unsigned(&unsigned(100), replaced), Ok(()));
    // Once L1 returns to the first chain, only headers that keep the first promise are allowed.
    promises.add(other(101));
    let first = candidate(1, 1_000, &[1], true, (100, old)).0;
    let back: IsReplaced<'_> = &|number, hash| (number, hash) == (101, new);
    assert!(promises.check(&first, replaced).is_err(), "L1 has the other chain");
    assert_eq!(promises.check(&first, back), Ok(()));
    assert_eq!(promises.check_unsigned(&first, back), Ok(()));
    assert!(promises.check_unsigned(&unsigned(101), back).is_err(), "the first one holds");
    assert!(promises.is_excluded(&unsigned(101), back) && !promises.is_excluded(&first, back));
    // A promise without a condition is never void.
    let mut promises = Promises::new(MAX_LAG);
    promises.add(candidate(1, 1_000, &[1], true, NONE).0);
    assert!(promises.check(&other(100), &|_, _| true).is_err());
}

/// L1 can still include the first block, whose anchor is older than the L1 block of its condition.
#[test]
fn block_of_void_promise_may_be_in_flight() {
    let (replaced_hash, named) = (B256::repeat_byte(0xaa), B256::repeat_byte(0xbb));
    let replaced: IsReplaced<'_> = &|_, hash| hash == replaced_hash;
    let other = candidate(1, 1_001, &[2], true, (101, named)).0;
    for (anchor, is_out) in [((99, replaced_hash), true), ((99, named), false), (NONE, false)] {
        for is_sealed in [true, false] {
            let mut promises = Promises::new(MAX_LAG);
            let first = candidate(1, 1_000, &[1], is_sealed, (100, replaced_hash));
            promises.add(with_anchor(first.clone(), anchor));
            assert_eq!(promises.check(&other, replaced).is_ok(), is_out, "{anchor:?}");
            assert_eq!(promises.check_unsigned(&other, replaced), Ok(()), "not on its chain");
            // The same block may be promised under another condition.
            let again = candidate(1, 1_000, &[1], is_sealed, (101, named));
            assert_eq!(promises.check(&with_anchor(again, anchor), replaced), Ok(()));
        }
    }
}

/// L1 may include an unsigned block on each chain that contains its anchor.
#[test]
fn replaced_block_may_break_no_promise() {
    let (replaced_hash, named) = (B256::repeat_byte(0xaa), B256::repeat_byte(0xbb));
    let mut promises = Promises::new(MAX_LAG);
    promises.add_unsigned(candidate(1, 1_000, &[1, 2], true, (100, replaced_hash)).0);
    let at = |timestamp, l1_block| candidate(1, timestamp, &[3], true, (l1_block, named)).0;
    let replaced: IsReplaced<'_> = &|number, hash| (number, hash) == (100, replaced_hash);
    assert!(promises.check(&at(1_001, 100), CANONICAL).is_err(), "its anchor is on L1");
    assert!(promises.check(&at(1_001, 99), replaced).is_err(), "both are possible");
    assert_eq!(promises.check(&at(1_001, 100), replaced), Ok(()));
    for (timestamp, is_replaced, minimum) in
        [(1_001, replaced, 100), (1_001, CANONICAL, 0), (1_000 + MAX_LAG, replaced, 0)]
    {
        let parent = B256::repeat_byte(1);
        assert_eq!(promises.min_condition(7, parent, timestamp, is_replaced), minimum);
        assert_eq!(promises.min_anchor(7, parent, timestamp), 0, "L1 cannot include it");
    }
    assert_eq!(promises.check(&at(1_000 + MAX_LAG, 99), CANONICAL), Ok(()), "too old for L1");
    assert_eq!(promises.check_unsigned(&at(1_001, 99), CANONICAL), Ok(()));
    // Allowed: a prefix of the block and the block itself, but not a sealed shorter block.
    let same = |list: &[u8], is_sealed| candidate(1, 1_000, list, is_sealed, (99, named)).0;
    assert_eq!(promises.check(&same(&[1], false), CANONICAL), Ok(()));
    assert_eq!(promises.check(&same(&[1, 2], true), CANONICAL), Ok(()));
    assert!(promises.check(&same(&[1], true), CANONICAL).is_err());
    // Without a new anchor, L1 can include it on any chain.
    promises.add_unsigned(candidate(2, 1_000, &[1], true, NONE).0);
    let other = candidate(2, 1_001, &[2], true, (100, named)).0;
    assert!(promises.check(&other, &|_, _| true).is_err());
    promises.forget_up_to(7);
    assert_eq!(promises.check(&other, CANONICAL), Ok(()));
}

/// At the limit for a parent no promise is added. Promises that have ended do not count.
#[test]
fn many_promises_stop_no_blocks() {
    let mut promises = Promises::new(MAX_LAG);
    let l1 = |number: u64| (number, B256::with_last_byte(number as u8));
    for number in 1..=64 {
        promises.add(candidate(1, 1_000 + number, &[1], true, l1(number)).0);
    }
    let replaced: IsReplaced<'_> = &|number, _| number <= 64;
    let at = |timestamp| candidate(1, timestamp, &[2], true, l1(65)).0;
    assert!(promises.check(&at(1_100), replaced).is_err(), "too many in force");
    assert_eq!(promises.check(&at(1_001 + MAX_LAG), replaced), Ok(()), "one has ended");
    for timestamp in [1_100, 1_064 + MAX_LAG] {
        assert_eq!(promises.check_unsigned(&at(timestamp), replaced), Ok(()));
    }
    for number in 1..=64 {
        promises.add_unsigned(candidate(2, 1_000 + number, &[1], true, l1(number)).0);
    }
    let other = candidate(2, 1_064 + MAX_LAG, &[2], true, l1(65)).0;
    assert!(promises.check(&other, replaced).is_err(), "another one may not have been added");
}

#[test]
fn promises_about_final_blocks_are_forgotten() {
    let mut promises = Promises::new(MAX_LAG);
    promises.add(candidate(1, 1_000, &[1], true, NONE).0);
    let other = candidate(1, 1_001, &[2], true, NONE).0;
    promises.forget_up_to(6);
    assert!(promises.check(&other, CANONICAL).is_err());
    promises.forget_up_to(7);
    assert_eq!(promises.check(&other, CANONICAL), Ok(()));
}

/// Steps of an L1 that reorgs and returns to earlier chains.
#[derive(Debug, Clone)]
enum Step {
    /// A new L1 block.
    Extend,
    /// A reorg of this depth.
    Reorg(usize),
    /// An earlier chain is canonical again.
    Return(usize),
    /// A candidate for a signature: parent, timestamp, transactions, sealed, depth of its anchor,
    /// and of its condition, which is not below the anchor.
    Sign(u8, u64, Vec<u8>, bool, Option<usize>, Option<usize>),
    /// A candidate for an unsigned block, which is sent to L1 and replaced.
    Replace(u8, u64, Vec<u8>, Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let sign = (
        1..3_u8,
        prop_oneof![Just(1_000_u64), Just(1_001), 1_000..1_000 + 2 * MAX_LAG],
        prop::collection::vec(1..4_u8, 0..4),
        any::<bool>(),
        prop::option::of(0..6_usize),
    );
    prop_oneof![
        2 => Just(Step::Extend),
        2 => (1..5_usize).prop_map(Step::Reorg),
        1 => (0..8_usize).prop_map(Step::Return),
        8 => (sign.clone(), prop::option::of(0..6_usize)).prop_map(|(new, condition)| {
            let (parent, time, list, is_sealed, depth) = new;
            Step::Sign(parent, time, list, is_sealed, depth, condition)
        }),
        3 => sign.prop_map(|(parent, time, list, _, depth)| {
            Step::Replace(parent, time, list, depth)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// On no L1 chain in any history of reorgs can a signer that follows the rule be proven to have
    /// equivocated, or to have broken a promise by another block.
    #[test]
    fn no_two_signatures_are_evidence(steps in prop::collection::vec(step(), 1..60)) {
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let mut promises = Promises::new(MAX_LAG);
        let (mut chain, mut fresh) = (vec![B256::ZERO], 0_u64);
        let mut chains = vec![chain.clone()];
        let (mut signed, mut sealed) = (Vec::new(), Vec::new());
        // The anchor is part of the header, so blocks with equal environments have the same anchor.
        let mut anchors = BTreeMap::new();
        let mut anchor_of = |chain: &[B256], environment: (u8, u64), depth: Option<usize>| {
            let new = depth.map_or(NONE, |depth| block_at(chain, depth));
            *anchors.entry(environment).or_insert(new)
        };
        for step in steps {
            let mut next = |chain: &mut Vec<B256>| {
                fresh += 1;
                chain.push(keccak256(fresh.to_be_bytes()));
            };
            match step {
                Step::Extend => next(&mut chain),
                Step::Reorg(depth) => {
                    chains.push(chain.clone());
                    chain.truncate(chain.len().saturating_sub(depth).max(1));
                    next(&mut chain);
                }
                Step::Return(index) => {
                    chains.push(chain.clone());
                    chain = chains[index % chains.len()].clone();
                }
                Step::Replace(parent, timestamp, list, depth) => {
                    let anchor = anchor_of(&chain, (parent, timestamp), depth);
                    let (new, rlp) = candidate(parent, timestamp, &list, true, anchor);
                    let is_replaced = is_replaced(&chain);
                    if is_named(&chain, anchor)
                        && promises.check_unsigned(&new, &is_replaced).is_ok()
                    {
                        promises.add_unsigned(new.clone());
                        sealed.push((new, rlp, list));
                    }
                }
                Step::Sign(parent, timestamp, list, is_sealed, depth, condition) => {
                    let anchor = anchor_of(&chain, (parent, timestamp), depth);
                    let named = condition.map_or(NONE, |depth| block_at(&chain, depth));
                    let condition = if named.0 > anchor.0 { named } else { anchor };
                    let candidate = candidate(parent, timestamp, &list, is_sealed, condition);
                    let rlp = candidate.1.clone();
                    let new = with_anchor(candidate, anchor);
                    let is_replaced = is_replaced(&chain);
                    // If the lowest condition is rejected, so are all higher ones.
                    let parent_hash = new.header.parent;
                    let minimum = promises.min_condition(7, parent_hash, timestamp, &is_replaced);
                    let may_sign = |number: u64| {
                        let hash = chain.get(number as usize).filter(|_| number > 0);
                        let mut new = new.clone();
                        new.message.l1_block = number;
                        new.message.l1_hash = hash.copied().unwrap_or_default();
                        promises.check(&new, &is_replaced).is_ok()
                    };
                    let is_new = |number: &u64| {
                        // A promise under the same condition may be continued.
                        !signed.iter().any(|(promise, ..): &(Promised, _, _, _)| {
                            promise.header.parent == parent_hash && promise.message.l1_block == *number
                        })
                    };
                    let minimum = minimum.max(anchor.0);
                    if is_named(&chain, anchor) && minimum < chain.len() as u64 && !may_sign(minimum) {
                        let mut higher = (minimum + 1..chain.len() as u64).filter(is_new);
                        prop_assert!(!higher.any(may_sign), "{new:?} {promises:?}");
                    }
                    if is_named(&chain, anchor) && promises.check(&new, &is_replaced).is_ok() {
                        promises.add(new.clone());
                        let digest = new.message.digest(&DOMAIN);
                        let signature = key.sign_hash_sync(&digest).unwrap().as_bytes();
                        signed.push((new, rlp, signature.to_vec(), list));
                    }
                }
            }
        }
        chains.push(chain);
        for (index, (a, a_rlp, a_signature, ours)) in signed.iter().enumerate() {
            for (b, b_rlp, b_signature, theirs) in &signed[index + 1..] {
                let [a_signed, b_signed] = [(a, a_rlp, a_signature), (b, b_rlp, b_signature)].map(
                    |(promise, header, signature)| Signed { message: promise.message, signature, header },
                );
                for chain in &chains {
                    let l1_hash = |number: u64| chain.get(number as usize).copied();
                    let context = context(&l1_hash);
                    let transaction = difference(ours, theirs);
                    let judged = equivocation(&a_signed, &b_signed, &transaction, &context);
                    prop_assert!(judged.is_err(), "{a:?} {b:?} {chain:?}");
                    let is_form = matches!(judged, Err(Refusal::Proof(_) | Refusal::Header(_)));
                    prop_assert!(!is_form, "the evidence itself is in order: {judged:?}");
                }
            }
            let others = signed.iter().map(|(promise, rlp, _, list)| (promise, rlp, list));
            for (block, rlp, theirs) in others.chain(sealed.iter().map(|(promise, rlp, list)| (promise, rlp, list))) {
                if block.header.hash == a.header.hash || !block.message.is_sealed {
                    continue;
                }
                let promise = Signed { message: a.message, signature: a_signature, header: a_rlp };
                for chain in &chains {
                    let l1_hash = |number: u64| chain.get(number as usize).copied();
                    // L1 only includes a block on chains that have its anchor, and not too late.
                    let (number, hash) = block.anchor;
                    let has_anchor = number == 0 || l1_hash(number) == Some(hash);
                    if !has_anchor || a.header.timestamp >= block.header.timestamp + MAX_LAG {
                        continue;
                    }
                    let canonical = Canonical { header: rlp, hash: block.message.block_hash };
                    let proof = difference(ours, theirs);
                    let judged = broken(&promise, canonical, &proof, &context(&l1_hash));
                    prop_assert!(judged.is_err(), "{a:?} {block:?} {chain:?}");
                }
            }
        }
    }
}

/// Returns number and hash of the L1 block at this depth.
fn block_at(chain: &[B256], depth: usize) -> (u64, B256) {
    let number = (chain.len() - 1).saturating_sub(depth);
    (number as u64, chain[number])
}

/// Returns `true` if the L1 block is on the chain, or none is named.
fn is_named(chain: &[B256], (number, hash): (u64, B256)) -> bool {
    (number, hash) == NONE || chain.get(number as usize) == Some(&hash)
}

fn is_replaced(chain: &[B256]) -> impl Fn(u64, B256) -> bool {
    |number, hash| chain.get(number as usize).is_some_and(|at| *at != hash)
}

fn context<'a>(l1_hash: &'a dyn Fn(u64) -> Option<B256>) -> Context<'a> {
    let account_of: &dyn Fn(Address) -> Address = &|signer| signer;
    Context { domain: DOMAIN, account_of, l1_hash, post_within: POST_WITHIN }
}

/// Returns the proof of the first transaction in which two blocks differ.
fn difference(ours: &[u8], theirs: &[u8]) -> TransactionEvidence {
    let differs = ours.iter().zip(theirs).position(|(a, b)| a != b);
    let at = differs.unwrap_or_else(|| ours.len().min(theirs.len())) as u32;
    let [ours, theirs] = [ours, theirs].map(|list| trie(&raw(list), at).1);
    TransactionEvidence { index: at, ours, theirs }
}

fn raw(transactions: &[u8]) -> Vec<Bytes> {
    transactions.iter().map(|byte| vec![*byte; 40].into()).collect()
}
