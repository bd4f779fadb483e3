//! The block whose prefixes are signed while it is built.
//!
//! Each prefix is a block: built, verified by EXECUTE, and checked for its duties. The last one is
//! sealed. A prefix that cannot be built is skipped, since the previous one is also a complete
//! block.

use super::{
    anchor::is_nameable,
    sealing::{BlockSealer, DutyCheck, too_large},
};
use crate::{
    DutyError, SequencerError,
    duties::Omission,
    l1::poller::Terms,
    l2::syncer::L2Syncer,
    prefix::{L1Condition, Prefix},
};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::B256;
use alloy_rlp::Decodable as _;
use chain::RecoveredTransaction;
use contracts::{Anchor, advance_plan::EVIDENCE_BYTES};
use executor::{Transaction, recover_sender};
use node::{BlockCandidate, MineRequest, Node, NodeError, SetCoinbase};
use std::time::Instant;

/// A block with a signed prefix.
#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) parent: B256,
    pub(super) anchor: Option<Anchor>,
    pub(super) condition: L1Condition,
    /// The newest signed prefix.
    pub(super) signed: BlockCandidate,
    /// Time from which the block is sealed.
    pub(super) due: Instant,
    /// Time at which the last prefix was begun.
    pub(super) begun: Instant,
    /// Number of prefixes after which the pool may use the whole block, and the number built so
    /// far.
    pub(super) slices: (u64, u64),
    /// Gas limit of the pool's transactions in the complete block.
    pub(super) pool_gas: u64,
    /// Version of the pool when the last prefix was begun, and `true` if some of its transactions
    /// did not fit into that prefix.
    pub(super) pool: (u64, bool),
}

impl OpenBlock {
    /// Returns `true` if the block can no longer follow the head after a change of L1.
    pub(super) fn is_lost(&self, sync: &L2Syncer) -> bool {
        self.anchor.as_ref().is_some_and(|anchor| !is_nameable(&sync.view, anchor))
            || sync.chain().head().hash != self.parent
    }

    /// Builds a longer prefix; `None` if there is nothing to add.
    pub(super) fn extend(
        &mut self,
        sealer: &BlockSealer,
        sync: &L2Syncer,
        terms: &Terms,
        is_last: bool,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let block = &self.signed.new.block;
        let version = sync.node.read(|node| node.pool.version());
        if self.pool == (version, false) {
            return Ok(None);
        }
        let fixed: Vec<_> = RecoveredTransaction::of_block(block).collect();
        let used: u64 = fixed.iter().map(|tx| tx.transaction.gas_limit()).sum();
        let (slices, made) = self.slices;
        let share = if is_last { self.pool_gas } else { self.pool_gas / slices * made.min(slices) };
        let Some(pool_gas) = share.checked_sub(used).filter(|gas| *gas > 0) else {
            return Ok(None);
        };
        let mut request = MineRequest {
            timestamp: Some(block.header.timestamp),
            // One step from the parent's.
            gas_target: Some(block.header.gas_limit),
            parent_beacon_block_root: block.header.parent_beacon_block_root.unwrap_or_default(),
            fixed: fixed.len(),
            transactions: fixed,
            pool_gas: Some(pool_gas),
            ..MineRequest::default()
        };
        if !sync.node.has_executable(&request)? {
            self.pool = (version, false);
            return Ok(None);
        }
        let capacity = sealer.capacity();
        loop {
            sealer.fence.check()?;
            let sealed = sync.node.seal(&request)?;
            let cost = sealed.cost.filter(|cost| cost.gas <= capacity.gas);
            let Some(cost) = cost.filter(|cost| cost.bytes <= capacity.bytes) else {
                return Err(too_large(&sealed, &capacity));
            };
            let checked = sealer.check_duties(sync, sealed, terms.duties, Omission::Rejected)?;
            let (sealed, other_calldata) = match checked {
                DutyCheck::Met { sealed, other_calldata } => (sealed, other_calldata),
                // A transaction of the pool may have made a due forced transaction valid.
                DutyCheck::Failed {
                    sealed,
                    error: error @ DutyError::ForcedOmitted { index, .. },
                } if request.only.is_none() => {
                    let Some(forced) = sealer.forced(sync).get(index) else {
                        return Err(error.into());
                    };
                    request.transactions =
                        RecoveredTransaction::of_block(&sealed.new.block).collect();
                    request.transactions.push(forced.transaction);
                    request.only = Some(Vec::new());
                    continue;
                }
                DutyCheck::Failed { error, .. } => return Err(error.into()),
            };
            let more = other_calldata.saturating_sub(EVIDENCE_BYTES);
            if cost.bytes + more > capacity.bytes {
                if more <= request.reserved_bytes {
                    return Err(too_large(&sealed, &capacity));
                }
                request.reserved_bytes = more;
                continue;
            }
            let has_grown = sealed.new.block.transactions.len() > request.fixed;
            self.pool = (version, has_grown);
            return Ok(has_grown.then_some(sealed));
        }
    }
}

/// Rebuilds the block of a prefix.
pub(super) fn build_again(node: &Node, prefix: &Prefix) -> Result<BlockCandidate, NodeError> {
    let lost = |index| NodeError::PrefixLost {
        index,
        transaction: prefix.promised.transactions.get(index).copied().unwrap_or_default(),
        reason: "malformed in the journal".to_owned(),
    };
    let header = Header::decode(&mut &prefix.header[..]).map_err(|_| lost(0))?;
    let mut transactions = Vec::with_capacity(prefix.transactions.len());
    for (index, raw) in prefix.transactions.iter().enumerate() {
        let decoded = Transaction::decode_2718_exact(raw).map_err(|_| lost(index))?;
        let sender = recover_sender(&decoded).ok_or_else(|| lost(index))?;
        let transaction = decoded.into();
        transactions.push(RecoveredTransaction { transaction, sender, signed: true });
    }
    node.execute(SetCoinbase(header.beneficiary));
    node.seal(&MineRequest {
        timestamp: Some(header.timestamp),
        gas_target: Some(header.gas_limit),
        parent_beacon_block_root: header.parent_beacon_block_root.unwrap_or_default(),
        fixed: transactions.len(),
        transactions,
        only: Some(Vec::new()),
        ..MineRequest::default()
    })
}
