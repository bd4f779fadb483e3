//! Proofs of accounts and slots, as returned by `eth_getProof`.

use crate::store::{Block, prove};
use crate::{ChainError, ChainReader, State};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use executor::StateError;
use trie::{Trie, TrieError};

/// An account, with the nodes that prove it or its absence against the state root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// The account; `None` for a proof of absence.
    pub account: Option<TrieAccount>,
    /// Nodes from the state root down.
    pub nodes: Vec<Bytes>,
    /// The requested slots.
    pub slots: Vec<SlotProof>,
}

/// A storage slot, with the nodes that prove its value or its absence against the storage root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotProof {
    /// The slot.
    pub slot: U256,
    /// Its value.
    pub value: U256,
    /// Nodes from the storage root down.
    pub nodes: Vec<Bytes>,
}

impl ChainReader {
    /// Proves an account and some of its slots at `block`.
    pub fn prove(
        &self,
        block: &Block,
        address: Address,
        slots: &[U256],
    ) -> Result<AccountProof, ChainError> {
        AccountProof::new(&self.state_after(&self.block(&block.hash)?), address, slots)
    }
}

impl AccountProof {
    /// Proves an account and some of its slots against the root of a state.
    pub fn new(state: &State, address: Address, slots: &[U256]) -> Result<Self, ChainError> {
        let owner = keccak256(address);
        let (account, nodes) = prove(&*state.store, Trie::new(state.root), &owner)
            .map_err(|error| broken(error, |source| StateError::Account { address, source }))?;
        let account = account
            .map(|account| alloy_rlp::decode_exact::<TrieAccount>(&account))
            .transpose()
            .map_err(|reason| StateError::MalformedAccount { address, reason })?;
        let storage_root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let prove_slot = |slot: &U256| {
            let slot = *slot;
            let place = keccak256(B256::from(slot));
            let (value, nodes) = prove(&*state.store, Trie::storage(owner, storage_root), &place)
                .map_err(|error| {
                broken(error, |source| StateError::Storage { address, slot, source })
            })?;
            let value = value
                .map(|value| alloy_rlp::decode_exact::<U256>(&value))
                .transpose()
                .map_err(|reason| StateError::MalformedSlot { address, slot, reason })?;
            // The tries of a forked chain contain only its own changes.
            let value = match &state.fork_backend {
                None => value.unwrap_or_default(),
                Some(_) => state.storage(address, slot)?,
            };
            Ok(SlotProof { slot, value, nodes })
        };
        let slots = slots.iter().map(prove_slot).collect::<Result<_, ChainError>>()?;
        Ok(Self { account, nodes, slots })
    }
}

/// Converts the error of a trie walk; `state` adds the location of a missing or malformed node.
fn broken(error: TrieError, state: impl FnOnce(TrieError) -> StateError) -> ChainError {
    match error {
        TrieError::Source(error) => error.into(),
        error => ChainError::Incomplete(state(error)),
    }
}
