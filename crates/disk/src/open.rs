//! Opening of chains on disk.

use crate::{DiskOptions, DiskStore};
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Keccak256};
use chain::store::{Store as _, StoreError};
use chain::{Chain, ChainConfig, ChainError, genesis_hash, genesis_header};
use executor::ChainSpec;
use std::{panic::resume_unwind, path::Path, sync::Arc, thread};

/// Opens the chain in the directory `path`, or creates one there at `genesis`.
///
/// After a kill or a loss of power, every block that [`append`](Chain::append) has acknowledged is
/// present, and the head is the last one that was set. Blocks whose states were not stored yet are
/// executed again. A chain can be opened only once at a time; it stays open while readers or states
/// of it exist.
///
/// An edited state after a block ([`set_state`](Chain::set_state)) is not stored: the block's own
/// state is restored instead.
///
/// # Errors
///
/// [`ChainError::OtherGenesis`] if the directory has a chain with another genesis;
/// [`ChainError::Store`] with a [`DiskError`](crate::DiskError) inside if files are corrupted,
/// missing or in use; [`ChainError::Replay`] if an appended block cannot be executed again, which
/// does not happen under the same configuration.
pub fn open_chain(
    path: &Path,
    genesis: &Genesis,
    config: ChainConfig,
) -> Result<Chain, ChainError> {
    open_chain_with(path, genesis, config, DiskOptions::default())
}

/// Opens a chain like [`open_chain`]; `options` determine how much data is retained.
///
/// # Errors
///
/// [`ChainError`], like [`open_chain`].
pub fn open_chain_with(
    path: &Path,
    genesis: &Genesis,
    config: ChainConfig,
    options: DiskOptions,
) -> Result<Chain, ChainError> {
    // In parallel, because with a million accounts, each of the two takes a considerable part of a
    // second.
    let (opened, digest) = thread::scope(|scope| {
        let digest = scope.spawn(|| digest(genesis, &config.spec));
        (
            DiskStore::open(path, options.clone()),
            digest.join().unwrap_or_else(|panic| resume_unwind(panic)),
        )
    });
    let fault = |fault| StoreError::new("open the chain", fault);
    let store = Arc::new(opened.map_err(fault)?);
    match on_disk(&store, digest, genesis, config.clone()) {
        // The corruption has been recorded, so opening the chain again rebuilds the state store.
        Err(_) if store.damage().is_some() => {
            drop(store);
            let store = Arc::new(DiskStore::open(path, options).map_err(fault)?);
            on_disk(&store, digest, genesis, config)
        }
        chain => chain,
    }
}

/// Returns the chain of an open store after the store has applied its log.
fn on_disk(
    store: &Arc<DiskStore>,
    digest: B256,
    genesis: &Genesis,
    config: ChainConfig,
) -> Result<Chain, ChainError> {
    let mut chain = match (store.head()?, store.first_number()?) {
        (Some(head), Some(first)) => {
            if store.mark()? != Some(digest) {
                check_genesis(store, first, genesis, &config.spec)?;
            }
            Chain::at(head, first, config, Arc::clone(store) as _)
        }
        _ => {
            let chain = Chain::with_store(genesis, config, Arc::clone(store) as _)?;
            store.set_mark(digest)?;
            chain
        }
    };
    while let Some(block) = store.next_to_replay()? {
        let executed = chain.execute_again(&block).map_err(|reason| ChainError::Replay {
            number: block.header.number,
            block: block.hash,
            reason: Box::new(reason),
        })?;
        store.replayed(executed)?;
    }
    if let Some(head) = store.head()? {
        chain.moved_to(&head);
    }
    Ok(chain)
}

/// Checks that the first stored block is the genesis block of `genesis`.
fn check_genesis(
    store: &DiskStore,
    first: u64,
    genesis: &Genesis,
    spec: &ChainSpec,
) -> Result<(), ChainError> {
    let expected = genesis_hash(genesis, spec);
    match store.canonical_hash(first)? {
        Some(got) if got != expected => Err(ChainError::OtherGenesis { got, expected }),
        _ => Ok(()),
    }
}

/// Returns a hash over everything that the genesis block depends on, without building the tries:
/// for a million accounts, that would take longer than the rest of opening a chain.
pub(crate) fn digest(genesis: &Genesis, spec: &ChainSpec) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(alloy_rlp::encode(genesis_header(genesis, B256::ZERO, spec)));
    for (address, account) in &genesis.alloc {
        let code = account.code.as_deref().map_or(&[][..], |code| &code[..]);
        let storage = account.storage.as_ref();
        hasher.update(address);
        hasher.update(account.nonce.unwrap_or_default().to_be_bytes());
        hasher.update(account.balance.to_be_bytes::<32>());
        hasher.update((code.len() as u64).to_be_bytes());
        hasher.update(code);
        hasher.update(storage.map_or(0, |slots| slots.len() as u64).to_be_bytes());
        for (slot, value) in storage.into_iter().flatten() {
            hasher.update(slot);
            hasher.update(value);
        }
    }
    hasher.finalize()
}
