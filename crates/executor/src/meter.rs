//! Work that somebody may want to be paid for beyond the gas of a block.

use alloy_primitives::Address;
use core::{error::Error, fmt};

/// A piece of work that takes more time than the gas of the block, or the bytes of its witness, have
/// paid for. It is named when it is done, or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DearWork {
    /// A node of a witness is loaded at one more place than it was carried for.
    ///
    /// Keys of a trie are hashes, so that in a state that blocks have made no node stands twice in one
    /// trie. Whoever makes up a state can have each child of each branch be the same, and walk through
    /// a hundred nodes as if they were all that there can be.
    RepeatedNode {
        /// Its length.
        bytes: usize,
    },
    /// A precompile ran.
    Precompile {
        /// Which.
        address: Address,
        /// Gas that it took; of one that failed, the most that its work was worth.
        gas: u64,
    },
    /// The instruction KECCAK256.
    Keccak {
        /// Length of what it hashed.
        bytes: usize,
    },
    /// CREATE or CREATE2, whose init code is copied, searched for jump destinations, and by the second hashed.
    InitCode {
        /// Its length.
        bytes: usize,
        /// Whether it is CREATE2.
        is_hashed: bool,
    },
}

/// Who is told of [`DearWork`].
pub trait WorkMeter: fmt::Debug + Send + Sync {
    /// Takes note of it; whether the block may go on. One that may not is not executed to its end, and
    /// that it was not is an [`InternalError`](crate::InternalError): it says nothing about the block.
    fn spend(&self, work: DearWork) -> bool;
}

/// A meter said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpaid;

impl fmt::Display for Unpaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody pays for more work on this block")
    }
}

impl Error for Unpaid {}
