//! A reopened chain has all appended blocks.

use crate::twin::{ACCOUNTS, CONTRACT, Twin, account, child, config, copy_folder, genesis, open};
use alloy_primitives::U256;
use chain::store::Store as _;
use chain::{Chain, ChainError, EditState as _};
use enshrine_disk::{DiskError, DiskOptions, DiskStore, open_chain};
use executor::ChainSpec;
use std::{fs, sync::Arc};
use tempfile::tempdir;
use testkit::CHAIN_ID;
use wire::ProtocolFork;

#[test]
fn reopened_chain_is_unchanged() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    for blocks in [0, 1, 5, 12] {
        let mut chain = open(folder.path()).unwrap();
        twin.assert_same(&chain, 0);
        twin.grow(blocks, 0, &mut [&mut chain]);
        twin.assert_same(&chain, 0);
        chain.close().unwrap();
    }
    twin.assert_same(&open(folder.path()).unwrap(), 0);
}

#[test]
fn reorganisation_to_sibling_survives_reopening() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut chain = open(folder.path()).unwrap();
    twin.grow(6, 0, &mut [&mut chain]);
    let (old, fork) = (chain.head().hash, chain.canonical_hash(3).unwrap().unwrap());
    // Rewinds to block 3 and continues on a shorter branch.
    chain.set_head(&fork).unwrap();
    twin.chain.set_head(&fork).unwrap();
    twin.grow(2, 1, &mut [&mut chain]);
    twin.assert_same(&chain, 0);
    drop(chain);
    let mut chain = open(folder.path()).unwrap();
    twin.assert_same(&chain, 0);
    // The old branch can become canonical again, because its states are still present.
    chain.set_head(&old).unwrap();
    twin.chain.set_head(&old).unwrap();
    twin.assert_same(&chain, 0);
    drop(chain);
    twin.assert_same(&open(folder.path()).unwrap(), 0);
}

#[test]
fn rewound_head_survives_reopening() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut chain = open(folder.path()).unwrap();
    twin.grow(5, 0, &mut [&mut chain]);
    let back = chain.canonical_hash(2).unwrap().unwrap();
    chain.set_head(&back).unwrap();
    twin.chain.set_head(&back).unwrap();
    drop(chain);
    let chain = open(folder.path()).unwrap();
    assert_eq!(chain.head().header.number, 2);
    twin.assert_same(&chain, 0);
}

#[test]
fn side_block_survives_reopening() {
    let folder = tempdir().unwrap();
    let mut chain = open(folder.path()).unwrap();
    let side = child(&chain, 1);
    let (hash, witness) = (side.block.hash, side.witness.clone());
    chain.append(child(&chain, 0)).unwrap();
    chain.insert(side).unwrap();
    let head = chain.head().hash;
    drop(chain);
    let mut chain = open(folder.path()).unwrap();
    assert_eq!(chain.head().hash, head);
    assert_eq!(chain.witness(&hash), Ok(Some(witness)));
    chain.set_head(&hash).unwrap();
    let proof = chain.prove(chain.head(), CONTRACT, &[U256::ZERO]).unwrap();
    assert_eq!(proof.slots.len(), 1);
}

#[test]
fn lost_states_are_reexecuted_from_log() {
    let folder = tempdir().unwrap();
    let (state, old) = (folder.path().join("state"), folder.path().join("old"));
    let mut twin = Twin::new();
    let mut chain = open(folder.path()).unwrap();
    twin.grow(3, 0, &mut [&mut chain]);
    drop(chain);
    copy_folder(&state, &old);
    let mut chain = open(folder.path()).unwrap();
    twin.grow(4, 0, &mut [&mut chain]);
    // Includes a commit that only moves the head, and a branch.
    let fork = chain.canonical_hash(5).unwrap().unwrap();
    chain.set_head(&fork).unwrap();
    twin.chain.set_head(&fork).unwrap();
    twin.grow(60, 1, &mut [&mut chain]);
    drop(chain);
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&old, &state).unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    assert_eq!(store.behind(), 4 + 1 + 60);
    // Commits are rejected before the replay.
    let block = child(&twin.chain, 0);
    let refused = store.commit(block.into_changes().1).unwrap_err();
    let fault = refused.fault().downcast_ref::<DiskError>();
    assert!(matches!(fault, Some(DiskError::Behind { blocks: 65 })), "{refused}");
    drop(store);
    let chain = open(folder.path()).unwrap();
    twin.assert_same(&chain, 0);
    drop(chain);
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    assert_eq!(store.behind(), 0);
}

#[test]
fn chain_is_rebuilt_from_log_alone() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut chain = open(folder.path()).unwrap();
    twin.grow(9, 0, &mut [&mut chain]);
    drop(chain);
    fs::remove_dir_all(folder.path().join("state")).unwrap();
    twin.assert_same(&open(folder.path()).unwrap(), 0);
}

/// A block that another configuration rejects is a replay error, not an invalid block.
#[test]
fn replay_failure_by_other_rules_is_reported() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut chain = open(folder.path()).unwrap();
    twin.grow(2, 0, &mut [&mut chain]);
    drop(chain);
    fs::remove_dir_all(folder.path().join("state")).unwrap();
    // Under another chain id no transaction is valid.
    let mut other = config();
    other.spec = ChainSpec::constant(CHAIN_ID + 1, ProtocolFork::Osaka);
    let refused = open_chain(folder.path(), &genesis(), other).unwrap_err();
    assert!(matches!(refused, ChainError::Replay { number: 1, .. }), "{refused}");
    assert!(refused.is_internal());
    twin.assert_same(&open(folder.path()).unwrap(), 0);
}

#[test]
fn chain_of_another_genesis_is_rejected() {
    let folder = tempdir().unwrap();
    let hash = open(folder.path()).unwrap().head().hash;
    let mut other = genesis();
    other.alloc.first_entry().unwrap().get_mut().balance += U256::ONE;
    let expected = Chain::new(&other, config()).unwrap().head().hash;
    let refused = open_chain(folder.path(), &other, config()).unwrap_err();
    assert_eq!(refused, ChainError::OtherGenesis { got: hash, expected });
    // A genesis with the same block is accepted.
    let mut same = genesis();
    same.config.chain_id = 1;
    assert_eq!(open_chain(folder.path(), &same, config()).unwrap().head().hash, hash);
}

#[test]
fn chain_can_be_opened_only_once() {
    let folder = tempdir().unwrap();
    let chain = open(folder.path()).unwrap();
    let refused = open(folder.path()).unwrap_err();
    let ChainError::Store(error) = &refused else { panic!("{refused}") };
    assert!(matches!(error.fault().downcast_ref(), Some(DiskError::InUse { .. })), "{refused}");
    // A reader keeps the chain open.
    let reader = chain.reader().clone();
    drop(chain);
    assert!(open(folder.path()).is_err());
    drop(reader);
    open(folder.path()).unwrap();
}

#[test]
fn edited_states_are_kept_while_chain_is_open() {
    let folder = tempdir().unwrap();
    let mut chain = open(folder.path()).unwrap();
    chain.append(child(&chain, 0)).unwrap();
    let before = chain.state().root();
    let rich = U256::from(77);
    // An account that no block pays.
    let address = account(ACCOUNTS + 1);
    let edit =
        |state: &mut executor::BlockState<'_, chain::State>| state.set_balance(address, rich);
    chain.edit(edit).unwrap();
    assert_eq!(chain.balance(address), Ok(rich));
    // A block on an edited state has no valid witness, so it is stored with all its nodes and is
    // not executed again.
    let block = child(&chain, 0);
    assert!(!block.block.provable);
    let hash = block.block.hash;
    chain.append(block).unwrap();
    let store = Arc::clone(chain.store());
    assert_eq!(store.witness(&hash), Ok(None));
    drop((chain, store));
    let mut chain = open(folder.path()).unwrap();
    assert_eq!(chain.balance(address), Ok(rich));
    let parent = chain.head().header.parent_hash;
    chain.set_head(&parent).unwrap();
    assert_eq!(chain.state().root(), before);
}
