//! Proofs of accounts and slots, as `eth_getProof` gives them.

use crate::{Block, Chain, ChainError, State};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use revm::Database;
use stateless::StateError;
use trie::prove;

/// An account at a block, with the nodes that prove it (or its absence) against the state root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// The account; `None` if the proof is one of absence.
    pub account: Option<TrieAccount>,
    /// Nodes from the state root down.
    pub nodes: Vec<Bytes>,
    /// The slots that were asked for.
    pub slots: Vec<SlotProof>,
}

/// A storage slot, with the nodes that prove it (or its being zero) against the storage root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotProof {
    /// The slot.
    pub slot: U256,
    /// Its value.
    pub value: U256,
    /// Nodes from the storage root down.
    pub nodes: Vec<Bytes>,
}

impl Chain {
    /// Proves an account and some of its slots at `block`.
    pub fn prove(
        &self,
        block: &Block,
        address: Address,
        slots: &[U256],
    ) -> Result<AccountProof, ChainError> {
        self.state_after(&self.block(&block.hash)?).prove(address, slots)
    }
}

impl State {
    /// Proves an account and some of its slots against the root of this state.
    pub fn prove(&self, address: Address, slots: &[U256]) -> Result<AccountProof, ChainError> {
        let (store, root) = (&*self.store, self.root);
        let broken = |source| ChainError::Store(StateError::Account { address, source });
        let nodes = prove(store, root, &keccak256(address)).map_err(broken)?;
        let malformed =
            |reason| ChainError::Store(StateError::MalformedAccount { address, reason });
        let account = trie::Trie::new(root)
            .get(store, &keccak256(address))
            .map_err(broken)?
            .map(alloy_rlp::decode_exact::<TrieAccount>)
            .transpose()
            .map_err(malformed)?;
        let storage_root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let mut state = self.open();
        let slots = slots
            .iter()
            .map(|slot| {
                let place = keccak256(B256::from(*slot));
                let nodes = prove(store, storage_root, &place).map_err(|source| {
                    ChainError::Store(StateError::Storage { address, slot: *slot, source })
                })?;
                let value = state.storage(address, *slot).map_err(ChainError::Store)?;
                Ok(SlotProof { slot: *slot, value, nodes })
            })
            .collect::<Result<_, ChainError>>()?;
        Ok(AccountProof { account, nodes, slots })
    }
}
