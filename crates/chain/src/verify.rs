//! Verification of blocks with transactions of type `0x05`, which EXECUTE does not support.

use crate::store::Block;
use crate::{ChainError, ExecuteTxPrecompile, State, import::RecoveredBlock};
use codec::{OwnedWitness, RawBlock};
use executor::Invalid;
use stateless::Witness;

/// Verifies a child of the block of `parent` from a witness alone, as EXECUTE verifies the blocks
/// of an L2: the child is decoded from its encoding, executed on the state that the witness proves,
/// and checked against all claims of its header. Calls of EXECUTE in transactions of type `0x05`
/// are verified again. Only the senders are trusted.
///
/// # Errors
///
/// [`ChainError::Invalid`] with the first false claim, or with the part of the state that the
/// witness lacks; [`ChainError::NoChild`] for a child of another block.
pub fn verify_child(
    parent: &State,
    child: &Block,
    witness: &OwnedWitness,
) -> Result<(), ChainError> {
    let raw = RawBlock { hash: child.header.hash_slow(), ..child.to_raw() };
    let (got, expected) = (raw.header.parent_hash, parent.block.hash);
    if got != expected {
        return Err(ChainError::NoChild { block: raw.hash, got, expected });
    }
    let (got, expected) = (child.hash, raw.hash);
    if got != expected {
        return Err(Invalid::BlockHash { got, expected }.into());
    }
    let mut config = parent.config().clone();
    config.execute_tx = config.execute_tx.as_ref().map(ExecuteTxPrecompile::for_verification);
    let parent = parent.with_config(config);
    let recovered = RecoveredBlock::new(parent, &raw, &child.ommers, Some(&child.senders))?;
    let view = witness.view();
    let hashed = Witness::new(&view, raw.header.parent_hash)?;
    let linked = hashed.link();
    match recovered.execute(&linked.state()) {
        Ok(_) => Ok(()),
        // The witness is incomplete here, not the store.
        Err(ChainError::Incomplete(error)) => Err(Invalid::State(error).into()),
        Err(error) => Err(error),
    }
}
