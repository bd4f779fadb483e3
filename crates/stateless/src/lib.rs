//! Verifies an Ethereum block from a witness alone.
//!
//! [`verify`] takes a stateless input and says whether its payload is a valid child of the parent
//! header in the witness, by everything that `engine_newPayload` checks without a database: the
//! header against its parent, the transactions and their senders, execution by revm over the state
//! that the witness proves, and all commitments of the header against what execution produced.
//!
//! The witness is advice. The verdict depends on the payload and the chain only: a witness that is
//! too small makes the call fail, and no witness can make an invalid payload pass, because every
//! byte of it that is used is found by a hash that the payload commits to.
//!
//! This crate owns block validity. It does not own formats (`wire`), the trie (`trie`), or what a
//! rollup or a gas schedule demands beyond validity (`execute`). It does no I/O, reads no clock and
//! keeps no state between calls. [`BlockState`] and [`BlockExecution`] are the same code that builds
//! blocks on a full database: the `chain` crate runs them over its own [`StateSource`], and imports them with [`process_block`].

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod ancestors;
mod block;
mod complete;
mod error;
mod evm;
mod execution;
mod header;
mod process;
mod senders;
mod spec;
mod state;
mod system;
mod transactions;
mod verify;
mod witness;

pub use ancestors::Ancestors;
pub use block::{RlpSize, header_of};
pub use complete::to_stateless_input;
pub use error::{Invalid, StateError};
pub use evm::{BlockEvm, block_evm, inspected_evm};
pub use execution::{BlockExecution, Environment, EvmOverrides, ExecutionOutcome, Receipt};
pub use header::{next_base_fee, next_excess_blob_gas, validate_header};
pub use process::{UnprovenBlock, check_access_list_size, process_block};
pub use senders::recover_sender;
pub use spec::ChainSpec;
pub use state::{BlockState, ForkBackend, PostState, StateSource};
pub use system::{SYSTEM_CONTRACTS, SystemCode, SystemContract};
pub use transactions::{Transaction, check_transactions, decode_transaction, intrinsic_gas};
pub use verify::{UncheckedBlock, Options, Stage, Verdict, verify};
pub use witness::Witness;
