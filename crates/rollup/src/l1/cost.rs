//! Cost of L2 blocks on L1: the shares of blocks and their transactions in the cost of their L1
//! transaction.
//!
//! A share is proportional to L2 gas, which every node knows from the blocks, so that a sequencer
//! and its followers compute the same share to the wei. Not all of them have the lengths of the
//! inputs, since witnesses are not part of a block; EXECUTE charges by gas, and L2 gas includes the
//! bytes of transactions. Shares are differences of rounded cumulative sums, so that they add up to
//! the cost exactly.

use crate::{
    L1View,
    l1::{L1Cost, PostedBlock, PostedFile},
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, U256, U512};
use chain::{Block, ChainError, ChainReader};
use parking_lot::Mutex;
use rpc_types::{BlockCost, L1Fields};
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

/// Number of L1 transactions for which the gas of the L2 blocks is cached. A cache miss reads all
/// L2 blocks of the L1 transaction.
const MAX_REMEMBERED: usize = 128;

/// Finds the L1 transaction and the cost of L2 blocks, for the RPC methods. Sends no requests to
/// L1.
#[derive(Debug, Default)]
pub(crate) struct CostBook {
    /// The file of settled blocks, if the node has a data directory.
    posted: OnceLock<Arc<PostedFile>>,
    remembered: Mutex<VecDeque<Arc<GasSums>>>,
}

/// Gas of the L2 blocks of one L1 transaction.
#[derive(Debug)]
struct GasSums {
    /// Number of the first block.
    first: u64,
    /// Hash of the last block.
    last: B256,
    /// Cumulative gas of the blocks.
    sums: Vec<u64>,
}

/// RPC response with additional fields about L1.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WithL1<T> {
    #[serde(flatten)]
    pub(crate) inner: T,
    #[serde(flatten)]
    pub(crate) l1: Option<L1Fields>,
}

/// Returns the cost of a block with this share of the cost of its L1 transaction.
fn cost_of(posted: &PostedBlock, share: Option<U256>) -> BlockCost {
    let &PostedBlock { l1_block, transaction, first, last, cost, .. } = posted;
    let L1Cost { gas, gas_price, blob_gas, blob_gas_price, .. } = cost;
    BlockCost {
        fields: L1Fields {
            l1_transaction_hash: transaction,
            l1_block_number: l1_block,
            l1_gas_used: gas,
            l1_gas_price: gas_price,
            l1_blob_gas_used: blob_gas,
            l1_blob_gas_price: blob_gas_price,
            l1_cost: share,
        },
        first_block: first,
        last_block: last.number,
        transaction_cost: cost.total(),
    }
}

/// Returns the fields for a transaction of a block, by its index.
pub(crate) fn fields_at(cost: &BlockCost, block: &Block, index: usize) -> L1Fields {
    let receipts = &block.executed.receipts;
    let sum = |count: usize| {
        let last = count.checked_sub(1).and_then(|last| receipts.get(last));
        last.map_or(0, |receipt| receipt.cumulative_gas_used)
    };
    let sums = (sum(index), sum(index + 1), sum(receipts.len()));
    let l1_cost = cost.fields.l1_cost.map(|share| part(share, sums));
    L1Fields { l1_cost, ..cost.fields.clone() }
}

/// Returns the part of an amount that belongs to the range between two cumulative sums, in
/// proportion to the total.
fn part(amount: U256, (before, after, all): (u64, u64, u64)) -> U256 {
    let up_to = |sum: u64| {
        // In 512 bits, so that no amount or sum, even from a lying L1 node, overflows.
        let whole = U512::from(amount) * U512::from(sum) / U512::from(all.max(1));
        // Fits, since no sum exceeds `all`.
        U256::saturating_from(whole)
    };
    up_to(after).saturating_sub(up_to(before))
}

impl CostBook {
    /// Sets the file of settled blocks.
    pub(crate) fn open(&self, posted: Arc<PostedFile>) {
        // Set once, since a node has one reader of L1.
        let _ = self.posted.set(posted);
    }

    /// Returns the L1 transaction of a block; `None` if the block is not on L1, or the node no
    /// longer has the data.
    pub(crate) fn find(
        &self,
        view: &L1View,
        chain: &ChainReader,
        block: &Block,
    ) -> Result<Option<BlockCost>, ChainError> {
        let number = block.header.number;
        // Compared by hash, since a block of a branch that is not on L1 has no L1 transaction.
        let Some(posted) = self.posted(view, number).filter(|posted| posted.hash == block.hash)
        else {
            return Ok(None);
        };
        let mut share = None;
        if let (Some(total), Some(gas)) = (posted.cost.total(), self.sums(chain, &posted)?) {
            let at = number.checked_sub(gas.first).and_then(|offset| usize::try_from(offset).ok());
            let sum = |at: Option<usize>| at.and_then(|index| gas.sums.get(index)).copied();
            let before = sum(at.and_then(|at| at.checked_sub(1))).unwrap_or(0);
            let all = gas.sums.last().copied().unwrap_or(0);
            share = sum(at).map(|after| part(total, (before, after, all)));
        }
        Ok(Some(cost_of(&posted, share)))
    }

    fn posted(&self, view: &L1View, number: u64) -> Option<PostedBlock> {
        if let Some(block) = view.posted(number) {
            return Some(block.clone());
        }
        let settled = self.posted.get()?.get(number)?;
        // A record that is not settled in this view was written before L1 was read again.
        let oldest = view.oldest().map_or(0, |oldest| oldest.number);
        (settled.l1_block < oldest).then_some(settled)
    }

    /// Returns the cumulative gas of the L2 blocks of an L1 transaction; `None` if the node lacks
    /// some of them, because it has not imported them yet or its chain starts after them.
    fn sums(
        &self,
        chain: &ChainReader,
        posted: &PostedBlock,
    ) -> Result<Option<Arc<GasSums>>, ChainError> {
        let &PostedBlock { first, last: BlockNumHash { number: last, hash: last_hash }, .. } =
            posted;
        let is_same = |sums: &&Arc<GasSums>| sums.first == first && sums.last == last_hash;
        if let Some(is_same) = self.remembered.lock().iter().find(is_same) {
            return Ok(Some(Arc::clone(is_same)));
        }
        // If the last block is canonical, so are all blocks of the L1 transaction.
        if chain.canonical_hash(last)? != Some(last_hash) {
            return Ok(None);
        }
        let (mut sums, mut sum) = (Vec::new(), 0_u64);
        for number in first..=last {
            let Some(block) = chain.canonical_block(number)? else { return Ok(None) };
            // At least 1, so that empty blocks have a share too.
            sum = sum.saturating_add(block.header.gas_used.max(1));
            sums.push(sum);
        }
        // Keyed by the last block's hash and not by the L1 transaction, which an L1 reorg may
        // replace.
        let found = Arc::new(GasSums { first, last: last_hash, sums });
        let mut remembered = self.remembered.lock();
        remembered.truncate(MAX_REMEMBERED - 1);
        remembered.push_front(Arc::clone(&found));
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_amount_exactly() {
        for amount in [0, 1, 7, 1_000_000_007, u128::MAX] {
            let amount = U256::from(amount);
            for weights in [&[1][..], &[1, 1, 1], &[21_000, 3, 9_999_999], &[u64::MAX / 2, 1, 5]] {
                let all = weights.iter().sum();
                let (mut before, mut total) = (0, U256::ZERO);
                for weight in weights {
                    let share = part(amount, (before, before + weight, all));
                    // At most a wei off the exact share.
                    let exact = U512::from(amount) * U512::from(*weight) / U512::from(all);
                    assert!(U512::from(share).abs_diff(exact) <= U512::from(1));
                    before += weight;
                    total += share;
                }
                assert_eq!(total, amount, "{weights:?}");
            }
        }
        assert_eq!(part(U256::from(9), (0, 0, 0)), U256::ZERO);
    }
}
