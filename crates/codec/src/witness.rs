//! Owned execution witnesses.

use crate::encode;
use alloy_consensus::Header;
use alloy_primitives::Bytes;
use wire::{ByteLists, DecodeError, ExecutionWitness};

/// An owned witness, as converters and witness recorders produce it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedWitness {
    /// RLP of trie nodes, like [`ExecutionWitness::state`].
    pub state: Vec<Bytes>,
    /// Contract codes, like [`ExecutionWitness::codes`].
    pub codes: Vec<Bytes>,
    /// RLP of ancestor headers, like [`ExecutionWitness::headers`].
    pub headers: Vec<Bytes>,
}

impl OwnedWitness {
    /// Sorts nodes and codes and drops duplicates, empty nodes and empty codes, as the canonical
    /// form requires. Headers are left unchanged.
    pub fn canonicalize(&mut self) {
        const EMPTY_NODE: &[u8] = &[0x80];
        // The empty node has a known hash and no parent refers to it, so a canonical witness does
        // not list it.
        self.state.retain(|node| !node.is_empty() && node.as_ref() != EMPTY_NODE);
        self.codes.retain(|code| !code.is_empty());
        for list in [&mut self.state, &mut self.codes] {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// Returns a borrowed view of the witness for encoding.
    pub fn view(&self) -> ExecutionWitness<'_> {
        ExecutionWitness {
            state: (&self.state).into(),
            codes: (&self.codes).into(),
            headers: (&self.headers).into(),
        }
    }

    /// Encodes the witness as SSZ. The input of a single block ends with these bytes.
    pub fn to_ssz(&self) -> Vec<u8> {
        let view = self.view();
        let mut out = Vec::with_capacity(view.encoded_len());
        encode::witness(&view, &mut out);
        out
    }

    /// Copies a witness view into an owned witness.
    pub fn of(view: &ExecutionWitness<'_>) -> Self {
        let owned = |list: &ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect();
        Self { state: owned(&view.state), codes: owned(&view.codes), headers: owned(&view.headers) }
    }
}

/// Sorts headers, given as RLP in any order, from the lowest number to the highest.
pub(crate) fn ascending(headers: impl Iterator<Item = Bytes>) -> Result<Vec<Bytes>, DecodeError> {
    let mut numbered = headers
        .map(|rlp| match alloy_rlp::decode_exact::<Header>(&rlp) {
            Ok(header) => Ok((header.number, rlp)),
            Err(reason) => Err(DecodeError::Rlp { what: "witness header", reason }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, rlp)| rlp).collect())
}
