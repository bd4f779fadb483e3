//! Utilities shared by the tests of the chain.

pub(crate) mod fixture;
pub(crate) mod market;
pub(crate) mod requests;
