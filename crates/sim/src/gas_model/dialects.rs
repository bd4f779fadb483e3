//! Inputs in other dialects, whose decoding must be paid for too.

use super::rows::{Input, Rows};
use alloy_primitives::{B256, Bytes};
use execute::Execute;
use eyre::Result;
use std::{collections::HashMap, sync::Arc};
use variants::{BlobSource, BlobTail, DialectName, Drake};

/// Blobs that a node has.
#[derive(Debug)]
struct NodeBlobs(HashMap<B256, Bytes>);

impl BlobSource for NodeBlobs {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        self.0.get(versioned_hash).cloned()
    }
}

/// Returns hashes for the blobs of a transaction, and a source with these blobs. The hashes are
/// dummies, because computing KZG commitments would take longer than any call.
pub(crate) fn held(blobs: &[Vec<u8>]) -> (Vec<B256>, Arc<dyn BlobSource>) {
    let blobs = blobs.iter().map(|blob| Bytes::copy_from_slice(blob));
    let held: Vec<_> = (0..=u8::MAX).map(B256::repeat_byte).zip(blobs).collect();
    let hashes = held.iter().map(|(hash, _)| *hash).collect();
    (hashes, Arc::new(NodeBlobs(held.into_iter().collect())))
}

/// Measures an input that is in blobs except for its head.
pub(crate) fn in_blobs(rows: &mut Rows<'_>, name: &str, input: &[u8]) -> Result<()> {
    let call = DialectName::Blobs.encode(input)?;
    let (blob_hashes, source) = held(&call.blobs);
    (rows.measure)(Input {
        blob_hashes,
        dialect: Arc::new(BlobTail::new(source)),
        ..Input::new(&format!("in blobs: {name}"), Execute::on(rows.fork), call.calldata)
    })
}

/// Measures an input in Drake's dialect, with a true and with a false claim.
pub(crate) fn claimed(rows: &mut Rows<'_>, name: &str, input: &[u8]) -> Result<()> {
    let call = DialectName::Drake.encode(input)?;
    for (what, change) in [("claimed", 0), ("falsely claimed", 1)] {
        let mut calldata = call.calldata.clone();
        // The least significant byte of the gas, which is the fourth word.
        calldata[127] ^= change;
        (rows.measure)(Input {
            dialect: Arc::new(Drake),
            ..Input::new(&format!("{what}: {name}"), Execute::on(rows.fork), calldata)
        })?;
    }
    Ok(())
}
