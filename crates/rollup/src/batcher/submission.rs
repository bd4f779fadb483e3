//! The content and the time of each transaction to L1.

use super::{Batcher, Work, planning::Plan};
use crate::{
    RollupError,
    duties::evidence,
    submitter::{
        InFlight, SubmitterProgress, TxCandidate, TxData, is_execution_failure, is_refusal,
    },
};
use alloy_primitives::{B256, map::B256Set};
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
/// Number of refusals after which a block is held to be one that EXECUTE on L1 never accepts. The
/// first may be due to codes that L1 no longer keeps: from then on none are named.
pub(super) const MAX_REFUSALS: u32 = 3;

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
        let outcome = self.go_on(work)?;
        // Only now are blocks on their way that were sent before: what kept others from it stands
        // until then.
        match self.submitter.take_accepted() {
            true => Ok(Outcome::Brought),
            false => Ok(outcome),
        }
    }

    fn go_on(&mut self, work: &Work) -> Result<Outcome, RollupError> {
        self.replace_at_fork(work);
        let before = self.submitter.in_flight().count();
        let mut has_news = false;
        let progress = self.submitter.step(&self.client, &work.view, work.l1_time());
        match progress.or_else(|error| self.has_failed(work, error))? {
            SubmitterProgress::Done(_) => {
                has_news = true;
                let taken = before.saturating_sub(self.submitter.in_flight().count()).max(1);
                self.throughput.took(taken as u64);
            }
            SubmitterProgress::NotByBlobs => self.blobs.on_failure(work.l1_head()),
            SubmitterProgress::Failed(_) => {
                self.distrust_kept(work);
                self.check_prices(work)?;
            }
            SubmitterProgress::Waiting | SubmitterProgress::Idle => {}
        }
        // Before the account's nonce tells so, which takes an answer of L1 more.
        if !self.blobs.is_proven() && self.submitter.has_taken_blobs(&work.view) {
            self.blobs.on_success();
        }
        let mut blocks = work.unsafe_blocks()?;
        self.forget_others(work, &blocks);
        let on_their_way = self.submitter.in_flight().flat_map(|sent| &sent.blocks);
        let on_their_way: B256Set = on_their_way.map(|(_, hash)| *hash).collect();
        blocks.retain(|block| !on_their_way.contains(&block.hash));
        // Evidence and simulation are by the state that L1 has, so they hold for the first
        // transaction alone.
        let in_flight = self.submitter.in_flight().next().map(InFlight::has_blobs);
        let is_first = in_flight.is_none();
        // What is still in the place of others may fail there.
        let is_urgent = !is_first && self.submitter.replaces();
        let is_due = is_urgent || self.last_submission.elapsed() >= self.config.submit_interval;
        let is_full = blocks.len() >= MAX_BLOCKS || self.fills_a_transaction(&blocks);
        let has_room = self.has_room(work, in_flight, is_full);
        if blocks.is_empty() && (is_first || has_news) {
            return Ok(Outcome::Brought);
        }
        if blocks.is_empty() || !has_room || !is_full && !is_due {
            return Ok(Outcome::Untried);
        }
        // Also if it fails: an error is tried again after the interval, and not at each turn.
        self.last_submission = Instant::now();
        let Some(candidate) = self.candidate(work, blocks, in_flight)? else {
            return Ok(Outcome::Untried);
        };
        let count = candidate.blocks.len();
        // Made while L1's pool has the one before: only what it has taken gets another behind it.
        let before = self.submitter.acknowledge();
        before.or_else(|error| self.has_failed(work, error))?;
        // Planning takes a while, as does L1's answer; a transaction with blocks that are gone
        // would burn its gas, and so would one behind another that is not there.
        if self.is_outdated() || !is_first && !self.submitter.has_room() {
            return Ok(Outcome::Untried);
        }
        self.sent_blocks = count;
        self.sent_first = candidate.blocks.first().map_or(B256::ZERO, |(_, hash)| *hash);
        let sent = self.submitter.submit(&self.client, &work.view, candidate);
        sent.or_else(|error| self.has_failed(work, error))?;
        self.most_blocks = MAX_BLOCKS;
        Ok(Outcome::Untried)
    }

    /// Returns `true` if a transaction may go behind those in flight, all of which have blobs or
    /// none.
    fn has_room(&mut self, work: &Work, in_flight: Option<bool>, is_full: bool) -> bool {
        let Some(has_blobs) = in_flight else {
            self.goes_next_alone = false;
            return !self.submitter.waits_for_earlier();
        };
        if self.goes_next_alone || !self.submitter.has_room() {
            return false;
        }
        // Transactions of both kinds do not wait together: pools keep an account to one. Blocks
        // that could go through blobs do not follow others as calldata for less than a whole
        // transaction: which way is cheaper is decided for what comes first.
        match has_blobs {
            true => self.blobs.is_proven() && self.may_use_blobs(work),
            false => is_full || !self.may_use_blobs(work),
        }
    }

    /// The next transaction, with the oldest of these blocks; `None` if it cannot go now, or not
    /// behind those in flight.
    fn candidate(
        &mut self,
        work: &Work,
        mut waiting: Vec<Arc<Block>>,
        in_flight: Option<bool>,
    ) -> Result<Option<TxCandidate>, RollupError> {
        let is_first = in_flight.is_none();
        let end = self.submitter.replaced_end();
        if let Some(last) = waiting.iter().position(|block| Some(block.hash) == end) {
            waiting.truncate(last + 1);
        }
        let Some((blocks, input)) = self.what_fits(work, waiting.clone())? else {
            return Ok(None);
        };
        let kept = self.kept_of(work, &input.bytes);
        let by_blobs = self.by_blobs(work, &waiting, &input, &kept)?;
        if in_flight.is_some_and(|has_blobs| has_blobs != by_blobs.is_some()) {
            // Not planned again at each turn: it is the same until those in flight are there.
            self.goes_next_alone = true;
            return Ok(None);
        }
        let id = |block: &Arc<Block>| (block.header.number, block.hash);
        if let Some(Plan { blocks, data, goes_alone }) = by_blobs {
            if goes_alone && !is_first {
                self.goes_next_alone = true;
                return Ok(None);
            }
            return Ok(Some(TxCandidate {
                timestamp: last_timestamp(&blocks),
                blocks: blocks.iter().map(id).collect(),
                gas_limit: data.blobs.as_ref().map(|blobs| blobs.gas_limit),
                data,
                for_fork: 0,
                can_be_tried: false,
                goes_alone,
            }));
        }
        let evidence = evidence(
            &self.channel.evidence,
            &work.chain,
            &work.view,
            &self.rules,
            work.duties,
            &blocks,
        );
        let (evidence, _) = evidence??;
        // What L1 will know of the duties then is not known yet.
        let goes_alone = !evidence.relays.is_empty() || !evidence.forced.is_empty();
        if goes_alone && !is_first {
            self.goes_next_alone = true;
            return Ok(None);
        }
        // Checking evidence takes what only L1 can tell.
        let is_plain = evidence.updates.is_empty() && !goes_alone;
        // An L1 that answers by its pending block has those there that gave way to a fork.
        self.replaces_for_fork &= self.submitter.replaces();
        let can_be_tried = is_first && !self.replaces_for_fork;
        let (inputs, gas_limit, for_fork) =
            self.in_calldata(work, &blocks, &input, &kept, &evidence, can_be_tried);
        let gas_limit = match is_plain || !is_first {
            true => gas_limit,
            false => (!can_be_tried).then_some(self.limits().gas),
        };
        let input = advanceCall { inputs, evidence }.abi_encode().into();
        Ok(Some(TxCandidate {
            timestamp: last_timestamp(&blocks),
            blocks: blocks.iter().map(id).collect(),
            data: TxData { input, blobs: None },
            gas_limit,
            for_fork,
            can_be_tried,
            goes_alone,
        }))
    }

    /// Does what follows from an error of the submitter, and returns it.
    pub(super) fn has_failed<T>(
        &mut self,
        work: &Work,
        error: RollupError,
    ) -> Result<T, RollupError> {
        if let RollupError::BlobsRefused(_) = &error {
            self.blobs.on_failure(work.l1_head());
            return Err(error);
        }
        if matches!(error, RollupError::TxFeeCap { .. }) {
            // Fewer blocks take less gas.
            self.most_blocks = (self.sent_blocks / 2).max(1);
        }
        if is_refusal(&error) {
            self.distrust_kept(work);
            self.check_prices(work)?;
            // What L1 does not take of several blocks, it may take of fewer.
            self.most_blocks = (self.sent_blocks / 2).max(1);
            if self.sent_blocks == 1 && is_execution_failure(&error) {
                let (hash, times) = self.refused;
                let times = if hash == self.sent_first { times.saturating_add(1) } else { 1 };
                self.refused = (self.sent_first, times);
            }
        }
        Err(error)
    }

    /// Gives up what is on its way if it was planned by the rules of another fork than L1 has by
    /// now, or has soon: it may have less gas than L1 asks for, or blobs with proofs that L1 does
    /// not take any more, and would wait for good. The next transactions take its nonces.
    fn replace_at_fork(&mut self, work: &Work) {
        let least = ProtocolFork::Cancun;
        let forks = (self.fork_of_l1(work, least), self.present_fork(work, least));
        let before = self.planned_by.replace(forks);
        if before.is_some_and(|before| before != forks) && self.submitter.in_flight().count() > 0 {
            let (planned, present) = forks;
            tracing::info!(%planned, %present, "L1 forks, replacing transactions in flight");
            self.submitter.forget_open(&work.view);
            self.replaces_for_fork = true;
        }
    }

    /// Returns as many of the oldest blocks as one L1 transaction carries, and the input that
    /// carries them: one batch of all, which share a witness and a fork, or the shortest input of
    /// one block.
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
        let (of_l1, genesis) = (self.fork_of_l1(work, fork), work.genesis_number());
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

/// Returns the timestamp of the last block, or 0 if there is none.
pub(super) fn last_timestamp(blocks: &[Arc<Block>]) -> u64 {
    blocks.last().map_or(0, |last| last.header.timestamp)
}
