//! Several blocks in one call, and what a call of either form brings.

use crate::{DeclaredGas, ExecuteError};
use alloy_primitives::B256;
use core::slice;
use stateless::{BlockError, BlockRefused, UncheckedBlocks, declared_gas};
use wire::{
    DecodeError, NewPayloadRequest, ProtocolFork, RootConvention, SchemaId, StatelessBatch,
    StatelessInput,
};

/// Gas that a call is charged for each block of a batch but the first, whose price is in the call's
/// own. It pays for what a block does outside its gas: system calls, header and roots.
pub const FURTHER_BLOCK_GAS: u64 = 10_000;

/// The input of a call, told by its schema id: one block as the execution-specs have it, or a batch.
///
/// A batch is called, answered, paid and refused like a single input, in every dialect: the call
/// succeeds if each of its blocks would, and its result has the root of the list of the requests.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub(crate) enum Input<'c> {
    Block(StatelessInput<'c>),
    Batch(StatelessBatch<'c>),
}

impl DeclaredGas {
    /// What a call with this calldata declares, of a block or a batch.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if that is no input, or a transaction is malformed.
    pub fn of_calldata(calldata: &[u8]) -> Result<Self, ExecuteError> {
        let input = Input::decode(calldata)?;
        input.with_gas_limits(input.declared(calldata.len()))
    }
}

impl<'c> Input<'c> {
    pub(crate) fn decode(bytes: &'c [u8]) -> Result<Self, DecodeError> {
        Ok(match SchemaId::of(bytes)?.batch_fork() {
            Some(_) => Self::Batch(StatelessBatch::decode(bytes)?),
            None => Self::Block(StatelessInput::decode(bytes)?),
        })
    }

    pub(crate) const fn is_batch(&self) -> bool {
        matches!(self, Self::Batch(_))
    }

    pub(crate) const fn fork(&self) -> ProtocolFork {
        match self {
            Self::Block(input) => input.fork,
            Self::Batch(batch) => batch.fork,
        }
    }

    pub(crate) const fn schema(&self) -> SchemaId {
        match self {
            Self::Block(input) => input.schema(),
            Self::Batch(batch) => batch.schema(),
        }
    }

    pub(crate) const fn chain_id(&self) -> u64 {
        match self {
            Self::Block(input) => input.chain_id,
            Self::Batch(batch) => batch.chain_id,
        }
    }

    /// Timestamps of its blocks, in order.
    pub(crate) fn timestamps(&self) -> impl Iterator<Item = u64> + '_ {
        self.requests().iter().map(|request| request.payload.timestamp)
    }

    /// What stands first in the result.
    pub(crate) fn request_root(&self) -> B256 {
        match self {
            Self::Block(input) => {
                input.request.hash_tree_root(input.fork, RootConvention::ExecutionSpecs)
            }
            Self::Batch(batch) => batch.requests_root(),
        }
    }

    /// Its blocks, with their transactions decoded.
    pub(crate) fn blocks(&self) -> Result<UncheckedBlocks<'_, 'c>, ExecuteError> {
        let blocks = match self {
            Self::Block(input) => UncheckedBlocks::decode(input),
            Self::Batch(batch) => UncheckedBlocks::decode(batch),
        };
        blocks.map_err(|refused| self.refused(refused))
    }

    /// Length of its requests in SSZ, in bytes.
    pub(crate) fn request_bytes(&self) -> usize {
        let lengths = self.requests().iter().map(|request| request.encoded_len(self.fork()));
        lengths.fold(0, usize::saturating_add)
    }

    fn requests(&self) -> &[NewPayloadRequest<'c>] {
        match self {
            Self::Block(input) => slice::from_ref(&input.request),
            Self::Batch(batch) => &batch.requests,
        }
    }

    /// What a call that brings this many bytes declares before its transactions are decoded: as each of the
    /// blocks does, with one witness.
    pub(crate) fn declared(&self, bytes: usize) -> DeclaredGas {
        let mut declared = DeclaredGas {
            calldata: bytes as u64,
            request_bytes: self.request_bytes() as u64,
            gas_limit: self.own_gas(),
            ..match self {
                Self::Block(input) => DeclaredGas::of_witness(&input.witness),
                Self::Batch(batch) => DeclaredGas::of_batch_witness(&batch.witness),
            }
        };
        for request in self.requests() {
            declared.transactions += request.payload.transactions.len() as u64;
            declared.gas_limit = declared.gas_limit.saturating_add(request.payload.gas_limit);
        }
        declared
    }

    /// As it is known once the transactions are decoded. Nothing is kept of them yet.
    pub(crate) fn with_gas_limits(
        &self,
        declared: DeclaredGas,
    ) -> Result<DeclaredGas, ExecuteError> {
        let mut transaction_gas = self.own_gas();
        for (index, request) in self.requests().iter().enumerate() {
            let sum = declared_gas(request, self.fork())
                .map_err(|reason| self.in_block(index, reason.into()))?;
            transaction_gas = transaction_gas.saturating_add(sum.min(request.payload.gas_limit));
        }
        Ok(DeclaredGas { transaction_gas, ..declared })
    }

    /// What its blocks are charged for beyond their gas.
    pub(crate) fn own_gas(&self) -> u64 {
        FURTHER_BLOCK_GAS * (self.requests().len() as u64).saturating_sub(1)
    }

    /// Gas that its blocks have used together, by the measure of [`Self::declared`].
    pub(crate) fn gas_used(&self, gas_used: impl Iterator<Item = u64>) -> u64 {
        gas_used.fold(self.own_gas(), u64::saturating_add)
    }

    /// The reason for which one of its blocks is refused, as that of the call.
    pub(crate) fn refused(&self, refused: BlockRefused) -> ExecuteError {
        let BlockRefused { block, reason } = refused;
        match reason {
            BlockError::Internal(error) => error.into(),
            BlockError::Invalid(reason) => self.in_block(block, reason.into()),
        }
    }

    /// Says in which block of a batch something is wrong.
    pub(crate) fn in_block(&self, block: usize, reason: ExecuteError) -> ExecuteError {
        if self.is_batch() {
            ExecuteError::InBatch { block, reason: Box::new(reason) }
        } else {
            reason
        }
    }
}
