//! Guarantees of every store, for any implementation.
//!
//! Tests include this module, pass empty stores to [`passes`], and import the crate `store` as
//! `seam`.

use crate::seam::{Block, CanonicalChange, Changes, Store, TransactionLocation};
use alloy_consensus::{EthereumTxEnvelope, Header, SignableTransaction, TxLegacy};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind};
use executor::{ExecutionOutcome, Transaction};
use std::sync::Arc;

/// Runs all tests of the suite, each on a new store.
pub(crate) fn passes(empty: impl Fn(&dyn Fn(&dyn Store))) {
    empty(&empty_store_contains_nothing);
    empty(&only_canonical_transactions_are_located);
    empty(&commit_with_gap_is_rejected_as_a_whole);
    empty(&block_can_be_replaced_by_a_later_commit);
}

/// Returns a transaction that differs for each number.
pub(crate) fn transaction(number: u64) -> Transaction {
    let to = TxKind::Call(Address::repeat_byte(1));
    let tx = TxLegacy { nonce: number, to, ..Default::default() };
    EthereumTxEnvelope::Legacy(tx.into_signed(Signature::test_signature()))
}

/// Returns a child of a block with these transactions; `mark` distinguishes its branch.
pub(crate) fn child(parent: &Block, mark: u8, transactions: &[u64]) -> Arc<Block> {
    let header = Header {
        number: parent.header.number + 1,
        parent_hash: parent.hash,
        extra_data: Bytes::from(vec![mark]),
        ..Default::default()
    };
    let transactions: Vec<_> =
        transactions.iter().copied().map(|nonce| transaction(nonce).into()).collect();
    let senders = vec![Address::ZERO; transactions.len()];
    Arc::new(Block::sealed(header, transactions, senders, vec![], ExecutionOutcome::default()))
}

pub(crate) fn first(number: u64) -> Arc<Block> {
    Arc::new(Block::from_header(Header { number, ..Default::default() }))
}

/// Adds blocks and makes them canonical from the number of the first.
pub(crate) fn advance(store: &dyn Store, blocks: &[&Arc<Block>]) {
    let blocks: Vec<_> = blocks.iter().copied().cloned().collect();
    move_to(store, blocks[0].header.number, &blocks, &blocks);
}

pub(crate) fn move_to(store: &dyn Store, from: u64, canonical: &[Arc<Block>], new: &[Arc<Block>]) {
    let canonical = Some(CanonicalChange { from, blocks: canonical.to_vec() });
    store.commit(Changes { blocks: new.to_vec(), canonical, ..Changes::default() }).unwrap();
}

pub(crate) fn hashes(
    store: &dyn Store,
    numbers: impl IntoIterator<Item = u64>,
) -> Vec<Option<B256>> {
    numbers.into_iter().map(|number| store.canonical_hash(number).unwrap()).collect()
}

pub(crate) fn found(store: &dyn Store, number: u64) -> Option<TransactionLocation> {
    store.transaction(transaction(number).hash()).unwrap()
}

pub(crate) const fn at(block: &Block, index: usize) -> Option<TransactionLocation> {
    Some(TransactionLocation { block: block.hash, index })
}

fn empty_store_contains_nothing(store: &dyn Store) {
    assert_eq!(store.first_number().unwrap(), None);
    assert_eq!(hashes(store, [0, 1, u64::MAX]), [None; 3]);
    assert!(store.block(&B256::ZERO).unwrap().is_none());
    assert_eq!(found(store, 1), None);
    assert_eq!(store.everything().unwrap(), Default::default());
    assert!(store.preimages().unwrap().is_empty());
}

fn only_canonical_transactions_are_located(store: &dyn Store) {
    let genesis = first(7);
    let (a, b) = (child(&genesis, 1, &[1, 2]), child(&genesis, 2, &[2, 3]));
    advance(store, &[&genesis, &a]);
    store.commit(Changes { blocks: vec![Arc::clone(&b)], ..Changes::default() }).unwrap();
    assert_eq!(store.first_number().unwrap(), Some(7));
    assert_eq!(hashes(store, 6..10), [None, Some(genesis.hash), Some(a.hash), None]);
    assert_eq!([1, 2, 3].map(|tx| found(store, tx)), [at(&a, 0), at(&a, 1), None]);
    // Reorg to the other branch: a transaction of both branches is now located in the new block.
    move_to(store, 8, &[Arc::clone(&b)], &[]);
    assert_eq!(hashes(store, 7..10), [Some(genesis.hash), Some(b.hash), None]);
    assert_eq!([1, 2, 3].map(|tx| found(store, tx)), [None, at(&b, 0), at(&b, 1)]);
    assert!(store.block(&a.hash).unwrap().is_some(), "a replaced block is still known");
    // Remove the last block without a replacement.
    move_to(store, 8, &[], &[]);
    assert_eq!(hashes(store, 7..10), [Some(genesis.hash), None, None]);
    assert_eq!([1, 2, 3].map(|tx| found(store, tx)), [None; 3]);
}

fn commit_with_gap_is_rejected_as_a_whole(store: &dyn Store) {
    let genesis = first(0);
    let (one, other) = (child(&genesis, 1, &[1]), child(&genesis, 2, &[2]));
    let (two, three) = (child(&one, 1, &[]), child(&child(&one, 1, &[]), 1, &[]));
    advance(store, &[&genesis, &one]);
    for (from, blocks) in [
        (3, vec![Arc::clone(&three)]),
        (2, vec![Arc::clone(&three)]),
        (2, vec![Arc::clone(&two), Arc::clone(&two)]),
        (1, vec![Arc::clone(&other), Arc::clone(&three)]),
    ] {
        let changes = Changes {
            nodes: vec![(B256::repeat_byte(9), Bytes::from_static(b"node"))],
            blocks: vec![Arc::clone(&three), Arc::clone(&other)],
            canonical: Some(CanonicalChange { from, blocks }),
            ..Changes::default()
        };
        let error = store.commit(changes).unwrap_err();
        assert_eq!(error.to_string(), "cannot move the canonical chain: it would have a gap");
        assert_eq!(hashes(store, 0..4), [Some(genesis.hash), Some(one.hash), None, None]);
        assert!(store.block(&three.hash).unwrap().is_none());
        assert!(store.everything().unwrap().nodes.is_empty());
    }
    advance(store, &[&two, &three]);
    assert_eq!(store.canonical_hash(3).unwrap(), Some(three.hash));
}

fn block_can_be_replaced_by_a_later_commit(store: &dyn Store) {
    let genesis = first(0);
    let full = child(&genesis, 1, &[1]);
    advance(store, &[&genesis, &full]);
    let bare = Arc::new(full.without_body());
    let next = child(&full, 1, &[2]);
    store
        .commit(Changes {
            blocks: vec![Arc::clone(&bare), Arc::clone(&next)],
            canonical: Some(CanonicalChange { from: 2, blocks: vec![Arc::clone(&next)] }),
            forgotten: vec![*transaction(1).hash()],
            ..Changes::default()
        })
        .unwrap();
    assert!(store.block(&full.hash).unwrap().unwrap().transactions.is_empty());
    assert_eq!(store.canonical_hash(1).unwrap(), Some(full.hash));
    assert_eq!((found(store, 1), found(store, 2)), (None, at(&next, 0)));
}
