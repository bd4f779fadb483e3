//! State of a running node, for its threads and its RPC methods.

use crate::{
    L1View,
    controls::{Controls, Switches},
    l1::{cost::CostBook, execute_rate::ExecuteRate, fork_schedule::Difference},
    l2::{message_index::MessageIndex, signed_blocks::SignedBlocks},
    lease::Lease,
    prefix::PrefixBook,
    sequencer::byte_price::BytePrice,
    service::supervisor::Supervisor,
    status::{bounded_text, driven_status, lease_status, num_hash},
};
use alloy_primitives::{B256, Bytes};
use chain::{Block, ChainError, ChainReader, Store};
use core::fmt::Display;
use node::Node;
use parking_lot::Mutex;
use rpc::RpcError;
use rpc::engine::Driven;
use rpc_types::{BlockCost, RollupConfig, SyncStatus, codes::role::NO_SEQUENCER};
use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicBool, Ordering},
};

/// State that the threads of a node share with each other and with the RPC methods.
#[derive(Debug, Default)]
pub(crate) struct NodeHandle {
    pub(crate) status: Mutex<SyncStatus>,
    /// L1 view, once it exists.
    pub(crate) view: Mutex<Option<Arc<L1View>>>,
    /// Signatures on unsafe blocks.
    pub(crate) signed: Arc<SignedBlocks>,
    pub(crate) prefixes: Arc<PrefixBook>,
    /// Error of the feed of unsafe blocks.
    pub(crate) feed_fault: Mutex<Option<String>>,
    /// Price of EXECUTE on L1.
    pub(crate) rate: ExecuteRate,
    /// Minimum price of bytes in the next block.
    pub(crate) byte_price: BytePrice,
    /// L1 transactions of L2 blocks.
    pub(crate) costs: CostBook,
    /// `true` while this node is the sequencer.
    pub(crate) makes_blocks: AtomicBool,
    /// `true` while this sequencer builds no blocks because another node has its keys.
    pub(crate) shares_keys: AtomicBool,
    /// Deferred transactions of replaced blocks, with their hashes.
    pub(crate) requeued: Mutex<Vec<(B256, Bytes)>>,
    pub(crate) controls: Controls,
    /// Messages in the logs of the L2.
    pub(crate) messages: Mutex<MessageIndex>,
    /// Response to `rollup_config`, once L1 has been read.
    pub(crate) config: Mutex<Option<RollupConfig>>,
    /// Warnings of the last configuration checks.
    pub(crate) warnings: Mutex<Vec<String>>,
    pub(crate) supervisor: Supervisor,
    /// Reports of lost files in the data directory, found at the start.
    pub(crate) notices: Mutex<Vec<String>>,
    /// Store of the chain, for its reports of corruption and repairs.
    pub(crate) store: Mutex<Option<Weak<dyn Store>>>,
    /// First difference between the fork schedules of L1 and the L2 at the last check. The node
    /// builds no blocks with a later timestamp.
    pub(crate) unknown_fork: Mutex<Option<Difference>>,
    pub(crate) driven: Mutex<Option<Arc<Mutex<Driven>>>>,
    /// Lease that the node must hold to build blocks, if one is configured.
    pub(crate) lease: OnceLock<Lease>,
}

impl NodeHandle {
    /// Returns the node's status, with the current head.
    pub(crate) fn status(&self, node: &Node) -> SyncStatus {
        let head = node.read(|node| Arc::clone(node.chain.head()));
        let unsafe_head = num_hash(head.num_hash());
        let driven = self.driven.lock().as_ref().map(|driven| driven_status(&driven.lock()));
        let Switches { sealing, posting } = self.controls.get();
        let warnings = self.all_warnings();
        let mut status = self.status.lock().clone();
        // Overrides the fault, which may be outdated because the actor that writes it has panicked.
        if let Some(panicked) = self.supervisor.panicked() {
            status.fault = Some(panicked.to_string());
        }
        let lease = self.lease.get().map(lease_status);
        let preconfirming = self.prefixes.state();
        SyncStatus {
            unsafe_head,
            driven,
            sealing,
            posting,
            warnings,
            lease,
            preconfirming,
            ..status
        }
    }

    /// Returns an error while this node builds no blocks because another node has its keys.
    pub(crate) fn require_own_keys(&self) -> Result<(), RpcError> {
        if self.shares_keys.load(Ordering::Relaxed) {
            let message = "transaction rejected: block production is stopped, because another node has the keys of this sequencer";
            return Err(RpcError::new(NO_SEQUENCER, message));
        }
        Ok(())
    }

    /// Sets the warning about the feed of unsafe blocks.
    pub(crate) fn set_feed_fault(&self, fault: impl Display) {
        *self.feed_fault.lock() = Some(bounded_text(fault));
    }

    /// Returns the warnings of checks, reports of lost files and corruption, and the error of the
    /// feed.
    pub(crate) fn all_warnings(&self) -> Vec<String> {
        let store = self.store.lock().as_ref().and_then(Weak::upgrade);
        let report = store.and_then(|store| store.report());
        let mut warnings = self.warnings.lock().clone();
        warnings.extend(self.notices.lock().iter().cloned());
        warnings.extend(report);
        warnings.extend(self.feed_fault.lock().clone());
        warnings
    }

    /// Returns the L1 transaction of a block, if the node has read the block on L1.
    pub(crate) fn on_l1(
        &self,
        chain: &ChainReader,
        block: &Block,
    ) -> Result<Option<BlockCost>, ChainError> {
        // Cloned, so that disk reads here do not block the thread that updates the view.
        let view = self.view.lock().clone();
        view.map_or(Ok(None), |view| self.costs.find(&view, chain, block))
    }
}
