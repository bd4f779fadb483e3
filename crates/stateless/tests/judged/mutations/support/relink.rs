//! Consistent forgeries: a node, code or header is replaced, and with it every hash above it, up to
//! the block hash. Only in this way does a change of the state pass the hash checks.

use alloy_primitives::{B256, keccak256};
use codec::OwnedWitness;

/// The part to replace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Node(usize),
    Code(usize),
    Header(usize),
}

/// A witness in which a part has been replaced, and the hash of its last header.
pub(crate) struct Relinked {
    pub(crate) witness: OwnedWitness,
    pub(crate) parent_hash: B256,
}

/// Replaces a part by `new`, and each occurrence of its hash by the hash of `new`, and so on
/// upwards.
pub(crate) fn relink(witness: &OwnedWitness, part: Part, new: Vec<u8>) -> Relinked {
    let mut witness = witness.clone();
    let place = match part {
        Part::Node(index) => &mut witness.state[index],
        Part::Code(index) => &mut witness.codes[index],
        Part::Header(index) => &mut witness.headers[index],
    };
    let mut renamed = vec![(keccak256(&*place), keccak256(&new))];
    *place = new.into();
    // A node that is placed below itself has no matching hash: some link remains broken.
    for _ in 0..1_000 {
        let Some((old, new)) = renamed.pop() else { break };
        for place in witness.state.iter_mut().chain(&mut witness.headers) {
            if let Some(replaced) = replace(place, &old, &new) {
                renamed.push((keccak256(&*place), keccak256(&replaced)));
                *place = replaced.into();
            }
        }
    }
    let parent_hash = witness.headers.last().map(keccak256).unwrap_or_default();
    Relinked { witness, parent_hash }
}

/// Returns the bytes with every occurrence of a hash replaced; `None` if there is none.
fn replace(bytes: &[u8], old: &B256, new: &B256) -> Option<Vec<u8>> {
    let mut replaced: Option<Vec<u8>> = None;
    let mut from = 0;
    while let Some(found) = bytes[from..].windows(32).position(|window| window == old.as_slice()) {
        let at = from + found;
        replaced.get_or_insert_with(|| bytes.to_vec())[at..at + 32].copy_from_slice(&new[..]);
        from = at + 32;
    }
    replaced
}
