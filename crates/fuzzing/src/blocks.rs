//! Mutated inputs of one block, and batches of such blocks.

use crate::{
    Outcome, agreement::agree_with_chain, choices::Choices, forked_chain::ForkedChain,
    mutations::change, repairs::repaired, sequences::sequence,
};
use alloy_consensus::Header;
use codec::Encode as _;
use testkit::{resealed, tampered::Draft};
use wire::{BatchWitness, StatelessInput};

/// Checks EXECUTE on blocks of small chains that are mutated by the bytes, with all hashes
/// repaired.
///
/// No input causes an internal error. The verdict depends neither on the number of threads nor on
/// the form of the input (a block, or a batch of one block). An input is accepted if and only if a
/// chain imports its blocks in order, unless its witness is incomplete.
pub fn inputs(data: &[u8]) -> Outcome {
    let mut choices = Choices::new(data);
    let forked = choices.pick(ForkedChain::all());
    match choices.byte() % 4 {
        0 => sequence(forked, &mut choices),
        1 => damaged_batch(forked, &mut choices),
        _ => single(forked, &mut choices),
    }
}

/// Checks a block whose fields, transactions and witness are changed.
fn single(forked: &ForkedChain, choices: &mut Choices<'_>) -> Outcome {
    let Some(calldata) = changed_block(forked, choices) else { return Outcome::Unreadable };
    Outcome::of(forked.judged.get_or(&calldata, || {
        let accepted = agree_with_chain(forked, &calldata);
        agree_with_batch(forked, &calldata, accepted);
        accepted
    }))
}

/// Returns the input of a mutated block; `None` if its parts cannot be encoded.
fn changed_block(forked: &ForkedChain, choices: &mut Choices<'_>) -> Option<Vec<u8>> {
    let good = choices.pick(&forked.blocks);
    let input = StatelessInput::decode(&good.input).expect("an input of a chain");
    let mut draft = Draft::new(&input);
    change(&mut draft, good, choices);
    let mut calldata = draft.encode()?.to_vec();
    if choices.byte() % 4 == 3 {
        choices.edit(&mut calldata, 2);
        calldata = resealed(&calldata, |_| {}).unwrap_or(calldata);
    }
    Some(if choices.flag() { repaired(forked, calldata) } else { calldata })
}

/// Compares the verdict on a block with that on a batch of only this block, whose state is in
/// compact form.
fn agree_with_batch(forked: &ForkedChain, calldata: &[u8], accepted: bool) {
    let Ok(input) = StatelessInput::decode(calldata) else { return };
    let witness = &input.witness;
    let parent =
        witness.headers.last().and_then(|header| alloy_rlp::decode_exact::<Header>(header).ok());
    let Some(parent) = parent else { return };
    // Invalid nodes and duplicate codes have no compact form.
    let Some(state) = forked.compacted(parent.state_root, witness) else { return };
    let Ok(witness) = BatchWitness::new(&state, witness.codes, witness.headers) else { return };
    let batch = codec::batch_of(&[input], witness).expect("a batch of one block");
    let (alone, batch) = (forked.open.verdict(calldata), forked.open.verdict(&batch.encode()));
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
fn damaged_batch(forked: &ForkedChain, choices: &mut Choices<'_>) -> Outcome {
    let mut calldata = choices.pick(&forked.batches).clone();
    choices.edit(&mut calldata, 4);
    if choices.flag() {
        calldata = testkit::relinked(&calldata, |_| {}).unwrap_or(calldata);
    }
    Outcome::of(forked.judged.get_or(&calldata, || agree_with_chain(forked, &calldata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use testkit::Random;

    #[test]
    fn repairs_produce_valid_blocks() {
        let forked = &ForkedChain::all()[0];
        let known: BTreeSet<_> = forked.blocks.iter().map(|block| block.block.hash).collect();
        let (mut on_known, mut on_forged) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..1_000 {
            let bytes = Random::new(seed).bytes(120);
            let Some(calldata) = changed_block(forked, &mut Choices::new(&bytes)) else { continue };
            let verdict = forked.open.verdict(&calldata);
            let Ok(executed) = &*verdict else { continue };
            let parent = executed.verdict.header.parent_hash;
            let is_known = forked.chain.find_block(&parent).expect("a chain in memory").is_some();
            let hashes = if is_known { &mut on_known } else { &mut on_forged };
            hashes.insert(executed.verdict.block_hash);
        }
        let new = on_known.difference(&known).count();
        println!("{new} new blocks on known states, {} on forged ones", on_forged.len());
        assert!(new >= 20 && on_forged.len() >= 5);
    }
}
