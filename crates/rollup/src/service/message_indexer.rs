//! The task that indexes the messages in the logs of the L2.

use super::node_handle::NodeHandle;
use node::Node;
use parking_lot::MutexGuard;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::{self, JoinHandle},
    time,
};

/// Interval in which the messages in the logs of new L2 blocks are indexed, so that requests find
/// little left to do.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time of a turn, since requests wait for its lock.
const TURN: Duration = Duration::from_millis(200);

/// Starts the task.
pub(super) fn start(node: &Arc<Node>, shared: &Arc<NodeHandle>) -> JoinHandle<()> {
    let (node, shared) = (Arc::downgrade(node), Arc::downgrade(shared));
    tokio::spawn(async move {
        loop {
            let (Some(node), Some(shared)) = (node.upgrade(), shared.upgrade()) else { return };
            let turn = task::spawn_blocking(move || {
                let chain = node.read(|node| node.chain.reader().clone());
                let mut messages = shared.messages.lock();
                let before = messages.head();
                let done = messages.catch_up(&chain, TURN);
                if let Err(error) = &done {
                    tracing::warn!(%error, "failed to index messages, trying again");
                }
                let has_progressed = messages.head() != before;
                messages.compact();
                // A waiting request gets the lock before the next turn.
                MutexGuard::unlock_fair(messages);
                !done.unwrap_or(true) && has_progressed
            });
            match turn.await {
                Ok(true) => task::yield_now().await,
                Ok(false) => time::sleep(INTERVAL).await,
                Err(_) => return,
            }
        }
    })
}
