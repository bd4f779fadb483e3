//! Cache of recently read items.

use alloy_primitives::{B256, map::B256Map};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Length of the header that an allocator adds to a value, and of the counter of a shared one.
const ALLOCATION: usize = 32;

/// Cache of values by hash with a limit in bytes; the oldest values are evicted first. The entries
/// count in addition to their values, since most trie nodes are shorter than their entry.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    limit: usize,
    contents: Mutex<Contents<V>>,
}

#[derive(Debug)]
struct Contents<V> {
    values: B256Map<(V, usize)>,
    order: VecDeque<B256>,
    bytes: usize,
}

impl<V: Clone> Cache<V> {
    pub(crate) fn new(limit: usize) -> Self {
        let contents = Contents { values: B256Map::default(), order: VecDeque::new(), bytes: 0 };
        Self { limit, contents: Mutex::new(contents) }
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<V> {
        self.contents.lock().values.get(hash).map(|(value, _)| value.clone())
    }

    /// Caches a value of `bytes` bytes, unless one with the same hash is cached.
    pub(crate) fn offer(&self, hash: B256, value: V, bytes: usize) {
        let mut contents = self.contents.lock();
        if !contents.values.contains_key(&hash) {
            contents.put(self.limit, hash, value, bytes);
        }
    }

    /// Caches a value of `bytes` bytes, replacing one with the same hash.
    pub(crate) fn put(&self, hash: B256, value: V, bytes: usize) {
        self.contents.lock().put(self.limit, hash, value, bytes);
    }
}

impl<V> Contents<V> {
    /// Bytes of an entry without its value. The capacity of a hash table or queue is at most about
    /// twice its length.
    const ENTRY: usize = 2 * (size_of::<(B256, (V, usize))>() + 1 + size_of::<B256>()) + ALLOCATION;

    fn put(&mut self, limit: usize, hash: B256, value: V, bytes: usize) {
        let bytes = bytes.saturating_add(Self::ENTRY);
        let Self { values, order, bytes: held } = self;
        match values.insert(hash, (value, bytes)) {
            Some((_, before)) => *held -= before,
            None => order.push_back(hash),
        }
        *held += bytes;
        while *held > limit
            && let Some(oldest) = order.pop_front()
        {
            if let Some((_, bytes)) = values.remove(&oldest) {
                *held -= bytes;
            }
        }
    }
}

/// A cache in sixteen shards, for concurrent readers.
#[derive(Debug)]
pub(crate) struct Shards<V>([Cache<V>; 16]);

impl<V: Clone> Shards<V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self(core::array::from_fn(|_| Cache::new(limit / 16)))
    }

    fn of(&self, hash: &B256) -> &Cache<V> {
        &self.0[usize::from(hash[31] % 16)]
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<V> {
        self.of(hash).get(hash)
    }

    pub(crate) fn put(&self, hash: B256, value: V, bytes: usize) {
        self.of(&hash).put(hash, value, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes that the cache of short values may allocate, by the capacities of its
    /// containers.
    fn allocated(cache: &Cache<Vec<u8>>) -> usize {
        let contents = cache.contents.lock();
        // A hash table is at most 7/8 full, and has one control byte per slot.
        let slots = contents.values.capacity() * 8 / 7;
        let heap: usize = contents.values.values().map(|(value, _)| value.capacity()).sum();
        slots * (size_of::<(B256, (Vec<u8>, usize))>() + 1)
            + contents.order.capacity() * size_of::<B256>()
            + heap
    }

    #[test]
    fn short_values_count_with_their_entries() {
        const LIMIT: usize = 1 << 20;
        let cache = Cache::new(LIMIT);
        let hash = |index: u64| B256::left_padding_from(&index.to_be_bytes());
        let mut most = 0;
        for index in 0..50_000 {
            cache.put(hash(index), vec![0; 32], 32);
            most = most.max(allocated(&cache));
        }
        assert!(most <= LIMIT, "{most} bytes allocated, limit {LIMIT}");
        // The limit is used, and the newest values are cached.
        assert!(most >= LIMIT / 3, "{most} bytes allocated, limit {LIMIT}");
        assert!(cache.get(&hash(49_999)).is_some());
        assert!(cache.get(&hash(0)).is_none());
    }
}
