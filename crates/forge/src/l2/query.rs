//! Queries of a chain.

use super::{
    abi::IL2::{AccountProof, SlotProof, callAtCall, callAtReturn, codeCall, proveCall},
    draft::{join, split},
    store::{body, head, load},
};
use crate::{ForgeError, Workspace};
use alloy_primitives::{B256, Bytes};
use alloy_trie::TrieAccount;
use chain::store::StoredNodes;
use chain::{Call, ChainConfig, ChainError, to_stateless_batch};
use codec::Encode as _;
use codec::OwnedWitness;
use executor::ChainSpec;
use wire::StatelessInput;

/// Proves an account and some of its slots at a block.
pub(super) fn prove(workspace: &Workspace, call: &proveCall) -> Result<AccountProof, ForgeError> {
    let loaded = load(workspace, call.blockHash, None)?;
    let block = loaded.chain.head();
    let slots: Vec<_> = call.slots.iter().map(|slot| (*slot).into()).collect();
    let proof = loaded.chain.prove(block, call.account, &slots)?;
    let exists = proof.account.is_some();
    let account = proof.account.unwrap_or_else(TrieAccount::default);
    Ok(AccountProof {
        head: head(&block.header, block.hash, loaded.chain_id, loaded.schema),
        header: loaded.header(),
        exists,
        nonce: account.nonce,
        balance: account.balance,
        storageRoot: account.storage_root,
        codeHash: account.code_hash,
        nodes: proof.nodes,
        slots: proof
            .slots
            .into_iter()
            .map(|slot| SlotProof {
                slot: B256::from(slot.slot),
                value: B256::from(slot.value),
                nodes: slot.nodes,
            })
            .collect(),
    })
}

/// Returns the code of an account at a block.
pub(super) fn code(workspace: &Workspace, call: &codeCall) -> Result<Bytes, ForgeError> {
    let loaded = load(workspace, call.blockHash, None)?;
    Ok(loaded.chain.code(call.account)?)
}

/// Executes a call on the state after a block, without changing it.
pub(super) fn call_at(
    workspace: &Workspace,
    call: &callAtCall,
) -> Result<callAtReturn, ForgeError> {
    let loaded = load(workspace, call.blockHash, None)?;
    let outcome = loaded.chain.call(Call {
        from: call.from,
        to: Some(call.to),
        data: call.data.clone(),
        value: call.value,
        ..Default::default()
    })?;
    Ok(callAtReturn { success: outcome.success, output: outcome.output, gasUsed: outcome.gas_used })
}

/// Returns the input of a block with all state of the chain as the witness.
pub(super) fn wide_input(workspace: &Workspace, hash: B256) -> Result<Bytes, ForgeError> {
    let body = body(workspace, &hash)?;
    let refused = |error: wire::DecodeError| {
        ForgeError::Refused(format!("block {hash} has no input of EXECUTE: {error}"))
    };
    let (plain, values) = split(&body.input)?;
    let mut input = StatelessInput::decode(&plain).map_err(refused)?;
    let loaded = load(workspace, input.request.payload.parent_hash, None)?;
    let StoredNodes { nodes, codes } = loaded.chain.store().everything()?;
    let mut witness = OwnedWitness {
        state: nodes,
        codes,
        headers: input.witness.headers.iter().map(Bytes::copy_from_slice).collect(),
    };
    witness.canonicalize();
    input.witness = witness.view();
    Ok(join(input.encode(), values)?.into())
}

/// Combines the inputs of consecutive blocks into the input of a batch.
pub(super) fn batch(inputs: &[Bytes]) -> Result<Bytes, ForgeError> {
    let refused =
        |error: &dyn core::fmt::Display| ForgeError::Refused(format!("inputs of a batch: {error}"));
    let inputs = inputs
        .iter()
        .map(|input| StatelessInput::decode(input).map_err(|error| refused(&error)))
        .collect::<Result<Vec<_>, _>>()?;
    let [first, ..] = &inputs[..] else { return Err(refused(&"there are none")) };
    let spec = ChainSpec::for_input(first.chain_id, first.fork);
    let batch =
        to_stateless_batch(&inputs, ChainConfig::new(spec)).map_err(|error| match error {
            error @ (ChainError::Store(_) | ChainError::Internal(_)) => ForgeError::Chain(error),
            error => refused(&error),
        })?;
    Ok(batch.input().map_err(|error| refused(&error))?.into())
}
