//! Proofs that a block includes a transaction.
//!
//! The rollup reads the transactions of a block from the calldata of its input. For a block in
//! blobs it needs the header and a proof against the transactions root instead.

use crate::bindings::INativeRollup::{Evidence, Outcome};
use alloy_primitives::Bytes;
use chain::Block;

/// Returns the trie nodes from the transactions root to the transaction at `index`, given all
/// transactions of the block as EIP-2718 encodings. Empty if there is no such transaction.
pub fn prove_transaction(transactions: &[Bytes], index: usize) -> Vec<Bytes> {
    if index >= transactions.len() {
        return Vec::new();
    }
    preconf::prove_transaction(transactions, index)
}

/// Adds the proofs of the forced transactions that the blocks of a call include. `blocks` returns
/// the block with an index within the call.
pub fn prove_inclusions<'b>(evidence: &mut Evidence, blocks: impl Fn(u64) -> Option<&'b Block>) {
    for batch in &mut evidence.forced {
        let Some(block) = blocks(batch.index) else { continue };
        let transactions = block.raw_transactions();
        for discharge in
            batch.discharges.iter_mut().filter(|discharge| discharge.outcome == Outcome::Included)
        {
            let index = usize::try_from(discharge.position).unwrap_or(usize::MAX);
            discharge.accountProof = prove_transaction(&transactions, index);
            discharge.code = alloy_rlp::encode(&block.header).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::proofs::ordered_trie_root_with_encoder;
    use alloy_primitives::keccak256;
    use alloy_trie::{Nibbles, proof::verify_proof};

    fn transactions(count: usize) -> Vec<Bytes> {
        (0..count).map(|at| Bytes::from(vec![at as u8; 100 + at % 500])).collect()
    }

    /// Keys of one, two and three bytes, in tries of all shapes.
    #[test]
    fn every_transaction_is_proven() {
        for count in [1, 2, 15, 16, 17, 127, 128, 129, 256, 257, 300] {
            let all = transactions(count);
            let root = ordered_trie_root_with_encoder(&all, |raw, out| out.extend_from_slice(raw));
            for (index, transaction) in all.iter().enumerate() {
                let proof = prove_transaction(&all, index);
                assert_eq!(keccak256(&proof[0]), root, "{count}");
                let key = Nibbles::unpack(alloy_rlp::encode(index));
                let value = Some(transaction.to_vec());
                verify_proof(root, key, value, &proof).expect("the proof is valid");
                assert!(verify_proof(root, key, Some(vec![0; 99]), &proof).is_err());
            }
            assert_eq!(prove_transaction(&all, count), Vec::<Bytes>::new());
        }
    }
}
