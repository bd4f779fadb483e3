//! The store: opening it, its threads, and its interface to a chain.

use crate::{
    DiskError, DiskOptions, Position, TornTail,
    cache::{Cache, Shards},
    canonical::Range,
    log::{BlockLog, Opened},
    pending::Pending,
    record::Record,
    state::{Meta, State},
};
use alloy_primitives::{B256, Bytes};
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
use store::{Block, Changes, Preimages, Store, StoreError, StoredNodes, TransactionLocation};
use trie::NodePath;

/// Time to wait for another holder of the chain to close it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of blocks and of codes that are kept ready.
const BLOCK_CACHE: usize = 64 << 20;
const CODE_CACHE: usize = 32 << 20;

/// A chain in a folder. Only one can have it open.
#[derive(Debug)]
pub struct DiskStore {
    inner: Arc<Inner>,
    /// Takes commits from the log into the state store.
    writer: Option<JoinHandle<()>>,
    /// Forgets old states.
    pruner: Option<JoinHandle<()>>,
    torn: Option<TornTail>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) folder: PathBuf,
    pub(crate) options: DiskOptions,
    /// Held during a commit. A holder of any lock below must not wait for it.
    pub(crate) log: Mutex<LogEnd>,
    /// Commits between log and state store.
    pub(crate) pending: Pending,
    /// Held by the writer of the state store.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) state: State,
    /// Numbers of the canonical blocks in the state store.
    pub(crate) canonical: RwLock<Option<Range>>,
    /// Hash of the chain's first block, and number of the oldest segment, once the log has begun.
    pub(crate) kept: RwLock<Option<(B256, u64)>>,
    pub(crate) nodes: Shards<Bytes>,
    pub(crate) blocks: Cache<Arc<Block>>,
    pub(crate) codes: Cache<Bytecode>,
    /// Held by the pruning thread.
    pub(crate) pruning: Mutex<()>,
    /// Keys of the nodes that were written during pruning and are unneeded.
    pub(crate) written_meanwhile: Mutex<Option<HashSet<Vec<u8>>>>,
    pub(crate) stop: AtomicBool,
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
    /// The first of them and where it ends, if it is a block that is to be executed.
    pub(crate) next: Option<(Position, Record)>,
}

/// State that only the writer of the state store needs.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The highest number of a block that was ever written.
    pub(crate) epoch: u64,
    /// Commits since the state store was synced.
    pub(crate) unsynced: u64,
    /// Number of commits since a journal of the state store became full.
    pub(crate) journal_full_for: u64,
}

/// Guard that keeps the state store unchanged while it exists.
#[derive(Debug)]
pub struct Held<'s>(&'s Inner);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.pending.release();
    }
}

impl DiskStore {
    /// Opens the chain in `folder`, or makes room for one.
    ///
    /// Afterwards blocks may [wait to be executed again](Self::next_to_replay); until that is done,
    /// nothing can be committed.
    pub fn open(folder: &Path, options: DiskOptions) -> Result<Self, DiskError> {
        fs::create_dir_all(folder).map_err(DiskError::io("create", folder))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(DiskError::io("create", &lock_path))?;
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // Another holder may be about to close it.
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
        let state = State::open(&folder.join("state"), options.cache_bytes)?;
        let (mut end, mut kept, mut torn) =
            (LogEnd { log: None, waiting: VecDeque::new(), next: None }, None, None);
        if let Some(genesis) = state.hash(Meta::Genesis)? {
            let blocks = folder.join("blocks");
            let opened = BlockLog::open(&blocks, genesis, options.segment_bytes, state.applied()?)?;
            let Opened { log, records, torn: cut } = opened;
            kept = Some((genesis, log.first()));
            (end.log, end.waiting, torn) = (Some(log), records, cut);
        }
        if let Some(TornTail { position, bytes }) = &torn {
            tracing::warn!(%position, bytes, "truncated torn record at the end of the block log");
        }
        let epoch = state.number(Meta::Epoch)?.unwrap_or_default();
        let node_cache = usize::try_from(options.node_cache_bytes).unwrap_or(usize::MAX);
        let inner = Arc::new(Inner {
            folder: folder.into(),
            log: Mutex::new(end),
            pending: Pending::new(options.queue),
            writer: Mutex::new(Writer { epoch, unsynced: 0, journal_full_for: 0 }),
            canonical: RwLock::new(state.range()?),
            kept: RwLock::new(kept),
            nodes: Shards::new(node_cache),
            blocks: Cache::new(BLOCK_CACHE),
            codes: Cache::new(CODE_CACHE),
            pruning: Mutex::new(()),
            written_meanwhile: Mutex::new(None),
            stop: AtomicBool::new(false),
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
        let writer = thread("write states", Box::new(move |inner| inner.keep_writing(&wake)))?;
        Ok(Self { inner, writer: Some(writer), pruner: Some(pruner), torn })
    }

    /// Returns the part that was cut off the end of the log when it was opened.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Number of log records that the state store had not applied when it was opened, and still has not.
    pub fn behind(&self) -> usize {
        self.inner.log.lock().waiting.len()
    }

    /// Number of commits in the log that wait to be applied to the state store; at most
    /// [`DiskOptions::queue`].
    pub fn queued(&self) -> usize {
        self.inner.pending.len()
    }

    /// Keeps the state store from applying commits while the returned guard exists, so that commits queue up.
    /// Tests use it to inspect the files of a crash at such a moment.
    pub fn hold(&self) -> Held<'_> {
        self.inner.pending.hold();
        Held(&self.inner)
    }

    /// The canonical block with the highest number.
    pub fn head(&self) -> Result<Option<Arc<Block>>, StoreError> {
        let head = || match self.inner.head_hash()? {
            Some(hash) => self.inner.read_block(&hash),
            None => Ok(None),
        };
        head().map_err(|error| error.during("read the head"))
    }

    /// Returns the [stored mark](Self::set_mark).
    pub fn mark(&self) -> Result<Option<B256>, StoreError> {
        self.inner.state.hash(Meta::Mark).map_err(|error| error.during("read the mark"))
    }

    /// Stores a mark for the next opener of the chain: for instance the origin of its state.
    pub fn set_mark(&self, mark: B256) -> Result<(), StoreError> {
        let set = || -> Result<_, DiskError> {
            let mut batch = self.inner.state.batch();
            self.inner.state.put_meta(&mut batch, Meta::Mark, mark.as_slice());
            batch.commit()?;
            self.inner.state.sync()
        };
        set().map_err(|error| error.during("leave a mark"))
    }

    /// Returns the next block of the log to execute again, on the state of its parent, which is present. The
    /// result must be passed to [`Self::replayed`]. `None` if the state store has applied the whole log.
    pub fn next_to_replay(&self) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.next_to_replay().map_err(|error| error.during("read the log"))
    }

    /// Applies the results of executing the [next block](Self::next_to_replay) again: its nodes and codes.
    /// Everything else is in the log.
    pub fn replayed(&self, executed: Changes) -> Result<(), StoreError> {
        self.inner.replayed(executed).map_err(|error| error.during("take in the log"))
    }

    /// Forgets the states that are older than those that are to be kept, now; otherwise that happens
    /// in the background, after commits.
    pub fn prune(&self) -> Result<(), StoreError> {
        let prune = || {
            self.inner.pending.settle()?;
            self.inner.prune()
        };
        prune().map_err(|error| error.during("prune"))
    }

    /// Writes the memory of the state store into its tables, and merges them: pruned data takes no space
    /// afterwards. In time this also happens without a call.
    pub fn compact(&self) -> Result<(), StoreError> {
        let compact = || {
            self.inner.pending.settle()?;
            self.inner.state.compact()
        };
        compact().map_err(|error| error.during("compact"))
    }

    /// Bytes that log and state store take on disk.
    pub fn disk_bytes(&self) -> Result<[u64; 2], StoreError> {
        ["blocks", "state"]
            .map(|part| folder_bytes(&self.inner.folder.join(part)))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map(|parts| [parts[0], parts[1]])
            .map_err(|error| error.during("measure the disk"))
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::Relaxed);
        // The writer takes in what waits, and ends; then the pruner is told of nothing more.
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
        if let Err(error) = inner.prune() {
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
        // Journals are made longer than what is in them.
        bytes +=
            if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}

impl Store for DiskStore {
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        self.inner.read_node(path, hash).map_err(|error| error.during("read a node"))
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError> {
        self.inner.read_code(hash).map_err(|error| error.during("read a code"))
    }

    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.read_block(hash).map_err(|error| error.during("read a block"))
    }

    fn first_number(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.inner.range().filter(|range| !range.is_empty()).map(|range| range.start))
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        self.inner.read_canonical(number).map_err(|error| error.during("read a canonical hash"))
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError> {
        self.inner.read_transaction(hash).map_err(|error| error.during("read a location"))
    }

    fn preimages(&self) -> Result<Preimages, StoreError> {
        self.inner.read_preimages().map_err(|error| error.during("read preimages"))
    }

    fn witness(&self, block: &B256) -> Result<Option<OwnedWitness>, StoreError> {
        self.inner.read_witness(block).map_err(|error| error.during("read a witness"))
    }

    fn everything(&self) -> Result<StoredNodes, StoreError> {
        self.inner.read_everything().map_err(|error| error.during("read everything"))
    }

    fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.inner.commit(changes)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush().map_err(|error| error.during("flush"))
    }
}

#[cfg(test)]
mod tests;
