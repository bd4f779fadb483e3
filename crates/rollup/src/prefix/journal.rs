//! Journal file of the prefixes that this node is about to sign, and of the blocks that it seals
//! without a signature.
//!
//! A record is synced to disk before its prefix is signed, so after a crash the node knows every
//! signature of its key. A record only contains the transactions that the previous record of the
//! same block lacks.

use crate::{
    l2::contracts::proven_anchor,
    prefix::{Prefix, error::PrefixError},
};
use alloy_consensus::Header;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, Bytes, keccak256};
use alloy_rlp::Decodable as _;
use alloy_sol_types::SolValue as _;
use contracts::{Anchor, L1_ANCHOR};
use disk::{DiskError, Reader, RecordFile, Writer};
use executor::Transaction;
use preconf::{Preconfirmation, Promised};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};
use wire::SchemaId;

/// Length in bytes from which the file is rewritten without records of final blocks.
const REWRITE_FROM: u64 = 1 << 20;
const WHAT: &str = "a record of a preconfirmation";
/// Length in bytes from which no more prefixes are signed, until blocks are final on L1.
pub(super) const MAX_LENGTH: u64 = 256 << 20;
/// Kind of a record of a sealed block without a signature. 0 is a signed prefix, 1 a signed block.
const UNSIGNED: u8 = 2;

/// A prefix or block in a journal.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) prefix: Prefix,
    /// `false` if the block was sealed without a signature. It is recorded for the next leader, and
    /// because L1 may include it even if it is replaced.
    pub(crate) is_signed: bool,
}

impl Recorded {
    /// Returns `true` if `other` is the same block, or a longer signed prefix of it under the same
    /// condition.
    pub(super) fn is_shorter_than(&self, other: &Self) -> bool {
        let [own, others] = [self, other].map(|record| &record.prefix.promised);
        let condition = |promised: &Promised| (promised.message.l1_block, promised.message.l1_hash);
        self.is_signed
            && other.is_signed
            && !own.message.is_sealed
            && own.header.environment == others.header.environment
            && condition(own) == condition(others)
            && others.transactions.starts_with(&own.transactions)
    }
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    subject: alloy_primitives::B256,
    file: RecordFile,
    /// Records about blocks that are not final on L1, with the numbers of the blocks.
    records: VecDeque<(u64, Vec<u8>)>,
    last: Option<Prefix>,
    /// Length of the file when it was last rewritten, in bytes.
    rewritten: u64,
}

#[derive(Debug)]
pub(super) struct OpenedJournal {
    pub(super) journal: Journal,
    pub(super) records: Vec<Recorded>,
    /// `false` if corrupted or incomplete records were removed.
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
    ) -> Result<OpenedJournal, PrefixError> {
        let subject = keccak256((rollup, account).abi_encode());
        let (mut all, mut records) = (Vec::<Recorded>::new(), VecDeque::new());
        let opened = RecordFile::open(path, subject, |_, record| {
            let recorded = decode(record, all.last().map(|record| &record.prefix))?;
            records.push_back((recorded.prefix.promised.header.number, record.to_vec()));
            all.push(recorded);
            Ok(())
        });
        let fault = |source| PrefixError::Journal { path: path.to_owned(), source };
        let (file, cut) = opened.map_err(fault)?;
        if let Some(cut) = &cut {
            tracing::error!(
                path = %path.display(),
                %cut,
                "journal of preconfirmations truncated"
            );
        }
        let (last, rewritten) = (all.last().map(|record| record.prefix.clone()), file.length());
        let journal = Self { path: path.to_owned(), subject, file, records, last, rewritten };
        Ok(OpenedJournal { journal, records: all, is_intact: cut.is_none() })
    }

    /// Records a prefix, or a block that is sealed without a signature, and syncs the file.
    ///
    /// # Errors
    ///
    /// [`PrefixError::NotRecorded`], after which the prefix must not be signed.
    pub(super) fn record(&mut self, prefix: &Prefix, is_signed: bool) -> Result<(), PrefixError> {
        let record = encode(prefix, is_signed, self.last.as_ref());
        let written = self.file.append(&record).and_then(|_| self.file.sync());
        written.map_err(PrefixError::NotRecorded)?;
        self.records.push_back((prefix.promised.header.number, record));
        self.last = Some(prefix.clone());
        Ok(())
    }

    /// Returns the length of the file in bytes.
    pub(super) const fn length(&self) -> u64 {
        self.file.length()
    }

    /// Removes the records of blocks up to this number, which are final on L1, once they take half
    /// of a long file.
    ///
    /// # Errors
    ///
    /// [`PrefixError::NotRecorded`] if the file cannot be rewritten, in which case it is unchanged.
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

/// Returns the number of transactions shared with the previous record.
fn shared(prefix: &Prefix, previous: Option<&Prefix>) -> usize {
    let same = previous.filter(|last| {
        last.promised.header.environment == prefix.promised.header.environment
            && prefix.promised.transactions.starts_with(&last.promised.transactions)
    });
    same.map_or(0, |last| last.transactions.len())
}

pub(super) fn encode(prefix: &Prefix, is_signed: bool, previous: Option<&Prefix>) -> Vec<u8> {
    let message = &prefix.promised.message;
    let first = shared(prefix, previous);
    let mut out = Writer::default();
    out.raw(message.rollup.as_slice());
    out.raw(&message.schema.get().to_be_bytes());
    out.byte(if is_signed { u8::from(message.is_sealed) } else { UNSIGNED });
    out.word(message.l1_block);
    out.raw(message.l1_hash.as_slice());
    out.string(&prefix.header);
    out.word(first as u64);
    out.list(&prefix.transactions[first..], |out, raw| out.string(raw));
    out.0
}

pub(super) fn decode(record: &Bytes, previous: Option<&Prefix>) -> Result<Recorded, DiskError> {
    let mut reader = Reader::new(WHAT, record);
    let rollup = Address::from(reader.array::<20>()?);
    let schema = SchemaId::new(u16::from_be_bytes(reader.array()?));
    let (is_sealed, is_signed) = match reader.array()? {
        [0] => (false, true),
        [1] => (true, true),
        [UNSIGNED] => (true, false),
        [kind] => return Err(DiskError::malformed(WHAT, format!("unknown kind {kind}"))),
    };
    let l1_block = reader.word()?;
    let l1_hash = reader.array::<32>()?.into();
    let header = reader.string()?;
    let first = reader.word()?;
    let added = reader.list(|reader| reader.string())?;
    reader.end()?;
    let block_hash = keccak256(&header);
    let message = Preconfirmation { rollup, block_hash, schema, is_sealed, l1_block, l1_hash };
    let anchor = anchor_in(&header, &added);
    let mut prefix = Prefix::new(message, header, added, anchor.as_ref())
        .map_err(|error| DiskError::malformed(WHAT, error))?;
    if first > 0 {
        let len = previous.map_or(0, |prefix| prefix.transactions.len());
        let environment = prefix.promised.header.environment;
        let previous = previous.filter(|prefix| prefix.promised.header.environment == environment);
        let previous = previous.filter(|_| first == len as u64).ok_or_else(|| {
            let reason =
                format!("shares {first} transactions with the previous record, which has {len}");
            DiskError::malformed(WHAT, reason)
        })?;
        prefix.prepend(previous);
    }
    Ok(Recorded { prefix, is_signed })
}

/// Returns the anchor that the transactions of a block prove. Undecodable transactions prove none.
fn anchor_in(header: &[u8], transactions: &[Bytes]) -> Option<Anchor> {
    let header = Header::decode(&mut &*header).ok()?;
    // Decode only candidates, since a block has many transactions.
    let is_call = |raw: &&Bytes| raw.windows(L1_ANCHOR.len()).any(|at| at == L1_ANCHOR);
    let calls = transactions.iter().filter(is_call);
    let calls: Vec<_> = calls.filter_map(|raw| Transaction::decode_2718_exact(raw).ok()).collect();
    proven_anchor(&header, calls.iter())
}

#[cfg(test)]
pub(super) mod tests;
