//! The input of a call: one block, or a batch of blocks.

use crate::{DeclaredGas, ExecuteError};
use alloc::boxed::Box;
use stateless::{BlockError, BlockRefused, UncheckedBlocks, declared_gas};
use wire::{DecodeError, Input};

/// Gas charged for each block of a batch after the first; the price of a call covers one block. It
/// pays for the work that the gas of the block does not cover: system calls, header and roots.
pub const FURTHER_BLOCK_GAS: u64 = 10_000;

/// The decoded input of a call: its declared amounts, its blocks, and the conversion of its errors.
///
/// In every dialect, a batch is called, answered, charged and refused like a single input: the call
/// succeeds if it would succeed for each block, and the result contains the root of the list of
/// requests.
#[derive(Debug)]
pub(crate) struct CallInput<'c>(Input<'c>);

impl<'c> core::ops::Deref for CallInput<'c> {
    type Target = Input<'c>;

    fn deref(&self) -> &Input<'c> {
        &self.0
    }
}

impl DeclaredGas {
    /// Returns the amounts that a call with this calldata declares, for a block or a batch.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the calldata is not an input, or a transaction is malformed.
    pub fn of_calldata(calldata: &[u8]) -> Result<Self, ExecuteError> {
        let input = CallInput::decode(calldata)?;
        input.with_gas_limits(input.declared(calldata.len()))
    }
}

impl<'c> CallInput<'c> {
    pub(crate) fn decode(bytes: &'c [u8]) -> Result<Self, DecodeError> {
        Input::decode(bytes).map(Self)
    }

    /// Timestamps of its blocks, in order.
    pub(crate) fn timestamps(&self) -> impl Iterator<Item = u64> + '_ {
        self.requests().iter().map(|request| request.payload.timestamp)
    }

    /// Returns its blocks with decoded transactions.
    pub(crate) fn blocks(&self) -> Result<UncheckedBlocks<'_, 'c>, ExecuteError> {
        let blocks = match &self.0 {
            Input::Block(input) => UncheckedBlocks::decode(input),
            Input::Batch(batch) => UncheckedBlocks::decode_batch(batch),
        };
        blocks.map_err(|refused| self.refused(refused))
    }

    /// Returns the length of the SSZ encoding of its requests, in bytes.
    pub(crate) fn request_bytes(&self) -> usize {
        let lengths = self.requests().iter().map(|request| request.encoded_len(self.fork()));
        lengths.fold(0, usize::saturating_add)
    }

    /// Returns the amounts that a call with this many bytes declares before its transactions are
    /// decoded: those of its blocks, and of their common witness.
    pub(crate) fn declared(&self, bytes: usize) -> DeclaredGas {
        let mut declared = DeclaredGas {
            calldata: bytes as u64,
            request_bytes: self.request_bytes() as u64,
            // Included from the start, so that the reserve covers it however little the blocks
            // declare.
            gas_limit: self.own_gas(),
            ..match &self.0 {
                Input::Block(input) => DeclaredGas::of_witness(&input.witness),
                Input::Batch(batch) => DeclaredGas::of_batch_witness(&batch.witness),
            }
        };
        for request in self.requests() {
            declared.transactions += request.payload.transactions.len() as u64;
            // Saturating: each block may declare the largest limit, and a sum that wraps would be
            // cheap.
            declared.gas_limit = declared.gas_limit.saturating_add(request.payload.gas_limit);
        }
        declared
    }

    /// Adds the gas limits of the transactions, which are decoded one by one and not kept.
    pub(crate) fn with_gas_limits(
        &self,
        declared: DeclaredGas,
    ) -> Result<DeclaredGas, ExecuteError> {
        let mut transaction_gas = self.own_gas();
        for (index, request) in self.requests().iter().enumerate() {
            let sum = declared_gas(request, self.fork())
                .map_err(|reason| self.in_block(index, reason.into()))?;
            // No block can use more than its own limit, even if its transactions declare more.
            transaction_gas = transaction_gas.saturating_add(sum.min(request.payload.gas_limit));
        }
        Ok(DeclaredGas { transaction_gas, ..declared })
    }

    /// Gas charged for its blocks beyond the gas that they use.
    pub(crate) fn own_gas(&self) -> u64 {
        FURTHER_BLOCK_GAS * (self.requests().len() as u64).saturating_sub(1)
    }

    /// Returns the total gas used by its blocks, counted as in [`Self::declared`].
    pub(crate) fn gas_used(&self, gas_used: impl Iterator<Item = u64>) -> u64 {
        gas_used.fold(self.own_gas(), u64::saturating_add)
    }

    /// Converts the error of one of its blocks into the error of the call.
    pub(crate) fn refused(&self, refused: BlockRefused) -> ExecuteError {
        let BlockRefused { block, reason } = refused;
        match reason {
            BlockError::Internal(error) => error.into(),
            BlockError::Invalid(reason) => self.in_block(block, reason.into()),
        }
    }

    /// Adds the position of the block in a batch to an error.
    pub(crate) fn in_block(&self, block: usize, reason: ExecuteError) -> ExecuteError {
        if self.is_batch() {
            ExecuteError::InBatch { block, reason: Box::new(reason) }
        } else {
            reason
        }
    }
}
