//! Admission to a pool with limits, and eviction from it.

mod costs;
mod eviction;
mod nonces;
mod support;
