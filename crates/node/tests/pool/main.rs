//! A pool with limits: admission and eviction.

mod costs;
mod eviction;
mod nonces;
mod support;
