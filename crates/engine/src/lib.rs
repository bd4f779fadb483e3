//! The Engine API, from both sides: our node behind another's consensus, and another client behind
//! our node.
//!
//! An [`EngineServer`] is the authenticated port: `engine_…` by JSON-RPC, and payloads with their
//! witnesses by REST and SSZ. A payload is executed, and verified like EXECUTE if the node is
//! configured to, before it is called valid; a [`HeadPolicy`] can refuse a head. An
//! [`EngineClient`] calls another client the same way, and a [`Driver`] keeps one at the head of a
//! node.
//!
//! This crate owns the Engine API: its names, shapes, statuses and error codes, its tokens
//! ([`JwtSecret`]), and the driving of a client. It owns neither blocks, pool and head (`chain`,
//! `node`), nor the other methods of the port (`rpc`), nor the encoding of REST bodies (`wire`),
//! nor the choice of a rollup's head (`rollup`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod attributes;
mod build;
mod client;
pub mod codes;
mod driver;
mod engine;
mod forkchoice;
mod jwt;
mod methods;
mod new_payload;
mod rest;
mod server;

pub use attributes::PayloadAttributes;
pub use build::BuiltPayload;
pub use client::{EngineClient, EngineError};
pub use driver::{Driven, Driver, RunningDriver};
pub use engine::{Engine, HeadPolicy};
pub use forkchoice::{ForkchoiceState, ForkchoiceUpdated};
pub use jwt::{JwtError, JwtSecret, SecretError};
pub use methods::CAPABILITIES;
pub use new_payload::NewPayload;
pub use server::{AuthenticatedServer, EngineServer, EngineServerError};
