//! Several blocks in one call, and what a call of either form brings.

use crate::{DeclaredGas, ExecuteError};
use alloy_consensus::Transaction as _;
use alloy_primitives::B256;
use stateless::{BlockError, BlockRefused, UncheckedBlocks};
use wire::{
    DecodeError, ExecutionWitness, ProtocolFork, RootConvention, SchemaId, StatelessBatch,
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

    const fn witness(&self) -> &ExecutionWitness<'c> {
        match self {
            Self::Block(input) => &input.witness,
            Self::Batch(batch) => &batch.witness,
        }
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

    /// What a call with this much calldata declares: as each of the blocks does, with one witness.
    pub(crate) fn declared(
        &self,
        calldata: usize,
        blocks: &UncheckedBlocks<'_, '_>,
    ) -> DeclaredGas {
        let witness = self.witness();
        let mut declared = DeclaredGas {
            calldata: calldata as u64,
            witness_bytes: witness.encoded_len() as u64,
            nodes: witness.state.len() as u64,
            codes: witness.codes.len() as u64,
            headers: witness.headers.len() as u64,
            ..DeclaredGas::default()
        };
        for (index, block) in blocks.iter().enumerate() {
            let own = if index == 0 { 0 } else { FURTHER_BLOCK_GAS };
            let limit = block.request.payload.gas_limit;
            let transactions = block.transactions.iter();
            let gas = transactions.fold(0_u64, |sum, one| sum.saturating_add(one.gas_limit()));
            let add = |sum: &mut u64, gas: u64| {
                *sum = sum.saturating_add(gas).saturating_add(own);
            };
            add(&mut declared.gas_limit, limit);
            add(&mut declared.transaction_gas, gas.min(limit));
            declared.request_bytes += block.request.encoded_len(self.fork()) as u64;
            declared.transactions += block.transactions.len() as u64;
        }
        declared
    }

    /// Gas that its blocks have used together, by the measure of [`Self::declared`].
    pub(crate) fn gas_used(gas_used: impl Iterator<Item = u64>) -> u64 {
        let with_own =
            |sum: u64, gas: u64| sum.saturating_add(FURTHER_BLOCK_GAS).saturating_add(gas);
        gas_used.reduce(with_own).unwrap_or_default()
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
