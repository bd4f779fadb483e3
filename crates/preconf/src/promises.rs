//! What a signer has promised, and what it may still sign.

use crate::{HeaderSummary, Preconfirmation};
use alloy_primitives::B256;
use std::collections::BTreeMap;

/// Maximum number of conflicting promises for one parent. Each needs an L1 reorganization, or half
/// of the rollup's maximum lag.
const MAX_FOR_PARENT: usize = 64;

/// A header that a signer has promised, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// The message.
    pub message: Preconfirmation,
    /// The header whose hash the message contains.
    pub header: HeaderSummary,
    /// Hashes of the transactions of its block.
    pub transactions: Vec<B256>,
}

/// All promises of a signer that may still be evidence.
///
/// No two promises that pass [`Self::check`] one after the other are evidence of an
/// [`equivocation`](crate::faults::equivocation), in any history of L1: a second header for a parent
/// either extends the first one, or comes after its end, or the first one is void on each L1 chain
/// on which the second one is not. L1 accepts the second block only on the latter chains, since its
/// anchor is on no other: so it does not break the first promise either.
#[derive(Debug)]
pub struct Promises {
    /// Seconds from the timestamp of a block for which its promise binds the signer.
    binds_for: u64,
    /// By number of the block and hash of its parent.
    by_parent: BTreeMap<(u64, B256), Vec<Promised>>,
    /// Blocks without a signature that L1 may include although they were replaced. The condition of
    /// each is the L1 block of its new anchor.
    replaced: BTreeMap<(u64, B256), Vec<Promised>>,
}

/// A header that contradicts an earlier promise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {number} on {parent}: {got} contradicts {promised}, which binds until {until} or until L1 replaces block {l1_block}"
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

/// Returns `true` if L1's chain has another block than this one at this number.
pub type IsReplaced<'a> = &'a dyn Fn(u64, B256) -> bool;

impl Promises {
    /// Creates an empty list. A promise binds the signer for `binds_for` seconds from the timestamp
    /// of its block: until L1 accepts the block no more, which is later than another block stops to
    /// break the promise. Until then anyone may post the signed block, which would break the promise
    /// about another one.
    pub const fn new(binds_for: u64) -> Self {
        Self { binds_for, by_parent: BTreeMap::new(), replaced: BTreeMap::new() }
    }

    /// Seconds from the timestamp of a block for which its promise binds the signer.
    pub const fn binds_for(&self) -> u64 {
        self.binds_for
    }

    /// Checks that a header may be signed. `anchor` is the number of the L1 block of the new anchor in
    /// its block, or zero.
    ///
    /// # Errors
    ///
    /// [`Conflict`] if it contradicts an earlier promise, or if L1 may include another block without
    /// a signature in its place.
    pub fn check(
        &self,
        new: &Promised,
        anchor: u64,
        is_replaced: IsReplaced<'_>,
    ) -> Result<(), Conflict> {
        self.check_replaced(new, is_replaced)?;
        let is_continued = |old: &Promised| old.condition() == new.condition();
        let is_void = is_void(new, is_replaced);
        self.check_all(new, is_replaced, is_continued, |old| {
            // Both conditions never hold on one L1 chain: at this number the chains on which they
            // hold have different blocks.
            !is_void && new.message.l1_block.min(anchor) >= old.message.l1_block
        })
    }

    /// Checks that a block may be sealed without a signature; `anchor` as in [`Self::check`].
    ///
    /// # Errors
    ///
    /// [`Conflict`] if it contradicts an earlier promise.
    pub fn check_unsigned(
        &self,
        new: &Promised,
        anchor: u64,
        is_replaced: IsReplaced<'_>,
    ) -> Result<(), Conflict> {
        let is_continued = |old: &Promised| {
            old.message.is_unconditional()
                || !is_replaced(old.message.l1_block, old.message.l1_hash)
        };
        self.check_all(new, is_replaced, is_continued, |old| anchor >= old.message.l1_block)
    }

    fn check_all(
        &self,
        new: &Promised,
        is_replaced: IsReplaced<'_>,
        is_continued: impl Fn(&Promised) -> bool,
        excludes: impl Fn(&Promised) -> bool,
    ) -> Result<(), Conflict> {
        let key = (new.header.number, new.header.parent);
        let others = self.by_parent.get(&key).map(Vec::as_slice).unwrap_or_default();
        // L1 has returned to the chain of an earlier promise, which excludes those that contradict it.
        let continues = |old: &Promised| {
            others.iter().any(|it| it.allows(new) && is_continued(it) && !it.allows(old))
        };
        let is_kept = |old: &&Promised| {
            let has_ended = new.header.timestamp >= self.end(old);
            old.allows(new)
                || has_ended
                || is_void(old, is_replaced) && (continues(old) || excludes(old))
        };
        self.all_kept(new, others, is_kept)
    }

    /// Checks that no replaced block breaks the promise about a header.
    fn check_replaced(&self, new: &Promised, is_replaced: IsReplaced<'_>) -> Result<(), Conflict> {
        let key = (new.header.number, new.header.parent);
        let blocks = self.replaced.get(&key).map(Vec::as_slice).unwrap_or_default();
        self.all_kept(new, blocks, |block| {
            let has_ended = new.header.timestamp >= self.end(block);
            // On each L1 chain on which the promise holds, the anchor of the block is gone.
            let is_excluded = is_void(block, is_replaced)
                && !is_void(new, is_replaced)
                && new.message.l1_block >= block.message.l1_block;
            new.allows(block) || has_ended || is_excluded
        })
    }

    fn all_kept(
        &self,
        new: &Promised,
        others: &[Promised],
        is_kept: impl Fn(&&Promised) -> bool,
    ) -> Result<(), Conflict> {
        let broken = match others.iter().find(|old| !is_kept(old)) {
            None if others.len() < MAX_FOR_PARENT => return Ok(()),
            None => others.last(),
            found => found,
        };
        broken.map_or(Ok(()), |old| {
            Err(Conflict {
                number: new.header.number,
                parent: new.header.parent,
                got: new.header.hash,
                promised: old.header.hash,
                until: self.end(old),
                l1_block: old.message.l1_block,
            })
        })
    }

    /// Adds a block that was sealed without a signature and is about to be replaced. Its condition
    /// is the L1 block of its new anchor: L1 may include it on all chains that have this one.
    pub fn add_replaced(&mut self, block: Promised) {
        let key = (block.header.number, block.header.parent);
        let blocks = self.replaced.entry(key).or_default();
        // With so many, nothing is signed for this parent.
        let is_full = blocks.len() >= MAX_FOR_PARENT;
        if !is_full && blocks.iter().all(|it| it.header.hash != block.header.hash) {
            blocks.push(block);
        }
    }

    /// Adds a promise that has passed [`Self::check`].
    pub fn add(&mut self, new: Promised) {
        let others = self.by_parent.entry((new.header.number, new.header.parent)).or_default();
        let condition = Promised::condition;
        // A journal that is read again adds nothing.
        let implies =
            |old: &Promised| new.allows(old) && (old.message.is_sealed || !new.message.is_sealed);
        if others.iter().any(|old| implies(old) && condition(old) == condition(&new)) {
            return;
        }
        // What extends the longer prefix also extends the shorter one.
        match others.iter_mut().find(|old| old.allows(&new) && condition(old) == condition(&new)) {
            Some(old) if old.message.is_sealed => {}
            Some(old) => *old = new,
            None => others.push(new),
        }
    }

    /// Returns the lowest number of the L1 block that the condition and the anchor of another header
    /// for this parent, with this timestamp, have to name: the highest in an earlier promise that
    /// has not ended by then.
    pub fn least_condition(&self, number: u64, parent: B256, timestamp: u64) -> u64 {
        let promises = self.by_parent.get(&(number, parent)).into_iter().flatten();
        let in_force = promises.filter(|it| timestamp < self.end(it));
        in_force.map(|it| it.message.l1_block).max().unwrap_or_default()
    }

    /// Returns `true` if another block was promised for the parent of this one.
    pub fn has_other(&self, number: u64, parent: B256, hash: B256) -> bool {
        let promises = self.by_parent.get(&(number, parent)).into_iter().flatten();
        promises.into_iter().any(|it| it.header.hash != hash)
    }

    /// Returns `true` if this block was promised as sealed.
    pub fn has_sealed(&self, number: u64, hash: B256) -> bool {
        let of_number =
            self.by_parent.range((number, B256::ZERO)..=(number, B256::repeat_byte(255)));
        of_number.flat_map(|(_, all)| all).any(|it| it.message.is_sealed && it.header.hash == hash)
    }

    /// Drops what is known about blocks up to this number, which are final on L1.
    pub fn forget_up_to(&mut self, number: u64) {
        let first = (number.saturating_add(1), B256::ZERO);
        self.by_parent = self.by_parent.split_off(&first);
        self.replaced = self.replaced.split_off(&first);
    }

    const fn end(&self, promise: &Promised) -> u64 {
        promise.header.timestamp.saturating_add(self.binds_for)
    }
}

/// Returns `true` if L1's chain lacks the block on which a promise depends.
fn is_void(promised: &Promised, is_replaced: IsReplaced<'_>) -> bool {
    let (l1_block, l1_hash) = promised.condition();
    !promised.message.is_unconditional() && is_replaced(l1_block, l1_hash)
}

impl Promised {
    /// Number and hash of the L1 block on which the promise depends.
    const fn condition(&self) -> (u64, B256) {
        (self.message.l1_block, self.message.l1_hash)
    }

    /// Returns `true` if the other header keeps this promise: it is the same one, or adds
    /// transactions to a prefix.
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
