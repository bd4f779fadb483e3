//! No witness changes a verdict: verification either finds the block valid, with the same effects,
//! or fails.

use super::support::{
    Case, all, generated, items, rehash,
    relink::{Part, relink},
};
use codec::OwnedWitness;
use enshrine_stateless::Invalid;
use testkit::Random;
use wire::ByteLists;

/// Returns the list after one to three changes.
fn spoil(random: &mut Random, list: &[&[u8]], foreign: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut list: Vec<_> = list.iter().map(|item| item.to_vec()).collect();
    if list.is_empty() {
        return list;
    }
    for _ in 0..=random.index(3) {
        let index = random.index(list.len());
        match random.index(9) {
            // Changed in place.
            0 => {
                let len = list[index].len();
                if len > 0 {
                    list[index][random.index(len)] ^= random.mask();
                }
            }
            1 => {
                let len = list[index].len();
                list[index].truncate(random.index(len + 1));
            }
            2 => list[index].push(random.mask()),
            3 => list[index] = random.pick(foreign).to_vec(),
            // A changed copy next to the original.
            4 => {
                let mut copy = list[index].clone();
                if let Some(last) = copy.last_mut() {
                    *last ^= random.mask();
                }
                list.insert(index, copy);
            }
            5 => list.push(random.pick(foreign).to_vec()),
            6 => {
                let other = random.index(list.len());
                list.swap(index, other);
            }
            7 => {
                let copy = list[index].clone();
                list.push(copy);
            }
            // A random part of the list.
            _ => {
                let keep = random.in_range(2..40);
                list.retain(|_| !random.one_in(keep));
                if list.is_empty() {
                    return list;
                }
            }
        }
    }
    list
}

#[test]
fn corrupted_witness_fails_or_keeps_verdict() {
    let mut random = Random::new(15);
    let inputs: Vec<_> = generated().iter().map(Case::input).collect();
    let foreign: Vec<&[u8]> = inputs
        .iter()
        .flat_map(|input| [input.witness.state, input.witness.codes, input.witness.headers])
        .flat_map(items)
        .collect();
    let (mut same, mut failed) = (0, 0);
    for case in all() {
        for _ in 0..if case.is_small() { 300 } else { 40 } {
            let mut input = case.input();
            let witness = input.witness;
            let spoilt: Vec<Vec<Vec<u8>>> = [witness.state, witness.codes, witness.headers]
                .into_iter()
                .map(|list| {
                    if random.one_in(2) {
                        spoil(&mut random, &items(list), &foreign)
                    } else {
                        items(list).into_iter().map(<[u8]>::to_vec).collect()
                    }
                })
                .collect();
            let views: Vec<Vec<&[u8]>> =
                spoilt.iter().map(|list| list.iter().map(Vec::as_slice).collect()).collect();
            input.witness.state = ByteLists::from(&views[0][..]);
            input.witness.codes = ByteLists::from(&views[1][..]);
            input.witness.headers = ByteLists::from(&views[2][..]);
            match case.verify(&input) {
                Ok(verdict) => {
                    assert_eq!(verdict, case.verdict, "{}", case.name);
                    same += 1;
                }
                Err(
                    Invalid::State(_)
                    | Invalid::NoParent
                    | Invalid::BrokenAncestry { .. }
                    | Invalid::MalformedHeader { .. },
                ) => failed += 1,
                Err(other) => panic!("{}: blames the block: {other}", case.name),
            }
        }
    }
    println!("{same} spoilt witnesses gave the same verdict, {failed} failed");
    assert!(same > 1_000 && failed > 1_000);
}

/// A forged state has another root, which belongs to another parent and another block.
#[test]
fn forged_state_changes_parent_hash() {
    let mut random = Random::new(16);
    let (mut accepted, mut refused) = (0, 0);
    for case in all().filter(|case| case.is_small()) {
        let input = case.input();
        let original = OwnedWitness::of(&input.witness);
        for _ in 0..40 {
            let index = random.index(original.state.len());
            let mut node = original.state[index].to_vec();
            let at = random.index(node.len());
            node[at] ^= random.mask();
            let lie = relink(&original, Part::Node(index), node);
            let mut input = input.clone();
            input.witness = lie.witness.view();
            assert!(
                matches!(case.verify(&input), Err(Invalid::BrokenAncestry { .. })),
                "{}: the lie leads to the true parent",
                case.name
            );
            input.request.payload.parent_hash = lie.parent_hash;
            assert!(matches!(case.verify(&input), Err(Invalid::BlockHash { .. })));
            rehash(&mut input);
            match case.verify(&input) {
                // The block may overwrite or remove exactly what was forged.
                Ok(verdict) => {
                    assert_ne!(verdict.pre_state_root, case.verdict.pre_state_root);
                    assert_ne!(verdict.block_hash, case.verdict.block_hash);
                    accepted += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{accepted} made-up states led to the same post-state, {refused} did not");
    assert!(refused > accepted);
}
