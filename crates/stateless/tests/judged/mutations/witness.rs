//! The witness is untrusted: required items must be present, surplus items are ignored, and the
//! order does not matter.

use super::support::{Case, all, generated, items};
use alloy_primitives::{B256, keccak256};
use enshrine_stateless::{Ancestors, Verdict};
use executor::{Invalid, StateError};
use testkit::Random;
use trie::TrieError;
use wire::{ByteLists, ExecutionWitness};

/// A list in a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Nodes,
    Codes,
    Headers,
}

const LISTS: [List; 3] = [List::Nodes, List::Codes, List::Headers];

impl List {
    fn of<'a>(self, witness: &ExecutionWitness<'a>) -> Vec<&'a [u8]> {
        items(match self {
            Self::Nodes => witness.state,
            Self::Codes => witness.codes,
            Self::Headers => witness.headers,
        })
    }
}

/// Verifies a case with one list of its witness replaced.
fn with_list(case: &Case, list: List, items: &[&[u8]]) -> Result<Verdict, Invalid> {
    let mut input = case.input();
    let place = match list {
        List::Nodes => &mut input.witness.state,
        List::Codes => &mut input.witness.codes,
        List::Headers => &mut input.witness.headers,
    };
    *place = ByteLists::from(items);
    case.verify(&input)
}

fn without(case: &Case, list: List, index: usize) -> Result<Verdict, Invalid> {
    let mut items = list.of(&case.input().witness);
    items.remove(index);
    with_list(case, list, &items)
}

/// Returns `true` if a refusal names exactly this node or code as missing.
pub(crate) fn names_as_missing(reason: &Invalid, missing: B256) -> bool {
    match reason {
        Invalid::State(StateError::Account { source, .. } | StateError::Storage { source, .. }) => {
            matches!(source, TrieError::MissingNode { hash, .. } if *hash == missing)
        }
        Invalid::State(StateError::MissingCode(hash)) => *hash == missing,
        _ => false,
    }
}

/// Removes a node or code, and returns `true` if it was needed.
fn is_needed(case: &Case, list: List, index: usize) -> bool {
    let hash = keccak256(list.of(&case.input().witness)[index]);
    match without(case, list, index) {
        Ok(verdict) => {
            assert_eq!(verdict, case.verdict, "{} without {list:?} {index}", case.name);
            false
        }
        Err(reason) => {
            let named = names_as_missing(&reason, hash);
            assert!(named, "{} without {list:?} {index}, {hash}: {reason}", case.name);
            true
        }
    }
}

#[test]
fn omitted_item_is_reported_only_if_needed() {
    let mut random = Random::new(10);
    let (mut real_tried, mut real_needed) = (0, 0);
    for case in all() {
        for (list, maximum) in [(List::Nodes, 150), (List::Codes, 30)] {
            let all = list.of(&case.input().witness);
            let tried =
                random.sample(all.len(), if case.is_small() { usize::MAX } else { maximum });
            let needed: Vec<_> =
                tried.iter().copied().filter(|index| is_needed(case, list, *index)).collect();
            if case.minimal {
                assert_eq!(needed.len(), all.len(), "{} {list:?}", case.name);
            } else if list == List::Nodes {
                real_tried += tried.len();
                real_needed += needed.len();
            }
            if tried.len() == all.len() {
                // Nodes that are unnecessary individually are unnecessary together.
                let minimum: Vec<_> = needed.iter().map(|index| all[*index]).collect();
                assert_eq!(with_list(case, list, &minimum).as_ref(), Ok(&case.verdict));
            }
        }
    }
    println!("{real_needed} of {real_tried} nodes of real witnesses are needed");
    assert!(real_needed * 10 >= real_tried * 9);
}

#[test]
fn omitted_header_is_reported_if_blockhash_reads_it() {
    let mut asked_for = 0;
    for case in all() {
        let name = &case.name;
        let all = List::Headers.of(&case.input().witness);
        let last = all.len() - 1;
        assert_eq!(with_list(case, List::Headers, &[]), Err(Invalid::NoParent), "{name}");
        for index in 0..all.len() {
            match without(case, List::Headers, index) {
                Ok(verdict) => {
                    assert_eq!(index, 0, "{name}");
                    assert_eq!(verdict, case.verdict);
                }
                Err(Invalid::NoParent) => assert_eq!(last, 0, "{name}"),
                // Without its child, an ancestor is not connected to the parent.
                Err(Invalid::BrokenAncestry { index: at, got, .. }) => {
                    assert!(index > 0 && at == index - 1, "{name} {index}: {at}");
                    assert_eq!(got, keccak256(all[at]), "{name}");
                }
                Err(Invalid::State(StateError::MissingAncestor(number))) => {
                    assert_eq!(index, 0, "{name}");
                    assert_eq!(number, case.verdict.header.number - 1 - last as u64, "{name}");
                    asked_for += 1;
                }
                Err(other) => panic!("{name} without header {index}: {other}"),
            }
            // No foreign or invented header can replace one.
            let mut others = all.clone();
            others[index] = b"\xc0";
            let reason = with_list(case, List::Headers, &others).expect_err("is invalid");
            assert!(
                matches!(reason, Invalid::BrokenAncestry { index: at, .. } if at == index),
                "{name} {index}: {reason}"
            );
        }
    }
    // In each chain, one block reads the hash of the third block before it.
    assert!(asked_for >= 6, "{asked_for}");
}

#[test]
fn extra_ancestors_are_checked_but_not_required() {
    for case in generated().iter().filter(|case| case.name.ends_with(" header seen")) {
        // The next block on the same chain, whose own ancestors start with this block.
        let position = generated().iter().position(|other| other.name == case.name);
        let child = &generated()[position.expect("it is there") + 1];
        let mut longer = List::Headers.of(&case.input().witness);
        longer.extend(List::Headers.of(&child.input().witness));
        assert!(longer.len() > 3);
        let own = List::Headers.of(&child.input().witness).len();
        assert_eq!(with_list(child, List::Headers, &longer).as_ref(), Ok(&child.verdict));
        // A gap or a foreign header among them is reported even if no block reads it.
        let mut gap = longer.clone();
        gap.remove(longer.len() - own - 1);
        let reason = with_list(child, List::Headers, &gap).expect_err("is invalid");
        assert!(matches!(reason, Invalid::BrokenAncestry { .. }), "{}: {reason}", child.name);
        let mut reversed = longer;
        reversed.reverse();
        let reason = with_list(child, List::Headers, &reversed).expect_err("is invalid");
        assert!(matches!(reason, Invalid::BrokenAncestry { .. }), "{}: {reason}", child.name);
    }
}

#[test]
fn surplus_witness_items_do_not_matter() {
    let mut random = Random::new(12);
    let foreign: Vec<_> = generated().iter().map(Case::input).collect();
    for case in all() {
        let input = case.input();
        let mut garbage = vec![vec![], vec![0x80], vec![0xc0], vec![0xff; 1024]];
        garbage.extend((0..20).map(|_| {
            let len = random.index(600);
            random.bytes(len)
        }));
        let garbage: Vec<&[u8]> = garbage.iter().map(Vec::as_slice).collect();
        for list in [List::Nodes, List::Codes] {
            let mut more = list.of(&input.witness);
            more.extend(&garbage);
            for other in &foreign {
                // Also codes as nodes, and nodes as codes.
                more.extend(LISTS.iter().flat_map(|list| list.of(&other.witness)));
            }
            random.shuffle(&mut more);
            let outcome = with_list(case, list, &more);
            assert_eq!(outcome.as_ref(), Ok(&case.verdict), "{} {list:?}", case.name);
        }
    }
}

#[test]
fn witness_order_and_duplicates_do_not_matter() {
    let mut random = Random::new(13);
    for case in all() {
        for list in [List::Nodes, List::Codes] {
            let sorted = list.of(&case.input().witness);
            let mut reversed = sorted.clone();
            reversed.reverse();
            let mut shuffled = sorted.clone();
            random.shuffle(&mut shuffled);
            let twice = [&sorted[..], &shuffled[..]].concat();
            for other in [reversed, shuffled, twice] {
                let outcome = with_list(case, list, &other);
                assert_eq!(outcome.as_ref(), Ok(&case.verdict), "{} {list:?}", case.name);
            }
        }
    }
}

#[test]
fn ancestors_are_found_by_number() {
    for case in all() {
        let input = case.input();
        let headers = input.witness.headers;
        let parent_hash = case.verdict.header.parent_hash;
        let ancestors = Ancestors::verify(headers, parent_hash, &()).expect("leads to the parent");
        let number = case.verdict.header.number;
        for (back, header) in headers.iter().rev().enumerate() {
            let hash = ancestors.hash_of(number - 1 - back as u64);
            assert_eq!(hash, Some(keccak256(header)), "{}", case.name);
        }
        assert_eq!(ancestors.hash_of(number - 1), Some(parent_hash), "{}", case.name);
        assert_eq!(ancestors.hash_of(number), None, "{}", case.name);
        let beyond = (number - 1).checked_sub(headers.len() as u64);
        assert_eq!(beyond.and_then(|number| ancestors.hash_of(number)), None, "{}", case.name);
    }
}
