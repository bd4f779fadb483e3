//! The choice between calldata and blobs. Of inputs in blobs, only the heads are calldata.

use super::{Batcher, Work};
use crate::{
    BatcherError,
    duties::evidence,
    l1::{L1Provider as _, Silence as _},
    submitter::{Blobs, TxCandidate, TxData},
};
use alloy_eips::{
    eip4844::{Blob, BlobTransactionSidecar, env_settings::EnvKzgSettings},
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::Bytes;
use chain::Block;
use contracts::{
    advance_plan::{self, AdvanceInput, AdvancePlan, Cost},
    bindings::INativeRollup::Evidence,
    code_reference::CodeReference,
    prove_inclusions,
};
use std::{slice, sync::Arc};
use wire::ProtocolFork;

/// Gas reserved for checking the evidence of a new anchor.
const UPDATE_GAS: u64 = 100_000;
/// Gas reserved for checking a proof of relayed messages.
const PROOF_GAS: u64 = 400_000;
/// Gas reserved for checking the outcome of a forced transaction, with a proof.
const DISCHARGE_GAS: u64 = 150_000;
/// Number of L1 blocks without blobs, or without code references, after an `advance` with them has
/// failed. Doubled for blobs with each further failure.
const RETRY_BLOCKS: u64 = 32;
/// Number of L1 blocks without blobs after an `advance` whose evidence may have been stale. In that
/// time its blocks are posted as calldata, which can be simulated.
const STALE_BLOCKS: u64 = 2;
/// Maximum number of L1 blocks without blobs after failures.
const MAX_RETRY_BLOCKS: u64 = 8_192;

/// Seconds before an L1 fork from which transactions get the gas that they need after it.
const FORK_MARGIN: u64 = 600;

/// Backoff of posting in blobs: a transaction with blobs cannot be simulated before it is sent, and
/// costs gas even if it fails.
#[derive(Debug, Default)]
pub(super) struct BlobBackoff {
    /// First L1 block at which blobs are used again.
    again_at: u64,
    /// Number of L1 blocks without blobs after the last failure.
    pause: u64,
    /// Last logged reason for not using blobs, so that each is logged once.
    said: Option<String>,
    /// `true` if the last blob transaction of this process succeeded.
    is_proven: bool,
}

impl BlobBackoff {
    /// Records that a transaction with blobs has failed at L1's block `head`.
    pub(super) fn on_failure(&mut self, head: u64) {
        self.is_proven = false;
        if !self.allows(head) {
            return;
        }
        self.pause = (2 * self.pause).clamp(RETRY_BLOCKS, MAX_RETRY_BLOCKS);
        self.again_at = head.saturating_add(self.pause);
        tracing::warn!(blocks = self.pause, "L1 refused blobs, posting calldata");
    }

    /// Records that a transaction with blobs has failed whose evidence depended on the state of L1.
    /// Anyone can change that state, for example by sending a message to the L2, so the backoff
    /// must be short: otherwise, an attacker could keep posting expensive.
    pub(super) fn on_stale_evidence(&mut self, head: u64) {
        self.is_proven = false;
        self.again_at = self.again_at.max(head.saturating_add(STALE_BLOCKS));
        tracing::info!("evidence may be stale, posting these blocks as calldata");
    }

    /// Notes that L1 has included a transaction with blobs.
    pub(super) fn on_success(&mut self) {
        *self = Self { is_proven: true, ..Self::default() };
    }

    /// Returns `true` if multiple transactions with blobs may be in flight. Until one has
    /// succeeded, only one may be in flight: if its blobs are the reason of a failure, those after
    /// it would fail too, and each costs gas.
    pub(super) const fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Notes that L1 supports blobs at an acceptable price.
    pub(super) fn has_no_reason(&mut self) {
        self.said = None;
    }

    pub(super) const fn allows(&self, head: u64) -> bool {
        head >= self.again_at
    }

    /// Logs once why blocks are posted as calldata.
    pub(super) fn warn_once(&mut self, why: String) {
        if self.said.as_ref() != Some(&why) {
            tracing::warn!(why, "posting calldata");
            self.said = Some(why);
        }
    }
}

impl Batcher {
    /// Returns the transaction that posts as many of the oldest waiting blocks as fit into blobs, if
    /// that costs less per block than `calldata`.
    pub(super) fn by_blobs(
        &mut self,
        work: &Work,
        waiting: &[Arc<Block>],
        calldata: &AdvanceInput,
        kept: &[CodeReference],
    ) -> Result<Option<TxCandidate>, BatcherError> {
        let Some(first) = waiting.first() else { return Ok(None) };
        if !self.reads_blobs || !self.blobs.allows(work.l1_head()) {
            return Ok(None);
        }
        // L1's EXECUTE accepts no schema for a fork that L1 does not have.
        let Some(fork) = work.chain.config().spec.fork_at(first.header.timestamp) else {
            return Ok(None);
        };
        let genesis = work.genesis_number();
        let number = first.header.number;
        let in_blobs = self.in_blobs(work, waiting, fork)?;
        if in_blobs.is_empty() {
            return Ok(None);
        }
        let mut candidates = AdvancePlan::ways_in_calldata(slice::from_ref(calldata), kept);
        candidates.extend(in_blobs);
        let of_l1 = self.fork_of_l1(work, fork);
        let Some(prices) = self.prices(work, of_l1)? else { return Ok(None) };
        // Compared by cost per block and not per transaction: blobs pay off only when they are
        // full.
        let chosen = advance_plan::cheapest(candidates, &prices, self.limits(), genesis, number);
        let Some((posting, cost)) = chosen.filter(|(posting, _)| !posting.blobs.is_empty()) else {
            return Ok(None);
        };
        let count = usize::try_from(posting.blocks).unwrap_or(usize::MAX).min(waiting.len());
        let blocks = waiting[..count].to_vec();
        let mut evidence = self.evidence_of(work, &blocks)?;
        // The contract cannot read transactions from blobs.
        prove_inclusions(&mut evidence, |index| {
            blocks.get(usize::try_from(index).ok()?).map(|block| &**block)
        });
        let gas_limit = limit_with(&posting, &cost, &evidence, of_l1).min(self.limits().gas);
        let price = prices.blob_gas.unwrap_or_default();
        let sidecar = Arc::new(sidecar_of(&posting, self.present_fork(work, fork))?);
        let blobs = Blobs { sidecar, gas_limit, price };
        let goes_alone = depends_on_duties(&evidence);
        let data = TxData { input: posting.calldata(evidence), blobs: Some(blobs) };
        Ok(Some(TxCandidate {
            gas_limit: Some(gas_limit),
            goes_alone,
            ..TxCandidate::new(&blocks, data)
        }))
    }

    /// Returns the evidence with which these blocks meet the duties on L1.
    pub(super) fn evidence_of(
        &self,
        work: &Work,
        blocks: &[Arc<Block>],
    ) -> Result<Evidence, BatcherError> {
        let (book, rules) = (&self.channel.evidence, &self.rules);
        let (evidence, _) = evidence(book, &work.chain, &work.view, rules, work.duties, blocks)??;
        Ok(evidence)
    }

    /// Returns `true` if there is no known reason not to use blobs.
    pub(super) fn may_use_blobs(&self, work: &Work) -> bool {
        self.reads_blobs && self.blobs.allows(work.l1_head()) && self.blobs.said.is_none()
    }

    /// Returns references for the codes of an input that are stored on L1, so that the input need
    /// not contain them. Returns none for [`RETRY_BLOCKS`] after a failed `advance`: if the L1 node
    /// reported a wrong code, the next `advance` must not fail for it too.
    pub(super) fn kept_of(&self, work: &Work, input: &Bytes) -> Vec<CodeReference> {
        if work.l1_head() < self.kept_again_at {
            return Vec::new();
        }
        let codes =
            [CodeReference::of_codes_in(input), CodeReference::of_each_code_in(input)].concat();
        let kept = self.codes.among(codes, work.l1_head(), |accounts| self.client.codes(accounts));
        // References only save gas, so posting continues without them.
        kept.unwrap_or_else(|error| {
            tracing::debug!(%error, "failed to look up codes on L1");
            Vec::new()
        })
    }

    /// Compares the configured gas schedule of EXECUTE with L1's after an `advance` has failed, at
    /// most once in [`RETRY_BLOCKS`], since each comparison builds a block for its calls.
    pub(super) fn check_prices(&mut self, work: &Work) -> Result<(), BatcherError> {
        if work.l1_head() < self.prices_again_at {
            return Ok(());
        }
        let checked = self.profile.check(&self.client, work.view.deployment());
        // Another node may respond differently, so that the next comparison passes.
        checked.inspect_err(|error| {
            if !error.is_silence() {
                self.client.leave_node();
            }
        })?;
        self.prices_again_at = work.l1_head().saturating_add(RETRY_BLOCKS);
        Ok(())
    }

    /// Stops using code references for [`RETRY_BLOCKS`], because L1 has rejected an `advance`.
    pub(super) fn pause_code_references(&mut self, work: &Work) {
        self.codes.forget();
        self.kept_again_at = work.l1_head().saturating_add(RETRY_BLOCKS);
    }

    /// Encodes the input as calldata, with references to codes on L1 where that is cheaper. Returns
    /// the calldata inputs and their gas limit; `None` if the estimate exceeds L1's limit and L1
    /// `may_be_asked` for a better one. The last value is the gas needed beyond L1's estimate if L1
    /// forks before it includes the transaction.
    pub(super) fn in_calldata(
        &self,
        work: &Work,
        blocks: &[Arc<Block>],
        input: &AdvanceInput,
        kept: &[CodeReference],
        evidence: &Evidence,
        may_be_asked: bool,
    ) -> (Vec<Bytes>, Option<u64>, u64) {
        let plain = || (vec![input.bytes.clone()], None, 0);
        let Some(first) = blocks.first() else { return plain() };
        let chain = &work.chain;
        let Some(fork) = chain.config().spec.fork_at(first.header.timestamp) else {
            return plain();
        };
        let (of_l1, present) = (self.fork_of_l1(work, fork), self.present_fork(work, fork));
        let ways = AdvancePlan::ways_in_calldata(slice::from_ref(input), kept).into_iter();
        let ways = ways.map(|posting| {
            let cost = posting.cost(of_l1, work.genesis_number(), first.header.number);
            (posting, cost)
        });
        let Some((posting, cost)) = ways.min_by_key(|(_, cost)| cost.gas) else { return plain() };
        let (limit, most) = (limit_with(&posting, &cost, evidence, of_l1), self.limits().gas);
        let by_present = posting.cost(present, work.genesis_number(), first.header.number);
        let by_present = limit_with(&posting, &by_present, evidence, present);
        let for_fork = limit.saturating_sub(by_present);
        // Above L1's limit, either the estimate is too high or the block does not fit into a
        // transaction. Only L1's own estimate shows which.
        let limit = match limit <= most {
            true => Some(limit),
            false => (!may_be_asked).then_some(most),
        };
        (posting.inputs, limit, for_fork)
    }

    /// Returns the fork whose gas rules may apply when L1 includes a transaction that is sent now
    /// with blocks of this fork. It looks [`FORK_MARGIN`] ahead, so that a transaction that waits
    /// for a few L1 blocks has enough gas after a fork. Blocks of the previous fork may be posted
    /// after L1 has forked.
    pub(super) fn fork_of_l1(&self, work: &Work, of_block: ProtocolFork) -> ProtocolFork {
        self.profile.fork_at(work.l1_time().saturating_add(FORK_MARGIN), of_block)
    }

    /// Returns the fork of L1's next block, or `of_block` if that is newer.
    pub(super) fn present_fork(&self, work: &Work, of_block: ProtocolFork) -> ProtocolFork {
        self.profile.fork_at(work.l1_time(), of_block)
    }

    /// Returns the plans by which as many of the oldest blocks as fit are posted in blobs.
    fn in_blobs(
        &mut self,
        work: &Work,
        waiting: &[Arc<Block>],
        fork: ProtocolFork,
    ) -> Result<Vec<AdvancePlan>, BatcherError> {
        let count = work.count_on(waiting, fork).min(self.most_blocks);
        let Some(first) = waiting.first().map(|block| block.header.number) else {
            return Ok(Vec::new());
        };
        let (max_gas, genesis) = (self.limits().gas, work.chain.first_number());
        let of_l1 = self.fork_of_l1(work, fork);
        let admits = |posting: &AdvancePlan| posting.cost(of_l1, genesis, first).limit <= max_gas;
        self.measure(work, &waiting[..count])?;
        // A single block in blobs has the plain input, not the shortest form.
        advance_plan::ways_in_blobs(count, admits, |range| {
            self.input_of(&work.chain, &waiting[range], Block::input)
        })
    }
}

/// Returns `true` if the evidence depends on the current state of the duties on L1.
pub(super) const fn depends_on_duties(evidence: &Evidence) -> bool {
    !evidence.relays.is_empty() || !evidence.forced.is_empty()
}

/// Returns the gas limit of a posting with its evidence, with an upper bound for checking each
/// piece.
fn limit_with(posting: &AdvancePlan, cost: &Cost, evidence: &Evidence, fork: ProtocolFork) -> u64 {
    let of = |evidence: Evidence| advance_plan::transaction_gas(fork, &posting.calldata(evidence));
    let ((plain, _), (whole, floor)) = (of(Evidence::default()), of(evidence.clone()));
    let discharges: usize = evidence.forced.iter().map(|batch| batch.discharges.len()).sum();
    let pieces = UPDATE_GAS * evidence.updates.len() as u64
        + PROOF_GAS * evidence.relays.len() as u64
        + DISCHARGE_GAS * discharges as u64;
    // The calldata floor of EIP-7623 applies if EXECUTE is cheap and the calldata long.
    (cost.limit + (whole - plain) + pieces).max(floor)
}

/// Returns the sidecar of a posting on an L1 of this fork: with cell proofs since Osaka (EIP-7594),
/// with one proof per blob before (EIP-4844).
fn sidecar_of(
    posting: &AdvancePlan,
    fork: ProtocolFork,
) -> Result<BlobTransactionSidecarVariant, BatcherError> {
    let refused = |error: &dyn core::fmt::Display| BatcherError::Blobs(error.to_string());
    let blob = |bytes: &Vec<u8>| Blob::try_from(bytes.as_slice()).map_err(|error| refused(&error));
    let blobs = posting.blobs.iter().map(blob).collect::<Result<Vec<_>, _>>()?;
    let sidecar = match fork >= ProtocolFork::Osaka {
        true => BlobTransactionSidecarEip7594::try_from_blobs(blobs)
            .map(BlobTransactionSidecarVariant::Eip7594),
        false => BlobTransactionSidecar::try_from_blobs_with_settings(
            blobs,
            EnvKzgSettings::Default.get(),
        )
        .map(BlobTransactionSidecarVariant::Eip4844),
    };
    sidecar.map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_backoff_doubles_until_success() {
        let mut backoff = BlobBackoff::default();
        assert!(backoff.allows(0));
        backoff.on_failure(100);
        assert!(!backoff.allows(100 + RETRY_BLOCKS - 1));
        // A second notice of the same failure does not extend the pause.
        backoff.on_failure(110);
        assert!(backoff.allows(100 + RETRY_BLOCKS));
        backoff.on_failure(200);
        assert!(
            !backoff.allows(200 + 2 * RETRY_BLOCKS - 1) && backoff.allows(200 + 2 * RETRY_BLOCKS)
        );
        for head in (10_000..1_000_000).step_by(10_000) {
            backoff.on_failure(head);
            assert!(backoff.allows(head + MAX_RETRY_BLOCKS));
        }
        assert!(!backoff.allows(990_000 + MAX_RETRY_BLOCKS - 1));
        backoff.on_success();
        backoff.on_failure(2_000_000);
        assert!(backoff.allows(2_000_000 + RETRY_BLOCKS));
    }
}
