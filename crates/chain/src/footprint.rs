//! Nodes and codes that a block read and wrote. The footprints of consecutive blocks suffice to
//! join them to a batch.

use crate::store::{Block, ExecutedBlock};
use crate::{BatchWithWitness, ChainError, ChainReader, record::WitnessRecorder, replay::follow};
use alloy_primitives::{B256, Bytes, map::B256Set};
use codec::OwnedWitness;
use keccak::keccak256_batch;
use std::sync::{Arc, OnceLock};

/// Nodes and codes that one block read and wrote.
#[derive(Debug, Clone)]
pub struct BlockFootprint {
    number: u64,
    witness: OwnedWitness,
    /// Hashes of the nodes and codes of the witness, in its order. Computed lazily by the thread
    /// that joins the first batch, so that the thread that seals blocks need not do it.
    hashes: OnceLock<(Vec<B256>, Vec<B256>)>,
    written_nodes: Vec<B256>,
    written_codes: Vec<B256>,
}

impl BlockFootprint {
    const fn new(
        number: u64,
        witness: OwnedWitness,
        written_nodes: Vec<B256>,
        written_codes: Vec<B256>,
    ) -> Self {
        Self { number, witness, hashes: OnceLock::new(), written_nodes, written_codes }
    }

    /// Returns the nodes and codes that a block with a recorded witness read and wrote.
    pub fn of(new: &ExecutedBlock) -> Self {
        let nodes = new.changes.nodes.iter().map(|(hash, _)| *hash).collect();
        let codes = new.changes.codes.iter().map(|(hash, _)| *hash).collect();
        Self::new(new.block.header.number, new.witness.clone(), nodes, codes)
    }

    fn hashes(&self) -> &(Vec<B256>, Vec<B256>) {
        self.hashes.get_or_init(|| {
            let hashed = |list: &[Bytes]| {
                let mut hashes = vec![B256::ZERO; list.len()];
                let items: Vec<&[u8]> = list.iter().map(AsRef::as_ref).collect();
                keccak256_batch(&items, &mut hashes);
                hashes
            };
            (hashed(&self.witness.state), hashed(&self.witness.codes))
        })
    }

    /// Returns the block number.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the witness of this block alone.
    pub const fn witness(&self) -> &OwnedWitness {
        &self.witness
    }

    /// Returns the numbers of nodes and codes that the block wrote.
    pub const fn written(&self) -> (usize, usize) {
        (self.written_nodes.len(), self.written_codes.len())
    }
}

impl ChainReader {
    /// Executes a block again to obtain its [`BlockFootprint`].
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the state before the block has been pruned, and for genesis, which has
    /// none.
    pub fn footprint_of(&self, block: &Block) -> Result<BlockFootprint, ChainError> {
        let parent = block.header.parent_hash;
        let state = self.state_before(block)?;
        let state = state.ok_or(ChainError::UnknownParent { block: block.hash, parent })?;
        let recording = WitnessRecorder::new(&state);
        let post = follow(&state, &recording, block, state.root())?;
        let number = block.header.number;
        Ok(BlockFootprint::new(number, recording.into_witness()?, post.nodes, post.codes))
    }

    /// Joins consecutive blocks of the chain to a batch without executing them: the witness is the
    /// union of their witnesses, without the items that earlier blocks of the batch wrote.
    ///
    /// Also returns the lengths of the nodes that a block loads after an earlier block of the batch
    /// has loaded or written them. EXECUTE counts each as
    /// [`UnderpricedWork::RepeatedNode`](executor::UnderpricedWork::RepeatedNode).
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the blocks are not consecutive, if there are none or too many, or if they
    /// are not all of the same fork.
    pub fn join(
        &self,
        blocks: Vec<(Arc<Block>, Arc<BlockFootprint>)>,
    ) -> Result<(BatchWithWitness, Vec<usize>), ChainError> {
        let (blocks, footprints): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
        let fork = self.fork_of_batch(&blocks)?;
        for pair in blocks.windows(2) {
            let [parent, child] = pair else { continue };
            let (block, got, expected) = (child.hash, child.header.parent_hash, parent.hash);
            if got != expected {
                return Err(ChainError::NoChild { block, got, expected });
            }
        }
        let mut joined = Union::default();
        for (index, footprint) in footprints.iter().enumerate() {
            joined.add(index, footprint);
        }
        let Union { mut witness, repeated, .. } = joined;
        witness.canonicalize();
        let chain_id = self.config().spec.chain_id();
        Ok((BatchWithWitness { blocks, fork, chain_id, witness }, repeated))
    }
}

/// A joined witness of multiple blocks under construction.
#[derive(Debug, Default)]
struct Union {
    witness: OwnedWitness,
    repeated: Vec<usize>,
    /// Hashes of the nodes and codes that the witness already contains or that earlier blocks
    /// wrote.
    nodes: B256Set,
    codes: B256Set,
}

impl Union {
    /// Adds the block at position `index` of the batch.
    fn add(&mut self, index: usize, footprint: &BlockFootprint) {
        let OwnedWitness { state, codes, headers } = &footprint.witness;
        let (node_hashes, code_hashes) = footprint.hashes();
        for (hash, node) in node_hashes.iter().zip(state) {
            if self.nodes.insert(*hash) {
                self.witness.state.push(node.clone());
            } else {
                self.repeated.push(node.len());
            }
        }
        for (hash, code) in code_hashes.iter().zip(codes) {
            if self.codes.insert(*hash) {
                self.witness.codes.push(code.clone());
            }
        }
        // The headers end with the block's parent. Those of blocks in the batch are omitted.
        let before = &headers[..headers.len().saturating_sub(index)];
        if before.len() > self.witness.headers.len() {
            self.witness.headers = before.to_vec();
        }
        self.nodes.extend(&footprint.written_nodes);
        self.codes.extend(&footprint.written_codes);
    }
}
