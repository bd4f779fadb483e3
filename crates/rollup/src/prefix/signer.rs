//! Signer of prefixes, which owns the key.

use crate::{
    RollupRules, Signer,
    l1::{L1View, promise_terms::Promiser},
    lease::LeaseError,
    prefix::{
        NotPreconfirming, Prefix, PrefixError, PublishedPrefix, Recorded,
        condition::is_replaced,
        journal::{Journal, MAX_LENGTH, OpenedJournal},
        shared::{Records, SharedJournal},
    },
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use disk::DiskError;
use preconf::{Conflict, Domain, EMPTY_TRIE, HeaderSummary, Promised, Promises};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Extension of the file that exists while the journal may lack records.
const INCOMPLETE: &str = "incomplete";
/// Slot time of L1, in seconds.
const L1_SLOT: u64 = 12;

/// Signs prefixes, and rejects those that contradict an earlier signature. Nothing else can use the
/// key for a prefix.
#[derive(Debug)]
pub(crate) struct PrefixSigner {
    domain: Domain,
    rollup: Address,
    key: Signer,
    promises: Promises,
    journal: Journal,
    /// Journal of all holders of the lease, if the node has one.
    shared: Option<SharedJournal>,
    /// The last recorded block of each parent, which must be built unchanged.
    unfinished: BTreeMap<B256, Recorded>,
    /// The longest signed prefix for each number, parent and non-final condition. L1 may return to
    /// the chain on which it is valid.
    signed: BTreeMap<(u64, B256), Vec<Prefix>>,
    /// State of a signer that may lack records.
    incomplete: Option<Incomplete>,
    /// File that exists while the journal may lack records, for the next start.
    marker: PathBuf,
}

/// A signer that may lack records of signatures signs nothing until L1 includes a block of this
/// process: from then on, L1 has decided the parent of any unknown signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incomplete {
    /// This process has sealed no block.
    Waiting,
    /// This process has sealed this block first.
    Sealed { number: u64, hash: B256 },
}

impl PrefixSigner {
    /// Opens the signer of a sequencer. `has_history` is `true` if the data directory may have had
    /// a journal that is now lost.
    ///
    /// # Errors
    ///
    /// [`PrefixError::Journal`] if the journal cannot be used.
    pub(crate) fn open(
        path: &Path,
        rollup: Address,
        domain: Domain,
        key: Signer,
        rules: &RollupRules,
        has_history: bool,
    ) -> Result<Self, PrefixError> {
        let is_new = !path.exists();
        let marker = path.with_extension(INCOMPLETE);
        let failed = |what: &'static str| {
            let (path, marker) = (path.to_owned(), marker.clone());
            move |source| PrefixError::Journal {
                path,
                source: DiskError::Io { what, path: marker, source },
            }
        };
        let was_incomplete = marker.exists();
        // Create the marker before opening the journal, which removes corrupted records: a crash in
        // between must not make the journal look complete.
        fs::File::create(&marker).and_then(|file| file.sync_all()).map_err(failed("create"))?;
        let OpenedJournal { journal, records, is_intact } =
            Journal::open(path, rollup, key.address())?;
        // One slot longer than L1 accepts the block, because L1's time is an estimate.
        let mut promises = Promises::new(rules.max_lag.saturating_add(L1_SLOT));
        // Even if the last record is sealed, the node may have stopped before it stored the block.
        let last = records.last().cloned();
        let unfinished = last.map(|record| (record.prefix.promised.header.parent, record));
        let mut signed = BTreeMap::new();
        for recorded in &records {
            learn(&mut promises, &mut signed, recorded);
        }
        let is_complete = is_intact && !was_incomplete && !(is_new && has_history);
        if is_complete {
            fs::remove_file(&marker).map_err(failed("remove"))?;
        }
        Ok(Self {
            domain,
            rollup,
            key,
            promises,
            journal,
            shared: None,
            unfinished: unfinished.into_iter().collect(),
            signed,
            incomplete: (!is_complete).then_some(Incomplete::Waiting),
            marker,
        })
    }

    /// Returns the sequencer that makes the promises, for requests to L1.
    pub(crate) fn promiser(&self) -> Promiser {
        let Self { rollup, domain, .. } = *self;
        let bonds = Some(domain.contract).filter(|contract| *contract != rollup);
        Promiser { rollup, account: self.key.address(), bonds }
    }

    /// Shares the journal with the other holders of the lease. The signer signs nothing until
    /// [`Self::join`].
    pub(crate) fn with_shared_journal(self) -> Self {
        let mut signer = Self { shared: Some(SharedJournal::default()), ..self };
        // This node's journal lacks the records of other nodes, so it is not sufficient without the
        // lease.
        signer.mark_incomplete();
        signer
    }

    /// Records that another node may have signed with this key, which also applies after a restart.
    pub(crate) fn mark_incomplete(&mut self) {
        self.incomplete = Some(Incomplete::Waiting);
        if let Err(error) = fs::File::create(&self.marker).and_then(|file| file.sync_all()) {
            tracing::error!(%error, marker = %self.marker.display(), "failed to create marker file");
        }
    }

    /// Reads, at the start of a term, the records of earlier leaders, which bind this node too.
    /// `is_own` returns `true` for the blocks of this node's chain.
    ///
    /// Returns the block to revert to, if the newest promise in force is on another branch. This
    /// happens if L1 has returned to a chain that it had left.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if etcd does not respond, or if this node lacks ancestors of recorded
    /// blocks. In both cases the node must not lead.
    pub(crate) fn join(
        &mut self,
        records: impl Records + 'static,
        head: BlockNumHash,
        view: &L1View,
        is_own: impl Fn(BlockNumHash) -> bool,
    ) -> Result<Option<BlockNumHash>, PrefixError> {
        let Some(shared) = &mut self.shared else {
            self.mark_incomplete();
            return Ok(None);
        };
        let records = shared.join(Box::new(records))?;
        let is_complete = shared.is_complete();
        for recorded in &records {
            learn(&mut self.promises, &mut self.signed, recorded);
        }
        let root = self.promised_branch(&records, head, view, &is_own)?;
        if is_complete {
            self.mark_complete();
        } else {
            // Signatures or blocks may lack records.
            self.mark_incomplete();
        }
        Ok(root)
    }

    /// Stores the records of blocks that this node has to build: for each parent the last one, or
    /// the ancestor of the newest promise in force. Returns the block of this node's chain from
    /// which that promise descends, if the node has to revert to it.
    fn promised_branch(
        &mut self,
        records: &[Recorded],
        head: BlockNumHash,
        view: &L1View,
        is_own: impl Fn(BlockNumHash) -> bool,
    ) -> Result<Option<BlockNumHash>, PrefixError> {
        let time = view.head().map_or(0, |head| head.timestamp);
        // A branch with a block that L1 can no longer include is not rebuilt.
        let last_time = time.saturating_add(2 * L1_SLOT);
        let can_be_made = |promised: &Promised| {
            let (number, hash) = promised.anchor;
            let has_time =
                last_time <= promised.header.timestamp.saturating_add(self.promises.binds_for());
            has_time && has_transactions(promised) && !is_replaced(view, number, hash)
        };
        let (mut roots, mut by_hash) = (BTreeMap::new(), BTreeMap::new());
        let (mut newest, mut out_of_reach) = (None, None);
        // A block is recorded after its parent.
        for recorded in records {
            let HeaderSummary { number, hash, parent, .. } = recorded.prefix.promised.header;
            let block = BlockNumHash { number, hash };
            let parent = BlockNumHash { number: number.saturating_sub(1), hash: parent };
            let promised = &recorded.prefix.promised;
            let (mut root, mut is_possible) = *roots.get(&parent.hash).unwrap_or(&(parent, true));
            is_possible &= can_be_made(promised);
            if is_own(block) {
                (root, is_possible) = (block, true);
            }
            roots.insert(hash, (root, is_possible));
            by_hash.insert(hash, recorded);
            if !is_possible || !recorded.is_signed || !self.is_in_force(promised, time, view) {
                continue;
            }
            let is_replaced = view.advanced_hash(root.number).is_some_and(|hash| hash != root.hash);
            if is_own(root) {
                newest = Some((block, root));
            } else if !is_replaced {
                out_of_reach = Some(out_of_reach.map_or(number, |lowest: u64| lowest.min(number)));
            }
        }
        if let Some(expected) = out_of_reach {
            return Err(PrefixError::Behind { got: head.number, expected });
        }
        let newest = newest.filter(|(block, _)| !is_own(*block));
        let branch = std::iter::successors(newest.map(|(block, _)| block.hash), |hash| {
            by_hash.get(hash).map(|record| record.prefix.promised.header.parent)
        });
        let branch = branch.map_while(|hash| by_hash.get(&hash).copied());
        for recorded in records.iter().chain(branch) {
            let promised = &recorded.prefix.promised;
            if has_transactions(promised) {
                self.unfinished.insert(promised.header.parent, recorded.clone());
            }
        }
        self.unfinished.retain(|_, record| {
            let HeaderSummary { number, hash, .. } = record.prefix.promised.header;
            !is_own(BlockNumHash { number, hash })
        });
        // If L1 already includes a child of the block, the promise cannot be kept.
        let is_decided = |root: &BlockNumHash| view.advanced_hash(root.number + 1).is_some();
        Ok(newest.map(|(_, root)| root).filter(|root| *root != head && !is_decided(root)))
    }

    fn is_in_force(&self, promised: &Promised, time: u64, view: &L1View) -> bool {
        let has_ended = time >= promised.header.timestamp.saturating_add(self.promises.binds_for());
        !has_ended && !is_void(promised, view)
    }

    /// Returns the rollup of the messages.
    pub(crate) const fn rollup(&self) -> Address {
        self.rollup
    }

    /// Returns the last block recorded for this parent, before the start or by an earlier leader,
    /// if its promise is in force; or else a signed block to whose chain L1 has returned. It must
    /// be sealed unchanged. A record without a signature is not binding if it contradicts an
    /// earlier promise to whose chain L1 has returned.
    pub(crate) fn unfinished_on(
        &self,
        parent: BlockNumHash,
        time: u64,
        view: &L1View,
    ) -> Option<Recorded> {
        let is_in_force = |prefix: &Prefix| self.is_in_force(&prefix.promised, time, view);
        let recorded = self.unfinished.get(&parent.hash).filter(|record| {
            is_in_force(&record.prefix)
                && (record.is_signed || !self.is_excluded(&record.prefix.promised, view))
        });
        recorded.cloned().or_else(|| {
            let signed = self.signed.get(&(parent.number.saturating_add(1), parent.hash))?;
            let prefix = signed.iter().rev().find(|prefix| is_in_force(prefix))?.clone();
            Some(Recorded { prefix, is_signed: true })
        })
    }

    /// Drops that block, because it was sealed or cannot be rebuilt.
    pub(crate) fn forget_unfinished(&mut self, parent: BlockNumHash) {
        self.unfinished.remove(&parent.hash);
        self.signed.remove(&(parent.number.saturating_add(1), parent.hash));
    }

    /// Returns an error if this signer may lack records of its signatures.
    pub(crate) fn require_complete(&mut self, view: &L1View) -> Result<(), NotPreconfirming> {
        if let Some(Incomplete::Sealed { number, hash }) = self.incomplete
            && view.advanced_hash(number) == Some(hash)
        {
            self.mark_complete();
        }
        self.incomplete.map_or(Ok(()), |_| Err(NotPreconfirming::JournalLost))
    }

    /// Records that all signatures are known.
    fn mark_complete(&mut self) {
        if self.shared.is_some() {
            self.incomplete = None;
            return;
        }
        match fs::remove_file(&self.marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, marker = %self.marker.display(), "failed to remove marker file");
            }
            _ => self.incomplete = None,
        }
    }

    /// Returns an error if the next leader might lack the parent of a block, or if the journal in
    /// etcd is too long.
    pub(crate) fn require_shared(
        &self,
        parent: BlockNumHash,
        view: &L1View,
    ) -> Result<(), NotPreconfirming> {
        let (got, limit) = match &self.shared {
            Some(shared) => shared.length(),
            None => (self.journal.length() as usize, MAX_LENGTH as usize),
        };
        if got > limit {
            return Err(NotPreconfirming::JournalLong { got, limit });
        }
        let Some(shared) = &self.shared else { return Ok(()) };
        let is_on_l1 = |block: BlockNumHash| view.advanced_hash(block.number) == Some(block.hash);
        let is_known = shared.leads_to_l1(parent, is_on_l1);
        is_known.then_some(()).ok_or(NotPreconfirming::ParentNotShared)
    }

    /// Records an unsigned block before it is sealed: L1 may include it even if it is replaced, and
    /// the next leader could build another block in its place. A node that does not sign (`signs`)
    /// only shares blocks if another node has recorded some.
    ///
    /// # Errors
    ///
    /// [`PrefixError::Conflict`] if it contradicts a record whose response was lost. After
    /// [`PrefixError::NotShared`] the record may exist, so the same block must be sealed;
    /// [`Self::unfinished_on`] returns it.
    pub(crate) fn record_sealed(
        &mut self,
        block: Prefix,
        signs: bool,
        view: &L1View,
    ) -> Result<(), PrefixError> {
        let HeaderSummary { number, hash, parent, .. } = block.promised.header;
        let is_known = self.has_sealed(number, hash);
        if let Some(shared) = &self.shared {
            let is_complete = self.incomplete.is_none();
            if !signs && shared.is_empty() {
                return Ok(());
            }
            let shared = self.share(
                |shared| shared.record_unsigned(&block, is_complete),
                |signer| signer.check_unsigned(&block.promised, view),
            );
            if let Err(error @ PrefixError::NotShared(_)) = shared {
                self.unfinished.insert(parent, Recorded { prefix: block, is_signed: false });
                return Err(error);
            }
            if shared? == Some(false) {
                self.mark_incomplete();
            }
            if !is_known {
                self.promises.add_unsigned(block.promised);
            }
        } else if !is_known && self.promises.add_unsigned(block.promised.clone()) {
            let recorded = match self.journal.length() {
                length if length > MAX_LENGTH => Err(PrefixError::JournalFull { got: length }),
                _ => self.journal.record(&block, false),
            };
            if let Err(error) = recorded {
                tracing::warn!(%error, number, "failed to record unsigned block");
                self.mark_incomplete();
            }
        }
        Ok(())
    }

    /// Records an unsigned block that is about to be reverted, unless it has a record. If this
    /// fails, nothing is signed until L1 includes a block that is sealed from now on.
    pub(crate) fn record_reverted(&mut self, block: Prefix, view: &L1View) {
        let (promised, parent) = (block.promised.clone(), block.promised.header.parent);
        if let Err(error) = self.record_sealed(block, true, view) {
            tracing::warn!(%error, number = promised.header.number, "failed to record reverted block");
            self.unfinished.remove(&parent);
            self.promises.add_unsigned(promised);
            self.mark_incomplete();
        }
    }

    /// Adds a record to the shared journal, if there is one. Records whose responses were lost are
    /// loaded first, and `check` is repeated, because they bind this node too.
    fn share<T>(
        &mut self,
        record: impl Fn(&mut SharedJournal) -> Result<T, PrefixError>,
        check: impl Fn(&Self) -> Result<(), Conflict>,
    ) -> Result<Option<T>, PrefixError> {
        let Some(shared) = &mut self.shared else { return Ok(None) };
        match record(shared) {
            Err(PrefixError::NotShared(LeaseError::RecordExists { .. })) => {}
            outcome => return outcome.map(Some),
        }
        for lost in shared.load()? {
            learn(&mut self.promises, &mut self.signed, &lost);
        }
        check(self)?;
        self.shared.as_mut().map(record).transpose()
    }

    /// Records a block that this process has sealed.
    pub(crate) fn on_sealed(&mut self, number: u64, hash: B256) {
        let is_first = match self.incomplete {
            Some(Incomplete::Waiting) => true,
            // The first block was reverted, and this one replaces it.
            Some(Incomplete::Sealed { number: first, .. }) => number <= first,
            None => false,
        };
        if is_first {
            self.incomplete = Some(Incomplete::Sealed { number, hash });
        }
        self.unfinished.retain(|_, record| record.prefix.promised.header.number > number);
    }

    /// Returns the lowest L1 block number that the anchor of another header for this parent, with
    /// this timestamp, must name.
    pub(crate) fn min_anchor(&self, number: u64, parent: B256, timestamp: u64) -> u64 {
        self.promises.min_anchor(number, parent, timestamp)
    }

    /// Returns the lowest L1 block number that its condition must name.
    pub(crate) fn min_condition(
        &self,
        number: u64,
        parent: B256,
        timestamp: u64,
        view: &L1View,
    ) -> u64 {
        let is_replaced = |number, hash| is_replaced(view, number, hash);
        self.promises.min_condition(number, parent, timestamp, &is_replaced)
    }

    /// Returns `true` if this key has promised the block as sealed.
    pub(crate) fn has_sealed(&self, number: u64, hash: B256) -> bool {
        self.promises.has_sealed(number, hash)
    }

    /// Checks that a block may be sealed without a signature.
    ///
    /// # Errors
    ///
    /// [`Conflict`] if it contradicts a signature of this key.
    pub(crate) fn check_unsigned(&self, block: &Promised, view: &L1View) -> Result<(), Conflict> {
        let is_replaced = |number, hash| is_replaced(view, number, hash);
        self.promises.check_unsigned(block, &is_replaced)
    }

    /// Returns `true` if a block contradicts a promise that holds on L1's chain.
    pub(crate) fn is_excluded(&self, block: &Promised, view: &L1View) -> bool {
        let is_replaced = |number, hash| is_replaced(view, number, hash);
        self.promises.is_excluded(block, &is_replaced)
    }

    /// Returns `true` if another block was promised for this parent, and this block was either not
    /// promised as sealed, or its promise is void. Two such promises are never valid on the same L1
    /// chain, but neither looks void once the view has dropped the L1 blocks that they name.
    pub(crate) fn may_break(&self, number: u64, parent: B256, hash: B256, view: &L1View) -> bool {
        let signed = self.signed.get(&(number, parent)).into_iter().flatten();
        let is_kept = |promised: &Promised| {
            promised.message.is_sealed && promised.header.hash == hash && !is_void(promised, view)
        };
        self.promises.has_other(number, parent, hash)
            && !signed.map(|prefix| &prefix.promised).any(is_kept)
    }

    /// Records a prefix on disk, and signs it. If the signer fails, the record is kept, because the
    /// signature may exist.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if the prefix contradicts an earlier one, cannot be recorded, or cannot be
    /// signed.
    pub(crate) fn sign(
        &mut self,
        prefix: Prefix,
        view: &L1View,
    ) -> Result<PublishedPrefix, PrefixError> {
        let is_replaced = |number, hash| is_replaced(view, number, hash);
        self.promises.check(&prefix.promised, &is_replaced)?;
        let is_complete = self.incomplete.is_none();
        self.share(
            |shared| shared.record(&prefix, is_complete),
            |signer| signer.promises.check(&prefix.promised, &is_replaced),
        )?;
        self.journal.record(&prefix, true)?;
        self.promises.add(prefix.promised.clone());
        keep(&mut self.signed, prefix.clone());
        let signature = self.key.sign_preconfirmation(self.domain, &prefix.promised.message)?;
        Ok(PublishedPrefix { prefix, signature: signature.as_bytes().into() })
    }

    /// Drops signatures on blocks up to `finalized`, which are final on L1, and the transactions of
    /// promises that have ended by this time. A long journal in etcd also drops the blocks up to
    /// `safe`, which are on L1.
    pub(crate) fn forget_up_to(&mut self, finalized: u64, safe: u64, time: u64) {
        self.promises.forget_up_to(finalized);
        self.signed = self.signed.split_off(&(finalized.saturating_add(1), B256::ZERO));
        let binds_for = self.promises.binds_for();
        let has_ended =
            |prefix: &Prefix| time >= prefix.promised.header.timestamp.saturating_add(binds_for);
        self.signed.retain(|_, all| {
            all.retain(|prefix| !has_ended(prefix));
            !all.is_empty()
        });
        let shortened = self.journal.forget_up_to(finalized);
        let shared = self.shared.as_mut().map_or(Ok(()), |shared| {
            let (got, limit) = shared.length();
            shared.forget_up_to(if got > limit / 2 { safe } else { finalized })
        });
        if let Err(error) = shortened.and(shared) {
            tracing::warn!(%error, "failed to compact the journal of preconfirmations");
        }
    }
}

fn is_void(promised: &Promised, view: &L1View) -> bool {
    let message = &promised.message;
    !message.is_unconditional() && is_replaced(view, message.l1_block, message.l1_hash)
}

/// Returns `true` if the block can be rebuilt. A record may lack its transactions if they are too
/// long.
fn has_transactions(promised: &Promised) -> bool {
    !promised.transactions.is_empty() || promised.header.transactions_root == EMPTY_TRIE
}

/// Adds a record to the promises and signatures.
fn learn(
    promises: &mut Promises,
    signed: &mut BTreeMap<(u64, B256), Vec<Prefix>>,
    Recorded { prefix, is_signed }: &Recorded,
) {
    if *is_signed {
        promises.add(prefix.promised.clone());
        keep(signed, prefix.clone());
    } else {
        promises.add_unsigned(prefix.promised.clone());
    }
}

/// Adds a signed prefix, and replaces the shorter one of the same block.
fn keep(signed: &mut BTreeMap<(u64, B256), Vec<Prefix>>, prefix: Prefix) {
    let header = &prefix.promised.header;
    let all = signed.entry((header.number, header.parent)).or_default();
    let condition =
        |prefix: &Prefix| (prefix.promised.message.l1_block, prefix.promised.message.l1_hash);
    let is_shorter = |old: &Prefix| {
        old.promised.header.environment == header.environment
            && condition(old) == condition(&prefix)
    };
    all.retain(|old| !is_shorter(old));
    all.push(prefix);
}

#[cfg(test)]
mod tests;
