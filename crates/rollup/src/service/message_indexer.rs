//! The task that indexes the messages in the logs of the L2.

use super::node_handle::NodeHandle;
use crate::l2::message_index::Scan;
use chain::{ChainError, ChainReader};
use node::Node;
use parking_lot::MutexGuard;
use std::{
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};
use tokio::task::{self, JoinHandle};

/// Interval at which the messages in new L2 blocks are indexed, so that requests have little left
/// to index.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time of a turn. Requests wait for its lock.
const TURN: Duration = Duration::from_millis(200);

/// The running task, which ends with the node.
#[derive(Debug)]
pub(super) struct MessageIndexer {
    stop: Sender<()>,
    task: JoinHandle<()>,
}

impl MessageIndexer {
    /// Starts the task, on a thread of its own that may block. Must be called inside a Tokio
    /// runtime.
    pub(super) fn start(node: &Arc<Node>, shared: &Arc<NodeHandle>) -> Self {
        let (stop, stopped) = channel();
        let (node, shared) = (Arc::downgrade(node), Arc::downgrade(shared));
        Self { stop, task: task::spawn_blocking(move || run(&node, &shared, &stopped)) }
    }

    /// Ends the task after the current turn.
    pub(super) fn stop(&self) {
        // An error means that it has ended.
        let _ = self.stop.send(());
    }

    /// Returns the task, to wait for its end.
    pub(super) const fn task(&mut self) -> &mut JoinHandle<()> {
        &mut self.task
    }
}

fn run(node: &Weak<Node>, shared: &Weak<NodeHandle>, stopped: &Receiver<()>) {
    let mut indexer = Indexer::default();
    let mut pause = Duration::ZERO;
    while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        // Not held during the pause, so that the task ends with a node that is dropped.
        let (Some(node), Some(shared)) = (node.upgrade(), shared.upgrade()) else { return };
        pause = if indexer.turn(&node, &shared) { Duration::ZERO } else { INTERVAL };
    }
}

#[derive(Debug, Default)]
struct Indexer {
    /// Scan of a long chain without an index. Requests do not wait for it.
    scan: Option<Scan>,
    /// `true` once a scan has failed, after which all blocks are read by number.
    has_failed: bool,
}

impl Indexer {
    /// Indexes blocks for a short time. Returns `true` if it has progressed and there are more.
    fn turn(&mut self, node: &Node, shared: &NodeHandle) -> bool {
        let chain = node.read(|node| node.chain.reader().clone());
        if !self.has_failed {
            match self.scan(&chain, shared) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to scan blocks for messages, reading them one by one");
                    (self.scan, self.has_failed) = (None, true);
                }
            }
        }
        let mut messages = shared.messages.lock();
        let before = messages.head();
        let done = messages.catch_up(&chain, TURN);
        if let Err(error) = &done {
            tracing::warn!(%error, "failed to index messages, retrying");
        }
        let has_progressed = messages.head() != before;
        messages.compact();
        // Fair, so that a waiting request gets the lock before the next turn.
        MutexGuard::unlock_fair(messages);
        !done.unwrap_or(true) && has_progressed
    }

    /// Scans more blocks if the index lacks many. Returns `false` if there is nothing to scan.
    fn scan(&mut self, chain: &ChainReader, shared: &NodeHandle) -> Result<bool, ChainError> {
        let Some(mut scan) = self.scan.take() else {
            let messages = shared.messages.lock();
            self.scan = Scan::begin(&messages, chain)?;
            return Ok(self.scan.is_some());
        };
        if scan.advance(chain)? {
            shared.messages.lock().adopt(scan, chain)?;
            return Ok(false);
        }
        self.scan = Some(scan);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain::{Chain, ChainConfig, empty_genesis};
    use executor::ChainSpec;
    use node::{Clock, Settings};
    use std::thread;
    use testkit::Timeout;
    use wire::ProtocolFork;

    #[tokio::test]
    async fn ended_indexer_has_released_node() {
        let fork = ProtocolFork::Osaka;
        let config = ChainConfig::new(ChainSpec::constant(1, fork));
        let chain = Chain::new(&empty_genesis(fork), config).unwrap();
        let node = Node::new(chain, Clock::default(), Settings::default());
        let shared = Arc::<NodeHandle>::default();
        let before = Arc::strong_count(&node);
        // The first turn waits for the lock.
        let ((locked, is_locked), (release, released)) = (channel(), channel());
        let own = Arc::clone(&shared);
        let holder = thread::spawn(move || {
            let _messages = own.messages.lock();
            locked.send(()).unwrap();
            released.recv().unwrap();
        });
        is_locked.recv().unwrap();
        let mut indexer = MessageIndexer::start(&node, &shared);
        let timeout = Timeout::begin();
        while Arc::strong_count(&node) == before {
            assert!(timeout.lasts(), "the indexer does not start");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        indexer.stop();
        release.send(()).unwrap();
        indexer.task().await.unwrap();
        assert_eq!(Arc::strong_count(&node), before);
        holder.join().unwrap();
    }
}
