//! Committing: into the log, and on the way into the state store.

use crate::{
    DiskError, Position,
    canonical::{Moves, accepts},
    disk_store::{Inner, LogEnd},
    log::{BlockLog, Opened},
    node_location::{Placed, place_nodes},
    record::Record,
};
use alloy_primitives::{B256, map::B256Map};
use std::sync::Arc;
use store::{Block, Changes, StoreError};

/// Additions and moves of a commit that concern the state store.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// Changes without the witness, which is in the log.
    pub(crate) changes: Changes,
    /// Blocks that it adds or replaces, and canonical ones that were not here.
    pub(crate) blocks: B256Map<Arc<Block>>,
    pub(crate) moves: Moves,
    /// Its nodes with their locations, if these had to be known before it went into the log.
    pub(crate) placed: Option<Vec<Placed>>,
    /// Its record in the log: start and end.
    pub(crate) record: Option<(Position, Position)>,
    /// `true` if the record has the witness of its block.
    pub(crate) has_witness: bool,
}

impl Commit {
    /// The block whose witness is in the log, and where.
    pub(crate) fn witnessed(&self) -> impl Iterator<Item = (B256, Position)> {
        let position = self.record.filter(|_| self.has_witness).map(|(start, _)| start);
        let hashes = self.changes.blocks.iter().map(|block| block.hash);
        position.into_iter().flat_map(move |position| hashes.clone().map(move |it| (it, position)))
    }
}

impl Inner {
    /// Keeps all of a commit: it lasts once this returns.
    ///
    /// The commit is in the log; if the state store lags behind it, opening the chain again catches
    /// up. The very first blocks are not in the log: the caller of `open` knows them.
    pub(crate) fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        let fault = |error: DiskError| error.during("commit");
        let mut end = self.log.lock();
        self.pending.room().map_err(fault)?;
        end.check().map_err(fault)?;
        let range = self.range();
        if changes.canonical.as_ref().is_some_and(|change| !accepts(range.as_ref(), change)) {
            return Err(StoreError::gap());
        }
        if changes.blocks.len() != 1 {
            changes.witness = None;
        }
        let Some(log) = &mut end.log else {
            return self.found(&mut end, changes).map_err(fault);
        };
        // All that has to be read is read before anything is written.
        let mut commit = self.work_out(&changes).map_err(fault)?;
        let position = log.append(&Record::encode(&changes)).map_err(fault)?;
        commit.record = Some((position, log.end()));
        commit.has_witness = changes.witness.take().is_some();
        commit.changes = changes;
        self.pending.push(commit);
        Ok(())
    }

    /// Commits to a chain that has no first block yet, and starts the log behind the commit that
    /// brings it.
    fn found(&self, end: &mut LogEnd, changes: Changes) -> Result<(), DiskError> {
        let first = changes.canonical.as_ref().and_then(|change| change.blocks.first());
        let genesis = first.map(|block| block.hash);
        let mut commit = self.work_out(&changes)?;
        commit.changes = changes;
        let mut writer = self.writer.lock();
        self.write(&mut writer, &commit, genesis)?;
        self.sync(&mut writer)?;
        if let Some(genesis) = genesis {
            let applied = Position::start_of(0);
            let folder = self.folder.join("blocks");
            match BlockLog::open(&folder, genesis, self.options.segment_bytes, applied, Some(0)) {
                Ok(Opened { log, records, .. }) => {
                    *self.kept.write() = Some((genesis, log.first()));
                    (end.log, end.waiting) = (Some(log), records);
                }
                Err(error) => {
                    self.pending.break_off(&error);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Returns the effect of a commit on top of all earlier ones.
    ///
    /// The locations of its nodes are determined at once if the log is to keep the nodes: a record
    /// that cannot be applied must not get there. If executing the block reproduces them, that can
    /// wait.
    pub(crate) fn work_out(&self, changes: &Changes) -> Result<Commit, DiskError> {
        let in_full = changes.witness.is_none();
        Ok(Commit {
            blocks: self.new_blocks(changes)?,
            moves: Moves::of(changes, self.range().as_ref(), self)?,
            placed: in_full.then(|| place_nodes(changes, self)).transpose()?,
            ..Commit::default()
        })
    }

    /// The blocks that a commit brings: those that it adds or replaces, and canonical ones that
    /// were not here.
    fn new_blocks(&self, changes: &Changes) -> Result<B256Map<Arc<Block>>, DiskError> {
        let own = changes.blocks.iter().map(|block| (block.hash, Arc::clone(block)));
        let mut blocks: B256Map<_> = own.collect();
        for block in changes.canonical.iter().flat_map(|change| &change.blocks) {
            if !blocks.contains_key(&block.hash) && !self.has_block(&block.hash)? {
                blocks.insert(block.hash, Arc::clone(block));
            }
        }
        Ok(blocks)
    }
}

impl LogEnd {
    /// Checks that records can be added: all existing ones must have been applied first.
    fn check(&self) -> Result<(), DiskError> {
        match self.waiting.len() {
            0 => Ok(()),
            blocks => Err(DiskError::Behind { blocks }),
        }
    }
}
