//! Admission of a transaction to the pool.

use crate::{
    AdmissionContext, Event, Node, NodeError, NodeState, PoolTransaction, Rejected,
    admission::{authorities, check_sender, check_transaction},
};
use alloy_consensus::Header;
use alloy_primitives::B256;
use chain::{State, try_alone};
use std::{sync::Arc, time::Instant};

/// Checks of a transaction that need the sender, but no lock of the node.
struct SenderCheck {
    state: State,
    may_owe: bool,
    /// `true` if the pool needs the accounts whose authorizations the transaction contains.
    asks_authorities: bool,
    /// Header of the next block, with the fields known before execution.
    next: Header,
    at: (B256, u64),
}

impl SenderCheck {
    /// Checks a transaction without its sender, and returns the remaining checks with the state for
    /// them.
    fn new(node: &NodeState, new: &PoolTransaction) -> Result<Self, Rejected> {
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
            asks_authorities: node.settings.pool_limits.holds_balances,
            next,
            at: node.checked_at(),
        })
    }

    /// Runs the checks, and returns nonce, balance and delegation of the sender.
    fn run(&self, new: &PoolTransaction) -> Result<AdmissionContext, Rejected> {
        let context = check_sender(new, &self.state, self.may_owe)?;
        let authorities = match self.asks_authorities {
            true => authorities(new, &self.state)?,
            false => Vec::new(),
        };
        let base_fee = self.next.base_fee_per_gas.unwrap_or_default();
        let block = self.state.block().header.number;
        Ok(AdmissionContext { authorities, base_fee, block, ..context })
    }

    /// Verifies the L2 block in a transaction of type `0x05` ahead of its L1 block, within the
    /// transaction's gas, so that block building finds the verdict cached. A transaction with a
    /// nonce above `nonce`, the sender's next one, is skipped.
    ///
    /// This takes as long as executing the L2 block, so no lock of the node may be held.
    fn verify_ahead(&self, added: &PoolTransaction, nonce: u64) {
        let transaction = &added.recovered.transaction;
        if transaction.as_execute().is_none() || added.nonce() != nonce {
            return;
        }
        let begun = Instant::now();
        let outcome = try_alone(&self.state, &self.next, transaction, added.sender());
        let (hash, ms) = (added.hash(), begun.elapsed().as_millis());
        match outcome {
            Ok(Ok(())) => tracing::debug!(%hash, ms, "verified an ExecuteTx ahead of its block"),
            // Keep it: it may be valid in the next block after other transactions of the pool.
            Ok(Err(reason)) => {
                tracing::debug!(%hash, ms, %reason, "could not run an ExecuteTx ahead of its block");
            }
            Err(error) => tracing::warn!(%hash, %error, "failed to run an ExecuteTx early"),
        }
    }
}

impl Node {
    /// Adds a transaction to the pool, and builds a block if auto-mining is enabled.
    ///
    /// The block is in the chain before this returns, so the receipt is available to the sender. If
    /// building the block fails, the transaction is removed from the pool again.
    pub fn submit(&self, new: PoolTransaction) -> Result<B256, Rejected> {
        // The sender is read without the lock, because disk I/O or a request to another node may be
        // slow.
        let sender = self.read(|node| SenderCheck::new(node, &new))?;
        let mut context = sender.run(&new)?;
        let hash = *new.hash();
        let (added, executable, noted, journal, auto, is_replacement) = {
            let mut node = self.inner.write();
            if node.checked_at() != sender.at {
                context = SenderCheck::new(&node, &new)?.run(&new)?;
            }
            let is_replacement = node.pool.has(new.sender(), new.nonce());
            let (added, noted) = node.admit(new, &context)?;
            // Only events need these, so the pool is not searched if there are no subscribers.
            let mut executable = match self.events.receiver_count() {
                0 => Vec::new(),
                _ => node.pool.executable_from(&added, context.nonce),
            };
            executable.truncate(if is_replacement { 1 } else { usize::MAX });
            let (journal, auto) = (Arc::clone(&node.pool_journal), node.settings.mining.is_auto());
            (added, executable, noted, journal, auto, is_replacement)
        };
        if let Err(error) = journal.keep(noted) {
            self.inner.write().pool.remove(&hash);
            return Err(Rejected::NotKept(error.to_string()));
        }
        // Only admitted transactions are verified here, because a rejected one costs its sender
        // nothing. A replacement is verified when its block is built, because a sender pays only
        // once per nonce.
        if !is_replacement {
            sender.verify_ahead(&added, context.nonce);
        }
        executable.into_iter().for_each(|waiting| self.emit(Event::Pooled(waiting)));
        if auto {
            match self.mine_ready() {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, transaction = %hash, "failed to build block for transaction");
                    // The sender receives an error. If this transaction is the cause, block
                    // production would stall while it stays in the pool.
                    let mut node = self.inner.write();
                    if node.pool.remove(&hash).is_none()
                        && matches!(node.chain.transaction(&hash), Ok(Some(_)))
                    {
                        return Ok(hash);
                    }
                    return Err(match error {
                        NodeError::Chain(error) => error.into(),
                        error => Rejected::Mining(Box::new(error)),
                    });
                }
            }
        }
        Ok(hash)
    }
}
