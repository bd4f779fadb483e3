//! Deletion of states that have left the window, and of log segments behind them.
//!
//! Each node records the epoch of its last write. An epoch is the highest block number so far, so
//! it never goes back, even across branches. When the state of block `n` becomes the oldest that is
//! kept, a node is deleted if the state of `n` does not have it and its epoch is not later than
//! `n`: then neither a newer state of the canonical chain has it, nor a branch that leaves that
//! chain at `n` or above. Candidates are in the state that was the oldest before, and in those that
//! were written in an epoch up to `n`, including those of abandoned branches.
//!
//! Pruning looks at the chain as the state store has it, which may be some commits behind: the
//! states that were needed then include those that are needed now.

use crate::{
    DiskError,
    difference::only_in_old,
    disk_store::Inner,
    state::{Meta, node_key},
};
use alloy_primitives::B256;
use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering,
};
use trie::{NodePath, TrieError};

impl Inner {
    /// Forgets all that has left the window.
    pub(crate) fn prune(&self) -> Result<(), DiskError> {
        let _one = self.pruning.lock();
        while let Some(oldest) = self.next_oldest()? {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !self.prune_to(oldest)? {
                break;
            }
        }
        self.forget_witnesses()
    }

    /// Number of the block whose state becomes the oldest, if the oldest one is to go.
    fn next_oldest(&self) -> Result<Option<u64>, DiskError> {
        let Some(range) = self.canonical.read().clone() else { return Ok(None) };
        let bound = range.end.saturating_sub(self.options.states.max(1)).max(range.start);
        let oldest = self.state.number(Meta::Pruned)?.unwrap_or(range.start).max(range.start);
        Ok((oldest < bound).then_some(oldest + 1))
    }

    /// Prunes, and returns `true` if that was possible: not if the chain has moved meanwhile, or if
    /// nothing can be written.
    fn prune_to(&self, oldest: u64) -> Result<bool, DiskError> {
        {
            // Between two commits: the writes of a commit in progress would be unknown.
            let _writer = self.writer.lock();
            *self.written_meanwhile.lock() = Some(HashSet::new());
        }
        let found = self.find_garbage(oldest);
        let _writer = self.writer.lock();
        let written = self.written_meanwhile.lock().take().unwrap_or_default();
        let Garbage { keep, nodes, roots } = found?;
        // It is looked at again after the next commit if the chain has moved meanwhile.
        if self.pending.check().is_err() || self.state.canonical_hash(oldest)? != Some(keep) {
            return Ok(false);
        }
        let mut batch = self.state.batch();
        for key in nodes.into_iter().filter(|key| !written.contains(key)) {
            batch.remove(&self.state.nodes, key);
        }
        for key in roots {
            batch.remove(&self.state.written, key);
        }
        self.state.put_meta(&mut batch, Meta::Pruned, &oldest.to_be_bytes());
        if let Err(error) = self.state.commit(batch) {
            self.pending.break_off(&error);
            return Err(error);
        }
        Ok(true)
    }

    fn find_garbage(&self, oldest: u64) -> Result<Garbage, DiskError> {
        let missing = |number| DiskError::malformed("chain", format!("block {number} is missing"));
        let block = |number: u64| match self.state.canonical_hash(number)? {
            Some(hash) => self.read_block(&hash)?.ok_or_else(|| missing(number)),
            None => Err(missing(number)),
        };
        let (before, keep) = (block(oldest.saturating_sub(1))?, block(oldest)?);
        let mut states = HashSet::from([before.header.state_root]);
        let mut roots = Vec::new();
        for guard in self.state.written.range(..=[&oldest.to_be_bytes()[..], &[0xff; 32]].concat())
        {
            let (key, root) = guard.into_inner()?;
            states.insert(
                B256::try_from(&root[..])
                    .map_err(|_| DiskError::malformed("root of a state", "not 32 bytes"))?,
            );
            roots.push(key.to_vec());
        }
        let mut nodes = HashMap::new();
        let mut fault = None;
        for state in states {
            let found =
                only_in_old(&self.state, state, keep.header.state_root, |(owner, path, hash)| {
                    let place = NodePath { owner: owner.as_ref(), nibbles: &path };
                    match self.state.epoch(place, &hash) {
                        Ok(epoch) => drop(nodes.insert(node_key(place, &hash), epoch)),
                        Err(error) => fault = Some(error),
                    }
                });
            found.map_err(|error| match error {
                TrieError::Source(error) => DiskError::malformed("state", error),
                error => DiskError::malformed("state", error),
            })?;
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        let is_old = |(key, epoch): (Vec<u8>, Option<u64>)| {
            epoch.is_some_and(|epoch| epoch <= oldest).then_some(key)
        };
        Ok(Garbage {
            keep: keep.hash,
            nodes: nodes.into_iter().filter_map(is_old).collect(),
            roots,
        })
    }

    /// Removes segments of the log of which no witness is to be kept.
    fn forget_witnesses(&self) -> Result<(), DiskError> {
        let Some(range) = self.canonical.read().clone() else { return Ok(()) };
        let oldest = range.end.saturating_sub(self.options.witnesses.max(1));
        if oldest <= range.start {
            return Ok(());
        }
        let Some(hash) = self.state.canonical_hash(oldest)? else { return Ok(()) };
        let Some(position) = self.state.record_of(&hash)? else { return Ok(()) };
        let first = self.kept.read().map(|(_, first)| first);
        if first.is_none_or(|first| first >= position.segment) || self.pending.check().is_err() {
            return Ok(());
        }
        // The state store must have everything durably that the log forgets. It has applied the
        // record at `position`, so all before it too.
        {
            let mut writer = self.writer.lock();
            let mut batch = self.state.batch();
            // Before they are removed: a segment that is missing later is noticed.
            self.state.put_meta(&mut batch, Meta::Segment, &position.segment.to_be_bytes());
            self.state.commit(batch)?;
            self.sync(&mut writer)?;
        }
        let mut end = self.log.lock();
        if let Some(log) = end.log.as_mut() {
            let forgotten = log.forget_before(position);
            if let Some((_, first)) = &mut *self.kept.write() {
                *first = log.first();
            }
            forgotten?;
        }
        Ok(())
    }
}

/// Garbage that results when a state becomes the oldest one.
struct Garbage {
    /// Hash of the block whose state that is.
    keep: B256,
    /// Keys of nodes.
    nodes: Vec<Vec<u8>>,
    /// Keys of the states that were looked at, and need not be again.
    roots: Vec<Vec<u8>>,
}
