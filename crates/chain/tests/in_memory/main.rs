//! In-memory chains: building, recording, rejecting and reverting.

mod allowance;
mod batch;
mod building;
mod chain;
mod extension;
mod faults;
mod fixtures;
mod fork_backend;
mod joined;
mod market;
mod market_limit;
mod support;
mod taken_back;
mod verification;
