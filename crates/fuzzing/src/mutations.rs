//! Mutations of a block's parts.

use crate::{
    choices::Choices,
    forked_chain::{ForkedBlock, STORER},
    nodes::replace,
    signatures::Signer,
};
use alloy_consensus::{Header, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, TxKind, U256, keccak256};
use testkit::tampered::{CHANGES, Draft};

/// Mutates the parts of a block, which originate from `good`.
pub(crate) fn change(draft: &mut Draft<'_>, good: &ForkedBlock, choices: &mut Choices<'_>) {
    for _ in 0..choices.index(4) {
        match choices.byte() % 4 {
            0 => forge_node(draft, choices),
            1 => add_transaction(draft, good, choices),
            _ => choices.pick(CHANGES).1(draft, &mut choices.random()),
        }
    }
}

/// Changes a node of the pre-state, and repairs the roots above it and the header of the parent.
fn forge_node(draft: &mut Draft<'_>, choices: &mut Choices<'_>) {
    let state = &mut draft.witness.state;
    let Some(last) = draft.witness.headers.last_mut() else { return };
    let Ok(mut parent) = alloy_rlp::decode_exact::<Header>(&last) else { return };
    if state.is_empty() {
        return;
    }
    let at = choices.index(state.len());
    let mut node = state[at].to_vec();
    choices.edit(&mut node, 2);
    parent.state_root = replace(state, at, node, parent.state_root);
    *last = alloy_rlp::encode(&parent).into();
    draft.request.payload.parent_hash = keccak256(&last);
}

/// Adds a transaction with a valid signature, to a recipient that the bytes select.
fn add_transaction(draft: &mut Draft<'_>, good: &ForkedBlock, choices: &mut Choices<'_>) {
    let from = choices.index(Signer::all().len());
    let (signer, nonce) = (&Signer::all()[from], good.nonces[from]);
    let to = match choices.byte() % 5 {
        0 => TxKind::Create,
        1 => TxKind::Call(testkit::LOGGER),
        2 => TxKind::Call(STORER),
        _ => TxKind::Call(Address::with_last_byte(choices.byte())),
    };
    let length = choices.index(200);
    let transaction = signer.sign(TxEip1559 {
        chain_id: draft.chain_id,
        // The sender may already have up to two transactions in the block.
        nonce: nonce + u64::from(choices.byte() % 3),
        gas_limit: 21_000 + 1_000 * u64::from(choices.byte()),
        max_fee_per_gas: 100_000_000_000,
        to,
        value: U256::from(choices.byte() % 2),
        input: choices.bytes(length).to_vec().into(),
        ..Default::default()
    });
    // Mostly at the end, where the nonce may be valid.
    let at = match choices.byte() % 4 {
        0 => choices.index(draft.transactions.len() + 1),
        _ => draft.transactions.len(),
    };
    draft.transactions.insert(at, transaction.encoded_2718().into());
}
