//! Utilities of several tests of the chain.

pub(crate) mod fixture;
pub(crate) mod requests;
