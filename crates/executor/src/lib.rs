//! Executes Ethereum blocks on revm over a state of tries.
//!
//! [`BlockExecution`] executes a block on a [`BlockState`] under the rules of a [`ChainSpec`]:
//! system calls, transactions, withdrawals, rewards and requests. Verifier, block builder, import
//! and replay use the same executor with different [`StateSource`]s, such as the witness of a
//! stateless input or the store of a chain. A chain whose rules differ from those of its fork
//! implements [`EvmOverrides`]: limits, precompiles, and hooks for blocks and transactions.
//!
//! This crate implements execution for all forks since Frontier, from the transactions to receipts
//! and the post-state root. Header rules and the verdict on a block are in `stateless`, the trie is
//! in `trie`, formats are in `wire`, and states are stored by `chain::store`.
//!
//! The type of an error distinguishes an invalid block ([`Invalid`]) from a failure of this node
//! ([`InternalError`]).

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
pub use overrides::{EvmOverrides, HookState, override_authorities};
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
