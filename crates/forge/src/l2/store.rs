//! Storage of blocks in the workspace.

use super::{
    abi::{IL2::Head, StoredBody, StoredState},
    draft::block_of,
};
use crate::{ForgeError, PROTOCOL, Workspace};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use alloy_sol_types::SolValue;
use chain::store::{Changes, MemoryStore, Store as _};
use chain::{Chain, ChainConfig};
use executor::ChainSpec;
use keccak::keccak256;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use wire::ProtocolFork;

/// A chain up to the requested block.
pub(super) struct Loaded {
    pub(super) chain: Chain,
    pub(super) chain_id: u64,
    pub(super) schema: u16,
    /// Number of blocks since the last one whose whole state is stored.
    pub(super) distance: u64,
    /// RLP of the headers of the head and its ancestors by number, as they are hashed.
    pub(super) headers: BTreeMap<u64, Bytes>,
}

impl Loaded {
    /// Returns the header of the head as it is hashed.
    pub(super) fn header(&self) -> Bytes {
        self.headers.values().next_back().cloned().unwrap_or_default()
    }
}

/// Loads the chain with head `hash`, under the rules of `fork` or of the head's fork.
pub(super) fn load(
    workspace: &Workspace,
    hash: B256,
    fork: Option<ProtocolFork>,
) -> Result<Loaded, ForgeError> {
    let mut states = Vec::new();
    let mut next = hash;
    loop {
        let path = workspace.block_path(&next, "block");
        let Some(content) = workspace.read(&path)? else {
            return Err(ForgeError::UnknownBlock(next));
        };
        let damaged = |what| ForgeError::Damaged { path: path.clone(), what };
        let state = StoredState::abi_decode(&content)
            .map_err(|_| damaged("its encoding is not that of a block"))?;
        if keccak256(&state.header) != next {
            return Err(damaged("the header has another hash"));
        }
        let block = block_of(&state.header, state.schema)
            .map_err(|_| damaged("the header cannot be decoded"))?;
        next = block.header.parent_hash;
        let whole = state.distance == 0;
        states.push((Arc::new(block), state));
        if whole {
            break;
        }
    }
    states.reverse();

    let (chain_id, schema, distance) =
        states.last().map_or((0, 0, 0), |(_, state)| (state.chainId, state.schema, state.distance));
    let mut changes = Changes::default();
    let mut headers = BTreeMap::new();
    let mut head = None;
    for (block, state) in states {
        for header in state.ancestors {
            let ancestor = block_of(&header, state.schema).map_err(|_| ForgeError::Damaged {
                path: workspace.block_path(&hash, "block"),
                what: "an ancestor cannot be decoded",
            })?;
            headers.insert(ancestor.header.number, header);
            // An ancestor is found by hash, like a node.
            changes.blocks.push(Arc::new(ancestor));
        }
        headers.insert(block.header.number, state.header);
        changes.blocks.push(Arc::clone(&block));
        head = Some(block);
        // Nodes are found by the hash of their content, independent of the hash in the file.
        changes.put_nodes(state.nodes);
        for code in state.codes {
            changes.put_code(code);
        }
    }
    let head = head.ok_or(ForgeError::UnknownBlock(hash))?;
    let fork = fork.map_or_else(|| super::fork_of(schema), Ok)?;
    let config = ChainConfig::new(ChainSpec::for_input(chain_id, fork));
    let store = MemoryStore::default();
    store.commit(changes)?;
    let chain = Chain::resume(config, Arc::new(store), head)?;
    Ok(Loaded { chain, chain_id, schema, distance, headers })
}

/// Stores a block.
pub(super) fn save(
    workspace: &Workspace,
    hash: &B256,
    state: &StoredState,
    body: &StoredBody,
) -> Result<(), ForgeError> {
    // The state is written last, because its file marks a block as known.
    workspace.write(&body_path(workspace, hash), &body.abi_encode())?;
    workspace.write(&workspace.block_path(hash, "block"), &state.abi_encode())
}

/// Returns the path of a block's body. Solidity reads the body, so the path depends on the
/// protocol.
fn body_path(workspace: &Workspace, hash: &B256) -> PathBuf {
    workspace.block_path(hash, &format!("body{PROTOCOL}"))
}

/// Returns the body of a block.
pub(super) fn body(workspace: &Workspace, hash: &B256) -> Result<StoredBody, ForgeError> {
    let path = body_path(workspace, hash);
    let content = workspace.read(&path)?.ok_or(ForgeError::UnknownBlock(*hash))?;
    StoredBody::abi_decode(&content).map_err(|_| ForgeError::Damaged {
        path,
        what: "its encoding is not that of a block's body",
    })
}

/// Builds the head of a block for Solidity.
pub(super) fn head(header: &Header, hash: B256, chain_id: u64, schema: u16) -> Head {
    Head {
        hash,
        parentHash: header.parent_hash,
        stateRoot: header.state_root,
        receiptsRoot: header.receipts_root,
        anchor: header.parent_beacon_block_root.unwrap_or_default(),
        feeRecipient: header.beneficiary,
        number: header.number,
        timestamp: header.timestamp,
        gasLimit: header.gas_limit,
        gasUsed: header.gas_used,
        baseFee: header.base_fee_per_gas.unwrap_or_default(),
        chainId: chain_id,
        schema,
    }
}
