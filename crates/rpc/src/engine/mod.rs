//! The Engine API, server and client: a consensus client can drive this node, and this node can
//! drive another execution client.
//!
//! [`EngineServer`] is the authenticated port: the `engine_` methods over JSON-RPC, and payloads
//! with their witnesses over REST with SSZ. The server returns `VALID` for a payload only after it
//! has executed the block and, if the node is configured to, has verified it as EXECUTE does. A
//! [`HeadPolicy`] can reject a head. [`EngineClient`] sends the same requests to another client,
//! and a [`Driver`] keeps that client at the head of a node.
//!
//! This module defines the Engine API: its methods, schemas, statuses, error codes and tokens
//! ([`JwtSecret`]), and the driver. It does not define blocks, pool and head (`chain`, `node`), the
//! other methods of the port (the rest of this crate), the encoding of REST bodies (`wire`), or how
//! a rollup selects its head (`rollup`).

mod api;
mod attributes;
mod build;
mod client;
mod driver;
mod forkchoice;
mod invalid_headers;
mod jwt;
mod methods;
mod new_payload;
mod payload_store;
mod payload_validator;
mod rest;
mod server;

pub use api::{Engine, HeadPolicy};
pub use attributes::PayloadAttributes;
pub use build::BuiltPayload;
pub use client::{EngineClient, EngineError};
pub use driver::{Driven, Driver, RunningDriver};
pub use forkchoice::{ForkchoiceState, ForkchoiceUpdated};
pub use jwt::{JwtError, JwtSecret, SecretError};
pub use methods::CAPABILITIES;
pub use new_payload::NewPayload;
pub use rpc_types::codes::engine as codes;
pub use server::{EngineServer, EngineServerError};
