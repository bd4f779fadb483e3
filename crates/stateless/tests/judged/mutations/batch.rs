//! Batches: the verdict on each block is that of the block alone, and the witness contains each
//! item once.

use super::compact::{expanded, nodes_of, set_of};
use super::support::{
    Case,
    generated::{FORKS, Line, line},
    rehash,
};
use super::witness::names_as_missing;
use alloy_primitives::{B256, U256, keccak256};
use codec::compact::compact_reachable;
use core::num::NonZeroUsize;
use enshrine_stateless::{
    BlockError, BlockRejection, Invalid, UncheckedBlocks, Verdict, VerifyOptions, verify_batch,
};
use executor::StateError;
use std::{ops::Range, sync::LazyLock};
use testkit::Random;
use wire::{
    BatchWitness, ByteLists, DecodeError, ExecutionWitness, StatelessBatch, StatelessInput,
};

fn lines() -> &'static [Line] {
    static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| FORKS.map(line).into());
    &LINES
}

/// Returns the EXECUTE input for a range of a line's blocks.
fn batch_of(line: &Line, blocks: Range<usize>) -> Vec<u8> {
    let known = |case: &Case| line.chain.block(&case.verdict.block_hash).expect("is known");
    let blocks = line.cases[blocks].iter().map(known).collect();
    line.chain.batch(blocks).expect("executes").input().expect("encodes")
}

fn decoded(bytes: &[u8]) -> StatelessBatch<'_> {
    StatelessBatch::decode(bytes).expect("decodes")
}

fn verdicts(line: &Line, batch: &StatelessBatch<'_>) -> Result<Vec<Verdict>, (usize, Invalid)> {
    verify_batch(batch, &line.spec).map_err(|BlockRejection { block, reason }| match reason {
        BlockError::Invalid(reason) => (block, reason),
        BlockError::Internal(error) => panic!("no verdict: {error}"),
    })
}

/// Every range of a line's blocks.
fn ranges(line: &Line) -> impl Iterator<Item = Range<usize>> + use<> {
    let count = line.cases.len();
    (0..count).flat_map(move |first| (first + 1..=count).map(move |end| first..end))
}

#[test]
fn batch_verdicts_equal_single_block_verdicts() {
    for line in lines() {
        for range in ranges(line) {
            let cases = &line.cases[range.clone()];
            let bytes = batch_of(line, range.clone());
            let expected: Vec<_> = cases.iter().map(|case| case.verdict.clone()).collect();
            assert_eq!(verdicts(line, &decoded(&bytes)), Ok(expected), "{range:?}");
            // The list takes one offset per block; otherwise the batch is no longer than the single
            // inputs.
            let singles: usize = cases.iter().map(|case| case.bytes.len()).sum();
            assert!(bytes.len() <= singles + 4 * cases.len(), "{range:?}");
            if range.len() == 1 {
                let (witness, single) = (decoded(&bytes).witness, cases[0].input().witness);
                assert_eq!((witness.codes, witness.headers), (single.codes, single.headers));
                assert_eq!(expanded(&witness), set_of(single.state), "the least is the same");
            }
        }
    }
}

#[test]
fn batch_is_smaller_than_its_single_inputs() {
    for line in lines() {
        let all = batch_of(line, 0..line.cases.len()).len();
        let singles: usize = line.cases.iter().map(|case| case.bytes.len()).sum();
        println!("{}: {all} bytes, by themselves {singles}", line.cases[0].name);
        assert!(3 * all < 2 * singles);
    }
}

#[test]
fn thread_count_does_not_change_verdicts() {
    for line in lines() {
        let bytes = batch_of(line, 0..line.cases.len());
        let batch = decoded(&bytes);
        let expected = verify_batch(&batch, &line.spec);
        for threads in [2, 4] {
            let threads = NonZeroUsize::new(threads).expect("at least one");
            let options = VerifyOptions { threads, ..VerifyOptions::default() };
            let blocks = UncheckedBlocks::decode_batch(&batch).expect("decodes");
            assert_eq!(blocks.verify(&line.spec, options, |_| {}), expected);
        }
    }
}

#[test]
fn known_senders_cover_all_blocks_in_order() {
    for line in lines() {
        let bytes = batch_of(line, 0..line.cases.len());
        let batch = decoded(&bytes);
        let known = |case: &Case| line.chain.block(&case.verdict.block_hash).expect("is known");
        let mut senders: Vec<_> =
            line.cases.iter().flat_map(|case| known(case).senders.clone()).collect();
        let blocks = UncheckedBlocks::decode_batch(&batch).expect("decodes");
        let with = |senders: &[_]| {
            blocks.verify(&line.spec, VerifyOptions { senders, ..VerifyOptions::default() }, |_| {})
        };
        assert_eq!(with(&senders), verify_batch(&batch, &line.spec));
        let last = senders.len() - 1;
        senders[last] = Default::default();
        let refused = with(&senders).expect_err("another sender has no balance");
        assert_eq!(refused.block, line.cases.len() - 1);
    }
}

fn without(list: ByteLists<'_>, index: usize) -> Vec<&[u8]> {
    list.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, item)| item).collect()
}

/// Returns the reason why a batch with another witness is refused.
fn refusal_of(line: &Line, batch: &StatelessBatch<'_>, witness: BatchWitness<'_>) -> Invalid {
    let batch = StatelessBatch { witness, ..batch.clone() };
    verdicts(line, &batch).expect_err("was needed").1
}

#[test]
fn omitted_witness_item_is_reported() {
    let mut random = Random::new(81);
    for line in lines() {
        let all: Vec<_> = ranges(line).filter(|range| range.len() > 1).collect();
        let some = random.sample(all.len(), 12).into_iter().map(|index| all[index].clone());
        for range in some.chain(std::iter::once(0..line.cases.len())) {
            let bytes = batch_of(line, range.clone());
            let batch = decoded(&bytes);
            let nodes = nodes_of(&batch.witness);
            let root = line.cases[range.start].verdict.pre_state_root;
            for (index, node) in nodes.iter().enumerate() {
                // The nodes below it are removed too, but are only needed later.
                let mut rest = nodes.clone();
                rest.remove(index);
                let BatchWitness { codes, headers, .. } = batch.witness;
                let state = compact_reachable(root, (&rest).into(), codes).expect("encodes");
                let fewer = BatchWitness::new(&state, codes, headers).expect("decodes");
                let reason = refusal_of(line, &batch, fewer);
                let hash = keccak256(node);
                assert!(names_as_missing(&reason, hash), "{range:?}, {index}: {reason}");
            }
            for index in 0..batch.witness.codes.len() {
                let rest = without(batch.witness.codes, index);
                let (codes, headers) = (rest[..].into(), batch.witness.headers);
                let state = compact_reachable(root, (&nodes).into(), codes).expect("encodes");
                let fewer = BatchWitness::new(&state, codes, headers).expect("decodes");
                let reason = refusal_of(line, &batch, fewer);
                let hash = keccak256(batch.witness.codes.get(index).expect("is there"));
                assert!(names_as_missing(&reason, hash), "{range:?}, {index}: {reason}");
            }
            let headers = without(batch.witness.headers, 0);
            let reason = refusal_of(
                line,
                &batch,
                BatchWitness { headers: headers[..].into(), ..batch.witness },
            );
            let named = match &reason {
                Invalid::NoParent => batch.witness.headers.len() == 1,
                Invalid::State(StateError::MissingAncestor(_)) => batch.witness.headers.len() > 1,
                _ => false,
            };
            assert!(named, "{range:?}: {reason}");
        }
    }
}

#[test]
fn batch_carries_only_ancestors_before_it() {
    for line in lines() {
        // The block with a contract that reads the hashes of the blocks one and three before it.
        let asking = line.cases.iter().position(|case| case.sees_header).expect("is there");
        for (first, headers) in [(asking, 3), (asking - 1, 2), (asking - 2, 1), (asking - 3, 1)] {
            let bytes = batch_of(line, first..asking + 1);
            assert_eq!(decoded(&bytes).witness.headers.len(), headers, "from {first}");
        }
    }
}

#[test]
fn surplus_witness_items_do_not_change_verdicts() {
    let line = &lines()[2];
    let bytes = batch_of(line, 2..6);
    let batch = decoded(&bytes);
    // More of the pre-state, as needed by all blocks up to the last, and more codes.
    let longer = batch_of(line, 2..line.cases.len());
    let longer = decoded(&longer).witness;
    assert!(longer.state.len() > batch.witness.state.len());
    // Each code once: a batch that contains a code twice is refused.
    let own = batch.witness.codes.iter().filter(|own| longer.codes.iter().all(|code| code != *own));
    let codes: Vec<_> = longer.codes.iter().chain(own).collect();
    let root = line.cases[2].verdict.pre_state_root;
    let nodes = nodes_of(&longer);
    let state = compact_reachable(root, (&nodes).into(), codes[..].into()).expect("encodes");
    let witness = BatchWitness::new(&state, codes[..].into(), batch.witness.headers);
    let witness = witness.expect("decodes");
    let padded = StatelessBatch { witness, ..batch.clone() };
    assert_eq!(verdicts(line, &padded), verdicts(line, &batch));
}

/// A change of one block.
type Change = (&'static str, for<'a> fn(&mut StatelessInput<'a>));

const CHANGES: [Change; 18] = [
    ("parent hash", |input| input.request.payload.parent_hash.0[0] ^= 1),
    ("state root", |input| input.request.payload.state_root.0[0] ^= 1),
    ("receipts root", |input| input.request.payload.receipts_root.0[0] ^= 1),
    ("logs bloom", |input| input.request.payload.logs_bloom = &[0xff; 256]),
    ("number", |input| input.request.payload.block_number += 1),
    ("gas limit", |input| input.request.payload.gas_limit *= 2),
    ("gas used, more", |input| input.request.payload.gas_used += 1),
    ("gas used, none", |input| input.request.payload.gas_used = 0),
    ("gas used, all", |input| input.request.payload.gas_used = u64::MAX),
    ("timestamp", |input| input.request.payload.timestamp -= 12),
    ("extra data", |input| input.request.payload.extra_data = &[0; 33]),
    ("base fee", |input| input.request.payload.base_fee_per_gas += U256::ONE),
    ("base fee beyond 64 bits", |input| input.request.payload.base_fee_per_gas = U256::MAX),
    ("excess blob gas", |input| input.request.payload.excess_blob_gas += 131_072),
    ("blob gas used", |input| input.request.payload.blob_gas_used += 131_072),
    ("beacon root", |input| input.request.parent_beacon_block_root.0[0] ^= 1),
    ("a versioned hash", |input| input.request.versioned_hashes = wire::Records::new(&[[1; 32]])),
    ("a malformed transaction", |input| {
        const MALFORMED: &[&[u8]] = &[&[0x02, 0xc0]];
        input.request.payload.transactions = MALFORMED.into();
    }),
];

/// Returns a block of a batch as a single input without a witness.
fn single<'a>(batch: &StatelessBatch<'a>, index: usize) -> StatelessInput<'a> {
    StatelessInput {
        fork: batch.fork,
        request: batch.requests[index].clone(),
        witness: ExecutionWitness::EMPTY,
        chain_id: batch.chain_id,
    }
}

/// Changes a block of a batch, and updates its block hash if `resealed`.
fn change(batch: &mut StatelessBatch<'_>, index: usize, change: &Change, resealed: bool) {
    let mut input = single(batch, index);
    change.1(&mut input);
    if resealed {
        rehash(&mut input);
    }
    batch.requests[index] = input.request;
}

/// Updates the parent hashes of all blocks after `behind`, and their block hashes.
fn relink(batch: &mut StatelessBatch<'_>, behind: usize) {
    for index in behind + 1..batch.requests.len() {
        let mut input = single(batch, index);
        input.request.payload.parent_hash = batch.requests[index - 1].payload.block_hash;
        rehash(&mut input);
        batch.requests[index] = input.request;
    }
}

/// Removes from a reason what depends on the number of headers in a witness.
fn comparable(reason: Invalid) -> Invalid {
    match reason {
        Invalid::BrokenAncestry { got, expected, .. } => {
            Invalid::BrokenAncestry { index: 0, got, expected }
        }
        other => other,
    }
}

#[test]
fn invalid_block_has_same_reason_in_batch() {
    let (mut same, mut by_state) = (0, 0);
    for line in lines() {
        for last in 1..line.cases.len() {
            let case = &line.cases[last];
            let bytes = batch_of(line, last.saturating_sub(3)..last + 1);
            let batch = decoded(&bytes);
            let place = batch.requests.len() - 1;
            for (spoil, resealed) in
                CHANGES.iter().flat_map(|change| [(change, true), (change, false)])
            {
                let mut alone = case.input();
                spoil.1(&mut alone);
                if resealed {
                    rehash(&mut alone);
                }
                let mut together = batch.clone();
                change(&mut together, place, spoil, resealed);
                let what = format!("{}, {}, resealed: {resealed}", case.name, spoil.0);
                match (case.verify(&alone), verdicts(line, &together)) {
                    (Ok(alone), Ok(together)) => assert_eq!(together[place], alone, "{what}"),
                    (Err(Invalid::State(_)), Err((block, Invalid::State(_)))) => {
                        // Of multiple missing nodes, the one reported depends on the other nodes.
                        assert_eq!(block, place, "{what}");
                        by_state += 1;
                    }
                    (Err(alone), Err((block, together))) => {
                        assert_eq!(block, place, "{what}");
                        assert_eq!(comparable(together), comparable(alone), "{what}");
                        same += 1;
                    }
                    (alone, together) => panic!("{what}: {alone:?}, but {together:?}"),
                }
            }
        }
    }
    println!("{same} refused for the same reason, {by_state} for want of nodes");
    assert!(same > 1_000 && by_state * 10 < same);
}

#[test]
fn error_is_reported_at_block_or_next() {
    for line in lines() {
        let bytes = batch_of(line, 0..line.cases.len());
        for (place, case) in line.cases.iter().enumerate().take(line.cases.len() - 1) {
            for spoil in &CHANGES {
                let mut alone = case.input();
                spoil.1(&mut alone);
                rehash(&mut alone);
                let mut batch = decoded(&bytes);
                change(&mut batch, place, spoil, true);
                let changed = batch.requests[place] != decoded(&bytes).requests[place];
                if !changed {
                    continue;
                }
                let what = format!("{}, {}", case.name, spoil.0);
                // The next block still contains the hash of the original block.
                let (block, _) = verdicts(line, &batch).expect_err("the line is broken");
                assert!(block == place || block == place + 1, "{what}: {block}");
                relink(&mut batch, place);
                match (case.verify(&alone), verdicts(line, &batch)) {
                    (Err(alone), Err((block, together))) if block == place => {
                        assert_eq!(comparable(together), comparable(alone), "{what}");
                    }
                    // Wrong gas and blob claims of a header also break the next header, which is
                    // checked before execution.
                    (Err(_), Err((block, Invalid::Header { .. }))) if block > place => {}
                    (Ok(_), Err((block, _))) if block > place => {}
                    (Ok(_), Ok(_)) => {}
                    (alone, together) => panic!("{what}: {alone:?}, but {together:?}"),
                }
            }
        }
    }
}

#[test]
fn non_consecutive_blocks_are_refused() {
    for line in lines() {
        let bytes = batch_of(line, 1..5);
        let good = decoded(&bytes);
        let refused = |change: &dyn Fn(&mut StatelessBatch<'_>)| {
            let mut batch = good.clone();
            change(&mut batch);
            verdicts(line, &batch).expect_err("does not follow")
        };
        let hash = |index: usize| good.requests[index].payload.block_hash;
        let headers = good.witness.headers.len();
        let broken = |block: usize, got: B256, expected: B256| {
            (block, Invalid::BrokenAncestry { index: headers + block - 1, got, expected })
        };
        let parent = good.requests[0].payload.parent_hash;
        let swapped = refused(&|batch| batch.requests.swap(1, 2));
        assert_eq!(swapped, broken(1, hash(0), hash(1)));
        let doubled = refused(&|batch| batch.requests.insert(1, batch.requests[0].clone()));
        assert_eq!(doubled, broken(1, hash(0), parent));
        let gap = refused(&|batch| {
            batch.requests.remove(1);
        });
        assert_eq!(gap, broken(1, hash(0), hash(1)));
        let headless = refused(&|batch| {
            batch.requests.remove(0);
        });
        assert_eq!(headless, broken(0, parent, hash(0)));
        let backwards = refused(&|batch| batch.requests.reverse());
        assert_eq!(backwards, broken(0, parent, hash(2)));
        // The neighbour: the first blocks alone are valid.
        let mut fewer = good.clone();
        fewer.requests.truncate(2);
        assert_eq!(verdicts(line, &fewer).expect("follow").len(), 2);
        let none = StatelessBatch { requests: vec![], ..good.clone() };
        let empty = Invalid::from(DecodeError::Empty { what: "blocks" });
        assert_eq!(verdicts(line, &none), Err((0, empty)));
        let foreign = StatelessBatch { chain_id: good.chain_id + 1, ..good.clone() };
        let (got, expected) = (good.chain_id + 1, good.chain_id);
        assert_eq!(verdicts(line, &foreign), Err((0, Invalid::ChainId { got, expected })));
    }
}
