//! Accounts and slots, read from the nodes of their proofs.

use super::{AccountKind, ExitError};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::TrieAccount;
use chain::AccountProof;
use sdk::proof::read;

/// Returns the account that the nodes prove, or an empty account if they prove its absence.
pub(super) fn account(
    state_root: B256,
    address: Address,
    nodes: &[Bytes],
) -> Result<TrieAccount, ExitError> {
    read(state_root, keccak256(address), nodes)
        .map_err(|reason| ExitError::Account { address, reason })
}

/// Returns the proof of an account and its code, as `ExitAccounts.isContract` reads it: the nodes
/// of the account, followed by its code. Also returns `true` if the account is a contract.
pub(super) fn code(
    state_root: B256,
    address: Address,
    (proof, code): (AccountProof, Bytes),
) -> Result<(Vec<Bytes>, bool), ExitError> {
    let expected = account(state_root, address, &proof.nodes)?.code_hash;
    let got = keccak256(&code);
    if got != expected {
        return Err(ExitError::Code { address, got, expected });
    }
    let is_contract = match AccountKind::of(&code) {
        AccountKind::Plain | AccountKind::Delegating(_) => false,
        AccountKind::Alias | AccountKind::Contract => true,
    };
    Ok((proof.nodes.into_iter().chain([code]).collect(), is_contract))
}

/// Returns the values of these slots of an account.
pub(super) fn slots<const N: usize>(
    address: Address,
    storage_root: B256,
    slots: [U256; N],
    proof: &AccountProof,
) -> Result<[U256; N], ExitError> {
    let got = proof.slots.len();
    if got != N {
        return Err(ExitError::Slots { address, got, expected: N });
    }
    let mut values = [U256::ZERO; N];
    for ((slot, proven), value) in slots.into_iter().zip(&proof.slots).zip(&mut values) {
        *value = read(storage_root, keccak256(B256::from(slot)), &proven.nodes)
            .map_err(|reason| ExitError::Slot { address, slot, reason })?;
    }
    Ok(values)
}
