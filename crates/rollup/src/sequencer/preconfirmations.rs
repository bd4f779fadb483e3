//! Preconfirmations of this node, which are promises about blocks.

use super::{
    anchor::{anchor_of, is_nameable},
    open_block::{OpenBlock, build_again},
    sealing::BlockSealer,
    signed_rates::SignedRates,
};
use crate::{
    RollupRules, SequencerError,
    l1::{L1View, poller::Terms},
    l2::syncer::L2Syncer,
    prefix::{
        L1Condition, NotPreconfirming, Prefix, PrefixBook, PrefixError, PrefixSigner, Recorded,
        anchor_number, condition,
    },
};
use alloy_primitives::map::B256Set;
use chain::{Block, InputUse};
use node::{BlockCandidate, Node, NodeError, SetPreconfirmed};
use preconf::HeaderError;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use variants::market::Rate;
use wire::ProtocolFork;

/// Time before its maximum age at which a block is replaced, in seconds: one slot.
pub(super) const LAG_MARGIN: u64 = 12;

/// Returns the maximum age of the oldest block that is not on L1, in seconds. L1 accepts blocks for
/// `max_lag`, and a promise is valid for half of it. Half of that is reserved for posting.
pub(crate) const fn max_age_of_unposted(max_lag: u64) -> u64 {
    max_lag / 4
}

/// Returns the maximum age of the safe head for a promise about its child, in seconds. Once the
/// policy opens, any account may post a child with a timestamp of `max_lag` ago, so the promise
/// must end before.
pub(crate) fn max_age_of_safe(max_lag: u64, policy_timeout: u64) -> u64 {
    let until_open = policy_timeout.saturating_sub(max_lag.saturating_add(max_lag / 2));
    max_age_of_unposted(max_lag).min(until_open)
}

/// A block whose prefixes may be signed, and the state on which that depends.
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
    /// `true` while searching for a transaction that L1 rejects.
    pub(super) is_isolating: bool,
    /// Timestamp of the oldest block that is not on L1.
    pub(super) oldest_unposted: Option<u64>,
}

/// Signer of prefixes, and the book in which it publishes them.
#[derive(Debug)]
pub(crate) struct Preconfirmations {
    pub(crate) signer: PrefixSigner,
    pub(super) book: Arc<PrefixBook>,
    /// Minimum time between two prefixes; `None` if no more are signed, and only earlier promises
    /// are kept.
    pub(crate) slice: Option<Duration>,
    rates: SignedRates,
    /// The block whose prefixes are being signed.
    open: Option<OpenBlock>,
}

impl Preconfirmations {
    /// Creates the promises of a node that has no open block yet.
    pub(crate) fn new(
        signer: PrefixSigner,
        book: Arc<PrefixBook>,
        slice: Option<Duration>,
    ) -> Self {
        Self { signer, book, slice, rates: SignedRates::default(), open: None }
    }

    /// Returns `true` if a prefix of the next block is signed.
    pub(super) const fn has_open_block(&self) -> bool {
        self.open.is_some()
    }

    /// Returns an error if prefixes of this block may not be signed, because others could make the
    /// promise impossible to keep.
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

    /// Checks that a block contradicts no signature of this node, and records it if it is unsigned.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if it does, or if it cannot be recorded, in which case the same block is
    /// retried.
    pub(super) fn require_kept(
        &mut self,
        sync: &L2Syncer,
        block: &Block,
    ) -> Result<(), PrefixError> {
        let prefix = self.prefix_of(sync, block, true, L1Condition::default())?;
        self.signer.check_unsigned(&prefix.promised, &sync.view)?;
        self.signer.record_sealed(prefix, self.slice.is_some(), &sync.view)
    }

    /// Returns `true` if a block contradicts a promise that is valid on L1's current chain, because
    /// L1 has returned to that chain after this node has replaced the promised block.
    pub(super) fn are_broken_by(&self, sync: &L2Syncer, block: &Block) -> bool {
        let (number, parent) = (block.header.number, block.header.parent_hash);
        // Check this first, because hashing all transactions takes time, and few blocks have been
        // replaced.
        self.signer.may_break(number, parent, block.hash, &sync.view)
            && self
                .prefix_of(sync, block, true, L1Condition::default())
                .is_ok_and(|prefix| self.signer.is_excluded(&prefix.promised, &sync.view))
    }

    /// Returns `true` if this node has signed the block as sealed.
    pub(super) fn has_sealed(&self, block: &Block) -> bool {
        self.signer.has_sealed(block.header.number, block.hash)
    }

    /// Records the unsigned blocks among these, which are about to be reverted: their L1
    /// transaction may be in flight, and would break a promise about another block in their place.
    pub(super) fn record_reverted<'b>(
        &mut self,
        sync: &L2Syncer,
        blocks: impl Iterator<Item = &'b Arc<Block>>,
    ) {
        let unsigned = blocks.filter(|block| !self.has_sealed(block)).filter_map(|block| {
            let prefix = self.prefix_of(sync, block, true, L1Condition::default());
            prefix
                .inspect_err(|error| tracing::warn!(%error, "failed to record reverted block"))
                .ok()
        });
        for prefix in unsigned.collect::<Vec<_>>() {
            self.signer.record_reverted(prefix, &sync.view);
        }
    }

    /// Records a new head of this node, and drops signatures on final blocks. `rate` is the price
    /// of EXECUTE on L1.
    pub(super) fn note_sealed(&mut self, view: &L1View, block: &Block, rate: Option<Rate>) {
        let [finalized, safe] =
            [view.finalized_head(), view.advanced_head()].map(|head| head.map(|head| head.number));
        let time = view.head().map_or(0, |head| head.timestamp);
        if let Some(rate) = rate.filter(|_| self.has_sealed(block)) {
            self.rates.note(block.header.number, rate);
        }
        self.signer.on_sealed(block.header.number, block.hash);
        if let Some(finalized) = finalized {
            self.signer.forget_up_to(finalized, safe.unwrap_or(finalized), time);
        }
    }

    /// Returns the lowest L1 block number that the anchor of the next block at this time must name,
    /// so that L1 only accepts the block on chains on which the promises that it replaces are void.
    pub(super) fn min_anchor(&self, head: &Block, time: u64) -> u64 {
        self.signer.min_anchor(head.header.number + 1, head.hash, time)
    }

    fn prefix_of(
        &self,
        sync: &L2Syncer,
        block: &Block,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<Prefix, HeaderError> {
        let fork = sync.chain().config().spec.fork_at(block.header.timestamp);
        let fork = fork.unwrap_or(ProtocolFork::Amsterdam);
        Prefix::of(block, self.signer.rollup(), fork.schema(), is_sealed, condition)
    }

    /// Rebuilds the block whose prefix was signed, or about to be signed, when this node or the
    /// last leader stopped. It must be sealed unchanged.
    pub(super) fn unfinished_block(
        &mut self,
        sync: &L2Syncer,
        max_lag: u64,
        time: u64,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let head = sync.chain().head().num_hash();
        let recorded = self.signer.unfinished_on(head, time, &sync.view);
        let Some(Recorded { prefix, is_signed }) = recorded else { return Ok(None) };
        // L1 can no longer include it in time.
        let last = prefix.promised.header.timestamp.saturating_add(max_lag);
        if last < time.saturating_add(LAG_MARGIN) {
            return Ok(None);
        }
        let (number, expected) = (prefix.promised.header.number, prefix.promised.header.hash);
        let sealed = match build_again(&sync.node, &prefix) {
            Ok(sealed) if sealed.new.block.hash == expected => sealed,
            // Other errors may be temporary, so the promised block is retried.
            Err(error) if !matches!(error, NodeError::PrefixLost { .. }) => {
                return Err(error.into());
            }
            other => {
                let got = other.map(|sealed| sealed.new.block.hash.to_string());
                let got = got.unwrap_or_else(|error| error.to_string());
                tracing::error!(number, got, %expected, "failed to rebuild preconfirmed block");
                self.signer.forget_unfinished(head);
                return Ok(None);
            }
        };
        // L1 was reorganised below the block of its anchor, so it would immediately be reverted.
        if anchor_of(&sealed.new.block).is_some_and(|anchor| !is_nameable(&sync.view, &anchor)) {
            return Ok(None);
        }
        tracing::info!(number, hash = %expected, "sealing block preconfirmed earlier");
        if !is_signed {
            return Ok(Some(sealed));
        }
        let message = &prefix.promised.message;
        let condition = L1Condition { number: message.l1_block, hash: message.l1_hash };
        if let Err(error) = self.sign(sync, &sealed, true, condition) {
            tracing::warn!(%error, "failed to sign sealed block");
        }
        Ok(Some(sealed))
    }

    /// Signs and publishes the first prefix of a block. If this is not possible, returns the block,
    /// to be sealed unchanged.
    pub(super) fn open_block(
        &mut self,
        sync: &L2Syncer,
        sealed: BlockCandidate,
        due: Instant,
        block_time: Duration,
        pool_gas: u64,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let begun = Instant::now();
        let after = sync.chain().state().after(sealed.new.clone())?;
        let block = after.block();
        let header = &block.header;
        let (number, time) = (header.number, header.timestamp);
        let minimum = self.signer.min_condition(number, header.parent_hash, time, &sync.view);
        let is_own = |number, hash| self.signer.has_sealed(number, hash);
        let anchor = anchor_number(&after)?;
        let Some(condition) = condition(&sync.view, anchor, minimum, is_own) else {
            self.book.set_state(Err(&NotPreconfirming::L1Behind));
            return Ok(Some(sealed));
        };
        let open = OpenBlock {
            parent: block.header.parent_hash,
            anchor: anchor_of(block),
            condition,
            signed: sealed.clone(),
            due,
            begun,
            slices: (self.slices(block_time), 1),
            pool_gas,
            pool: (0, true),
        };
        match self.sign(sync, &sealed, false, condition) {
            Ok(()) => {
                self.open = Some(open);
                Ok(None)
            }
            // The signature may exist, but it is on the block that is sealed.
            Err(error) => {
                self.book.set_state(Err(&NotPreconfirming::Failed(error.to_string())));
                Ok(Some(sealed))
            }
        }
    }

    /// Returns the share of the pool's gas that the first prefix of a block may use. Each further
    /// prefix may add as much, so that early transactions do not fill the block.
    pub(super) fn first_share(&self, pool_gas: u64, block_time: Duration) -> u64 {
        pool_gas / self.slices(block_time)
    }

    /// Returns the number of prefixes per block.
    fn slices(&self, block_time: Duration) -> u64 {
        let slice = self.slice.unwrap_or_default().as_nanos().max(1);
        u64::try_from(block_time.as_nanos() / slice).unwrap_or(u64::MAX).max(1)
    }

    /// Builds the next prefix of the open block if one is due, and returns the block once it must
    /// be sealed.
    pub(super) fn continue_block(
        &mut self,
        sealer: &BlockSealer,
        sync: &L2Syncer,
        terms: Option<&Terms>,
        now: Instant,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let Some(mut open) = self.open.take() else { return Ok(None) };
        if open.is_lost(sync) {
            tracing::warn!(parent = %open.parent, "L1 changed, dropped the open block");
            self.open = Some(open);
            self.drop_open_block(&sync.node);
            return Ok(None);
        }
        let is_due = now >= open.due;
        if !is_due && now.saturating_duration_since(open.begun) < self.slice.unwrap_or_default() {
            self.open = Some(open);
            return Ok(None);
        }
        open.begun = now;
        open.slices.1 += 1;
        let longer = terms.map(|terms| open.extend(sealer, sync, terms, is_due));
        let longer = longer.transpose().unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to extend prefix");
            None
        });
        // At the end, sign the last prefix again as the sealed block.
        if let Some(next) = longer.flatten().or_else(|| is_due.then(|| open.signed.clone())) {
            match self.sign(sync, &next, is_due, open.condition) {
                Ok(()) => open.signed = next,
                Err(error) => {
                    tracing::warn!(%error, "failed to sign prefix");
                    // A remote signer may have signed it, or a record may exist although the
                    // response was lost, so the following prefixes must extend it.
                    if error.may_be_recorded() {
                        open.signed = next;
                    }
                }
            }
        }
        if !is_due {
            self.open = Some(open);
            return Ok(None);
        }
        close_open_block(&sync.node);
        Ok(Some(open.signed))
    }

    /// Returns the last signed prefix of the open block, to be sealed, because no more blocks are
    /// built.
    pub(super) fn end_open_block(&mut self, sync: &L2Syncer) -> Option<BlockCandidate> {
        let open = self.open.take()?;
        close_open_block(&sync.node);
        if sync.chain().head().hash != open.parent {
            return None;
        }
        if let Err(error) = self.sign(sync, &open.signed, true, open.condition) {
            tracing::warn!(%error, "failed to sign sealed block");
        }
        Some(open.signed)
    }

    /// Abandons the open block. Its transactions are still in the pool, or are created again.
    pub(super) fn drop_open_block(&mut self, node: &Node) {
        if self.open.take().is_some() {
            close_open_block(node);
            self.book.clear();
        }
    }

    /// Signs a prefix, and publishes it once its record is on disk.
    fn sign(
        &mut self,
        sync: &L2Syncer,
        sealed: &BlockCandidate,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<(), PrefixError> {
        let block = &sealed.new.block;
        let prefix = self.prefix_of(sync, block, is_sealed, condition)?;
        let published = self.signer.sign(prefix, &sync.view)?;
        let hashes: B256Set = block.transactions.iter().map(|tx| *tx.hash()).collect();
        if is_sealed {
            // The sealed block itself becomes the head once it is on disk.
            self.book.publish(published);
            return Ok(());
        }
        sync.node.execute(SetPreconfirmed(hashes));
        let used = sealed.cost.map(|cost| InputUse { bytes: cost.bytes, gas: cost.gas });
        if let Err(error) = sync.node.set_pending(sealed.new.clone(), used) {
            tracing::warn!(%error, "failed to set prefix as pending block");
        }
        self.book.publish(published);
        Ok(())
    }
}

fn close_open_block(node: &Node) {
    node.execute(SetPreconfirmed::default());
    node.clear_pending();
}
