//! Properties that hold for all bytes.
//!
//! Each function of [`PROPERTIES`] reads its choices from bytes and panics if the property is
//! broken. A target of `cargo fuzz` hands it the bytes of libFuzzer; the test `smoke` hands it the
//! committed corpus and mutations of it, on stable and without libFuzzer. An outcome says how far
//! the bytes went, so that a run can prove that it reached the deep paths too.
//!
//! A property compares two ways to the same answer: decoding with encoding, the trie with
//! `alloy-trie`, a block alone with the same block in a batch and on a chain, a call in a dialect
//! with the input within it. A call that a library answers by a panic counts as broken, although
//! EXECUTE only fails that call.
//!
//! An execution takes microseconds, or a fuzzer sees too few inputs: chains are built once, senders
//! are recovered once, the verdict on an input is kept, and checks that take as long as all others
//! together are made on one input in eight.
//!
//! Only tests and the targets in `fuzz/` depend on this crate.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod blocks;
mod calls;
mod choices;
mod formats;
mod judge;
mod memo;
mod nodes;
mod repairs;
mod scene;
mod sequences;
mod signatures;
mod tails;
mod tries;

pub use blocks::inputs;
pub use calls::dialects;
pub use formats::wire;
pub use tails::blob_tails;
pub use tries::trie;

/// Depth that bytes reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The bytes have no form that the property is about.
    Unreadable,
    /// The bytes were examined and refused.
    Refused,
    /// The bytes were accepted.
    Accepted,
}

impl Outcome {
    /// Returns the outcome of a verdict.
    const fn of(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// A property: it takes any bytes, and panics if it is broken.
pub type Property = fn(&[u8]) -> Outcome;

/// All properties by name. A target of `cargo fuzz` and a folder of the corpus have the same name.
pub const PROPERTIES: [(&str, Property); 5] = [
    ("wire", wire),
    ("trie", trie),
    ("inputs", inputs),
    ("dialects", dialects),
    ("blob_tails", blob_tails),
];
