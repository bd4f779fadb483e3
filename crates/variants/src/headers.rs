//! EXECUTE that also returns the headers that it has verified.

use crate::{BLOB_EXECUTE_ADDRESS, BlobTail, Nested};
use alloy_primitives::{Address, Bytes, address, keccak256};
use execute::{
    Answer, Dialect, ExecuteError, Executed, ExecutionSpecs, InternalError, PrecompileCall, Refused,
};
use executor::EvmOverrides;
use std::{borrow::Cow, sync::Arc};
use wire::StatelessResult;

/// EXECUTE for the calls of another dialect with the 43-byte result, whose return data also contain
/// each block header: after the result, for each block in order, the length of the header as four
/// big-endian bytes, and the RLP of the header, exactly as it is hashed.
///
/// A contract can read the fields of a verified block from its header without knowing the layout of
/// the payload. Headers have only ever been extended at the end, so their items keep their index in
/// later forks.
///
/// The call is charged and rejected as in the other dialect. The headers need no separate charge: a
/// header has at most [`Self::MAX_HEADER`] bytes, while the request of its block in the input has
/// at least 584, and each block costs at least as much as
/// [`FURTHER_BLOCK_GAS`](execute::FURTHER_BLOCK_GAS), which pays for building and hashing its
/// header. This is more than 13 gas per returned byte.
#[derive(Debug, Clone)]
pub struct Headers {
    form: Arc<dyn Dialect>,
    in_blobs: bool,
}

impl Headers {
    /// Address of the precompile for inputs in calldata.
    pub const ADDRESS: Address = address!("0x0000000000000000000000000000000000000105");
    /// Address of the precompile for inputs with a tail in blobs.
    pub const BLOB_ADDRESS: Address = address!("0x0000000000000000000000000000000000000106");
    /// Bytes of the length of a header.
    pub const LENGTH: usize = 4;
    /// Maximum bytes of a header up to Amsterdam, with 32 bytes of extra data and the largest
    /// values of all integers.
    pub const MAX_HEADER: usize = 728;

    /// Creates the dialect for inputs in calldata, with those of [`Nested`], if given.
    pub fn of_calldata(nested: Option<Nested>) -> Self {
        nested.map_or_else(|| Self::of(Arc::new(ExecutionSpecs)), |rules| Self::of(Arc::new(rules)))
    }

    /// Creates the dialect for the inputs of [`BlobTail`].
    pub fn of_blobs(tails: BlobTail) -> Self {
        Self::of(Arc::new(tails))
    }

    /// Creates the dialect for the calls of `form`, which must return the 43-byte result. It is for
    /// inputs with a tail in blobs if `form` has the address of [`BlobTail`].
    pub fn of(form: Arc<dyn Dialect>) -> Self {
        let in_blobs = form.address() == BLOB_EXECUTE_ADDRESS;
        Self { form, in_blobs }
    }

    /// Splits return data into the result and the RLP of each header. Returns `None` if the bytes
    /// do not have this form.
    pub fn split(answer: &[u8]) -> Option<(StatelessResult, Vec<&[u8]>)> {
        let (result, mut rest) = answer.split_at_checked(StatelessResult::LEN)?;
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<{ Self::LENGTH }>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (header, tail) = tail.split_at_checked(length)?;
            headers.push(header);
            rest = tail;
        }
        Some((StatelessResult::decode(result).ok()?, headers))
    }

    /// Encodes the headers of verified blocks as in the return data.
    fn encode(evm: &dyn EvmOverrides, executed: &Executed) -> Result<Vec<u8>, ExecuteError> {
        let mut encoded = Vec::new();
        for verdict in executed.verdicts() {
            // EXECUTE has hashed the same encoding of the same header, so another hash is a fault
            // of this node, which must not return what it has not verified.
            let header = evm.encode_header(&verdict.header);
            let (got, expected) = (keccak256(&header), verdict.block_hash);
            let length = u32::try_from(header.len()).ok().filter(|_| got == expected);
            let length = length.ok_or_else(|| {
                let fault = format!("the header has hash {got}, verified {expected}");
                InternalError::Executor(fault)
            })?;
            encoded.extend(length.to_be_bytes());
            encoded.extend(header);
        }
        Ok(encoded)
    }
}

impl Dialect for Headers {
    fn name(&self) -> &'static str {
        if self.in_blobs { "EXECUTE (headers, blobs)" } else { "EXECUTE (headers)" }
    }

    fn address(&self) -> Address {
        if self.in_blobs { Self::BLOB_ADDRESS } else { Self::ADDRESS }
    }

    fn bytes(&self, call: &PrecompileCall<'_>) -> Result<usize, ExecuteError> {
        self.form.bytes(call)
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        self.form.input(call)
    }

    fn evm(&self, call: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        self.form.evm(call)
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        let executed = outcome.map_err(|refused| refused.reason)?;
        let headers = Self::encode(&*self.evm(&calldata.into()), &executed)?;
        let Answer { gas, output } = self.form.answer(calldata, Ok(executed))?;
        Ok(Answer { gas, output: Bytes::from([&output[..], &headers].concat()) })
    }
}
