//! JSON-RPC client: alloy's provider over HTTP or a WebSocket, with limits and retries.
//!
//! [`Client::provider`] is the transport for typed bindings (`sol!(#[sol(rpc)] …)`) and alloy's
//! extensions; [`Client::request`] is for methods without them. [`Client::wait`] blocks a
//! synchronous caller's thread until a future completes; that thread may also belong to an async
//! runtime.
//!
//! This crate handles the connection to a node: timeouts, response size limits, retries and
//! batching. It does not depend on particular methods.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod backoff;
mod batch;
mod batch_queue;
mod busy;
mod client;
mod error;
mod http;
mod options;
mod redacted;
mod retry_policy;
mod socket;
mod transport;

pub use client::Client;
pub use error::{ClientError, HttpError, SocketError};
pub use http::Http;
pub use options::{ClientOptions, Rotation};
pub use redacted::RedactedUrl;
pub use rpc_types::Excerpt;
// Linked for the Keccak-256 hook that alloy calls where the fast implementations are built (feature
// `alloy` of `keccak`).
use keccak as _;
