//! L1 transactions of L2 blocks and their cost: shares of blocks and of their transactions.
//!
//! A share is proportional to L2 gas. Every node has that figure from the blocks alone, so a
//! sequencer and its followers compute the same share to the wei. They do not all have the inputs'
//! lengths, since witnesses are not part of a block; EXECUTE charges gas, and L2 gas includes the
//! bytes of transactions. Shares are differences of rounded sums, so that they add up to the cost
//! exactly.

use crate::{
    L1View,
    l1::{L1Cost, PostedBlock, PostedFile},
    rpc_methods::{RollupApi, Shared},
};
use alloy_primitives::{B256, U64, U128, U256, U512};
use alloy_rpc_types_eth::BlockId;
use chain::{Block, ChainError, ChainReader};
use parking_lot::Mutex;
use rpc::{Args, Hash, Registry, RpcError, convert};
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

/// Number of L1 transactions whose blocks' gas is cached. A new one takes a read of all its blocks.
const MAX_REMEMBERED: usize = 128;

/// L2 blocks on L1, for the RPC methods. Sends no request to L1.
#[derive(Debug, Default)]
pub(crate) struct CostBook {
    /// The file of settled blocks, if the node has a data directory.
    posted: OnceLock<Arc<PostedFile>>,
    remembered: Mutex<VecDeque<Arc<Batch>>>,
}

/// L2 blocks of one L1 transaction.
#[derive(Debug)]
struct Batch {
    /// Number of the first block.
    first: u64,
    /// Hash of the last block.
    last: B256,
    /// Cumulative gas of the blocks.
    sums: Vec<u64>,
}

/// An L2 block on L1.
#[derive(Debug, Clone)]
pub(crate) struct BlockOnL1 {
    posted: PostedBlock,
    /// The block's share of the L1 transaction's cost in wei, if it is known.
    share: Option<U256>,
}

/// Fields of an answer about an L2 block on L1, or about a transaction of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct L1Fields {
    l1_transaction_hash: B256,
    l1_block_number: U64,
    l1_gas_used: U64,
    l1_gas_price: U128,
    l1_blob_gas_used: U64,
    l1_blob_gas_price: Option<U128>,
    l1_cost: Option<U256>,
}

/// An answer with additional fields about L1.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WithL1<T> {
    #[serde(flatten)]
    inner: T,
    #[serde(flatten)]
    l1: Option<L1Fields>,
}

/// The L1 transaction of an L2 block in full.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockCost {
    #[serde(flatten)]
    fields: L1Fields,
    first_block: U64,
    last_block: U64,
    transaction_cost: Option<U256>,
}

impl BlockOnL1 {
    /// Fields about the whole block.
    pub(crate) fn fields(&self) -> L1Fields {
        self.fields_of(self.share)
    }

    /// The block's share, and the data to compute it.
    pub(crate) fn in_full(&self) -> BlockCost {
        BlockCost {
            fields: self.fields(),
            first_block: U64::from(self.posted.first),
            last_block: U64::from(self.posted.last.0),
            transaction_cost: self.posted.cost.total(),
        }
    }

    /// Fields about a transaction of the block, by its index.
    pub(crate) fn fields_at(&self, block: &Block, index: usize) -> L1Fields {
        let receipts = &block.executed.receipts;
        let sum = |count: usize| {
            let last = count.checked_sub(1).and_then(|last| receipts.get(last));
            last.map_or(0, |receipt| receipt.cumulative_gas_used)
        };
        let sums = (sum(index), sum(index + 1), sum(receipts.len()));
        self.fields_of(self.share.map(|share| part(share, sums)))
    }

    fn fields_of(&self, l1_cost: Option<U256>) -> L1Fields {
        let PostedBlock { l1_block, transaction, cost, .. } = self.posted;
        let L1Cost { gas, gas_price, blob_gas, blob_gas_price, .. } = cost;
        L1Fields {
            l1_transaction_hash: transaction,
            l1_block_number: U64::from(l1_block),
            l1_gas_used: U64::from(gas),
            l1_gas_price: U128::from(gas_price),
            l1_blob_gas_used: U64::from(blob_gas),
            l1_blob_gas_price: blob_gas_price.map(U128::from),
            l1_cost,
        }
    }
}

/// Part of an amount between two cumulative sums, in proportion to the total.
fn part(amount: U256, (before, after, all): (u64, u64, u64)) -> U256 {
    let up_to = |sum: u64| {
        // Wider than a word: neither the amount nor the sum of an L1 that lies may overflow.
        let whole = U512::from(amount) * U512::from(sum) / U512::from(all.max(1));
        // No sum is above `all`.
        U256::saturating_from(whole)
    };
    up_to(after).saturating_sub(up_to(before))
}

impl CostBook {
    /// Sets the file of settled blocks.
    pub(crate) fn open(&self, posted: Arc<PostedFile>) {
        // One node has one reader of L1.
        let _ = self.posted.set(posted);
    }

    /// A block of the chain on L1; `None` if it is not on L1, or the node no longer has its L1
    /// transaction.
    pub(crate) fn find(
        &self,
        view: &L1View,
        chain: &ChainReader,
        block: &Block,
    ) -> Result<Option<BlockOnL1>, ChainError> {
        let number = block.header.number;
        // By its hash: a block of a branch that L1 did not take has no L1 transaction.
        let Some(posted) = self.posted(view, number).filter(|it| it.hash == block.hash) else {
            return Ok(None);
        };
        let mut share = None;
        if let (Some(total), Some(batch)) = (posted.cost.total(), self.sums(chain, &posted)?) {
            let at = number.checked_sub(batch.first).and_then(|it| usize::try_from(it).ok());
            let sum = |at: Option<usize>| at.and_then(|it| batch.sums.get(it)).copied();
            let before = sum(at.and_then(|at| at.checked_sub(1))).unwrap_or(0);
            let all = batch.sums.last().copied().unwrap_or(0);
            share = sum(at).map(|after| part(total, (before, after, all)));
        }
        Ok(Some(BlockOnL1 { posted, share }))
    }

    fn posted(&self, view: &L1View, number: u64) -> Option<PostedBlock> {
        if let Some(block) = view.posted(number) {
            return Some(*block);
        }
        let settled = self.posted.get()?.get(number)?;
        // What is not settled in this view was noted before L1 was read anew.
        let oldest = view.oldest().map_or(0, |oldest| oldest.number);
        (settled.l1_block < oldest).then_some(settled)
    }

    /// Cumulative gas of the blocks of an L1 transaction; `None` if the node lacks some of them,
    /// since it has not imported them yet or started after them.
    fn sums(
        &self,
        chain: &ChainReader,
        posted: &PostedBlock,
    ) -> Result<Option<Arc<Batch>>, ChainError> {
        let PostedBlock { first, last: (last, last_hash), .. } = *posted;
        let known = |it: &&Arc<Batch>| it.first == first && it.last == last_hash;
        if let Some(known) = self.remembered.lock().iter().find(known) {
            return Ok(Some(Arc::clone(known)));
        }
        // Below the last one all are those that L1 has taken.
        if chain.canonical_hash(last)? != Some(last_hash) {
            return Ok(None);
        }
        let (mut sums, mut sum) = (Vec::new(), 0_u64);
        for number in first..=last {
            let Some(block) = chain.canonical_block(number)? else { return Ok(None) };
            // At least 1, so that the cost of a transaction with empty blocks alone is shared out
            // too.
            sum = sum.saturating_add(block.header.gas_used.max(1));
            sums.push(sum);
        }
        // By the hash of the last block and not by the L1 transaction, which a reorganisation may
        // replace.
        let batch = Arc::new(Batch { first, last: last_hash, sums });
        let mut remembered = self.remembered.lock();
        remembered.truncate(MAX_REMEMBERED - 1);
        remembered.push_front(Arc::clone(&batch));
        Ok(Some(batch))
    }
}

impl Shared {
    /// A block of the chain on L1, if the node has read it there.
    pub(crate) fn on_l1(
        &self,
        chain: &ChainReader,
        block: &Block,
    ) -> Result<Option<BlockOnL1>, ChainError> {
        // Cloned: the thread that writes it does not wait for a disk.
        let view = self.view.lock().clone();
        view.map_or(Ok(None), |view| self.costs.find(&view, chain, block))
    }
}

/// Ethereum's methods with additional fields about L1.
pub(crate) fn register(methods: &mut Registry<RollupApi>) {
    methods.read("eth_getBlockByNumber", |rollup, args| {
        let block = rollup.api.block_by_number(args.required()?)?;
        rollup.shown(block, args)
    });
    methods.read("eth_getBlockByHash", |rollup, args| {
        let Hash(hash) = args.required()?;
        let block = rollup.api.block_by_hash(hash)?;
        rollup.shown(block, args)
    });
    methods.read("eth_getBlockReceipts", |rollup, args| {
        let block = rollup.api.find_block(args.required::<BlockId>()?)?;
        let Some(block) = block else { return Ok(None) };
        let chain = rollup.api.chain();
        let on_l1 = rollup.shared.on_l1(&chain, &block)?;
        let receipts = convert::receipts(&block, chain.config()).into_iter().enumerate();
        let with = |(index, inner)| WithL1 {
            inner,
            l1: on_l1.as_ref().map(|it| it.fields_at(&block, index)),
        };
        Ok(Some(receipts.map(with).collect::<Vec<_>>()))
    });
    methods.read("eth_getTransactionReceipt", |rollup, args| {
        let Hash(hash) = args.required()?;
        let Some(inner) = rpc::receipt(&rollup.api, hash)? else { return Ok(None) };
        let chain = rollup.api.chain();
        // The block of the receipt, and not the one that has the transaction after a
        // reorganisation.
        let block = inner.inner.block_hash.map(|hash| chain.block(&hash)).transpose()?;
        let index = inner.inner.transaction_index.and_then(|it| usize::try_from(it).ok());
        let mut l1 = None;
        if let Some((block, index)) = block.zip(index) {
            let on_l1 = rollup.shared.on_l1(&chain, &block)?;
            l1 = on_l1.map(|it| it.fields_at(&block, index));
        }
        Ok(Some(WithL1 { inner, l1 }))
    });
}

impl RollupApi {
    fn shown(
        &self,
        block: Option<Arc<Block>>,
        args: &mut Args,
    ) -> Result<Option<WithL1<rpc::RpcBlock>>, RpcError> {
        let full = args.or_default()?;
        let Some(block) = block else { return Ok(None) };
        let on_l1 = self.shared.on_l1(&self.api.chain(), &block)?;
        let l1 = on_l1.map(|it| it.fields());
        Ok(Some(WithL1 { inner: convert::block(&block, full), l1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_any_weights_are_together_the_amount_to_the_wei() {
        for amount in [0, 1, 7, 1_000_000_007, u128::MAX] {
            let amount = U256::from(amount);
            for weights in [&[1][..], &[1, 1, 1], &[21_000, 3, 9_999_999], &[u64::MAX / 2, 1, 5]] {
                let all = weights.iter().sum();
                let (mut before, mut total) = (0, U256::ZERO);
                for weight in weights {
                    let share = part(amount, (before, before + weight, all));
                    // Never more than a wei off the exact share.
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
