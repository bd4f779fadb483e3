//! Application of commits to the state store.

use crate::{
    DiskError,
    block::encode_block,
    disk_store::{Inner, Writer},
    node_location::{Placed, place_nodes},
    pending::Commit,
    repair::guard,
    state::{Meta, node_key, position_bytes},
    value::node_value,
};
use alloy_primitives::B256;
use fjall::OwnedWriteBatch;
use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, mpsc::SyncSender},
};

/// Maximum number of nodes in a batch, because a batch is held in memory.
const NODES_PER_BATCH: usize = 20_000;

/// Interval, in commits, at which all memtables are flushed while the state store has a full
/// journal. A rarely written keyspace would otherwise keep the journal for a long time, and opening
/// the store reads all journals. After a few commits each keyspace has an entry that is newer than
/// the journal. It must not be a tombstone, which may vanish when tables are merged.
const EVICTION: u64 = 4;

impl Inner {
    /// Applies queued commits until the queue is closed or writing fails.
    pub(crate) fn run_writer(&self, wake: &SyncSender<()>) {
        let _guard = self.pending.writer_guard();
        while let Some(commit) = self.pending.next() {
            if let Err(error) = guard(|| self.apply_queued(&commit)) {
                self.record_damage(&error);
                self.pending.fail_writes(&error);
                tracing::error!(%error, "state store stopped applying commits; the block log has all of them");
                return;
            }
            self.pending.done(&commit);
            // If this fails, the pruning thread has already been woken.
            let _ = wake.try_send(());
        }
    }

    /// Writes a queued commit and caches its content.
    fn apply_queued(&self, commit: &Commit) -> Result<(), DiskError> {
        let mut writer = self.writer.lock();
        self.write(&mut writer, commit, None)?;
        for (hash, node) in &commit.changes.nodes {
            self.nodes.put(*hash, node.clone(), node.len());
        }
        if writer.unsynced >= self.options.lag {
            self.sync(&mut writer)?;
        }
        writer.journal_full_for =
            if self.state.has_full_journal() { writer.journal_full_for + 1 } else { 0 };
        if writer.journal_full_for != 0 && writer.journal_full_for.is_multiple_of(EVICTION) {
            self.state.write_tables()?;
        }
        Ok(())
    }

    /// Writes a commit into the state store; with `genesis`, it is the first commit of a chain.
    ///
    /// If this fails, the content of the store is unknown, so all later writes fail until the chain
    /// is reopened.
    pub(crate) fn write(
        &self,
        writer: &mut Writer,
        commit: &Commit,
        genesis: Option<B256>,
    ) -> Result<(), DiskError> {
        let written = self.try_write(writer, commit, genesis);
        if let Err(error) = &written {
            self.pending.fail_writes(error);
        }
        written
    }

    fn try_write(
        &self,
        writer: &mut Writer,
        commit: &Commit,
        genesis: Option<B256>,
    ) -> Result<(), DiskError> {
        let Commit { changes, blocks, moves, placed, record, .. } = commit;
        let placed = match placed {
            Some(placed) => Cow::Borrowed(placed),
            None => Cow::Owned(place_nodes(changes, &self.state)?),
        };
        let highest = changes.blocks.iter().map(|block| block.header.number).max();
        let epoch = writer.epoch.max(highest.unwrap_or_default());
        let mut batch = self.put_nodes(&placed, epoch)?;
        let state = &self.state;
        for (hash, code) in &changes.codes {
            batch.insert(&state.codes, hash.as_slice(), &code.original_bytes()[..]);
        }
        if !changes.nodes.is_empty() {
            let of_blocks =
                changes.blocks.iter().map(|block| (block.hash, block.header.state_root));
            for (name, root) in of_blocks.chain(changes.roots.iter().map(|root| (*root, *root))) {
                let key = [&epoch.to_be_bytes(), name.as_slice()].concat();
                batch.insert(&state.written, key, root.as_slice());
            }
        }
        let slots = changes.preimages.iter().flat_map(|(address, slots)| {
            let of_slots = slots
                .iter()
                .map(move |slot| [address.as_slice(), &slot.to_be_bytes::<32>()].concat());
            core::iter::once(address.to_vec()).chain(of_slots)
        });
        for key in slots.collect::<HashSet<_>>() {
            batch.insert(&state.preimages, key, &[][..]);
        }
        for (hash, block) in blocks {
            batch.insert(&state.blocks, hash.as_slice(), encode_block(block));
        }
        for (hash, position) in commit.witnessed() {
            batch.insert(&state.records, hash.as_slice(), position_bytes(position));
        }
        if let Some((_, end)) = record {
            state.put_meta(&mut batch, Meta::Applied, &position_bytes(*end));
        }
        state.put_meta(&mut batch, Meta::Epoch, &epoch.to_be_bytes());
        if let Some(genesis) = genesis {
            state.put_meta(&mut batch, Meta::Genesis, genesis.as_slice());
        }
        for (number, hash) in &moves.numbers {
            match hash {
                Some(hash) => {
                    batch.insert(&state.canonical, number.to_be_bytes(), hash.as_slice());
                }
                None => batch.remove(&state.canonical, number.to_be_bytes()),
            }
        }
        for (hash, location) in &moves.transactions {
            match location {
                Some(at) => {
                    let index = u32::try_from(at.index).unwrap_or(u32::MAX).to_be_bytes();
                    let value = [at.block.as_slice(), &index].concat();
                    batch.insert(&state.transactions, hash.as_slice(), value);
                }
                None => batch.remove(&state.transactions, hash.as_slice()),
            }
        }
        state.commit(batch)?;
        if let Some(range) = &moves.range {
            *self.canonical.write() = Some(range.clone());
        }
        for (hash, block) in blocks {
            self.blocks.put(*hash, Arc::clone(block), block.memory());
        }
        writer.epoch = epoch;
        writer.unsynced += 1;
        Ok(())
    }

    /// Writes full batches of nodes if there are very many, and returns a batch with the rest.
    /// Early nodes have no effect, because nothing refers to them yet.
    fn put_nodes(&self, nodes: &[Placed], epoch: u64) -> Result<OwnedWriteBatch, DiskError> {
        // Sorted and deduplicated by key, because a batch must not contain a key twice.
        let mut keyed: Vec<_> =
            nodes.iter().map(|node| (node_key(node.place(), &node.hash), &node.node)).collect();
        keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        keyed.dedup_by(|(one, _), (other, _)| one == other);
        if let Some(written) = &mut *self.written_meanwhile.lock() {
            written.extend(keyed.iter().map(|(key, _)| key.clone()));
        }
        let mut batch = self.state.batch();
        for (index, (key, node)) in keyed.into_iter().enumerate() {
            if index % NODES_PER_BATCH == NODES_PER_BATCH - 1 {
                self.state.commit(core::mem::replace(&mut batch, self.state.batch()))?;
            }
            batch.insert(&self.state.nodes, key, node_value(epoch, node));
        }
        Ok(batch)
    }

    /// Syncs everything written so far to disk.
    pub(crate) fn sync(&self, writer: &mut Writer) -> Result<(), DiskError> {
        if let Err(error) = self.state.sync() {
            self.pending.fail_writes(&error);
            return Err(error);
        }
        writer.unsynced = 0;
        Ok(())
    }

    /// Applies all queued commits and syncs them to disk.
    pub(crate) fn flush(&self) -> Result<(), DiskError> {
        self.pending.settle()?;
        let mut writer = self.writer.lock();
        if writer.unsynced == 0 { Ok(()) } else { self.sync(&mut writer) }
    }
}
