//! Responses of L1's pool to submitted transactions.

use super::{
    InFlight, Submitter,
    refusal::{is_refusal, is_underpriced},
    requests::send,
};
use crate::{
    L1Error, SubmitterError,
    l1::L1Client,
    lease::Fence,
    probe::{Probe, Unanswered},
};
use alloy_primitives::{B256, Bytes};
use std::{sync::Arc, time::Instant};

/// A sent transaction for which L1's pool has not responded yet.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) nonce: u64,
    hash: B256,
    /// `true` if nothing was in flight before it.
    is_first: bool,
    /// Transaction that it replaces, which L1's pool keeps if it rejects the replacement.
    pub(super) before: Option<InFlight>,
    begun: Instant,
    answer: Probe<Result<(), SubmitterError>>,
}

impl Sending {
    pub(super) fn begin(
        client: &Arc<L1Client>,
        fence: &Fence,
        raw: Bytes,
        (nonce, hash): (u64, B256),
        is_first: bool,
        before: Option<InFlight>,
    ) -> Result<Self, SubmitterError> {
        let (client, fence) = (Arc::clone(client), fence.clone());
        let answer =
            Probe::ask(move || send(&client, &fence, &raw)).map_err(SubmitterError::NoThread)?;
        Ok(Self { nonce, hash, is_first, before, begun: Instant::now(), answer })
    }
}

impl Submitter {
    /// Waits until L1's pool has responded to the last sent transaction.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::L1`] if L1 rejects the transaction or does not respond; without a response
    /// the transaction may be in the pool, so it stays in flight. [`SubmitterError::BlobsRefused`]
    /// if L1 rejects a blob transaction, which is then no longer in flight.
    pub fn acknowledge(&mut self) -> Result<(), SubmitterError> {
        let Some(sending) = self.sending.take() else { return Ok(()) };
        let answer = sending.answer.wait();
        self.answered(sending, answer)
    }

    /// Processes the response of L1's pool, if it has arrived.
    pub(super) fn take_answer(&mut self) -> Result<(), SubmitterError> {
        let Some(sending) = self.sending.take() else { return Ok(()) };
        match sending.answer.answer() {
            Some(answer) => self.answered(sending, answer),
            None => {
                self.sending = Some(sending);
                Ok(())
            }
        }
    }

    fn answered(
        &mut self,
        sending: Sending,
        answer: Result<Result<(), SubmitterError>, Unanswered>,
    ) -> Result<(), SubmitterError> {
        let Sending { nonce, hash, is_first, before, begun, .. } = sending;
        self.round_trip = begun.elapsed();
        let outcome = answer.unwrap_or_else(|_| Err(L1Error::Thread.into()));
        let Err(error) = outcome else {
            self.has_accepted = true;
            return Ok(());
        };
        // Its nonce has been used meanwhile, or it is no longer in flight.
        let Some(sent) = self.in_flight.iter_mut().find(|it| it.nonce == nonce && it.hash == hash)
        else {
            return Ok(());
        };
        // Without a response, the transaction may be in the pool.
        if !is_refusal(&error) {
            return Err(error);
        }
        let has_blobs = sent.has_blobs();
        let fee = sent.fees.max.saturating_mul(sent.gas_limit.into());
        let sent_at = sent.sent_at;
        // The pool has a transaction of an earlier process with this nonce: a later fee bump
        // replaces it.
        if before.is_none() && is_first && !has_blobs && is_underpriced(&error) {
            sent.is_refused = true;
            return Err(error);
        }
        self.fee_cap.learn(&error, fee, sent_at);
        // The pool does not have the rejected transaction, but may still have the older one with
        // this nonce.
        let is_void = sent.is_void;
        self.in_flight.retain(|it| it.nonce != nonce);
        let replaces = before.is_some();
        self.put(before);
        if is_void {
            return Ok(());
        }
        if !is_first && !replaces {
            // Pools limit the number of transactions per account, so its blocks are posted after
            // those in flight.
            tracing::debug!(%error, nonce, "L1 pool rejected a further transaction, waiting");
            self.pool_keeps = Some(self.in_flight().count());
            return Ok(());
        }
        Err(match has_blobs {
            true => SubmitterError::BlobsRefused(error.to_string()),
            false => error,
        })
    }
}
