//! Commits, which are appended to the log and queued for the state store.

use crate::{
    DiskError, Position,
    canonical::{Moves, Range, accepts},
    disk_store::{Inner, LogEnd},
    log::{BlockLog, OpenedLog},
    node_location::place_nodes,
    pending::Commit,
    record::Record,
};
use alloy_primitives::map::B256Map;
use chain::store::{Block, CanonicalChange, Changes, StoreError, TransactionLocation};
use std::sync::Arc;

impl Inner {
    /// Stores a commit durably.
    ///
    /// The commit is durable in the log when this returns. After a crash, opening the chain applies
    /// it to the state store. The first commit of a chain is not in the log, because the caller of
    /// `open` can recreate it.
    pub(crate) fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        let fault = |error: DiskError| error.during("commit");
        let mut end = self.log.lock();
        self.pending.wait_for_capacity().map_err(fault)?;
        end.check().map_err(fault)?;
        let range = self.range();
        if changes.canonical.as_ref().is_some_and(|change| !accepts(range.as_ref(), change)) {
            return Err(StoreError::gap());
        }
        if changes.blocks.len() != 1 {
            changes.witness = None;
        }
        let Some(log) = &mut end.log else {
            return self.commit_genesis(&mut end, changes).map_err(fault);
        };
        // All reads are done first, so that an error leaves log and state store unchanged.
        let mut commit = self.resolve(&changes).map_err(fault)?;
        let position = log.append(&Record::encode(&changes)).map_err(fault)?;
        commit.record = Some((position, log.end()));
        commit.has_witness = changes.witness.take().is_some();
        commit.changes = changes;
        self.pending.push(commit);
        Ok(())
    }

    /// Commits to a chain without a first block, and starts the log after the commit that adds it.
    fn commit_genesis(&self, end: &mut LogEnd, changes: Changes) -> Result<(), DiskError> {
        let first = changes.canonical.as_ref().and_then(|change| change.blocks.first());
        let genesis = first.map(|block| block.hash);
        let mut commit = self.resolve(&changes)?;
        commit.changes = changes;
        let mut writer = self.writer.lock();
        self.write(&mut writer, &commit, genesis)?;
        self.sync(&mut writer)?;
        if let Some(genesis) = genesis {
            let applied = Position::start_of(0);
            let folder = self.folder.join("blocks");
            match BlockLog::open(&folder, genesis, self.options.segment_bytes, applied, Some(0)) {
                Ok(OpenedLog { log, records, .. }) => {
                    *self.kept.write() = Some((genesis, log.first()));
                    (end.log, end.waiting) = (Some(log), records);
                }
                Err(error) => {
                    self.pending.fail_writes(&error);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Returns the effect of a commit on top of all earlier ones.
    ///
    /// If the record contains the nodes, their locations are determined here, because a record that
    /// cannot be applied must not be logged. If the nodes are reproduced by executing the block,
    /// the thread that applies the commit determines their locations.
    pub(crate) fn resolve(&self, changes: &Changes) -> Result<Commit, DiskError> {
        let in_full = changes.witness.is_none();
        Ok(Commit {
            blocks: self.new_blocks(changes)?,
            moves: self.moves(changes, self.range().as_ref())?,
            placed: in_full.then(|| place_nodes(changes, self)).transpose()?,
            ..Commit::default()
        })
    }

    /// Returns the changes of a commit to a canonical chain with blocks of these numbers.
    fn moves(&self, changes: &Changes, range: Option<&Range>) -> Result<Moves, DiskError> {
        let mut moves = Moves::default();
        if let Some(change) = &changes.canonical {
            self.move_to(&mut moves, change, range)?;
        }
        for transaction in &changes.forgotten {
            moves.transactions.insert(*transaction, None);
        }
        Ok(moves)
    }

    fn move_to(
        &self,
        moves: &mut Moves,
        change: &CanonicalChange,
        range: Option<&Range>,
    ) -> Result<(), DiskError> {
        for number in range.map_or(0..0, |range| change.from.max(range.start)..range.end) {
            moves.numbers.insert(number, None);
            let Some(hash) = self.read_canonical(number)? else { continue };
            let Some(block) = self.read_block(&hash)? else { continue };
            for transaction in &block.transactions {
                // This would also remove the location of the transaction in an older block, but
                // nonces rule out that a signed transaction is in two blocks.
                let location = self.read_transaction(transaction.hash())?;
                if location.is_some_and(|at| at.block == hash) {
                    moves.transactions.insert(*transaction.hash(), None);
                }
            }
        }
        for block in &change.blocks {
            moves.numbers.insert(block.header.number, Some(block.hash));
            for (index, transaction) in block.transactions.iter().enumerate() {
                let location = TransactionLocation { block: block.hash, index };
                moves.transactions.insert(*transaction.hash(), Some(location));
            }
        }
        let start = range.map_or(change.from, |range| range.start.min(change.from));
        moves.range = Some(start..change.from + change.blocks.len() as u64);
        Ok(())
    }

    /// Returns the new blocks of a commit: those that it adds or replaces, and those that it makes
    /// canonical and that were not stored before.
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
