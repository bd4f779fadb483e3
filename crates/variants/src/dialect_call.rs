//! Conversion between inputs and EXECUTE calls in each dialect.

use crate::{BlobRefusal, DialectName, Draft8079, ExecuteTail, Nested, TailRefusal, drake::Claim};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, U256};
use codec::blob_tail::{Trailer, cut, to_blobs};
use execute::{Dialect, Execute, ExecuteError, Executed, PrecompileCall, TrustedContext};
use wire::{DecodeError, Input};

/// A call: its calldata, and the blobs of the surrounding transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectCall {
    /// Calldata of the precompile.
    pub calldata: Vec<u8>,
    /// Blobs of the transaction, in order. In [`DialectName::ExecuteTx`] the only item is the
    /// witness of the transaction.
    pub blobs: Vec<Vec<u8>>,
}

/// Reason why an input cannot be encoded in a dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialectEncodeError {
    /// The input cannot be decoded.
    #[error(transparent)]
    Input(#[from] DecodeError),
    /// The witness has no readable header of the parent, whose state root the claim contains.
    #[error(
        "the witness has no readable header of the parent, whose state root is a part of the claim"
    )]
    NoParent,
    /// The input is too short for a head.
    #[error("an input of {got} bytes is too short to have a head in calldata")]
    NoHead {
        /// Bytes of the input.
        got: usize,
    },
    /// The input is a batch, and the dialect only has single blocks.
    #[error("a batch cannot be encoded in dialect {0}, expected a single block")]
    Batch(DialectName),
    /// The headers on the chain of the block differ from those on the chains of the dialect.
    #[error(
        "a block of dialect {from} cannot be encoded in dialect {to}: only headers of dialect \
         draft-8079 have burned fees"
    )]
    OtherChain {
        /// The dialect of the block.
        from: DialectName,
        /// The requested dialect.
        to: DialectName,
    },
    /// The tail does not fit into the blobs that a trailer can name.
    #[error("a tail of {got} bytes needs more blobs than a trailer can name")]
    TooLong {
        /// Bytes of the tail.
        got: usize,
    },
}

impl DialectName {
    /// Returns the call with this input, which is not executed. For [`Self::Blobs`] and the
    /// dialects with headers it may also be an input of [`Self::Nested`].
    ///
    /// # Errors
    ///
    /// [`DialectEncodeError`] if the dialect cannot encode it.
    pub fn encode(self, input: &[u8]) -> Result<DialectCall, DialectEncodeError> {
        match self {
            Self::Specs => Ok(DialectCall { calldata: input.to_vec(), blobs: Vec::new() }),
            Self::Headers => {
                let specs = Nested::to_specs(input);
                Input::decode(specs.as_deref().unwrap_or(input))?;
                Ok(DialectCall { calldata: input.to_vec(), blobs: Vec::new() })
            }
            Self::Drake => {
                let calldata = claim_of(input)?.calldata(input);
                Ok(DialectCall { calldata, blobs: Vec::new() })
            }
            Self::Blobs | Self::HeadersBlobs => {
                let specs = Nested::to_specs(input);
                Input::decode(specs.as_deref().unwrap_or(input))?;
                let (head, tail) =
                    cut(input).ok_or(DialectEncodeError::NoHead { got: input.len() })?;
                let too_long = DialectEncodeError::TooLong { got: tail.len() };
                let trailer = Trailer::new(tail.len(), 0).ok_or(too_long)?;
                let calldata = [&head[..], &trailer.encode()].concat();
                Ok(DialectCall { calldata, blobs: to_blobs(&tail) })
            }
            Self::Nested => {
                Input::decode(input)?;
                let calldata = Nested::from_specs(input).ok_or(DialectEncodeError::Batch(self))?;
                Ok(DialectCall { calldata, blobs: Vec::new() })
            }
            Self::Draft8079 => {
                Input::decode(input)?;
                Err(DialectEncodeError::OtherChain { from: Self::Specs, to: self })
            }
            Self::ExecuteTx => {
                Input::decode(input)?;
                let at = ExecuteTail::split_at(input).ok_or(DialectEncodeError::Batch(self))?;
                let (head, witness) = input.split_at(at);
                Ok(DialectCall { calldata: head.to_vec(), blobs: vec![witness.to_vec()] })
            }
        }
    }

    /// Returns the call for an input that was [decoded](Self::decode) from a call in dialect
    /// `from`.
    ///
    /// # Errors
    ///
    /// [`DialectEncodeError`] if the dialect cannot encode it.
    pub fn encode_call(
        self,
        from: Self,
        calldata: &[u8],
        input: &[u8],
    ) -> Result<DialectCall, DialectEncodeError> {
        match (from, self) {
            (Self::Draft8079, Self::Draft8079) => {
                Ok(DialectCall { calldata: calldata.to_vec(), blobs: Vec::new() })
            }
            // As an input of another dialect, the block would have a wrong hash.
            (Self::Draft8079, to) => Err(DialectEncodeError::OtherChain { from, to }),
            (_, to) => to.encode(input),
        }
    }

    /// Returns the input of a call in a transaction with these blobs, under the revision of the
    /// execution-specs.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the call is not in this dialect.
    pub fn decode<B: AsRef<[u8]>>(
        self,
        calldata: &[u8],
        blobs: &[B],
    ) -> Result<Vec<u8>, ExecuteError> {
        match self {
            Self::Specs => Ok(calldata.to_vec()),
            Self::Drake => Ok(Claim::decode(calldata)?.1.to_vec()),
            Self::Nested | Self::Headers => {
                Ok(Nested::to_specs(calldata).unwrap_or_else(|| calldata.to_vec()))
            }
            Self::Draft8079 => Ok(Draft8079.input(&PrecompileCall::from(calldata))?.into_owned()),
            Self::Blobs | Self::HeadersBlobs => {
                let (head, trailer) = Trailer::split(calldata).map_err(BlobRefusal::from)?;
                let pieces = trailer.pieces(head).map_err(BlobRefusal::from)?;
                let (has, range) = (blobs.len(), trailer.blobs());
                let needed = range.end;
                let blobs = blobs.get(range).ok_or(BlobRefusal::NoSuchBlob { needed, has })?;
                let input = pieces.join(blobs).map_err(BlobRefusal::from)?;
                Ok(Nested::to_specs(&input).unwrap_or(input))
            }
            Self::ExecuteTx => match blobs {
                [witness] => {
                    let witness = Bytes::copy_from_slice(witness.as_ref());
                    Ok([calldata, &ExecuteTail::witness(&witness)?].concat())
                }
                _ => Err(TailRefusal::NoTransaction.into()),
            },
        }
    }

    /// Runs a call's input, as [`Self::decode`] returns it, with unlimited gas, and checks the
    /// claims of the call.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the input is rejected, or if a claim of the call is false.
    pub fn run(
        self,
        execute: &Execute,
        calldata: &[u8],
        input: &[u8],
    ) -> Result<Executed, ExecuteError> {
        let under = |dialect: &dyn Dialect| {
            let evm = dialect.evm(&PrecompileCall::from(calldata));
            let context = TrustedContext { evm: &*evm, senders: &[] };
            execute.run_under(input, u64::MAX, context, |_| {})
        };
        let executed = match self {
            Self::Specs | Self::Drake | Self::ExecuteTx => execute.run(input, u64::MAX)?,
            // The calldata of all of them begins with the schema id of the input.
            Self::Blobs | Self::Nested | Self::Headers | Self::HeadersBlobs => {
                under(&Nested::new(execute))?
            }
            Self::Draft8079 => under(&Draft8079)?,
        };
        self.check_claim(calldata, &executed)?;
        Ok(executed)
    }

    /// Checks that the claims of a call match its valid input. Only Drake's dialect makes claims in
    /// addition to the block.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] with claim and outcome.
    pub fn check_claim(self, calldata: &[u8], executed: &Executed) -> Result<(), ExecuteError> {
        match self {
            Self::Drake => Claim::decode(calldata)?.0.check(executed),
            Self::Specs
            | Self::Blobs
            | Self::Nested
            | Self::Draft8079
            | Self::ExecuteTx
            | Self::Headers
            | Self::HeadersBlobs => Ok(()),
        }
    }
}

/// Returns the claim that the payloads of an input make.
fn claim_of(input: &[u8]) -> Result<Claim, DialectEncodeError> {
    let input = Input::decode(input)?;
    let (headers, requests) = match &input {
        Input::Block(block) => (&block.witness.headers, core::slice::from_ref(&block.request)),
        Input::Batch(batch) => (&batch.witness.headers, &batch.requests[..]),
    };
    let parent = headers.last().and_then(|header| alloy_rlp::decode_exact::<Header>(header).ok());
    let pre = parent.ok_or(DialectEncodeError::NoParent)?.state_root;
    let post = requests.last().map_or(B256::ZERO, |last| last.payload.state_root);
    let gas_used = requests.iter().map(|request| U256::from(request.payload.gas_used)).sum();
    Ok(Claim { pre, post, gas_used })
}
