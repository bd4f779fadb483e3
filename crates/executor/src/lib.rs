//! Executes Ethereum blocks on revm over a state of tries.
//!
//! [`BlockExecution`] runs a block on a [`BlockState`]: system calls, transactions one by one,
//! withdrawals, rewards and requests, under the rules of a [`ChainSpec`]. Verifier, block builder,
//! import and replay use the same executor with different [`StateSource`]s: the witness of a
//! stateless input, or the store of a chain. A chain that differs from its fork implements
//! [`EvmOverrides`]: limits, precompiles, hooks for blocks and transactions.
//!
//! This crate owns execution, from the transactions to receipts and the post-state root, for all
//! forks since Frontier. It owns neither the rules of headers nor the verdict on a block
//! (`stateless`), nor the trie (`trie`), formats (`wire`) or storage of states (`chain::store`).
//!
//! The type of an error states who is at fault: [`Invalid`] means the block, [`InternalError`]
//! means this node.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(not(test), no_std)]

#[macro_use]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod cryptography;
mod deposits;
mod error;
mod evm;
mod execution;
mod meter;
mod overrides;
mod receipts;
mod spec;
mod state;
mod system;
mod tally;
mod transactions;

pub use cryptography::Cryptography;
pub use error::{BlockError, InternalError, Invalid, ReadError, StateError};
pub use evm::{BlockEvm, inspected_evm, noted_selfdestruct};
pub use execution::{BlockExecution, Environment, execute_block};
pub use meter::{InsufficientGas, UnderpricedWork, WorkGas, WorkMeter};
pub use overrides::{EvmOverrides, HookState, take_authorities};
pub use receipts::{ExecutionOutcome, Receipt};
pub use spec::ChainSpec;
pub use state::{BlockState, ForkBackend, Instructions, PostState, ReadMark, StateSource};
pub use system::{SYSTEM_CONTRACTS, SystemCode, SystemContract, check_system_code};
pub use tally::BlockTally;
pub use transactions::{
    Transaction, TransactionCheck, check_transactions, decode_transaction, initial_gas,
    intrinsic_gas, recover_sender, spec_id,
};

/// A cell that is written once, by any thread.
#[cfg(feature = "std")]
pub type OnceCell<T> = std::sync::OnceLock<T>;
/// A cell that is written once.
#[cfg(not(feature = "std"))]
pub type OnceCell<T> = core::cell::OnceCell<T>;
