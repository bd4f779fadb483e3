//! The rollup's contracts for the node.
//!
//! This crate re-exports the bindings, messages and checks of claims of `sdk`. It reimplements the
//! formats that L1 and the L2 nodes must agree on, and tests compare them with the Solidity code.
//! It also contains the genesis of an L2, the constructor arguments on L1, and the file format of a
//! [`Deployment`]. It does not compile Solidity and does no network I/O.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accusation;
mod advance_calldata;
pub mod advance_plan;
mod anchor;
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

pub use accusation::{PRECONF_BONDS_CODE_HASH, accuse_calldata, canonical_block, preconfirmation};
pub use advance_calldata::advance_inputs;
pub use anchor::Anchor;
pub use claims::message_proof;
pub use config::{ForcedConfig, GuardianConfig, RollupConfig};
pub use deployment::{Deployment, DeploymentError, Verification};
pub use genesis::{
    L1_ANCHOR, PREMINT, Predeploys, l2_chain_config, l2_chain_config_following, l2_genesis,
};
pub use genesis_check::{
    GenesisAllowance, GenesisFinding, allocated_ether, check_genesis, storage_only_accounts,
};
pub use inclusion::{prove_inclusions, prove_transaction};
pub use sdk::{
    ClaimError, L2_ACCOUNTS, L2_MESSENGER, Message, alias_account, bindings, claim_calldata,
    extend, kept_slot, logged_message, pack, proof::Unproven, sent_in, sent_slot, verify_message,
};
