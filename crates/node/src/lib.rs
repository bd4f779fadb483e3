//! A node without networking: transaction pool, block production, clock and events.
//!
//! [`Node`] is the handle that servers share. An L1 devnet and an L2 node use the same [`Node`]
//! with different settings. Writers are serialized. Readers take a [`chain::State`] or a block and
//! release the lock, so they do not wait while a block is executed.
//!
//! This crate contains the pool and its ordering, the triggers and timestamps of blocks, commands
//! that change the state, and events. Execution and state are in `chain`, JSON-RPC is in `rpc`, and
//! the methods, keys and flags of a devnet are in `devnet`.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod admission;
mod blobs;
mod candidate;
mod clock;
mod command;
mod draft;
mod error;
mod event;
mod event_channel;
mod header_policy;
mod mine_request;
mod node;
mod observer;
mod pending;
mod pool;
mod pool_journal;
mod sender_check;
mod settings;
mod state;
mod verify;

pub use blobs::BlobStore;
pub use candidate::BlockCandidate;
pub use clock::{Clock, TimeOfDay};
pub use command::{
    ClearPool, Command, DropTransaction, RemoveSender, RemoveTransaction, Restore, RestoreChain,
    SetAttributes, SetBlobStore, SetClock, SetClosed, SetCoinbase, SetForkchoice, SetGasPrice,
    SetHead, SetMining, SetObserver, SetPoolJournal, SetPoolLimits, SetPreconfirmed, SetState,
};
pub use draft::Pending;
pub use error::{Backlog, NodeError, Rejected, Unverified};
pub use event::Event;
pub use event_channel::EventReceiver;
pub use header_policy::HeaderPolicy;
pub use mine_request::MineRequest;
pub use node::Node;
pub use observer::Observer;
pub use pool::{AdmissionContext, DropReason, Order, Pool, PoolLimits, PoolTransaction, Sidecar};
pub use pool_journal::PoolJournal;
pub use settings::{Mining, Settings};
pub use state::{Forkchoice, NodeState, Snapshot};
pub use verify::InputCost;
