//! File of the prefixes that this node is about to sign.
//!
//! A record is synced to the disk before its prefix is signed, so after a crash the node knows every
//! signature of its key. A record has the transactions that the previous record of the same block
//! lacks.

use crate::prefix::{Prefix, error::PrefixError};
use alloy_primitives::{Address, Bytes, keccak256};
use alloy_sol_types::SolValue as _;
use disk::{DiskError, Reader, RecordFile, Writer};
use preconf::Preconfirmation;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};
use wire::SchemaId;

/// Length in bytes from which the file is rewritten without records of final blocks.
const REWRITE_FROM: u64 = 1 << 20;
const WHAT: &str = "a record of a preconfirmation";

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    subject: alloy_primitives::B256,
    file: RecordFile,
    /// Records about blocks that are not final on L1, with the numbers of the blocks.
    records: VecDeque<(u64, Vec<u8>)>,
    /// The last record.
    last: Option<Prefix>,
    /// Length of the file when it was last rewritten, in bytes.
    rewritten: u64,
}

/// A journal with the records that it had when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) journal: Journal,
    pub(super) prefixes: Vec<Prefix>,
    /// `false` if records were removed because they were damaged or incomplete.
    pub(super) is_intact: bool,
}

impl Journal {
    /// Opens or creates the journal of an account on a rollup.
    ///
    /// # Errors
    ///
    /// [`PrefixError::Journal`] if the file cannot be used.
    pub(super) fn open(
        path: &Path,
        rollup: Address,
        account: Address,
    ) -> Result<Opened, PrefixError> {
        let subject = keccak256((rollup, account).abi_encode());
        let (mut prefixes, mut records) = (Vec::<Prefix>::new(), VecDeque::new());
        let opened = RecordFile::open(path, subject, |_, record| {
            let prefix = decode(record, prefixes.last())?;
            records.push_back((prefix.promised.header.number, record.to_vec()));
            prefixes.push(prefix);
            Ok(())
        });
        let fault = |source| PrefixError::Journal { path: path.to_owned(), source };
        let (file, cut) = opened.map_err(fault)?;
        if let Some(cut) = &cut {
            tracing::error!(
                path = %path.display(),
                %cut,
                "journal of preconfirmations was damaged"
            );
        }
        let (last, rewritten) = (prefixes.last().cloned(), file.length());
        let journal = Self { path: path.to_owned(), subject, file, records, last, rewritten };
        Ok(Opened { journal, prefixes, is_intact: cut.is_none() })
    }

    /// Writes a prefix to the disk.
    ///
    /// # Errors
    ///
    /// [`PrefixError::NotRecorded`]; the prefix must not be signed then.
    pub(super) fn record(&mut self, prefix: &Prefix) -> Result<(), PrefixError> {
        let record = encode(prefix, self.last.as_ref());
        let written = self.file.append(&record).and_then(|_| self.file.sync());
        written.map_err(PrefixError::NotRecorded)?;
        self.records.push_back((prefix.promised.header.number, record));
        self.last = Some(prefix.clone());
        Ok(())
    }

    /// Removes the records of blocks up to this number, which are final on L1, once they are half of
    /// a long file.
    ///
    /// # Errors
    ///
    /// [`PrefixError::NotRecorded`] if the file cannot be rewritten; it is unchanged then.
    pub(super) fn forget_up_to(&mut self, number: u64) -> Result<(), PrefixError> {
        while self.records.front().is_some_and(|(first, _)| *first <= number) {
            self.records.pop_front();
        }
        if self.file.length() < REWRITE_FROM.max(2 * self.rewritten) {
            return Ok(());
        }
        let records = self.records.iter().map(|(_, record)| &record[..]);
        let file = RecordFile::replace(&self.path, self.subject, records);
        self.file = file.map_err(PrefixError::NotRecorded)?;
        self.rewritten = self.file.length();
        Ok(())
    }
}

/// Number of transactions that the previous record has already.
fn shared(prefix: &Prefix, previous: Option<&Prefix>) -> usize {
    let same = previous.filter(|it| {
        it.promised.header.environment == prefix.promised.header.environment
            && prefix.promised.transactions.starts_with(&it.promised.transactions)
    });
    same.map_or(0, |it| it.transactions.len())
}

pub(super) fn encode(prefix: &Prefix, previous: Option<&Prefix>) -> Vec<u8> {
    let message = &prefix.promised.message;
    let first = shared(prefix, previous);
    let mut out = Writer::default();
    out.raw(message.rollup.as_slice());
    out.raw(&message.schema.get().to_be_bytes());
    out.byte(u8::from(message.is_sealed));
    out.word(message.l1_block);
    out.raw(message.l1_hash.as_slice());
    out.string(&prefix.header);
    out.word(first as u64);
    out.list(&prefix.transactions[first..], |out, it| out.string(it));
    out.0
}

pub(super) fn decode(record: &Bytes, previous: Option<&Prefix>) -> Result<Prefix, DiskError> {
    let mut reader = Reader::new(WHAT, record);
    let rollup = Address::from(reader.array::<20>()?);
    let schema = SchemaId::new(u16::from_be_bytes(reader.array()?));
    let is_sealed = reader.flag()?;
    let l1_block = reader.word()?;
    let l1_hash = reader.array::<32>()?.into();
    let header = reader.string()?;
    let first = reader.word()?;
    let added = reader.list(|reader| reader.string())?;
    reader.end()?;
    let known = previous.map(|it| &it.transactions[..]).unwrap_or_default();
    let shared = usize::try_from(first).ok().and_then(|first| known.get(..first));
    let known = shared.ok_or_else(|| {
        let reason = format!("{first} transactions of the previous record, it has {}", known.len());
        DiskError::malformed(WHAT, reason)
    })?;
    let transactions = known.iter().cloned().chain(added).collect();
    let block_hash = keccak256(&header);
    let message = Preconfirmation { rollup, block_hash, schema, is_sealed, l1_block, l1_hash };
    Prefix::new(message, header, transactions).map_err(|error| DiskError::malformed(WHAT, error))
}

#[cfg(test)]
pub(super) mod tests;
