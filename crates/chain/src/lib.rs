//! An Ethereum chain on revm that can record the witness of every block.
//!
//! The chain lives on the same trie and the same block execution as the verifier, over a
//! [`store::Store`] that holds every node: what a block reads from the store *is* its witness. Since
//! state is found by hash, the state of every block stays readable until somebody prunes the chain,
//! and a [`State`] may be kept and read while the chain moves on. [`Chain`] writes, [`ChainReader`] is
//! for all others.
//!
//! This crate owns genesis, building, importing and replaying blocks (of all forks since Frontier;
//! seals of proof of work are not checked), which blocks are canonical, and proofs of state. It does
//! not own where things are kept (`store`; in files, `disk`), validity (`stateless`), what EXECUTE adds
//! to an L1 (`execute`; a chain only has it installed), transaction pools and clocks (`node`), or
//! networks.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod attributes;
mod builder;
mod call;
mod chain;
mod complete;
mod config;
mod error;
mod failure;
mod gas_pool;
mod genesis;
mod header;
mod import;
mod open;
mod proof;
mod reader;
mod record;
mod replay;
mod room;
mod sender;
mod state;
mod witness;

pub use attributes::BlockAttributes;
pub use builder::{BuiltBlock, RecoveredTransaction};
pub use call::{Call, CallBlock, CallOutcome};
pub use chain::Chain;
pub use complete::{block_of, to_stateless_batch, to_stateless_input};
pub use config::{ChainConfig, Limits, spec_of};
pub use error::ChainError;
pub use failure::{foundry_revert_reason, halt_reason, revert_reason};
pub use gas_pool::Rejection;
pub use genesis::{empty_genesis, genesis_header};
pub use proof::{AccountProof, SlotProof};
pub use reader::ChainReader;
pub use replay::Replay;
pub use room::{InputLimits, InputUse};
pub use state::State;
pub use witness::{BatchWithWitness, BlockWithWitness, shortest_input};

// What a chain is made of.
pub use disk::DiskOptions;
pub use store::{Block, ExecutedBlock};
