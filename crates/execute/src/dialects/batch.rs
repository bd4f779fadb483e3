//! The input of a call: one block, or a batch of blocks.
//!
//! All dialects treat a batch like a single input: the call succeeds if it would succeed for each
//! block alone, and the result contains the hash tree root of the list of requests.

use crate::{DeclaredGas, ExecuteError};
use alloc::boxed::Box;
use stateless::{BlockError, BlockRejection, UncheckedBlocks, declared_gas};
use wire::Input;

/// Gas charged for each block of a batch after the first; the price of a call covers one block. It
/// pays for the work that the block's gas does not cover: system calls, header and roots.
pub const FURTHER_BLOCK_GAS: u64 = 10_000;

impl DeclaredGas {
    /// Returns the amounts that a call with this calldata declares, for a block or a batch.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the calldata is not an input, or a transaction is malformed.
    pub fn of_calldata(calldata: &[u8]) -> Result<Self, ExecuteError> {
        let input = Input::decode(calldata)?;
        with_gas_limits(&input, declared(&input, calldata.len()))
    }
}

/// Returns the blocks of an input with decoded transactions.
pub(crate) fn blocks<'i, 'c>(
    input: &'i Input<'c>,
) -> Result<UncheckedBlocks<'i, 'c>, ExecuteError> {
    let blocks = match input {
        Input::Block(input) => UncheckedBlocks::decode(input),
        Input::Batch(batch) => UncheckedBlocks::decode_batch(batch),
    };
    blocks.map_err(|error| refused(input, error))
}

/// Returns the length of the SSZ encoding of the requests of an input, in bytes.
pub(crate) fn request_bytes(input: &Input<'_>) -> usize {
    let lengths = input.requests().iter().map(|request| request.encoded_len(input.fork()));
    lengths.fold(0, usize::saturating_add)
}

/// Returns the amounts that a call with this many bytes declares before its transactions are
/// decoded: those of its blocks, and of their common witness.
pub(crate) fn declared(input: &Input<'_>, bytes: usize) -> DeclaredGas {
    let mut declared = DeclaredGas {
        calldata: bytes as u64,
        request_bytes: request_bytes(input) as u64,
        // Included first, so that the reserve covers it even if the blocks declare no gas.
        gas_limit: own_gas(input),
        ..match input {
            Input::Block(input) => DeclaredGas::of_witness(&input.witness),
            Input::Batch(batch) => DeclaredGas::of_batch_witness(&batch.witness),
        }
    };
    for request in input.requests() {
        declared.transactions += request.payload.transactions.len() as u64;
        // Saturating: each block can declare the maximum gas limit, and a wrapped sum would make
        // the call cheap.
        declared.gas_limit = declared.gas_limit.saturating_add(request.payload.gas_limit);
    }
    declared
}

/// Adds the gas limits of the transactions of an input, which are decoded one at a time and
/// dropped.
pub(crate) fn with_gas_limits(
    input: &Input<'_>,
    declared: DeclaredGas,
) -> Result<DeclaredGas, ExecuteError> {
    let mut transaction_gas = own_gas(input);
    for (index, request) in input.requests().iter().enumerate() {
        let sum = declared_gas(request, input.fork())
            .map_err(|reason| in_block(input, index, reason.into()))?;
        // A block never uses more than its own gas limit, even if its transactions declare more.
        transaction_gas = transaction_gas.saturating_add(sum.min(request.payload.gas_limit));
    }
    Ok(DeclaredGas { transaction_gas, ..declared })
}

/// Gas charged for the blocks of an input beyond the gas that they use.
pub(crate) const fn own_gas(input: &Input<'_>) -> u64 {
    FURTHER_BLOCK_GAS * (input.requests().len() as u64).saturating_sub(1)
}

/// Returns the total gas used by the blocks of an input, counted as in [`declared`].
pub(crate) fn gas_used(input: &Input<'_>, gas_used: impl Iterator<Item = u64>) -> u64 {
    gas_used.fold(own_gas(input), u64::saturating_add)
}

/// Converts the error of a block into the error of the call.
pub(crate) fn refused(input: &Input<'_>, refused: BlockRejection) -> ExecuteError {
    let BlockRejection { block, reason } = refused;
    match reason {
        BlockError::Internal(error) => error.into(),
        BlockError::Invalid(reason) => in_block(input, block, reason.into()),
    }
}

/// Adds the position of the block in a batch to an error.
pub(crate) fn in_block(input: &Input<'_>, block: usize, reason: ExecuteError) -> ExecuteError {
    if input.is_batch() {
        ExecuteError::InBatch { block, reason: Box::new(reason) }
    } else {
        reason
    }
}
