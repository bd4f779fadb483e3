//! The rollup's contracts for Rust.
//!
//! This crate gives the interfaces of `contracts/` as types, also for calls over JSON-RPC, mirrors the
//! formats that both sides must agree on, and knows what goes into an L2's genesis and into the
//! constructors on L1, and what the file of a [`Deployment`] holds. It owns no protocol: that is
//! written in Solidity, and tests hold the mirrors here against it. It compiles nothing and
//! does no I/O over a network.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod bindings;
pub mod capacity;
mod config;
mod deployment;
mod genesis;
pub mod kept;
mod messages;
pub mod posting;
mod proofs;

pub use config::{ForcedConfig, RollupConfig};
pub use deployment::{Deployment, DeploymentError};
pub use genesis::{
    L1_ANCHOR, L2_MESSENGER, PREMINT, Predeploys, l2_chain_config, l2_chain_config_following,
    l2_genesis,
};
pub use messages::{Anchor, Message, extend, kept_slot, pack, sent_in, sent_slot};
pub use proofs::message_proof;
