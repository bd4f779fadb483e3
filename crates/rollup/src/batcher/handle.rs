//! The sequencer's handle to the batcher.

use super::{Throughput, Work, measured::MeasuredBlock};
use crate::sequencer::evidence::EvidenceBook;
use alloy_primitives::B256;
use chain::{Block, BlockFootprint};
use node::InputCost;
use parking_lot::{Condvar, Mutex};
use rpc_types::SubmitterStatus;
use std::{sync::Arc, thread::JoinHandle};

/// Commands of the sequencer to the batcher.
#[derive(Debug, Default)]
pub(super) struct BatcherCommands {
    /// The latest work; `None` while L1 cannot be read.
    pub(super) work: Option<Work>,
    /// Blocks sealed since the last turn, with their sizes and costs.
    pub(super) sealed: Vec<(B256, MeasuredBlock)>,
    /// `true` if blocks in flight were replaced by others.
    pub(super) forget: bool,
    /// `true` if L1 was reorganised.
    pub(super) l1_reorged: bool,
    pub(super) stop: bool,
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
pub(super) struct BatcherChannel {
    pub(super) commands: Mutex<BatcherCommands>,
    pub(super) has_commands: Condvar,
    pub(super) report: Mutex<Report>,
    pub(super) evidence: EvidenceBook,
}

impl BatcherChannel {
    /// Returns `true` if blocks were replaced, L1 was reorganised, or the thread was stopped since
    /// the work was read. In these cases nothing may be sent to L1.
    pub(super) fn is_outdated(&self) -> bool {
        let commands = self.commands.lock();
        commands.forget || commands.l1_reorged || commands.stop
    }
}

/// The sequencer's handle to the batcher. No method but [`Self::end`] waits for L1.
#[derive(Debug)]
pub(crate) struct BatcherHandle {
    channel: Arc<BatcherChannel>,
    thread: Option<JoinHandle<()>>,
}

impl BatcherHandle {
    pub(super) const fn new(channel: Arc<BatcherChannel>, thread: JoinHandle<()>) -> Self {
        Self { channel, thread: Some(thread) }
    }

    /// Replaces the batcher's work with newer work.
    pub(crate) fn offer(&self, work: Work) {
        self.channel.commands.lock().work = Some(work);
        self.channel.has_commands.notify_one();
    }

    /// Pauses posting until new work arrives, because L1 cannot be read.
    pub(crate) fn pause(&self) {
        self.channel.commands.lock().work = None;
    }

    /// Sends the size and cost of a sealed block, as measured by the self-check.
    pub(crate) fn on_sealed(
        &self,
        block: &Block,
        cost: Option<InputCost>,
        footprint: BlockFootprint,
    ) {
        let measured = |cost| MeasuredBlock { cost, footprint: Arc::new(footprint) };
        let sealed = cost.map(|cost| (block.hash, measured(cost)));
        self.channel.commands.lock().sealed.extend(sealed);
    }

    /// Returns the facts of the pending blocks, which the sequencer computes and the batcher uses
    /// for evidence.
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
    pub(crate) fn on_l1_reorg(&self) {
        let mut commands = self.channel.commands.lock();
        (commands.l1_reorged, commands.work) = (true, None);
    }

    pub(crate) fn report(&self) -> Report {
        let mut report = self.channel.report.lock().clone();
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            report.not_submitted = Some("the batcher thread has ended".to_owned());
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
