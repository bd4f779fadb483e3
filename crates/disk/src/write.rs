//! Committing: into the log, then into the state store.

use crate::{
    DiskError, Position,
    block::encode_block,
    canonical::{Moves, accepts},
    disk_store::{Inner, Writer},
    frame::OVERHEAD,
    log::{BlockLog, Opened, read_record},
    place::{Placed, place_nodes},
    record::Record,
    state::{Meta, node_key, node_value, position_bytes},
};
use alloy_primitives::{B256, Bytes, map::B256Map};
use fjall::OwnedWriteBatch;
use std::{collections::HashSet, sync::Arc};
use store::{Block, CanonicalChange, Changes, StoreError};

/// Nodes from which on they go into batches of their own: a batch is held in memory.
const NODES_PER_BATCH: usize = 20_000;

/// What a commit adds and moves.
struct Effects {
    nodes: Vec<Placed>,
    blocks: B256Map<Arc<Block>>,
    moves: Moves,
}

impl Inner {
    /// Keeps all of a commit: it lasts once this returns.
    ///
    /// In the log first, so that whatever happens behind that is made up for when the chain is opened
    /// again. The very first blocks are not in the log: who opens a chain knows them.
    pub(crate) fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        let fault = |error: DiskError| error.during("commit");
        let mut writer = self.writer.lock();
        writer.check().map_err(fault)?;
        let range = self.canonical.read().clone();
        if changes.canonical.as_ref().is_some_and(|change| !accepts(range.as_ref(), change)) {
            return Err(StoreError::gap());
        }
        if changes.blocks.len() != 1 {
            changes.witness = None;
        }
        let Some(log) = &mut writer.log else {
            return self.found(&mut writer, &changes).map_err(fault);
        };
        // All that has to be read is read before anything is written.
        let effects = self.effects(&changes).map_err(fault)?;
        let position = log.append(&Record::encode(&changes)).map_err(fault)?;
        let end = log.end();
        self.write(&mut writer, &changes, effects, Some((position, end))).map_err(fault)?;
        if writer.unsynced >= self.options.lag
            && let Err(error) = self.sync(&mut writer)
        {
            // The commit lasts, for it is in the log; the next one is refused.
            tracing::error!(%error, "the state store cannot be synced");
        }
        Ok(())
    }

    /// Commits to a chain that has no first block yet, and starts the log behind the commit that brings
    /// it.
    fn found(&self, writer: &mut Writer, changes: &Changes) -> Result<(), DiskError> {
        let first = changes.canonical.as_ref().and_then(|change| change.blocks.first());
        writer.genesis = first.map(|block| block.hash);
        let effects = self.effects(changes)?;
        if let Err(error) = self.write(writer, changes, effects, None) {
            writer.genesis = None;
            return Err(error);
        }
        self.sync(writer)?;
        if let Some(genesis) = writer.genesis {
            let applied = Position::start_of(0);
            let folder = self.folder.join("blocks");
            let segment_bytes = self.options.segment_bytes;
            match BlockLog::open(&folder, genesis, segment_bytes, applied) {
                Ok(Opened { log, records, .. }) => {
                    (writer.log, writer.waiting) = (Some(log), records);
                }
                Err(error) => {
                    writer.broken = Some(error.to_string());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What a commit comes to in the state store as it is.
    fn effects(&self, changes: &Changes) -> Result<Effects, DiskError> {
        let range = self.canonical.read().clone();
        Ok(Effects {
            nodes: place_nodes(changes, self)?,
            blocks: self.new_blocks(changes)?,
            moves: Moves::of(changes, range.as_ref(), self)?,
        })
    }

    /// Writes a commit into the state store. `record` says where it stands in the log, and where that
    /// record ends.
    ///
    /// If that fails nobody knows what is there, so nothing more is written: opening the chain again
    /// makes it whole.
    fn write(
        &self,
        writer: &mut Writer,
        changes: &Changes,
        effects: Effects,
        record: Option<(Position, Position)>,
    ) -> Result<(), DiskError> {
        let written = self.try_write(writer, changes, effects, record);
        if let Err(error) = &written {
            writer.broken = Some(error.to_string());
        }
        written
    }

    fn try_write(
        &self,
        writer: &mut Writer,
        changes: &Changes,
        effects: Effects,
        record: Option<(Position, Position)>,
    ) -> Result<(), DiskError> {
        let Effects { nodes, blocks, moves } = effects;
        let highest = changes.blocks.iter().map(|block| block.header.number).max();
        let epoch = writer.epoch.max(highest.unwrap_or_default());
        let mut batch = self.put_nodes(nodes, epoch)?;
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
        for (hash, block) in &blocks {
            batch.insert(&state.blocks, hash.as_slice(), encode_block(block));
        }
        if let Some((start, end)) = record {
            if changes.witness.is_some() {
                for block in &changes.blocks {
                    let position = position_bytes(start);
                    batch.insert(&state.records, block.hash.as_slice(), position);
                }
            }
            state.put_meta(&mut batch, Meta::Applied, &position_bytes(end));
        }
        state.put_meta(&mut batch, Meta::Epoch, &epoch.to_be_bytes());
        if let Some(genesis) = writer.genesis.filter(|_| writer.log.is_none()) {
            state.put_meta(&mut batch, Meta::Genesis, genesis.as_slice());
        }
        let mut range = self.canonical.write();
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
        batch.commit()?;
        if moves.range.is_some() {
            *range = moves.range;
        }
        for (hash, block) in blocks {
            self.blocks.put(hash, Arc::clone(&block), block.size());
        }
        writer.epoch = epoch;
        writer.unsynced += 1;
        Ok(())
    }

    /// Writes most nodes if there are very many, and returns a batch with those that are left. Nobody
    /// finds a node before something refers to it.
    fn put_nodes(&self, mut nodes: Vec<Placed>, epoch: u64) -> Result<OwnedWriteBatch, DiskError> {
        // In the order of their keys, and each once: a batch must not name a key twice.
        let mut keyed: Vec<_> =
            nodes.drain(..).map(|node| (node_key(node.place(), &node.hash), node.node)).collect();
        keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        keyed.dedup_by(|(one, _), (other, _)| one == other);
        if let Some(written) = &mut *self.written_meanwhile.lock() {
            written.extend(keyed.iter().map(|(key, _)| key.clone()));
        }
        let mut batch = self.state.batch();
        for (index, (key, node)) in keyed.into_iter().enumerate() {
            if index % NODES_PER_BATCH == NODES_PER_BATCH - 1 {
                core::mem::replace(&mut batch, self.state.batch()).commit()?;
            }
            batch.insert(&self.state.nodes, key, node_value(epoch, &node));
        }
        Ok(batch)
    }

    /// The blocks that a commit brings: those that it adds or replaces, and canonical ones that were not
    /// here.
    fn new_blocks(&self, changes: &Changes) -> Result<B256Map<Arc<Block>>, DiskError> {
        let mut blocks = B256Map::default();
        for block in changes.canonical.iter().flat_map(|change| &change.blocks) {
            if !self.state.blocks.contains_key(block.hash.as_slice())? {
                blocks.insert(block.hash, Arc::clone(block));
            }
        }
        blocks.extend(changes.blocks.iter().map(|block| (block.hash, Arc::clone(block))));
        Ok(blocks)
    }

    fn sync(&self, writer: &mut Writer) -> Result<(), DiskError> {
        if let Err(error) = self.state.sync() {
            writer.broken = Some(error.to_string());
            return Err(error);
        }
        writer.unsynced = 0;
        Ok(())
    }

    pub(crate) fn flush(&self) -> Result<(), DiskError> {
        let mut writer = self.writer.lock();
        if writer.broken.is_some() || writer.unsynced == 0 {
            return Ok(());
        }
        self.sync(&mut writer)
    }

    pub(crate) fn next_to_replay(&self) -> Result<Option<Arc<Block>>, DiskError> {
        let mut writer = self.writer.lock();
        loop {
            if let Some(reason) = &writer.broken {
                return Err(DiskError::Unusable(reason.clone()));
            }
            if let Some((_, record)) = &writer.next {
                return Ok(record.blocks.first().cloned());
            }
            let (Some(position), Some(genesis)) = (writer.waiting.front().copied(), writer.genesis)
            else {
                return Ok(None);
            };
            let body = Bytes::from(read_record(&self.folder.join("blocks"), genesis, position)?);
            let mut end = position;
            end.offset += body.len() as u64 + OVERHEAD;
            let record = Record::decode(&body)?;
            if record.witness.is_some() {
                if record.blocks.len() != 1 {
                    let reason = format!("witness of {} blocks", record.blocks.len());
                    return Err(DiskError::malformed("record", reason));
                }
                writer.next = Some((end, record));
                continue;
            }
            let changes = self.changes_of(record)?;
            let effects = self.effects(&changes)?;
            self.write(&mut writer, &changes, effects, Some((position, end)))?;
            writer.waiting.pop_front();
        }
    }

    pub(crate) fn replayed(&self, executed: Changes) -> Result<(), DiskError> {
        let mut writer = self.writer.lock();
        let Some(position) = writer.waiting.front().copied() else {
            return Err(DiskError::NotBehind);
        };
        let Some((end, record)) = writer.next.take() else { return Err(DiskError::NotBehind) };
        let Changes { nodes, codes, .. } = executed;
        let changes = Changes { nodes, codes, ..self.changes_of(record)? };
        let effects = self.effects(&changes)?;
        self.write(&mut writer, &changes, effects, Some((position, end)))?;
        writer.waiting.pop_front();
        Ok(())
    }

    /// The commit that a record speaks of.
    fn changes_of(&self, record: Record) -> Result<Changes, DiskError> {
        let Record { witness, roots, nodes, codes, preimages, blocks, canonical, forgotten } =
            record;
        let mut changes = Changes { witness, roots, preimages, forgotten, ..Changes::default() };
        changes.put_nodes(nodes);
        for code in codes {
            changes.put_code(code);
        }
        if let Some((from, hashes)) = canonical {
            let find = |hash: B256| {
                let own = blocks.iter().find(|block| block.hash == hash).cloned();
                match own {
                    Some(block) => Ok(block),
                    None => self.read_block(&hash)?.ok_or_else(|| {
                        DiskError::malformed("record", format!("block {hash} is nowhere"))
                    }),
                }
            };
            let blocks = hashes.into_iter().map(find).collect::<Result<_, _>>()?;
            let change = CanonicalChange { from, blocks };
            if !accepts(self.canonical.read().as_ref(), &change) {
                let reason = format!("canonical chain would have a gap before {from}");
                return Err(DiskError::malformed("record", reason));
            }
            changes.canonical = Some(change);
        }
        changes.blocks = blocks;
        Ok(changes)
    }
}

impl Writer {
    /// Whether something can be committed.
    fn check(&self) -> Result<(), DiskError> {
        if let Some(reason) = &self.broken {
            return Err(DiskError::Unusable(reason.clone()));
        }
        match self.waiting.len() {
            0 => Ok(()),
            blocks => Err(DiskError::Behind { blocks }),
        }
    }
}
