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
//! The witness is advice. The verdict depends only on the payload and the chain: an incomplete
//! witness makes the call fail, and no witness can make an invalid payload pass, because every byte
//! that is used is found by a hash that the payload commits to.
//!
//! This crate owns block validity. It owns neither formats (`wire`) nor the trie (`trie`), nor what
//! a rollup or a gas schedule requires beyond validity (`execute`). It does no I/O, reads no clock
//! and keeps no state between calls. Execution is in the `executor` crate, which also builds blocks
//! on a full store; a chain imports blocks with [`process_block`].
//!
//! The type of an error states who is at fault: [`Invalid`] is a verdict on the block, and
//! [`BlockError::Internal`] is not.

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
pub use input::{BlockRefused, UncheckedBlocks};
pub use options::{Stage, VerifyOptions};
pub use process::{check_access_list_size, process_block};
pub use threads::{beside, with_help};
pub use transactions::declared_gas;
pub use verify::{Verdict, verify, verify_batch};
pub use witness::{Witness, WitnessDb, WitnessState};

// Types of the executor that verdicts and options contain.
pub use executor::{
    BlockError, BlockTally, ChainSpec, Cryptography, EvmOverrides, HookState, InsufficientGas,
    InternalError, Invalid, OnceCell, SystemCode, Transaction, UnderpricedWork, WorkGas, WorkMeter,
};
