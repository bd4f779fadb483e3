//! Inputs whose tail is in blobs of the surrounding transaction.

use crate::Nested;
use alloy_primitives::{Address, B256, Bytes, address};
use codec::blob_tail::{BlobTailError, Trailer};
use core::fmt;
use execute::{
    Answer, Dialect, ExecuteError, Executed, ExecutionSpecs, InternalError, PrecompileCall,
    Pricing, Refused,
};
use executor::EvmOverrides;
use std::{borrow::Cow, sync::Arc};

/// Address of EXECUTE for inputs with a tail in blobs.
pub const BLOB_EXECUTE_ADDRESS: Address = address!("0x0000000000000000000000000000000000000103");

/// Source of the blobs of the transactions that a node executes.
///
/// A source must check a blob against the commitment behind its versioned hash before it returns
/// the blob: the caller does not check again.
pub trait BlobSource: fmt::Debug + Send + Sync {
    /// Returns the blob with this versioned hash, if the node has it.
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes>;
}

/// A source without blobs.
impl BlobSource for () {
    fn blob(&self, _: &B256) -> Option<Bytes> {
        None
    }
}

/// Reasons why an input with a tail in blobs cannot be assembled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobRefusal {
    /// Calldata and blobs do not form an input.
    #[error("input that ends in blobs: {0}")]
    Tail(#[from] BlobTailError),
    /// The call refers to a blob that the surrounding transaction does not have.
    #[error("the call needs {needed} blobs, but its transaction has {has}")]
    NoSuchBlob {
        /// Number of blobs that the call needs.
        needed: usize,
        /// Number of blobs that the transaction has.
        has: usize,
    },
}

impl From<BlobRefusal> for ExecuteError {
    fn from(refusal: BlobRefusal) -> Self {
        let kind = match refusal {
            BlobRefusal::Tail(_) => "blobTail",
            BlobRefusal::NoSuchBlob { .. } => "noSuchBlob",
        };
        Self::Variant { kind, reason: refusal.to_string() }
    }
}

/// EXECUTE for calldata that is the head of a stateless input or a batch, with a [`Trailer`] that
/// selects the blobs of the same transaction that contain its tail ([`codec::blob_tail`]). Result,
/// charge and failure of the call are the same as with the whole input in its calldata.
///
/// The versioned hashes of the transaction, as the instruction BLOBHASH returns them, bind the
/// blobs to the call. The call fails if the transaction lacks a blob, or if a blob is not encoded
/// as a tail. If the transaction has a blob that this node does not have, the caller is not at
/// fault, and other nodes reach a verdict: the EVM stops, and this node cannot decide on the block
/// ([`InternalError::BlobAbsent`]).
///
/// Together with [`Nested`], the dialect also accepts blocks of an L2 that has EXECUTE.
#[derive(Debug, Clone)]
pub struct BlobTail {
    blobs: Arc<dyn BlobSource>,
    nested: Option<Nested>,
}

impl BlobTail {
    /// Creates the dialect of a node with this source of blobs.
    pub const fn new(blobs: Arc<dyn BlobSource>) -> Self {
        Self { blobs, nested: None }
    }

    /// Returns the dialect with the additional inputs of
    /// [`NESTED_REVISION`](crate::NESTED_REVISION).
    #[must_use]
    pub fn with_nested(self, nested: Nested) -> Self {
        Self { nested: Some(nested), ..self }
    }

    /// Returns the input under the revision of the execution-specs, if the dialect accepts the
    /// revision of the input.
    fn readable<'c>(&self, input: Cow<'c, [u8]>) -> Cow<'c, [u8]> {
        let specs = self.nested.as_ref().and_then(|_| Nested::to_specs(&input));
        specs.map_or(input, Cow::Owned)
    }

    /// Returns the extra charge of a call whose tail is in blobs, compared with one that has the
    /// whole input in its calldata.
    pub fn trailer_charge(pricing: &dyn Pricing) -> u64 {
        pricing.bytes(Trailer::LEN as u64).saturating_sub(pricing.bytes(0))
    }
}

impl Dialect for BlobTail {
    fn name(&self) -> &'static str {
        "EXECUTE (blobs)"
    }

    fn address(&self) -> Address {
        BLOB_EXECUTE_ADDRESS
    }

    fn bytes(&self, call: &PrecompileCall<'_>) -> Result<usize, ExecuteError> {
        let (_, trailer) = Trailer::split(call.calldata).map_err(BlobRefusal::from)?;
        // Checked before the price of the tail, since a missing blob is never read.
        let (has, needed) = (call.blob_hashes.len(), trailer.blobs().end);
        if needed > has {
            return Err(BlobRefusal::NoSuchBlob { needed, has }.into());
        }
        Ok(call.calldata.len() + trailer.tail_len())
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        let (head, trailer) = Trailer::split(call.calldata).map_err(BlobRefusal::from)?;
        // Before any blob is fetched: a head that cannot be joined with a tail costs no look-up.
        let pieces = trailer.pieces(head).map_err(BlobRefusal::from)?;
        // Without a tail the head is the whole input and need not be copied.
        if trailer.tail_len() == 0 {
            return Ok(self.readable(Cow::Borrowed(head)));
        }
        let needed = trailer.blobs();
        let (has, end) = (call.blob_hashes.len(), needed.end);
        let hashes =
            call.blob_hashes.get(needed).ok_or(BlobRefusal::NoSuchBlob { needed: end, has })?;
        let found = |hash: &B256| self.blobs.blob(hash).ok_or(InternalError::BlobAbsent(*hash));
        let blobs = hashes.iter().map(found).collect::<Result<Vec<_>, _>>()?;
        let whole = pieces.join(&blobs).map_err(BlobRefusal::from)?;
        Ok(self.readable(Cow::Owned(whole)))
    }

    fn evm(&self, call: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        // The head begins with the schema id of the input.
        self.nested.as_ref().map_or_else(|| Box::new(()) as _, |nested| nested.evm(call))
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        match &self.nested {
            Some(nested) => nested.answer(calldata, outcome),
            None => ExecutionSpecs.answer(calldata, outcome),
        }
    }
}
