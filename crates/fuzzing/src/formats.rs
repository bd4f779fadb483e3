//! The formats that EXECUTE reads.

use crate::Outcome;
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, keccak256};
use codec::{Encode as _, compact::compact};
use std::{collections::HashSet, sync::Arc};
use trie::NodeIndex;
use wire::{
    Input, StatelessResult,
    compact::{Child, Code, CompactState, Storage, StreamNode},
};

/// Maximum number of codes in the witness of a state.
const MAX_CODES: usize = 8;
/// Index of the empty code among them.
const EMPTY_CODE: usize = 5;
/// Index of a code that is equal to the first one.
const REPEATED_CODE: usize = 6;

/// Checks that decoding never panics, and that each decoded value has one encoding: the bytes from
/// which it was decoded.
///
/// Bytes that begin with zero are a number of codes and a state in compact form; all others are
/// decoded as EXECUTE calldata and as a result.
pub fn wire(data: &[u8]) -> Outcome {
    match data {
        [0, codes, state @ ..] => compact_state(state, usize::from(*codes) % MAX_CODES),
        _ => calldata(data),
    }
}

fn calldata(data: &[u8]) -> Outcome {
    let result = StatelessResult::decode(data);
    if let Ok(result) = &result {
        assert_eq!(result.encode(), data, "a result has one encoding");
    }
    let Ok(input) = Input::decode(data) else { return Outcome::of(result.is_ok()) };
    let encoded = match &input {
        Input::Block(block) => block.encode(),
        Input::Batch(batch) => batch.encode(),
    };
    assert!(encoded == data, "an input has one encoding");
    // Hashing the requests does not panic, and the root commits to each block of a batch.
    let root = input.request_root();
    if let Input::Batch(batch) = &input {
        let mut fewer = batch.clone();
        fewer.requests.pop();
        assert_ne!(fewer.requests_root(), root, "the root commits to the number of blocks");
        let codes = batch.witness.codes;
        let codes: Vec<Bytes> = codes.iter().map(Bytes::copy_from_slice).collect();
        round_trip(&batch.witness.state, &codes);
    }
    Outcome::Accepted
}

/// Checks a state in compact form for a witness with `count` codes.
fn compact_state(bytes: &[u8], count: usize) -> Outcome {
    let Ok(state) = CompactState::decode(bytes, count) else { return Outcome::Refused };
    assert_eq!(state.encoded_len(), bytes.len());
    let code = |number| match number {
        EMPTY_CODE => Bytes::new(),
        REPEATED_CODE => Bytes::from_static(&[0x60, 0]),
        number => vec![0x60, number as u8].into(),
    };
    let codes: Vec<_> = (0..count).map(code).collect();
    round_trip(&state, &codes);
    Outcome::Accepted
}

/// Expands a state and encodes its nodes in compact form again.
fn round_trip(state: &CompactState<'_>, codes: &[Bytes]) {
    let digests: Arc<[B256]> = codes.iter().map(keccak256).collect();
    let code_index = NodeIndex::new(vec![Arc::clone(&digests)]);
    // The empty code and a duplicate code have shorter references than their positions.
    let mut named = HashSet::from([KECCAK256_EMPTY]);
    let are_codes_distinct = digests.iter().all(|digest| named.insert(*digest));
    named.remove(&KECCAK256_EMPTY);
    let nodes = stateless::expand(state, &code_index).expect("a decoded state is small enough");
    let all: Vec<_> = (0..nodes.len()).filter_map(|at| nodes.get(at)).collect();
    assert!(
        all.len() <= state.len()
            && all.iter().map(|node| node.len()).sum::<usize>() <= state.expanded_len()
    );
    for (node, digest) in all.iter().zip(nodes.digests().iter()) {
        assert_eq!(keccak256(node), *digest, "a digest is that of its node");
    }
    // The digest of the root is the last one.
    let Some(root) = nodes.digests().last().copied() else {
        assert!(state.is_empty(), "a state with nodes has a root");
        return;
    };
    let listed: Vec<_> = all.iter().map(|node| Bytes::copy_from_slice(node)).collect();
    let again = compact(root, (&listed).into(), codes.into());
    // Equal subtrees, and hashes of items that the witness carries, have a shorter form.
    let is_shortest = are_codes_distinct
        && nodes.digests().iter().all(|digest| named.insert(*digest))
        && hashes_of(state, codes.len()).iter().all(|hash| !named.contains(hash));
    match again {
        Ok(again) => {
            let same = again.get(4..) == Some(state.stream());
            assert!(same || !is_shortest, "a state has one shortest form");
            let shorter = CompactState::decode(&again, codes.len()).expect("the encoder checks it");
            assert!(shorter.len() <= state.len());
            let digests: HashSet<_> = nodes.digests().iter().collect();
            let expanded = stateless::expand(&shorter, &code_index).expect("it is smaller");
            assert_eq!(digests, expanded.digests().iter().collect(), "the nodes are the same");
        }
        Err(error) => assert!(!is_shortest, "{error}"),
    }
}

/// Returns the hashes that the nodes of a state contain.
fn hashes_of(state: &CompactState<'_>, codes: usize) -> Vec<B256> {
    let mut hashes = Vec::new();
    let mut reader = state.nodes(codes);
    while let Some(node) = reader.next_node().expect("it was read before") {
        match node {
            StreamNode::Branch(branch) => hashes.extend(branch.hashes.iter().map(B256::from)),
            StreamNode::Extension { child: Child::Hash(hash), .. } => hashes.push(hash.into()),
            StreamNode::Account { account, .. } => {
                if let Storage::Hash(hash) = account.storage {
                    hashes.push(hash.into());
                }
                if let Code::Hash(hash) = account.code {
                    hashes.push(hash.into());
                }
            }
            StreamNode::Extension { .. } | StreamNode::Slot { .. } => {}
        }
    }
    hashes
}
