//! Utilities of several tests of the chain.

pub(crate) mod fixture;
pub(crate) mod market;
pub(crate) mod requests;
