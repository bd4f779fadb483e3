//! Conversion of blocks into EXECUTE inputs and back, and of these inputs into batches.

use crate::{BatchWithWitness, Chain, ChainConfig, ChainError};

use crate::store::{Block, Changes, MemoryStore, Store as _};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Bytes, U256};
use codec::{OwnedWitness, RawBlock};
use executor::{
    BlockError, BlockState, ChainSpec, Environment, Invalid, decode_transaction, execute_block,
    recover_sender,
};
use stateless::{Witness, header_of};
use std::sync::Arc;
use wire::{ByteLists, NewPayloadRequest, ProtocolFork, StatelessInput};

/// Encodes the stateless input of a block.
///
/// A block contains only the hashes of its execution requests and its access list, but the input
/// needs both in full. If there are any, this function executes the block from its witness to
/// obtain them. That does not verify the block.
pub fn to_stateless_input(
    block: &RawBlock,
    witness: &OwnedWitness,
    spec: &ChainSpec,
) -> Result<Vec<u8>, BlockError> {
    let timestamp = block.header.timestamp;
    let fork = spec.fork_at(timestamp).unwrap_or(ProtocolFork::Paris);
    if fork < ProtocolFork::Cancun {
        return Err(Invalid::UnsupportedFork(fork).into());
    }
    let header = &block.header;
    let spelled_out = header.block_access_list_hash.is_none()
        && header.requests_hash.is_none_or(|hash| hash == EMPTY_REQUESTS_HASH);
    if spelled_out {
        return Ok(block
            .to_input(fork, spec.chain_id(), witness, &[], &[])
            .map_err(Invalid::from)?);
    }
    let hashed = Witness::new(&witness.view(), block.header.parent_hash)?;
    let linked = hashed.link();
    let source = linked.state();
    let mut state = BlockState::new(&source, hashed.state_root());
    if fork >= ProtocolFork::Amsterdam {
        state = state.with_access_list();
    }
    let withdrawals = block.withdrawals();
    let environment = Environment { header, ommers: &[], withdrawals: &withdrawals, spec };
    let transactions = ByteLists::from(&block.transactions)
        .iter()
        .enumerate()
        .map(|(index, bytes)| {
            decode_transaction(bytes)
                .map_err(|reason| Invalid::MalformedTransaction { index, reason })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sender =
        |index: usize| recover_sender(&transactions[index]).ok_or(Invalid::Signature { index });
    let executed =
        execute_block(&mut state, environment, &(), &transactions, sender, |_, _| Ok(()))?;
    let requests: Vec<Bytes> = executed.requests.into_iter().flatten().collect();
    let access_list = executed.block_access_list.unwrap_or_default();
    let input = block.to_input(fork, spec.chain_id(), witness, &requests, &access_list);
    Ok(input.map_err(Invalid::from)?)
}

/// Returns the block of a request.
///
/// # Errors
///
/// [`Invalid`] if its fields do not form a header, or if the header's hash differs from the block
/// hash in the payload. Nothing else is checked.
pub fn block_of(request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Result<RawBlock, Invalid> {
    let payload = &request.payload;
    let header = header_of(request, fork).ok_or_else(|| Invalid::HeaderRange {
        field: "base fee",
        got: payload.base_fee_per_gas,
        min: U256::ZERO,
        max: U256::from(u64::MAX),
    })?;
    let (got, expected) = (payload.block_hash, header.hash_slow());
    if got != expected {
        return Err(Invalid::BlockHash { got, expected });
    }
    Ok(RawBlock {
        header,
        hash: expected,
        transactions: payload.transactions.iter().map(Bytes::copy_from_slice).collect(),
        withdrawals: Some(payload.withdrawals.iter().copied().collect()),
        versioned_hashes: request.versioned_hashes.iter().copied().collect(),
    })
}

/// Combines consecutive blocks into a batch, given only their stateless inputs. The blocks are
/// executed again on their combined witnesses.
///
/// # Errors
///
/// [`ChainError`] if a block is invalid or not a child of the one before, if there are none or too
/// many, or if they are not all of the same fork.
pub fn to_stateless_batch(
    inputs: &[StatelessInput<'_>],
    config: ChainConfig,
) -> Result<BatchWithWitness, ChainError> {
    let mut changes = Changes::default();
    let mut parent = None;
    for input in inputs {
        let copied = |list: ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect();
        let (nodes, codes): (Vec<_>, Vec<_>) =
            (copied(input.witness.state), copied(input.witness.codes));
        changes.put_nodes(nodes);
        for code in codes {
            changes.put_code(code);
        }
        for (index, header) in input.witness.headers.iter().enumerate() {
            let header = alloy_rlp::decode_exact(header)
                .map_err(|reason| Invalid::MalformedHeader { index, reason })?;
            let block = Arc::new(Block::from_header(header));
            if block.hash == inputs[0].request.payload.parent_hash {
                parent = Some(Arc::clone(&block));
            }
            changes.blocks.push(block);
        }
    }
    let store = Arc::new(MemoryStore::default());
    store.commit(changes)?;
    let mut chain = Chain::resume(config, store, parent.ok_or(Invalid::NoParent)?)?;
    let mut blocks = Vec::with_capacity(inputs.len());
    for StatelessInput { fork, request, .. } in inputs {
        let raw = block_of(request, *fork)?;
        let block = chain.import_with_ommers(&raw, &[])?;
        blocks.push(chain.append(block)?);
    }
    chain.batch(blocks)
}
