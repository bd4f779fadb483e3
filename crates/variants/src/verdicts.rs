//! Cache of verdicts that a node has reached before a block needs them.

use alloy_primitives::{B256, Bytes, keccak256, map::B256Map};
use codec::ExecuteTx;
use execute::{Answer, Executed};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Maximum number of cached verdicts. Each takes about 100 bytes.
const MAX_VERDICTS: usize = 1_024;

/// Successes of EXECUTE by the hash of head and witness, so that a block need not repeat what the
/// pool has verified.
///
/// A success depends only on the input and the parameters of EXECUTE, as long as the call holds its
/// reserve. All verdicts are of the same EXECUTE, whose parameters do not change. Failures are not
/// cached: each costs all the gas of its call, so repeating one is not cheaper.
#[derive(Debug, Default)]
pub struct Verdicts {
    cache: Mutex<VerdictCache>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, Default)]
struct VerdictCache {
    by_key: B256Map<Verdict>,
    /// Keys in insertion order.
    order: VecDeque<B256>,
}

/// A success.
#[derive(Debug, Clone)]
struct Verdict {
    gas: u64,
    reserve: u64,
    output: Bytes,
}

/// Number of calls with and without a cached verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerdictCounts {
    /// Calls whose verdict was cached.
    pub hits: u64,
    /// Calls that were verified.
    pub misses: u64,
}

impl Verdicts {
    /// Returns the key of a call with this calldata in a transaction: the hash of head and witness,
    /// and of the fields that bind the transaction to the block. Another transaction for the same
    /// block, for example with a higher fee, has the same key.
    pub fn key(head: &[u8], tx: &ExecuteTx) -> B256 {
        let mut key = Vec::with_capacity(256);
        key.extend_from_slice(keccak256(head).as_slice());
        key.extend_from_slice(keccak256(&tx.witness).as_slice());
        key.extend_from_slice(tx.pre_state_root.as_slice());
        key.extend_from_slice(tx.coinbase.as_slice());
        key.extend_from_slice(&tx.block_number.to_be_bytes());
        key.extend_from_slice(&tx.timestamp.to_be_bytes());
        // An absent anchor differs from a word of zeros.
        key.extend(tx.anchor().iter().flatten());
        keccak256(key)
    }

    /// Returns the result of a call that holds this much gas, if the verdict is cached and the gas
    /// suffices.
    pub fn get(&self, key: &B256, gas: u64) -> Option<Answer> {
        let found = self.lock().by_key.get(key).filter(|verdict| verdict.reserve <= gas).cloned();
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found.map(|verdict| Answer { gas: verdict.gas, output: verdict.output })
    }

    /// Caches a success.
    pub fn put(&self, key: B256, executed: &Executed) {
        let output = Bytes::copy_from_slice(&executed.result.encode());
        let verdict = Verdict { gas: executed.gas, reserve: executed.reserve, output };
        let mut cache = self.lock();
        if cache.by_key.insert(key, verdict).is_none() {
            cache.order.push_back(key);
        }
        if cache.order.len() > MAX_VERDICTS
            && let Some(oldest) = cache.order.pop_front()
        {
            cache.by_key.remove(&oldest);
        }
    }

    /// Returns the number of calls so far.
    pub fn counts(&self) -> VerdictCounts {
        VerdictCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// A panic of another thread cannot leave the verdicts inconsistent.
    fn lock(&self) -> MutexGuard<'_, VerdictCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
