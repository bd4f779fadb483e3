//! Metering of work that the gas of a block does not pay for.

use alloy_primitives::Address;
use core::{error::Error, fmt};

/// A piece of work that takes more time than the gas of the block, or the bytes of its witness,
/// have paid for. It is reported before or after it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderpricedWork {
    /// A witness node is loaded at one more position than it was carried for.
    ///
    /// Trie keys are hashes, so in a state that blocks have produced, no node occurs twice in a
    /// trie. The author of an invented state can make all children of every branch equal, and walk
    /// a hundred nodes as if they were a complete trie.
    RepeatedNode {
        /// Length of the node in bytes.
        bytes: usize,
    },
    /// A precompile ran.
    Precompile {
        /// Its address.
        address: Address,
        /// Gas charged for it; for a failed one, the maximum gas of its work.
        gas: u64,
    },
    /// KECCAK256 ran.
    Keccak {
        /// Bytes hashed.
        bytes: usize,
    },
    /// CREATE or CREATE2: the init code is copied, searched for jump destinations, and, for
    /// CREATE2, hashed.
    InitCode {
        /// Length of the init code in bytes.
        bytes: usize,
        /// `true` for CREATE2.
        is_hashed: bool,
    },
}

/// Receiver of [`UnderpricedWork`] reports.
pub trait WorkMeter: fmt::Debug + Send + Sync {
    /// Records a piece of work and returns `true` if the block may continue. Otherwise execution
    /// stops with an [`InternalError`](crate::InternalError), which says nothing about the block.
    fn spend(&self, work: UnderpricedWork) -> bool;
}

/// Error of a meter that refuses further work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsufficientGas;

impl fmt::Display for InsufficientGas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("insufficient gas for further work on this block")
    }
}

impl Error for InsufficientGas {}
