//! The state store: data that can be rebuilt from the log, indexed for fast reads.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `nodes` | owner, path, hash (see [`node_key`]) | epoch, RLP (see `value`) |
//! | `codes` | hash | code |
//! | `blocks` | hash | block with receipts |
//! | `records` | hash of a block | position in the log of the record with its witness |
//! | `canonical` | number | hash |
//! | `transactions` | hash | hash of the block, position in it |
//! | `preimages` | address; address and slot | nothing |
//! | `written` | epoch, hash | root of a state with nodes written in that epoch |
//! | `meta` | a name | see [`Meta`] |
//!
//! Each keyspace also contains the numbers of the last batches (see `stamps`).

use crate::{
    DiskError, Position,
    block::{bloom_of_block, decode_block},
    canonical::Range,
    contents, stamps,
    value::read_node,
};
use alloy_primitives::{Address, B256, Bloom, Bytes, U256, keccak256};
use chain::store::{Block, Preimages, TransactionLocation};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode,
    compaction::Leveled,
    config::{BlockSizePolicy, PinningPolicy},
};
use parking_lot::Mutex;
use std::{path::Path, sync::Arc};
use trie::{NodePath, NodeSource, SourceError};

/// Version of the layout of keys and values.
const LAYOUT: u64 = 3;
/// The previous layout, which has no stamps.
const WITHOUT_STAMPS: u64 = 2;

/// Metadata of the state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meta {
    /// Version of the layout of keys and values.
    Layout,
    /// Hash of the chain's first block. A store without it is treated as empty.
    Genesis,
    /// A hash stored for the creator of the chain.
    Mark,
    /// Position up to which the log has been applied.
    Applied,
    /// The highest block number written so far.
    Epoch,
    /// Number of the oldest block whose state is kept.
    Pruned,
    /// Number of the oldest segment of the log that is kept.
    Segment,
}

impl Meta {
    const fn key(self) -> &'static str {
        match self {
            Self::Layout => "layout",
            Self::Genesis => "genesis",
            Self::Mark => "mark",
            Self::Applied => "applied",
            Self::Epoch => "epoch",
            Self::Pruned => "pruned",
            Self::Segment => "segment",
        }
    }
}

/// The keyspaces of an open state store.
pub(crate) struct State {
    pub(crate) db: Database,
    pub(crate) nodes: Keyspace,
    pub(crate) codes: Keyspace,
    pub(crate) blocks: Keyspace,
    pub(crate) records: Keyspace,
    pub(crate) canonical: Keyspace,
    pub(crate) transactions: Keyspace,
    pub(crate) preimages: Keyspace,
    pub(crate) written: Keyspace,
    meta: Keyspace,
    /// Number of the last batch. Held while a batch is written, so that numbers have the order of
    /// batches.
    last_batch: Mutex<u64>,
}

impl State {
    /// Opens or creates the store in `folder`, with `cache` bytes for recently read items. An
    /// existing one must be [complete](stamps::check).
    pub(crate) fn open(folder: &Path, cache: u64) -> Result<Self, DiskError> {
        contents::check(folder)?;
        let db = Database::builder(folder)
            .cache_size(cache)
            // Opening the store reads all journals, so full ones should be removed early, usually
            // by `State::write_tables`.
            .max_journaling_size(96 << 20)
            .worker_threads(2)
            .open()?;
        let keyspace = |name: &str, memtable: u64| {
            db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(memtable))
        };
        // Nodes are looked up by references from other nodes, so most look-ups hit. With small
        // tables, compaction removes pruned nodes early.
        let nodes = db.keyspace("nodes", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(16 << 20)
                .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(16 << 20)))
                .expect_point_read_hits(true)
                .data_block_size_policy(BlockSizePolicy::all(4_096))
                .index_block_pinning_policy(PinningPolicy::all(true))
        })?;
        let mut state = Self {
            nodes,
            codes: keyspace("codes", 4 << 20)?,
            blocks: keyspace("blocks", 8 << 20)?,
            records: keyspace("records", 1 << 20)?,
            canonical: keyspace("canonical", 1 << 20)?,
            transactions: keyspace("transactions", 4 << 20)?,
            preimages: keyspace("preimages", 2 << 20)?,
            written: keyspace("written", 1 << 20)?,
            meta: keyspace("meta", 1 << 20)?,
            last_batch: Mutex::new(0),
            db,
        };
        state.check_layout(folder)?;
        *state.last_batch.get_mut() = stamps::check(&state.named())?;
        Ok(state)
    }

    /// Checks the layout version of the store, and writes it to an empty store.
    fn check_layout(&self, folder: &Path) -> Result<(), DiskError> {
        match self.number(Meta::Layout)? {
            Some(LAYOUT) => Ok(()),
            // The same layout without stamps, which are written from now on.
            Some(WITHOUT_STAMPS) => {
                let mut batch = self.batch();
                self.put_meta(&mut batch, Meta::Layout, &LAYOUT.to_be_bytes());
                self.commit(batch)
            }
            None if self.meta.is_empty()? => {
                let mut batch = self.batch();
                self.put_meta(&mut batch, Meta::Layout, &LAYOUT.to_be_bytes());
                self.put_meta(&mut batch, Meta::Segment, &0_u64.to_be_bytes());
                self.commit(batch)
            }
            got => {
                let (got, expected) = (got.unwrap_or(1), LAYOUT);
                Err(DiskError::OtherLayout { path: folder.into(), got, expected })
            }
        }
    }

    /// Creates a batch, which is atomic: after a crash, either all of it is present or nothing.
    pub(crate) fn batch(&self) -> OwnedWriteBatch {
        // Written to the operating system, so that the batch survives a crash of the process. After
        // a loss of power, it is rebuilt from the log.
        self.db.batch().durability(Some(PersistMode::Buffer))
    }

    /// Writes a batch, with its number in every keyspace.
    pub(crate) fn commit(&self, mut batch: OwnedWriteBatch) -> Result<(), DiskError> {
        let mut last = self.last_batch.lock();
        let number = *last + 1;
        stamps::put(&mut batch, &self.keyspaces(), number);
        batch.commit()?;
        *last = number;
        if stamps::wants_tables(number) {
            self.write_tables()?;
        }
        Ok(())
    }

    /// Syncs all batches so far to disk.
    pub(crate) fn sync(&self) -> Result<(), DiskError> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    /// Flushes the memtables into tables and merges the tables.
    pub(crate) fn compact(&self) -> Result<(), DiskError> {
        for keyspace in self.keyspaces() {
            keyspace.rotate_memtable_and_wait()?;
            keyspace.major_compact()?;
        }
        Ok(())
    }

    /// Returns `true` if there is a full journal. It is removed once all its content is in tables.
    pub(crate) fn has_full_journal(&self) -> bool {
        self.db.journal_count() > 1
    }

    /// Starts flushing the memtables into tables in the background.
    pub(crate) fn write_tables(&self) -> Result<(), DiskError> {
        for keyspace in self.keyspaces() {
            keyspace.rotate_memtable()?;
        }
        Ok(())
    }

    /// Returns all keyspaces with their names.
    const fn named(&self) -> [(&'static str, &Keyspace); 9] {
        [
            ("codes", &self.codes),
            ("blocks", &self.blocks),
            ("records", &self.records),
            ("canonical", &self.canonical),
            ("transactions", &self.transactions),
            ("preimages", &self.preimages),
            ("written", &self.written),
            ("meta", &self.meta),
            ("nodes", &self.nodes),
        ]
    }

    fn keyspaces(&self) -> [&Keyspace; 9] {
        self.named().map(|(_, keyspace)| keyspace)
    }

    fn meta<const N: usize>(&self, name: Meta) -> Result<Option<[u8; N]>, DiskError> {
        let Some(value) = self.meta.get(name.key())? else { return Ok(None) };
        let value = <[u8; N]>::try_from(&value[..]).map_err(|_| {
            let reason = format!("{} bytes, expected {N}", value.len());
            DiskError::malformed(name.key(), reason)
        })?;
        Ok(Some(value))
    }

    pub(crate) fn hash(&self, name: Meta) -> Result<Option<B256>, DiskError> {
        Ok(self.meta(name)?.map(B256::new))
    }

    pub(crate) fn number(&self, name: Meta) -> Result<Option<u64>, DiskError> {
        Ok(self.meta(name)?.map(u64::from_be_bytes))
    }

    /// Returns the position up to which the log has been applied.
    pub(crate) fn applied(&self) -> Result<Position, DiskError> {
        let value = self.meta::<16>(Meta::Applied)?;
        Ok(value.map_or(Position::start_of(0), |value| position_of(&value)))
    }

    pub(crate) fn put_meta(&self, batch: &mut OwnedWriteBatch, name: Meta, value: &[u8]) {
        batch.insert(&self.meta, name.key(), value);
    }

    /// Returns the epoch in which a node was written last, if the node is present.
    pub(crate) fn epoch(&self, place: NodePath<'_>, hash: &B256) -> Result<Option<u64>, DiskError> {
        Ok(self.node(place, hash)?.map(|(epoch, _)| epoch))
    }

    /// Returns a node and the epoch in which it was written last.
    pub(crate) fn node(
        &self,
        place: NodePath<'_>,
        hash: &B256,
    ) -> Result<Option<(u64, Bytes)>, DiskError> {
        let Some(value) = self.nodes.get(node_key(place, hash))? else { return Ok(None) };
        let (epoch, node) = read_node(&Bytes(value.into()))?;
        let got = keccak256(&node);
        if got != *hash {
            return Err(DiskError::Hash { what: "node", got, expected: *hash });
        }
        Ok(Some((epoch, node)))
    }

    /// Returns the numbers of the canonical blocks.
    pub(crate) fn range(&self) -> Result<Option<Range>, DiskError> {
        let number = |guard: fjall::Guard| -> Result<u64, DiskError> {
            let key = guard.key()?;
            let key = <[u8; 8]>::try_from(&key[..])
                .map_err(|_| DiskError::malformed("number of a block", "not eight bytes"))?;
            Ok(u64::from_be_bytes(key))
        };
        // The keys of stamps sort after every block number.
        let mut numbers = self.canonical.range(..[u8::MAX]);
        let first = numbers.next().map(number).transpose()?;
        let last = numbers.next_back().map(number).transpose()?.or(first);
        Ok(first.zip(last).map(|(first, last)| first..last.saturating_add(1)))
    }

    pub(crate) fn canonical_hash(&self, number: u64) -> Result<Option<B256>, DiskError> {
        let Some(value) = self.canonical.get(number.to_be_bytes())? else { return Ok(None) };
        let hash = B256::try_from(&value[..])
            .map_err(|_| DiskError::malformed("canonical hash", "not 32 bytes"))?;
        Ok(Some(hash))
    }

    /// Returns a block.
    pub(crate) fn block(&self, hash: &B256) -> Result<Option<Block>, DiskError> {
        let Some(value) = self.blocks.get(hash.as_slice())? else { return Ok(None) };
        let value = Bytes(value.into());
        let block = decode_block(&value)?;
        if block.hash != *hash {
            return Err(DiskError::Hash { what: "block", got: block.hash, expected: *hash });
        }
        Ok(Some(block))
    }

    /// Calls `visit` for the blocks whose hashes begin with this byte, if their bloom filters are
    /// wanted. The other blocks are not decoded.
    pub(crate) fn each_block(
        &self,
        prefix: u8,
        is_wanted: impl Fn(&Bloom) -> bool,
        mut visit: impl FnMut(Block),
    ) -> Result<(), DiskError> {
        for guard in self.blocks.prefix([prefix]) {
            let (key, value) = guard.into_inner()?;
            if stamps::is_stamp(&key) {
                continue;
            }
            let value = Bytes(value.into());
            if !is_wanted(&bloom_of_block(&value)?) {
                continue;
            }
            let block = decode_block(&value)?;
            let expected = B256::try_from(&key[..])
                .map_err(|_| DiskError::malformed("hash of a block", "not 32 bytes"))?;
            if block.hash != expected {
                return Err(DiskError::Hash { what: "block", got: block.hash, expected });
            }
            visit(block);
        }
        Ok(())
    }

    pub(crate) fn transaction(
        &self,
        hash: &B256,
    ) -> Result<Option<TransactionLocation>, DiskError> {
        let Some(value) = self.transactions.get(hash.as_slice())? else { return Ok(None) };
        let malformed = || DiskError::malformed("location of a transaction", "not 36 bytes");
        let (block, index) = value.split_at_checked(32).ok_or_else(malformed)?;
        let index = <[u8; 4]>::try_from(index).map_err(|_| malformed())?;
        let index = u32::from_be_bytes(index) as usize;
        Ok(Some(TransactionLocation { block: B256::from_slice(block), index }))
    }

    pub(crate) fn code(&self, hash: &B256) -> Result<Option<Bytes>, DiskError> {
        let Some(value) = self.codes.get(hash.as_slice())? else { return Ok(None) };
        let code = Bytes::copy_from_slice(&value);
        let got = keccak256(&code);
        if got != *hash {
            return Err(DiskError::Hash { what: "code", got, expected: *hash });
        }
        Ok(Some(code))
    }

    /// Returns the position in the log of the record of a block with its witness.
    pub(crate) fn record_of(&self, hash: &B256) -> Result<Option<Position>, DiskError> {
        let Some(value) = self.records.get(hash.as_slice())? else { return Ok(None) };
        let value = <[u8; 16]>::try_from(&value[..])
            .map_err(|_| DiskError::malformed("place of a record", "not 16 bytes"))?;
        Ok(Some(position_of(&value)))
    }

    pub(crate) fn preimages(&self) -> Result<Preimages, DiskError> {
        let mut preimages = Preimages::new();
        for guard in self.preimages.iter() {
            let key = guard.key()?;
            if stamps::is_stamp(&key) {
                continue;
            }
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

    /// Calls `visit` for all nodes with their hashes.
    pub(crate) fn each_node(&self, mut visit: impl FnMut(B256, Bytes)) -> Result<(), DiskError> {
        for guard in self.nodes.iter() {
            let (key, value) = guard.into_inner()?;
            if stamps::is_stamp(&key) {
                continue;
            }
            let hash = key.last_chunk::<32>().copied().map(B256::new);
            let hash = hash.ok_or_else(|| DiskError::malformed("key of a node", "no hash"))?;
            visit(hash, read_node(&Bytes(value.into()))?.1);
        }
        Ok(())
    }

    /// Calls `visit` for all codes with their hashes.
    pub(crate) fn each_code(&self, mut visit: impl FnMut(B256, Bytes)) -> Result<(), DiskError> {
        for guard in self.codes.iter() {
            let (key, value) = guard.into_inner()?;
            if stamps::is_stamp(&key) {
                continue;
            }
            let hash = B256::try_from(&key[..])
                .map_err(|_| DiskError::malformed("hash of a code", "not 32 bytes"))?;
            visit(hash, Bytes(value.into()));
        }
        Ok(())
    }
}

impl NodeSource for State {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        let node = Self::node(self, path, hash).map_err(SourceError::new)?;
        Ok(node.map(|(_, node)| node))
    }
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// Returns the key of a node: its trie, depth and path, and its hash, which distinguishes it from
/// other nodes at that location.
///
/// ```text
/// 0x00, or 0x01 and the owner's hash
/// nibbles of the path    u8
/// the path, two nibbles to a byte
/// hash
/// ```
///
/// Because the key contains the hash, nodes of different states and branches coexist at one
/// location, and a look-up is a single read, however old the state.
pub(crate) fn node_key(place: NodePath<'_>, hash: &B256) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + 32 + 1 + 8 + 32);
    match place.owner {
        None => key.push(0),
        Some(owner) => {
            key.push(1);
            key.extend_from_slice(owner.as_slice());
        }
    }
    // A path has at most 64 nibbles.
    key.push(u8::try_from(place.nibbles.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(&place.nibbles.pack());
    key.extend_from_slice(hash.as_slice());
    key
}

pub(crate) fn position_bytes(position: Position) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&position.segment.to_be_bytes());
    bytes[8..].copy_from_slice(&position.offset.to_be_bytes());
    bytes
}

pub(crate) fn position_of(bytes: &[u8; 16]) -> Position {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_be_bytes(word)
    };
    Position { segment: word(0), offset: word(8) }
}
