//! Import of snapshots.

use super::{
    MAGIC, SnapshotError, SnapshotHead,
    stream::Summed,
    walk::{Parts, StateWalk},
};
use crate::{DiskOptions, DiskStore, PlacedNode, open::digest};
use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Bytes};
use chain::ChainConfig;
use chain::store::{Block, CanonicalChange, Changes, Store as _, StoreError};
use core::cell::RefCell;
use std::{io::Read, path::Path, sync::Arc};
use trie::NodePath;

/// Maximum length of the head in bytes: far more than 257 headers.
const MAX_HEAD: u32 = 1 << 20;
/// Number of bytes of nodes and codes after which they are written to the store.
const BATCH_BYTES: usize = 1 << 20;

/// A snapshot whose head has been read and checked for consistency.
pub struct Snapshot<R> {
    input: Summed<R>,
    head: SnapshotHead,
}

impl<R> core::fmt::Debug for Snapshot<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Snapshot").field("head", &self.head).finish_non_exhaustive()
    }
}

impl<R: Read> Snapshot<R> {
    /// Reads the head of a snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the input is not a snapshot, or corrupted.
    pub fn open(input: R) -> Result<Self, SnapshotError> {
        let mut input = Summed::new(input);
        let mut magic = [0; 8];
        input.take(&mut magic, "its head")?;
        if magic != MAGIC {
            return Err(SnapshotError::NotASnapshot(magic));
        }
        let length = input.take_u32("its head")?;
        let body = input.take_bytes("head", length, MAX_HEAD)?;
        let got = input.sum();
        let expected = input.take_u32("its head")?;
        if got != expected {
            return Err(SnapshotError::Checksum { what: "head", got, expected });
        }
        Ok(Self { head: SnapshotHead::decode(body)?, input })
    }

    /// Returns the head of the snapshot. It has not been compared with L1 yet.
    pub const fn head(&self) -> &SnapshotHead {
        &self.head
    }

    /// Creates a chain from the snapshot in `folder`, which must not have one. `expected` is the
    /// hash of the block with the snapshot's number on L1; each node and code is verified against
    /// its state root. Returns the number of nodes and codes. After a failure, the content of the
    /// directory is unusable.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the snapshot is corrupted, forged or of another block or chain, or if
    /// it cannot be written.
    pub fn import(
        self,
        folder: &Path,
        genesis: &Genesis,
        first: B256,
        config: &ChainConfig,
        expected: B256,
    ) -> Result<u64, SnapshotError> {
        let Self { input, head } = self;
        let expected_id = config.spec.chain_id();
        if (head.chain_id, head.first) != (expected_id, first) {
            let (got_id, got) = (head.chain_id, head.first);
            return Err(SnapshotError::OtherChain { got_id, got, expected_id, expected: first });
        }
        let (number, got) = (head.header.number, head.header.hash_slow());
        if got != expected {
            return Err(SnapshotError::OtherBlock { number, got, expected });
        }
        let store = DiskStore::open(folder, DiskOptions::default())
            .map_err(|fault| StoreError::new("open the chain", fault))?;
        store.begin_restore()?;
        let root = head.header.state_root;
        let import = Import {
            store: &store,
            number,
            state: RefCell::new(ImportState {
                input,
                nodes: Vec::new(),
                codes: Vec::new(),
                bytes: 0,
            }),
        };
        StateWalk::run(&import, root)?;
        let records = import.finish()?;
        let block = |header: Header| Arc::new(Block::from_header(header));
        let newest = block(head.header);
        let mut blocks: Vec<_> = head.ancestors.into_iter().map(block).collect();
        blocks.push(Arc::clone(&newest));
        let canonical = Some(CanonicalChange { from: number, blocks: vec![newest] });
        store.commit(Changes { blocks, canonical, ..Changes::default() })?;
        store.set_mark(digest(genesis, &config.spec))?;
        store.flush()?;
        Ok(records)
    }
}

struct Import<'s, R> {
    store: &'s DiskStore,
    number: u64,
    state: RefCell<ImportState<R>>,
}

struct ImportState<R> {
    input: Summed<R>,
    nodes: Vec<PlacedNode>,
    codes: Vec<(B256, Bytes)>,
    bytes: usize,
}

impl<R> Import<'_, R> {
    /// Writes the collected nodes and codes if they have more than `limit` bytes.
    fn write(&self, state: &mut ImportState<R>, limit: usize) -> Result<(), SnapshotError> {
        if state.bytes >= limit {
            self.store.restore(self.number, &state.nodes, &state.codes)?;
            state.nodes.clear();
            state.codes.clear();
            state.bytes = 0;
        }
        Ok(())
    }
}

impl<R: Read> Import<'_, R> {
    fn finish(self) -> Result<u64, SnapshotError> {
        let mut state = self.state.borrow_mut();
        state.input.finish()?;
        self.write(&mut state, 0)?;
        Ok(state.input.records)
    }
}

impl<R: Read> Parts for Import<'_, R> {
    fn node(&self, place: NodePath<'_>, hash: &B256) -> Result<Bytes, SnapshotError> {
        let mut state = self.state.borrow_mut();
        let node = state.input.take_record("node", *hash)?;
        let (owner, path) = (place.owner.copied(), *place.nibbles);
        state.bytes += node.len();
        state.nodes.push(PlacedNode { owner, path, hash: *hash, node: node.clone() });
        self.write(&mut state, BATCH_BYTES)?;
        Ok(node)
    }

    fn code(&self, hash: B256) -> Result<(), SnapshotError> {
        let mut state = self.state.borrow_mut();
        let code = state.input.take_record("code", hash)?;
        state.bytes += code.len();
        state.codes.push((hash, code));
        self.write(&mut state, BATCH_BYTES)
    }
}
