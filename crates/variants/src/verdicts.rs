//! Verdicts that a node has come to before a block needs them.

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

/// Verdicts that are kept. Each takes a tenth of a kilobyte.
const MAX_VERDICTS: usize = 1_024;

/// Successes of EXECUTE by the hash of head and witness, so that a block need not repeat what the
/// pool has verified.
///
/// A success depends on the input and on the parameters of EXECUTE alone, as long as the call holds
/// its reserve. The verdicts are those of one EXECUTE, whose parameters do not change. Failures are
/// not kept: they cost all the gas of their call, so no one sends them twice for less.
#[derive(Debug, Default)]
pub struct Verdicts {
    kept: Mutex<Kept>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    by_key: B256Map<Verdict>,
    /// Keys in the order in which they came.
    order: VecDeque<B256>,
}

/// A success.
#[derive(Debug, Clone)]
struct Verdict {
    gas: u64,
    reserve: u64,
    output: Bytes,
}

/// Number of calls with and without a kept verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerdictCounts {
    /// Calls that were answered with a kept verdict.
    pub hits: u64,
    /// Calls that were verified.
    pub misses: u64,
}

impl Verdicts {
    /// Returns the key of a call with this calldata in a transaction: the hash of head and witness,
    /// and of the fields that bind the transaction to the block. Another transaction for the same
    /// block, with a higher fee, has the same.
    pub fn key(head: &[u8], tx: &ExecuteTx) -> B256 {
        let mut key = Vec::with_capacity(256);
        key.extend_from_slice(keccak256(head).as_slice());
        key.extend_from_slice(keccak256(&tx.witness).as_slice());
        key.extend_from_slice(tx.pre_state_root.as_slice());
        key.extend_from_slice(tx.coinbase.as_slice());
        key.extend_from_slice(&tx.block_number.to_be_bytes());
        key.extend_from_slice(&tx.timestamp.to_be_bytes());
        // An absent anchor is no word of zeros.
        key.extend(tx.anchor().iter().flatten());
        keccak256(key)
    }

    /// Returns the answer of a call that holds this much gas, if the verdict is kept and the gas
    /// suffices.
    pub fn get(&self, key: &B256, gas: u64) -> Option<Answer> {
        let found = self.lock().by_key.get(key).filter(|it| it.reserve <= gas).cloned();
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found.map(|it| Answer { gas: it.gas, output: it.output })
    }

    /// Keeps a success.
    pub fn put(&self, key: B256, executed: &Executed) {
        let output = Bytes::copy_from_slice(&executed.result.encode());
        let verdict = Verdict { gas: executed.gas, reserve: executed.reserve, output };
        let mut kept = self.lock();
        if kept.by_key.insert(key, verdict).is_none() {
            kept.order.push_back(key);
        }
        if kept.order.len() > MAX_VERDICTS
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_key.remove(&oldest);
        }
    }

    /// Returns the numbers of calls so far.
    pub fn counts(&self) -> VerdictCounts {
        VerdictCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// A thread that panicked has left the verdicts whole.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
