//! Replay of the log into the state store when a chain is opened.

use crate::{
    DiskError, Position,
    canonical::accepts,
    disk_store::{Inner, LogEnd},
    frame::OVERHEAD,
    log::read_record,
    record::Record,
};
use alloy_primitives::{B256, Bytes};
use chain::store::{Block, CanonicalChange, Changes};
use std::sync::Arc;

impl Inner {
    /// Returns the next block to execute again, after applying the records before it that need no
    /// execution.
    pub(crate) fn next_to_replay(&self) -> Result<Option<Arc<Block>>, DiskError> {
        let mut end = self.log.lock();
        loop {
            self.pending.check()?;
            if let Some((_, record)) = &end.next {
                return Ok(record.blocks.first().cloned());
            }
            let (Some(position), Some((genesis, _))) =
                (end.waiting.front().copied(), *self.kept.read())
            else {
                return Ok(None);
            };
            let body = Bytes::from(read_record(&self.folder.join("blocks"), genesis, position)?);
            let mut behind = position;
            behind.offset += body.len() as u64 + OVERHEAD;
            let record = Record::decode(&body)?;
            if record.witness.is_none() {
                let changes = self.changes_of(record)?;
                self.reapply(&mut end, changes, (position, behind))?;
                continue;
            }
            if record.blocks.len() != 1 {
                let reason = format!("witness of {} blocks", record.blocks.len());
                return Err(DiskError::malformed("record", reason));
            }
            end.next = Some((behind, record));
        }
    }

    /// Applies the results of executing the block returned by `next_to_replay`.
    pub(crate) fn replayed(&self, executed: Changes) -> Result<(), DiskError> {
        let mut end = self.log.lock();
        let Some(position) = end.waiting.front().copied() else {
            return Err(DiskError::NotBehind);
        };
        let Some((behind, record)) = end.next.take() else { return Err(DiskError::NotBehind) };
        let Changes { nodes, codes, .. } = executed;
        let changes = Changes { nodes, codes, ..self.changes_of(record)? };
        self.reapply(&mut end, changes, (position, behind))
    }

    fn reapply(
        &self,
        end: &mut LogEnd,
        mut changes: Changes,
        record: (Position, Position),
    ) -> Result<(), DiskError> {
        let mut commit = self.resolve(&changes)?;
        commit.record = Some(record);
        commit.has_witness = changes.witness.take().is_some();
        commit.changes = changes;
        self.write(&mut self.writer.lock(), &commit, None)?;
        end.waiting.pop_front();
        Ok(())
    }

    /// Converts a record to the changes of its commit.
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
            if !accepts(self.range().as_ref(), &change) {
                let reason = format!("canonical chain would have a gap before {from}");
                return Err(DiskError::malformed("record", reason));
            }
            changes.canonical = Some(change);
        }
        changes.blocks = blocks;
        Ok(changes)
    }
}
