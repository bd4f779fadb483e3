//! Publication of the node's status.

use super::ActiveRole;
use crate::{l2::syncer::L2Syncer, service::node_handle::NodeHandle, status::num_hash};
use alloy_eips::{BlockNumHash, eip2718::Encodable2718 as _};
use alloy_primitives::Bytes;
use chain::RecoveredTransaction;
use std::sync::Arc;

/// Publishes the status of a node in a role. `overtaken` is the number of times that other blocks
/// of its own account replaced its blocks on L1.
pub(super) fn publish_status(
    shared: &NodeHandle,
    role: &ActiveRole,
    overtaken: u64,
    is_synced: bool,
    fault: Option<String>,
) {
    let L2Syncer { node, view, .. } = role.sync();
    let head = node.read(|node| Arc::clone(node.chain.head()));
    let genesis = BlockNumHash::new(0, view.deployment().genesis_hash);
    let mut status = shared.status.lock();
    // Set all heads under one lock, so that no reader sees a safe head above the unsafe one.
    status.role = role.role();
    let l1_head = view.head().map(|head| BlockNumHash::new(head.number, head.hash));
    status.l1_head = l1_head.map(num_hash);
    status.l1_timestamp = view.head().map_or(0, |head| head.timestamp);
    status.l1_finalized = view.finalized();
    status.l1_entries = view.entries() as u64;
    status.overtaken = overtaken;
    status.unsafe_head = num_hash(head.num_hash());
    status.safe_head = num_hash(view.advanced_head().unwrap_or(genesis));
    status.finalized_head = num_hash(view.finalized_head().unwrap_or(genesis));
    status.synced = is_synced;
    status.fault = fault;
    status.submitter = role.submitter_status();
    drop(status);
    let waiting = role.requeued();
    let hash = |tx: &RecoveredTransaction| *tx.transaction.hash();
    let mut requeued = shared.requeued.lock();
    // Encode only when they have changed, rather than at each turn.
    if requeued.len() != waiting.len()
        || waiting.last().map(hash) != requeued.last().map(|(hash, _)| *hash)
    {
        let raw = |tx: &RecoveredTransaction| Bytes::from(tx.transaction.encoded_2718());
        *requeued = waiting.iter().map(|tx| (hash(tx), raw(tx))).collect();
    }
    drop(requeued);
}
