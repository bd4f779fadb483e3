//! Opening of the disk store, its threads, and its implementation of [`Store`].

use crate::{
    DiskError, DiskOptions, Position, TornTail,
    cache::{Cache, Shards},
    canonical::Range,
    log::{BlockLog, OpenedLog},
    log_index::LogIndexFile,
    pending::Pending,
    record::Record,
    repair::{OpenState, Rebuilt, guard, note},
    state::{Meta, State},
};
use alloy_primitives::{B256, BloomInput, Bytes};
use chain::store::{
    Block, Changes, LogIndex, Preimages, Store, StoreError, StoredNodes, TransactionLocation,
};
use codec::OwnedWitness;
use parking_lot::{Mutex, RwLock};
use revm::bytecode::Bytecode;
use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use trie::NodePath;

/// Maximum time to wait for another process or thread to close the chain. A thread of a stopped node
/// keeps the chain open until its last request to L1 ends, which can exceed three seconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// Memory of the cache for blocks with their logs, in bytes.
const BLOCK_CACHE: usize = 128 << 20;
const CODE_CACHE: usize = 32 << 20;
/// Name of the file with the index of logs.
const LOG_INDEX: &str = "log-index";

/// Store in a directory, which a file lock protects from being opened twice.
#[derive(Debug)]
pub struct DiskStore {
    inner: Arc<Inner>,
    /// Applies commits to the state store.
    writer: Option<JoinHandle<()>>,
    /// Deletes old states.
    pruner: Option<JoinHandle<()>>,
    torn: Option<TornTail>,
    rebuilt: Option<Rebuilt>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) folder: PathBuf,
    pub(crate) options: DiskOptions,
    /// Held during a commit. It must not be acquired while any of the locks below is held.
    pub(crate) log: Mutex<LogEnd>,
    /// Commits that are in the log but not yet in the state store.
    pub(crate) pending: Pending,
    /// Held by the writer of the state store.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) state: State,
    /// Numbers of the canonical blocks in the state store.
    pub(crate) canonical: RwLock<Option<Range>>,
    /// Hash of the chain's first block and number of the oldest segment, once the log exists.
    pub(crate) kept: RwLock<Option<(B256, u64)>>,
    pub(crate) nodes: Shards<Bytes>,
    pub(crate) blocks: Cache<Arc<Block>>,
    pub(crate) codes: Cache<Bytecode>,
    log_index: LogIndexFile,
    /// Held by the pruning thread.
    pub(crate) pruning: Mutex<()>,
    /// Keys of the nodes written since pruning started, which must not be deleted; `None` outside
    /// pruning.
    pub(crate) written_meanwhile: Mutex<Option<HashSet<Vec<u8>>>>,
    pub(crate) stop: AtomicBool,
    /// Corruption of the state store that was detected since the chain was opened.
    damage: Mutex<Option<String>>,
    /// Locked as long as the chain is open.
    _lock: File,
}

/// State that only the committer needs.
#[derive(Debug)]
pub(crate) struct LogEnd {
    /// The log, once the chain has a first block.
    pub(crate) log: Option<BlockLog>,
    /// Records that the state store had not applied when the chain was opened.
    pub(crate) waiting: VecDeque<Position>,
    /// The first of these records and its end, if it is a block that must be executed again.
    pub(crate) next: Option<(Position, Record)>,
}

/// State that only the writer of the state store needs.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The highest block number written so far.
    pub(crate) epoch: u64,
    /// Commits since the state store was synced.
    pub(crate) unsynced: u64,
    /// Number of commits since a journal of the state store became full.
    pub(crate) journal_full_for: u64,
}

/// Guard that keeps the state store unchanged while it exists.
#[derive(Debug)]
pub struct StateGuard<'s>(&'s Inner);

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        self.0.pending.release();
    }
}

impl DiskStore {
    /// Opens the chain in `folder`, or creates an empty store there.
    ///
    /// Afterwards, blocks may have to be [executed again](Self::next_to_replay); until that is
    /// done, commits are rejected.
    pub fn open(folder: &Path, options: DiskOptions) -> Result<Self, DiskError> {
        fs::create_dir_all(folder).map_err(DiskError::io("create", folder))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(DiskError::io("create", &lock_path))?;
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // Another process may be about to close the chain.
                Err(TryLockError::WouldBlock) if begun.elapsed() < SHUTDOWN_TIMEOUT => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(DiskError::InUse { path: folder.into() });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(DiskError::io("lock", &lock_path)(error));
                }
            }
        }
        let OpenState { state, genesis, applied, epoch, range, segment, rebuilt } =
            OpenState::open(folder, options.cache_bytes)?;
        let (mut end, mut kept, mut torn) =
            (LogEnd { log: None, waiting: VecDeque::new(), next: None }, None, None);
        if let Some(genesis) = genesis {
            let blocks = folder.join("blocks");
            let opened = BlockLog::open(&blocks, genesis, options.segment_bytes, applied, segment)?;
            let OpenedLog { log, records, torn: cut } = opened;
            kept = Some((genesis, log.first()));
            (end.log, end.waiting, torn) = (Some(log), records, cut);
        }
        if let Some(TornTail { position, bytes }) = &torn {
            tracing::warn!(%position, bytes, "truncated torn record at the end of the block log");
        }
        let node_cache = usize::try_from(options.node_cache_bytes).unwrap_or(usize::MAX);
        let inner = Arc::new(Inner {
            folder: folder.into(),
            log: Mutex::new(end),
            pending: Pending::new(options.queue),
            writer: Mutex::new(Writer { epoch, unsynced: 0, journal_full_for: 0 }),
            canonical: RwLock::new(range),
            kept: RwLock::new(kept),
            nodes: Shards::new(node_cache),
            blocks: Cache::new(BLOCK_CACHE),
            codes: Cache::new(CODE_CACHE),
            log_index: LogIndexFile::open(&folder.join(LOG_INDEX))?,
            pruning: Mutex::new(()),
            written_meanwhile: Mutex::new(None),
            stop: AtomicBool::new(false),
            damage: Mutex::new(None),
            options,
            state,
            _lock: lock,
        });
        let (wake, woken) = sync_channel(1);
        let thread = |name: &str, work: Box<dyn FnOnce(&Inner) + Send>| {
            let shared = Arc::clone(&inner);
            let started = thread::Builder::new().name(name.into()).spawn(move || work(&shared));
            started.map_err(DiskError::io("start a thread for", folder))
        };
        let pruner = thread("prune", Box::new(move |inner| keep_pruning(inner, &woken)))?;
        let writer = thread("write states", Box::new(move |inner| inner.run_writer(&wake)))?;
        Ok(Self { inner, writer: Some(writer), pruner: Some(pruner), torn, rebuilt })
    }

    /// Returns the incomplete record that was truncated when the log was opened.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Returns the corruption for which the state store was moved away on opening. The new one is
    /// rebuilt as the log is [replayed](Self::next_to_replay).
    pub const fn rebuilt(&self) -> Option<&Rebuilt> {
        self.rebuilt.as_ref()
    }

    /// Returns the corruption of the state store that was detected since it was opened. It is
    /// rebuilt the next time the chain is opened.
    pub fn damage(&self) -> Option<String> {
        self.inner.damage.lock().clone()
    }

    /// Returns the number of log records that the state store had not applied when it was opened,
    /// and has not applied since.
    pub fn behind(&self) -> usize {
        self.inner.log.lock().waiting.len()
    }

    /// Returns the number of commits that are queued for the state store; at most
    /// [`DiskOptions::queue`].
    pub fn queued(&self) -> usize {
        self.inner.pending.len()
    }

    /// Stops the state store from applying commits while the returned guard exists, so that commits
    /// queue up. Tests use it to create the files of a crash at that moment.
    pub fn hold(&self) -> StateGuard<'_> {
        self.inner.pending.hold();
        StateGuard(&self.inner)
    }

    /// Returns the canonical block with the highest number.
    pub fn head(&self) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.run("read the head", |inner| match inner.head_hash()? {
            Some(hash) => inner.read_block(&hash),
            None => Ok(None),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.inner.folder
    }

    pub(crate) fn state(&self) -> &State {
        &self.inner.state
    }

    /// Checks that the store has no chain yet.
    pub(crate) fn check_empty(&self) -> Result<(), DiskError> {
        match self.inner.range() {
            None => Ok(()),
            Some(range) => Err(DiskError::NotEmpty { path: self.inner.folder.clone(), range }),
        }
    }

    /// Returns the [stored mark](Self::set_mark).
    pub fn mark(&self) -> Result<Option<B256>, StoreError> {
        self.inner.run("read the mark", |inner| inner.state.hash(Meta::Mark))
    }

    /// Stores a hash that can be read after reopening the chain, for example the origin of its
    /// state.
    pub fn set_mark(&self, mark: B256) -> Result<(), StoreError> {
        self.inner.run("store the mark", |Inner { state, .. }| {
            let mut batch = state.batch();
            state.put_meta(&mut batch, Meta::Mark, mark.as_slice());
            state.commit(batch)?;
            state.sync()
        })
    }

    /// Returns the next block of the log that must be executed again. The state of its parent is
    /// available. The result must be passed to [`Self::replayed`]. `None` if the state store has
    /// applied the whole log.
    pub fn next_to_replay(&self) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.run("read the log", Inner::next_to_replay)
    }

    /// Applies the nodes and codes that result from executing the
    /// [next block](Self::next_to_replay) again. Everything else is in the log.
    pub fn replayed(&self, executed: Changes) -> Result<(), StoreError> {
        self.inner.run("apply the log", |inner| inner.replayed(executed))
    }

    /// Deletes the states outside the retention window now. Without this call, that happens in the
    /// background after commits.
    pub fn prune(&self) -> Result<(), StoreError> {
        self.inner.run("prune", |inner| {
            inner.pending.settle()?;
            inner.prune()
        })
    }

    /// Flushes the memtables of the state store into tables and merges the tables, so that pruned
    /// data takes no space. Without this call, that happens over time in the background.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.inner.run("compact", |inner| {
            inner.pending.settle()?;
            inner.state.compact()
        })
    }

    /// Returns the size of log and state store on disk, in bytes.
    pub fn disk_bytes(&self) -> Result<[u64; 2], StoreError> {
        ["blocks", "state"]
            .map(|part| folder_bytes(&self.inner.folder.join(part)))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map(|parts| [parts[0], parts[1]])
            .map_err(|error| error.during("measure the disk"))
    }
}

impl Inner {
    /// Runs an operation. A panic becomes an error, and corruption of the state store is recorded
    /// so that it is rebuilt on the next opening.
    fn run<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Self) -> Result<T, DiskError>,
    ) -> Result<T, StoreError> {
        guard(|| work(self)).map_err(|error| {
            self.record_damage(&error);
            error.during(operation)
        })
    }

    /// Records corruption of the state store for the next opening, if the error indicates any.
    pub(crate) fn record_damage(&self, error: &DiskError) {
        let mut damage = self.damage.lock();
        // A malformed item may come from the caller.
        let is_damage = error.is_state_damage() && !matches!(error, DiskError::Malformed { .. });
        if damage.is_none() && is_damage {
            let error = error.to_string();
            tracing::error!(%error, "state store is damaged, restart to rebuild it from the block log");
            note(&self.folder, &error);
            *damage = Some(error);
        }
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::Relaxed);
        // The writer exits after the queued commits, which closes the channel of the pruner.
        self.inner.pending.close();
        for thread in [self.writer.take(), self.pruner.take()].into_iter().flatten() {
            drop(thread.join());
        }
        if let Err(error) = self.flush() {
            tracing::error!(%error, "failed to flush chain on close");
        }
    }
}

fn keep_pruning(inner: &Inner, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = inner.run("prune", Inner::prune) {
            tracing::error!(%error, "failed to prune old states");
        }
    }
}

fn folder_bytes(folder: &Path) -> Result<u64, DiskError> {
    use std::os::unix::fs::MetadataExt;
    let fault = || DiskError::io("measure", folder);
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(fault())? {
        let entry = entry.map_err(fault())?;
        let Ok(metadata) = entry.metadata() else { continue };
        // Journal files are preallocated and longer than their content.
        bytes +=
            if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}

impl Store for DiskStore {
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        self.inner.run("read a node", |inner| inner.read_node(path, hash))
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError> {
        self.inner.run("read a code", |inner| inner.read_code(hash))
    }

    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.run("read a block", |inner| inner.read_block(hash))
    }

    fn first_number(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.inner.range().filter(|range| !range.is_empty()).map(|range| range.start))
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        self.inner.run("read a canonical hash", |inner| inner.read_canonical(number))
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError> {
        self.inner.run("read a location", |inner| inner.read_transaction(hash))
    }

    fn log_index(&self) -> Option<&dyn LogIndex> {
        Some(&self.inner.log_index)
    }

    fn scan_blocks(
        &self,
        prefix: u8,
        input: BloomInput<'_>,
        visit: &mut dyn FnMut(&Block),
    ) -> Result<bool, StoreError> {
        self.inner.run("scan blocks", |inner| inner.scan_blocks(prefix, input, visit))?;
        Ok(true)
    }

    fn preimages(&self) -> Result<Preimages, StoreError> {
        self.inner.run("read preimages", Inner::read_preimages)
    }

    fn witness(&self, block: &B256) -> Result<Option<OwnedWitness>, StoreError> {
        self.inner.run("read a witness", |inner| inner.read_witness(block))
    }

    fn everything(&self) -> Result<StoredNodes, StoreError> {
        self.inner.run("read all nodes", Inner::read_stored_nodes)
    }

    fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let done = self.inner.run("commit", |inner| Ok(inner.commit(changes)))?;
        if let Some(fault) = done.as_ref().err().and_then(|error| error.fault().downcast_ref()) {
            self.inner.record_damage(fault);
        }
        done
    }

    fn report(&self) -> Option<String> {
        if let Some(damage) = self.damage() {
            return Some(format!(
                "{damage}; restart to rebuild the state store from the block log"
            ));
        }
        let Rebuilt { reason, .. } = self.rebuilt()?;
        Some(format!("state store was rebuilt from the block log: {reason}"))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner.run("flush", Inner::flush)
    }
}

#[cfg(test)]
mod tests;
