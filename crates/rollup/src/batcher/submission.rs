//! Decides when to post, and which blocks each L1 transaction contains.

use super::{Batcher, Work, planning::depends_on_duties};
use crate::{
    BatcherError,
    submitter::{
        InFlight, SubmitterError, SubmitterProgress, TxCandidate, TxData, is_execution_failure,
        is_refusal,
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

/// Maximum number of L2 blocks in one `advance`.
pub(super) const MAX_BLOCKS: usize = 32;
/// Number of rejections after which EXECUTE on L1 is assumed never to accept a block. The first may
/// be due to references to codes that are no longer on L1; after it no references are used.
pub(super) const MAX_REFUSALS: u32 = 3;

/// Blocks, and the input that contains all of them.
type Fitting = (Vec<Arc<Block>>, AdvanceInput);

/// Result of a turn of the batcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All blocks are on L1 or in flight, or L1's pool has accepted the next of them.
    Brought,
    /// It was not time to post, or L1 has not responded yet.
    Untried,
}

impl Batcher {
    /// Tracks the transactions in flight, and posts the next blocks if they are due.
    ///
    /// # Errors
    ///
    /// [`BatcherError`] if L1 does not respond or rejects a transaction. The next call retries.
    pub(super) fn submit(&mut self, work: &Work) -> Result<Outcome, BatcherError> {
        let outcome = self.post_next(work)?;
        // Progress only once L1's pool has accepted a transaction. Until then the last error stays
        // reported.
        match self.submitter.take_accepted() {
            true => Ok(Outcome::Brought),
            false => Ok(outcome),
        }
    }

    fn post_next(&mut self, work: &Work) -> Result<Outcome, BatcherError> {
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
            SubmitterProgress::NotByBlobs { may_be_stale: true } => {
                self.blobs.on_stale_evidence(work.l1_head());
            }
            SubmitterProgress::NotByBlobs { may_be_stale: false } => {
                self.blobs.on_failure(work.l1_head());
            }
            SubmitterProgress::Failed(_) => {
                self.pause_code_references(work);
                self.check_prices(work)?;
            }
            SubmitterProgress::Waiting | SubmitterProgress::Idle => {}
        }
        // Detected from logs, one round trip before the account nonce would show it.
        if !self.blobs.is_proven() && self.submitter.has_included_blobs(&work.view) {
            self.blobs.on_success();
        }
        let mut blocks = work.unsafe_blocks()?;
        self.forget_others(work, &blocks);
        let on_their_way = self.submitter.in_flight().flat_map(|sent| &sent.candidate.blocks);
        let on_their_way: B256Set = on_their_way.map(|block| block.hash).collect();
        blocks.retain(|block| !on_their_way.contains(&block.hash));
        // Evidence and simulation use L1's current state, so they are valid only for the first
        // transaction.
        let in_flight = self.submitter.in_flight().next().map(InFlight::has_blobs);
        let is_first = in_flight.is_none();
        // L1 may still include abandoned transactions, which may fail there, so they are replaced
        // without waiting for the interval.
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
        // Set before the attempt, so that a failed one is retried after the interval and not at
        // each turn.
        self.last_submission = Instant::now();
        let Some(candidate) = self.candidate(work, blocks, in_flight)? else {
            return Ok(Outcome::Untried);
        };
        let count = candidate.blocks.len();
        // The candidate was planned while the previous transaction was being submitted; it is sent
        // only after L1's pool has accepted that one.
        let before = self.submitter.acknowledge();
        before.or_else(|error| self.has_failed(work, error))?;
        // Blocks may have been replaced during planning and L1's response. A transaction with
        // replaced blocks would fail and waste its gas, and so would one after a rejected one.
        if self.is_outdated() || !is_first && !self.submitter.has_room() {
            return Ok(Outcome::Untried);
        }
        self.sent_blocks = count;
        self.sent_first = candidate.blocks.first().map_or(B256::ZERO, |block| block.hash);
        let sent = self.submitter.submit(&self.client, &work.view, candidate);
        sent.or_else(|error| self.has_failed(work, error))?;
        self.most_blocks = MAX_BLOCKS;
        Ok(Outcome::Untried)
    }

    /// Returns `true` if a transaction may be queued after those in flight. Of these either all
    /// have blobs or none, as in `in_flight`.
    fn has_room(&mut self, work: &Work, in_flight: Option<bool>, is_full: bool) -> bool {
        let Some(has_blobs) = in_flight else {
            self.goes_next_alone = false;
            return !self.submitter.waits_for_earlier();
        };
        if self.goes_next_alone || !self.submitter.has_room() {
            return false;
        }
        // Pools do not allow pending transactions of both kinds for one account. While blobs may be
        // used, blocks are queued after calldata only if they fill a transaction: the cheaper way
        // is chosen when nothing is in flight.
        match has_blobs {
            true => self.blobs.is_proven() && self.may_use_blobs(work),
            false => is_full || !self.may_use_blobs(work),
        }
    }

    /// Returns the next transaction, with the oldest of these blocks; `None` if it cannot be sent
    /// now, or cannot be queued after those in flight.
    fn candidate(
        &mut self,
        work: &Work,
        mut waiting: Vec<Arc<Block>>,
        in_flight: Option<bool>,
    ) -> Result<Option<TxCandidate>, BatcherError> {
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
            // Skip planning until the transactions in flight are included: the result would be the
            // same.
            self.goes_next_alone = true;
            return Ok(None);
        }
        if let Some(candidate) = by_blobs {
            if candidate.goes_alone && !is_first {
                self.goes_next_alone = true;
                return Ok(None);
            }
            return Ok(Some(candidate));
        }
        let evidence = self.evidence_of(work, &blocks)?;
        // The evidence depends on the state of the duties after the transactions in flight.
        let goes_alone = depends_on_duties(&evidence);
        if goes_alone && !is_first {
            self.goes_next_alone = true;
            return Ok(None);
        }
        // The gas for checking evidence is known only from an estimate of L1.
        let is_plain = evidence.updates.is_empty() && !goes_alone;
        // An L1 that simulates on its pending block would include the transactions that were
        // abandoned for a fork.
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
            gas_limit,
            for_fork,
            can_be_tried,
            goes_alone,
            ..TxCandidate::new(&blocks, TxData { input, blobs: None })
        }))
    }

    /// Reacts to an error of the submitter, and returns it.
    pub(super) fn has_failed<T>(
        &mut self,
        work: &Work,
        error: SubmitterError,
    ) -> Result<T, BatcherError> {
        if let SubmitterError::BlobsRefused(_) = &error {
            self.blobs.on_failure(work.l1_head());
            return Err(error.into());
        }
        if matches!(error, SubmitterError::TxFeeCap { .. }) {
            // Fewer blocks need less gas.
            self.most_blocks = (self.sent_blocks / 2).max(1);
        }
        if is_refusal(&error) {
            self.pause_code_references(work);
            self.check_prices(work)?;
            // L1 may accept fewer blocks even if it rejects this number.
            self.most_blocks = (self.sent_blocks / 2).max(1);
            let is_failure =
                matches!(&error, SubmitterError::L1(error) if is_execution_failure(error));
            if self.sent_blocks == 1 && is_failure {
                let (hash, times) = self.refused;
                let times = if hash == self.sent_first { times.saturating_add(1) } else { 1 };
                self.refused = (self.sent_first, times);
            }
        }
        Err(error.into())
    }

    /// Abandons the transactions in flight if they were planned for another fork than L1 has now,
    /// or has soon: their gas limit may be too low, or L1 may no longer accept the proofs of their
    /// blobs, so that they would be pending forever. The next transactions use their nonces.
    fn replace_at_fork(&mut self, work: &Work) {
        let least = ProtocolFork::Cancun;
        let forks = (self.fork_of_l1(work, least), self.present_fork(work, least));
        let before = self.planned_by.replace(forks);
        if before.is_some_and(|before| before != forks) && self.submitter.in_flight().count() > 0 {
            let (planned, present) = forks;
            tracing::info!(%planned, %present, "L1 fork, replacing transactions in flight");
            self.submitter.forget_open(&work.view);
            self.replaces_for_fork = true;
        }
    }

    /// Returns as many of the oldest blocks as fit into one L1 transaction, and their input: a
    /// batch, whose blocks share a witness and a fork, or the shortest input of one block.
    fn what_fits(
        &mut self,
        work: &Work,
        mut blocks: Vec<Arc<Block>>,
    ) -> Result<Option<Fitting>, BatcherError> {
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
            // A single block was within the limits when it was sealed.
            if count == 1 || length <= max_bytes && gas <= max_gas {
                return Ok(Some((blocks, input)));
            }
            // Assumes blocks of equal size, and drops at least one.
            let by_bytes = count * max_bytes / length.max(1);
            let by_gas = u128::from(max_gas) * count as u128 / u128::from(gas.max(1));
            let by_gas = usize::try_from(by_gas).unwrap_or(count);
            count = by_bytes.min(by_gas).clamp(1, count - 1);
        }
        Ok(None)
    }
}
