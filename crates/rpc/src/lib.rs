//! Ethereum JSON-RPC for a node, and the Engine API.
//!
//! [`methods`] contains the methods that every Ethereum node has: `eth_`, `net_`, `web3_`, `debug_`
//! and `txpool_`, for a shared [`node::Node`]. A devnet or an L2 node adds its own [`Registry`],
//! [overlays](overlaid) it on these, and serves everything with a [`RunningServer`]: HTTP and
//! WebSocket on one port, and IPC. Methods run on [`Workers`], so that no method blocks the server.
//!
//! [`explorer`] has the methods of block explorers, and [`engine`] the authenticated port for
//! consensus clients and a client of that port.
//!
//! Responses follow the execution-apis specification. Where it defines no error codes, errors have
//! geth's codes.
//!
//! This crate owns method names, parameters, response types and error codes. It does not own
//! execution and state (`node`, `chain`), nor accounts, cheat methods and flags (`devnet`). Outside
//! of [`engine`], the only methods here that change state are those that send transactions.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod api;
mod args;
mod beacon;
pub mod blobs;
mod call;
mod call_tree;
pub mod convert;
mod debug;
pub mod engine;
mod error;
mod estimate;
mod eth;
mod explain;
pub mod explorer;
pub mod fees;
mod filters;
mod fork_config;
mod installed_filters;
mod limits;
mod log_limit;
mod log_matching;
mod logs;
mod namespace;
mod overrides;
pub mod payload;
mod precompile_events;
mod precompiles;
mod registry;
mod send;
mod server;
mod simulate;
mod subscription_permits;
mod subscriptions;
mod telemetry;
mod testing;
mod trace;
mod transfers;
mod txpool;
pub mod typed;
mod workers;

pub use api::{Api, RpcOptions, SendElsewhere};
pub use args::{Args, ErrorStyle, Hash, Number};
pub use beacon::BeaconPages;
pub use call::{CallRequest, Outcome, Prepared};
pub use call_tree::{call_tree, revert_words};
pub use convert::{RpcBlock, RpcLog, RpcReceipt, RpcTransaction};
pub use error::{FailureStyle, RpcError, codes, transaction_error};
pub use estimate::estimate;
pub use eth::receipt;
pub use explain::{refused_traces, show_execute};
pub use limits::{
    BoundedInspector, Deadline, DeadlineInspector, Recorded, RequestLimits, UNTIMED_GAS,
};
pub use log_limit::LogLimit;
pub use precompile_events::{CONSOLE, ExecuteCall, Note, note, take_missed, watch, watch_again};
pub use registry::{Context, MethodName, Registry, overlaid};
pub use send::{decode_pooled, submit, wait_for_receipt};
pub(crate) use server::Client;
pub use server::{
    Access, AccessError, AccessToken, Content, Health, MorePages, Namespaces, PageRequest, Pages,
    RunningServer, ServeError, ServerConfig, allow_open_files, termination,
};
pub use telemetry::{
    CONSOLE_OUTPUT, ConsoleDecoder, ConsoleOptions, ExecuteObserver, Gauge, Latency, Telemetry,
};
pub use workers::{Overloaded, WorkerOptions, WorkerPool, WorkerPoolLimits, Workers};

pub use subscriptions::{SubscriptionNames, channel as subscription};

use jsonrpsee::Methods;
use std::sync::Arc;

/// Returns all methods of this crate, run by `workers`.
pub fn methods(api: Api, workers: Arc<Workers>) -> Methods {
    let mut registry = Registry::new(Arc::new(api.clone()), workers, ErrorStyle::Geth);
    let methods = &mut registry;
    eth::register(methods);
    send::register(methods);
    call::register(methods);
    estimate::register(methods);
    fees::register(methods);
    logs::register(methods);
    filters::register(methods);
    simulate::register(methods);
    blobs::register(methods);
    fork_config::register(methods);
    debug::register(methods);
    trace::register(methods);
    explain::register(methods);
    txpool::register(methods);
    testing::register(methods);
    registry.merge(subscriptions::module(api));
    registry.into_methods()
}
