//! Inputs that lie in blobs of the transaction around the call, but for their head.

use super::{Answer, Call, Dialect};
use crate::{ExecuteError, Executed, ExecutionSpecs, Refused};
use alloy_primitives::{Address, B256, Bytes, address};
use core::fmt;
use stateless::InternalError;
use std::{borrow::Cow, sync::Arc};
use wire::blob_tail::{BlobTailError, Trailer};

/// Where EXECUTE stands for inputs that lie in blobs.
pub const BLOB_EXECUTE_ADDRESS: Address = address!("0x0000000000000000000000000000000000000103");

/// Where a node finds the blobs of the transactions that it executes.
///
/// A blob counts as the one with a versioned hash only after it was checked against the commitment
/// behind that hash: nobody asks again.
pub trait BlobSource: fmt::Debug + Send + Sync {
    /// The blob with this versioned hash, if the node holds it.
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes>;
}

/// A source without blobs.
impl BlobSource for () {
    fn blob(&self, _: &B256) -> Option<Bytes> {
        None
    }
}

/// Calldata is the head of a stateless input, or of a batch, and a [`Trailer`] that says which blobs of
/// the same transaction hold its tail ([`wire::blob_tail`]); the call is answered, paid and refused as one with the whole
/// input in its calldata.
///
/// The blobs are bound to the call by the versioned hashes of the transaction, as the instruction
/// BLOBHASH shows them. Blobs that the transaction does not have, and such that are not encoded as a
/// tail is, make the call fail. A blob that the transaction has and this node does not hold is none of
/// the caller's faults, and nodes that hold it come to a verdict: the EVM stops, and with it the block,
/// of which this node can say nothing ([`InternalError::BlobAbsent`]).
#[derive(Debug, Clone)]
pub struct BlobTail {
    blobs: Arc<dyn BlobSource>,
}

impl BlobTail {
    /// The dialect of a node that finds blobs there.
    pub const fn new(blobs: Arc<dyn BlobSource>) -> Self {
        Self { blobs }
    }

    fn split(calldata: &[u8]) -> Result<(&[u8], Trailer), ExecuteError> {
        Ok(Trailer::split(calldata)?)
    }
}

impl Dialect for BlobTail {
    fn name(&self) -> &'static str {
        "EXECUTE (blobs)"
    }

    fn address(&self) -> Address {
        BLOB_EXECUTE_ADDRESS
    }

    fn bytes(&self, call: &Call<'_>) -> Result<usize, ExecuteError> {
        let (_, trailer) = Self::split(call.calldata)?;
        let (has, asked) = (call.blob_hashes.len(), trailer.blobs().end);
        if asked > has {
            return Err(ExecuteError::NoSuchBlob { asked, has });
        }
        Ok(call.calldata.len() + trailer.tail_len())
    }

    fn input<'c>(&self, call: &Call<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        let (head, trailer) = Self::split(call.calldata)?;
        let pieces = trailer.pieces(head)?;
        if trailer.tail_len() == 0 {
            return Ok(Cow::Borrowed(head));
        }
        let asked = trailer.blobs();
        let (has, end) = (call.blob_hashes.len(), asked.end);
        let hashes =
            call.blob_hashes.get(asked).ok_or(ExecuteError::NoSuchBlob { asked: end, has })?;
        let found = |hash: &B256| self.blobs.blob(hash).ok_or(InternalError::BlobAbsent(*hash));
        let blobs = hashes.iter().map(found).collect::<Result<Vec<_>, _>>()?;
        Ok(Cow::Owned(pieces.join(&blobs)?))
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        ExecutionSpecs.answer(calldata, outcome)
    }
}

impl From<BlobTailError> for ExecuteError {
    fn from(error: BlobTailError) -> Self {
        Self::BlobTail(error)
    }
}
