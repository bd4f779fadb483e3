//! From the inputs of EXECUTE that L1 has taken to blocks of the L2.

use crate::RollupError;
use alloy_primitives::{B256, Bytes};
use chain::{BlockWithWitness, BuiltBlock, Chain, block_of};
use codec::OwnedWitness;
use wire::{
    DecodeError, ExecutionWitness, NewPayloadRequest, ProtocolFork, SchemaId, StatelessBatch,
    StatelessInput,
};

/// Decoded input of EXECUTE: one block with its witness, or a batch of blocks with one witness for all.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum Decoded<'a> {
    Block(StatelessInput<'a>),
    Batch(StatelessBatch<'a>),
}

impl<'a> Decoded<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(match SchemaId::of(bytes)?.batch_fork() {
            Some(_) => Self::Batch(StatelessBatch::decode(bytes)?),
            None => Self::Block(StatelessInput::decode(bytes)?),
        })
    }

    fn requests(&self) -> &[NewPayloadRequest<'a>] {
        match self {
            Self::Block(input) => core::slice::from_ref(&input.request),
            Self::Batch(batch) => &batch.requests,
        }
    }

    const fn fork(&self) -> ProtocolFork {
        match self {
            Self::Block(input) => input.fork,
            Self::Batch(batch) => batch.fork,
        }
    }

    /// The witness of its one block; that of a batch is none of its blocks'.
    fn own_witness(&self) -> Option<OwnedWitness> {
        let Self::Block(StatelessInput { witness, .. }) = self else { return None };
        let ExecutionWitness { state, codes, headers } = witness;
        let owned = |list: &wire::ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect();
        Some(OwnedWitness { state: owned(state), codes: owned(codes), headers: owned(headers) })
    }
}

/// Hashes of the blocks that an input of EXECUTE holds, in order; none if it is no input.
pub(crate) fn hashes_in(bytes: &[u8]) -> Vec<B256> {
    let decoded = Decoded::of(bytes);
    let hashes = |decoded: Decoded<'_>| {
        decoded.requests().iter().map(|request| request.payload.block_hash).collect()
    };
    decoded.map(hashes).unwrap_or_default()
}

/// Executes the block with this hash that an input holds, on a chain that has its parent, and checks all
/// that its header says. Its witness goes with it, so that it is not made again.
///
/// # Errors
///
/// [`RollupError::Input`] for bytes that are no input, [`RollupError::Diverged`] if the block is not there
/// or has another hash, and [`RollupError::Chain`] for a block that is not valid there.
pub fn import(chain: &Chain, bytes: &[u8], hash: B256) -> Result<BlockWithWitness, RollupError> {
    let malformed = |source| RollupError::Input { number: 0, source };
    let decoded = Decoded::of(bytes).map_err(malformed)?;
    let request = decoded.requests().iter().find(|it| it.payload.block_hash == hash);
    let other =
        |got, number| RollupError::Diverged { number, what: "the hash", got, expected: hash };
    let request = request.ok_or_else(|| other(B256::ZERO, 0))?;
    let raw = block_of(request, decoded.fork()).map_err(chain::ChainError::from)?;
    let Some(witness) = decoded.own_witness() else { return Ok(chain.import(&raw)?) };
    let executed = chain.import_with_ommers(&raw, &[])?;
    let built = BuiltBlock { executed, witness: Some(witness), used: None, rejected: Vec::new() };
    Ok(built.into_block_with_witness(&chain.config().spec))
}
