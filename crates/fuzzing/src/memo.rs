//! Memoisation of results.

use alloy_primitives::map::HashMap;
use core::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Results by the 64-bit hash of their inputs. Different bytes of a fuzzer often lead to the same
/// input, and multiple checks of an input need the same verdict.
#[derive(Debug)]
pub(crate) struct Memo<T> {
    limit: usize,
    results: Mutex<HashMap<u64, T>>,
}

impl<T: Clone> Memo<T> {
    /// Creates a memo that is cleared when it has `limit` results, which bounds the memory of a
    /// long run.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, results: Mutex::default() }
    }

    /// Returns the result for `key`, which `make` computes if it is not in the memo.
    ///
    /// The memo is not locked during `make`, so `make` can use it, and a panic leaves it intact.
    pub(crate) fn get_or(&self, key: impl Hash, make: impl FnOnce() -> T) -> T {
        let known = |results: &HashMap<u64, T>| {
            let digest = results.hasher().hash_one(&key);
            results.get(&digest).cloned()
        };
        if let Some(known) = known(&self.lock()) {
            return known;
        }
        let made = make();
        self.insert(key, made.clone());
        made
    }

    /// Adds a known result.
    pub(crate) fn insert(&self, key: impl Hash, result: T) {
        let mut results = self.lock();
        if results.len() >= self.limit {
            results.clear();
        }
        let digest = results.hasher().hash_one(key);
        results.insert(digest, result);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, T>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_computed_once_per_key_until_full() {
        let memo = Memo::new(3);
        assert_eq!(memo.get_or([1], || 10), 10);
        assert_eq!(memo.get_or([1], || 11), 10);
        assert_eq!(memo.get_or([2], || 12), 12);
        memo.insert([3], 13);
        assert_eq!(memo.get_or([3], || 14), 13);
        assert_eq!(memo.get_or([1], || 15), 10);
        memo.insert([4], 16);
        assert_eq!(memo.get_or([1], || 17), 17);
    }
}
