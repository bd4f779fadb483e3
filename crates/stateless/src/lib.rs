//! Verifies Ethereum blocks from a witness alone.
//!
//! [`verify`] decides whether the payload of a stateless input is a valid child of the parent
//! header in the witness. It makes all checks of `engine_newPayload` that need no database: the
//! header against its parent, the transactions and their senders, execution by revm over the state
//! that the witness proves, and all commitments of the header against the result of execution.
//!
//! [`verify_batch`] does the same for consecutive blocks with one witness: the witness is hashed
//! and linked once, and each block is executed on the post-state of the previous one.
//!
//! The witness is untrusted. An incomplete witness makes verification fail, but no witness can make
//! an invalid payload pass, because every byte that is used is looked up by a hash that the payload
//! commits to.
//!
//! This crate implements block validity. Formats are in `wire`, the trie is in `trie`, and the
//! additional rules of a rollup and its gas schedule are in `execute`. Transactions are executed by
//! the `executor` crate, which also builds blocks on a full database; a chain imports blocks with
//! [`process_block`]. This crate does no I/O, reads no clock and has no state between calls.
//!
//! The type of an error distinguishes an invalid block ([`Invalid`]) from a local failure
//! ([`BlockError::Internal`]), which is not a verdict on the block.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(not(test), no_std)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod ancestors;
mod block;
mod compact;
mod header;
mod input;
mod options;
mod process;
mod senders;
mod threads;
mod transactions;
mod verify;
mod witness;

pub use ancestors::Ancestors;
pub use block::{RlpSize, header_of};
pub use compact::{expand, expand_within};
pub use header::{next_base_fee, next_excess_blob_gas, validate_header};
pub use input::{BlockRejection, UncheckedBlocks};
pub use options::{Stage, VerifyOptions};
pub use process::{check_access_list_size, process_block};
pub use threads::{beside, with_help};
pub use transactions::declared_gas;
pub use verify::{Verdict, verify, verify_batch};
pub use witness::{Witness, WitnessDb, WitnessState};

// Types that appear in verdicts and options.
pub use executor::{
    BlockError, BlockTally, ChainSpec, Cryptography, EvmOverrides, HookState, InsufficientGas,
    InternalError, Invalid, OnceCell, SystemCode, Transaction, UnderpricedWork, WorkGas, WorkMeter,
};
