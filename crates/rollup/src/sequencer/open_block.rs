//! The block whose prefixes are signed while it is built.
//!
//! Each prefix is made as a block is: built, verified by EXECUTE, and checked for its duties. The
//! last one becomes the block. A prefix that cannot be made is left out, since the one before it is
//! a complete block too.

use super::{
    Sequencer,
    sealing::{DutyCheck, too_large},
    signed_rates::SignedRates,
};
use crate::{
    DutyError, SequencerError,
    prefix::{
        L1Condition, NotPreconfirming, Prefix, PrefixBook, PrefixError, PrefixSigner,
        anchor_number, condition,
    },
    sequencer::anchor::anchor_of,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, map::B256Set};
use chain::{Block, InputUse, RecoveredTransaction};
use contracts::{Anchor, advance_plan::EVIDENCE_BYTES};
use node::{BlockCandidate, MineRequest, SetPreconfirmed};
use preconf::HeaderError;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wire::ProtocolFork;

/// Signer of prefixes, with what it publishes.
#[derive(Debug)]
pub(crate) struct Preconfirmations {
    pub(crate) signer: PrefixSigner,
    pub(crate) book: Arc<PrefixBook>,
    /// Minimum time between two prefixes; `None` signs no more, and keeps the earlier promises.
    pub(crate) slice: Option<Duration>,
    pub(crate) rates: SignedRates,
}

/// A block of which a prefix is signed.
#[derive(Debug)]
pub(super) struct OpenBlock {
    parent: B256,
    anchor: Option<Anchor>,
    condition: L1Condition,
    /// The newest signed prefix.
    signed: BlockCandidate,
    /// Time from which on the block is sealed.
    due: Instant,
    /// Time at which the last prefix was begun.
    begun: Instant,
    /// Number of prefixes after which the pool may use the whole block, and those made so far.
    slices: (u64, u64),
    /// Gas limit of the pool's transactions in the whole block.
    pool_gas: u64,
    /// Version of the pool when the last prefix was begun, and `true` if that prefix left some of
    /// its transactions to the next one.
    pool: (u64, bool),
}

impl Sequencer {
    /// Sets the signer of prefixes.
    pub(crate) fn with_preconfirmations(self, preconfirmations: Option<Preconfirmations>) -> Self {
        Self { preconfirmations, ..self }
    }

    /// Seals the open block, and returns the signer of prefixes for the time when this node makes
    /// blocks again. Without the lease, the next leader seals the block.
    pub(crate) fn take_preconfirmations(&mut self) -> Option<Preconfirmations> {
        if !self.fence.lasts_for(Duration::ZERO) {
            self.drop_open_block();
        }
        if let Err(error) = self.seal_open_block() {
            tracing::error!(%error, "preconfirmed block not sealed");
        }
        self.preconfirmations.take()
    }

    /// Seals the open block as it was signed last, if there is one: what follows makes no blocks.
    ///
    /// # Errors
    ///
    /// [`SequencerError`] if the block cannot be stored.
    pub(crate) fn seal_open_block(&mut self) -> Result<Option<Arc<Block>>, SequencerError> {
        let Some(open) = self.open.take() else { return Ok(None) };
        self.close_open_block();
        if self.chain().head().hash != open.parent {
            return Ok(None);
        }
        if let Err(error) = self.sign(&open.signed, true, open.condition) {
            tracing::warn!(%error, "sealed block not preconfirmed");
        }
        self.commit(open.signed).map(Some)
    }

    /// Checks that a block contradicts nothing that this node has signed, and records it if it has
    /// no signature.
    ///
    /// # Errors
    ///
    /// [`SequencerError::Prefix`] if it does, or if it cannot be recorded; the same block is tried
    /// again then.
    pub(super) fn require_kept_promises(&mut self, block: &Block) -> Result<(), SequencerError> {
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else { return Ok(()) };
        let prefix = self.prefix_of(signer, block, true, L1Condition::default());
        let prefix = prefix.map_err(PrefixError::from)?;
        signer.check_unsigned(&prefix.promised, self.view()).map_err(PrefixError::from)?;
        let view = Arc::clone(&self.sync.view);
        if let Some(Preconfirmations { signer, slice, .. }) = &mut self.preconfirmations {
            signer.record_sealed(prefix, slice.is_some(), &view)?;
        }
        Ok(())
    }

    /// Returns `true` if a block contradicts a promise that holds on L1's present chain: L1 has
    /// returned to that chain after this node has replaced the promised block.
    pub(super) fn breaks_promise(&self, block: &Block) -> bool {
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else { return false };
        let (number, parent) = (block.header.number, block.header.parent_hash);
        // Few blocks have been replaced, and hashing all transactions takes time.
        signer.may_break(number, parent, block.hash, self.view())
            && self
                .prefix_of(signer, block, true, L1Condition::default())
                .is_ok_and(|prefix| signer.is_excluded(&prefix.promised, self.view()))
    }

    /// Lowest number of the L1 block that the anchor of the next block, at this time, has to name, so
    /// that L1 accepts the block only on chains on which the promises that it replaces are void.
    pub(super) fn least_anchor(&self, head: &Block, time: u64) -> u64 {
        let signer = self.preconfirmations.as_ref().map(|it| &it.signer);
        signer.map_or(0, |signer| signer.least_condition(head.header.number + 1, head.hash, time))
    }

    /// Returns `true` if this node has signed the block as sealed.
    pub(super) fn has_promised(&self, block: &Block) -> bool {
        let signer = self.preconfirmations.as_ref().map(|it| &it.signer);
        signer.is_some_and(|signer| signer.has_sealed(block.header.number, block.hash))
    }

    /// Records the unsigned blocks after `parent`, which are about to be reverted: their L1
    /// transaction may be in flight, and would break a promise about another block in their place.
    pub(super) fn record_reverted(&mut self, parent: B256) -> Result<(), SequencerError> {
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else { return Ok(()) };
        let blocks = self.unsafe_blocks()?;
        let reverted = blocks.iter().rev().take_while(|block| block.hash != parent);
        let unsigned = reverted.filter(|block| !self.has_promised(block)).filter_map(|block| {
            let prefix = self.prefix_of(signer, block, true, L1Condition::default());
            prefix.inspect_err(|error| tracing::warn!(%error, "reverted block not recorded")).ok()
        });
        let (unsigned, view) = (unsigned.collect::<Vec<_>>(), Arc::clone(&self.sync.view));
        if let Some(Preconfirmations { signer, .. }) = &mut self.preconfirmations {
            unsigned.into_iter().for_each(|block| signer.record_reverted(block, &view));
        }
        Ok(())
    }

    /// Notes a new head of this node, and forgets what was signed about final blocks.
    pub(super) fn note_sealed(&mut self, block: &Block) {
        let [finalized, safe] = [self.sync.view.finalized_head(), self.sync.view.advanced_head()]
            .map(|head| head.map(|head| head.number));
        let time = self.view().head().map_or(0, |head| head.timestamp);
        let rate = self.rate.get();
        if let Some(Preconfirmations { signer, rates, .. }) = &mut self.preconfirmations {
            if let Some(rate) = rate.filter(|_| signer.has_sealed(block.header.number, block.hash))
            {
                rates.note(block.header.number, rate);
            }
            signer.sealed(block.header.number, block.hash);
            if let Some(finalized) = finalized {
                signer.forget_up_to(finalized, safe.unwrap_or(finalized), time);
            }
        }
    }

    fn prefix_of(
        &self,
        signer: &PrefixSigner,
        block: &Block,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<Prefix, HeaderError> {
        let chain = self.chain();
        let fork = chain.config().spec.fork_at(block.header.timestamp);
        let fork = fork.unwrap_or(ProtocolFork::Amsterdam);
        Prefix::of(block, signer.rollup(), fork.schema(), is_sealed, condition)
    }

    /// Signs the first prefix of a block and publishes it. If none can be signed, the block is
    /// returned, to be sealed as it is.
    pub(super) fn open_block(
        &mut self,
        sealed: BlockCandidate,
        due: Instant,
        pool_gas: u64,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let begun = Instant::now();
        let head = self.chain().state();
        let after = head.after(sealed.new.clone())?;
        let block = Arc::clone(after.block());
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else {
            return Ok(Some(sealed));
        };
        let header = &block.header;
        let least = signer.least_condition(header.number, header.parent_hash, header.timestamp);
        let is_own = |number, hash| signer.has_sealed(number, hash);
        let anchor = anchor_number(&after)?;
        let Some(condition) = condition(self.view(), anchor, least, is_own) else {
            self.report(Err(&NotPreconfirming::L1Behind));
            return Ok(Some(sealed));
        };
        let open = OpenBlock {
            parent: block.header.parent_hash,
            anchor: anchor_of(&block),
            condition,
            signed: sealed.clone(),
            due,
            begun,
            slices: (self.slices(), 1),
            pool_gas,
            pool: (0, true),
        };
        match self.sign(&sealed, false, condition) {
            Ok(()) => {
                self.open = Some(open);
                Ok(None)
            }
            // The signature may exist, but the block that is sealed is the same one.
            Err(error) => {
                self.report(Err(&NotPreconfirming::Failed(error.to_string())));
                Ok(Some(sealed))
            }
        }
    }

    /// Returns the part of the pool's gas in a block that its first prefix may use. Each further one
    /// may use as much more, so that early transactions do not fill the block.
    pub(super) fn first_share(&self, pool_gas: u64) -> u64 {
        pool_gas / self.slices()
    }

    /// Number of prefixes in the time of a block.
    fn slices(&self) -> u64 {
        let slice = self.slice().as_nanos().max(1);
        u64::try_from(self.config.block_time.as_nanos() / slice).unwrap_or(u64::MAX).max(1)
    }

    /// Minimum time between two prefixes.
    fn slice(&self) -> Duration {
        self.preconfirmations.as_ref().and_then(|it| it.slice).unwrap_or_default()
    }

    /// Makes the next prefix of the open block if one is due, and returns the block once it has to
    /// be sealed.
    pub(super) fn continue_block(
        &mut self,
        now: Instant,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let Some(mut open) = self.open.take() else { return Ok(None) };
        let lost = open.anchor.as_ref().is_some_and(|anchor| !self.is_nameable(anchor));
        if lost || self.chain().head().hash != open.parent {
            tracing::warn!(parent = %open.parent, "L1 has changed, dropped the open block");
            self.open = Some(open);
            self.drop_open_block();
            return Ok(None);
        }
        let is_due = now >= open.due;
        if !is_due && now.saturating_duration_since(open.begun) < self.slice() {
            self.open = Some(open);
            return Ok(None);
        }
        open.begun = now;
        open.slices.1 += 1;
        let longer = self.extended(&mut open, is_due).unwrap_or_else(|error| {
            tracing::warn!(%error, "prefix not extended");
            None
        });
        // At the end, the last prefix is signed once more: the block ends with it.
        if let Some(next) = longer.or_else(|| is_due.then(|| open.signed.clone())) {
            match self.sign(&next, is_due, open.condition) {
                Ok(()) => open.signed = next,
                Err(error) => {
                    tracing::warn!(%error, "prefix not signed");
                    // A remote signer may have signed it, and a record may exist although the
                    // response was lost: what follows has to extend it.
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
        self.close_open_block();
        Ok(Some(open.signed))
    }

    /// Builds a longer prefix; `None` if there is nothing to add.
    fn extended(
        &self,
        open: &mut OpenBlock,
        is_last: bool,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let Some(terms) = self.terms.clone() else { return Ok(None) };
        let block = &open.signed.new.block;
        let version = self.node().read(|node| node.pool.version());
        if open.pool == (version, false) {
            return Ok(None);
        }
        let fixed: Vec<_> = RecoveredTransaction::of_block(block).collect();
        let used: u64 = fixed.iter().map(|it| it.transaction.gas_limit()).sum();
        let (slices, made) = open.slices;
        let share = if is_last { open.pool_gas } else { open.pool_gas / slices * made.min(slices) };
        let Some(pool_gas) = share.checked_sub(used).filter(|gas| *gas > 0) else {
            return Ok(None);
        };
        let mut request = MineRequest {
            timestamp: Some(block.header.timestamp),
            parent_beacon_block_root: block.header.parent_beacon_block_root.unwrap_or_default(),
            fixed: fixed.len(),
            transactions: fixed,
            pool_gas: Some(pool_gas),
            ..MineRequest::default()
        };
        if !self.node().has_executable(&request)? {
            open.pool = (version, false);
            return Ok(None);
        }
        let capacity = self.capacity();
        loop {
            self.fence.check()?;
            let sealed = self.node().seal(&request)?;
            let cost = sealed.cost.filter(|cost| cost.gas <= capacity.gas);
            let Some(cost) = cost.filter(|cost| cost.bytes <= capacity.bytes) else {
                return Err(too_large(&sealed, &capacity));
            };
            let (sealed, beside) = match self.check_duties(sealed, terms.duties)? {
                DutyCheck::Met { sealed, beside } => (sealed, beside),
                // A transaction of the pool may have made a forced transaction valid that is due.
                DutyCheck::Failed {
                    sealed,
                    error: error @ DutyError::ForcedOmitted { index, .. },
                } if request.only.is_none() => {
                    let Some(forced) = self.forced_entry(index) else { return Err(error.into()) };
                    request.transactions =
                        RecoveredTransaction::of_block(&sealed.new.block).collect();
                    request.transactions.push(forced);
                    request.only = Some(Vec::new());
                    continue;
                }
                DutyCheck::Failed { error, .. } => return Err(error.into()),
            };
            let more = beside.saturating_sub(EVIDENCE_BYTES);
            if cost.bytes + more > capacity.bytes {
                if more <= request.reserved_bytes {
                    return Err(too_large(&sealed, &capacity));
                }
                request.reserved_bytes = more;
                continue;
            }
            let has_grown = sealed.new.block.transactions.len() > request.fixed;
            open.pool = (version, has_grown);
            return Ok(has_grown.then_some(sealed));
        }
    }

    /// Signs a prefix, and shows it once its record is on the disk.
    pub(super) fn sign(
        &mut self,
        sealed: &BlockCandidate,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<(), PrefixError> {
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else { return Ok(()) };
        let block = &sealed.new.block;
        let prefix = self.prefix_of(signer, block, is_sealed, condition)?;
        let view = Arc::clone(&self.sync.view);
        let Some(Preconfirmations { signer, book, .. }) = &mut self.preconfirmations else {
            return Ok(());
        };
        let published = signer.sign(prefix, &view)?;
        let taken: B256Set = block.transactions.iter().map(|it| *it.hash()).collect();
        if is_sealed {
            // The block itself is shown once it is on the disk.
            book.publish(published);
            return Ok(());
        }
        self.sync.node.execute(SetPreconfirmed(taken));
        let used = sealed.cost.map(|cost| InputUse { bytes: cost.bytes, gas: cost.gas });
        if let Err(error) = self.sync.node.show_pending(sealed.new.clone(), used) {
            tracing::warn!(%error, "prefix not shown as pending");
        }
        book.publish(published);
        Ok(())
    }

    /// Gives up the open block. Its transactions are still in the pool, or are made anew.
    pub(super) fn drop_open_block(&mut self) {
        if self.open.take().is_some() {
            self.close_open_block();
            if let Some(preconfirmations) = &self.preconfirmations {
                preconfirmations.book.clear();
            }
        }
    }

    fn close_open_block(&self) {
        self.sync.node.execute(SetPreconfirmed::default());
        self.sync.node.hide_pending();
    }

    fn report(&self, state: Result<(), &NotPreconfirming>) {
        if let Some(preconfirmations) = &self.preconfirmations {
            preconfirmations.book.set_state(state);
        }
    }
}
