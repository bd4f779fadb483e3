//! Check of an L2's genesis state against the state that the contracts on L1 assume.
//!
//! `NativeRollup` is deployed with a genesis header and cannot check the state that the header
//! commits to. With ETH outside `L2Messenger`, or with different code at its address, ordinary
//! claims could drain the escrow on L1.

use crate::{L2_MESSENGER, Predeploys, l2_genesis};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use chain::spec_of;
use std::collections::{BTreeMap, BTreeSet};
use wire::ProtocolFork;

/// One difference between a genesis state and the expected one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisFinding {
    /// A contract that the L2 needs is missing.
    #[error("{address} has no account, expected the contract with code hash {expected}")]
    Missing {
        /// Address of the contract.
        address: Address,
        /// Hash of the compiled code.
        expected: B256,
    },
    /// The code of a predeploy or system contract differs.
    #[error("{address} has code with hash {got}, expected {expected}")]
    Code {
        /// Address of the contract.
        address: Address,
        /// Hash of the code in the genesis.
        got: B256,
        /// Hash of the compiled code.
        expected: B256,
    },
    /// The nonce of a predeploy or system contract differs.
    #[error("{address} has nonce {got}, expected {expected}")]
    Nonce {
        /// Address of the contract.
        address: Address,
        /// Nonce in the genesis.
        got: u64,
        /// Nonce of the contract in a new L2.
        expected: u64,
    },
    /// A predeploy or system contract has storage.
    #[error("{address} has {slots} storage slots, the first is {first}, expected none")]
    Storage {
        /// Address of the contract.
        address: Address,
        /// Number of slots with a value.
        slots: usize,
        /// Lowest of these slots.
        first: B256,
    },
    /// The balance of a predeploy or system contract differs.
    #[error("{address} has a balance of {got} wei, expected {expected}")]
    ContractBalance {
        /// Address of the contract.
        address: Address,
        /// Balance in the genesis, in wei.
        got: U256,
        /// Balance of the contract in a new L2, in wei.
        expected: U256,
    },
    /// An account outside the protocol has ETH that no ETH on L1 backs.
    #[error(
        "{address} has {wei} wei that no deposit on L1 backs; if that is intended, allow it with \
         --allow-balance {address}={wei}"
    )]
    Balance {
        /// Address of the account.
        address: Address,
        /// Its balance in wei.
        wei: U256,
    },
    /// An account outside the protocol has code or storage.
    #[error(
        "{address} has code with hash {code_hash} and {slots} storage slots; if that is intended, allow it \
         with --allow-code {address}={code_hash}"
    )]
    ForeignCode {
        /// Address of the account.
        address: Address,
        /// Hash of its code.
        code_hash: B256,
        /// Number of storage slots with a value.
        slots: usize,
    },
    /// An account has storage but neither code nor a nonce. Clients disagree about contract
    /// creation at such an address (EIP-7610), so L1 and the nodes of the L2 could execute a block
    /// differently.
    #[error(
        "{address} has {slots} storage slots and neither code nor a nonce, expected no storage or a nonce of 1: \
         clients disagree about creations at such accounts (EIP-7610), and no flag allows them"
    )]
    StorageOnly {
        /// Address of the account.
        address: Address,
        /// Number of storage slots with a value.
        slots: usize,
    },
}

impl GenesisFinding {
    /// Returns `true` if a node cannot start with this genesis under any configuration.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::StorageOnly { .. })
    }

    /// Returns `true` if the finding is about a contract that the protocol relies on. No flag
    /// allows such a finding.
    pub const fn is_protocol(&self) -> bool {
        !matches!(self, Self::Balance { .. } | Self::ForeignCode { .. })
    }
}

/// Accounts outside the protocol that a genesis may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GenesisAllowance {
    /// Maximum balance in wei, by account.
    pub balances: BTreeMap<Address, U256>,
    /// Hash of the allowed code, by account. Any storage is allowed with it.
    pub codes: BTreeMap<Address, B256>,
}

/// Compares each account of a genesis with the same account of a new L2 and returns all differences
/// that are not allowed, those in protocol contracts first.
///
/// System contracts of forks after the first block's may be present with their canonical code.
pub fn check_genesis(genesis: &Genesis, allowance: &GenesisAllowance) -> Vec<GenesisFinding> {
    let predeploys = Predeploys::built_in();
    let fork = spec_of(&genesis.config).fork_at(genesis.timestamp).unwrap_or(ProtocolFork::Prague);
    let required = l2_genesis(&predeploys, fork, genesis.gas_limit, genesis.timestamp).alloc;
    let newest = ProtocolFork::ALL.into_iter().max().unwrap_or(fork);
    let known = l2_genesis(&predeploys, newest, genesis.gas_limit, genesis.timestamp).alloc;
    let mut findings = Vec::new();
    let addresses: BTreeSet<_> = required.keys().chain(genesis.alloc.keys()).copied().collect();
    for address in addresses {
        match (genesis.alloc.get(&address), known.get(&address)) {
            (Some(got), Some(expected)) => compare(address, got, expected, &mut findings),
            (None, Some(expected)) => {
                findings.push(GenesisFinding::Missing { address, expected: code_hash(expected) });
            }
            (Some(got), None) => examine(address, got, allowance, &mut findings),
            (None, None) => {}
        }
    }
    findings.sort_by_key(|finding| !finding.is_protocol());
    findings
}

/// Compares a contract of the protocol with the expected one.
fn compare(
    address: Address,
    got: &GenesisAccount,
    expected: &GenesisAccount,
    findings: &mut Vec<GenesisFinding>,
) {
    let (hash, expected_hash) = (code_hash(got), code_hash(expected));
    if hash != expected_hash {
        findings.push(GenesisFinding::Code { address, got: hash, expected: expected_hash });
    }
    let (slots, first) = storage(got);
    if let Some(first) = first {
        findings.push(GenesisFinding::Storage { address, slots, first });
    }
    let (nonce, expected_nonce) =
        (got.nonce.unwrap_or_default(), expected.nonce.unwrap_or_default());
    if nonce != expected_nonce {
        findings.push(GenesisFinding::Nonce { address, got: nonce, expected: expected_nonce });
    }
    // Too little ETH in the messenger would halt deposits; too much in any contract is unbacked.
    if got.balance != expected.balance {
        let (got, expected) = (got.balance, expected.balance);
        findings.push(GenesisFinding::ContractBalance { address, got, expected });
    }
}

/// Examines an account that a new L2 does not have.
fn examine(
    address: Address,
    account: &GenesisAccount,
    allowance: &GenesisAllowance,
    findings: &mut Vec<GenesisFinding>,
) {
    let wei = account.balance;
    if wei > allowance.balances.get(&address).copied().unwrap_or_default() {
        findings.push(GenesisFinding::Balance { address, wei });
    }
    let (code_hash, (slots, _)) = (code_hash(account), storage(account));
    if let Some(finding) = storage_only(address, account) {
        findings.push(finding);
        return;
    }
    let has_contract = account.code.as_ref().is_some_and(|code| !code.is_empty()) || slots != 0;
    if has_contract && allowance.codes.get(&address) != Some(&code_hash) {
        findings.push(GenesisFinding::ForeignCode { address, code_hash, slots });
    }
}

/// Returns the finding if the account has storage but neither code nor a nonce.
fn storage_only(address: Address, account: &GenesisAccount) -> Option<GenesisFinding> {
    let (slots, _) = storage(account);
    let is_bare = account.code.as_ref().is_none_or(|code| code.is_empty())
        && account.nonce.unwrap_or_default() == 0;
    (is_bare && slots != 0).then_some(GenesisFinding::StorageOnly { address, slots })
}

/// Returns the findings about accounts with storage but neither code nor a nonce.
pub fn storage_only_accounts(genesis: &Genesis) -> Vec<GenesisFinding> {
    let accounts = genesis.alloc.iter();
    accounts.filter_map(|(address, account)| storage_only(*address, account)).collect()
}

/// Returns the hash of an account's code.
fn code_hash(account: &GenesisAccount) -> B256 {
    account.code.as_ref().map_or(KECCAK256_EMPTY, keccak256)
}

/// Returns the number of slots with a value, and the lowest of them.
fn storage(account: &GenesisAccount) -> (usize, Option<B256>) {
    let mut slots = account.storage.iter().flatten().filter(|(_, value)| !value.is_zero());
    let first = slots.next().map(|(slot, _)| *slot);
    (usize::from(first.is_some()) + slots.count(), first)
}

/// Returns the sum of all ETH of a genesis outside the messenger, in wei. Only
/// `L1MessageQueue.back` backs it.
pub fn allocated_ether(genesis: &Genesis) -> U256 {
    genesis
        .alloc
        .iter()
        .filter(|(address, _)| **address != L2_MESSENGER)
        .fold(U256::ZERO, |sum, (_, account)| sum.saturating_add(account.balance))
}
