//! Checks of a transaction outside the lock of the node.

use crate::{
    AdmissionContext, NodeState, PoolTransaction, Rejected,
    admission::{authorities, check_sender, check_transaction},
};
use alloy_consensus::Header;
use alloy_primitives::B256;
use chain::{State, try_alone};
use std::time::Instant;

/// Checks of a transaction that need the sender's account, but not the node's lock.
pub(crate) struct SenderCheck {
    state: State,
    may_owe: bool,
    /// `true` if the pool needs the accounts whose authorizations the transaction contains.
    needs_authorities: bool,
    /// Header of the next block, with the fields known before execution.
    next: Header,
    pub(crate) at: (B256, u64),
}

impl SenderCheck {
    /// Checks a transaction without its sender, and returns the remaining checks with the state for
    /// them.
    pub(crate) fn new(node: &NodeState, new: &PoolTransaction) -> Result<Self, Rejected> {
        if node.pool.get(new.hash()).is_some() || node.chain.transaction(new.hash())?.is_some() {
            return Err(Rejected::Known(*new.hash()));
        }
        if let Some(backlog) = node.settings.closed {
            return Err(Rejected::Backlog(backlog));
        }
        let state = node.chain.state();
        let next = node.pending_header()?;
        check_transaction(new, state.config(), &node.settings, &next)?;
        Ok(Self {
            state,
            may_owe: !node.settings.refuse_unpaid,
            needs_authorities: node.settings.pool_limits.holds_balances,
            next,
            at: node.checked_at(),
        })
    }

    /// Runs the checks, and returns nonce, balance and delegation of the sender.
    pub(crate) fn run(&self, new: &PoolTransaction) -> Result<AdmissionContext, Rejected> {
        let context = check_sender(new, &self.state, self.may_owe)?;
        let authorities = match self.needs_authorities {
            true => authorities(new, &self.state)?,
            false => Vec::new(),
        };
        let base_fee = self.next.base_fee_per_gas.unwrap_or_default();
        let block = self.state.block().header.number;
        Ok(AdmissionContext { authorities, base_fee, block, ..context })
    }

    /// Verifies the L2 block in a transaction of type `0x05` ahead of its L1 block, within the
    /// transaction's gas, so that block building finds the result cached. Skips a transaction with
    /// a nonce above `nonce`, the sender's next one.
    ///
    /// This takes as long as executing the L2 block, so no lock of the node may be held.
    pub(crate) fn verify_ahead(&self, added: &PoolTransaction, nonce: u64) {
        let transaction = &added.recovered.transaction;
        if transaction.as_execute().is_none() || added.nonce() != nonce {
            return;
        }
        let begun = Instant::now();
        let outcome = try_alone(&self.state, &self.next, transaction, added.sender());
        let (hash, ms) = (added.hash(), begun.elapsed().as_millis());
        match outcome {
            Ok(Ok(())) => tracing::debug!(%hash, ms, "verified an ExecuteTx ahead of its block"),
            // Keep it, because it may be valid in the next block after other transactions of the
            // pool.
            Ok(Err(reason)) => {
                tracing::debug!(%hash, ms, %reason, "ExecuteTx rejected ahead of its block");
            }
            Err(error) => tracing::warn!(%hash, %error, "failed to verify ExecuteTx early"),
        }
    }
}
