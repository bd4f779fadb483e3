//! Export of snapshots.

use super::{
    ANCESTORS, END, MAGIC, SnapshotError, SnapshotHead,
    stream::Summed,
    walk::{Parts, StateWalk},
};
use alloy_primitives::{B256, Bytes};
use chain::ChainReader;
use chain::store::Block;
use core::cell::RefCell;
use std::io::Write;
use trie::{Nibbles, NodePath, TrieError};

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

/// Writes the state after a block, and everything that a chain needs to continue from there.
/// `first` is the hash of the chain's first block. Returns the number of nodes and codes.
///
/// # Errors
///
/// [`SnapshotError`] if the state has been pruned, or if reading or writing fails.
pub fn export(
    chain: &ChainReader,
    block: &Block,
    first: B256,
    out: impl Write,
) -> Result<u64, SnapshotError> {
    let mut ancestors = Vec::new();
    let mut parent = block.header.parent_hash;
    while ancestors.len() < ANCESTORS && ancestors.len() as u64 != block.header.number {
        let ancestor = chain.block(&parent)?;
        parent = ancestor.header.parent_hash;
        ancestors.push(ancestor.header.clone());
    }
    let chain_id = chain.config().spec.chain_id();
    let head = SnapshotHead { chain_id, first, header: block.header.clone(), ancestors };
    let mut out = Summed::new(out);
    let body = head.encode();
    out.put(&MAGIC)?;
    out.put(&(body.len() as u32).to_be_bytes())?;
    out.put(&body)?;
    let sum = out.sum();
    out.put(&sum.to_be_bytes())?;
    let export = Export { chain, out: RefCell::new(out) };
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
