//! Verification of blocks with transactions of type `0x05` from their witnesses.

use crate::{
    allowance::{buys, changed},
    support::market::{FORKS, GWEI, L1, REVERTS, empty_l2_block, flat, genesis},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bloom, Bytes};
use alloy_trie::root::ordered_trie_root_with_encoder;
use codec::OwnedWitness;
use enshrine_chain::{Block, ChainError, ExecutedBlock, verify_child};
use executor::Invalid;
use variants::market::excess_at;
use wire::ProtocolFork;

/// A chain, and a child of its head with its witness. The child has a call that succeeds, one that
/// fails, and a frame that reverts.
struct VerifiedChild {
    l1: L1,
    block: Block,
    witness: OwnedWitness,
}

impl VerifiedChild {
    fn new(fork: ProtocolFork) -> Self {
        let genesis = genesis(fork, excess_at(GWEI));
        let l1 = L1::selling_allowances(&genesis, fork, flat(100_000));
        let input = empty_l2_block(fork);
        let built = l1.build(&[
            buys("alice", 0, None, 300_000, &input),
            changed("alice", 1, None, 300_000, &input, |tx| tx.timestamp += 1),
            buys("bob", 0, Some(REVERTS.0), 300_000, &input),
        ]);
        assert!(built.rejected.is_empty(), "{:?}", built.rejected);
        let ExecutedBlock { block, witness, .. } = built.executed;
        let succeeded = block.executed.receipts.iter().map(|receipt| receipt.success);
        assert_eq!(succeeded.collect::<Vec<_>>(), [true, false, false]);
        Self { l1, block, witness }
    }

    fn verify(&self, block: &Block, witness: &OwnedWitness) -> Result<(), ChainError> {
        verify_child(&self.l1.chain.state(), block, witness)
    }

    /// Verifies the block with another header.
    fn claiming(&self, change: impl FnOnce(&mut Header)) -> Result<(), ChainError> {
        let mut block = self.block.clone();
        change(&mut block.header);
        block.hash = block.header.hash_slow();
        self.verify(&block, &self.witness)
    }
}

/// Returns the name of the false claim for which a block is rejected.
fn claim(refused: Result<(), ChainError>) -> &'static str {
    match refused {
        Err(ChainError::Invalid(
            Invalid::Commitment { what, .. } | Invalid::Amount { what, .. },
        )) => what,
        Err(ChainError::Invalid(Invalid::GasBeyondClaim { .. })) => "less gas",
        Err(ChainError::Invalid(Invalid::LogsBloom)) => "logs bloom",
        other => panic!("{other:?}"),
    }
}

#[test]
fn verification_detects_each_false_header_claim() {
    for fork in FORKS {
        let child = VerifiedChild::new(fork);
        assert_eq!(child.verify(&child.block, &child.witness), Ok(()), "{fork}");
        assert_eq!(child.claiming(|_| {}), Ok(()), "{fork}");
        let other = B256::repeat_byte(1);
        assert_eq!(claim(child.claiming(|header| header.state_root = other)), "state root");
        assert_eq!(claim(child.claiming(|header| header.receipts_root = other)), "receipts root");
        assert_eq!(claim(child.claiming(|header| header.gas_used += 1)), "gas used");
        assert_eq!(claim(child.claiming(|header| header.gas_used -= 1)), "less gas");
        let bloom = Bloom::repeat_byte(1);
        assert_eq!(claim(child.claiming(|header| header.logs_bloom = bloom)), "logs bloom");
    }
}

/// The header commits to the verdict of EXECUTE only through the receipts.
#[test]
fn attack_receipt_with_false_execute_verdict_is_rejected() {
    for (index, succeeds) in [(0, true), (1, false), (2, false)] {
        let mut child = VerifiedChild::new(ProtocolFork::Osaka);
        child.block.executed.receipts[index].success = !succeeds;
        let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
        let root = ordered_trie_root_with_encoder(&child.block.raw_receipts(), put);
        assert_ne!(root, child.block.header.receipts_root);
        assert_eq!(claim(child.claiming(|header| header.receipts_root = root)), "receipts root");
        child.block.executed.receipts[index].success = succeeds;
        let root = ordered_trie_root_with_encoder(&child.block.raw_receipts(), put);
        assert_eq!(child.claiming(|header| header.receipts_root = root), Ok(()));
    }
}

#[test]
fn verification_reads_state_from_the_witness_only() {
    let child = VerifiedChild::new(ProtocolFork::Osaka);
    let refused = |change: &dyn Fn(&mut OwnedWitness)| {
        let mut witness = child.witness.clone();
        change(&mut witness);
        child.verify(&child.block, &witness)
    };
    assert_eq!(refused(&|_| {}), Ok(()));
    for index in 0..child.witness.state.len() {
        let lacking = refused(&|witness| drop(witness.state.remove(index)));
        assert!(
            matches!(lacking, Err(ChainError::Invalid(Invalid::State(_)))),
            "{index}: {lacking:?}"
        );
    }
    for index in 0..child.witness.codes.len() {
        let lacking = refused(&|witness| drop(witness.codes.remove(index)));
        assert!(
            matches!(lacking, Err(ChainError::Invalid(Invalid::State(_)))),
            "{index}: {lacking:?}"
        );
    }
    assert!(refused(&|witness| witness.headers.clear()).is_err());
}

#[test]
fn verification_rejects_wrong_parent_and_false_hash() {
    let mut child = VerifiedChild::new(ProtocolFork::Osaka);
    let mut renamed = child.block.clone();
    renamed.hash = B256::repeat_byte(1);
    let refused = child.verify(&renamed, &child.witness);
    let (got, expected) = (renamed.hash, child.block.hash);
    assert_eq!(refused, Err(Invalid::BlockHash { got, expected }.into()));
    let parent = child.l1.chain.head().hash;
    let own = child.l1.chain.import(&codec::RawBlock::decode(&child.block.rlp()).unwrap()).unwrap();
    child.l1.chain.append(own).unwrap();
    let (block, got, expected) = (child.block.hash, parent, child.block.hash);
    let refused = child.verify(&child.block, &child.witness);
    assert_eq!(refused, Err(ChainError::NoChild { block, got, expected }));
}
