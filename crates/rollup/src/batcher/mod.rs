//! The batcher, which posts sealed blocks to L1 on its own thread, so that sealing never waits for
//! L1.
//!
//! `Batcher` decides when to post. `planner` decides which blocks a transaction contains, and
//! whether as calldata or in blobs.

mod blob_backoff;
mod blob_terms;
mod error;
mod handle;
mod measured;
mod planner;
mod rejections;
#[cfg(test)]
pub(crate) mod tests;
mod throughput;
mod work;

pub use error::BatcherError;

pub(crate) use handle::BatcherHandle;
pub(crate) use measured::alone;
pub(crate) use throughput::{PARTS, Throughput};
pub(crate) use work::{Work, unsafe_blocks};

use crate::{
    L1Profile, RollupRules, SequencerConfig, Submitter,
    fault_log::FaultLog,
    l1::L1Client,
    lease::Fence,
    service::{
        data_dir::SPENDING,
        node_handle::NodeHandle,
        supervisor::{Actor, Supervisor},
    },
    submitter::{InFlight, SubmitterError, SubmitterProgress, TxCandidate, TxData, is_refusal},
};
use alloy_primitives::{B256, map::B256Set};
use alloy_sol_types::SolCall as _;
use chain::Block;
use contracts::{Deployment, bindings::INativeRollup::advanceCall};
use handle::{BatcherChannel, Report};
use planner::{AdvancePlanner, MAX_BLOCKS, depends_on_duties, hash_of};
use rejections::Rejections;
use rpc_types::SubmitterStatus;
use std::{
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use wire::ProtocolFork;

/// Maximum pause between two turns of the batcher.
const PAUSE: Duration = Duration::from_millis(20);
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Result of a turn of the batcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All blocks are on L1 or in flight, or L1's pool has accepted the next transaction.
    Progressed,
    /// Posting is not due, or L1 has not responded yet.
    NotDue,
}

/// Posts blocks to L1.
#[derive(Debug)]
pub(crate) struct Batcher {
    channel: Arc<BatcherChannel>,
    client: Arc<L1Client>,
    config: SequencerConfig,
    submitter: Submitter,
    planner: AdvancePlanner,
    throughput: Throughput,
    last_submission: Instant,
    /// Forks for which the gas and the blobs of the transactions in flight were planned.
    planned_by: Option<(ProtocolFork, ProtocolFork)>,
    /// `true` while L1 may still have transactions that were abandoned because of a fork.
    replaces_for_fork: bool,
    rejections: Rejections,
    /// L1 head at which the evidence in flight was last composed again.
    refreshed_at: u64,
    /// `true` if the next transaction replaces one with stale evidence.
    replaces_stale: bool,
    /// `true` if the next batch must not be sent until all in-flight transactions are included.
    goes_next_alone: bool,
}

impl Batcher {
    pub(crate) fn new(
        client: Arc<L1Client>,
        deployment: &Deployment,
        rules: RollupRules,
        config: &SequencerConfig,
        profile: L1Profile,
        reads_blobs: bool,
        data_dir: Option<&Path>,
    ) -> Result<Self, BatcherError> {
        let (chain_id, rollup) = (deployment.l1_chain_id, deployment.rollup);
        let key = config.advance_key.clone();
        let submitter = Submitter::new(key, chain_id, rollup, config.submitter.clone());
        let mut submitter = submitter.with_limits(profile.limits);
        if let Some(folder) = data_dir {
            submitter = submitter.with_spending(&folder.join(SPENDING))?;
        }
        let channel = Arc::<BatcherChannel>::default();
        let planner = AdvancePlanner::new(
            Arc::clone(&client),
            rules,
            config.submitter.clone(),
            profile,
            reads_blobs,
            channel.evidence.clone(),
        );
        Ok(Self {
            channel,
            client,
            config: config.clone(),
            submitter,
            planner,
            throughput: Throughput::new(config.backlog.l1_slot),
            last_submission: Instant::now(),
            planned_by: None,
            replaces_for_fork: false,
            rejections: Rejections::new(MAX_BLOCKS),
            refreshed_at: 0,
            replaces_stale: false,
            goes_next_alone: false,
        })
    }

    /// Sets the right to post, which is checked before each submission.
    pub(crate) fn with_fence(mut self, fence: Fence) -> Self {
        self.submitter = self.submitter.with_fence(fence);
        self
    }

    /// Starts the batcher's thread.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the operating system cannot create a thread.
    pub(crate) fn start(mut self, shared: Arc<NodeHandle>) -> io::Result<BatcherHandle> {
        let channel = Arc::clone(&self.channel);
        self.planner.measured.rate = shared.rate.clone();
        self.publish_report(None);
        shared.supervisor.start(Actor::Batcher);
        let thread = thread::Builder::new().name(Actor::Batcher.name().to_owned());
        let thread = thread.spawn(move || {
            let supervisor = &shared.supervisor;
            supervisor.run(Actor::Batcher, || self.run(supervisor));
        })?;
        Ok(BatcherHandle::new(channel, thread))
    }

    fn run(mut self, supervisor: &Supervisor) {
        let (mut pause, mut not_submitted) = (Duration::ZERO, None);
        let mut faults = FaultLog::new();
        // L1's time at the last turn. It advances even while L1 does not respond, and so does the
        // age of blocks that L1 bounds.
        let mut last_time: Option<u64> = None;
        let mut last_turn = Instant::now();
        loop {
            supervisor.advanced(Actor::Batcher);
            let work = {
                let mut commands = self.channel.commands.lock();
                if !commands.stop && !pause.is_zero() {
                    self.channel.has_commands.wait_for(&mut commands, pause);
                }
                if commands.stop {
                    return;
                }
                // Must come before the new work: transactions of replaced blocks must not count as
                // in flight.
                if core::mem::take(&mut commands.forget) {
                    self.submitter.forget();
                    self.submitter.forget_included();
                }
                if core::mem::take(&mut commands.l1_reorged) {
                    self.submitter.on_l1_reorg();
                }
                self.planner.measured.extend(commands.sealed.drain(..));
                // Use only the latest work, because older work contains blocks that L1 has included
                // since.
                commands.work.clone()
            };
            pause = PAUSE;
            let now = work.as_ref().map(|work| work.clock.for_block(Instant::now())).or(last_time);
            let since =
                now.unwrap_or_default().saturating_sub(last_time.or(now).unwrap_or_default());
            let since = Duration::from_secs(since);
            last_time = last_time.max(now);
            let passed = last_turn.elapsed();
            last_turn = Instant::now();
            if not_submitted.is_some() || self.submitter.in_flight().next().is_some() {
                self.throughput.on_wait(since, passed);
            }
            if let Some(work) = work {
                match self.submit(&work) {
                    Ok(Outcome::Progressed) => {
                        faults.clear();
                        not_submitted = None;
                    }
                    Ok(Outcome::NotDue) => {}
                    Err(error) => {
                        // Keep the error until the blocks are in flight, since most turns make no
                        // attempt.
                        let error = error.to_string();
                        if faults.admit(&error) {
                            tracing::error!(error, "failed to post batch, retrying");
                        }
                        not_submitted = Some(error);
                        pause = ERROR_PAUSE;
                    }
                }
            }
            self.publish_report(not_submitted.clone());
        }
    }

    fn publish_report(&self, not_submitted: Option<String>) {
        // Hold the lock only to publish the report, so that readers of the status do not delay
        // posting.
        let status = SubmitterStatus {
            address: self.submitter.address(),
            balance: self.submitter.balance(),
            operator: self.config.operator_key.address(),
            spent_today: self.submitter.spent(),
            in_flight: self.submitter.in_flight().next().map(|sent| sent.hash),
            posted_head: self
                .submitter
                .in_flight()
                .flat_map(|sent| sent.candidate.blocks.iter().map(|block| block.number))
                .max(),
            transactions_in_flight: self.submitter.waiting() as u64,
            planning_executions: self.planner.measured.executions(),
            evidence_made: self.channel.evidence.computations(),
            ..SubmitterStatus::default()
        };
        let throughput = self.throughput;
        let refused = self.rejections.refused();
        *self.channel.report.lock() = Report { status, throughput, not_submitted, refused };
    }

    /// Tracks the transactions in flight, and posts the next blocks if they are due.
    ///
    /// # Errors
    ///
    /// [`BatcherError`] if L1 does not respond or rejects a transaction. The next call retries.
    fn submit(&mut self, work: &Work) -> Result<Outcome, BatcherError> {
        let outcome = self.post_next(work)?;
        // Report progress only once L1's pool has accepted a transaction. Until then the last error
        // is kept.
        match self.submitter.take_accepted() {
            true => Ok(Outcome::Progressed),
            false => Ok(outcome),
        }
    }

    fn post_next(&mut self, work: &Work) -> Result<Outcome, BatcherError> {
        self.replace_at_fork(work);
        let before = self.submitter.in_flight().count();
        let mut has_news = false;
        let progress = self.submitter.step(&self.client, &work.view, work.l1_time());
        match progress.or_else(|error| self.on_failure(work, error))? {
            SubmitterProgress::Done(_) => {
                has_news = true;
                let included = before.saturating_sub(self.submitter.in_flight().count()).max(1);
                self.throughput.add_included(included as u64);
            }
            SubmitterProgress::NotByBlobs { may_be_stale: true } => {
                self.planner.blobs.on_stale_evidence(work.l1_head());
            }
            SubmitterProgress::NotByBlobs { may_be_stale: false } => {
                self.planner.blobs.on_failure(work.l1_head());
            }
            SubmitterProgress::Failed(_) => {
                self.planner.pause_code_references(work);
                self.planner.check_prices(work)?;
            }
            SubmitterProgress::Waiting | SubmitterProgress::Idle => {}
        }
        // Detected from logs, one round trip before the account nonce would show it.
        if !self.planner.blobs.is_proven() && self.submitter.has_included_blobs(&work.view) {
            self.planner.blobs.on_success();
        }
        let mut blocks = work.unsafe_blocks()?;
        self.forget_others(work, &blocks);
        self.replace_stale(work, &blocks)?;
        let sent = self.submitter.in_flight().flat_map(|sent| &sent.candidate.blocks);
        let sent: B256Set = sent.map(|block| block.hash).collect();
        blocks.retain(|block| !sent.contains(&block.hash));
        // Evidence and simulation use L1's current state, so they are valid only for the first
        // transaction.
        let in_flight = self.submitter.in_flight().next().map(InFlight::has_blobs);
        let is_first = in_flight.is_none();
        // L1 may still include abandoned transactions, which may fail, so replace them without
        // waiting for the interval.
        let is_urgent = self.replaces_stale || !is_first && self.submitter.replaces();
        let is_due = is_urgent || self.last_submission.elapsed() >= self.config.submit_interval;
        let is_full =
            blocks.len() >= MAX_BLOCKS || self.planner.measured.fills_a_transaction(&blocks);
        let has_room = self.has_room(work, in_flight, is_full);
        if blocks.is_empty() && (is_first || has_news) {
            return Ok(Outcome::Progressed);
        }
        if blocks.is_empty() || !has_room || !is_full && !is_due {
            return Ok(Outcome::NotDue);
        }
        // Set before the attempt, so that a failed one is retried after the interval rather than at
        // each turn.
        self.last_submission = Instant::now();
        self.replaces_stale = false;
        let Some(candidate) = self.candidate(work, blocks, in_flight)? else {
            return Ok(Outcome::NotDue);
        };
        // The candidate was planned while the previous transaction was being submitted; it is sent
        // only after L1's pool has accepted that one.
        let before = self.submitter.acknowledge();
        before.or_else(|error| self.on_failure(work, error))?;
        // Blocks may have been replaced during planning or while waiting for L1. A transaction with
        // replaced blocks would fail and waste its gas, and so would one after a rejected one.
        if self.channel.is_outdated() || !is_first && !self.submitter.has_room() {
            return Ok(Outcome::NotDue);
        }
        self.rejections.on_sent(&candidate);
        let sent = self.submitter.submit(&self.client, &work.view, candidate);
        sent.or_else(|error| self.on_failure(work, error))?;
        self.planner.max_blocks = MAX_BLOCKS;
        Ok(Outcome::NotDue)
    }

    /// Returns `true` if a transaction may be queued after those in flight. Either all of these
    /// have blobs (`in_flight`) or none.
    fn has_room(&mut self, work: &Work, in_flight: Option<bool>, is_full: bool) -> bool {
        let Some(has_blobs) = in_flight else {
            self.goes_next_alone = false;
            return !self.submitter.waits_for_earlier();
        };
        if self.goes_next_alone || !self.submitter.has_room() {
            return false;
        }
        // Pools do not allow pending transactions of both kinds for one account. While blobs may be
        // used, blocks are queued after calldata only if they fill a transaction, since the cheaper
        // kind is chosen when nothing is in flight.
        match has_blobs {
            true => self.planner.blobs.is_proven() && self.planner.may_use_blobs(work),
            false => is_full || !self.planner.may_use_blobs(work),
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
        let Some((blocks, input)) = self.planner.fitting_blocks(work, waiting.clone())? else {
            return Ok(None);
        };
        let references = self.planner.code_references(work, &input.bytes);
        let by_blobs = self.planner.by_blobs(work, &waiting, &input, &references)?;
        if in_flight.is_some_and(|has_blobs| has_blobs != by_blobs.is_some()) {
            // Skip planning until the transactions in flight are included, because the result would
            // be the same.
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
        let evidence = self.planner.evidence_of(work, &blocks)?;
        // The evidence depends on the state of the duties after the transactions in flight.
        let goes_alone = depends_on_duties(&evidence);
        if goes_alone && !is_first {
            self.goes_next_alone = true;
            return Ok(None);
        }
        // Only an estimate of L1 covers the gas for checking evidence.
        let is_plain = evidence.updates.is_empty() && !goes_alone;
        // An L1 node that simulates on its pending block would include the transactions that were
        // abandoned for a fork.
        self.replaces_for_fork &= self.submitter.replaces();
        let can_simulate = is_first && !self.replaces_for_fork;
        let (inputs, gas_limit, for_fork) =
            self.planner.in_calldata(work, &blocks, &input, &references, &evidence, can_simulate);
        let gas_limit = match is_plain || !is_first {
            true => gas_limit,
            false => (!can_simulate).then_some(self.planner.limits().gas),
        };
        let hash = hash_of(&evidence);
        let input = advanceCall { inputs, evidence }.abi_encode().into();
        Ok(Some(TxCandidate {
            gas_limit,
            for_fork,
            can_simulate,
            goes_alone,
            evidence: Some(hash),
            ..TxCandidate::new(&blocks, TxData { input, blobs: None })
        }))
    }

    /// Reacts to an error of the submitter, and returns it.
    fn on_failure<T>(&mut self, work: &Work, error: SubmitterError) -> Result<T, BatcherError> {
        if let SubmitterError::BlobsRefused(_) = &error {
            self.planner.blobs.on_failure(work.l1_head());
            return Err(error.into());
        }
        if matches!(error, SubmitterError::TxFeeCap { .. }) {
            // Fewer blocks need less gas.
            self.planner.max_blocks = self.rejections.fewer_blocks();
        }
        if is_refusal(&error) {
            self.planner.pause_code_references(work);
            self.planner.check_prices(work)?;
            // L1 may accept fewer blocks even if it rejects this number.
            self.planner.max_blocks = self.rejections.fewer_blocks();
            self.rejections.on_refusal(&error);
        }
        Err(error.into())
    }

    /// Abandons the transactions in flight if they were planned for another fork than L1 has now,
    /// or will have soon: their gas limit may be too low, or L1 may no longer accept their blob
    /// proofs, so they would be pending forever. The next transactions use their nonces.
    fn replace_at_fork(&mut self, work: &Work) {
        let oldest = ProtocolFork::Cancun;
        let forks =
            (self.planner.fork_of_l1(work, oldest), self.planner.present_fork(work, oldest));
        let before = self.planned_by.replace(forks);
        if before.is_some_and(|before| before != forks) && self.submitter.in_flight().count() > 0 {
            let (planned, present) = forks;
            tracing::info!(%planned, %present, "L1 fork, replacing transactions in flight");
            self.submitter.forget_open(&work.view);
            self.replaces_for_fork = true;
        }
    }

    /// Abandons the transactions in flight if the evidence of the first one is stale, once per L1
    /// head: anyone can change the state that evidence depends on, by a message or a forced
    /// transaction. The next transaction uses its nonce. Later transactions are checked when they
    /// are the first.
    fn replace_stale(&mut self, work: &Work, blocks: &[Arc<Block>]) -> Result<(), BatcherError> {
        let head = work.l1_head();
        if core::mem::replace(&mut self.refreshed_at, head) == head {
            return Ok(());
        }
        let Some(first) = self.submitter.refreshable(&work.view) else { return Ok(()) };
        if !self.planner.is_stale(work, blocks, &first.candidate)? {
            return Ok(());
        }
        tracing::info!(hash = %first.hash, head, "evidence is stale, replacing transaction");
        self.submitter.forget_open(&work.view);
        self.replaces_stale = true;
        Ok(())
    }

    /// Drops measurements and facts of blocks that were included on L1 or replaced, except blocks
    /// sealed after `work`.
    fn forget_others(&mut self, work: &Work, blocks: &[Arc<Block>]) {
        let pending: B256Set = blocks.iter().map(|block| block.hash).collect();
        let head = work.chain.head().header.number;
        let is_kept = |number: u64, hash: &B256| number > head || pending.contains(hash);
        self.planner.measured.retain(is_kept);
        self.channel.evidence.retain(is_kept);
    }
}
