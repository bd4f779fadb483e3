//! Promises about blocks that this node has signed.

use super::signed_rates::SignedRates;
use crate::{
    RollupRules,
    l1::{L1View, poller::Terms},
    prefix::{L1Condition, NotPreconfirming, Prefix, PrefixBook, PrefixError, PrefixSigner},
};
use alloy_primitives::map::B256Set;
use chain::{Block, ChainReader, InputUse};
use node::{BlockCandidate, Node, SetPreconfirmed};
use preconf::HeaderError;
use std::{sync::Arc, time::Duration};
use variants::market::Rate;
use wire::ProtocolFork;

/// Returns the maximum age of the oldest block that is not on L1, in seconds. L1 accepts blocks for
/// `max_lag`, and a promise lasts for half of it. Half of that is left for posting.
pub(crate) const fn max_age_of_unposted(max_lag: u64) -> u64 {
    max_lag / 4
}

/// Returns the maximum age of L1's head for a promise about its child, in seconds. Once the policy
/// opens, any account may post a child of it with a timestamp of `max_lag` ago. The promise has to
/// end before.
pub(crate) fn max_age_of_safe(max_lag: u64, policy_timeout: u64) -> u64 {
    let until_open = policy_timeout.saturating_sub(max_lag.saturating_add(max_lag / 2));
    max_age_of_unposted(max_lag).min(until_open)
}

/// A block of which prefixes may be signed, and the state on which that depends.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextBlock<'s> {
    pub(super) head: &'s Block,
    /// Time of the block.
    pub(super) time: u64,
    pub(super) view: &'s L1View,
    pub(super) terms: &'s Terms,
    pub(super) rules: &'s RollupRules,
    /// Price of EXECUTE on L1.
    pub(super) rate: Option<Rate>,
    /// `true` during the search for a transaction that L1 rejects.
    pub(super) is_isolating: bool,
    /// Timestamp of the oldest block that is not on L1.
    pub(super) oldest_unposted: Option<u64>,
}

/// Signer of prefixes, with what it publishes.
#[derive(Debug)]
pub(crate) struct Preconfirmations {
    pub(crate) signer: PrefixSigner,
    pub(crate) book: Arc<PrefixBook>,
    /// Minimum time between two prefixes; `None` signs no more, and keeps the earlier promises.
    pub(crate) slice: Option<Duration>,
    pub(crate) rates: SignedRates,
}

impl Preconfirmations {
    /// Returns an error if prefixes of this block may not be signed: others could make the promise
    /// impossible to keep.
    pub(super) fn may_sign(&mut self, next: &NextBlock<'_>) -> Result<(), NotPreconfirming> {
        let NextBlock { view, terms, rules, head, time, .. } = *next;
        self.signer.require_complete(view)?;
        self.signer.require_shared(head.num_hash(), view)?;
        if terms.admission.is_open_to_all() {
            return Err(NotPreconfirming::OpenPolicy);
        }
        let promises = terms.promises.as_ref().ok_or(NotPreconfirming::PolicyUnread)?;
        promises.check(time, rules.max_lag)?;
        let on_l1 = view.advanced_head().map_or(0, |safe| safe.number);
        self.rates.check(on_l1, head.header.number, next.rate)?;
        if next.is_isolating {
            return Err(NotPreconfirming::Isolating);
        }
        let max_lag = rules.max_lag;
        let safe = view.advanced_head();
        let is_child_of_safe = safe.is_none_or(|safe| safe.hash == head.hash);
        let age = time.saturating_sub(head.header.timestamp);
        let limit = max_age_of_safe(max_lag, promises.timeout());
        if is_child_of_safe && age > limit {
            return Err(NotPreconfirming::NearTimeout { age, limit });
        }
        let limit = max_age_of_unposted(max_lag);
        let age = next.oldest_unposted.map_or(0, |oldest| time.saturating_sub(oldest));
        if age > limit {
            return Err(NotPreconfirming::NotPosted { age, limit });
        }
        let limit = rules.open_after / 2;
        let duties = &terms.duties;
        let relays_wait = view.messages().len() > duties.relayed;
        let forced_wait = view.forced_from(duties.forced_next).next().is_some();
        let due = [(relays_wait, duties.relay_due), (forced_wait, duties.forced_due)];
        let due = due.into_iter().filter_map(|(waits, due)| waits.then_some(due)).min();
        let overdue = due.map_or(0, |due| time.saturating_sub(due));
        if overdue > limit {
            return Err(NotPreconfirming::DutyOverdue { overdue, limit });
        }
        Ok(())
    }

    /// Checks that a block contradicts nothing that this node has signed, and records it if it has
    /// no signature.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if it does, or if it cannot be recorded; the same block is tried again then.
    pub(super) fn require_kept(
        &mut self,
        chain: &ChainReader,
        view: &L1View,
        block: &Block,
    ) -> Result<(), PrefixError> {
        let prefix = self.prefix_of(chain, block, true, L1Condition::default())?;
        self.signer.check_unsigned(&prefix.promised, view)?;
        self.signer.record_sealed(prefix, self.slice.is_some(), view)
    }

    /// Returns `true` if a block contradicts a promise that holds on L1's present chain: L1 has
    /// returned to that chain after this node has replaced the promised block.
    pub(super) fn are_broken_by(&self, chain: &ChainReader, view: &L1View, block: &Block) -> bool {
        let (number, parent) = (block.header.number, block.header.parent_hash);
        // Few blocks have been replaced, and hashing all transactions takes time.
        self.signer.may_break(number, parent, block.hash, view)
            && self
                .prefix_of(chain, block, true, L1Condition::default())
                .is_ok_and(|prefix| self.signer.is_excluded(&prefix.promised, view))
    }

    /// Returns `true` if this node has signed the block as sealed.
    pub(super) fn has_sealed(&self, block: &Block) -> bool {
        self.signer.has_sealed(block.header.number, block.hash)
    }

    /// Records the unsigned ones of these blocks, which are about to be reverted: their L1
    /// transaction may be in flight, and would break a promise about another block in their place.
    pub(super) fn record_reverted<'b>(
        &mut self,
        chain: &ChainReader,
        view: &L1View,
        blocks: impl Iterator<Item = &'b Arc<Block>>,
    ) {
        let unsigned = blocks.filter(|block| !self.has_sealed(block)).filter_map(|block| {
            let prefix = self.prefix_of(chain, block, true, L1Condition::default());
            prefix.inspect_err(|error| tracing::warn!(%error, "reverted block not recorded")).ok()
        });
        for prefix in unsigned.collect::<Vec<_>>() {
            self.signer.record_reverted(prefix, view);
        }
    }

    /// Notes a new head of this node, and forgets what was signed about final blocks. `rate` is the
    /// price of EXECUTE on L1.
    pub(super) fn note_sealed(&mut self, view: &L1View, block: &Block, rate: Option<Rate>) {
        let [finalized, safe] =
            [view.finalized_head(), view.advanced_head()].map(|head| head.map(|head| head.number));
        let time = view.head().map_or(0, |head| head.timestamp);
        if let Some(rate) = rate.filter(|_| self.has_sealed(block)) {
            self.rates.note(block.header.number, rate);
        }
        self.signer.sealed(block.header.number, block.hash);
        if let Some(finalized) = finalized {
            self.signer.forget_up_to(finalized, safe.unwrap_or(finalized), time);
        }
    }

    /// Lowest number of the L1 block that the anchor of the next block, at this time, has to name,
    /// so that L1 accepts the block only on chains on which the promises that it replaces are void.
    pub(super) fn least_anchor(&self, head: &Block, time: u64) -> u64 {
        self.signer.least_anchor(head.header.number + 1, head.hash, time)
    }

    fn prefix_of(
        &self,
        chain: &ChainReader,
        block: &Block,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<Prefix, HeaderError> {
        let fork = chain.config().spec.fork_at(block.header.timestamp);
        let fork = fork.unwrap_or(ProtocolFork::Amsterdam);
        Prefix::of(block, self.signer.rollup(), fork.schema(), is_sealed, condition)
    }

    /// Signs a prefix, and shows it once its record is on the disk.
    pub(super) fn sign(
        &mut self,
        node: &Node,
        view: &L1View,
        sealed: &BlockCandidate,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<(), PrefixError> {
        let block = &sealed.new.block;
        let chain = node.read(|node| node.chain.reader().clone());
        let prefix = self.prefix_of(&chain, block, is_sealed, condition)?;
        let published = self.signer.sign(prefix, view)?;
        let taken: B256Set = block.transactions.iter().map(|it| *it.hash()).collect();
        if is_sealed {
            // The block itself is shown once it is on the disk.
            self.book.publish(published);
            return Ok(());
        }
        node.execute(SetPreconfirmed(taken));
        let used = sealed.cost.map(|cost| InputUse { bytes: cost.bytes, gas: cost.gas });
        if let Err(error) = node.show_pending(sealed.new.clone(), used) {
            tracing::warn!(%error, "prefix not shown as pending");
        }
        self.book.publish(published);
        Ok(())
    }
}
