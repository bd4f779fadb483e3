//! Journal in etcd of the prefixes that the leaders of a rollup sign.
//!
//! With a lease, a prefix is recorded in etcd before it is signed, as well as in the leader's own
//! [journal](super::journal). The next leader reads the records, treats them like its own
//! signatures, and builds the recorded blocks. A former leader cannot add records, so it cannot
//! sign anything new either.

use crate::{
    lease::{LeaseError, Record},
    prefix::{Prefix, Recorded, error::PrefixError, journal},
};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use disk::DiskError;
use std::{collections::VecDeque, fmt};

/// Length of all records, in bytes, above which no more prefixes are signed until L1 has the oldest
/// blocks. The next leader has to read them, and etcd's default quota is 2 GB including history.
const MAX_BYTES: usize = 64 << 20;
/// Maximum number of transactions that a leader reads into memory.
const MAX_TRANSACTIONS: usize = 1 << 22;
/// Maximum number of transactions in all records that a leader reads. Each record may repeat those
/// of the previous one.
const MAX_REPEATED: usize = 1 << 26;
/// Bytes added to a record's length for each transaction, including repeated ones. Keeps the number
/// of transactions that the next leader reads below [`MAX_REPEATED`].
const REPEATED: usize = 2;
const _: () = assert!(MAX_BYTES / 2 * 3 / REPEATED < MAX_REPEATED);
/// Flag of all records except those of earlier versions.
const FORM: u8 = 0x80;
/// Flag of a record without the transactions of its block, because they are too long.
const SHORTENED: u8 = 1;
/// Flag of a record by a leader that may have lacked earlier ones.
const INCOMPLETE: u8 = 2;
/// Number of records that are removed together, so that not every block causes a request.
const BATCH: usize = 64;
const WHAT: &str = "a record of a preconfirmation in etcd";

/// Store of the records, which only the leader can change.
pub(crate) trait Records: fmt::Debug + Send {
    /// Reads the records from this number on.
    fn read(&self, from: u64) -> Result<Vec<Record>, LeaseError>;
    fn append(&self, number: u64, record: &[u8]) -> Result<(), LeaseError>;
    /// Removes the records before this number.
    fn remove_before(&self, number: u64) -> Result<(), LeaseError>;
}

/// The shared journal in the leader's current term.
#[derive(Debug)]
pub(super) struct SharedJournal {
    /// `None` until the node has become the leader.
    records: Option<Box<dyn Records>>,
    next: u64,
    summaries: VecDeque<Summary>,
    bytes: usize,
    /// Block of the last record.
    last: Option<Prefix>,
    /// `false` if there is no record, e.g. because etcd has lost its data, or if the leader that
    /// added the last record may have lacked some.
    is_complete: bool,
    /// Length of all records, in bytes, above which no more prefixes are signed.
    limit: usize,
    /// Maximum number of transactions that are read, without and with repeated ones.
    max_transactions: [usize; 2],
}

impl Default for SharedJournal {
    fn default() -> Self {
        Self {
            records: None,
            next: 0,
            summaries: VecDeque::new(),
            bytes: 0,
            last: None,
            is_complete: false,
            limit: MAX_BYTES,
            max_transactions: [MAX_TRANSACTIONS, MAX_REPEATED],
        }
    }
}

/// Metadata of a record.
#[derive(Debug)]
struct Summary {
    record: u64,
    bytes: usize,
    block: u64,
    parent: B256,
    /// Hash of the block, if it is sealed and the record contains its transactions.
    sealed: Option<B256>,
}

impl SharedJournal {
    /// Reads the journal at the start of a term.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if etcd does not respond, or if a record is malformed.
    pub(super) fn join(&mut self, records: Box<dyn Records>) -> Result<Vec<Recorded>, PrefixError> {
        let Self { limit, max_transactions, .. } = *self;
        *self = Self { records: Some(records), limit, max_transactions, ..Self::default() };
        self.load()
    }

    /// Records a block before its prefix is signed. `is_complete` is `false` if this node may lack
    /// earlier records.
    ///
    /// # Errors
    ///
    /// [`PrefixError::NotShared`], after which the prefix must not be signed. With
    /// [`LeaseError::RecordExists`], the response to an earlier request was lost, and its record
    /// must be [loaded](Self::load) first.
    pub(super) fn record(&mut self, prefix: &Prefix, is_complete: bool) -> Result<(), PrefixError> {
        self.append(prefix, true, if is_complete { FORM } else { FORM | INCOMPLETE })
    }

    /// Records a block that is sealed without a signature, unless it has a record. Omits its
    /// transactions if they are too long; the next leader then still knows that L1 may include it,
    /// and signs nothing in its place. If the journal is full, adds a last record that marks it as
    /// incomplete, and returns `false`.
    ///
    /// # Errors
    ///
    /// Same as [`Self::record`]. The record may exist, so the same block must be sealed.
    pub(super) fn record_unsigned(
        &mut self,
        block: &Prefix,
        is_complete: bool,
    ) -> Result<bool, PrefixError> {
        if self.has_sealed(block.promised.header.hash) {
            return Ok(true);
        }
        let is_full = self.bytes > self.limit / 2 * 3;
        if is_full && !self.is_complete {
            return Ok(false);
        }
        let flags = if is_complete && !is_full { FORM } else { FORM | INCOMPLETE };
        if self.bytes <= self.limit {
            match self.append(block, false, flags) {
                Err(PrefixError::NotShared(LeaseError::RecordTooLong { .. })) => {}
                outcome => return outcome.map(|()| true),
            }
        }
        let number = block.promised.header.number;
        tracing::warn!(number, "recorded block without its transactions");
        let mut shortened = block.clone();
        shortened.transactions.clear();
        shortened.promised.transactions.clear();
        self.append(&shortened, false, flags | SHORTENED)?;
        Ok(!is_full)
    }

    /// Returns `true` if there is no record.
    pub(super) fn is_empty(&self) -> bool {
        self.summaries.is_empty()
    }

    /// Returns `true` if this sealed block is recorded.
    fn has_sealed(&self, hash: B256) -> bool {
        self.summaries.iter().rev().any(|record| record.sealed == Some(hash))
    }

    /// Returns `true` if the next leader has the block or can build it: L1 has the block, or the
    /// block and all its ancestors down to one on L1 are recorded. An ancestor may lack a record
    /// although later blocks have one, if the journal was incomplete or too long.
    pub(super) fn leads_to_l1(
        &self,
        block: BlockNumHash,
        is_on_l1: impl Fn(BlockNumHash) -> bool,
    ) -> bool {
        if is_on_l1(block) {
            return true;
        }
        let mut missing = block.hash;
        // A block is recorded after its parent.
        for Summary { block, parent, sealed, .. } in self.summaries.iter().rev() {
            if *sealed == Some(missing) {
                missing = *parent;
                if is_on_l1(BlockNumHash { number: block.saturating_sub(1), hash: missing }) {
                    return true;
                }
            }
        }
        false
    }

    /// Returns `true` if the records cover all blocks that L1 may include.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the length of all records in bytes, including [`REPEATED`] for each transaction, and
    /// its limit.
    pub(super) const fn length(&self) -> (usize, usize) {
        (self.bytes, self.limit)
    }

    /// Removes the records of blocks up to this number, which are on L1. Keeps those of the last
    /// block, because a journal without records counts as lost.
    ///
    /// # Errors
    ///
    /// [`PrefixError::NotShared`], after which a later call removes the records.
    pub(super) fn forget_up_to(&mut self, number: u64) -> Result<(), PrefixError> {
        let Some(last) = self.summaries.back().map(|record| record.block) else { return Ok(()) };
        let is_kept = |record: &Summary| record.block > number || record.block == last;
        let count = self.summaries.iter().take_while(|record| !is_kept(record)).count();
        let (Some(first), Some(records)) = (self.summaries.get(count), &self.records) else {
            return Ok(());
        };
        if count < BATCH {
            return Ok(());
        }
        records.remove_before(first.record).map_err(PrefixError::NotShared)?;
        let removed: usize = self.summaries.drain(..count).map(|record| record.bytes).sum();
        self.bytes = self.bytes.saturating_sub(removed);
        Ok(())
    }

    fn append(&mut self, prefix: &Prefix, is_signed: bool, flags: u8) -> Result<(), PrefixError> {
        let Some(records) = &self.records else {
            return Err(PrefixError::NotShared(LeaseError::NotHeld { token: 0 }));
        };
        let mut record = vec![flags];
        record.extend(journal::encode(prefix, is_signed, self.last.as_ref()));
        records.append(self.next, &record).map_err(PrefixError::NotShared)?;
        self.keep(self.next, record.len(), prefix, flags);
        Ok(())
    }

    /// Reads new records. Returns only the longest prefix of each block.
    ///
    /// # Errors
    ///
    /// Same as [`Self::join`].
    pub(super) fn load(&mut self) -> Result<Vec<Recorded>, PrefixError> {
        let Some(records) = &self.records else { return Ok(Vec::new()) };
        let (mut all, mut count, mut repeated) = (Vec::<Recorded>::new(), 0_usize, 0_usize);
        for Record { number, bytes } in records.read(self.next).map_err(PrefixError::NotShared)? {
            let malformed = |source| PrefixError::SharedRecord { number, source };
            let flags = match bytes.first() {
                Some(flags @ (0 | 1)) => *flags,
                Some(flags) if flags & !(SHORTENED | INCOMPLETE) == FORM => *flags,
                _ => return Err(malformed(DiskError::malformed(WHAT, "no known flags"))),
            };
            let mut recorded =
                journal::decode(&bytes.slice(1..), self.last.as_ref()).map_err(malformed)?;
            if flags & FORM == 0 {
                // Earlier versions only had a flag for signatures.
                recorded.is_signed = flags == 1;
            }
            let flags = if flags & FORM == 0 { FORM } else { flags };
            self.keep(number, bytes.len(), &recorded.prefix, flags);
            let is_replaced = all.last().is_some_and(|last| last.is_shorter_than(&recorded));
            if is_replaced && let Some(last) = all.pop() {
                count = count.saturating_sub(last.prefix.transactions.len());
            }
            let added = recorded.prefix.transactions.len();
            (count, repeated) = (count.saturating_add(added), repeated.saturating_add(added));
            for (got, limit) in [count, repeated].into_iter().zip(self.max_transactions) {
                if got > limit {
                    return Err(PrefixError::TooManyTransactions { number, got, limit });
                }
            }
            all.push(recorded);
        }
        Ok(all)
    }

    fn keep(&mut self, record: u64, bytes: usize, prefix: &Prefix, flags: u8) {
        let header = &prefix.promised.header;
        let is_whole = prefix.promised.message.is_sealed && flags & SHORTENED == 0;
        let sealed = is_whole.then_some(header.hash);
        self.is_complete = flags & INCOMPLETE == 0;
        let (block, parent) = (header.number, header.parent);
        let bytes = bytes + REPEATED * prefix.transactions.len();
        self.summaries.push_back(Summary { record, bytes, block, parent, sealed });
        self.bytes += bytes;
        self.next = record.saturating_add(1);
        self.last = Some(prefix.clone());
    }
}

#[cfg(test)]
mod day;
#[cfg(test)]
mod store;

#[cfg(test)]
mod tests {
    use super::{
        store::{Handle, Store},
        *,
    };
    use crate::{lease::MAX_RECORD, prefix::journal::tests::prefix};
    use parking_lot::Mutex;
    use std::sync::Arc;

    /// The next leader knows that L1 may include the block, but cannot build it.
    #[test]
    fn long_block_is_recorded_without_transactions() {
        let store = Arc::new(Mutex::new(Store::default()));
        let handle = || Box::new(Handle { store: Arc::clone(&store), term: 0 });
        let (mut long, short) = (prefix(1, 2, true), prefix(2, 2, true));
        long.transactions[0] = vec![1; MAX_RECORD].into();
        let mut journal = SharedJournal::default();
        journal.join(handle()).unwrap();
        assert!(matches!(
            journal.record(&long, true),
            Err(PrefixError::NotShared(LeaseError::RecordTooLong { .. }))
        ));
        for block in [&long, &short] {
            journal.record_unsigned(block, true).unwrap();
        }
        let mut next = SharedJournal::default();
        let records = next.join(handle()).unwrap();
        let read = |record: &Recorded| {
            (record.prefix.promised.header.hash, record.prefix.transactions.len(), record.is_signed)
        };
        let expected = [(&long, 0), (&short, 2)];
        let expected = expected.map(|(prefix, count)| (prefix.promised.header.hash, count, false));
        assert_eq!(records.iter().map(read).collect::<Vec<_>>(), expected);
        for journal in [journal, next] {
            assert!(!journal.has_sealed(expected[0].0) && journal.has_sealed(expected[1].0));
        }
    }

    /// Otherwise a leader could write more than the next one may read.
    #[test]
    fn repeated_transactions_count_in_length() {
        let store = Arc::new(Mutex::new(Store::default()));
        let handle = || Box::new(Handle { store: Arc::clone(&store), term: 0 });
        let mut journal = SharedJournal::default();
        journal.join(handle()).unwrap();
        for count in 1..=9 {
            journal.record(&prefix(1, count, false), true).unwrap();
        }
        let records = handle().read(0).unwrap();
        let bytes: usize = records.iter().map(|record| record.bytes.len()).sum();
        // 1 + 2 + … + 9
        assert_eq!(journal.length().0, bytes + 45 * REPEATED);
        let mut next = SharedJournal::default();
        next.join(handle()).unwrap();
        assert_eq!(next.length(), journal.length());
    }

    /// Also if the journal is too long for further records.
    #[test]
    fn records_say_whether_earlier_ones_may_be_missing() {
        let store = Arc::new(Mutex::new(Store::default()));
        let handle = || Box::new(Handle { store: Arc::clone(&store), term: 0 });
        let is_complete = || {
            let mut next = SharedJournal::default();
            next.join(handle()).unwrap();
            next.is_complete()
        };
        assert!(!is_complete(), "no record");
        let mut journal = SharedJournal::default();
        journal.join(handle()).unwrap();
        for (number, expected) in [(1, false), (2, true), (3, false)] {
            journal.record_unsigned(&prefix(number, 1, true), expected).unwrap();
            assert_eq!(is_complete(), expected);
        }
        journal.record(&prefix(4, 1, false), true).unwrap();
        assert!(is_complete());
        journal.limit = journal.bytes / 2;
        for number in 5..8 {
            journal.record_unsigned(&prefix(number, 1, true), true).unwrap();
            assert!(!is_complete());
        }
        assert_eq!(store.lock().len(), 5, "only the first block is recorded");
    }

    #[test]
    fn records_of_earlier_versions_are_read() {
        let store = Arc::new(Mutex::new(Store::default()));
        let handle = || Box::new(Handle { store: Arc::clone(&store), term: 0 });
        for (number, flag) in [0_u8, 1, 4].into_iter().enumerate() {
            let block = prefix(number as u64, 2, true);
            let record = [vec![flag], journal::encode(&block, true, None)].concat();
            handle().append(number as u64, &record).unwrap();
            let read = SharedJournal::default().join(handle());
            if flag > 1 {
                assert!(matches!(read, Err(PrefixError::SharedRecord { number: 2, .. })));
                continue;
            }
            let read = read.unwrap();
            let last = read.last().unwrap();
            assert_eq!(last.prefix.promised, block.promised);
            assert_eq!(last.is_signed, flag == 1);
        }
    }

    /// Bounds the memory for records of many prefixes.
    #[test]
    fn longest_prefix_of_block_is_read() {
        let store = Arc::new(Mutex::new(Store::default()));
        let handle = || Box::new(Handle { store: Arc::clone(&store), term: 0 });
        let mut journal = SharedJournal::default();
        journal.join(handle()).unwrap();
        let all =
            [prefix(1, 1, false), prefix(1, 2, false), prefix(1, 2, true), prefix(2, 1, false)];
        all.iter().for_each(|prefix| journal.record(prefix, true).unwrap());
        let read = SharedJournal::default().join(handle()).unwrap();
        let lengths = read.iter().map(|record| record.prefix.transactions.len());
        assert_eq!(lengths.collect::<Vec<_>>(), [2, 1]);
        assert!(read[0].prefix.promised.message.is_sealed);
    }

    /// A short record may repeat many transactions.
    #[test]
    fn repeated_transactions_are_bounded() {
        let store = Arc::new(Mutex::new(Store::default()));
        let handle = || Box::new(Handle { store: Arc::clone(&store), term: 0 });
        let mut journal = SharedJournal::default();
        journal.join(handle()).unwrap();
        // At most six transactions in memory, and 1 + 2 + … + 5 + 1 in all records.
        (1..=5).for_each(|count| journal.record(&prefix(1, count, false), true).unwrap());
        journal.record(&prefix(2, 1, true), true).unwrap();
        for (max_transactions, expected) in [
            ([6, 16], None),
            ([5, 16], Some((5, 6, 5))),
            ([6, 15], Some((5, 16, 15))),
            ([6, 5], Some((2, 6, 5))),
        ] {
            let mut next = SharedJournal { max_transactions, ..SharedJournal::default() };
            match (next.join(handle()), expected) {
                (Ok(read), None) => assert_eq!(read.len(), 2),
                (Err(PrefixError::TooManyTransactions { number, got, limit }), Some(expected)) => {
                    assert_eq!((number, got, limit), expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn gap_in_records_leads_nowhere() {
        let hash = |number: u64| B256::repeat_byte(number as u8);
        let at = |number| BlockNumHash { number, hash: hash(number) };
        let mut journal = SharedJournal::default();
        // Block 2 was sealed before the journal was complete.
        for (record, block) in [(0, 3), (1, 4), (2, 4)] {
            let sealed = (record != 1).then(|| hash(block));
            let parent = hash(block - 1);
            journal.summaries.push_back(Summary { record, bytes: 1, block, parent, sealed });
        }
        let leads = |number, safe| journal.leads_to_l1(at(number), |block| block == at(safe));
        assert!(!leads(4, 1) && !leads(3, 1), "the next leader would lack block 2");
        assert!(leads(4, 2) && leads(3, 2) && leads(1, 1));
        assert!(!leads(5, 2), "not recorded");
    }
}
