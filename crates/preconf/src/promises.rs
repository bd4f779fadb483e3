//! Promises of a signer, which determine whether it may sign another header.

use crate::{HeaderSummary, Preconfirmation};
use alloy_primitives::B256;
use std::collections::BTreeMap;

/// Maximum number of conflicting promises for one parent. Each needs an L1 reorganization, or half
/// of the rollup's maximum lag.
const MAX_FOR_PARENT: usize = 64;

/// A header that a signer has promised, or that is checked before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// The message.
    pub message: Preconfirmation,
    /// The header whose hash the message contains.
    pub header: HeaderSummary,
    /// Hashes of the transactions of its block.
    pub transactions: Vec<B256>,
    /// Number and hash of the L1 block that the block's anchor names; number 0 if the block has no
    /// new anchor, or if it is unknown. The rollup only accepts the block, signed or not, on L1
    /// chains that contain this L1 block.
    pub anchor: (u64, B256),
}

/// All promises of a signer that may still be evidence.
///
/// No two promises that pass [`Self::check`] one after the other are evidence of an
/// [`equivocation`](crate::faults::equivocation), for any L1 reorgs: a second header for a
/// parent extends the first one, or its timestamp is after the first promise has ended, or the
/// first promise is void on every L1 chain on which the second one is not. L1 cannot include either
/// block on a chain on which the promise about the other one is valid, because the block's anchor
/// is on none of these chains. The condition of a promise is not sufficient for that: L1 does not
/// enforce it, and the transaction of a block whose promise is void may be in flight.
#[derive(Debug)]
pub struct Promises {
    /// Seconds from the timestamp of a block for which its promise binds the signer.
    binds_for: u64,
    /// Promises, by block number and parent hash.
    by_parent: BTreeMap<(u64, B256), Vec<Promised>>,
    /// Unsigned blocks that L1 may include although they were replaced, by block number and parent
    /// hash.
    unsigned: BTreeMap<(u64, B256), Vec<Promised>>,
}

/// A header that contradicts an earlier promise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {number} on {parent}: {got} contradicts {promised}, which is binding until {until} or until L1 replaces block {l1_block}"
)]
pub struct Conflict {
    /// Number of the block.
    pub number: u64,
    /// Hash of its parent.
    pub parent: B256,
    /// Hash of the header that contradicts the promise.
    pub got: B256,
    /// Hash of the promised header.
    pub promised: B256,
    /// Timestamp from which the signer may sign another block, in seconds.
    pub until: u64,
    /// L1 block on which the promise depends; 0 for none.
    pub l1_block: u64,
}

/// Function that returns `true` if L1's canonical block at this number has another hash.
pub type IsReplaced<'a> = &'a dyn Fn(u64, B256) -> bool;

impl Promises {
    /// Creates an empty list. A promise binds the signer for `binds_for` seconds from the timestamp
    /// of its block, i.e. until L1 no longer accepts the block. This is longer than the promise can
    /// be broken, because until then any account may post the signed block, which would break a
    /// promise about another block.
    pub const fn new(binds_for: u64) -> Self {
        Self { binds_for, by_parent: BTreeMap::new(), unsigned: BTreeMap::new() }
    }

    /// Returns the time for which a promise binds the signer, in seconds from the timestamp of its
    /// block.
    pub const fn binds_for(&self) -> u64 {
        self.binds_for
    }

    /// Checks that a header may be signed.
    ///
    /// # Errors
    ///
    /// [`Conflict`] if the header contradicts an earlier promise, or if L1 may include another
    /// known block with this parent.
    pub fn check(&self, new: &Promised, is_replaced: IsReplaced<'_>) -> Result<(), Conflict> {
        let (promises, unsigned) = self.of_parent(new);
        let (condition, anchor) = (new.condition().0, new.anchor.0);
        let is_void = is_removed(new.condition(), is_replaced);
        // Every L1 chain on which the new condition holds has another block at that number.
        let excludes = |block| is_removed(block, is_replaced) && !is_void && condition >= block.0;
        // The new header extends a promise under the same condition, which contradicts `old` and
        // was checked against it.
        let continues = |old: &Promised| {
            let is_continued =
                |promise: &&Promised| promise.condition() == new.condition() && promise.allows(new);
            promises.iter().filter(is_continued).any(|promise| !promise.allows(old))
        };
        let is_kept = |old: &&Promised| {
            old.allows(new)
                || self.has_ended(old, new)
                || is_removed(old.condition(), is_replaced)
                    && (continues(old)
                        || excludes(old.condition())
                            && anchor >= old.condition().0
                            && excludes(old.anchor))
        };
        let in_force = promises.iter().filter(|old| !self.has_ended(old, new));
        // At the limit, `add_unsigned` may have dropped blocks, so nothing can be promised.
        if let Some(old) = in_force.chain(unsigned).nth(MAX_FOR_PARENT - 1) {
            return Err(self.conflict(new, old));
        }
        self.all_kept(new, promises, is_kept)?;
        self.all_kept(new, unsigned, |block| {
            new.allows(block)
                || self.has_ended(block, new)
                || is_removed(block.anchor, is_replaced)
                    && (continues(block) || excludes(block.anchor))
        })
    }

    /// Checks that a block may be sealed unsigned.
    ///
    /// # Errors
    ///
    /// [`Conflict`] if the block contradicts an earlier promise.
    pub fn check_unsigned(
        &self,
        new: &Promised,
        is_replaced: IsReplaced<'_>,
    ) -> Result<(), Conflict> {
        let (promises, _) = self.of_parent(new);
        // Once L1 has returned to the chain of an earlier promise, that promise is valid again, and
        // those that contradict it are void.
        let continues = |old: &Promised| {
            let is_continued = |promise: &&Promised| {
                !is_removed(promise.condition(), is_replaced) && promise.allows(new)
            };
            promises.iter().filter(is_continued).any(|promise| !promise.allows(old))
        };
        self.all_kept(new, promises, |old| {
            old.allows(new)
                || self.has_ended(old, new)
                || is_removed(old.condition(), is_replaced)
                    && (continues(old) || new.anchor.0 >= old.condition().0)
        })
    }

    /// Returns `true` if a block contradicts a promise whose condition holds on L1's canonical
    /// chain.
    pub fn is_excluded(&self, block: &Promised, is_replaced: IsReplaced<'_>) -> bool {
        let (promises, _) = self.of_parent(block);
        promises.iter().any(|promise| {
            let is_void = is_removed(promise.condition(), is_replaced);
            !is_void && !promise.allows(block) && !self.has_ended(promise, block)
        })
    }

    /// Returns the promises and the unsigned blocks for the parent of this block.
    fn of_parent(&self, block: &Promised) -> (&[Promised], &[Promised]) {
        let key = (block.header.number, block.header.parent);
        let [promises, unsigned] = [&self.by_parent, &self.unsigned].map(|all| all.get(&key));
        (promises.map_or(&[], Vec::as_slice), unsigned.map_or(&[], Vec::as_slice))
    }

    fn all_kept(
        &self,
        new: &Promised,
        others: &[Promised],
        is_kept: impl Fn(&&Promised) -> bool,
    ) -> Result<(), Conflict> {
        let broken = others.iter().find(|old| !is_kept(old));
        broken.map_or(Ok(()), |old| Err(self.conflict(new, old)))
    }

    const fn conflict(&self, new: &Promised, old: &Promised) -> Conflict {
        Conflict {
            number: new.header.number,
            parent: new.header.parent,
            got: new.header.hash,
            promised: old.header.hash,
            until: self.end(old),
            l1_block: old.message.l1_block,
        }
    }

    /// Adds a block that is sealed unsigned, which L1 may include even if it is replaced. Returns
    /// `false` if the block is already known, or if there are too many blocks for this parent.
    pub fn add_unsigned(&mut self, block: Promised) -> bool {
        let key = (block.header.number, block.header.parent);
        let blocks = self.unsigned.entry(key).or_default();
        // `check` rejects every header for this parent once the list is full.
        let is_full = blocks.len() >= MAX_FOR_PARENT;
        let is_new = !is_full && blocks.iter().all(|known| known.header.hash != block.header.hash);
        if is_new {
            blocks.push(block);
        }
        is_new
    }

    /// Adds a promise that has passed [`Self::check`].
    pub fn add(&mut self, new: Promised) {
        let others = self.by_parent.entry((new.header.number, new.header.parent)).or_default();
        let condition = Promised::condition;
        // Reading a journal twice must not add duplicates.
        let implies =
            |old: &Promised| new.allows(old) && (old.message.is_sealed || !new.message.is_sealed);
        if others.iter().any(|old| implies(old) && condition(old) == condition(&new)) {
            return;
        }
        // The longer prefix replaces the shorter one: every header that extends it also extends the
        // shorter one.
        match others.iter_mut().find(|old| old.allows(&new) && condition(old) == condition(&new)) {
            Some(old) if old.message.is_sealed => {}
            Some(old) => *old = new,
            None => others.push(new),
        }
    }

    /// Returns the minimum L1 block number for the anchor of another header for this parent: the
    /// highest condition of a promise that has not ended at this timestamp.
    pub fn min_anchor(&self, number: u64, parent: B256, timestamp: u64) -> u64 {
        let promises = self.by_parent.get(&(number, parent)).into_iter().flatten();
        let in_force = promises.filter(|promise| timestamp < self.end(promise));
        in_force.map(|promise| promise.message.l1_block).max().unwrap_or_default()
    }

    /// Returns the minimum L1 block number for the condition of such a header: it also excludes
    /// replaced blocks without a signature, whose anchors L1 has lost.
    pub fn min_condition(
        &self,
        number: u64,
        parent: B256,
        timestamp: u64,
        is_replaced: IsReplaced<'_>,
    ) -> u64 {
        let unsigned = self.unsigned.get(&(number, parent)).into_iter().flatten();
        let in_flight = unsigned.filter(|promise| timestamp < self.end(promise));
        let removed = in_flight
            .map(|promise| promise.anchor)
            .filter(|anchor| is_removed(*anchor, is_replaced));
        let minimum = self.min_anchor(number, parent, timestamp);
        removed.map(|(l1_block, _)| l1_block).fold(minimum, u64::max)
    }

    /// Returns `true` if another block with this parent was promised.
    pub fn has_other(&self, number: u64, parent: B256, hash: B256) -> bool {
        let promises = self.by_parent.get(&(number, parent)).into_iter().flatten();
        promises.into_iter().any(|promise| promise.header.hash != hash)
    }

    /// Returns `true` if this block was promised as sealed.
    pub fn has_sealed(&self, number: u64, hash: B256) -> bool {
        let of_number =
            self.by_parent.range((number, B256::ZERO)..=(number, B256::repeat_byte(255)));
        of_number
            .flat_map(|(_, all)| all)
            .any(|promise| promise.message.is_sealed && promise.header.hash == hash)
    }

    /// Drops promises and unsigned blocks up to this number, which are final on L1.
    pub fn forget_up_to(&mut self, number: u64) {
        let first = (number.saturating_add(1), B256::ZERO);
        self.by_parent = self.by_parent.split_off(&first);
        self.unsigned = self.unsigned.split_off(&first);
    }

    const fn end(&self, promise: &Promised) -> u64 {
        promise.header.timestamp.saturating_add(self.binds_for)
    }

    /// Returns `true` if L1 no longer accepts the old block at the timestamp of the new one.
    const fn has_ended(&self, old: &Promised, new: &Promised) -> bool {
        new.header.timestamp >= self.end(old)
    }
}

/// Returns `true` if L1's canonical chain has another block at this number. Number zero means that
/// there is no condition or no anchor.
fn is_removed((number, hash): (u64, B256), is_replaced: IsReplaced<'_>) -> bool {
    number > 0 && is_replaced(number, hash)
}

impl Promised {
    /// Returns number and hash of the L1 block on which the promise depends.
    const fn condition(&self) -> (u64, B256) {
        (self.message.l1_block, self.message.l1_hash)
    }

    /// Returns `true` if the other header keeps this promise, i.e. is the same header or extends
    /// this prefix.
    fn allows(&self, other: &Self) -> bool {
        if self.header.environment != other.header.environment
            || self.message.schema != other.message.schema
        {
            return false;
        }
        let extends = !self.message.is_sealed
            && other.transactions.len() > self.transactions.len()
            && other.transactions.starts_with(&self.transactions);
        self.header.hash == other.header.hash || extends
    }
}
