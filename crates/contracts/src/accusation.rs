//! Calls of `PreconfBonds`, and proofs of the rollup's own blocks for them.

use crate::bindings::IPreconfBonds::{
    Canonical, Preconfirmation, Signed, TxProof, accuseBrokenCall, accuseEquivocationCall,
    accuseLateCall, accuseLieCall,
};
use alloy_eips::eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS};
use alloy_primitives::{B256, U256, b256};
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainError, ChainReader};
use preconf::{
    evidence::{Accusation, CanonicalBlock, SignedHeader},
    faults::TransactionEvidence,
};

/// Keccak hash of the code of `PreconfBonds`, which is the same at each address.
pub const PRECONF_BONDS_CODE_HASH: B256 =
    b256!("b600ea764466d4f024a8265f30a1e3a443f7d3a8175dc3fd5f8668aaeea157cd");

/// Returns the calldata of `accuse…` with this evidence. With a commitment by the same salt the
/// caller gets the reward.
pub fn accuse_calldata(accusation: Accusation, salt: B256) -> Vec<u8> {
    match accusation {
        Accusation::Equivocation { a, b, transaction } => {
            let (a, b, proof) = (signed(a), signed(b), proof(transaction));
            accuseEquivocationCall { a, b, proof, salt }.abi_encode()
        }
        Accusation::Broken { signed: s, canonical, transaction } => {
            let CanonicalBlock { header, witness_block, account_proof, slot_proof } = canonical;
            let c = Canonical {
                header,
                witnessBlock: witness_block,
                accountProof: account_proof,
                slotProof: slot_proof,
            };
            accuseBrokenCall { s: signed(s), c, proof: proof(transaction), salt }.abi_encode()
        }
        Accusation::Lie { signed: s, header, input } => {
            accuseLieCall { s: signed(s), header, input, salt }.abi_encode()
        }
        Accusation::Late { signed: s } => accuseLateCall { s: signed(s), salt }.abi_encode(),
    }
}

fn signed(header: SignedHeader) -> Signed {
    let SignedHeader { message, signature, header } = header;
    Signed { message: preconfirmation(&message), signature: signature.into(), header }
}

/// Returns a message as the contracts declare it.
pub const fn preconfirmation(message: &preconf::Preconfirmation) -> Preconfirmation {
    Preconfirmation {
        rollup: message.rollup,
        blockHash: message.block_hash,
        schema: message.schema.get(),
        isSealed: message.is_sealed,
        l1Block: message.l1_block,
        l1Hash: message.l1_hash,
    }
}

fn proof(evidence: TransactionEvidence) -> TxProof {
    let TransactionEvidence { index, ours, theirs } = evidence;
    TxProof { index, ours, theirs }
}

/// Proves the hash of a block of the rollup by the state after a later one, whose state root the
/// contract has; by nothing if the block is the rollup's head on L1. The witness may be at most
/// 8,191 blocks later.
///
/// # Errors
///
/// [`ChainError`] if the state after the witness cannot be read.
pub fn canonical_block(
    chain: &ChainReader,
    block: &Block,
    witness: Option<&Block>,
) -> Result<CanonicalBlock, ChainError> {
    let header = alloy_rlp::encode(&block.header).into();
    let Some(witness) = witness else {
        return Ok(CanonicalBlock { header, ..CanonicalBlock::default() });
    };
    let slot = U256::from(block.header.number % HISTORY_SERVE_WINDOW as u64);
    let proven = chain.prove(witness, HISTORY_STORAGE_ADDRESS, &[slot])?;
    Ok(CanonicalBlock {
        header,
        witness_block: witness.header.number,
        account_proof: proven.nodes,
        slot_proof: proven.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
    })
}
