//! Reads: from the queued commits first, then from the cache, then from the state store.

use crate::{
    DiskError, Position, canonical::Range, disk_store::Inner, log::read_record, record::Record,
};
use alloy_primitives::{B256, Bloom, BloomInput, Bytes, map::B256Set};
use chain::store::{Block, Changes, Preimages, StoredNodes, TransactionLocation};
use codec::OwnedWitness;
use revm::bytecode::Bytecode;
use std::sync::Arc;
use trie::{NodePath, NodeSource, SourceError};

impl Inner {
    pub(crate) fn read_node(
        &self,
        place: NodePath<'_>,
        hash: &B256,
    ) -> Result<Option<Bytes>, DiskError> {
        if let Some(node) = self.pending.contents().node(hash) {
            return Ok(Some(node));
        }
        if let Some(node) = self.nodes.get(hash) {
            return Ok(Some(node));
        }
        let node = self.state.node(place, hash)?.map(|(_, node)| node);
        if let Some(node) = &node {
            // Copied, because the slice returned by the state store would keep a whole table block
            // in memory.
            self.nodes.put(*hash, Bytes::copy_from_slice(node), node.len());
        }
        Ok(node)
    }

    /// Returns the numbers of the canonical blocks.
    pub(crate) fn range(&self) -> Option<Range> {
        let moved = self.pending.contents().range();
        moved.or_else(|| self.canonical.read().clone())
    }

    /// Returns the hash of the canonical block with the highest number.
    pub(crate) fn head_hash(&self) -> Result<Option<B256>, DiskError> {
        // The canonical chain does not change while this lock is held.
        let found = self.pending.contents();
        let range = found.range().or_else(|| self.canonical.read().clone());
        let Some(number) = range.and_then(|range| range.end.checked_sub(1)) else {
            return Ok(None);
        };
        found.canonical_hash(number).map_or_else(|| self.state.canonical_hash(number), Ok)
    }

    pub(crate) fn read_canonical(&self, number: u64) -> Result<Option<B256>, DiskError> {
        let found = self.pending.contents();
        let range = found.range().or_else(|| self.canonical.read().clone());
        if !range.is_some_and(|range| range.contains(&number)) {
            return Ok(None);
        }
        found.canonical_hash(number).map_or_else(|| self.state.canonical_hash(number), Ok)
    }

    pub(crate) fn read_transaction(
        &self,
        hash: &B256,
    ) -> Result<Option<TransactionLocation>, DiskError> {
        let found = self.pending.contents();
        found.transaction(hash).map_or_else(|| self.state.transaction(hash), Ok)
    }

    pub(crate) fn read_block(&self, hash: &B256) -> Result<Option<Arc<Block>>, DiskError> {
        if let Some(block) = self.pending.contents().block(hash) {
            return Ok(Some(block));
        }
        if let Some(block) = self.blocks.get(hash) {
            return Ok(Some(block));
        }
        let Some(block) = self.state.block(hash)?.map(Arc::new) else { return Ok(None) };
        // `offer` does not overwrite a block that a commit has replaced meanwhile.
        self.blocks.offer(*hash, Arc::clone(&block), block.memory());
        Ok(Some(block))
    }

    pub(crate) fn scan_blocks(
        &self,
        prefix: u8,
        input: BloomInput<'_>,
        visit: &mut dyn FnMut(&Block),
    ) -> Result<(), DiskError> {
        let mut visit = |block: &Block| {
            if block.header.logs_bloom.contains_input(input) {
                visit(block);
            }
        };
        // In this order, a commit that is applied in the meantime is found twice; in the other
        // order, it could be missed.
        for commit in self.pending.commits() {
            let blocks = commit.blocks.iter().filter(|(hash, _)| hash[0] == prefix);
            blocks.for_each(|(_, block)| visit(block));
        }
        let is_wanted = |bloom: &Bloom| bloom.contains_input(input);
        self.state.each_block(prefix, is_wanted, |block| visit(&block))
    }

    pub(crate) fn has_block(&self, hash: &B256) -> Result<bool, DiskError> {
        let waits = self.pending.contents().block(hash).is_some();
        Ok(waits || self.state.blocks.contains_key(hash.as_slice())?)
    }

    pub(crate) fn read_code(&self, hash: &B256) -> Result<Option<Bytecode>, DiskError> {
        if let Some(code) = self.pending.contents().code(hash) {
            return Ok(Some(code));
        }
        if let Some(code) = self.codes.get(hash) {
            return Ok(Some(code));
        }
        let Some(code) = self.state.code(hash)? else { return Ok(None) };
        let bytes = code.len();
        let mut changes = Changes::default();
        changes.put_code(code);
        let code = changes.codes.pop().map(|(_, code)| code);
        if let Some(code) = &code {
            self.codes.put(*hash, code.clone(), bytes);
        }
        Ok(code)
    }

    pub(crate) fn read_witness(&self, hash: &B256) -> Result<Option<OwnedWitness>, DiskError> {
        let Some(position) = self.record_of(hash)? else { return Ok(None) };
        let retained = || self.kept.read().filter(|(_, first)| position.segment >= *first);
        let Some((genesis, _)) = retained() else { return Ok(None) };
        match read_record(&self.folder.join("blocks"), genesis, position) {
            Ok(body) => Record::decode_witness(&Bytes::from(body)),
            // The segment may have been removed meanwhile.
            Err(_) if retained().is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the position in the log of the record of a block with its witness.
    fn record_of(&self, hash: &B256) -> Result<Option<Position>, DiskError> {
        let waits = self.pending.contents().record(hash);
        waits.map_or_else(|| self.state.record_of(hash), |position| Ok(Some(position)))
    }

    pub(crate) fn read_preimages(&self) -> Result<Preimages, DiskError> {
        // In this order, a commit that is applied in the meantime is found twice; in the other
        // order, it could be missed.
        let waiting = self.pending.commits();
        let mut preimages = self.state.preimages()?;
        for (address, slots) in waiting.iter().flat_map(|commit| &commit.changes.preimages) {
            preimages.entry(*address).or_default().extend(slots);
        }
        Ok(preimages)
    }

    pub(crate) fn read_stored_nodes(&self) -> Result<StoredNodes, DiskError> {
        let (nodes, codes) = {
            let found = self.pending.contents();
            (found.nodes(), found.codes())
        };
        let (mut all, mut seen) = (StoredNodes::default(), B256Set::default());
        self.state.each_node(|hash, node| {
            if nodes.contains_key(&hash) {
                seen.insert(hash);
            }
            all.nodes.push(node);
        })?;
        self.state.each_code(|hash, code| {
            if codes.contains_key(&hash) {
                seen.insert(hash);
            }
            all.codes.push(code);
        })?;
        let new = |(hash, bytes)| (!seen.contains(&hash)).then_some(bytes);
        all.nodes.extend(nodes.into_iter().filter_map(new));
        all.codes.extend(codes.into_iter().filter_map(new));
        Ok(all)
    }
}

impl NodeSource for Inner {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        self.read_node(path, hash).map_err(SourceError::new)
    }
}
