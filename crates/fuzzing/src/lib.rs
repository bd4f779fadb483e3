//! Properties for fuzzing, which hold for all bytes.
//!
//! Each function of [`PROPERTIES`] derives its choices from bytes and panics if the property is
//! violated. A target of `cargo fuzz` passes it the bytes of libFuzzer; the test `smoke` passes it
//! the committed corpus and mutations of it, on stable and without libFuzzer. The outcome says how
//! far the bytes got, so that the test can require that deep paths are reached.
//!
//! A property compares two ways to the same result: decoding with encoding, the trie with
//! `alloy-trie`, a single block with the same block in a batch and on a chain, a call in a dialect
//! with its inner input. A panic of a library counts as a violation, although EXECUTE only fails
//! that call.
//!
//! Executions must take microseconds for a fuzzer to cover enough inputs. Therefore chains are
//! built once, senders are recovered once, verdicts are cached, and checks that take as long as all
//! others together are made on one input in eight.
//!
//! Only tests and the targets in `fuzz/` depend on this crate.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod agreement;
mod blocks;
mod cached_execute;
mod calls;
mod choices;
mod forked_chain;
mod formats;
mod memo;
mod mutations;
mod nodes;
mod repairs;
mod sequences;
mod signatures;
mod tails;
mod tries;
mod updates;

pub use blocks::inputs;
pub use calls::dialects;
pub use formats::wire;
pub use tails::blob_tails;
pub use tries::trie;
pub use updates::updates;

/// How far an input got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The bytes are not in a format that the property covers.
    Unreadable,
    /// The bytes were examined and rejected.
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

/// A property: a function of arbitrary bytes that panics if the property is violated.
pub type Property = fn(&[u8]) -> Outcome;

/// All properties by name. Each has a target of `cargo fuzz` and a directory of the corpus with
/// this name.
pub const PROPERTIES: [(&str, Property); 6] = [
    ("wire", wire),
    ("trie", trie),
    ("inputs", inputs),
    ("dialects", dialects),
    ("blob_tails", blob_tails),
    ("updates", updates),
];
