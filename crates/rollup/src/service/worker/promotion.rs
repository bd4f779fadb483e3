//! Promotion of a follower to the sequencer by the operator.

use crate::{
    L1Client, RollupRules, Submitter,
    batcher::BatcherError,
    l1::{L1View, Quorum, rollup_contracts},
    probe::{Probe, ProbePanicked},
    rpc::{
        admin::{Responder, sequencer_at},
        error::RoleError,
    },
};
use alloy_eips::BlockId;
use alloy_primitives::Address;
use client::RedactedUrl;
use std::sync::Arc;

/// A promotion whose checks are pending.
#[derive(Debug)]
pub(super) struct Promotion {
    responder: Responder,
    checks: PromotionChecks,
}

impl Promotion {
    pub(super) const fn new(responder: Responder, checks: PromotionChecks) -> Self {
        Self { responder, checks }
    }

    /// Returns the channel for the result and the outcome of the checks, or the promotion while
    /// they are pending.
    pub(super) fn checked(self) -> Result<(Responder, Result<(), RoleError>), Self> {
        match self.checks.0.response() {
            None => Err(self),
            Some(Ok(outcome)) => Ok((self.responder, outcome)),
            Some(Err(ProbePanicked)) => Ok((self.responder, Err(RoleError::Silent))),
        }
    }
}

#[derive(Debug)]
pub(super) struct PromotionChecks(Probe<Result<(), RoleError>>);

impl PromotionChecks {
    /// Checks on another thread that the peer is not an active sequencer, that the account has no
    /// pending transactions on L1 unless `force` is set, and that L1 admits it. The node continues
    /// to follow blocks.
    ///
    /// # Errors
    ///
    /// [`RoleError::Unready`] if the operating system cannot create a thread.
    pub(super) fn start(
        account: Address,
        force: bool,
        peer: Option<String>,
        client: Arc<L1Client>,
        runtime: tokio::runtime::Handle,
        rules: RollupRules,
        view: &L1View,
    ) -> Result<Self, RoleError> {
        let time = view.head().map_or(0, |head| head.timestamp);
        // Use a block that most L1 nodes have, so that their responses are equal.
        let at = view.head().map_or(BlockId::latest(), |head| head.hash.into());
        let rollup = view.deployment().rollup;
        let probe = Probe::spawn(move || {
            if let Some(url) = peer
                && let Some(head) = runtime.block_on(sequencer_at(&url))
            {
                return Err(RoleError::SequencerLives { url: RedactedUrl::new(&url), head });
            }
            let (used, with_waiting) = Submitter::is_ready(&client, account)?;
            if used != with_waiting && !force {
                return Err(RoleError::Nonce { got: used, expected: with_waiting });
            }
            let admission = client.majority(Quorum::Responding, |provider| {
                rollup_contracts::admission(provider, rollup, account, rules, at)
            });
            admission?.fee_recipient(time)?;
            Ok(())
        });
        probe.map(Self).map_err(|error| RoleError::Unready(BatcherError::NoThread(error)))
    }
}
