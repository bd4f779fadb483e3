//! Chains on disk.

use crate::{DiskOptions, DiskStore};
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Keccak256};
use chain::{Chain, ChainConfig, ChainError, genesis_hash, genesis_header};
use executor::ChainSpec;
use std::{panic::resume_unwind, path::Path, sync::Arc, thread};
use store::{Store as _, StoreError};

/// Opens the chain in the folder `path`, or starts one there at `genesis`.
///
/// A chain that was killed, or lost power, is as it was: each block that
/// [`append`](Chain::append) has returned is there, and the head is where it was last moved to.
/// Blocks whose states were not written down in time are executed again. Only one can have a chain
/// open; readers and states that are still held keep it open.
///
/// An edited state behind a block ([`set_state`](Chain::set_state)) is not stored: the block's own
/// state is restored instead.
///
/// # Errors
///
/// [`ChainError::OtherGenesis`] if the chain there is another one; [`ChainError::Store`] if files
/// are damaged, missing or in use, with a [`DiskError`](crate::DiskError) inside;
/// [`ChainError::Replay`] if a block that was appended cannot be executed again, which by the same
/// rules it can.
pub fn open_chain(
    path: &Path,
    genesis: &Genesis,
    config: ChainConfig,
) -> Result<Chain, ChainError> {
    open_chain_with(path, genesis, config, DiskOptions::default())
}

/// Opens a chain like [`open_chain`]; `options` determine how much is kept.
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
    // With a million accounts either takes a good part of a second.
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
        // The damage is noted: opened again, the state store is rebuilt.
        Err(_) if store.damage().is_some() => {
            drop(store);
            let store = Arc::new(DiskStore::open(path, options).map_err(fault)?);
            on_disk(&store, digest, genesis, config)
        }
        chain => chain,
    }
}

/// The chain of an open store, once the store has applied its log.
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

/// Commits to all of a genesis that its block depends on, without making its tries: those of a
/// million accounts take longer than all else that opening a chain does.
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
