//! Observers of calls and their outcomes.

use crate::{Answer, ExecuteError};
use alloy_primitives::Address;
use core::{fmt, time::Duration};

/// A call of the precompile and its outcome.
#[derive(Debug, Clone)]
pub struct ObservedCall<'c> {
    /// Name of its dialect.
    pub dialect: &'static str,
    /// The address that was called.
    pub address: Address,
    /// The calldata.
    pub calldata: &'c [u8],
    /// Gas given to the call.
    pub gas: u64,
    /// Duration of the call, measured with the [clock](CallObserver::now) of the observer.
    pub took: Duration,
    /// Return data and gas charge, or the reason of the failure.
    pub outcome: &'c Result<Answer, ExecuteError>,
}

/// Receives each call's outcome, for logs, metrics and tools, because the EVM does not report why a
/// call fails. Runs synchronously on the EVM's thread after each call.
///
/// It cannot affect the call's outcome.
pub trait CallObserver: fmt::Debug + Send + Sync {
    /// Returns the time since an arbitrary moment; by default no time passes. EXECUTE itself has no
    /// clock.
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    /// Handles a call that has ended.
    fn called(&self, call: &ObservedCall<'_>);
}

/// An observer that ignores all calls.
impl CallObserver for () {
    fn called(&self, _: &ObservedCall<'_>) {}
}
