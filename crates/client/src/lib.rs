//! The JSON-RPC client of the house: alloy's provider over HTTP, or over a WebSocket.
//!
//! [`Client::provider`] is the transport for typed bindings (`sol!(#[sol(rpc)] …)`) and alloy's
//! extensions; [`Client::request`] is for methods without them. Synchronous callers
//! [wait](Client::wait) in their own thread, which may also belong to an async runtime.
//!
//! This crate owns the connection to a node: time limits, size limits of answers, retries, and
//! batching. It knows no method of any node.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod batch;
mod client;
mod error;
mod http;
mod patience;
mod redacted;
mod rest;
mod socket;

pub use client::Client;
pub use error::{ClientError, HttpError, SocketError};
pub use http::{ClientOptions, Http, Rotation};
pub use redacted::RedactedUrl;
// Has the hash that alloy calls wherever the fast libraries are built too (feature `alloy` of
// `keccak`).
use keccak as _;
