//! Mutated inputs of one block, and batches of such blocks.

use crate::{
    Outcome,
    choices::Choices,
    judge::agree_with_chain,
    nodes::replace,
    repairs::repaired,
    scene::{STORER, Scene, SceneBlock},
    sequences::sequence,
    signatures::Signer,
};
use alloy_consensus::{Header, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, TxKind, U256, keccak256};
use codec::Encode as _;
use testkit::{
    resealed,
    tampered::{CHANGES, Draft},
};
use wire::{BatchWitness, StatelessInput};

/// Checks EXECUTE on blocks of small chains that are mutated by the bytes, with all hashes
/// repaired.
///
/// No input causes an internal error. The verdict depends neither on the number of threads nor on
/// the form of the input (a block, or a batch of one block). An input is accepted if and only if a
/// chain imports its blocks in order, unless its witness is incomplete.
pub fn inputs(data: &[u8]) -> Outcome {
    let mut choices = Choices::new(data);
    let scene = choices.pick(Scene::all());
    match choices.byte() % 4 {
        0 => sequence(scene, &mut choices),
        1 => damaged_batch(scene, &mut choices),
        _ => single(scene, &mut choices),
    }
}

/// Checks a block whose fields, transactions and witness are changed.
fn single(scene: &Scene, choices: &mut Choices<'_>) -> Outcome {
    let Some(calldata) = changed_block(scene, choices) else { return Outcome::Unreadable };
    Outcome::of(scene.judged.get_or(&calldata, || {
        let accepted = agree_with_chain(scene, &calldata);
        agree_with_batch(scene, &calldata, accepted);
        accepted
    }))
}

/// Returns the input of a mutated block; `None` if its parts cannot be encoded.
fn changed_block(scene: &Scene, choices: &mut Choices<'_>) -> Option<Vec<u8>> {
    let good = choices.pick(&scene.blocks);
    let input = StatelessInput::decode(&good.input).expect("an input of a scene");
    let mut draft = Draft::new(&input);
    change(&mut draft, good, choices);
    let mut calldata = draft.encode()?.to_vec();
    if choices.byte() % 4 == 3 {
        choices.edit(&mut calldata, 2);
        calldata = resealed(&calldata, |_| {}).unwrap_or(calldata);
    }
    Some(if choices.flag() { repaired(scene, calldata) } else { calldata })
}

/// Mutates the parts of a block, which originate from `good`.
pub(crate) fn change(draft: &mut Draft<'_>, good: &SceneBlock, choices: &mut Choices<'_>) {
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
fn add_transaction(draft: &mut Draft<'_>, good: &SceneBlock, choices: &mut Choices<'_>) {
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

/// Compares the verdict on a block with that on a batch of only this block, whose state is in
/// compact form.
fn agree_with_batch(scene: &Scene, calldata: &[u8], accepted: bool) {
    let Ok(input) = StatelessInput::decode(calldata) else { return };
    let witness = &input.witness;
    let parent = witness.headers.last().and_then(|it| alloy_rlp::decode_exact::<Header>(it).ok());
    let Some(parent) = parent else { return };
    // Invalid nodes and duplicate codes have no compact form.
    let Some(state) = scene.compacted(parent.state_root, witness) else { return };
    let Ok(witness) = BatchWitness::new(&state, witness.codes, witness.headers) else { return };
    let batch = codec::batch_of(&[input], witness).expect("a batch of one block");
    let (alone, batch) = (scene.open.verdict(calldata), scene.open.verdict(&batch.encode()));
    assert_eq!(
        batch.is_ok(),
        accepted,
        "alone and in a batch: {:?}",
        batch.as_ref().as_ref().err()
    );
    if let (Ok(batch), Ok(alone)) = (&*batch, &*alone) {
        assert_eq!(batch.verdict, alone.verdict);
    }
}

/// Checks a batch with changed bytes and repaired parent hashes.
fn damaged_batch(scene: &Scene, choices: &mut Choices<'_>) -> Outcome {
    let mut calldata = choices.pick(&scene.batches).clone();
    choices.edit(&mut calldata, 4);
    if choices.flag() {
        calldata = testkit::relinked(&calldata, |_| {}).unwrap_or(calldata);
    }
    Outcome::of(scene.judged.get_or(&calldata, || agree_with_chain(scene, &calldata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use testkit::Random;

    #[test]
    fn repairs_produce_valid_blocks() {
        let scene = &Scene::all()[0];
        let known: BTreeSet<_> = scene.blocks.iter().map(|it| it.block.hash).collect();
        let (mut on_known, mut on_forged) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..1_000 {
            let bytes = Random::new(seed).bytes(120);
            let Some(calldata) = changed_block(scene, &mut Choices::new(&bytes)) else { continue };
            let verdict = scene.open.verdict(&calldata);
            let Ok(executed) = &*verdict else { continue };
            let parent = executed.verdict.header.parent_hash;
            let is_known = scene.chain.find_block(&parent).expect("a chain in memory").is_some();
            let hashes = if is_known { &mut on_known } else { &mut on_forged };
            hashes.insert(executed.verdict.block_hash);
        }
        let new = on_known.difference(&known).count();
        println!("{new} new blocks on known states, {} on forged ones", on_forged.len());
        assert!(new >= 20 && on_forged.len() >= 5);
    }
}
