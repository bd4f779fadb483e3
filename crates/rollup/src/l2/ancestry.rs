//! Relation of an L2 block to the safe block.

use alloy_eips::BlockNumHash;
use chain::{Block, ChainError, ChainReader};

/// Returns `true` if a block is the safe block or a descendant of it.
///
/// # Errors
///
/// [`ChainError`] if an ancestor cannot be read.
pub(super) fn descends_from(
    chain: &ChainReader,
    block: &Block,
    safe: BlockNumHash,
) -> Result<bool, ChainError> {
    let (mut number, mut hash, mut parent) =
        (block.header.number, block.hash, block.header.parent_hash);
    // All ancestors of a canonical block are canonical.
    while number > safe.number && chain.canonical_hash(number)? != Some(hash) {
        let block = chain.block(&parent)?;
        (number, hash, parent) = (block.header.number, block.hash, block.header.parent_hash);
    }
    match number > safe.number {
        true => Ok(chain.canonical_hash(safe.number)? == Some(safe.hash)),
        false => Ok(number == safe.number && hash == safe.hash),
    }
}
