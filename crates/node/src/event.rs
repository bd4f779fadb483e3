//! Events that a node sends to its subscribers.

use crate::PoolTransaction;
use chain::{Block, ChainReader};
use std::sync::Arc;

/// An event of the node.
#[derive(Debug, Clone)]
pub enum Event {
    /// The head moved.
    Head {
        /// Blocks that left the canonical chain, newest first.
        removed: Vec<Arc<Block>>,
        /// Blocks that joined the canonical chain, oldest first.
        added: Vec<Arc<Block>>,
    },
    /// A transaction of the pool became executable: it arrived, or the missing nonce before it was
    /// filled.
    Pooled(Arc<PoolTransaction>),
}

/// Estimated memory of an event besides its content, in bytes.
const OVERHEAD: usize = 256;

impl Event {
    /// Returns the approximate memory of its blocks or its transaction, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let content = match self {
            // The encoding as it was sent, and the decoded transaction.
            Self::Pooled(transaction) => 2 * transaction.raw.len(),
            Self::Head { removed, added } => {
                removed.iter().chain(added).map(|block| block.memory()).sum()
            }
        };
        OVERHEAD + content
    }

    /// Returns the event for a change of the head; `None` if both heads are the same.
    pub(crate) fn between(chain: &ChainReader, from: &Arc<Block>, to: &Arc<Block>) -> Option<Self> {
        let (mut old, mut new) = (Arc::clone(from), Arc::clone(to));
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        while old.hash != new.hash {
            let parent = |block: &Arc<Block>| {
                let found = chain.find_block(&block.header.parent_hash);
                found.unwrap_or_else(|error| {
                    tracing::error!(%error, "failed to send block events to subscribers");
                    None
                })
            };
            let newer = new.header.number >= old.header.number;
            let (end, passed) =
                if newer { (&mut new, &mut added) } else { (&mut old, &mut removed) };
            let next = parent(end);
            passed.push(Arc::clone(end));
            // The chains have no common block, so the rest of the other chain is omitted.
            let Some(next) = next else { break };
            *end = next;
        }
        added.reverse();
        (!removed.is_empty() || !added.is_empty()).then_some(Self::Head { removed, added })
    }
}
