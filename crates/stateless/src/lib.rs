//! Verifies Ethereum blocks from a witness alone.
//!
//! [`verify`] takes a stateless input and says whether its payload is a valid child of the parent
//! header in the witness, by everything that `engine_newPayload` checks without a database: the
//! header against its parent, the transactions and their senders, execution by revm over the state
//! that the witness proves, and all commitments of the header against what execution produced.
//!
//! [`verify_batch`] does the same for blocks that follow one another, over one witness: what it holds is
//! hashed and linked once, and each block finds the state that the one before it has left.
//!
//! The witness is advice. The verdict depends on the payload and the chain only: a witness that is
//! too small makes the call fail, and no witness can make an invalid payload pass, because every
//! byte of it that is used is found by a hash that the payload commits to.
//!
//! This crate owns block validity. It does not own formats (`wire`), the trie (`trie`), or what a
//! rollup or a gas schedule demands beyond validity (`execute`). It does no I/O, reads no clock and
//! keeps no state between calls. Execution itself is the `executor` crate's, the same that builds
//! blocks on a full store; a chain imports blocks with [`process_block`].
//!
//! An error says whose fault it is: [`Invalid`] is a verdict on the block, and
//! [`BlockError::Internal`] is none.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod ancestors;
mod block;
mod compact;
mod header;
mod input;
mod process;
mod senders;
mod transactions;
mod verify;
mod witness;

pub use ancestors::Ancestors;
pub use block::{RlpSize, header_of};
pub use compact::{expand, expand_within};
pub use header::{next_base_fee, next_excess_blob_gas, validate_header};
pub use input::{BlockRefused, Blocks, UncheckedBlock, UncheckedBlocks};
pub use process::{UnprovenBlock, check_access_list_size, process_block};
pub use transactions::declared_gas;
pub use verify::{Options, Stage, Verdict, verify, verify_batch};
pub use witness::{LinkedState, LinkedWitness, Witness};

// The words in which a verdict is asked for and given.
pub use executor::{
    BlockError, BlockTally, ChainSpec, DearWork, EvmOverrides, HookState, InternalError, Invalid,
    SystemCode, Transaction, Unpaid, WorkMeter,
};
