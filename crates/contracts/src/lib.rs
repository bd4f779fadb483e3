//! Rust bindings of the rollup's contracts.
//!
//! This crate provides the interfaces of `contracts/` as Rust types, also for calls over JSON-RPC.
//! It reimplements the formats that L1 and the L2 nodes must agree on, and tests compare them with
//! the Solidity code. It also contains the genesis of an L2, the constructor arguments on L1, and
//! the file format of a [`Deployment`]. It does not compile Solidity and does no network I/O.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod advance_plan;
pub mod bindings;
pub mod capacity;
mod claims;
pub mod code_reference;
pub mod commitment;
mod config;
mod deployment;
pub mod exit;
mod genesis;
mod genesis_check;
mod inclusion;
mod messages;
mod proof;

pub use claims::{ClaimError, claim_calldata, logged_message, message_proof, verify_message};
pub use config::{ForcedConfig, GuardianConfig, RollupConfig};
pub use deployment::{Deployment, DeploymentError, Verification};
pub use genesis::{
    L1_ANCHOR, L2_ACCOUNTS, L2_MESSENGER, PREMINT, Predeploys, alias_account, l2_chain_config,
    l2_chain_config_following, l2_genesis,
};
pub use genesis_check::{
    GenesisAllowance, GenesisFinding, allocated_ether, check_genesis, storage_only_accounts,
};
pub use inclusion::{prove_inclusions, prove_transaction};
pub use messages::{Anchor, Message, extend, kept_slot, pack, sent_in, sent_slot};
pub use proof::Unproven;
