//! What several tests of the chain need.

pub(crate) mod fixture;
pub(crate) mod requests;
