//! Latency from the time at which a transaction became executable to its block, and from its block
//! to L1.

use crate::service::node_handle::NodeHandle;
use alloy_primitives::{B256, map::B256Map};
use chain::Block;
use node::{Event, EventReceiver};
use rpc::{Latency, Telemetry};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval},
};

/// Interval at which sealed blocks are compared with L1.
const INTERVAL: Duration = Duration::from_millis(50);
/// Maximum number of tracked transactions, more than the default limit of a pool.
const MAX_ACCEPTED: usize = 1 << 16;
const MAX_SEALED: usize = 1 << 14;

/// Latency histograms of a sequencer.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    sealed: Latency,
    posted: Latency,
    safe: Latency,
}

impl Latencies {
    pub(crate) fn new(telemetry: &mut Telemetry) -> Self {
        Self {
            sealed: telemetry.latency(
                "rollup_accepted_to_sealed_seconds",
                "Time from when a transaction became executable to the sealing of its block",
            ),
            posted: telemetry.latency(
                "rollup_sealed_to_posted_seconds",
                "Time from sealing a block to posting it in an L1 transaction",
            ),
            safe: telemetry.latency(
                "rollup_posted_to_safe_seconds",
                "Time from posting a block to its inclusion on L1",
            ),
        }
    }
}

/// A block sealed by this node that is not safe yet.
#[derive(Debug)]
struct Sealed {
    at: Instant,
    posted: Option<Instant>,
}

/// Records the latencies of transactions and blocks.
#[derive(Debug)]
pub(crate) struct LatencyTracker {
    latencies: Latencies,
    /// Time at which each transaction became executable.
    accepted: B256Map<Instant>,
    /// Hashes of these transactions, oldest first, including those already removed from `accepted`.
    order: VecDeque<B256>,
    sealed: BTreeMap<u64, Sealed>,
}

impl LatencyTracker {
    pub(crate) fn new(latencies: Latencies) -> Self {
        let (accepted, order) = (B256Map::default(), VecDeque::new());
        Self { latencies, accepted, order, sealed: BTreeMap::new() }
    }

    /// Processes the events of a node until it is dropped.
    pub(crate) async fn run(mut self, mut events: EventReceiver, shared: Weak<NodeHandle>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => {
                        let Some(shared) = shared.upgrade() else { return };
                        self.take(event, shared.makes_blocks.load(Ordering::Relaxed));
                    }
                    // Missed events only reduce the number of samples.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = ticks.tick() => {
                    let Some(shared) = shared.upgrade() else { return };
                    let (safe, posted) = {
                        let status = shared.status.lock();
                        let submitter = status.submitter.as_ref();
                        (status.safe_head.number, submitter.and_then(|submitter| submitter.posted_head))
                    };
                    self.progress(Instant::now(), safe, posted.unwrap_or_default());
                }
            }
        }
    }

    fn take(&mut self, event: Event, is_sequencer: bool) {
        // Use the same instant for all transactions in a block.
        let now = Instant::now();
        match event {
            Event::Pooled(transaction) => {
                self.accept(*transaction.recovered.transaction.hash(), now);
            }
            Event::Head { removed, added } => {
                for block in removed {
                    // A removed block has no latency to L1.
                    self.sealed.remove(&block.header.number);
                }
                for block in added {
                    self.seal(&block, now, is_sequencer);
                }
            }
        }
    }

    fn accept(&mut self, hash: B256, now: Instant) {
        if self.accepted.contains_key(&hash) {
            return;
        }
        // Drop the oldest entry and its sample, so that the list is bounded even if no block
        // includes the transactions.
        if self.order.len() >= MAX_ACCEPTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.accepted.remove(&oldest);
        }
        self.accepted.insert(hash, now);
        self.order.push_back(hash);
    }

    fn seal(&mut self, block: &Block, now: Instant, is_sequencer: bool) {
        for transaction in &block.transactions {
            if let Some(at) = self.accepted.remove(transaction.hash())
                && is_sequencer
            {
                self.latencies.sealed.observe(now - at);
            }
        }
        if is_sequencer {
            self.sealed.insert(block.header.number, Sealed { at: now, posted: None });
            if self.sealed.len() > MAX_SEALED {
                self.sealed.pop_first();
            }
        }
    }

    /// Records the latest block on L1 and the latest posted one. A block that was both posted and
    /// included between two calls counts as posted now.
    fn progress(&mut self, now: Instant, safe: u64, posted: u64) {
        for (_, sealed) in self.sealed.range_mut(..=posted.max(safe)) {
            if sealed.posted.is_none() {
                sealed.posted = Some(now);
                self.latencies.posted.observe(now - sealed.at);
            }
        }
        while let Some(first) = self.sealed.first_entry()
            && *first.key() <= safe
        {
            let posted = first.remove().posted.unwrap_or(now);
            self.latencies.safe.observe(now - posted);
        }
    }
}

/// Starts the task that measures a node's latencies. It ends with the node.
pub(crate) fn start(
    latencies: Latencies,
    events: EventReceiver,
    shared: &Arc<NodeHandle>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(LatencyTracker::new(latencies).run(events, Arc::downgrade(shared)))
}
