//! Commits that are in the log and not yet in the state store, in order and by hash.
//!
//! A commit returns once it is in the log. The writer thread applies the oldest commit to the state
//! store before it removes it from this queue, so a reader that checks the queue first and the
//! state store second finds every commit.

use crate::{
    DiskError, Position,
    canonical::{Moves, Range},
    node_location::Placed,
};
use alloy_primitives::{B256, Bytes, map::B256Map};
use chain::store::{Block, Changes, TransactionLocation};
use core::{
    fmt,
    hash::{BuildHasher, Hash},
};
use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};
use revm::bytecode::Bytecode;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    thread,
};

/// The part of a commit that the state store needs.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// Changes without the witness, which is in the log.
    pub(crate) changes: Changes,
    /// Blocks that the commit adds or replaces, and blocks that it makes canonical and that were
    /// not stored before.
    pub(crate) blocks: B256Map<Arc<Block>>,
    pub(crate) moves: Moves,
    /// Nodes with their locations, if the locations had to be known before logging.
    pub(crate) placed: Option<Vec<Placed>>,
    /// Start and end of the record in the log.
    pub(crate) record: Option<(Position, Position)>,
    /// `true` if the record has the witness of its block.
    pub(crate) has_witness: bool,
}

impl Commit {
    /// Returns the block whose witness is in the log, and the position of its record.
    pub(crate) fn witnessed(&self) -> impl Iterator<Item = (B256, Position)> {
        let position = self.record.filter(|_| self.has_witness).map(|(start, _)| start);
        let hashes = self.changes.blocks.iter().map(|block| block.hash);
        position
            .into_iter()
            .flat_map(move |position| hashes.clone().map(move |hash| (hash, position)))
    }
}

/// The queue between log and state store.
#[derive(Debug)]
pub(crate) struct Pending {
    queue: Mutex<Queue>,
    /// Notified whenever the queue changes.
    moved: Condvar,
    found: RwLock<Contents>,
    /// Maximum number of queued commits.
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    commits: VecDeque<Arc<Commit>>,
    /// Number of commits added, and number of commits removed.
    added: u64,
    removed: u64,
    /// Number of guards that stop commits from being applied.
    guards: usize,
    /// `true` once the queue is closed.
    closed: bool,
    /// Reason why nothing more can be written.
    broken: Option<String>,
}

impl Queue {
    fn check(&self) -> Result<(), DiskError> {
        self.broken.clone().map_or(Ok(()), |reason| Err(DiskError::Unusable(reason)))
    }
}

impl Pending {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            queue: Mutex::default(),
            moved: Condvar::new(),
            found: RwLock::default(),
            limit: limit.max(1),
        }
    }

    /// Checks that writing is possible.
    pub(crate) fn check(&self) -> Result<(), DiskError> {
        self.queue.lock().check()
    }

    /// Makes all later writes fail. Only the first reason is stored.
    pub(crate) fn fail_writes(&self, reason: &dyn fmt::Display) {
        self.queue.lock().broken.get_or_insert_with(|| reason.to_string());
        self.moved.notify_all();
    }

    /// Waits until the queue can hold one more commit.
    pub(crate) fn wait_for_capacity(&self) -> Result<(), DiskError> {
        let mut queue = self.queue.lock();
        loop {
            queue.check()?;
            if queue.commits.len() < self.limit {
                return Ok(());
            }
            self.moved.wait(&mut queue);
        }
    }

    /// Adds a commit; readers find it from now on.
    pub(crate) fn push(&self, commit: Commit) {
        let commit = Arc::new(commit);
        // Only one thread commits at a time, so both structures have the same order.
        let number = self.queue.lock().added;
        self.found.write().add(number, &commit);
        let mut queue = self.queue.lock();
        queue.commits.push_back(commit);
        queue.added += 1;
        self.moved.notify_all();
    }

    /// Returns the guard that the thread which applies commits must hold. If the thread panics,
    /// later writes fail instead of waiting for it.
    pub(crate) const fn writer_guard(&self) -> WriterGuard<'_> {
        WriterGuard(self)
    }

    /// Waits for the oldest commit, which stays in the queue until it [is done](Self::done). `None`
    /// if the queue is closed, or if nothing can be written.
    pub(crate) fn next(&self) -> Option<Arc<Commit>> {
        let mut queue = self.queue.lock();
        loop {
            if queue.broken.is_some() {
                return None;
            }
            if queue.guards == 0 || queue.closed {
                match queue.commits.front() {
                    None if queue.closed => return None,
                    None => {}
                    oldest => return oldest.map(Arc::clone),
                }
            }
            self.moved.wait(&mut queue);
        }
    }

    /// Removes the oldest commit, which is now in the state store.
    pub(crate) fn done(&self, commit: &Commit) {
        let number = self.queue.lock().removed;
        self.found.write().forget(number, commit);
        let mut queue = self.queue.lock();
        queue.commits.pop_front();
        queue.removed += 1;
        self.moved.notify_all();
    }

    /// Waits until all commits added so far are in the state store.
    pub(crate) fn settle(&self) -> Result<(), DiskError> {
        let mut queue = self.queue.lock();
        let added = queue.added;
        loop {
            queue.check()?;
            if queue.removed >= added {
                return Ok(());
            }
            self.moved.wait(&mut queue);
        }
    }

    /// Stops commits from being applied until each call is matched by a [release](Self::release).
    pub(crate) fn hold(&self) {
        self.queue.lock().guards += 1;
    }

    pub(crate) fn release(&self) {
        self.queue.lock().guards -= 1;
        self.moved.notify_all();
    }

    /// Closes the queue: the thread that applies commits ends after the last one.
    pub(crate) fn close(&self) {
        self.queue.lock().closed = true;
        self.moved.notify_all();
    }

    /// Returns the queued commits, oldest first.
    pub(crate) fn commits(&self) -> Vec<Arc<Commit>> {
        self.queue.lock().commits.iter().map(Arc::clone).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.lock().commits.len()
    }

    /// Locks the contents of the queued commits. While the lock is held, no commit is added or
    /// removed, so items that are not found here do not change in the state store.
    pub(crate) fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.found.read()
    }
}

/// See [`Pending::writer_guard`].
pub(crate) struct WriterGuard<'p>(&'p Pending);

impl Drop for WriterGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail_writes(&"the thread that writes to the state store has panicked");
        }
    }
}

/// Contents of the queued commits, each item with the number of the last commit that wrote it.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    nodes: Latest<B256Map<(Bytes, u64)>>,
    codes: Latest<B256Map<(Bytecode, u64)>>,
    blocks: Latest<B256Map<(Arc<Block>, u64)>>,
    records: Latest<B256Map<(Position, u64)>>,
    numbers: Latest<HashMap<u64, (Option<B256>, u64)>>,
    transactions: Latest<B256Map<(Option<TransactionLocation>, u64)>>,
    range: Option<(Range, u64)>,
}

impl Contents {
    pub(crate) fn node(&self, hash: &B256) -> Option<Bytes> {
        self.nodes.get(hash)
    }

    pub(crate) fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.codes.get(hash)
    }

    pub(crate) fn block(&self, hash: &B256) -> Option<Arc<Block>> {
        self.blocks.get(hash)
    }

    /// Returns the position in the log of the record of a block with its witness.
    pub(crate) fn record(&self, block: &B256) -> Option<Position> {
        self.records.get(block)
    }

    /// Returns the hash at a number; `Some(None)` if the number is no longer canonical.
    pub(crate) fn canonical_hash(&self, number: u64) -> Option<Option<B256>> {
        self.numbers.get(&number)
    }

    /// Returns the location of a transaction; `Some(None)` if it is no longer canonical.
    pub(crate) fn transaction(&self, hash: &B256) -> Option<Option<TransactionLocation>> {
        self.transactions.get(hash)
    }

    /// Returns the numbers of the canonical blocks, if they have changed.
    pub(crate) fn range(&self) -> Option<Range> {
        self.range.as_ref().map(|(range, _)| range.clone())
    }

    /// Returns all nodes by hash.
    pub(crate) fn nodes(&self) -> B256Map<Bytes> {
        self.nodes.0.iter().map(|(hash, (node, _))| (*hash, node.clone())).collect()
    }

    /// Returns all codes by hash.
    pub(crate) fn codes(&self) -> B256Map<Bytes> {
        self.codes.0.iter().map(|(hash, (code, _))| (*hash, code.original_bytes())).collect()
    }

    fn add(&mut self, number: u64, commit: &Commit) {
        for (hash, node) in &commit.changes.nodes {
            self.nodes.put(*hash, node.clone(), number);
        }
        for (hash, code) in &commit.changes.codes {
            self.codes.put(*hash, code.clone(), number);
        }
        for (hash, block) in &commit.blocks {
            self.blocks.put(*hash, Arc::clone(block), number);
        }
        for (block, position) in commit.witnessed() {
            self.records.put(block, position, number);
        }
        for (at, hash) in &commit.moves.numbers {
            self.numbers.put(*at, *hash, number);
        }
        for (hash, location) in &commit.moves.transactions {
            self.transactions.put(*hash, *location, number);
        }
        if let Some(range) = &commit.moves.range {
            self.range = Some((range.clone(), number));
        }
    }

    /// Removes the items that no later commit has written again.
    fn forget(&mut self, number: u64, commit: &Commit) {
        for (hash, _) in &commit.changes.nodes {
            self.nodes.forget(hash, number);
        }
        for (hash, _) in &commit.changes.codes {
            self.codes.forget(hash, number);
        }
        for hash in commit.blocks.keys() {
            self.blocks.forget(hash, number);
        }
        for (block, _) in commit.witnessed() {
            self.records.forget(&block, number);
        }
        for at in commit.moves.numbers.keys() {
            self.numbers.forget(at, number);
        }
        for hash in commit.moves.transactions.keys() {
            self.transactions.forget(hash, number);
        }
        self.range.take_if(|(_, last)| *last == number);
    }
}

/// Values, each with the number of the commit that wrote it last.
#[derive(Debug, Default)]
struct Latest<M>(M);

impl<K: Eq + Hash, V: Clone, S: BuildHasher> Latest<HashMap<K, (V, u64), S>> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key).map(|(value, _)| value.clone())
    }

    fn put(&mut self, key: K, value: V, number: u64) {
        self.0.insert(key, (value, number));
    }

    fn forget(&mut self, key: &K, number: u64) {
        if self.0.get(key).is_some_and(|(_, last)| *last == number) {
            self.0.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
