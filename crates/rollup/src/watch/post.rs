//! Posting of signed blocks that the sequencer does not post, with `HybridSequencing.post`.

use crate::{
    BatcherError, DutyError, L1Error, RollupRules, SubmitterError,
    batcher::{alone, unsafe_blocks},
    duties::{Omission, evidence},
    l1::{L1Client, L1View, Quorum, rollup_contracts},
    sequencer::evidence::EvidenceBook,
    submitter::{CallSender, Purpose},
    watch::{Watch, retry::Retry},
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_provider::RootProvider;
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainError, ChainReader, shortest_input};
use contracts::{
    advance_plan::L1Limits,
    bindings::{
        IHybridSequencing::{self, postCall},
        INativeRollup,
    },
    preconfirmation,
};
use preconf::evidence::SignedHeader;
use std::sync::Arc;

/// Time after the policy's `POST_DELAY` in which the sequencer's own transaction may still be
/// included, in seconds.
const GRACE: u64 = 60;
/// Maximum number of blocks in a transaction.
const MAX_BLOCKS: usize = 32;

/// Reason why waiting blocks are not posted.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    Submitter(#[from] SubmitterError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Duty(#[from] DutyError),
    #[error(transparent)]
    Batcher(#[from] BatcherError),
    #[error("the policy {policy} does not allow other accounts to post signed blocks")]
    NotHybrid { policy: Address },
    #[error("the blocks have {got} bytes, but a transaction of the watcher has at most {limit}")]
    TooLarge { got: usize, limit: usize },
}

impl From<L1Error> for PostError {
    fn from(error: L1Error) -> Self {
        Self::Submitter(error.into())
    }
}

impl PostError {
    /// Returns `false` if the outcome is unknown, e.g. because L1 did not respond.
    fn is_rejection(&self) -> bool {
        !matches!(self, Self::Submitter(error) if !error.is_rejection())
    }
}

/// Blocks in a transaction of the watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Posting {
    /// Account that has signed the last block.
    pub(super) signer: Address,
    /// Number and hash of the last block.
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) count: usize,
}

/// State of the contracts on L1.
#[derive(Debug, Clone, PartialEq)]
struct PostTerms {
    policy: Address,
    /// Age in seconds from which any account may post a block; `None` if the policy has no `post`.
    delay: Option<u64>,
    duties: crate::Duties,
}

/// Posts blocks, one transaction at a time.
#[derive(Debug)]
pub(super) struct Poster {
    watch: Arc<Watch>,
    rules: RollupRules,
    limits: L1Limits,
    retry: Retry,
    /// Maximum number of blocks of the next transaction, reduced after L1 has rejected one.
    max_blocks: usize,
    /// Number of rejections since the last included transaction.
    rejections: usize,
    /// The transaction that L1 has not included yet.
    pub(super) sent: Option<Posting>,
    pub(super) posted: u64,
}

impl Poster {
    /// Creates a poster of the blocks whose messages the watcher has stored.
    pub(super) fn new(watch: Arc<Watch>, rules: RollupRules, limits: L1Limits) -> Self {
        let (retry, rejections, sent, posted) = Default::default();
        Self { watch, rules, limits, retry, max_blocks: MAX_BLOCKS, rejections, sent, posted }
    }

    /// Posts the oldest blocks that the sequencer should have posted, if there are any, at most
    /// once per L1 block.
    ///
    /// # Errors
    ///
    /// The last of these blocks, and the reason why they were not posted.
    pub(super) fn step(
        &mut self,
        sender: &mut CallSender,
        client: &L1Client,
        view: &L1View,
        chain: &ChainReader,
    ) -> Result<(), (Option<Posting>, PostError)> {
        let Some(head) = view.head() else { return Ok(()) };
        if !self.retry.is_due(head.number) {
            return Ok(());
        }
        self.retry.postpone(head.number, false);
        let mut tried = None;
        let outcome = self.try_post(sender, client, view, chain, &mut tried);
        outcome.map_err(|error| {
            if error.is_rejection() {
                self.on_failed(head.number, tried.map_or(0, |tried: Posting| tried.count));
            }
            (tried, error)
        })
    }

    /// Records that this L1 block includes the last transaction, and returns its blocks. A view of
    /// an earlier L1 block lacks them, so the next ones are posted from this block on.
    pub(super) fn on_included(&mut self, l1_block: u64, has_succeeded: bool) -> Option<Posting> {
        let posting = self.sent.take()?;
        if has_succeeded {
            self.posted += posting.count as u64;
            let retry = Retry { not_before: l1_block, ..Retry::default() };
            (self.max_blocks, self.rejections, self.retry) = (MAX_BLOCKS, 0, retry);
        } else {
            self.on_failed(l1_block, posting.count);
        }
        Some(posting)
    }

    fn on_failed(&mut self, head: u64, count: usize) {
        self.retry.postpone(head, true);
        self.rejections = self.rejections.wrapping_add(1);
        // L1 may accept fewer blocks even if it rejects this number.
        self.max_blocks = if count > 1 { count / 2 } else { MAX_BLOCKS };
    }

    fn try_post(
        &mut self,
        sender: &mut CallSender,
        client: &L1Client,
        view: &L1View,
        chain: &ChainReader,
        tried: &mut Option<Posting>,
    ) -> Result<(), PostError> {
        let now = view.head().map_or(0, |head| head.timestamp);
        let is_old = |block: &Arc<Block>, delay: u64| {
            block.header.timestamp.saturating_add(delay).saturating_add(GRACE) <= now
        };
        let mut blocks = unsafe_blocks(chain, view)?;
        blocks.retain(|block| is_old(block, 0));
        let Some((first, at)) = blocks.first().zip(view.head()) else { return Ok(()) };
        let fork_of = |block: &Block| chain.config().spec.fork_at(block.header.timestamp);
        let fork = fork_of(first);
        let (rollup, at) = (view.deployment().rollup, at.hash);
        let terms = client.majority(Quorum::Responding, |provider| terms(provider, rollup, at))?;
        let delay = terms.delay.ok_or(PostError::NotHybrid { policy: terms.policy })?;
        // An input has blocks of one fork, and at most the gas of a block.
        let mut gas = 0_u64;
        let fits = blocks.iter().take_while(|block| {
            gas = gas.saturating_add(block.header.gas_used);
            is_old(block, delay) && fork_of(block) == fork && gas <= block.header.gas_limit
        });
        let count = fits.count().max(usize::from(is_old(first, delay)));
        blocks.truncate(count);
        let is_signed = |count: &usize| {
            let block = blocks.get(count.checked_sub(1)?)?;
            let signed = self.watch.sealed_message(block, view, self.rejections);
            signed.map(|signed| (*count, signed))
        };
        let signed: Vec<_> = (1..=count).filter_map(|count| is_signed(&count)).collect();
        let Some((count, signed, input)) = self.fitting_blocks(chain, &blocks, signed)? else {
            return Ok(());
        };
        blocks.truncate(count);
        let (signer, signed) = signed;
        let Some(last) = blocks.last() else { return Ok(()) };
        let posting = Posting { signer, number: last.header.number, hash: last.hash, count };
        *tried = Some(posting);
        let (got, limit) = (input.len(), self.limits.input_bytes());
        if got > limit {
            return Err(PostError::TooLarge { got, limit });
        }
        let (book, duties) = (EvidenceBook::default(), terms.duties);
        let (evidence, _) =
            evidence(&book, chain, view, &self.rules, duties, &blocks, Omission::Expires)??;
        let SignedHeader { message, signature, .. } = signed;
        let (message, signature) = (preconfirmation(&message).into(), signature.into());
        let call = postCall { message, signature, inputs: vec![input], evidence };
        let call = Bytes::from(call.abi_encode());
        // Also checks that L1 accepts it, since the sequencer may have posted meanwhile.
        let price = sender.price(client, view, terms.policy, &call)?;
        sender.send(client, view, terms.policy, call, (price.gas, Purpose::Posting))?;
        self.sent = Some(posting);
        Ok(())
    }

    /// Returns the largest number of blocks that end with a signed one and fit into a transaction,
    /// or else the smallest.
    fn fitting_blocks<T>(
        &self,
        chain: &ChainReader,
        blocks: &[Arc<Block>],
        mut signed: Vec<(usize, T)>,
    ) -> Result<Option<(usize, T, Bytes)>, PostError> {
        let count = signed.partition_point(|(count, _)| *count <= self.max_blocks).max(1);
        signed.truncate(count);
        while let Some((count, last)) = signed.pop() {
            let input = input_of(chain, &blocks[..count])?;
            if signed.is_empty() || input.len() <= self.limits.input_bytes() {
                return Ok(Some((count, last, input)));
            }
            signed.truncate(signed.len().div_ceil(2));
        }
        Ok(None)
    }
}

/// Encodes an input of these consecutive blocks.
fn input_of(chain: &ChainReader, blocks: &[Arc<Block>]) -> Result<Bytes, PostError> {
    let parts =
        blocks.iter().map(|block| Ok((Arc::clone(block), Arc::new(chain.footprint_of(block)?))));
    let parts = parts.collect::<Result<Vec<_>, ChainError>>()?;
    if let [(block, footprint)] = &*parts {
        return Ok(alone(chain, block, footprint, shortest_input)?);
    }
    let number = parts.first().map_or(0, |(block, _)| block.header.number);
    let (batch, _) = chain.join(parts)?;
    let input = batch.input().map_err(|source| BatcherError::Input { number, source })?;
    Ok(input.into())
}

/// Requests the state of the contracts at an L1 block from a node.
async fn terms(provider: RootProvider, rollup: Address, at: B256) -> Result<PostTerms, L1Error> {
    let duties = rollup_contracts::duties(provider.clone(), rollup, at).await?;
    let policy = INativeRollup::new(rollup, &provider).policy().block(at.into()).call().await?;
    let contract = IHybridSequencing::new(policy, &provider);
    let delay = contract.POST_DELAY().block(at.into());
    let delay = rollup_contracts::if_present(async { delay.call().await }).await?;
    Ok(PostTerms { policy, delay, duties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batcher::tests::RULES,
        watch::book::tests::{DOMAIN, ROLLUP},
    };

    /// A view of an earlier L1 block lacks the posted blocks, which L1 would reject.
    #[test]
    fn next_post_waits_for_block_of_last() {
        let watch = Arc::new(Watch::open(None, ROLLUP, DOMAIN).unwrap());
        let mut poster = Poster::new(watch, RULES, L1Limits::default());
        for (has_succeeded, first) in [(true, 20), (false, 22)] {
            let (signer, hash) = (Address::ZERO, B256::ZERO);
            poster.sent = Some(Posting { signer, number: 3, hash, count: 1 });
            assert!(poster.on_included(20, has_succeeded).is_some());
            assert!(!poster.retry.is_due(first - 1) && poster.retry.is_due(first), "{first}");
        }
    }
}
