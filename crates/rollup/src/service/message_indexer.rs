//! The task that indexes the messages in the logs of the L2.

use super::node_handle::NodeHandle;
use crate::l2::message_index::Scan;
use chain::{ChainError, ChainReader};
use node::Node;
use parking_lot::MutexGuard;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::{self, JoinHandle},
    time,
};

/// Interval at which the messages in new L2 blocks are indexed, so that requests have little left
/// to index.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time of a turn. Requests wait for its lock.
const TURN: Duration = Duration::from_millis(200);

pub(super) fn start(node: &Arc<Node>, shared: &Arc<NodeHandle>) -> JoinHandle<()> {
    let (node, shared) = (Arc::downgrade(node), Arc::downgrade(shared));
    tokio::spawn(async move {
        let mut indexer = Indexer::default();
        loop {
            let (Some(node), Some(shared)) = (node.upgrade(), shared.upgrade()) else { return };
            let turn = task::spawn_blocking(move || {
                let has_more = indexer.turn(&node, &shared);
                (indexer, has_more)
            });
            let Ok((returned, has_more)) = turn.await else { return };
            indexer = returned;
            if has_more {
                task::yield_now().await;
            } else {
                time::sleep(INTERVAL).await;
            }
        }
    })
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
