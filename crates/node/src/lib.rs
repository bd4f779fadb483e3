//! A running chain: pool, block production, clock, events.
//!
//! [`Node`] is the handle that servers share. An L1 devnet and an L2 node have the same [`Node`]
//! with other settings. It has one writer at a time. Readers obtain a [`chain::State`] or a block
//! and continue without a lock, so they do not wait while a block is executed.
//!
//! This crate owns the pool and its order, the triggers and timestamps of blocks, commands that
//! change the state, and events. It does not own execution and state (`chain`), JSON-RPC (`rpc`),
//! or the methods, keys and flags of a devnet (`devnet`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod admission;
mod blobs;
mod clock;
mod command;
mod draft;
mod error;
mod event;
mod foreign;
mod header_policy;
mod mine;
mod mine_request;
mod node;
mod observer;
mod pool;
mod pool_journal;
mod settings;
mod state;
mod submit;

pub use blobs::BlobStore;
pub use clock::{Clock, TimeOfDay};
pub use command::{
    ClearPool, Command, DropTransaction, RemoveSender, RemoveTransaction, Restore, RestoreChain,
    SetAttributes, SetBlobStore, SetClock, SetClosed, SetCoinbase, SetForkchoice, SetGasPrice,
    SetHead, SetMining, SetObserver, SetPoolJournal, SetPoolLimits, SetState,
};
pub use draft::Pending;
pub use error::{Backlog, NodeError, Rejected, Unverified};
pub use event::Event;
pub use header_policy::HeaderPolicy;
pub use mine::{InputCost, SealedBlock};
pub use mine_request::MineRequest;
pub use node::Node;
pub use observer::Observer;
pub use pool::{AdmissionContext, DropReason, Order, Pool, PoolLimits, PoolTransaction, Sidecar};
pub use pool_journal::PoolJournal;
pub use settings::{Mining, Settings};
pub use state::{Forkchoice, NodeState, Snapshot};
