//! Ordered records of L1. Settled records are stored in a file.

use crate::l1::partition_point;
use core::fmt;
use disk::{DiskError, Reader, SlotFile, Writer};
use imbl::Vector;
use std::sync::Arc;

/// Number of remembered headers. Deeper reorgs are not followed.
pub(super) const MAX_HEADERS: usize = 1_024;

/// Maximum number of records of each kind that a search covers: the newest ones, or those with the
/// highest indexes. Bounded because anyone can send messages. The files also contain older ones.
pub(super) const MAX_RECORDS: usize = 1 << 18;

/// Returns the maximum number of records in memory if a search covers `limit` of them. The reserve
/// replaces the records that a reorg removes.
pub(crate) const fn with_reserve(limit: usize) -> usize {
    limit + limit / 4
}

/// A record with an encoding of `N` bytes.
pub(super) trait Record<const N: usize>: Clone {
    /// Name in error messages.
    const WHAT: &'static str;

    /// Returns the number of the L1 block of the event.
    fn l1_block(&self) -> u64;

    fn put(&self, out: &mut Writer);

    fn read(from: &mut Reader<'_>) -> Result<Self, DiskError>;
}

/// All records of a kind. Clones share their data.
///
/// A record is written to the file once no followed reorg can remove it. Its slot does not change
/// from then on, so clones of different L1 blocks read the same file. Records beyond the limit are
/// written earlier, and a reorg may overwrite their slots.
#[derive(Clone)]
pub(super) struct History<T: Clone, const N: usize> {
    file: Option<Arc<SlotFile<N>>>,
    /// Number of records before those in memory: in the file, or dropped without one.
    settled: u64,
    recent: Vector<T>,
    /// Maximum number of records that lookups return without a file.
    pub(super) limit: usize,
}

impl<T: Clone, const N: usize> Default for History<T, N> {
    fn default() -> Self {
        Self { file: None, settled: 0, recent: Vector::new(), limit: MAX_RECORDS }
    }
}

/// Omits the file, because its handle differs between equal histories.
impl<T: Clone + fmt::Debug, const N: usize> fmt::Debug for History<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file: _, settled, recent, limit: _ } = self;
        f.debug_struct("History")
            .field("settled", settled)
            .field("recent", recent)
            .finish_non_exhaustive()
    }
}

impl<T: Record<N>, const N: usize> History<T, N> {
    /// Returns an empty history with the same file.
    pub(super) fn to_empty(&self) -> Self {
        Self { file: self.file.clone(), limit: self.limit, ..Self::default() }
    }

    /// Sets the file with the settled records.
    pub(super) fn set_file(&mut self, file: &Arc<SlotFile<N>>) {
        self.file = Some(Arc::clone(file));
    }

    /// Returns the number of records, including dropped ones.
    pub(super) fn len(&self) -> u64 {
        self.settled.saturating_add(self.recent.len() as u64)
    }

    /// Returns the position of the oldest record that a lookup returns.
    pub(super) fn first(&self) -> u64 {
        match self.file {
            Some(_) => 0,
            None => self.settled.max(self.len().saturating_sub(self.limit as u64)),
        }
    }

    /// Returns the record at a position; `None` if there is none, or if it was dropped.
    pub(super) fn get(&self, position: u64) -> Result<Option<T>, DiskError> {
        if let Some(recent) = position.checked_sub(self.settled) {
            let recent = usize::try_from(recent).ok().and_then(|at| self.recent.get(at));
            return Ok(recent.cloned());
        }
        let Some(file) = &self.file else { return Ok(None) };
        let missing = || DiskError::malformed(T::WHAT, format!("record {position} is missing"));
        let bytes = file.get(position)?.ok_or_else(missing)?;
        T::read(&mut Reader::new(T::WHAT, &bytes.to_vec().into())).map(Some)
    }

    pub(super) fn push(&mut self, record: T) {
        self.recent.push_back(record);
        let limit = if self.file.is_some() { self.limit } else { with_reserve(self.limit) };
        if self.recent.len() > limit {
            // Not fatal: the next start rejects a file that lacks the record.
            if let Err(error) = self.write_oldest() {
                tracing::warn!(%error, "failed to record an event of L1");
            }
            self.drop_oldest();
        }
    }

    /// Writes the oldest record in memory to the file, if there is one.
    fn write_oldest(&self) -> Result<(), DiskError> {
        let (Some(file), Some(oldest)) = (&self.file, self.recent.front()) else { return Ok(()) };
        let mut out = Writer::default();
        oldest.put(&mut out);
        let bytes = out.0.as_slice().try_into();
        file.put(self.settled, bytes.map_err(|error| DiskError::malformed(T::WHAT, error))?)
    }

    fn drop_oldest(&mut self) {
        self.recent.pop_front();
        self.settled += 1;
    }

    /// Moves the records before this L1 block to the file. After an error they stay in memory.
    pub(super) fn settle(&mut self, oldest: u64) -> Result<(), DiskError> {
        let is_settled = |event: &T| event.l1_block() < oldest;
        while self.file.is_some() && self.recent.front().is_some_and(is_settled) {
            self.write_oldest()?;
            self.drop_oldest();
        }
        Ok(())
    }

    /// Makes the settled records durable.
    pub(super) fn sync(&self) -> Result<(), DiskError> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync())
    }

    /// Reads the records after this L1 block that were written early back into memory. After an
    /// error, all records have the same positions as before.
    pub(super) fn reload(&mut self, common: u64) -> Result<(), DiskError> {
        let is_removed = |event: &T| event.l1_block() > common;
        while self.recent.front().is_none_or(is_removed)
            && let Some(last) = self.settled.checked_sub(1)
            && let Some(record) = self.get(last)?
            && is_removed(&record)
        {
            self.recent.push_front(record);
            self.settled = last;
        }
        Ok(())
    }

    /// Returns the records in memory after this L1 block.
    pub(super) fn after(&self, common: u64) -> Vector<T> {
        self.clone().cut_back(common)
    }

    /// Removes and returns the records in memory after this L1 block. [`Self::reload`] reads those
    /// that are not in memory.
    pub(super) fn cut_back(&mut self, common: u64) -> Vector<T> {
        let remaining = partition_point(&self.recent, |event| event.l1_block() <= common);
        self.recent.split_off(remaining)
    }

    /// Encodes the records in memory.
    pub(super) fn save(&self, out: &mut Writer) {
        out.word(self.settled);
        out.length(self.recent.len());
        self.recent.iter().for_each(|record| record.put(out));
    }

    /// Decodes the output of [`Self::save`].
    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        let (settled, recent) = (from.word()?, from.list(T::read)?);
        Ok(Self { settled, recent: recent.into_iter().collect(), ..Self::default() })
    }
}
