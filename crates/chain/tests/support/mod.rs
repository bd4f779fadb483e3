//! What several tests of the chain need.
#![allow(dead_code, reason = "each test binary uses its own part of the support code")]

pub(crate) mod fixture;
pub(crate) mod scenario;
