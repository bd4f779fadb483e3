//! Observation of calls and their outcomes.

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
    /// Duration of the call by the [clock](CallObserver::now) of the observer.
    pub took: Duration,
    /// Its answer, or the reason for its failure.
    pub outcome: &'c Result<Answer, ExecuteError>,
}

/// Receiver of the outcomes of calls, for logs, metrics and tools: the EVM never tells why a call
/// fails. It runs on the EVM's thread, after each call and before the EVM goes on.
///
/// Nothing that it does affects the outcome of the call.
pub trait CallObserver: fmt::Debug + Send + Sync {
    /// Returns the time since any moment; by default none passes. EXECUTE itself has no clock.
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    /// Receives a call that has ended.
    fn called(&self, call: &ObservedCall<'_>);
}

/// An observer that ignores all calls.
impl CallObserver for () {
    fn called(&self, _: &ObservedCall<'_>) {}
}
