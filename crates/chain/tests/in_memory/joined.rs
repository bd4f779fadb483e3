//! Batches that are joined from the footprints of their blocks equal those from executing the
//! blocks again.

use crate::taken_back::{self, next, random_transaction};
use enshrine_chain::{
    Block, BlockBuilder, BlockFootprint, BudgetRequest, Chain, ChainError, RecoveredTransaction,
};
use execute::{Execute, Networks, UnderpricedWork, WorkGas};
use rollup::InputLimits;
use std::{ops::Range, sync::Arc};
use testkit::Random;
use wire::{DecodeError, ProtocolFork, StatelessBatch};

/// A block of a chain, with its footprint when it was sealed, and the price of its underpriced
/// work.
struct Sealed {
    block: Arc<Block>,
    footprint: Arc<BlockFootprint>,
    work: WorkGas,
}

fn execute_on(chain: &Chain, fork: ProtocolFork) -> Execute {
    let networks = Networks::Only(Arc::new(chain.config().spec.clone()));
    Execute { networks, ..Execute::on(fork) }
}

/// Appends a block with the valid ones of these transactions.
fn seal(chain: &mut Chain, offered: &[RecoveredTransaction], fork: ProtocolFork) -> Sealed {
    let state = chain.state();
    let header = state.open_header(&next(chain)).unwrap();
    let limits = InputLimits { bytes: Some(60_000), ..InputLimits::default() };
    let built = BlockBuilder::new(&state)
        .build_within(&header, &[], offered, &limits, BudgetRequest::default())
        .unwrap();
    let new = built.executed;
    let executed = execute_on(chain, fork).run(&new.input().unwrap(), u64::MAX).unwrap();
    let footprint = Arc::new(BlockFootprint::of(&new));
    Sealed { block: chain.append(new).unwrap(), footprint, work: executed.work }
}

fn parts(sealed: &[Sealed]) -> Vec<(Arc<Block>, Arc<BlockFootprint>)> {
    sealed.iter().map(|sealed| (Arc::clone(&sealed.block), Arc::clone(&sealed.footprint))).collect()
}

/// The cost of its repeated nodes and of its blocks' work is also exact.
#[test]
fn joined_batch_equals_batch_of_executing_again() {
    let (mut repeated, mut codes, mut ancestors) = (0, 0, 0);
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        for seed in 0..12 {
            let mut dice = Random::new(seed);
            let mut chain = taken_back::chain(fork);
            let execute = execute_on(&chain, fork);
            let mut nonces = [0; 16];
            let count = 2 + dice.index(7);
            let mut sealed = Vec::new();
            for _ in 0..count {
                let head = chain.head().header.number;
                for (index, nonce) in nonces.iter_mut().enumerate() {
                    *nonce = chain.nonce(taken_back::sender(index).address()).unwrap();
                }
                let offered: Vec<_> = (0..dice.below(16))
                    .map(|_| {
                        random_transaction(
                            &mut dice,
                            &mut nonces,
                            head,
                            fork >= ProtocolFork::Osaka,
                        )
                    })
                    .collect();
                sealed.push(seal(&mut chain, &offered, fork));
            }
            // All blocks, and a part without the first ones.
            let from = dice.index(count - 1);
            let ranges: [Range<usize>; 2] = [0..count, from..count];
            for range in ranges {
                let sealed = &sealed[range.clone()];
                let about = format!("{fork} {seed} {range:?}");
                let (batch, lengths) = chain.join(parts(sealed)).unwrap();
                let blocks = sealed.iter().map(|sealed| Arc::clone(&sealed.block)).collect();
                let expected = chain.batch(blocks).unwrap();
                assert_eq!(batch.witness, expected.witness, "{about}");
                let input = batch.input().unwrap();
                assert_eq!(input, expected.input().unwrap(), "{about}");

                let executed = execute.run(&input, u64::MAX).unwrap();
                let of_node = |bytes: &usize| {
                    execute.gas.underpriced_work(&UnderpricedWork::RepeatedNode { bytes: *bytes })
                };
                let again: u64 = lengths.iter().map(of_node).sum();
                let again = WorkGas { spent: again, peak: again };
                let work = sealed.iter().map(|sealed| sealed.work).fold(again, WorkGas::then);
                assert_eq!(work, executed.work, "{about}");
                let used = sealed.iter().map(|sealed| sealed.block.header.gas_used).sum();
                let cost = variants::cost_of(&*execute.gas, &input, used, work).unwrap();
                assert_eq!(
                    (cost.charge, cost.reserve),
                    (executed.gas, executed.reserve),
                    "{about}"
                );
                repeated += lengths.len();
                let alone = |sealed: &Sealed| sealed.footprint.witness().codes.len();
                codes += sealed.iter().map(alone).sum::<usize>() - expected.witness.codes.len();
                ancestors += expected.witness.headers.len() - 1;
            }
            // A footprint that is recorded afterwards equals the one from sealing.
            for Sealed { block, footprint, .. } in &sealed {
                let again = chain.footprint_of(block).unwrap();
                assert_eq!(again.witness(), footprint.witness(), "{fork} {seed}");
                assert_eq!(again.written(), footprint.written(), "{fork} {seed}");
            }
        }
    }
    // The joined batches must have exercised each of these cases.
    assert!(repeated > 1_000 && codes > 100 && ancestors > 100, "{repeated} {codes} {ancestors}");
}

#[test]
fn join_rejects_blocks_that_are_not_consecutive() {
    let fork = ProtocolFork::Osaka;
    let mut chain = taken_back::chain(fork);
    let sealed: Vec<_> = (0..3).map(|_| seal(&mut chain, &[], fork)).collect();
    let all = parts(&sealed);
    let (first, third) = (&sealed[0].block, &sealed[2].block);
    let gap = chain.join(vec![all[0].clone(), all[2].clone()]).unwrap_err();
    let (got, expected) = (third.header.parent_hash, first.hash);
    assert_eq!(gap, ChainError::NoChild { block: third.hash, got, expected });
    let what = "blocks of the batch";
    let none = chain.join(Vec::new()).unwrap_err();
    assert_eq!(none, ChainError::Batch(DecodeError::Empty { what }));
    let many = chain.join(vec![all[0].clone(); 257]).unwrap_err();
    let limit = StatelessBatch::MAX_BLOCKS;
    assert_eq!(many, ChainError::Batch(DecodeError::TooMany { what, got: 257, limit }));
    assert!(chain.join(all).is_ok());
}
