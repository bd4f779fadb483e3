//! Cache of recently read items.

use alloy_primitives::{B256, map::B256Map};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Cache of values by hash with a limit in bytes; the oldest values are evicted first.
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
    fn put(&mut self, limit: usize, hash: B256, value: V, bytes: usize) {
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
