//! The genesis block.

use crate::store::Changes;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, address, hex, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use executor::{ChainSpec, SYSTEM_CONTRACTS};
use trie::{NewNode, NodePath, NodeSource, SourceError, Trie, hash_tries};
use wire::ProtocolFork;

/// Base fee of the first block that has one, in wei (EIP-1559).
pub(crate) const INITIAL_BASE_FEE: u64 = 1_000_000_000;

/// Deterministic CREATE2 factory, which exists since the first block of Amsterdam (EIP-7997).
const FACTORY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
const FACTORY_CODE: &[u8] = &hex!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// Returns a genesis for a private chain that contains only the accounts that `fork` requires at
/// fixed addresses.
pub fn empty_genesis(fork: ProtocolFork) -> Genesis {
    let mut genesis = Genesis { gas_limit: 30_000_000, ..Default::default() };
    genesis.base_fee_per_gas = Some(1_000_000_000);
    for contract in SYSTEM_CONTRACTS.iter().filter(|contract| contract.since <= fork) {
        let account =
            GenesisAccount { nonce: Some(1), code: Some(contract.code()), ..Default::default() };
        genesis.alloc.insert(contract.address, account);
    }
    if fork >= ProtocolFork::Amsterdam {
        let code = Some(Bytes::from_static(FACTORY_CODE));
        let account = GenesisAccount { nonce: Some(1), code, ..Default::default() };
        genesis.alloc.insert(FACTORY, account);
    }
    genesis
}

/// Empty node source, for a trie that is built from scratch.
struct Nothing;

impl NodeSource for Nothing {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, _: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }
}

/// Returns the hash of the first block of a genesis.
pub fn genesis_hash(genesis: &Genesis, spec: &ChainSpec) -> B256 {
    let root = put_alloc(&mut Changes::default(), genesis.alloc.iter());
    genesis_header(genesis, root, spec).hash_slow()
}

/// Adds the accounts of a genesis to the changes, and returns the root of their state.
pub(crate) fn put_alloc<'a>(
    changes: &mut Changes,
    accounts: impl Iterator<Item = (&'a Address, &'a GenesisAccount)>,
) -> B256 {
    let mut nodes: Vec<(B256, Bytes)> = Vec::new();
    let mut keep = |(hash, node): NewNode<'_>| nodes.push((hash, Bytes::copy_from_slice(node)));
    let mut state = Trie::<Bytes>::default();
    let nothing = Nothing;
    for (address, account) in accounts {
        let slots = account.storage.iter().flatten().map(|(slot, _)| (*slot).into());
        changes.preimages.push((*address, slots.collect()));
        let mut storage = Trie::<Bytes>::default();
        for (slot, value) in account.storage.iter().flatten().filter(|(_, value)| !value.is_zero())
        {
            let value = alloy_rlp::encode(U256::from_be_bytes(value.0));
            let inserted = storage.insert(&nothing, &keccak256(slot), &value);
            debug_assert!(inserted.is_ok(), "a trie that was never hashed needs no nodes");
        }
        hash_tries(&mut [&mut storage], &mut keep);
        let code_hash = account
            .code
            .as_ref()
            .filter(|code| !code.is_empty())
            .map(|code| changes.put_code(code.clone()));
        let account = TrieAccount {
            nonce: account.nonce.unwrap_or_default(),
            balance: account.balance,
            storage_root: storage.root().unwrap_or(EMPTY_ROOT_HASH),
            code_hash: code_hash.unwrap_or(KECCAK256_EMPTY),
        };
        let inserted = state.insert(&nothing, &keccak256(address), &alloy_rlp::encode(account));
        debug_assert!(inserted.is_ok(), "a trie that was never hashed needs no nodes");
    }
    hash_tries(&mut [&mut state], &mut keep);
    changes.nodes.extend(nodes);
    state.root().unwrap_or(EMPTY_ROOT_HASH)
}

/// Returns the header of a genesis whose accounts have the given root, with the fields of the fork
/// that is active at its timestamp.
pub fn genesis_header(genesis: &Genesis, state_root: B256, spec: &ChainSpec) -> Header {
    let fork = spec.fork_at(genesis.timestamp);
    let london = spec
        .ethereum_fork_activation(EthereumHardfork::London)
        .active_at_block(genesis.number.unwrap_or_default());
    let since = |first: ProtocolFork| fork.is_some_and(|fork| fork >= first);
    Header {
        parent_hash: genesis.parent_hash.unwrap_or_default(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: genesis.coinbase,
        state_root,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        difficulty: genesis.difficulty,
        number: genesis.number.unwrap_or_default(),
        gas_limit: genesis.gas_limit,
        timestamp: genesis.timestamp,
        extra_data: genesis.extra_data.clone(),
        mix_hash: genesis.mix_hash,
        nonce: genesis.nonce.into(),
        base_fee_per_gas: london.then(|| {
            let fee = genesis.base_fee_per_gas.and_then(|fee| fee.try_into().ok());
            fee.unwrap_or(INITIAL_BASE_FEE)
        }),
        withdrawals_root: fork.map(|_| EMPTY_ROOT_HASH),
        blob_gas_used: since(ProtocolFork::Cancun)
            .then(|| genesis.blob_gas_used.unwrap_or_default()),
        excess_blob_gas: since(ProtocolFork::Cancun)
            .then(|| genesis.excess_blob_gas.unwrap_or_default()),
        parent_beacon_block_root: since(ProtocolFork::Cancun).then_some(B256::ZERO),
        requests_hash: since(ProtocolFork::Prague).then_some(EMPTY_REQUESTS_HASH),
        block_access_list_hash: since(ProtocolFork::Amsterdam)
            .then(|| keccak256([alloy_rlp::EMPTY_LIST_CODE])),
        slot_number: since(ProtocolFork::Amsterdam).then_some(0),
        ..Default::default()
    }
}
