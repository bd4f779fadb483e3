//! Deletion of states that have left the retention window, and of old log segments.
//!
//! Each node is stored with the epoch of its last write. The epoch is the highest block number so
//! far, so it never decreases, even across branches. When the state of block `n` becomes the oldest
//! retained state, a node is deleted if it is not in that state and its epoch is at most `n`. No
//! newer state of the canonical chain contains such a node, and neither does a branch that forks
//! off at `n` or above. Candidates are the nodes of the state that was the oldest before, and those
//! of states that were written in an epoch up to `n`, including abandoned branches.
//!
//! Pruning works on the chain in the state store, which may be some commits behind. This is safe,
//! because all states that are needed now were also needed at the earlier commit.

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
    /// Deletes everything outside the retention window.
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
        self.remove_old_witnesses()
    }

    /// Returns the number of the block whose state becomes the oldest, if the oldest state is to be
    /// deleted.
    fn next_oldest(&self) -> Result<Option<u64>, DiskError> {
        let Some(range) = self.canonical.read().clone() else { return Ok(None) };
        let bound = range.end.saturating_sub(self.options.states.max(1)).max(range.start);
        let oldest = self.state.number(Meta::Pruned)?.unwrap_or(range.start).max(range.start);
        Ok((oldest < bound).then_some(oldest + 1))
    }

    /// Prunes up to the state of block `oldest`. Returns `false` if the canonical chain has changed
    /// meanwhile, or if the store rejects writes.
    fn prune_to(&self, oldest: u64) -> Result<bool, DiskError> {
        {
            // Holds the writer's lock, because the writes of a commit in progress would be missed.
            let _writer = self.writer.lock();
            *self.written_meanwhile.lock() = Some(HashSet::new());
        }
        let found = self.find_garbage(oldest);
        let _writer = self.writer.lock();
        let written = self.written_meanwhile.lock().take().unwrap_or_default();
        let Garbage { keep, nodes, roots } = found?;
        // If the chain has changed meanwhile, pruning is retried after the next commit.
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
            self.pending.fail_writes(&error);
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

    /// Removes the log segments whose witnesses are all outside the retention window.
    fn remove_old_witnesses(&self) -> Result<(), DiskError> {
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
        // Everything in the removed segments must be durable in the state store. It has applied the
        // record at `position`, and therefore all records before it.
        {
            let mut writer = self.writer.lock();
            let mut batch = self.state.batch();
            // Stored before the segments are removed, so that the loss of a later segment is
            // detected.
            self.state.put_meta(&mut batch, Meta::Segment, &position.segment.to_be_bytes());
            self.state.commit(batch)?;
            self.sync(&mut writer)?;
        }
        let mut end = self.log.lock();
        if let Some(log) = end.log.as_mut() {
            let forgotten = log.remove_segments_before(position);
            if let Some((_, first)) = &mut *self.kept.write() {
                *first = log.first();
            }
            forgotten?;
        }
        Ok(())
    }
}

/// Data that can be deleted when a state becomes the oldest one.
struct Garbage {
    /// Hash of the block with this state.
    keep: B256,
    /// Keys of nodes.
    nodes: Vec<Vec<u8>>,
    /// Keys of the states that were examined and need not be examined again.
    roots: Vec<Vec<u8>>,
}
