//! Check that this node still leads, immediately before it acts as the leader.

use super::{Lease, LeaseError};
use std::time::Duration;

/// The right to act as the leader during one term. The [`Default`] is that of a node without a
/// lease, and is always valid.
#[derive(Debug, Clone, Default)]
pub struct Fence(Option<(Lease, i64)>);

impl Fence {
    /// Returns the fence of a lease's current term. It is never valid if the lease is not held.
    pub fn of(lease: &Lease) -> Self {
        Self(Some((lease.clone(), lease.token().unwrap_or_default())))
    }

    /// Returns `true` if the term lasts for at least this time, even without a further renewal.
    /// Sends no request.
    pub fn lasts_for(&self, time: Duration) -> bool {
        self.0.as_ref().is_none_or(|(lease, token)| lease.holds(*token, time))
    }

    /// Checks in etcd that the term has not ended. Blocks the thread, which must not be one of the
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Lost`] if the term has ended, [`LeaseError::NotHeld`] if its time is over, and
    /// the error of the last etcd member if none responds while the term lasts.
    pub fn check(&self) -> Result<(), LeaseError> {
        let Some((lease, token)) = &self.0 else { return Ok(()) };
        lease.check(*token)
    }
}
