use super::*;
use crate::{block::encode_block, state::node_key, value::node_value};
use alloy_consensus::{EthereumReceipt, Header, TxType};
use alloy_primitives::{Address, Log, keccak256};
use chain::store::{CanonicalChange, Changes};
use executor::ExecutionOutcome;
use tempfile::tempdir;
use trie::Nibbles;

fn hash_fault(error: &StoreError) -> (&'static str, B256, B256) {
    match error.fault().downcast_ref() {
        Some(DiskError::Hash { what, got, expected }) => (what, *got, *expected),
        _ => panic!("{error}"),
    }
}

/// Intact data under the wrong key, which the state store's own checksums cannot detect.
#[test]
fn misplaced_items_fail_their_hash_check() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let state = &store.inner.state;
    let (right, wrong) = (Bytes::from_static(b"right"), Bytes::from_static(b"wrong"));
    let hash = keccak256(&right);
    let place = NodePath { owner: None, nibbles: &Nibbles::new() };
    state.nodes.insert(node_key(place, &hash), node_value(1, &right)).unwrap();
    state.codes.insert(hash.as_slice(), &right[..]).unwrap();
    assert_eq!(store.node(place, &hash).unwrap(), Some(right.clone()));
    assert_eq!(store.code(&hash).unwrap().unwrap().original_bytes(), right);
    // The state store finds nodes only at their location; caches find them by hash alone.
    let below = NodePath { owner: None, nibbles: &Nibbles::from_nibbles([1]) };
    assert_eq!(state.node(below, &hash).unwrap(), None);
    let other = B256::repeat_byte(7);
    assert_eq!(store.node(place, &other).unwrap(), None);
    state.nodes.insert(node_key(place, &other), node_value(1, &wrong)).unwrap();
    state.codes.insert(other.as_slice(), &wrong[..]).unwrap();
    let block = Block::from_header(Header::default());
    state.blocks.insert(other.as_slice(), encode_block(&block)).unwrap();
    let refused = store.node(place, &other).unwrap_err();
    assert_eq!(hash_fault(&refused), ("node", keccak256(&wrong), other));
    assert_eq!(refused.operation(), "read a node");
    let refused = store.code(&other).unwrap_err();
    assert_eq!(hash_fault(&refused), ("code", keccak256(&wrong), other));
    let refused = store.block(&other).unwrap_err();
    assert_eq!(hash_fault(&refused), ("block", block.hash, other));
    // Too short for an epoch.
    state.nodes.insert(node_key(place, &other), &[3, 2, 1][..]).unwrap();
    assert!(store.node(place, &other).is_err());
}

/// A block that becomes canonical.
fn block(number: u64, state_root: B256) -> Changes {
    let header = Header { number, state_root, ..Header::default() };
    canonical(Arc::new(Block::from_header(header)))
}

fn canonical(block: Arc<Block>) -> Changes {
    let (from, blocks) = (block.header.number, vec![Arc::clone(&block)]);
    let canonical = Some(CanonicalChange { from, blocks });
    Changes { blocks: vec![block], canonical, ..Changes::default() }
}

fn advance(store: &DiskStore, number: u64) -> Result<(), StoreError> {
    store.commit(block(number, B256::ZERO))
}

/// A block with a node whose location cannot be determined.
fn unplaceable(number: u64) -> Changes {
    let node = Bytes::from_static(b"what is no node");
    let mut changes = block(number, keccak256(&node));
    changes.put_nodes(vec![node]);
    changes
}

fn head(store: &DiskStore) -> u64 {
    store.head().unwrap().unwrap().header.number
}

fn fault(error: &StoreError) -> &DiskError {
    error.fault().downcast_ref().unwrap()
}

#[test]
fn failed_log_write_keeps_chain_usable() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    advance(&store, 0).unwrap();
    advance(&store, 1).unwrap();
    // A folder with the name of the next segment prevents its creation.
    let obstacle = folder.path().join("blocks/0000000001.log");
    fs::create_dir(&obstacle).unwrap();
    if let Some(log) = &mut store.inner.log.lock().log {
        log.limit_segments(1);
    }
    let refused = advance(&store, 2).unwrap_err();
    assert!(matches!(fault(&refused), DiskError::Io { .. }), "{refused}");
    assert_eq!(head(&store), 1);
    assert_eq!(store.canonical_hash(2).unwrap(), None);
    fs::remove_dir(&obstacle).unwrap();
    advance(&store, 2).unwrap();
    assert_eq!(head(&store), 2);
}

#[test]
fn inapplicable_commit_makes_store_read_only() {
    let folder = tempdir().unwrap();
    let options = DiskOptions { queue: 2, ..DiskOptions::default() };
    let store = DiskStore::open(folder.path(), options).unwrap();
    advance(&store, 0).unwrap();
    advance(&store, 1).unwrap();
    store.flush().unwrap();
    let guard = store.hold();
    // With a witness, the nodes are not placed before logging, so the log accepts the commit.
    store.commit(Changes { witness: Some(OwnedWitness::default()), ..unplaceable(2) }).unwrap();
    advance(&store, 3).unwrap();
    let log = folder.path().join("blocks/0000000000.log");
    let length = || fs::metadata(&log).unwrap().len();
    let before = length();
    thread::scope(|scope| {
        let waits = scope.spawn(|| advance(&store, 4));
        drop(guard);
        let refused = waits.join().unwrap().unwrap_err();
        let DiskError::Unusable(reason) = fault(&refused) else { panic!("{refused}") };
        assert!(reason.contains("node of a commit"), "{reason}");
    });
    for refused in [advance(&store, 4), store.flush(), store.prune(), store.compact()] {
        let refused = refused.unwrap_err();
        assert!(matches!(fault(&refused), DiskError::Unusable(_)), "{refused}");
    }
    assert_eq!((length(), store.queued(), head(&store)), (before, 2, 3));
    for number in 0..4 {
        let hash = store.canonical_hash(number).unwrap().unwrap();
        assert_eq!(store.block(&hash).unwrap().unwrap().header.number, number);
    }
    drop(store);
    // Both commits are in the log, and neither is partially in the state store.
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    assert_eq!((store.behind(), head(&store)), (2, 1));
}

#[test]
fn inapplicable_record_is_not_logged() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    advance(&store, 0).unwrap();
    let refused = store.commit(unplaceable(1)).unwrap_err();
    assert!(matches!(fault(&refused), DiskError::Malformed { .. }), "{refused}");
    assert_eq!(head(&store), 0);
    // The same block without that node is accepted.
    store.commit(Changes { nodes: vec![], ..unplaceable(1) }).unwrap();
    assert_eq!(head(&store), 1);
}

#[test]
fn commit_waits_for_room_in_queue() {
    let folder = tempdir().unwrap();
    let options = DiskOptions { queue: 3, ..DiskOptions::default() };
    let store = DiskStore::open(folder.path(), options).unwrap();
    advance(&store, 0).unwrap();
    let guard = store.hold();
    let (done, dones) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            for number in 1..=10 {
                advance(store, number).unwrap();
                done.send(number).unwrap();
            }
        });
        for number in 1..=3 {
            assert_eq!(dones.recv(), Ok(number));
        }
        // The commit cannot complete, so the result does not depend on the timeout.
        assert!(dones.recv_timeout(std::time::Duration::from_millis(100)).is_err());
        assert_eq!((store.queued(), head(store)), (3, 3));
        drop(guard);
        for number in 4..=10 {
            assert_eq!(dones.recv(), Ok(number));
            assert!(store.queued() <= 3);
        }
    });
    store.flush().unwrap();
    assert_eq!((store.queued(), head(&store)), (0, 10));
}

#[test]
fn only_older_layout_is_rebuilt() {
    let folder = tempdir().unwrap();
    let open = || DiskStore::open(folder.path(), DiskOptions::default());
    let store = open().unwrap();
    advance(&store, 0).unwrap();
    let lay_out = |store: &DiskStore, layout: u64| {
        let mut batch = store.inner.state.batch();
        store.inner.state.put_meta(&mut batch, Meta::Layout, &layout.to_be_bytes());
        store.inner.state.commit(batch).unwrap();
    };
    advance(&store, 1).unwrap();
    drop(store);
    // The previous layout has no stamps, and is upgraded.
    let store = open().unwrap();
    lay_out(&store, 2);
    drop(store);
    let store = open().unwrap();
    assert_eq!((head(&store), store.rebuilt()), (1, None));
    lay_out(&store, 1);
    drop(store);
    let store = open().unwrap();
    assert!(store.rebuilt().unwrap().reason.contains("layout version 1"), "{:?}", store.rebuilt());
    advance(&store, 0).unwrap();
    assert!(store.next_to_replay().unwrap().is_none());
    assert_eq!(head(&store), 1);
    lay_out(&store, 4);
    drop(store);
    let refused = open().unwrap_err();
    assert!(matches!(refused, DiskError::OtherLayout { got: 4, expected: 3, .. }), "{refused}");
}

#[test]
fn full_journal_is_removed_despite_idle_tables() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    for number in 0..80_u64 {
        let mut changes = block(number, B256::ZERO);
        changes.put_code(number.to_be_bytes().repeat(125_000).into());
        store.commit(changes).unwrap();
    }
    // Tables are written in the background while small commits continue.
    let journals = || -> Vec<String> {
        let entries = fs::read_dir(folder.path().join("state")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".jnl")).collect()
    };
    let is_one = (80..20_000).any(|number| {
        advance(&store, number).unwrap();
        thread::sleep(Duration::from_millis(10));
        journals() == ["1.jnl"]
    });
    assert!(is_one, "{:?}", journals());
}

#[test]
fn incomplete_keyspace_is_detected_and_rebuilt() {
    let folder = tempdir().unwrap();
    let open = || DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let refill = |store: &DiskStore| {
        // The caller provides the first block; all others are in the log.
        advance(store, 0).unwrap();
        assert_eq!(store.next_to_replay().unwrap().map(|block| block.header.number), None);
    };
    let store = open();
    for number in 0..6 {
        advance(&store, number).unwrap();
    }
    drop(store);
    let store = open();
    assert_eq!((head(&store), store.rebuilt(), store.report()), (5, None, None));
    // As if the tables of one keyspace had never been written and the journal were lost.
    let stamps: Vec<_> = store.inner.state.codes.prefix([0xff]).collect();
    let newest = stamps.into_iter().map(|guard| guard.into_inner().unwrap());
    let newest = newest.max_by_key(|(_, number)| number.to_vec()).unwrap().0;
    store.inner.state.codes.remove(newest).unwrap();
    drop(store);
    let store = open();
    let rebuilt = store.rebuilt().cloned().unwrap();
    assert!(rebuilt.reason.contains("keyspace codes lacks batch"), "{rebuilt:?}");
    assert!(rebuilt.moved_to.unwrap().is_dir());
    assert!(store.report().unwrap().contains("rebuilt from the block log"));
    refill(&store);
    assert_eq!(head(&store), 5);
    drop(store);
    let store = open();
    assert_eq!((head(&store), store.rebuilt()), (5, None));
}

#[test]
fn damage_found_by_read_is_rebuilt_on_reopen() {
    let folder = tempdir().unwrap();
    let open = || DiskStore::open(folder.path(), DiskOptions::default());
    let store = open().unwrap();
    for number in 0..4 {
        advance(&store, number).unwrap();
    }
    store.flush().unwrap();
    let other = B256::repeat_byte(7);
    assert!(store.code(&other).unwrap().is_none());
    assert_eq!(store.report(), None);
    store.inner.state.codes.insert(other.as_slice(), b"wrong").unwrap();
    store.code(&other).unwrap_err();
    assert!(store.report().unwrap().contains("restart"), "{:?}", store.report());
    drop(store);
    // Without the beginning of the log rebuilding is impossible, and nothing is changed.
    let (segment, away) = (folder.path().join("blocks/0000000000.log"), folder.path().join("away"));
    fs::rename(&segment, &away).unwrap();
    for _ in 0..2 {
        let refused = open().unwrap_err();
        assert!(matches!(refused, DiskError::CannotRebuild { .. }), "{refused}");
        assert!(!folder.path().join("state.damaged").exists());
    }
    fs::rename(&away, &segment).unwrap();
    let store = open().unwrap();
    assert!(store.rebuilt().unwrap().reason.contains("is damaged"), "{:?}", store.rebuilt());
    advance(&store, 0).unwrap();
    assert!(store.next_to_replay().unwrap().is_none());
    assert_eq!(head(&store), 3);
}

#[test]
fn panic_becomes_error() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let panicked = store.inner.run("read", |_| -> Result<(), _> { panic!("unexpected") });
    let panicked = panicked.unwrap_err();
    assert!(matches!(fault(&panicked), DiskError::Panicked(message) if message == "unexpected"));
}

/// Logs cost 8 gas for each byte, so their blocks can have a thousand times as many bytes as their
/// transactions.
#[test]
fn blocks_with_long_logs_stay_within_cache_limit() {
    const LENGTH: usize = 4 << 20;
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let limit = BLOCK_CACHE / LENGTH;
    let data = Bytes::from(vec![0; LENGTH]);
    let mut written = Vec::new();
    for number in 0..limit as u64 + 8 {
        let log = Log::new_unchecked(Address::ZERO, Vec::new(), data.clone());
        let receipt = EthereumReceipt {
            tx_type: TxType::Legacy,
            success: true,
            cumulative_gas_used: 0,
            logs: vec![log],
        };
        let executed = ExecutionOutcome { receipts: vec![receipt], ..ExecutionOutcome::default() };
        let header = Header { number, ..Header::default() };
        let block = Arc::new(Block::sealed(header, Vec::new(), Vec::new(), Vec::new(), executed));
        written.push((block.hash, Arc::downgrade(&block)));
        store.commit(canonical(block)).unwrap();
    }
    store.flush().unwrap();
    let cached = written.iter().filter(|(_, block)| block.strong_count() > 0).count();
    assert!((1..=limit).contains(&cached), "{cached} written blocks in memory");
    let read = written.iter().map(|(hash, _)| Arc::downgrade(&store.block(hash).unwrap().unwrap()));
    let read: Vec<_> = read.collect();
    let cached = read.iter().filter(|block| block.strong_count() > 0).count();
    assert!((1..=limit).contains(&cached), "{cached} read blocks in memory");
}
