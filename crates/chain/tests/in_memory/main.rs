//! Chains in memory: what they build, record, refuse and take back.

mod batch;
mod building;
mod chain;
mod extension;
mod fixtures;
mod fork_backend;
mod layers;
mod market;
#[path = "../support/mod.rs"]
mod support;
mod taken_back;
