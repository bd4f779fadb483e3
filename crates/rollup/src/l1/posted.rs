//! File of the L1 transaction and cost of each settled L2 block.

use crate::{
    L1Error,
    l1::{
        PostedBlock,
        saved::{POSTED_BYTES, put_posted, read_posted},
    },
};
use alloy_primitives::{B256, Bytes};
use disk::{DiskError, Reader, SlotFile, Writer};
use std::path::Path;

/// L2 blocks that are settled on L1, by number. The latest blocks, which an L1 reorg may still
/// affect, are in the view and its log.
#[derive(Debug)]
pub(crate) struct PostedFile(SlotFile<POSTED_BYTES>);

impl PostedFile {
    /// Opens or creates the file of a deployment.
    pub(super) fn open(path: &Path, subject: B256) -> Result<Self, L1Error> {
        Ok(Self(SlotFile::open(path, subject)?))
    }

    /// Writes blocks, replacing earlier records. Errors are only logged: RPC responses then lack
    /// the fields about L1, and nothing else reads the file.
    pub(super) fn note_all<'b>(&self, mut blocks: impl Iterator<Item = &'b PostedBlock>) {
        if let Err(error) = blocks.try_for_each(|block| self.note(block)) {
            tracing::warn!(%error, "failed to record the L1 transactions of settled L2 blocks");
        }
    }

    fn note(&self, block: &PostedBlock) -> Result<(), DiskError> {
        let mut out = Writer::default();
        put_posted(&mut out, block);
        let record = out.0.as_slice().try_into();
        let record = record.map_err(|error| DiskError::malformed("L2 block on L1", error))?;
        self.0.put(block.number, record)
    }

    pub(super) fn sync(&self) -> Result<(), DiskError> {
        self.0.sync()
    }

    /// Returns the block with this number, if there is a record. A corrupted record is logged and
    /// treated as absent.
    pub(crate) fn get(&self, number: u64) -> Option<PostedBlock> {
        let read = self.0.get(number).and_then(|record| {
            let record = record.map(|record| Bytes::copy_from_slice(&record));
            record
                .map(|record| read_posted(&mut Reader::new("L2 block on L1", &record)))
                .transpose()
        });
        read.unwrap_or_else(|error| {
            tracing::warn!(number, %error, "failed to read the L1 transaction of an L2 block");
            None
        })
    }
}
