//! The content and the time of each transaction to L1.

use super::{Batcher, Work, planning::Plan};
use crate::{
    RollupError,
    duties::evidence,
    submitter::{InFlight, SubmitterProgress, TxCandidate, TxData},
};
use alloy_primitives::map::B256Set;
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainError, shortest_input};
use contracts::{
    advance_plan::{AdvanceInput, AdvancePlan},
    bindings::INativeRollup::advanceCall,
};
use std::{slice, sync::Arc, time::Instant};
use wire::ProtocolFork;

/// L2 blocks in one `advance` at most.
pub(super) const MAX_BLOCKS: usize = 32;

/// Blocks, and the input that brings all of them.
type Fitting = (Vec<Arc<Block>>, AdvanceInput);

/// Result of a look at the blocks that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of them are at L1 or on their way, or the next of them are now.
    Brought,
    /// It was not time to try, or L1 has not said yet.
    Untried,
}

impl Batcher {
    /// Brings blocks to L1, if any wait and it is time.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; the blocks wait for the next call.
    pub(super) fn submit(&mut self, work: &Work) -> Result<Outcome, RollupError> {
        self.replace_at_fork(work);
        let had_blobs = self.submitter.in_flight().any(InFlight::has_blobs);
        let before = self.submitter.in_flight().count();
        let mut has_news = false;
        match self.submitter.step(&self.client, &work.view)? {
            SubmitterProgress::Done(_) => {
                has_news = true;
                let taken = before.saturating_sub(self.submitter.in_flight().count()).max(1);
                self.throughput.took(taken as u64);
                if had_blobs {
                    self.blobs.on_success();
                }
            }
            SubmitterProgress::NotByBlobs => self.blobs.on_failure(work.l1_head()),
            SubmitterProgress::Failed(_) => {
                self.distrust_kept(work);
                self.check_prices(work)?;
            }
            SubmitterProgress::Waiting | SubmitterProgress::Idle => {}
        }
        let mut blocks = work.unsafe_blocks()?;
        self.forget_others(work, &blocks);
        let on_their_way = self.submitter.in_flight().flat_map(|sent| &sent.blocks);
        let on_their_way: B256Set = on_their_way.map(|(_, hash)| *hash).collect();
        blocks.retain(|block| !on_their_way.contains(&block.hash));
        // Evidence and simulation are by the state that L1 has, so they hold for the first transaction alone.
        let is_first = self.submitter.in_flight().next().is_none();
        // Which way is cheaper is decided for what comes first: transactions of both kinds do not wait together.
        let has_room = is_first || self.submitter.has_room() && !self.may_use_blobs(work);
        let is_due = self.last_submission.elapsed() >= self.config.submit_interval;
        let is_full = blocks.len() >= MAX_BLOCKS || self.fills_a_transaction(&blocks);
        if blocks.is_empty() && (is_first || has_news) {
            return Ok(Outcome::Brought);
        }
        if blocks.is_empty() || !has_room || !is_full && !is_due {
            return Ok(Outcome::Untried);
        }
        // Also if it fails: an error is tried again after the interval, and not at each turn.
        self.last_submission = Instant::now();
        let waiting = blocks.clone();
        let Some((blocks, input)) = self.what_fits(work, blocks)? else {
            return Ok(Outcome::Untried);
        };
        let kept = self.kept_of(work, &input.bytes);
        let known = work.duties;
        let by_blobs = match is_first {
            true => self.by_blobs(work, &waiting, &input, &kept)?,
            false => None,
        };
        let id = |block: &Arc<Block>| (block.header.number, block.hash);
        let candidate = match by_blobs {
            Some(Plan { blocks, data }) => {
                let gas_limit = data.blobs.as_ref().map(|blobs| blobs.gas_limit);
                let blocks = blocks.iter().map(id).collect();
                let (can_be_tried, goes_alone, for_fork) = (false, true, 0);
                TxCandidate { blocks, data, gas_limit, for_fork, can_be_tried, goes_alone }
            }
            None => {
                let evidence = evidence(
                    &self.desk.evidence,
                    &work.chain,
                    &work.view,
                    &self.rules,
                    known,
                    &blocks,
                );
                let (evidence, _) = evidence??;
                // What L1 will know of the duties then is not known yet.
                let goes_alone = !evidence.relays.is_empty() || !evidence.forced.is_empty();
                if goes_alone && !is_first {
                    return Ok(Outcome::Untried);
                }
                // Checking evidence takes what only L1 can tell.
                let is_plain = evidence.updates.is_empty() && !goes_alone;
                // An L1 that answers by its pending block has those there that gave way to a fork.
                self.replaces_for_fork &= self.submitter.replaces();
                let may_be_asked = is_first && !self.replaces_for_fork;
                let (inputs, gas_limit, for_fork) =
                    self.in_calldata(work, &blocks, &input, &kept, &evidence, may_be_asked);
                let gas_limit = match is_plain || !is_first {
                    true => gas_limit,
                    false => (!may_be_asked).then_some(self.limits().gas),
                };
                let input = advanceCall { inputs, evidence }.abi_encode().into();
                let blocks = blocks.iter().map(id).collect();
                let data = TxData { input, blobs: None };
                TxCandidate {
                    blocks,
                    data,
                    gas_limit,
                    for_fork,
                    can_be_tried: may_be_asked,
                    goes_alone,
                }
            }
        };
        let count = candidate.blocks.len();
        // Planning takes a while; a transaction with blocks that are gone would burn its gas.
        if self.is_outdated() {
            return Ok(Outcome::Untried);
        }
        let sent = self.submitter.submit(&self.client, &work.view, candidate);
        if let Err(RollupError::BlobsRefused(_)) = &sent {
            self.blobs.on_failure(work.l1_head());
            return sent.map(|()| Outcome::Brought);
        }
        if sent.is_err() {
            self.distrust_kept(work);
            self.check_prices(work)?;
        }
        // What L1 does not take of several blocks, it may take of fewer.
        self.most_blocks = if sent.is_ok() { MAX_BLOCKS } else { (count / 2).max(1) };
        sent.map(|()| Outcome::Brought)
    }

    /// Gives up what is on its way if it was planned by the rules of another fork than L1 has by now, or has soon: it may
    /// have less gas than L1 asks for, or blobs with proofs that L1 does not take any more, and would wait for good. The
    /// next transactions take its nonces.
    fn replace_at_fork(&mut self, work: &Work) {
        let least = ProtocolFork::Cancun;
        let forks = (work.fork_of_l1(least), work.present_fork(least));
        let before = self.planned_by.replace(forks);
        if before.is_some_and(|before| before != forks) && self.submitter.in_flight().count() > 0 {
            let (planned, present) = forks;
            tracing::info!(%planned, %present, "L1 forks, replacing transactions in flight");
            self.submitter.forget();
            self.replaces_for_fork = true;
        }
    }

    /// Returns as many of the oldest blocks as one L1 transaction carries, and the input that carries them: one batch
    /// of all, which share a witness and a fork, or the shortest input of one block.
    fn what_fits(
        &mut self,
        work: &Work,
        mut blocks: Vec<Arc<Block>>,
    ) -> Result<Option<Fitting>, RollupError> {
        let (chain, time) = (&work.chain, work.l1_time());
        blocks.truncate(self.most_blocks);
        let fork_of = |block: &Arc<Block>| chain.config().spec.fork_at(block.header.timestamp);
        let Some(first) = blocks.first().cloned() else { return Ok(None) };
        let fork = fork_of(&first).ok_or(ChainError::NoFork(first.header.timestamp))?;
        let mut gas = 0_u64;
        let fitting = blocks.iter().take_while(|block| {
            gas = gas.saturating_add(block.header.gas_used);
            let header = &block.header;
            header.timestamp <= time && gas <= header.gas_limit && fork_of(block) == Some(fork)
        });
        let mut count = fitting.count();
        blocks.truncate(count);
        self.measure(work, &blocks)?;
        let (max_bytes, max_gas) = (self.limits().input_bytes(), self.limits().gas);
        let (of_l1, genesis) = (work.fork_of_l1(fork), work.genesis_number());
        while count > 0 {
            blocks.truncate(count);
            let input = self.input_of(chain, &blocks, shortest_input)?;
            let posting = AdvancePlan::in_calldata(slice::from_ref(&input));
            let gas = posting.cost(of_l1, genesis, first.header.number).limit;
            let length = input.bytes.len();
            // One block had room when it was sealed.
            if count == 1 || length <= max_bytes && gas <= max_gas {
                return Ok(Some((blocks, input)));
            }
            // As if all were alike, and at least one fewer.
            let by_bytes = count * max_bytes / length.max(1);
            let by_gas = u128::from(max_gas) * count as u128 / u128::from(gas.max(1));
            let by_gas = usize::try_from(by_gas).unwrap_or(count);
            count = by_bytes.min(by_gas).clamp(1, count - 1);
        }
        Ok(None)
    }
}
