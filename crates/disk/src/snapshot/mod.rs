//! Snapshots: the state of one block as a file, from which a chain can continue without the earlier
//! blocks.
//!
//! ```text
//! "ENSHSNP" 0x01
//! length of the head     u32
//! head                   chain id (8), hash of the chain's first block (32), header, ancestors
//! CRC-32 of these        u32
//! length, node or code   u32, bytes: in the order of a walk from the state root
//! …
//! ff ff ff ff
//! number of records      u64
//! CRC-32 of all          u32
//! ```
//!
//! All integers are big-endian. The walk visits each node before the nodes below it. The leaf of an
//! account is followed by its code, unless that code has occurred before, and by the nodes of its
//! storage. The reader can therefore verify each record against a hash that it has already read,
//! and needs memory for a single path only.

mod error;
mod export;
mod import;
mod stream;
mod walk;

pub use error::SnapshotError;
pub use export::export;
pub use import::Snapshot;

use crate::{DiskError, Reader, Writer};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};

const MAGIC: [u8; 8] = *b"ENSHSNP\x01";
/// Number of ancestors whose hashes BLOCKHASH returns.
const ANCESTORS: usize = 256;
/// Marks the end of the records in place of a length.
const END: u32 = u32::MAX;

/// Description of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHead {
    /// Chain id.
    pub chain_id: u64,
    /// Hash of the chain's first block.
    pub first: B256,
    /// Header of the block with this state.
    pub header: Header,
    /// Headers of the ancestors whose hashes BLOCKHASH returns, newest first; at most 256.
    pub ancestors: Vec<Header>,
}

impl SnapshotHead {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.word(self.chain_id);
        out.raw(self.first.as_slice());
        out.string(&alloy_rlp::encode(&self.header));
        out.list(&self.ancestors, |out, header| out.string(&alloy_rlp::encode(header)));
        out.0
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        let head = Self::read(&Bytes::from(bytes));
        let head = head.map_err(|error| SnapshotError::Head(error.to_string()))?;
        head.check()?;
        Ok(head)
    }

    fn read(bytes: &Bytes) -> Result<Self, DiskError> {
        let mut from = Reader::new("head of a snapshot", bytes);
        let header = |from: &mut Reader<'_>| {
            let header = alloy_rlp::decode_exact::<Header>(&from.string()?);
            header.map_err(|error| DiskError::malformed("header", error))
        };
        let head = Self {
            chain_id: from.word()?,
            first: from.array()?.into(),
            header: header(&mut from)?,
            ancestors: from.list(header)?,
        };
        from.end()?;
        Ok(head)
    }

    /// Checks that the ancestors belong to the header, and that none that BLOCKHASH needs is
    /// missing.
    fn check(&self) -> Result<(), SnapshotError> {
        let expected = usize::try_from(self.header.number).unwrap_or(usize::MAX).min(ANCESTORS);
        if self.ancestors.len() != expected {
            let text = format!("{} ancestors, expected {expected}", self.ancestors.len());
            return Err(SnapshotError::Head(text));
        }
        let mut child = &self.header;
        for ancestor in &self.ancestors {
            let (got, expected) = (ancestor.hash_slow(), child.parent_hash);
            if got != expected {
                return Err(SnapshotError::Hash { what: "ancestor", got, expected });
            }
            child = ancestor;
        }
        Ok(())
    }
}
