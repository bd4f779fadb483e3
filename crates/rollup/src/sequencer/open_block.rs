//! The block whose prefixes are signed while it is built.
//!
//! Each prefix is made as a block is: built, verified by EXECUTE, and checked for its duties. The
//! last one becomes the block. A prefix that cannot be made is left out, since the one before it is
//! a complete block too.

use super::{
    Preconfirmations, Sequencer,
    preconfirmations::NextBlock,
    recovery::LAG_MARGIN,
    sealing::{DutyCheck, too_large},
};
use crate::{
    DutyError, SequencerError,
    l1::poller::Terms,
    prefix::{
        L1Condition, NotPreconfirming, Prefix, PrefixError, Recorded, anchor_number, condition,
    },
    sequencer::anchor::anchor_of,
};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::B256;
use alloy_rlp::Decodable as _;
use chain::{Block, RecoveredTransaction};
use contracts::{Anchor, advance_plan::EVIDENCE_BYTES};
use executor::{Transaction, recover_sender};
use node::{BlockCandidate, MineRequest, Node, NodeError, SetCoinbase, SetPreconfirmed};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

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

    /// Time from the start of the next block to its sealing, if its prefixes are signed.
    pub(super) fn lead_time(
        &mut self,
        head: &Block,
        terms: &Terms,
        now: Instant,
    ) -> Option<Duration> {
        let promises = self.preconfirmations.as_mut()?;
        promises.slice?;
        let may = promises.may_sign(&NextBlock {
            head,
            time: self.clock.for_block(now + self.config.block_time),
            view: &self.sync.view,
            terms,
            rules: &self.rules,
            rate: self.rate.get(),
            is_isolating: self.isolation.limit().is_some(),
            oldest_unposted: self.queue.oldest(),
        });
        promises.book.set_state(may.as_ref().map(|_| ()));
        may.is_ok().then_some(self.config.block_time)
    }

    /// Builds the block again of which a prefix was signed, or was about to be signed, when this
    /// node or the last leader stopped. It is sealed as it is.
    pub(super) fn unfinished_block(
        &mut self,
        time: u64,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        // The search replaces the block, since L1 rejects it.
        if self.isolation.limit().is_some() {
            return Ok(None);
        }
        let head = Arc::clone(self.chain().head());
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else {
            return Ok(None);
        };
        let recorded = signer.unfinished_on(head.num_hash(), time, self.view());
        let Some(Recorded { prefix, is_signed }) = recorded else { return Ok(None) };
        // L1 would not include it in time.
        let last = prefix.promised.header.timestamp.saturating_add(self.rules.max_lag);
        if last < time.saturating_add(LAG_MARGIN) {
            return Ok(None);
        }
        let (number, expected) = (prefix.promised.header.number, prefix.promised.header.hash);
        let sealed = match build_again(self.node(), &prefix) {
            Ok(sealed) if sealed.new.block.hash == expected => sealed,
            // Any other error may pass, and what was promised is tried again.
            Err(error) if !matches!(error, NodeError::PrefixLost { .. }) => {
                return Err(error.into());
            }
            other => {
                let got = other.map(|sealed| sealed.new.block.hash.to_string());
                let got = got.unwrap_or_else(|error| error.to_string());
                tracing::error!(number, got, %expected, "cannot build the preconfirmed block again");
                if let Some(Preconfirmations { signer, .. }) = &mut self.preconfirmations {
                    signer.forget_unfinished(head.num_hash());
                }
                return Ok(None);
            }
        };
        // L1 is back before the block of its anchor. It would be reverted at once.
        if anchor_of(&sealed.new.block).is_some_and(|anchor| !self.is_nameable(&anchor)) {
            return Ok(None);
        }
        tracing::info!(number, hash = %expected, "sealing the block that was preconfirmed before");
        if !is_signed {
            return Ok(Some(sealed));
        }
        let message = &prefix.promised.message;
        let condition = L1Condition { number: message.l1_block, hash: message.l1_hash };
        if let Err(error) = self.sign(&sealed, true, condition) {
            tracing::warn!(%error, "sealed block not preconfirmed");
        }
        Ok(Some(sealed))
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
        let (number, time) = (header.number, header.timestamp);
        let least = signer.least_condition(number, header.parent_hash, time, self.view());
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

    fn sign(
        &mut self,
        sealed: &BlockCandidate,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<(), PrefixError> {
        let Some(promises) = &mut self.preconfirmations else { return Ok(()) };
        promises.sign(&self.sync.node, &self.sync.view, sealed, is_sealed, condition)
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

/// Builds the block of a prefix again.
fn build_again(node: &Node, prefix: &Prefix) -> Result<BlockCandidate, NodeError> {
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
        parent_beacon_block_root: header.parent_beacon_block_root.unwrap_or_default(),
        fixed: transactions.len(),
        transactions,
        only: Some(Vec::new()),
        ..MineRequest::default()
    })
}
