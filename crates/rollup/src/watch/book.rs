//! Signed messages that may become evidence.

use crate::watch::{
    file::WatchFile,
    watched::{Body, Place, Watched},
};
use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_primitives::{Address, B256, Bytes};
use preconf::{
    HeaderSummary, Preconfirmation, PrefixUpdate, evidence::SignedHeader, faults::Fault,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// Maximum size of all messages and transactions in memory, in bytes. The oldest are dropped. A
/// block whose transactions are in the chain takes about 1 kB, so 27 hours with one block per
/// second take 100 MB.
const MAX_BYTES: usize = 128 << 20;
/// Maximum size of the messages about parents that are not in the chain, in bytes. They are dropped
/// first, starting with the parent of the largest size.
const MAX_ORPHAN_BYTES: usize = 8 << 20;
/// Maximum size of the transactions of a block in bytes, more than fits into the six blobs of an L1
/// transaction.
const MAX_BLOCK_BYTES: usize = 1 << 20;
/// Maximum number of messages for one parent. An honest sequencer needs two. More are already
/// evidence, unless L1 has none of the blocks on which they depend.
const MAX_FOR_PARENT: usize = 16;
/// Maximum number of parents for one block number that are not in the chain.
const MAX_PARENTS: usize = 8;
/// Maximum number of parents with conflicts that are checked at once.
const MAX_CHECKED: usize = 256;
/// Maximum number of messages with a pending execution check.
const MAX_UNCHECKED: usize = 256;
/// Time within which the follower should execute a prefix, before the watcher does.
const EXECUTION_TIME: Duration = Duration::from_secs(2);
/// Time after which a block is executed again if the reporter did not accept its evidence.
const REOPENED_TIME: Duration = Duration::from_secs(60);

/// Messages for one parent.
#[derive(Debug, Default)]
struct Parent {
    all: Vec<Arc<Watched>>,
    /// Hash of the rollup's block against which all of them were checked.
    checked_against: Option<B256>,
    /// `true` if the parent is not in the chain.
    is_orphan: bool,
}

impl Parent {
    fn bytes(&self) -> usize {
        self.all.iter().map(|watched| watched.bytes()).sum()
    }
}

/// A message whose block was not executed yet.
#[derive(Debug)]
struct Unchecked {
    watched: Arc<Watched>,
    due: Instant,
}

/// Reason why an update is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotStored {
    /// The transactions do not match the header, or do not fit into an L1 transaction.
    Garbage,
    /// The transactions before those of the update are missing.
    Gap { first: u32, known: usize },
}

/// All messages, in memory and in the data directory.
#[derive(Debug, Default)]
pub(super) struct Book {
    parents: BTreeMap<Place, Parent>,
    /// Parents with messages that may conflict.
    conflicts: BTreeSet<Place>,
    /// Parents with messages that do not conflict on L1's current chain.
    doubtful: BTreeSet<Place>,
    unchecked: VecDeque<Unchecked>,
    /// Admitted accounts that have signed.
    signers: BTreeSet<Address>,
    bytes: usize,
    file: Option<WatchFile>,
}

impl Book {
    /// Restores the messages of a file, to which new ones are appended. All are kept until
    /// [`Self::trim`] and [`Self::check_unknown`], which need L1's chain.
    pub(super) fn restored(file: WatchFile, all: Vec<Watched>) -> Self {
        let mut book = Self::default();
        for watched in all {
            book.insert(Arc::new(watched));
        }
        Self { file: Some(file), ..book }
    }

    /// Schedules the execution check of messages whose blocks are not in the chain, after a
    /// restart.
    pub(super) fn check_unknown(&mut self, is_known: impl Fn(&B256) -> bool) {
        for ((_, hash), parent) in &mut self.parents {
            parent.is_orphan = !is_known(hash);
        }
        self.drop_surplus();
        let all = self.parents.values().rev().flat_map(|parent| &parent.all);
        let unknown = all.filter(|watched| !is_known(&watched.header.hash)).take(MAX_UNCHECKED);
        let due = Instant::now() + EXECUTION_TIME;
        let unknown = unknown.map(|watched| Unchecked { watched: Arc::clone(watched), due });
        self.unchecked = unknown.collect();
    }

    /// Returns the messages about blocks of this number on this parent.
    pub(super) fn at(&self, number: u64, parent: B256) -> impl Iterator<Item = &Arc<Watched>> {
        self.parents.get(&(number, parent)).into_iter().flat_map(|entry| &entry.all)
    }

    /// Returns the size of all messages in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns `true` if messages of this signer were stored.
    pub(super) fn has_signer(&self, signer: &Address) -> bool {
        self.signers.contains(signer)
    }

    /// Returns the signers that are not in this map.
    pub(super) fn signers_besides(
        &self,
        resolved: &BTreeMap<Address, Address>,
    ) -> BTreeSet<Address> {
        self.signers.iter().filter(|signer| !resolved.contains_key(*signer)).copied().collect()
    }

    /// Stores an update of a signer. Returns `false` if it is known. `has_parent` is `true` if the
    /// chain has the parent, since a signer could name any number of others. `is_on_l1` returns
    /// `true` if L1's chain has a block.
    ///
    /// # Errors
    ///
    /// [`NotStored`].
    pub(super) fn keep(
        &mut self,
        update: &PrefixUpdate,
        header: HeaderSummary,
        signer: Address,
        has_parent: bool,
        is_on_l1: &dyn Fn(u64, B256) -> bool,
    ) -> Result<bool, NotStored> {
        let place = (header.number, header.parent);
        let of_number = (header.number, B256::ZERO)..=(header.number, B256::repeat_byte(0xff));
        if !has_parent
            && !self.parents.contains_key(&place)
            && self.parents.range(of_number).count() >= MAX_PARENTS
        {
            return Err(NotStored::Garbage);
        }
        let is_first = !self.parents.contains_key(&place);
        let transactions = self.transactions_of(update, &header)?;
        if transactions.iter().map(|raw| raw.len()).sum::<usize>() > MAX_BLOCK_BYTES {
            return Err(NotStored::Garbage);
        }
        let signed = SignedHeader::from(update);
        let body = Body::Own(transactions);
        let watched = Arc::new(Watched { signed, header, signer, body });
        let mut stored = self.parents.get(&place).into_iter().flat_map(|parent| &parent.all);
        if stored.any(|stored| stored.signed.message == watched.signed.message) {
            return Ok(false);
        }
        let is_new = self.insert(Arc::clone(&watched))
            && self.trim_parent(&place, is_on_l1) != Some(watched.signed.message);
        if let Some(parent) = self.parents.get_mut(&place) {
            // The chain may be unreadable, or on another branch, so a parent that it once had is
            // never an orphan.
            parent.is_orphan = !has_parent && (is_first || parent.is_orphan);
        }
        self.drop_surplus();
        if is_new && let Some(file) = &mut self.file {
            file.append(&watched);
            if file.is_long(self.bytes) {
                file.rewrite(self.parents.values().flat_map(|parent| &parent.all));
            }
        }
        if self.unchecked.iter().all(|entry| entry.watched.header.hash != header.hash) {
            let due = Instant::now() + EXECUTION_TIME;
            self.unchecked.push_back(Unchecked { watched, due });
        }
        self.limit_unchecked();
        Ok(true)
    }

    /// Drops the oldest messages with a pending execution check beyond the limit, orphans first.
    fn limit_unchecked(&mut self) {
        while self.unchecked.len() > MAX_UNCHECKED {
            let is_orphan = |entry: &Unchecked| {
                self.parents.get(&entry.watched.place()).is_none_or(|parent| parent.is_orphan)
            };
            let first = self.unchecked.iter().position(is_orphan);
            self.unchecked.remove(first.unwrap_or_default());
        }
    }

    /// Records which parents are in the chain by now.
    pub(super) fn find_parents(&mut self, is_known: impl Fn(&B256) -> bool) {
        for ((_, hash), parent) in self.parents.iter_mut().filter(|(_, parent)| parent.is_orphan) {
            parent.is_orphan = !is_known(hash);
        }
    }

    /// Returns all transactions of the prefix that an update extends. They are compared with the
    /// root in the header, since a sequencer may alternate between conflicting prefixes.
    fn transactions_of(
        &self,
        update: &PrefixUpdate,
        header: &HeaderSummary,
    ) -> Result<Vec<Bytes>, NotStored> {
        let first = usize::try_from(update.first).unwrap_or(usize::MAX);
        let added = || update.transactions.iter().map(|raw| Bytes::copy_from_slice(raw));
        let is_right = |all: &Vec<Bytes>| {
            let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
            ordered_trie_root_with_encoder(all, put) == header.transactions_root
        };
        if first == 0 {
            return Some(added().collect()).filter(is_right).ok_or(NotStored::Garbage);
        }
        let of_parent = self.parents.get(&(header.number, header.parent));
        let candidates = of_parent.into_iter().flat_map(|parent| parent.all.iter().rev());
        let mut longest = 0;
        for watched in candidates.filter(|watched| watched.header.environment == header.environment)
        {
            let Body::Own(all) = &watched.body else { continue };
            longest = longest.max(all.len());
            let Some(begin) = all.get(..first) else { continue };
            let all = begin.iter().cloned().chain(added()).collect();
            if is_right(&all) {
                return Ok(all);
            }
        }
        Err(NotStored::Gap { first: update.first, known: longest })
    }

    /// Adds a message, unless it is known or implied by another one.
    fn insert(&mut self, watched: Arc<Watched>) -> bool {
        let place = watched.place();
        let parent = self.parents.entry(place).or_default();
        let is_like = |old: &&Arc<Watched>| {
            old.signer == watched.signer && old.condition() == watched.condition()
        };
        if parent.all.iter().filter(is_like).any(|old| watched.is_extended_by(old)) {
            return false;
        }
        self.bytes += watched.bytes();
        self.signers.insert(watched.signer);
        parent.checked_against = None;
        let is_new = |old: &Arc<Watched>| !old.is_kept_by(&watched) && !watched.is_kept_by(old);
        if parent.all.iter().any(is_new) {
            self.conflicts.insert(place);
        }
        // The sealed block does not replace its longest prefix until L1 includes the block.
        let is_replaced = |old: &&Arc<Watched>| {
            is_like(old) && !watched.signed.message.is_sealed && old.is_extended_by(&watched)
        };
        let mut freed = 0;
        if let Some(at) = parent.all.iter().position(|old| is_replaced(&old)) {
            freed += parent.all.remove(at).bytes();
        }
        parent.all.push(watched);
        self.bytes -= freed;
        true
    }

    /// Drops the messages of each parent beyond the limit.
    pub(super) fn trim(&mut self, is_on_l1: &dyn Fn(u64, B256) -> bool) {
        let long = self.parents.iter().filter(|(_, parent)| parent.all.len() > MAX_FOR_PARENT);
        let long: Vec<_> = long.map(|(place, _)| *place).collect();
        for place in long {
            self.trim_parent(&place, is_on_l1);
        }
    }

    /// Drops the messages of a parent beyond the limit, and returns the last of them.
    fn trim_parent(
        &mut self,
        place: &Place,
        is_on_l1: &dyn Fn(u64, B256) -> bool,
    ) -> Option<Preconfirmation> {
        let parent = self.parents.get_mut(place)?;
        let mut dropped = None;
        while parent.all.len() > MAX_FOR_PARENT {
            let ranks = parent.all.iter().map(|watched| watched.rank(is_on_l1)).enumerate();
            let (at, _) = ranks.min_by_key(|(_, rank)| *rank)?;
            let watched = parent.all.remove(at);
            self.bytes -= watched.bytes();
            dropped = Some(watched.signed.message);
        }
        dropped
    }

    fn drop_surplus(&mut self) {
        let orphans = self.parents.iter().filter(|(_, parent)| parent.is_orphan);
        let mut orphans: Vec<_> = orphans.map(|(place, parent)| (parent.bytes(), *place)).collect();
        let mut bytes: usize = orphans.iter().map(|(bytes, _)| bytes).sum();
        if bytes > MAX_ORPHAN_BYTES {
            orphans.sort_unstable();
        }
        while bytes > MAX_ORPHAN_BYTES
            && let Some((of_place, place)) = orphans.pop()
        {
            bytes -= of_place;
            self.drop_parent(&place);
        }
        while self.bytes > MAX_BYTES && self.parents.len() > 1 {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((&place, _)) = self.parents.first_key_value() {
            self.drop_parent(&place);
        }
    }

    fn drop_parent(&mut self, place: &Place) {
        self.bytes -= self.parents.remove(place).map_or(0, |parent| parent.bytes());
        self.conflicts.remove(place);
        self.doubtful.remove(place);
    }

    /// Drops the messages about blocks before this number.
    pub(super) fn forget_before(&mut self, number: u64) {
        while self.parents.first_key_value().is_some_and(|(place, _)| place.0 < number) {
            self.drop_oldest();
        }
    }

    /// Records that the follower has executed a block with the signed header as the result.
    pub(super) fn on_executed(&mut self, hash: &B256) {
        self.unchecked.retain(|entry| entry.watched.header.hash != *hash);
    }

    /// Records that the follower has executed a block with another result.
    pub(super) fn on_false_result(&mut self, hash: &B256) {
        let of_hash = self.unchecked.iter_mut().filter(|entry| entry.watched.header.hash == *hash);
        of_hash.for_each(|entry| entry.due = Instant::now());
    }

    /// Removes and returns the messages whose blocks the follower should have executed by now.
    pub(super) fn take_unchecked(&mut self) -> Vec<Arc<Watched>> {
        let now = Instant::now();
        let (due, others): (Vec<_>, Vec<_>) =
            self.unchecked.drain(..).partition(|entry| entry.due <= now);
        self.unchecked = others.into();
        due.into_iter().map(|entry| entry.watched).collect()
    }

    /// Returns a message whose parent is not known yet to the queue.
    pub(super) fn check_later(&mut self, watched: Arc<Watched>) {
        let due = Instant::now() + EXECUTION_TIME;
        self.unchecked.push_back(Unchecked { watched, due });
        self.limit_unchecked();
    }

    /// Schedules another check at a later L1 block, because the reporter did not accept the
    /// evidence.
    pub(super) fn reopen(&mut self, fault: Fault, number: u64, hash: B256) {
        let of_number = (number, B256::ZERO)..=(number, B256::repeat_byte(0xff));
        for (place, parent) in self.parents.range_mut(of_number) {
            let Some(watched) = parent.all.iter().find(|watched| watched.header.hash == hash)
            else {
                continue;
            };
            match fault {
                Fault::Equivocation => drop(self.doubtful.insert(*place)),
                Fault::Lie => {
                    let due = Instant::now() + REOPENED_TIME;
                    self.unchecked.push_back(Unchecked { watched: Arc::clone(watched), due });
                }
                Fault::Broken => parent.checked_against = None,
                // Delays are checked at each L1 block anyway.
                Fault::Late => {}
            }
        }
        self.limit_unchecked();
    }

    /// Returns the messages of parents with conflicts.
    pub(super) fn conflicting(&self) -> Vec<(Place, Vec<Arc<Watched>>)> {
        let all = self
            .conflicts
            .iter()
            .filter_map(|place| self.parents.get(place).map(|parent| (*place, parent.all.clone())));
        all.take(MAX_CHECKED).collect()
    }

    /// Records that the messages of a parent were checked. If they are `doubtful`, another L1 chain
    /// may change the result.
    pub(super) fn settle_conflict(&mut self, place: &Place, doubtful: bool) {
        self.conflicts.remove(place);
        if doubtful {
            self.doubtful.insert(*place);
        }
        while self.doubtful.len() > MAX_CHECKED {
            self.doubtful.pop_first();
        }
    }

    /// Schedules another check of doubtful messages, after a new L1 block.
    pub(super) fn recheck_doubtful(&mut self) {
        self.conflicts.append(&mut self.doubtful);
    }

    /// Returns the messages about blocks up to this number that were not checked against the
    /// rollup's block, which `posted` returns.
    pub(super) fn to_check(
        &self,
        up_to: u64,
        posted: impl Fn(u64) -> Option<B256>,
    ) -> Vec<(Place, B256, Vec<Arc<Watched>>)> {
        let decided = self.parents.range(..=(up_to, B256::repeat_byte(0xff)));
        let open = decided.filter_map(|(place, parent)| {
            let hash = posted(place.0).filter(|hash| parent.checked_against != Some(*hash))?;
            Some((*place, hash, parent.all.clone()))
        });
        open.collect()
    }

    /// Returns the messages about blocks after this number, ordered by number.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Arc<Watched>> {
        let later = self.parents.range((number.saturating_add(1), B256::ZERO)..);
        later.flat_map(|(_, parent)| &parent.all)
    }

    /// Records that the messages of a parent were checked against the rollup's block with this
    /// hash, which is in the chain. Messages that the block keeps refer to its transactions from
    /// now on.
    pub(super) fn on_checked(&mut self, place: &Place, hash: B256) {
        let Some(parent) = self.parents.get_mut(place) else { return };
        parent.checked_against = Some(hash);
        let before = parent.bytes();
        let is_block = |watched: &Arc<Watched>| {
            watched.header.hash == hash && watched.signed.message.is_sealed
        };
        if let Some(sealed) = parent.all.iter().find(|watched| is_block(watched)).cloned() {
            // A block that breaks such a prefix also breaks the sealed block.
            parent.all.retain(|watched| {
                watched.signer != sealed.signer
                    || watched.condition() != sealed.condition()
                    || !watched.is_extended_by(&sealed)
            });
        }
        for watched in &mut parent.all {
            if let Body::Own(all) = &watched.body
                && watched.header.hash == hash
            {
                let count = all.len();
                *watched = Arc::new(Watched {
                    body: Body::InBlock { hash, count },
                    ..(**watched).clone()
                });
            }
        }
        let after = parent.bytes();
        self.bytes = self.bytes + after - before;
    }

    /// Schedules another check of all messages, after another account became liable for a signer.
    pub(super) fn recheck_all(&mut self) {
        self.recheck();
        let several = self.parents.iter().filter(|(_, parent)| parent.all.len() > 1);
        self.conflicts.extend(several.map(|(place, _)| *place));
    }

    /// Schedules another check of all messages against the rollup's blocks, after an L1 reorg.
    pub(super) fn recheck(&mut self) {
        self.parents.values_mut().for_each(|parent| parent.checked_against = None);
    }
}

#[cfg(test)]
pub(super) mod tests;
