//! The node of a native rollup: a sequencer or a follower.
//!
//! Both use a [`node::Node`] for the L2, like a devnet, and follow L1. [`L1View`] contains L1
//! headers, and the rollup's transactions and logs verified against them, which are also stored in
//! a file. A [`Follower`] derives the L2 from these alone. A [`Sequencer`] builds blocks that fit
//! into L1 transactions: anchors and messages first, then forced transactions, then the
//! transactions of its pool. It verifies each block with EXECUTE before it serves the block to
//! other nodes, and its [`Submitter`] posts the blocks to L1.
//!
//! This crate implements the roles of an L2 node (following, block production, submission and
//! leader election) and their RPC methods. Other crates implement derivation from L1 (`derive`),
//! the L2's chain, pool and `eth_` methods (`chain`, `node`, `rpc`), the Engine API (`rpc::engine`;
//! this crate decides which heads it may choose), the formats of the contracts (`contracts`), and
//! the flags and files of the command (`cli`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod batcher;
mod check;
mod config;
mod controls;
mod duties;
mod error;
mod fault_log;
pub mod l1;
mod l2;
mod lease;
mod parties;
mod prefix;
mod probe;
mod rpc;
mod sequencer;
mod service;
mod signer;
mod status;
mod submitter;
mod threads;
mod watch;

#[cfg(test)]
#[global_allocator]
static HEAP: testkit::CountingHeap = testkit::CountingHeap;

pub use self::rpc::error::{AdminPortError, RoleError};
pub use batcher::BatcherError;
pub use check::{Check, CheckOutcome};
pub use config::{
    AdminConfig, AdminToken, BacklogConfig, Config, EngineConfig, PreconfirmConfig, Prices, Role,
    SequencerConfig,
};
pub use contracts::advance_plan::L1Limits;
pub use controls::Switches;
pub use duties::{Duties, DutyError, RollupRules};
pub use error::RollupError;
pub use l1::profile::L1Profile;
pub use l1::queue::{KnownMessage, MessageQueue};
pub use l1::{L1Client, L1Error, L1Provider, L1Reader, L1View, ReadHeader, revert_data};
pub use l2::follower::Follower;
pub use l2::import::import;
pub use l2::{FeedError, L2Error};
pub use lease::{
    CandidateId, Credentials, Fence, HOLD, Leader, Lease, LeaseConfig, LeaseError, LeaseName,
    LeaseTask, MAX_RECORD, Record, SharedRecords, TAKEOVER_WAIT, TTL_SECONDS,
};
pub use node::PoolLimits;
pub use prefix::{NotPreconfirming, PrefixError};
pub use rpc_types::SyncStatus;
pub use sequencer::input_budget::InputLimits;
pub use sequencer::{Sequencer, SequencerError};
pub use service::RollupNode;
pub use service::error::ServiceError;
pub use service::last_state::LastState;
pub use service::preflight::preflight;
pub use service::snapshot::{SnapshotSummary, export_snapshot, import_snapshot};
pub use service::supervisor::{ActorObserver, ActorPanic};
pub use signer::{Signer, SignerError};
pub use submitter::{
    Blobs, InFlight, Submitter, SubmitterConfig, SubmitterError, SubmitterProgress, TxCandidate,
    TxData,
};
pub use watch::{WatchConfig, WatchEvent, WatchReport};
