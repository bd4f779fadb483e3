//! Submission of transactions to L1's pool, and its responses. All requests run on other threads.

use super::{InFlight, requests::send};
use crate::{
    L1Error, SubmitterError,
    l1::L1Client,
    lease::Fence,
    probe::{Probe, ProbePanicked},
};
use alloy_primitives::{B256, Bytes};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Round trip from which L1 counts as slow. Transactions are then resent after [`RESEND_TRIPS`]
/// round trips rather than at each L1 block, since blocks may arrive faster than responses.
const SLOW: Duration = Duration::from_millis(250);
/// Number of round trips between two resends to a slow L1.
const RESEND_TRIPS: u32 = 4;

type Outcome = Result<(), SubmitterError>;

/// A sent transaction for which L1's pool has not responded yet.
#[derive(Debug)]
pub(super) struct PendingSend {
    pub(super) nonce: u64,
    pub(super) hash: B256,
    /// `true` if nothing was in flight before it.
    pub(super) is_first: bool,
    /// Transaction that it replaces, which L1's pool keeps if it rejects the replacement.
    pub(super) before: Option<InFlight>,
    begun: Instant,
    probe: Probe<Outcome>,
}

/// Submission to L1's pool: at most one new transaction at a time, and one request that resends
/// those in flight.
#[derive(Debug, Default)]
pub(super) struct PoolSubmission {
    /// Right to post, checked immediately before each request.
    pub(super) fence: Fence,
    sending: Option<PendingSend>,
    resending: Option<Probe<Outcome>>,
    /// Round trip of the last response of L1's pool.
    round_trip: Duration,
    /// `true` if L1's pool has accepted a transaction since [`Self::take_accepted`].
    has_accepted: bool,
}

impl PoolSubmission {
    /// Starts to send a transaction with this nonce and hash. `before` is the transaction that it
    /// replaces.
    pub(super) fn begin(
        &mut self,
        client: &Arc<L1Client>,
        raw: Bytes,
        (nonce, hash): (u64, B256),
        is_first: bool,
        before: Option<InFlight>,
    ) -> Result<(), SubmitterError> {
        let probe = self.request(client, vec![raw])?;
        let begun = Instant::now();
        self.sending = Some(PendingSend { nonce, hash, is_first, before, begun, probe });
        Ok(())
    }

    /// Starts to resend these transactions, in this order.
    pub(super) fn resend(
        &mut self,
        client: &Arc<L1Client>,
        all: Vec<Bytes>,
    ) -> Result<(), SubmitterError> {
        self.resending = Some(self.request(client, all)?);
        Ok(())
    }

    fn request(
        &self,
        client: &Arc<L1Client>,
        all: Vec<Bytes>,
    ) -> Result<Probe<Outcome>, SubmitterError> {
        let (client, fence) = (Arc::clone(client), self.fence.clone());
        Probe::spawn(move || all.iter().try_for_each(|raw| send(&client, &fence, raw)))
            .map_err(SubmitterError::NoThread)
    }

    /// Waits until L1's pool has responded to the last sent transaction, and returns it with the
    /// response.
    pub(super) fn wait(&mut self) -> Option<(PendingSend, Outcome)> {
        let sending = self.sending.take()?;
        let response = sending.probe.wait();
        Some(self.finish(sending, response))
    }

    /// Returns the last sent transaction and the response of L1's pool, if it has arrived.
    pub(super) fn take_response(&mut self) -> Option<(PendingSend, Outcome)> {
        let sending = self.sending.take()?;
        let Some(response) = sending.probe.response() else {
            self.sending = Some(sending);
            return None;
        };
        Some(self.finish(sending, response))
    }

    fn finish(
        &mut self,
        sending: PendingSend,
        response: Result<Outcome, ProbePanicked>,
    ) -> (PendingSend, Outcome) {
        self.round_trip = sending.begun.elapsed();
        let outcome = response.unwrap_or_else(|_| Err(L1Error::Thread.into()));
        self.has_accepted |= outcome.is_ok();
        (sending, outcome)
    }

    /// Returns the outcome of resending, if the response has arrived.
    pub(super) fn take_resent(&mut self) -> Option<Outcome> {
        let response = self.resending.as_ref().and_then(Probe::response)?;
        self.resending = None;
        Some(response.unwrap_or_else(|_| Err(L1Error::Thread.into())))
    }

    /// Returns `true` if L1's pool has accepted a transaction since the last call.
    pub(super) const fn take_accepted(&mut self) -> bool {
        core::mem::replace(&mut self.has_accepted, false)
    }

    /// Returns the nonce of the transaction to which L1's pool has not responded yet.
    pub(super) fn sending_nonce(&self) -> Option<u64> {
        self.sending.as_ref().map(|sending| sending.nonce)
    }

    pub(super) const fn is_resending(&self) -> bool {
        self.resending.is_some()
    }

    /// Returns the minimum time between two submissions of a transaction, unless it is resent
    /// because of its age.
    pub(super) fn resend_gap(&self) -> Duration {
        match self.round_trip < SLOW {
            true => Duration::ZERO,
            false => self.round_trip.saturating_mul(RESEND_TRIPS),
        }
    }

    /// Abandons the transaction that the one being sent replaces.
    pub(super) fn abandon_replaced(&mut self) {
        if let Some(before) = self.sending.as_mut().and_then(|sending| sending.before.as_mut()) {
            before.is_void = true;
        }
    }
}
