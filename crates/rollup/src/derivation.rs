//! From the inputs of EXECUTE that L1 has taken to blocks of the L2.

use crate::RollupError;
use alloy_primitives::Bytes;
use chain::{BlockWithWitness, BuiltBlock, Chain};
use executor::Invalid;
use stateless::header_of;
use wire::{DecodeError, OwnedWitness, StatelessInput, convert::RawBlock};

/// The block that an input holds, as it stands in a chain. Its hash is what the payload says; whoever
/// executes the block finds out whether it is true.
pub fn block_of(input: &StatelessInput<'_>) -> Option<RawBlock> {
    let payload = &input.request.payload;
    Some(RawBlock {
        header: header_of(&input.request, input.fork)?,
        hash: payload.block_hash,
        transactions: payload.transactions.iter().map(Bytes::copy_from_slice).collect(),
        withdrawals: Some(payload.withdrawals.iter().copied().collect()),
        versioned_hashes: input.request.versioned_hashes.iter().copied().collect(),
    })
}

/// Executes the block that an input holds on a chain that has its parent, and checks all that its header
/// says. The witness goes with it, so that nobody has to make it again.
///
/// # Errors
///
/// [`RollupError::Input`] for bytes that are no input, and [`RollupError::Chain`] for a block that is
/// not valid there.
pub fn import(chain: &Chain, bytes: &[u8]) -> Result<BlockWithWitness, RollupError> {
    let malformed = |number| move |source: DecodeError| RollupError::Input { number, source };
    let input = StatelessInput::decode(bytes).map_err(malformed(0))?;
    let payload = &input.request.payload;
    let unknown = || chain::ChainError::from(Invalid::UnsupportedFork(input.fork));
    let raw = block_of(&input).ok_or_else(unknown)?;
    let got = raw.header.hash_slow();
    if got != raw.hash {
        let expected = raw.hash;
        let number = payload.block_number;
        return Err(RollupError::Diverged { number, what: "the hash", got, expected });
    }
    let witness = OwnedWitness {
        state: input.witness.state.iter().map(Bytes::copy_from_slice).collect(),
        codes: input.witness.codes.iter().map(Bytes::copy_from_slice).collect(),
        headers: input.witness.headers.iter().map(Bytes::copy_from_slice).collect(),
    };
    let executed = chain.import_with_ommers(&raw, &[])?;
    let built = BuiltBlock { executed, witness: Some(witness), rejected: Vec::new() };
    Ok(built.into_block_with_witness(&chain.config().spec))
}
