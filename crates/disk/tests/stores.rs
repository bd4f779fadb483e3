//! The disk store passes the tests of all stores, also after reopening.

#[path = "../../chain/tests/suite/mod.rs"]
mod suite;

use alloy_primitives::{Address, B256, Bytes, U256};
use enshrine_disk::{DiskOptions, DiskStore};
// The suite refers to the crate by this name.
use chain::store as seam;
use seam::{Changes, Store};
use suite::{advance, at, child, first, found, hashes, move_to};
use tempfile::tempdir;

#[test]
fn disk_store_passes_store_suite() {
    suite::passes(|test| {
        let folder = tempdir().unwrap();
        test(&DiskStore::open(folder.path(), DiskOptions::default()).unwrap());
    });
}

#[test]
fn disk_store_passes_suite_with_queued_commits() {
    suite::passes(|test| {
        let folder = tempdir().unwrap();
        let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
        let _held = store.hold();
        test(&store);
    });
}

#[test]
fn committed_data_survives_reopening() {
    let folder = tempdir().unwrap();
    let open = || DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let genesis = first(7);
    let (a, b) = (child(&genesis, 1, &[1, 2]), child(&genesis, 2, &[2, 3]));
    advance(&open(), &[&genesis, &a]);
    let mut changes = Changes {
        preimages: vec![
            (Address::repeat_byte(1), vec![U256::ONE, U256::ONE]),
            (Address::repeat_byte(2), vec![]),
            (Address::repeat_byte(1), vec![U256::MAX]),
        ],
        ..Changes::default()
    };
    let code = changes.put_code(Bytes::from_static(&[0x60, 0x01]));
    open().commit(changes).unwrap();
    let blocks = std::slice::from_ref(&b);
    move_to(&open(), 8, blocks, blocks);
    let store = open();
    assert_eq!(store.first_number().unwrap(), Some(7));
    assert_eq!(hashes(&store, 6..10), [None, Some(genesis.hash), Some(b.hash), None]);
    assert_eq!([1, 2, 3].map(|tx| found(&store, tx)), [None, at(&b, 0), at(&b, 1)]);
    assert_eq!(store.head().unwrap().unwrap().hash, b.hash);
    assert!(store.block(&a.hash).unwrap().is_some());
    let code = store.code(&code).unwrap().unwrap();
    assert_eq!(code.original_bytes(), Bytes::from_static(&[0x60, 0x01]));
    let preimages: Vec<_> = store.preimages().unwrap().into_iter().collect();
    let expected = [
        (Address::repeat_byte(1), [U256::ONE, U256::MAX].into()),
        (Address::repeat_byte(2), [].into()),
    ];
    assert_eq!(preimages, expected);
    assert_eq!(store.mark().unwrap(), None);
    store.set_mark(B256::repeat_byte(3)).unwrap();
    drop(store);
    assert_eq!(open().mark().unwrap(), Some(B256::repeat_byte(3)));
}
