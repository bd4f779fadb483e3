//! Ether spent on L1 within a day, persisted across restarts.

use crate::SubmitterError;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolValue as _;
use disk::{DiskError, Reader, RecordFile, Writer};
use std::{
    collections::VecDeque,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Window of the spending limit.
const DAY: Duration = Duration::from_secs(86_400);
/// Number of records from which the file is rewritten when it is opened, if more than half of them
/// have expired.
const REWRITE_FROM: usize = 256;
const WHAT: &str = "a spending record";

/// Maximum cost of one L1 transaction.
#[derive(Debug, Clone, Copy)]
struct Spent {
    nonce: u64,
    /// Time of the record, in seconds since 1970.
    recorded: u64,
    at: Instant,
    cost: u128,
}

/// Costs of L1 transactions within a day, by nonce.
///
/// A transaction is recorded in the file before it is sent, so that it counts after a restart even
/// if L1 included it meanwhile. A record replaces the one with the same nonce.
#[derive(Debug, Default)]
pub(super) struct Spending {
    spent: VecDeque<Spent>,
    file: Option<RecordFile>,
}

impl Spending {
    /// Opens or creates the file for an account on a chain.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::Spending`] if the file cannot be used.
    pub(super) fn open(
        path: &Path,
        chain_id: u64,
        account: Address,
    ) -> Result<Self, SubmitterError> {
        let fault = |source| SubmitterError::Spending { path: path.to_owned(), source };
        let subject = keccak256((chain_id, account).abi_encode());
        let (mut all, mut records) = (Self::default(), 0);
        let opened = RecordFile::open(path, subject, |_, record| {
            records += 1;
            all.put(Spent::decode(record)?);
            Ok(())
        });
        let (file, cut) = opened.map_err(fault)?;
        if let Some(cut) = cut {
            tracing::error!(
                path = %path.display(),
                %cut,
                "spending file truncated, the daily limit only counts the remaining records"
            );
        }
        // Expired records stay in the file until it is rewritten.
        all.spent.retain(|entry| entry.at.elapsed() < DAY);
        all.file = Some(match records >= REWRITE_FROM && records > 2 * all.spent.len() {
            true => all.rewritten(path, subject).map_err(fault)?,
            false => file,
        });
        Ok(all)
    }

    fn rewritten(&self, path: &Path, subject: B256) -> Result<RecordFile, DiskError> {
        let records: Vec<_> = self.spent.iter().map(Spent::encode).collect();
        RecordFile::replace(path, subject, records.iter().map(|record| &record[..]))
    }

    /// Records a transaction that is about to be sent.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::SpendingNotKept`] if the file cannot be written, after which the
    /// transaction must not be sent.
    pub(super) fn sending(&mut self, nonce: u64, cost: u128) -> Result<(), SubmitterError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let record = Spent::now(nonce, cost).encode();
        // Write the file first: without a record, the transaction would not count after a crash.
        file.append(&record).map(drop).map_err(SubmitterError::SpendingNotKept)?;
        self.spent.retain(|entry| entry.nonce != nonce);
        Ok(())
    }

    /// Counts a transaction whose nonce is used.
    pub(super) fn on_used(&mut self, nonce: u64, cost: u128) {
        self.spent.retain(|entry| entry.at.elapsed() < DAY);
        self.put(Spent::now(nonce, cost));
    }

    fn put(&mut self, new: Spent) {
        self.spent.retain(|entry| entry.nonce != new.nonce);
        self.spent.push_back(new);
    }

    /// Returns the sum of the costs within a day, in wei, without the nonces for which `is_counted`
    /// returns `true`.
    pub(super) fn besides(&self, is_counted: impl Fn(u64) -> bool) -> u128 {
        let others =
            self.spent.iter().filter(|entry| !is_counted(entry.nonce) && entry.at.elapsed() < DAY);
        others.fold(0, |sum: u128, entry| sum.saturating_add(entry.cost))
    }
}

impl Spent {
    fn now(nonce: u64, cost: u128) -> Self {
        let recorded = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { nonce, recorded, at: Instant::now(), cost }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.word(self.recorded);
        out.word(self.nonce);
        out.raw(&self.cost.to_be_bytes());
        out.0
    }

    /// Decodes a record. A record from the future, because the clock was set back, counts as
    /// written now.
    fn decode(record: &Bytes) -> Result<Self, DiskError> {
        let mut reader = Reader::new(WHAT, record);
        let (recorded, nonce) = (reader.word()?, reader.word()?);
        let cost = u128::from_be_bytes(reader.array()?);
        reader.end()?;
        let now = Self::now(nonce, cost);
        let age = Duration::from_secs(now.recorded.saturating_sub(recorded)).min(DAY);
        // `Instant` may not represent a time before the machine's start. The record then counts for
        // longer.
        let at = now.at.checked_sub(age).unwrap_or(now.at);
        Ok(Self { recorded, at, ..now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ACCOUNT: Address = Address::repeat_byte(7);

    fn open(path: &Path) -> Spending {
        Spending::open(path, 1, ACCOUNT).unwrap()
    }

    fn all(spending: &Spending) -> u128 {
        spending.besides(|_| false)
    }

    #[test]
    fn sent_transactions_count_after_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spending");
        let mut spending = open(&path);
        for (nonce, cost) in [(4, 100), (5, 10), (6, 1), (5, 20)] {
            spending.sending(nonce, cost).unwrap();
        }
        // Only included transactions count while the others are known to be in flight.
        assert_eq!(all(&spending), 0);
        spending.on_used(4, 100);
        assert_eq!((spending.besides(|nonce| nonce == 4), all(&spending)), (0, 100));
        drop(spending);
        let mut spending = open(&path);
        assert_eq!((spending.besides(|nonce| nonce == 5), all(&spending)), (101, 121));
        spending.sending(5, 30).unwrap();
        assert_eq!(all(&spending), 101);
        drop(spending);
        assert_eq!(all(&open(&path)), 131);
        // The file of another account has no records.
        let other = Spending::open(&path, 1, Address::ZERO).unwrap();
        assert_eq!(all(&other), 0);
    }

    #[test]
    fn records_expire_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spending");
        let mut spending = open(&path);
        let file = spending.file.as_mut().unwrap();
        let now = Spent::now(0, 1).recorded;
        for nonce in 0..600_u64 {
            let old = Spent { recorded: now - 2 * DAY.as_secs(), ..Spent::now(nonce, 1) };
            file.append(&old.encode()).unwrap();
        }
        // A record from the future, after the clock was set back, still counts.
        let future = Spent { recorded: now + DAY.as_secs(), ..Spent::now(600, 7) };
        file.append(&future.encode()).unwrap();
        drop(spending);
        let spent = open(&path);
        let counted: Vec<_> = spent.spent.iter().map(|entry| entry.nonce).collect();
        assert_eq!((counted, all(&spent)), (vec![600], 7));
        assert!(fs::metadata(&path).unwrap().len() < 200);
        assert_eq!(all(&open(&path)), 7);
    }

    #[test]
    fn a_flipped_byte_is_never_another_sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spending");
        let mut spending = open(&path);
        spending.sending(0, 1_000).unwrap();
        spending.sending(1, 10).unwrap();
        drop(spending);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x40;
            fs::write(&path, &flipped).unwrap();
            assert!([0, 1_000].contains(&all(&open(&path))), "{at}");
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(all(&open(&path)), 1_010);
    }
}
