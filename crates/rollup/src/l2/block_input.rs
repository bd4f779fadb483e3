//! EXECUTE inputs of blocks, which a sequencer serves to its followers.

use crate::L2Error;
use alloy_primitives::Bytes;
use chain::{Block, ChainError, ChainReader};
use std::sync::Arc;
use wire::ProtocolFork;

/// Returns the EXECUTE input of a block of the chain.
///
/// # Errors
///
/// [`L2Error::Chain`] if the state before the block is pruned, or if the block is the genesis
/// block, which has no input.
pub(crate) fn input_of(chain: &ChainReader, block: &Arc<Block>) -> Result<Bytes, L2Error> {
    let number = block.header.number;
    let witness = chain.witness_of(block)?.ok_or(ChainError::Pruned(number))?;
    let spec = &chain.config().spec;
    let fork = spec.fork_at(block.header.timestamp).unwrap_or(ProtocolFork::Paris);
    let input = block.input(fork, spec.chain_id(), &witness);
    Ok(input.map_err(|source| L2Error::Input { number, source })?.into())
}
