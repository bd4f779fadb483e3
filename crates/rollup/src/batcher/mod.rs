//! The batcher: posts sealed blocks to L1 on its own thread, so that sealing never waits for L1.
//!
//! `submission` decides which blocks are posted when, and `planning` whether as calldata or in
//! blobs.

mod blob_terms;
mod error;
mod measured;
mod planning;
mod submission;
#[cfg(test)]
pub(crate) mod tests;
mod throughput;
mod work;

pub use error::BatcherError;

pub(crate) use measured::alone;
pub(crate) use throughput::{PARTS, Throughput};
pub(crate) use work::{Work, unsafe_blocks};

use crate::{
    L1Profile, RollupRules, SequencerConfig, Submitter,
    l1::{KeptCodes, L1Client, execute_rate::ExecuteRate},
    lease::Fence,
    sequencer::evidence::EvidenceBook,
    service::{
        data_dir::SPENDING,
        node_handle::NodeHandle,
        supervisor::{Actor, Supervisor},
    },
    status::{BacklogStatus, SubmitterStatus},
};
use alloy_primitives::{
    B256, U256,
    map::{B256Map, B256Set},
};
use blob_terms::BlobTerms;
use chain::{Block, BlockFootprint};
use contracts::{Deployment, advance_plan::L1Limits};
use node::InputCost;
use parking_lot::{Condvar, Mutex};
use planning::BlobBackoff;
use std::{
    io,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use wire::ProtocolFork;

/// Maximum pause between two turns of the batcher.
const PAUSE: Duration = Duration::from_millis(20);
/// Pause after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Commands of the sequencer to the batcher.
#[derive(Debug, Default)]
struct BatcherCommands {
    /// The latest work; `None` while L1 cannot be read.
    work: Option<Work>,
    /// Blocks sealed since the last turn, with their sizes and costs.
    sealed: Vec<(B256, (InputCost, Arc<BlockFootprint>))>,
    /// `true` if blocks in flight were replaced by others.
    forget: bool,
    /// `true` if L1 was reorganised.
    went_back: bool,
    stop: bool,
}

/// Status of the batcher.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) status: SubmitterStatus,
    pub(crate) throughput: Throughput,
    /// Error that keeps due blocks from being posted.
    pub(crate) not_submitted: Option<String>,
    /// Oldest pending block, if EXECUTE on L1 has rejected it repeatedly.
    pub(crate) refused: Option<B256>,
}

/// Channel between the sequencer and the batcher.
#[derive(Debug, Default)]
struct BatcherChannel {
    commands: Mutex<BatcherCommands>,
    has_commands: Condvar,
    report: Mutex<Report>,
    evidence: EvidenceBook,
}

/// The sequencer's handle to the batcher. No method but [`Self::end`] waits for L1.
#[derive(Debug)]
pub(crate) struct BatcherHandle {
    channel: Arc<BatcherChannel>,
    thread: Option<JoinHandle<()>>,
}

impl BatcherHandle {
    /// Replaces the batcher's work with newer work.
    pub(crate) fn offer(&self, work: Work) {
        self.channel.commands.lock().work = Some(work);
        self.channel.has_commands.notify_one();
    }

    /// Pauses posting until new work arrives, because L1 cannot be read.
    pub(crate) fn hold(&self) {
        self.channel.commands.lock().work = None;
    }

    /// Passes on the size and cost of a sealed block, as measured by the self-check.
    pub(crate) fn sealed(&self, block: &Block, cost: Option<InputCost>, footprint: BlockFootprint) {
        let sealed = cost.map(|cost| (block.hash, (cost, Arc::new(footprint))));
        self.channel.commands.lock().sealed.extend(sealed);
    }

    /// Facts of the pending blocks. The sequencer computes them, and the batcher composes evidence
    /// from them.
    pub(crate) fn evidence(&self) -> &EvidenceBook {
        &self.channel.evidence
    }

    /// Abandons the transactions in flight and pauses posting until new work arrives, because
    /// blocks were replaced by others.
    pub(crate) fn forget(&self) {
        let mut commands = self.channel.commands.lock();
        // The current work contains replaced blocks.
        (commands.forget, commands.work) = (true, None);
    }

    /// Pauses posting after an L1 reorg until new work arrives. In-flight transactions are kept,
    /// because L1 may still include them.
    pub(crate) fn l1_went_back(&self) {
        let mut commands = self.channel.commands.lock();
        (commands.went_back, commands.work) = (true, None);
    }

    /// Returns the batcher's latest report.
    pub(crate) fn report(&self) -> Report {
        let mut report = self.channel.report.lock().clone();
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            report.not_submitted = Some("the thread that posts blocks to L1 has ended".to_owned());
        }
        report
    }

    /// Stops the batcher's thread, and waits until its pending request to L1 has ended.
    pub(crate) fn end(mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // The supervisor has logged a panic of the thread.
            let _ = thread.join();
        }
    }

    fn stop(&self) {
        self.channel.commands.lock().stop = true;
        self.channel.has_commands.notify_one();
    }
}

impl Drop for BatcherHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Posts blocks to L1.
#[derive(Debug)]
pub(crate) struct Batcher {
    channel: Arc<BatcherChannel>,
    client: Arc<L1Client>,
    /// Cache of which codes are stored on L1.
    codes: KeptCodes,
    rules: RollupRules,
    config: SequencerConfig,
    submitter: Submitter,
    reads_blobs: bool,
    profile: L1Profile,
    rate: ExecuteRate,
    /// Costs and footprints of blocks that are not on L1 yet. With them the blocks can be planned
    /// without executing them again.
    measured: B256Map<(InputCost, Arc<BlockFootprint>)>,
    /// L1 block from which the gas schedule of EXECUTE is checked again after an `advance` has
    /// failed.
    prices_again_at: u64,
    /// Number of executions for measuring blocks.
    executions: u64,
    throughput: Throughput,
    last_submission: Instant,
    /// Maximum number of blocks of the next `advance`; lower after L1 has rejected one.
    most_blocks: usize,
    blobs: BlobBackoff,
    /// Forks by which the transactions in flight were planned: for their gas, and for their blobs.
    planned_by: Option<(ProtocolFork, ProtocolFork)>,
    /// `true` while L1 may still have transactions that were abandoned because of a fork.
    replaces_for_fork: bool,
    /// L1 block from which inputs reference codes on L1 again.
    kept_again_at: u64,
    /// Blob base fee on L1, and its support for blobs.
    blob_terms: BlobTerms,
    /// Number of blocks in the transaction that was sent last.
    sent_blocks: usize,
    /// Hash of the first of these blocks.
    sent_first: B256,
    /// Block that EXECUTE on L1 rejected last, alone in its transaction, and how often.
    refused: (B256, u32),
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
        Ok(Self {
            channel: Arc::default(),
            client,
            codes: KeptCodes::default(),
            rules,
            config: config.clone(),
            submitter,
            reads_blobs,
            profile,
            rate: ExecuteRate::default(),
            measured: B256Map::default(),
            prices_again_at: 0,
            executions: 0,
            throughput: Throughput::new(config.backlog.l1_slot),
            last_submission: Instant::now(),
            most_blocks: submission::MAX_BLOCKS,
            blobs: BlobBackoff::default(),
            planned_by: None,
            replaces_for_fork: false,
            kept_again_at: 0,
            blob_terms: BlobTerms::default(),
            sent_blocks: submission::MAX_BLOCKS,
            sent_first: B256::ZERO,
            refused: (B256::ZERO, 0),
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
        self.rate = shared.rate.clone();
        self.publish_report(None);
        shared.supervisor.start(Actor::Batcher);
        let thread = thread::Builder::new().name(Actor::Batcher.name().to_owned());
        let thread = thread.spawn(move || {
            let supervisor = &shared.supervisor;
            supervisor.run(Actor::Batcher, || self.run(supervisor));
        })?;
        Ok(BatcherHandle { channel, thread: Some(thread) })
    }

    fn run(mut self, supervisor: &Supervisor) {
        let (mut pause, mut not_submitted) = (Duration::ZERO, None);
        // L1's time at the last turn. L1 bounds the age of blocks by it, and it advances even while
        // L1 does not respond.
        let mut looked: Option<u64> = None;
        let mut turned = Instant::now();
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
                // Before the new work is processed: transactions of replaced blocks must not count
                // as in flight.
                if core::mem::take(&mut commands.forget) {
                    self.submitter.forget();
                    self.submitter.forget_landed();
                }
                if core::mem::take(&mut commands.went_back) {
                    self.submitter.l1_went_back();
                }
                self.measured.extend(commands.sealed.drain(..));
                // Use only the latest work, because older work would plan blocks that L1 has
                // included since.
                commands.work.clone()
            };
            pause = PAUSE;
            let now = work.as_ref().map(|work| work.clock.for_block(Instant::now())).or(looked);
            let since = now.unwrap_or_default().saturating_sub(looked.or(now).unwrap_or_default());
            let since = Duration::from_secs(since);
            looked = looked.max(now);
            let passed = turned.elapsed();
            turned = Instant::now();
            if not_submitted.is_some() || self.submitter.in_flight().next().is_some() {
                self.throughput.waited(since, passed);
            }
            if let Some(work) = work {
                match self.submit(&work) {
                    Ok(submission::Outcome::Brought) => not_submitted = None,
                    Ok(submission::Outcome::Untried) => {}
                    Err(error) => {
                        // Reported until the blocks are in flight, since most turns come before the
                        // next attempt.
                        let error = error.to_string();
                        if not_submitted.as_ref() != Some(&error) {
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
        // The report is published under a short lock, so that readers of the status do not delay
        // posting.
        let status = SubmitterStatus {
            address: self.submitter.address(),
            balance: self.submitter.balance(),
            operator: self.config.operator_key.address(),
            operator_balance: U256::ZERO,
            spent_today: self.submitter.spent(),
            in_flight: self.submitter.in_flight().next().map(|sent| sent.hash),
            posted_head: self
                .submitter
                .in_flight()
                .flat_map(|sent| sent.candidate.blocks.iter().map(|block| block.number))
                .max(),
            transactions_in_flight: self.submitter.waiting(),
            unsafe_blocks: 0,
            planning_executions: self.executions,
            evidence_made: self.channel.evidence.made(),
            backlog: BacklogStatus::default(),
        };
        let throughput = self.throughput;
        let (hash, times) = self.refused;
        let refused = (times >= submission::MAX_REFUSALS).then_some(hash);
        *self.channel.report.lock() = Report { status, throughput, not_submitted, refused };
    }

    /// Returns `true` if blocks were replaced, L1 was reorganised, or the thread was stopped since
    /// the work was read. Nothing may be sent to L1 then.
    fn is_outdated(&self) -> bool {
        let commands = self.channel.commands.lock();
        commands.forget || commands.went_back || commands.stop
    }

    /// Limits of a transaction on L1.
    const fn limits(&self) -> &L1Limits {
        &self.profile.limits
    }

    /// Drops measurements and facts of blocks that were included on L1 or replaced, except blocks
    /// sealed after `work`.
    fn forget_others(&mut self, work: &Work, blocks: &[Arc<Block>]) {
        let there: B256Set = blocks.iter().map(|block| block.hash).collect();
        let head = work.chain.head().header.number;
        self.measured.retain(|hash, (_, it)| it.number() > head || there.contains(hash));
        self.channel.evidence.retain(|number, hash| number > head || there.contains(hash));
    }
}
