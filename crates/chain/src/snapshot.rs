//! The state of one block as a file, from which a chain goes on without the blocks before it.
//!
//! ```text
//! "ENSHSNP" 0x01
//! length of the head     u32
//! head                   chain id (8), hash of the chain's first block (32), header, ancestors
//! CRC-32 of these        u32
//! length, node or code   u32, bytes: in the order of a walk from the state root
//! …
//! ff ff ff ff
//! number of records      u64
//! CRC-32 of all          u32
//! ```
//!
//! All integers are big endian. A walk meets each node before those below it. Behind the leaf of an account follow its
//! code, unless it was there before, and the nodes of its storage. So the reader knows the hash of each record before
//! it comes, and holds one path and no more.

use crate::{ChainConfig, ChainError, ChainReader, open::digest};
use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, keccak256, map::B256Set};
use alloy_rlp::Decodable as _;
use alloy_trie::TrieAccount;
use core::cell::RefCell;
use disk::{DiskError, DiskOptions, DiskStore, PlacedNode, Reader, Writer};
use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};
use store::{Block, CanonicalChange, Changes, Store as _, StoreError, Visitor, walk};
use trie::{Nibbles, NodePath, NodeSource, SourceError, TrieError};

const MAGIC: [u8; 8] = *b"ENSHSNP\x01";
/// Ancestors whose hashes BLOCKHASH gives.
const ANCESTORS: usize = 256;
/// Longest head: far more than 257 headers.
const MAX_HEAD: u32 = 1 << 20;
/// Longest node or code.
const MAX_RECORD: u32 = 1 << 20;
/// Length that no record has.
const END: u32 = u32::MAX;
/// Bytes of nodes and codes that are written to the store at once.
const BATCH_BYTES: usize = 1 << 20;

/// Reason for which a snapshot cannot be written or taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("snapshot: {0}")]
    Io(#[from] io::Error),
    /// The file ends early.
    #[error("snapshot ends within {0}")]
    Truncated(&'static str),
    /// The file is no snapshot, or one of another version.
    #[error("not a snapshot: it begins with {got}, expected {expected}", got = alloy_primitives::hex::encode(.0), expected = alloy_primitives::hex::encode(MAGIC))]
    NotASnapshot([u8; 8]),
    /// A part is longer than any may be.
    #[error("{what} of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The part.
        what: &'static str,
        /// Its length.
        got: u32,
        /// The greatest that is allowed.
        limit: u32,
    },
    /// A checksum does not hold.
    #[error("{what} of the snapshot: checksum {got:#010x}, expected {expected:#010x}")]
    Checksum {
        /// The part.
        what: &'static str,
        /// Checksum of the data.
        got: u32,
        /// Checksum in the file.
        expected: u32,
    },
    /// The file has more or fewer nodes and codes than the state, or bytes behind its end.
    #[error("snapshot has {0}")]
    Superfluous(&'static str),
    /// The head cannot be read.
    #[error("head of the snapshot: {0}")]
    Head(String),
    /// The snapshot is of another chain.
    #[error(
        "snapshot of chain {got_id} that begins with {got}, expected chain {expected_id} that begins with {expected}"
    )]
    OtherChain {
        /// Chain id of the snapshot.
        got_id: u64,
        /// Hash of its first block.
        got: B256,
        /// Chain id that is expected.
        expected_id: u64,
        /// Hash that is expected.
        expected: B256,
    },
    /// The block of the snapshot is not the one that L1 has taken.
    #[error("snapshot of block {number} with hash {got}, expected {expected}")]
    OtherBlock {
        /// Its number.
        number: u64,
        /// Its hash.
        got: B256,
        /// Hash of the block with that number that L1 has taken.
        expected: B256,
    },
    /// The chain has no such block.
    #[error("the chain has no block {0}")]
    NoBlock(u64),
    /// L1 has not taken a block with the snapshot's number.
    #[error("L1 has not taken block {0} of the snapshot")]
    NotTaken(u64),
    /// A node, a code or an ancestor is not the one that the state root or the header commits to.
    #[error("{what} of the snapshot hashes to {got}, expected {expected}")]
    Hash {
        /// Node, code or ancestor.
        what: &'static str,
        /// Hash of the bytes in the file.
        got: B256,
        /// Hash that is expected.
        expected: B256,
    },
    /// The state cannot be walked.
    #[error(transparent)]
    Trie(TrieError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Description of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHead {
    /// Chain id.
    pub chain_id: u64,
    /// Hash of the chain's first block.
    pub first: B256,
    /// Header of the block whose state it is.
    pub header: Header,
    /// Headers before it, the newest first: the 256 whose hashes BLOCKHASH gives.
    pub ancestors: Vec<Header>,
}

impl SnapshotHead {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.word(self.chain_id);
        out.raw(self.first.as_slice());
        out.string(&alloy_rlp::encode(&self.header));
        out.list(&self.ancestors, |out, header| out.string(&alloy_rlp::encode(header)));
        out.0
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        let head = Self::read(&Bytes::from(bytes));
        let head = head.map_err(|error| SnapshotError::Head(error.to_string()))?;
        head.check()?;
        Ok(head)
    }

    fn read(bytes: &Bytes) -> Result<Self, DiskError> {
        let mut from = Reader::new("head of a snapshot", bytes);
        let header = |from: &mut Reader<'_>| {
            let header = alloy_rlp::decode_exact::<Header>(&from.string()?);
            header.map_err(|error| DiskError::malformed("header", error))
        };
        let head = Self {
            chain_id: from.word()?,
            first: from.array()?.into(),
            header: header(&mut from)?,
            ancestors: from.list(header)?,
        };
        from.end()?;
        Ok(head)
    }

    /// Checks that the ancestors are those of the header, and all that BLOCKHASH may ask for.
    fn check(&self) -> Result<(), SnapshotError> {
        let expected = usize::try_from(self.header.number).unwrap_or(usize::MAX).min(ANCESTORS);
        if self.ancestors.len() != expected {
            let text = format!("{} ancestors, expected {expected}", self.ancestors.len());
            return Err(SnapshotError::Head(text));
        }
        let mut child = &self.header;
        for ancestor in &self.ancestors {
            let (got, expected) = (ancestor.hash_slow(), child.parent_hash);
            if got != expected {
                return Err(SnapshotError::Hash { what: "ancestor", got, expected });
            }
            child = ancestor;
        }
        Ok(())
    }
}

/// Receives or brings the parts of a state in the order of the walk.
trait Parts {
    fn node(&self, place: NodePath<'_>, hash: &B256) -> Result<Bytes, SnapshotError>;
    fn code(&self, hash: B256) -> Result<(), SnapshotError>;
}

/// A walk over all of a state.
struct StateWalk<'p, P> {
    parts: &'p P,
    codes: RefCell<B256Set>,
    /// The first fault, behind which nothing more is asked for.
    fault: RefCell<Option<SnapshotError>>,
}

impl<P: Parts> StateWalk<'_, P> {
    fn run(parts: &P, root: B256) -> Result<(), SnapshotError> {
        let walked = StateWalk { parts, codes: RefCell::default(), fault: RefCell::default() };
        let result = walk(&walked, None, root, &mut Accounts(&walked));
        match walked.fault.take() {
            Some(fault) => Err(fault),
            None => result.map_err(SnapshotError::Trie),
        }
    }

    fn account(&self, key: &B256, account: &TrieAccount) -> Result<(), SnapshotError> {
        let code = account.code_hash;
        if code != KECCAK256_EMPTY && self.codes.borrow_mut().insert(code) {
            self.parts.code(code)?;
        }
        walk(self, Some(key), account.storage_root, &mut Slots).map_err(SnapshotError::Trie)
    }
}

impl<P: Parts> NodeSource for StateWalk<'_, P> {
    type Bytes = Bytes;

    fn node(&self, place: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        let stopped = || SourceError::new("the walk has failed");
        if self.fault.borrow().is_some() {
            return Err(stopped());
        }
        self.parts.node(place, hash).map(Some).map_err(|fault| {
            *self.fault.borrow_mut() = Some(fault);
            stopped()
        })
    }
}

struct Accounts<'w, 'p, P>(&'w StateWalk<'p, P>);

impl<P: Parts> Visitor<Bytes> for Accounts<'_, '_, P> {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, key: &B256, mut value: &[u8]) {
        let account = TrieAccount::decode(&mut value);
        let account = account.map_err(|error| SnapshotError::Head(format!("account: {error}")));
        let done = account.and_then(|account| self.0.account(key, &account));
        if let Err(fault) = done {
            self.0.fault.borrow_mut().get_or_insert(fault);
        }
    }
}

struct Slots;

impl Visitor<Bytes> for Slots {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, _: &B256, _: &[u8]) {}
}

/// A stream with the checksum and number of what went through.
struct Summed<S> {
    stream: S,
    sum: crc32fast::Hasher,
    records: u64,
}

impl<S> Summed<S> {
    fn new(stream: S) -> Self {
        Self { stream, sum: crc32fast::Hasher::new(), records: 0 }
    }

    fn sum(&self) -> u32 {
        self.sum.clone().finalize()
    }
}

impl<W: Write> Summed<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.stream.write_all(bytes)
    }

    fn put_record(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if length > MAX_RECORD {
            return Err(SnapshotError::TooLong { what: "record", got: length, limit: MAX_RECORD });
        }
        self.put(&length.to_be_bytes())?;
        self.put(bytes)?;
        self.records += 1;
        Ok(())
    }
}

impl<R: Read> Summed<R> {
    fn take(&mut self, bytes: &mut [u8], what: &'static str) -> Result<(), SnapshotError> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SnapshotError::Truncated(what),
            _ => error.into(),
        })?;
        self.sum.update(bytes);
        Ok(())
    }

    fn take_u32(&mut self, what: &'static str) -> Result<u32, SnapshotError> {
        let mut bytes = [0; 4];
        self.take(&mut bytes, what)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn take_bytes(
        &mut self,
        what: &'static str,
        length: u32,
        limit: u32,
    ) -> Result<Vec<u8>, SnapshotError> {
        if length > limit {
            return Err(SnapshotError::TooLong { what, got: length, limit });
        }
        let mut bytes = vec![0; length as usize];
        self.take(&mut bytes, what)?;
        Ok(bytes)
    }

    fn take_record(&mut self, what: &'static str, hash: B256) -> Result<Bytes, SnapshotError> {
        let length = self.take_u32(what)?;
        if length == END {
            return Err(SnapshotError::Superfluous("fewer nodes and codes than the state"));
        }
        let bytes = self.take_bytes(what, length, MAX_RECORD)?;
        let got = keccak256(&bytes);
        if got != hash {
            return Err(SnapshotError::Hash { what, got, expected: hash });
        }
        self.records += 1;
        Ok(bytes.into())
    }

    /// Reads the end of the file, behind the last record.
    fn finish(&mut self) -> Result<(), SnapshotError> {
        if self.take_u32("its end")? != END {
            return Err(SnapshotError::Superfluous("more nodes and codes than the state"));
        }
        let mut count = [0; 8];
        self.take(&mut count, "its end")?;
        if u64::from_be_bytes(count) != self.records {
            return Err(SnapshotError::Superfluous("another number of records than it says"));
        }
        let got = self.sum();
        let expected = self.take_u32("its end")?;
        if got != expected {
            return Err(SnapshotError::Checksum { what: "content", got, expected });
        }
        match self.stream.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(SnapshotError::Superfluous("bytes behind its end")),
        }
    }
}

struct Export<'c, W> {
    chain: &'c ChainReader,
    out: RefCell<Summed<W>>,
}

impl<W: Write> Parts for Export<'_, W> {
    fn node(&self, place: NodePath<'_>, hash: &B256) -> Result<Bytes, SnapshotError> {
        let node = self.chain.store().node(place, hash)?.ok_or_else(|| {
            SnapshotError::Trie(TrieError::MissingNode { path: *place.nibbles, hash: *hash })
        })?;
        self.out.borrow_mut().put_record(&node)?;
        Ok(node)
    }

    fn code(&self, hash: B256) -> Result<(), SnapshotError> {
        let code = self.chain.store().code(&hash)?.ok_or_else(|| {
            SnapshotError::Trie(TrieError::MissingNode { path: Nibbles::new(), hash })
        })?;
        self.out.borrow_mut().put_record(&code.original_bytes())
    }
}

impl ChainReader {
    /// Writes the state after a block, and what a chain needs to go on from there. `first` is the hash of the chain's
    /// first block. Returns the number of nodes and codes.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the state is not kept, or cannot be read or written.
    pub fn export_snapshot(
        &self,
        block: &Block,
        first: B256,
        out: impl Write,
    ) -> Result<u64, SnapshotError> {
        let mut ancestors = Vec::new();
        let mut parent = block.header.parent_hash;
        while ancestors.len() < ANCESTORS && ancestors.len() as u64 != block.header.number {
            let ancestor = self.block(&parent)?;
            parent = ancestor.header.parent_hash;
            ancestors.push(ancestor.header.clone());
        }
        let chain_id = self.config().spec.chain_id();
        let head = SnapshotHead { chain_id, first, header: block.header.clone(), ancestors };
        let mut out = Summed::new(out);
        let body = head.encode();
        out.put(&MAGIC)?;
        out.put(&(body.len() as u32).to_be_bytes())?;
        out.put(&body)?;
        let sum = out.sum();
        out.put(&sum.to_be_bytes())?;
        let export = Export { chain: self, out: RefCell::new(out) };
        StateWalk::run(&export, block.header.state_root)?;
        let mut out = export.out.into_inner();
        let records = out.records;
        out.put(&END.to_be_bytes())?;
        out.put(&records.to_be_bytes())?;
        let sum = out.sum();
        out.put(&sum.to_be_bytes())?;
        out.stream.flush()?;
        Ok(records)
    }
}

/// A snapshot whose head was read and checked in itself.
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
    /// [`SnapshotError`] if it is no snapshot, or damaged.
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

    /// The head. Nothing says yet that L1 has taken its block.
    pub const fn head(&self) -> &SnapshotHead {
        &self.head
    }

    /// Makes a chain of the snapshot in `folder`, which has none. `expected` is the hash of the block with the
    /// snapshot's number that L1 has taken: each node and code is verified against its state root. Returns the number
    /// of nodes and codes. If it fails, what is in the folder is of no use.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the snapshot is of another block or chain, damaged or forged, or if it cannot be written.
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
    /// Writes what has come once it is enough.
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
