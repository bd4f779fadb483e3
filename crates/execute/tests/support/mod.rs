//! An L2 whose blocks are executed, and an EVM that executes them.
#![allow(dead_code, reason = "each test binary uses its own part of the support code")]

pub(crate) mod host;
pub(crate) mod l2;
