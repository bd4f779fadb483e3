//! The JSON-RPC client of the house: alloy's provider over HTTP, or over a WebSocket.
//!
//! [`Client::provider`] is what typed bindings (`sol!(#[sol(rpc)] …)`) and alloy's extensions speak
//! through; [`Client::request`] is for methods that have none. Whoever is not async [waits](Client::wait)
//! in his own thread, which may be one of an async runtime too.
//!
//! This crate owns how a node is reached: time limits, how long an answer may be, what is tried again,
//! and what is asked together. It knows no method of any node.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod batch;
mod client;
mod error;
mod http;
mod patience;
mod socket;

pub use client::Client;
pub use error::{ClientError, HttpError, SocketError};
pub use http::{Http, Options, Rotation};
