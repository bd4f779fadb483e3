//! The rollup's contracts for Rust.
//!
//! This crate compiles `contracts/`, gives their interfaces as types, mirrors the formats that both
//! sides must agree on, and puts them on chains: the predeploys into an L2 genesis, the others onto
//! an L1 that has EXECUTE. It owns no protocol: that is written in Solidity, and tests hold the
//! mirrors here against it.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod bindings;
mod compile;
mod error;
mod genesis;
mod l1;
mod l2;
mod messages;
mod rollup;

pub use compile::{Artifact, Artifacts};
pub use error::ContractsError;
pub use genesis::{L1_ANCHOR, L2_MESSENGER, PREMINT, l2_genesis};
pub use l1::{L1, L1Node, Sent, TRANSACTION_GAS_CAP};
pub use l2::L2;
pub use messages::{Anchor, Message, extend, pack, sent_slot};
pub use rollup::{ForcedConfig, Rollup, RollupConfig, message_proof};
