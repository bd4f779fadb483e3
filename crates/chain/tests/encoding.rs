//! Converting a block into an EXECUTE input encodes its transactions once: nothing is decoded, and
//! no block is encoded as RLP.
#![allow(unsafe_code, reason = "a global allocator cannot be written without; it only forwards")]

use alloy_consensus::TxEip1559;
use alloy_primitives::U256;
use enshrine_chain::{BlockAttributes, Chain, ChainConfig, shortest_input};
use executor::ChainSpec;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};
use testkit::{CHAIN_ID, ETHER, Key, eip1559, rich_genesis};
use wire::ProtocolFork;

const FORK: ProtocolFork = ProtocolFork::Osaka;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// The system allocator, which counts all allocated bytes.
struct Counting;

// SAFETY: every method passes its arguments unchanged to the system allocator, which has the same
// contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the requirements on `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the requirements on `ptr` and `layout`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the result of `work` and the number of bytes that it allocates.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let done = work();
    (done, ALLOCATED.load(Ordering::Relaxed) - before)
}

// A single test, because the counter is global to the process.
#[test]
fn blocks_are_encoded_once() {
    let genesis = rich_genesis(FORK, ["alice"], ETHER);
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[]);
    let mut chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
    let transaction = |nonce| {
        Key::named("alice").sign(TxEip1559 {
            value: U256::from(1),
            input: vec![7; 20_000].into(),
            ..eip1559(nonce, Key::named("bob").address(), 1_500_000)
        })
    };
    let timestamp = chain.head().header.timestamp + 1;
    let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
    let (new, rejected) = chain.build(&attributes, (0..20).map(transaction).collect()).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    let body: usize = new.block.raw_transactions().iter().map(|bytes| bytes.len()).sum();
    assert!(body > 400_000, "{body}");

    // Allowed: each transaction separately, and the input that contains all of them.
    let (single, bytes) = allocated(|| new.input().unwrap());
    assert!(bytes < 2 * single.len() + single.len() / 4, "{bytes} for {}", single.len());

    // The same limit holds with the state in compact form.
    let make = || shortest_input(&new.block, FORK, CHAIN_ID, &new.witness).unwrap();
    let (shortest, bytes) = allocated(make);
    assert!(shortest.len() < single.len());
    assert!(bytes < 2 * single.len() + single.len() / 4, "{bytes} for {}", shortest.len());

    let block = chain.append(new).unwrap();
    let batch = chain.batch(vec![block]).unwrap();
    let (input, bytes) = allocated(|| batch.input().unwrap());
    assert!(bytes < 2 * input.len() + input.len() / 4, "{bytes} for {}", input.len());
}
