//! Policy for the heads that a caller of the Engine API may set.

use crate::service::node_handle::NodeHandle;
use chain::{Block, ChainReader};
use rpc::engine::HeadPolicy;
use std::sync::{Arc, atomic::Ordering};

/// Head policy of a rollup node: L1 takes precedence over a sequencer, and a sequencer over callers
/// of the Engine API.
#[derive(Debug)]
pub(crate) struct Heads {
    pub(crate) shared: Arc<NodeHandle>,
}

impl HeadPolicy for Heads {
    fn check(&self, chain: &ChainReader, head: &Block) -> Result<(), String> {
        // Callers may request payloads from a sequencer, but only the sequencer extends its head,
        // since it must be able to post the blocks to L1.
        if self.shared.makes_blocks.load(Ordering::Relaxed) {
            let is_own = chain.head().hash == head.hash;
            return is_own
                .then_some(())
                .ok_or_else(|| "the head of a sequencer cannot be set".to_owned());
        }
        let status = self.shared.status.lock();
        let safe = status.safe_head;
        if status.l1_head.is_none() {
            return Err("L1 has not been read yet".to_owned());
        }
        drop(status);
        let failed = |error: chain::ChainError| error.to_string();
        let (mut number, mut hash, mut parent) =
            (head.header.number, head.hash, head.header.parent_hash);
        // All ancestors of a canonical block are canonical, and so is the safe block.
        while number > safe.number && chain.canonical_hash(number).map_err(failed)? != Some(hash) {
            let block = chain.block(&parent).map_err(failed)?;
            (number, hash, parent) = (block.header.number, block.hash, block.header.parent_hash);
        }
        if number < safe.number || number == safe.number && hash != safe.hash {
            return Err(format!("not a descendant of safe block {} ({})", safe.number, safe.hash));
        }
        Ok(())
    }

    fn keeps_finality(&self) -> bool {
        true
    }
}
