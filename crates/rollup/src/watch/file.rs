//! File of signed messages, so that evidence survives a restart.

use crate::watch::watched::{Body, Watched};
use alloy_primitives::{Address, B256, Bytes, FixedBytes, keccak256};
use alloy_sol_types::SolValue as _;
use disk::{DiskError, Reader, RecordFile, Writer};
use preconf::{Domain, HeaderSummary, Preconfirmation, evidence::SignedHeader};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wire::SchemaId;

/// Length in bytes from which the file is rewritten without the messages that were dropped.
const REWRITE_FROM: u64 = 4 << 20;
const WHAT: &str = "a record of a watched message";

/// The open file. Errors are only logged, because the messages are also in memory.
#[derive(Debug)]
pub(super) struct WatchFile {
    path: PathBuf,
    subject: B256,
    file: RecordFile,
    last: LastBlock,
}

/// Environment and transactions of the last record. The next record of the same block omits these
/// transactions.
#[derive(Debug, Default)]
struct LastBlock {
    environment: B256,
    transactions: Vec<Bytes>,
}

impl WatchFile {
    /// Opens or creates the file of a rollup, and returns the messages in it.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`].
    pub(super) fn open(
        path: &Path,
        rollup: Address,
        domain: &Domain,
    ) -> Result<(Self, Vec<Watched>), DiskError> {
        let subject = keccak256((rollup, domain.separator()).abi_encode());
        let (mut all, mut last) = (Vec::new(), LastBlock::default());
        let (file, cut) = RecordFile::open(path, subject, |_, record| {
            all.push(last.decode(record, domain)?);
            Ok(())
        })?;
        if let Some(cut) = cut {
            tracing::error!(
                path = %path.display(),
                %cut,
                "file of watched messages truncated"
            );
        }
        Ok((Self { path: path.to_owned(), subject, file, last }, all))
    }

    /// Returns `true` if most of the file consists of messages that were dropped. `bytes` is the
    /// size of the others.
    pub(super) fn is_long(&self, bytes: usize) -> bool {
        self.file.length() > REWRITE_FROM.max(2 * bytes as u64)
    }

    /// Appends a message. The file is not synced, so a power loss may lose messages, but the newest
    /// ones are received again.
    pub(super) fn append(&mut self, watched: &Watched) {
        let record = self.last.encode(watched);
        if let Err(error) = self.file.append(&record) {
            tracing::warn!(%error, "failed to record a watched message");
            self.last = LastBlock::default();
        }
    }

    /// Replaces the file by one with these messages.
    pub(super) fn rewrite<'t>(&mut self, all: impl Iterator<Item = &'t Arc<Watched>>) {
        let mut last = LastBlock::default();
        let records: Vec<_> = all.map(|watched| last.encode(watched)).collect();
        let records = records.iter().map(|record| &record[..]);
        match RecordFile::replace(&self.path, self.subject, records) {
            Ok(file) => (self.file, self.last) = (file, last),
            Err(error) => tracing::warn!(%error, "failed to compact the file of watched messages"),
        }
    }
}

impl LastBlock {
    fn encode(&mut self, watched: &Watched) -> Vec<u8> {
        let SignedHeader { message, signature, header } = &watched.signed;
        let mut out = Writer::default();
        out.raw(message.rollup.as_slice());
        out.raw(&message.schema.get().to_be_bytes());
        out.byte(u8::from(message.is_sealed));
        out.word(message.l1_block);
        out.raw(message.l1_hash.as_slice());
        out.raw(signature.as_slice());
        out.string(header);
        match &watched.body {
            Body::InBlock { hash, count } => {
                out.byte(1);
                out.raw(hash.as_slice());
                out.word(*count as u64);
            }
            Body::Own(all) => {
                let is_same = self.environment == watched.header.environment
                    && all.starts_with(&self.transactions);
                let first = if is_same { self.transactions.len() } else { 0 };
                out.byte(0);
                out.word(first as u64);
                out.list(&all[first..], |out, raw| out.string(raw));
                *self = Self { environment: watched.header.environment, transactions: all.clone() };
            }
        }
        out.0
    }

    fn decode(&mut self, record: &Bytes, domain: &Domain) -> Result<Watched, DiskError> {
        let malformed = |reason: String| DiskError::malformed(WHAT, reason);
        let mut reader = Reader::new(WHAT, record);
        let rollup = Address::from(reader.array::<20>()?);
        let schema = SchemaId::new(u16::from_be_bytes(reader.array()?));
        let is_sealed = reader.flag()?;
        let l1_block = reader.word()?;
        let l1_hash = reader.array::<32>()?.into();
        let signature = FixedBytes::from(reader.array::<65>()?);
        let rlp = Bytes::copy_from_slice(&reader.string()?);
        let header = HeaderSummary::read(&rlp).map_err(|error| malformed(error.to_string()))?;
        let body = if reader.flag()? {
            let hash = reader.array::<32>()?.into();
            let count = usize::try_from(reader.word()?).unwrap_or(usize::MAX);
            Body::InBlock { hash, count }
        } else {
            let first = usize::try_from(reader.word()?).unwrap_or(usize::MAX);
            let added = reader.list(|reader| reader.string())?;
            let shared = match self.environment == header.environment || first == 0 {
                true => self.transactions.get(..first),
                false => None,
            };
            let shared = shared.ok_or_else(|| {
                malformed(format!("{first} transactions of the previous record, which are missing"))
            })?;
            let added = added.iter().map(|raw| Bytes::copy_from_slice(raw));
            let transactions: Vec<_> = shared.iter().cloned().chain(added).collect();
            let environment = header.environment;
            *self = Self { environment, transactions: transactions.clone() };
            Body::Own(transactions)
        };
        reader.end()?;
        let block_hash = header.hash;
        let message = Preconfirmation { rollup, block_hash, schema, is_sealed, l1_block, l1_hash };
        let signer = message.signer(domain, signature.as_slice());
        let signer = signer.map_err(|error| malformed(error.to_string()))?;
        Ok(Watched {
            signed: SignedHeader { message, signature, header: rlp },
            header,
            signer,
            body,
        })
    }
}
