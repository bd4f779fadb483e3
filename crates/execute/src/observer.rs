//! Who is told what became of calls.

use crate::{Answer, ExecuteError};
use alloy_primitives::Address;
use core::fmt;
use std::time::Duration;

/// A call of the precompile, and what became of it.
#[derive(Debug, Clone)]
pub struct ObservedCall<'c> {
    /// The dialect that it was made in.
    pub dialect: &'static str,
    /// The address that was called.
    pub address: Address,
    /// The calldata.
    pub calldata: &'c [u8],
    /// Gas that it was given.
    pub gas: u64,
    /// How long it took.
    pub took: Duration,
    /// What it answered, or why it failed.
    pub outcome: &'c Result<Answer, ExecuteError>,
}

/// Whoever wants to know why calls fail, which the EVM never tells: logs, metrics, tools. It is told
/// on the thread that the EVM runs on, of each call before the EVM goes on.
///
/// Nothing that it does changes what the call comes to.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A call has ended.
    fn called(&self, call: &ObservedCall<'_>);
}

/// Nobody.
impl Observer for () {
    fn called(&self, _: &ObservedCall<'_>) {}
}
