//! The witness of a block contains what clients read, and nothing else.
//!
//! It is compared with a naive computation: starting from everything that the chain has ever
//! stored, items are removed as long as verification succeeds. This uses neither the chain's
//! recorder nor its trie, only the verdicts of two verifiers, and of the specification on items
//! that both do not need.

use crate::{
    judges::Judges,
    programs::{Played, play, worlds},
    random_genesis::CHAIN_ID,
    specification::Bundles,
};
use alloy_primitives::Bytes;
use chain::Block;
use codec::{Encode as _, OwnedWitness};
use executor::SystemCode;
use eyre::Result;
use std::collections::BTreeSet;
use wire::{ExecutionWitness, ProtocolFork, StatelessInput};

/// Only one in this many worlds is used, because each item of each state is removed once.
const EVERY: u64 = 12;

#[test]
fn cancun_witness_is_minimal() -> Result<()> {
    compare(ProtocolFork::Cancun)
}

#[test]
fn prague_witness_is_minimal() -> Result<()> {
    compare(ProtocolFork::Prague)
}

#[test]
fn bpo2_witness_is_minimal() -> Result<()> {
    compare(ProtocolFork::Bpo2)
}

#[test]
fn amsterdam_witness_is_minimal() -> Result<()> {
    compare(ProtocolFork::Amsterdam)
}

fn compare(fork: ProtocolFork) -> Result<()> {
    let judges = Judges::of_chain(CHAIN_ID, fork, None, None, SystemCode::Canonical);
    let mut bundles = if fork < ProtocolFork::Amsterdam { Bundles::new()? } else { None };
    let (mut needed, mut left_out, mut of_specification) = (0, 0, 0);
    for seed in 0..worlds().div_ceil(EVERY) {
        let played = play(fork, &judges, seed, |_, _, _| Ok(()))?;
        for (block, input) in played.blocks.iter().zip(&played.inputs) {
            let input = StatelessInput::decode(input)?;
            let everything = everything(&played, block)?;
            let naive = reduced(&judges, &input, everything.clone());
            let mut recorded = OwnedWitness::of(&input.witness);
            let of_both = items(&naive);
            of_specification += items(&recorded) - of_both;
            if let Some(bundles) = &mut bundles {
                for node in recorded.state.iter().filter(|node| !naive.state.contains(node)) {
                    let mut without = recorded.clone();
                    without.state.retain(|item| item != node);
                    bundles.add(fork, block, &without)?;
                }
            }
            if fork < ProtocolFork::Amsterdam {
                recorded.state.retain(|node| naive.state.contains(node));
            }
            // The specification loads a code together with its account, so it is not compared on
            // codes.
            if (ProtocolFork::Prague..ProtocolFork::Amsterdam).contains(&fork) {
                recorded.codes.retain(|code| naive.codes.contains(code));
            }
            let number = block.header.number;
            assert_eq!(recorded, naive, "{fork}, world {seed}, block {number}");
            needed += of_both;
            left_out += items(&everything) - of_both;
        }
    }
    println!("{fork}: {needed} items needed by both, {of_specification} more, {left_out} left out");
    assert!(needed > 0 && left_out > needed, "{needed} items needed, {left_out} left out");
    // Few instructions fail after a read of the specification and before that of revm.
    assert!(of_specification * 50 < needed, "{of_specification} items beyond what both need");
    bundles.map_or(Ok(()), |bundles| bundles.assert_nodes_are_missing())
}

const fn items(witness: &OwnedWitness) -> usize {
    witness.state.len() + witness.codes.len() + witness.headers.len()
}

/// Returns all nodes and codes that the chain has ever stored, and all ancestors of a block that a
/// witness may have.
fn everything(played: &Played, block: &Block) -> Result<OwnedWitness> {
    let reader = played.chain.reader();
    let chain::store::StoredNodes { nodes, codes } = reader.store().everything()?;
    let sorted =
        |items: Vec<Bytes>| items.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let number = block.header.number;
    let ancestors =
        reader.first_number().max(number.saturating_sub(ExecutionWitness::MAX_HEADERS as u64))
            ..number;
    let header = |number| -> Result<Option<Bytes>> {
        let block = reader.canonical_block(number)?;
        Ok(block.map(|block| alloy_rlp::encode(&block.header).into()))
    };
    let headers = ancestors.filter_map(|number| header(number).transpose());
    Ok(OwnedWitness {
        state: sorted(nodes),
        codes: sorted(codes),
        headers: headers.collect::<Result<_>>()?,
    })
}

/// Removes items from a witness, one after another, that neither verifier needs.
fn reduced(judges: &Judges, input: &StatelessInput<'_>, mut witness: OwnedWitness) -> OwnedWitness {
    let is_enough = |witness: &OwnedWitness| {
        let input = StatelessInput { witness: witness.view(), ..input.clone() };
        let input: Bytes = input.encode().into();
        judges.ours(&input).is_ok() && matches!(judges.theirs(&input), Some(Ok(())))
    };
    assert!(is_enough(&witness), "all that there is suffices");
    let mut index = 0;
    while index < witness.state.len() {
        let node = witness.state.remove(index);
        if !is_enough(&witness) {
            witness.state.insert(index, node);
            index += 1;
        }
    }
    index = 0;
    while index < witness.codes.len() {
        let code = witness.codes.remove(index);
        if !is_enough(&witness) {
            witness.codes.insert(index, code);
            index += 1;
        }
    }
    // Oldest first, because the headers must lead to the parent without a gap.
    while witness.headers.len() > 1 {
        let header = witness.headers.remove(0);
        if !is_enough(&witness) {
            witness.headers.insert(0, header);
            break;
        }
    }
    witness
}
