//! Batches of blocks in any order.

use crate::{
    Outcome, agreement::agree_with_chain, choices::Choices, forked_chain::ForkedChain,
    mutations::change, repairs::repaired,
};
use alloy_primitives::{B256, Bytes};
use codec::Encode as _;
use testkit::{relinked, tampered::Draft};
use wire::{BatchWitness, StatelessInput};

/// Maximum number of blocks in a batch.
const MAX_BLOCKS: usize = 5;

/// Checks a batch of blocks that the bytes select from both branches of a chain.
///
/// An unchanged batch is accepted if and only if each block is a child of the one before, and the
/// first a child of the header in the witness. The verdict on a mutated batch must match the
/// chain's.
pub(crate) fn sequence(forked: &ForkedChain, choices: &mut Choices<'_>) -> Outcome {
    let mut chosen = vec![choices.index(forked.blocks.len())];
    while chosen.len() <= choices.index(MAX_BLOCKS) {
        // Mostly the next block, so that long valid batches occur.
        let last = chosen[chosen.len() - 1];
        let step = if choices.flag() { choices.index(forked.blocks.len()) } else { 1 };
        chosen.push((last + step) % forked.blocks.len());
    }
    let blocks: Vec<_> = chosen.iter().map(|index| &forked.blocks[*index]).collect();
    let (first, mut parent) = (blocks[0], &blocks[0].parent_header);
    if choices.byte() % 8 == 7 {
        parent = &choices.pick(&forked.blocks).parent_header;
    }
    let mut is_in_order = *parent == first.parent_header;
    for pair in blocks.windows(2) {
        is_in_order &= pair[0].block.hash == pair[1].block.header.parent_hash;
    }

    let tampered = choices.byte() % 4;
    let mut singles = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let input = StatelessInput::decode(&block.input).expect("an input of a chain");
        let mut draft = Draft::new(&input);
        if usize::from(tampered) == index + 1 {
            change(&mut draft, block, choices);
        }
        let Some(single) = draft.encode() else { return Outcome::Unreadable };
        singles.push(single);
    }
    let is_changed = singles.iter().zip(&blocks).any(|(single, block)| **single != *block.input);
    let (is_relinked, is_repaired) = (choices.flag(), choices.flag());
    let Some(batch) = batch(forked, &singles, first.block.pre_state_root, parent) else {
        assert!(is_changed, "blocks of a chain fit into a batch");
        return Outcome::Unreadable;
    };
    let batch = match is_relinked {
        true => relinked(&batch, |_| {}).unwrap_or(batch),
        false => batch,
    };
    // Parent hashes are not repaired: a block with another parent is rejected for any roots.
    let batch = if is_repaired { repaired(forked, batch) } else { batch };
    let accepted = forked.judged.get_or(&batch, || agree_with_chain(forked, &batch));
    if !is_changed && !is_relinked && !is_repaired {
        assert_eq!(accepted, is_in_order, "blocks {chosen:?}");
    }
    Outcome::of(accepted)
}

/// Encodes blocks as a batch whose witness has everything that any block of the chain reads.
fn batch(forked: &ForkedChain, singles: &[Bytes], root: B256, parent: &Bytes) -> Option<Vec<u8>> {
    let inputs = singles.iter().map(|single| StatelessInput::decode(single));
    let inputs = inputs.collect::<Result<Vec<_>, _>>().ok()?;
    let witness = forked.witness.view();
    let state = forked.compacted(root, &witness).expect("nodes of a chain");
    let headers = [parent.clone()];
    let witness = BatchWitness::new(&state, witness.codes, (&headers[..]).into());
    Some(codec::batch_of(&inputs, witness.expect("a witness of a chain")).ok()?.encode())
}
