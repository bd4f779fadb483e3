//! The store: opening it, reading from it.

use crate::{
    DiskError, DiskOptions, Position, TornTail,
    block::decode_block,
    cache::Cache,
    canonical::Range,
    log::{BlockLog, Opened, read_record},
    record::Record,
    state::{Meta, State, position_of},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use parking_lot::{Mutex, RwLock};
use revm::bytecode::Bytecode;
use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};
use store::{Block, Changes, Preimages, Store, StoreError, StoredNodes, TransactionLocation};
use trie::{NodePath, NodeSource, SourceError};
use wire::OwnedWitness;

/// Bytes of blocks and of codes that are kept ready.
const BLOCK_CACHE: usize = 64 << 20;
const CODE_CACHE: usize = 32 << 20;

/// A chain in a folder. Only one can have it open.
#[derive(Debug)]
pub struct DiskStore {
    inner: Arc<Inner>,
    /// Tells the thread that forgets old states that there may be some.
    wake: Option<SyncSender<()>>,
    pruner: Option<JoinHandle<()>>,
    torn: Option<TornTail>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) folder: PathBuf,
    pub(crate) options: DiskOptions,
    pub(crate) state: State,
    pub(crate) writer: Mutex<Writer>,
    /// Numbers of the canonical blocks. Held while these move, so that nobody sees half of it.
    pub(crate) canonical: RwLock<Option<Range>>,
    pub(crate) blocks: Cache<Arc<Block>>,
    pub(crate) codes: Cache<Bytecode>,
    /// Held by who forgets old states.
    pub(crate) pruning: Mutex<()>,
    /// Keys of the nodes that were written since somebody began to look which are needed no more.
    pub(crate) written_meanwhile: Mutex<Option<HashSet<Vec<u8>>>>,
    pub(crate) stop: AtomicBool,
    /// Locked as long as the chain is open.
    _lock: File,
}

/// What only the one who writes needs.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The log, once the chain has a first block.
    pub(crate) log: Option<BlockLog>,
    /// Hash of that block.
    pub(crate) genesis: Option<B256>,
    /// Records that the state store has not taken in.
    pub(crate) waiting: VecDeque<Position>,
    /// The first of them, if it is a block that is to be executed.
    pub(crate) next: Option<(Position, Record)>,
    /// The highest number of a block that was ever written.
    pub(crate) epoch: u64,
    /// Commits since the state store was synced.
    pub(crate) unsynced: u64,
    /// Why nothing can be written any more.
    pub(crate) broken: Option<String>,
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
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DiskError::InUse { path: folder.into() },
            TryLockError::Error(error) => DiskError::io("lock", &lock_path)(error),
        })?;
        let state = State::open(&folder.join("state"), options.cache_bytes)?;
        let genesis = state.hash(Meta::Genesis)?;
        let (mut log, mut waiting, mut torn) = (None, VecDeque::new(), None);
        if let Some(genesis) = genesis {
            let blocks = folder.join("blocks");
            let opened = BlockLog::open(&blocks, genesis, options.segment_bytes, state.applied()?)?;
            let Opened { log: open, records, torn: cut } = opened;
            (log, waiting, torn) = (Some(open), records, cut);
        }
        if let Some(TornTail { position, bytes }) = &torn {
            tracing::warn!(%position, bytes, "cut off the end of the block log: it was torn");
        }
        let epoch = state.number(Meta::Epoch)?.unwrap_or_default();
        let canonical = RwLock::new(canonical_range(&state)?);
        let writer = Writer { log, genesis, waiting, next: None, epoch, unsynced: 0, broken: None };
        let inner = Arc::new(Inner {
            folder: folder.into(),
            options,
            state,
            writer: Mutex::new(writer),
            canonical,
            blocks: Cache::new(BLOCK_CACHE),
            codes: Cache::new(CODE_CACHE),
            pruning: Mutex::new(()),
            written_meanwhile: Mutex::new(None),
            stop: AtomicBool::new(false),
            _lock: lock,
        });
        let (wake, woken) = sync_channel(1);
        let shared = Arc::clone(&inner);
        let pruner = thread::Builder::new()
            .name("prune".into())
            .spawn(move || keep_pruning(&shared, &woken))
            .map_err(DiskError::io("start a thread for", folder))?;
        Ok(Self { inner, wake: Some(wake), pruner: Some(pruner), torn })
    }

    /// What was cut off the end of the log when it was opened.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// How many records of the log the state store has not taken in.
    pub fn behind(&self) -> usize {
        self.inner.writer.lock().waiting.len()
    }

    /// The canonical block with the highest number.
    pub fn head(&self) -> Result<Option<Arc<Block>>, StoreError> {
        let head = || -> Result<_, DiskError> {
            let range = self.inner.canonical.read();
            let Some(number) = range.as_ref().and_then(|range| range.end.checked_sub(1)) else {
                return Ok(None);
            };
            let Some(hash) = self.inner.read_canonical(number)? else { return Ok(None) };
            self.inner.read_block(&hash)
        };
        head().map_err(|error| error.during("read the head"))
    }

    /// The word that was [left here](Self::set_mark).
    pub fn mark(&self) -> Result<Option<B256>, StoreError> {
        self.inner.state.hash(Meta::Mark).map_err(|error| error.during("read the mark"))
    }

    /// Leaves a word for who opens the chain next: what it was made from, for instance.
    pub fn set_mark(&self, mark: B256) -> Result<(), StoreError> {
        let set = || -> Result<_, DiskError> {
            let mut batch = self.inner.state.batch();
            self.inner.state.put_meta(&mut batch, Meta::Mark, mark.as_slice());
            batch.commit()?;
            self.inner.state.sync()
        };
        set().map_err(|error| error.during("leave a mark"))
    }

    /// The next block of the log that has to be executed again, on the state of its parent, which is
    /// there. What comes of it is handed to [`Self::replayed`]. `None` if the state store has taken in
    /// all of the log.
    pub fn next_to_replay(&self) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.next_to_replay().map_err(|error| error.during("read the log"))
    }

    /// Takes in what executing the [next block](Self::next_to_replay) again has given: its nodes and
    /// codes. All else is in the log.
    pub fn replayed(&self, executed: Changes) -> Result<(), StoreError> {
        self.inner.replayed(executed).map_err(|error| error.during("take in the log"))
    }

    /// Forgets the states that are older than those that are to be kept, now; otherwise that happens
    /// in the background, after commits.
    pub fn prune(&self) -> Result<(), StoreError> {
        self.inner.prune().map_err(|error| error.during("prune"))
    }

    /// Writes what the state store holds in memory into its tables, and merges these: what was pruned
    /// takes no space afterwards. That happens by itself in time.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.inner.state.compact().map_err(|error| error.during("compact"))
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
        drop(self.wake.take());
        if let Some(pruner) = self.pruner.take() {
            drop(pruner.join());
        }
        if let Err(error) = self.flush() {
            tracing::error!(%error, "the chain was closed and not flushed");
        }
    }
}

fn keep_pruning(inner: &Inner, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = inner.prune() {
            tracing::error!(%error, "old states stay: pruning has failed");
        }
    }
}

fn canonical_range(state: &State) -> Result<Option<Range>, DiskError> {
    let number = |guard: fjall::Guard| -> Result<u64, DiskError> {
        let key = guard.key()?;
        let key = <[u8; 8]>::try_from(&key[..])
            .map_err(|_| DiskError::malformed("number of a block", "not eight bytes"))?;
        Ok(u64::from_be_bytes(key))
    };
    let first = state.canonical.first_key_value().map(number).transpose()?;
    let last = state.canonical.last_key_value().map(number).transpose()?;
    Ok(first.zip(last).map(|(first, last)| first..last.saturating_add(1)))
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

impl Inner {
    pub(crate) fn read_canonical(&self, number: u64) -> Result<Option<B256>, DiskError> {
        let Some(value) = self.state.canonical.get(number.to_be_bytes())? else { return Ok(None) };
        let hash = B256::try_from(&value[..])
            .map_err(|_| DiskError::malformed("canonical hash", "not 32 bytes"))?;
        Ok(Some(hash))
    }

    pub(crate) fn read_block(&self, hash: &B256) -> Result<Option<Arc<Block>>, DiskError> {
        if let Some(block) = self.blocks.get(hash) {
            return Ok(Some(block));
        }
        let Some(value) = self.state.blocks.get(hash.as_slice())? else { return Ok(None) };
        let value = Bytes(value.into());
        let block = Arc::new(decode_block(&value)?);
        if block.hash != *hash {
            return Err(DiskError::Hash { what: "block", got: block.hash, expected: *hash });
        }
        self.blocks.put(*hash, Arc::clone(&block), value.len());
        Ok(Some(block))
    }

    pub(crate) fn read_transaction(
        &self,
        hash: &B256,
    ) -> Result<Option<TransactionLocation>, DiskError> {
        let Some(value) = self.state.transactions.get(hash.as_slice())? else { return Ok(None) };
        let malformed = || DiskError::malformed("location of a transaction", "not 36 bytes");
        let (block, index) = value.split_at_checked(32).ok_or_else(malformed)?;
        let index = <[u8; 4]>::try_from(index).map_err(|_| malformed())?;
        let index = u32::from_be_bytes(index) as usize;
        Ok(Some(TransactionLocation { block: B256::from_slice(block), index }))
    }

    fn read_code(&self, hash: &B256) -> Result<Option<Bytecode>, DiskError> {
        if let Some(code) = self.codes.get(hash) {
            return Ok(Some(code));
        }
        let Some(value) = self.state.codes.get(hash.as_slice())? else { return Ok(None) };
        let code = Bytes::copy_from_slice(&value);
        let got = keccak256(&code);
        if got != *hash {
            return Err(DiskError::Hash { what: "code", got, expected: *hash });
        }
        let bytes = code.len();
        let mut changes = Changes::default();
        changes.put_code(code);
        let code = changes.codes.pop().map(|(_, code)| code);
        if let Some(code) = &code {
            self.codes.put(*hash, code.clone(), bytes);
        }
        Ok(code)
    }

    fn read_witness(&self, hash: &B256) -> Result<Option<OwnedWitness>, DiskError> {
        let Some(position) = self.record_of(hash)? else { return Ok(None) };
        let (genesis, first) = {
            let writer = self.writer.lock();
            let Some((genesis, log)) = writer.genesis.zip(writer.log.as_ref()) else {
                return Ok(None);
            };
            (genesis, log.first())
        };
        if position.segment < first {
            return Ok(None);
        }
        let folder = self.folder.join("blocks");
        let body = Bytes::from(read_record(&folder, genesis, position)?);
        Record::decode_witness(&body)
    }

    /// Where the record of a block with its witness stands in the log.
    pub(crate) fn record_of(&self, hash: &B256) -> Result<Option<Position>, DiskError> {
        let Some(value) = self.state.records.get(hash.as_slice())? else { return Ok(None) };
        let value = <[u8; 16]>::try_from(&value[..])
            .map_err(|_| DiskError::malformed("place of a record", "not 16 bytes"))?;
        Ok(Some(position_of(&value)))
    }

    fn read_preimages(&self) -> Result<Preimages, DiskError> {
        let mut preimages = Preimages::new();
        for guard in self.state.preimages.iter() {
            let key = guard.key()?;
            let malformed = || DiskError::malformed("preimage", "neither address nor slot");
            let (address, slot) = key.split_at_checked(20).ok_or_else(malformed)?;
            let slots = preimages.entry(Address::from_slice(address)).or_default();
            if !slot.is_empty() {
                let slot = <[u8; 32]>::try_from(slot).map_err(|_| malformed())?;
                slots.insert(U256::from_be_bytes(slot));
            }
        }
        Ok(preimages)
    }

    fn read_everything(&self) -> Result<StoredNodes, DiskError> {
        let mut all = StoredNodes::default();
        for guard in self.state.nodes.iter() {
            let value = Bytes(guard.value()?.into());
            all.nodes.push(value.slice(value.len().min(8)..));
        }
        for guard in self.state.codes.iter() {
            all.codes.push(Bytes(guard.value()?.into()));
        }
        Ok(all)
    }
}

impl NodeSource for Inner {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        let node = self.state.node(path, hash).map_err(SourceError::new)?;
        Ok(node.map(|(_, node)| node))
    }
}

impl Store for DiskStore {
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        let node = self.inner.state.node(path, hash);
        node.map(|node| node.map(|(_, node)| node)).map_err(|error| error.during("read a node"))
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError> {
        self.inner.read_code(hash).map_err(|error| error.during("read a code"))
    }

    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError> {
        self.inner.read_block(hash).map_err(|error| error.during("read a block"))
    }

    fn first_number(&self) -> Result<Option<u64>, StoreError> {
        let range = self.inner.canonical.read();
        Ok(range.as_ref().filter(|range| !range.is_empty()).map(|range| range.start))
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        let range = self.inner.canonical.read();
        if !range.as_ref().is_some_and(|range| range.contains(&number)) {
            return Ok(None);
        }
        self.inner.read_canonical(number).map_err(|error| error.during("read a canonical hash"))
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError> {
        let _still = self.inner.canonical.read();
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
        self.inner.commit(changes)?;
        // It is told already if that fails.
        if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush().map_err(|error| error.during("flush"))
    }
}

#[cfg(test)]
mod tests;
