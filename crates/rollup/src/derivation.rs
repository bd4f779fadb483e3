//! From the inputs of EXECUTE that L1 has taken to blocks of the L2.

use crate::RollupError;
use alloy_primitives::B256;
use chain::{BlockWithWitness, BuiltBlock, Chain, block_of};
use codec::OwnedWitness;
use wire::{Input, StatelessInput};

/// Returns the witness of an input with one block. The witness of a batch belongs to no single block.
fn own_witness(input: &Input<'_>) -> Option<OwnedWitness> {
    match input {
        Input::Block(StatelessInput { witness, .. }) => Some(OwnedWitness::of(witness)),
        Input::Batch(_) => None,
    }
}

/// Hashes of the blocks that an input of EXECUTE holds, in order; none if it is no input.
pub(crate) fn hashes_in(bytes: &[u8]) -> Vec<B256> {
    let decoded = Input::decode(bytes);
    let hashes = |decoded: Input<'_>| {
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
    let decoded = Input::decode(bytes).map_err(malformed)?;
    let request = decoded.requests().iter().find(|it| it.payload.block_hash == hash);
    let other =
        |got, number| RollupError::Diverged { number, what: "the hash", got, expected: hash };
    let request = request.ok_or_else(|| other(B256::ZERO, 0))?;
    let raw = block_of(request, decoded.fork()).map_err(chain::ChainError::from)?;
    let Some(witness) = own_witness(&decoded) else { return Ok(chain.import(&raw)?) };
    let executed = chain.import_with_ommers(&raw, &[])?;
    let built = BuiltBlock { executed, witness: Some(witness), used: None, rejected: Vec::new() };
    Ok(built.into_block_with_witness(&chain.config().spec))
}
