//! An Ethereum chain on revm that records the witness of every block.
//!
//! The chain uses the same trie and the same block execution as the verifier, over a
//! [`store::Store`] that contains all trie nodes. The nodes that a block reads from the store are
//! its witness. Nodes are stored by hash, so the state of every block is readable until it is
//! pruned, and a [`State`] can be read while the chain advances. [`Chain`] is the writer,
//! [`ChainReader`] is for readers.
//!
//! This crate contains genesis, block building (optionally within a [`BlockBudget`]), import and
//! replay of blocks (of all forks since Frontier; proof-of-work seals are not checked), the
//! canonical chain, state proofs, and the storage interface with an in-memory implementation
//! ([`store`]). Storage on disk is in `disk`, validity in `stateless`, EXECUTE in `variants` (as an
//! [`Extension`]), and transaction pool and clock in `node`.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accounts;
mod allowance;
mod ancestors;
mod attributes;
mod budget;
mod builder;
mod call;
mod candidates;
mod chain;
mod config;
mod dao;
mod edit;
mod error;
mod execute_tx;
mod failure;
mod filler;
mod footprint;
mod fork_times;
mod gas_pool;
mod genesis;
mod header;
mod import;
mod input_builder;
mod proof;
mod reader;
mod record;
mod replay;
mod sender;
mod spec_reads;
mod state;
pub mod store;
mod verify;
mod witness;

pub use accounts::each_account;
pub use allowance::{AllowanceRefusal, ExecuteMarket};
pub use ancestors::LIST_OFFSET;
pub use attributes::BlockAttributes;
pub use budget::{BlockBudget, BudgetPolicy, BudgetRequest, InputUse};
pub use builder::{BlockBuilder, BlockBuilderOutcome};
pub use call::{Call, CallBlock, CallOutcome};
pub use chain::Chain;
pub use config::{ChainConfig, ExecuteTxPrecompile, Extension, LiftedLimits, spec_of};
pub use edit::EditState;
pub use error::ChainError;
pub use execute_tx::{initial_gas, intrinsic_gas, try_alone};
pub use failure::{foundry_revert_reason, halt_reason, revert_reason};
pub use filler::RecoveredTransaction;
pub use footprint::BlockFootprint;
pub use fork_times::{ForkTime, ForkTimes, ForkTimesError};
pub use gas_pool::Rejection;
pub use genesis::{empty_genesis, genesis_hash, genesis_header};
pub use input_builder::{block_of, to_stateless_batch, to_stateless_input};
pub use proof::{AccountProof, SlotProof};
pub use reader::ChainReader;
pub use record::WitnessSize;
pub use replay::{Replay, witness_of};
pub use sender::max_cost;
pub use state::{MAX_EXECUTION_GAS, State, next_gas_limit};
pub use verify::verify_child;
pub use witness::{BatchWithWitness, shortest_input};

// The main types of `store`.
pub use store::{Block, ExecuteDraw, ExecutedBlock, Store, Transaction};
