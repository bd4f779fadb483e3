//! A chain at work: pool, block production, clock, events.
//!
//! [`Node`] is the handle that servers share: an L1 devnet and an L2 node are the same [`Node`] with
//! other settings around it. It has one writer at a time; readers take a [`chain::State`] or a block
//! out of it and go on without a lock, so that they do not wait while a block is executed.
//!
//! This crate owns what is between a chain and its interfaces: which transactions wait and in which
//! order they are taken, when a block is made and what time it has, how its state is changed, and who
//! is told. It does not own execution and state (`chain`), JSON-RPC (`rpc`), or the methods, keys and
//! flags of a devnet (`devnet`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod admission;
mod blobs;
mod clock;
mod command;
mod error;
mod event;
mod foreign;
mod header_policy;
mod mine;
mod node;
mod observer;
mod pool;
mod pool_journal;
mod settings;

pub use blobs::BlobStore;
pub use clock::{Clock, TimeOfDay};
pub use command::{
    ClearPool, Command, DropTransaction, RemoveSender, RemoveTransaction, Restore, RestoreChain,
    SetAttributes, SetBlobStore, SetClock, SetClosed, SetCoinbase, SetForkchoice, SetGasPrice,
    SetHead, SetMining, SetObserver, SetPoolJournal, SetState,
};
pub use error::{NodeError, Rejected, Unverified};
pub use event::Event;
pub use header_policy::HeaderPolicy;
pub use mine::{MineRequest, Pending, Posted, SealedBlock};
pub use node::{Forkchoice, Node, NodeState, Snapshot};
pub use observer::Observer;
pub use pool::{AdmissionContext, DropReason, Pool, PoolLimits, PoolTransaction, Sidecar};
pub use pool_journal::PoolJournal;
pub use settings::{Backlog, Mining, Order, Settings};
