//! The node of a native rollup: a sequencer or a follower.
//!
//! Both keep the L2 in a [`node::Node`], like a devnet, and follow L1. [`L1View`] contains L1
//! headers, and the rollup's transactions and logs verified against them; they are stored in a file
//! for the next start. A [`Follower`] derives the whole L2 from these alone. A [`Sequencer`] makes
//! blocks that fit into L1 transactions: anchors and messages first, then forced transactions, then
//! those of its pool. It verifies each block by EXECUTE before it serves it to other nodes, and its
//! [`Submitter`] posts them to L1.
//!
//! This crate implements the roles of an L2 node (following, block production and submission) and
//! their RPC methods. Other crates implement derivation from L1 (`derive`), the L2's chain, pool
//! and `eth_` methods (`chain`, `node`, `rpc`), the Engine API (`engine`; this crate decides which
//! heads it may choose), the lease between nodes (`lease`), the formats of the contracts
//! (`contracts`), and the flags and files of the command (`cli`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod anchor;
mod batcher;
mod block_input;
mod budget;
mod check;
mod config;
mod controls;
mod data_dir;
mod duties;
mod error;
mod evidence;
mod execute_rate;
mod follower;
mod fork_schedule;
mod heads;
mod import;
mod input_budget;
pub mod l1;
mod l1_cost;
mod l1_sync;
mod l2_contracts;
mod l2_syncer;
mod latency;
mod metrics;
mod node_handle;
mod pool_log;
mod preflight;
mod probe;
mod profile;
mod queue;
mod rpc;
mod sequencer;
mod service;
mod signed_blocks;
mod signer;
mod snapshot;
mod status;
mod submitter;
mod supervisor;
mod sync_progress;
mod unsafe_block_client;
mod web3signer;
mod worker;

pub use self::rpc::admin::RoleError;
pub use check::{Check, CheckOutcome};
pub use config::{
    AdminConfig, AdminToken, BacklogConfig, Config, EngineConfig, Prices, Role, SequencerConfig,
};
pub use contracts::advance_plan::L1Limits;
pub use controls::Switches;
pub use duties::{Duties, RollupRules};
pub use error::{DutyError, FeedError, L1Error, RollupError};
pub use follower::Follower;
pub use import::import;
pub use input_budget::InputLimits;
pub use l1::{L1Client, L1Reader, L1View};
pub use lease::{LeaseConfig, LeaseError};
pub use node::PoolLimits;
pub use preflight::preflight;
pub use profile::L1Profile;
pub use queue::{KnownMessage, MessageQueue};
pub use sequencer::Sequencer;
pub use service::RollupNode;
pub use signer::Signer;
pub use snapshot::{SnapshotSummary, export_snapshot, import_snapshot};
pub use status::Status;
pub use submitter::{
    Blobs, InFlight, Submitter, SubmitterConfig, SubmitterProgress, TxCandidate, TxData,
};
pub use supervisor::{TaskObserver, TaskPanic};
pub use web3signer::SignerError;
