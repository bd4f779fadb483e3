//! The witness of each real block in the test vectors, as it was published and as our recorder
//! makes it from the same state.

use alloy_consensus::Header;
use alloy_primitives::B256;
use alloy_rlp::Decodable as _;
use chain::{
    Chain, ChainConfig,
    store::{Block, Changes, MemoryStore, Store as _},
    to_stateless_input,
};
use codec::{OwnedWitness, RawBlock};
use execute::{Execute, Networks};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use testkit::vectors::blocks;

/// Returns the sizes by block, and their sums.
pub(super) fn figures() -> Result<Value> {
    let mut found = Map::new();
    let mut sums = [Sizes::default(); 2];
    for block in blocks("blocks", "sizes of witnesses of real blocks")? {
        let Some(spec) = ChainSpec::known(block.bundle.chain_id) else { continue };
        let raw = RawBlock::decode(&block.bundle.block)?;
        let ours =
            recorded(&raw, &block.bundle.witness, &spec).wrap_err_with(|| block.name.clone())?;
        // EXECUTE accepts the block with our witness alone.
        let calldata = to_stateless_input(&raw, &ours, &spec)?;
        let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
        ensure!(execute.run(&calldata, u64::MAX).is_ok(), "{}: refused", block.name);
        let both = [Sizes::of(&block.bundle.witness), Sizes::of(&ours)];
        for (sum, sizes) in sums.iter_mut().zip(&both) {
            sum.add(sizes);
        }
        let [published, ours] = both.map(|sizes| sizes.json());
        found.insert(block.name, json!({ "published": published, "ours": ours }));
    }
    let [published, ours] = sums.map(|sizes| sizes.json());
    Ok(json!({ "blocks": found, "sum": { "published": published, "ours": ours } }))
}

/// Executes a block on the state of a witness, and returns what it reads.
fn recorded(raw: &RawBlock, witness: &OwnedWitness, spec: &ChainSpec) -> Result<OwnedWitness> {
    let store = MemoryStore::default();
    let mut changes = Changes::default();
    changes.put_nodes(witness.state.clone());
    for code in &witness.codes {
        changes.put_code(code.clone());
    }
    store.commit(changes)?;
    let headers = witness.headers.iter().map(|header| Header::decode(&mut header.as_ref()));
    let headers = headers.collect::<Result<Vec<_>, _>>()?;
    let ancestors = headers.into_iter().map(|header| Arc::new(Block::from_header(header)));
    let config = ChainConfig::new(spec.clone());
    let chain = Chain::from_parts(ancestors, Arc::new(store), config)?;
    let chain = chain.ok_or_eyre("a witness without a header")?;
    let parent: B256 = raw.header.parent_hash;
    ensure!(chain.head().hash == parent, "the last header is not the parent's");
    Ok(chain.import(raw)?.witness)
}

/// Numbers and bytes of items.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    nodes: usize,
    node_bytes: usize,
    codes: usize,
    code_bytes: usize,
    headers: usize,
    header_bytes: usize,
}

impl Sizes {
    fn of(witness: &OwnedWitness) -> Self {
        let bytes = |items: &[alloy_primitives::Bytes]| items.iter().map(|item| item.len()).sum();
        Self {
            nodes: witness.state.len(),
            node_bytes: bytes(&witness.state),
            codes: witness.codes.len(),
            code_bytes: bytes(&witness.codes),
            headers: witness.headers.len(),
            header_bytes: bytes(&witness.headers),
        }
    }

    const fn add(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.node_bytes += other.node_bytes;
        self.codes += other.codes;
        self.code_bytes += other.code_bytes;
        self.headers += other.headers;
        self.header_bytes += other.header_bytes;
    }

    fn json(self) -> Value {
        let Self { nodes, node_bytes, codes, code_bytes, headers, header_bytes } = self;
        json!({
            "nodes": nodes, "node_bytes": node_bytes,
            "codes": codes, "code_bytes": code_bytes,
            "headers": headers, "header_bytes": header_bytes,
            "bytes": node_bytes + code_bytes + header_bytes,
        })
    }
}
