//! A node on a failing store loses no data and reports each error.

use alloy_primitives::{B256, Bytes};
use chain::store::{
    Block, Changes, MemoryStore, Preimages, Store, StoreError, StoredNodes, TransactionLocation,
};
use chain::{Chain, ChainConfig, ChainError, empty_genesis};
use enshrine_node::{Clock, Event, MineRequest, Mining, Node, NodeError, Settings};
use executor::ChainSpec;
use revm::bytecode::Bytecode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use wire::ProtocolFork;

/// A store whose next `faults` commits fail.
#[derive(Debug, Default)]
struct Failing {
    inner: MemoryStore,
    faults: AtomicUsize,
}

type Found<T> = Result<Option<T>, StoreError>;

impl Store for Failing {
    fn node(&self, path: trie::NodePath<'_>, hash: &B256) -> Found<Bytes> {
        self.inner.node(path, hash)
    }

    fn code(&self, hash: &B256) -> Found<Bytecode> {
        self.inner.code(hash)
    }

    fn block(&self, hash: &B256) -> Found<Arc<Block>> {
        self.inner.block(hash)
    }

    fn first_number(&self) -> Found<u64> {
        self.inner.first_number()
    }

    fn canonical_hash(&self, number: u64) -> Found<B256> {
        self.inner.canonical_hash(number)
    }

    fn transaction(&self, hash: &B256) -> Found<TransactionLocation> {
        self.inner.transaction(hash)
    }

    fn preimages(&self) -> Result<Preimages, StoreError> {
        self.inner.preimages()
    }

    fn everything(&self) -> Result<StoredNodes, StoreError> {
        self.inner.everything()
    }

    fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let remaining = self.faults.load(Ordering::SeqCst);
        if remaining > 0 {
            self.faults.store(remaining - 1, Ordering::SeqCst);
            return Err(StoreError::new("write", "the disk is full"));
        }
        self.inner.commit(changes)
    }
}

fn node(mining: Mining) -> (Arc<Node>, Arc<Failing>) {
    let fork = ProtocolFork::Osaka;
    let store = Arc::new(Failing::default());
    let config = ChainConfig::new(ChainSpec::constant(8_079, fork));
    let chain = Chain::with_store(&empty_genesis(fork), config, Arc::clone(&store) as _).unwrap();
    let settings = Settings { mining, ..Settings::default() };
    (Node::new(chain, Clock::starting_at(1_000), settings), store)
}

#[test]
fn failed_commit_is_internal_error_and_changes_nothing() {
    let (node, store) = node(Mining::Manual);
    store.faults.store(1, Ordering::SeqCst);
    let error = node.mine(&MineRequest::default()).unwrap_err();
    assert!(matches!(&error, NodeError::Chain(ChainError::Store(_))), "{error}");
    assert_eq!(node.read(|node| node.chain.head().header.number), 0);
    assert_eq!(node.mine(&MineRequest::default()).unwrap().header.number, 1);
}

#[tokio::test]
async fn failed_interval_block_is_retried_until_it_succeeds() {
    let (node, store) = node(Mining::Interval(Duration::from_millis(5)));
    store.faults.store(3, Ordering::SeqCst);
    let mut events = node.subscribe();
    let miner = tokio::spawn(Arc::clone(&node).run());
    let Event::Head { added, .. } = events.recv().await.unwrap() else { panic!("no block") };
    assert_eq!(added[0].header.number, 1);
    assert_eq!(store.faults.load(Ordering::SeqCst), 0);
    miner.abort();
}
