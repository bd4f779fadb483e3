//! The choice between calldata and blobs: of inputs in blobs, the heads alone are calldata.

use super::{Batcher, Work};
use crate::{
    RollupError,
    duties::evidence,
    submitter::{Blobs, TxData},
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
};
use std::{slice, sync::Arc};
use wire::ProtocolFork;

/// Gas that is set aside for a new anchor.
const UPDATE_GAS: u64 = 100_000;
/// Gas that is set aside for a proof of what has been relayed.
const PROOF_GAS: u64 = 400_000;
/// L1 blocks without a transaction with blobs, or without references, after L1 has not taken one.
/// With blobs they are twice as many each further time.
const RETRY_BLOCKS: u64 = 32;
const MAX_RETRY_BLOCKS: u64 = 8_192;

/// Seconds before a fork of L1 from which on transactions are given the gas that they take behind
/// it.
const FORK_MARGIN: u64 = 600;

/// Blocks, and what carries them to L1.
pub(super) struct Plan {
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) data: TxData,
    /// `true` if its evidence is by what L1 knows of duties now.
    pub(super) goes_alone: bool,
}

/// Backoff of posting through blobs: a transaction with blobs costs gas although it fails, and L1
/// cannot be asked before.
#[derive(Debug, Default)]
pub(super) struct BlobBackoff {
    /// The first L1 block at which they are tried again.
    again_at: u64,
    pause: u64,
    /// The last reason for not using blobs, so that each is logged once.
    said: Option<String>,
    /// `true` if L1 has taken the last transaction with blobs of this process.
    is_proven: bool,
}

impl BlobBackoff {
    /// L1 has not taken blobs at its block `head`.
    pub(super) fn on_failure(&mut self, head: u64) {
        self.is_proven = false;
        if !self.allows(head) {
            return;
        }
        self.pause = (2 * self.pause).clamp(RETRY_BLOCKS, MAX_RETRY_BLOCKS);
        self.again_at = head.saturating_add(self.pause);
        tracing::warn!(blocks = self.pause, "L1 refused blobs, posting calldata");
    }

    /// L1 has taken blobs.
    pub(super) fn on_success(&mut self) {
        *self = Self { is_proven: true, ..Self::default() };
    }

    /// Returns `true` if several transactions with blobs may wait together: where one fails for its
    /// blobs, those behind it do too, and each costs gas.
    pub(super) const fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Notes that L1 takes blobs at a price that may be paid.
    pub(super) fn has_no_reason(&mut self) {
        self.said = None;
    }

    const fn allows(&self, head: u64) -> bool {
        head >= self.again_at
    }

    /// Says once why everything goes as calldata.
    pub(super) fn warn_once(&mut self, why: String) {
        if self.said.as_ref() != Some(&why) {
            tracing::warn!(why, "posting calldata");
            self.said = Some(why);
        }
    }
}

impl Batcher {
    /// Returns as many of the oldest waiting blocks as go through blobs, and the transaction that
    /// carries them, if each of them costs less that way than as `calldata`.
    pub(super) fn by_blobs(
        &mut self,
        work: &Work,
        waiting: &[Arc<Block>],
        calldata: &AdvanceInput,
        kept: &[CodeReference],
    ) -> Result<Option<Plan>, RollupError> {
        let Some(first) = waiting.first() else { return Ok(None) };
        if !self.reads_blobs || !self.blobs.allows(work.l1_head()) {
            return Ok(None);
        }
        // L1 takes no schema with rules that are not its own.
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
        // By the price for each block and not for each transaction: blobs pay off only when they
        // are full.
        let chosen = advance_plan::cheapest(candidates, &prices, self.limits(), genesis, number);
        let Some((posting, cost)) = chosen.filter(|(posting, _)| !posting.blobs.is_empty()) else {
            return Ok(None);
        };
        let count = usize::try_from(posting.blocks).unwrap_or(usize::MAX).min(waiting.len());
        let blocks = waiting[..count].to_vec();
        let (evidence, _) = evidence(
            &self.channel.evidence,
            &work.chain,
            &work.view,
            &self.rules,
            work.duties,
            &blocks,
        )??;
        // The contract finds forced transactions in calldata alone.
        if !evidence.forced.is_empty() {
            return Ok(None);
        }
        let gas_limit = limit_with(&posting, &cost, &evidence, of_l1).min(self.limits().gas);
        let price = prices.blob_gas.unwrap_or_default();
        let sidecar = Arc::new(sidecar_of(&posting, self.present_fork(work, fork))?);
        let blobs = Blobs { sidecar, gas_limit, price };
        let goes_alone = !evidence.relays.is_empty();
        let data = TxData { input: posting.calldata(evidence), blobs: Some(blobs) };
        Ok(Some(Plan { blocks, data, goes_alone }))
    }

    /// Returns `true` if nothing known keeps blocks from going through blobs.
    pub(super) fn may_use_blobs(&self, work: &Work) -> bool {
        self.reads_blobs && self.blobs.allows(work.l1_head()) && self.blobs.said.is_none()
    }

    /// Parts of an input that L1 keeps, so that it only names it. None after an `advance` failed,
    /// for a while: if the node of L1 is wrong about it, the next one is not to fail too.
    pub(super) fn kept_of(&self, work: &Work, input: &Bytes) -> Vec<CodeReference> {
        if work.l1_head() < self.kept_again_at {
            return Vec::new();
        }
        let codes =
            [CodeReference::of_codes_in(input), CodeReference::of_each_code_in(input)].concat();
        let kept = self.codes.among(codes, work.l1_head(), |accounts| self.client.codes(accounts));
        // It saves gas, and nothing waits for it.
        kept.unwrap_or_else(|error| {
            tracing::debug!(%error, "failed to look up codes on L1");
            Vec::new()
        })
    }

    /// Compares the prices of EXECUTE with those of L1, after L1 has not taken an `advance`: now
    /// and then, as what they are compared by is made anew.
    pub(super) fn check_prices(&mut self, work: &Work) -> Result<(), RollupError> {
        if work.l1_head() < self.prices_again_at {
            return Ok(());
        }
        self.profile.check(&self.client, work.view.deployment())?;
        self.prices_again_at = work.l1_head().saturating_add(RETRY_BLOCKS);
        Ok(())
    }

    /// L1 has not taken an `advance`.
    pub(super) fn distrust_kept(&mut self, work: &Work) {
        self.codes.forget();
        self.kept_again_at = work.l1_head().saturating_add(RETRY_BLOCKS);
    }

    /// This input as calldata, with references to what L1 keeps of it where that is cheaper, and
    /// the gas for it; without gas if that is more than L1 lets a transaction have, and L1
    /// `may_be_asked` to say what it takes. Last, the gas that it takes beyond the answer of L1 if
    /// L1 forks before it has the transaction.
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
        // More than L1 lets a transaction have is an estimate that is too careful, or a block that
        // cannot go: only L1 can tell which.
        let limit = match limit <= most {
            true => Some(limit),
            false => (!may_be_asked).then_some(most),
        };
        (posting.inputs, limit, for_fork)
    }

    /// Fork by whose gas rules L1 may take a transaction with blocks of this fork that is sent now:
    /// one that waits for a few L1 blocks has the gas of a fork that comes meanwhile. Blocks of the
    /// fork before may be posted after L1 has forked.
    pub(super) fn fork_of_l1(&self, work: &Work, of_block: ProtocolFork) -> ProtocolFork {
        self.profile.fork_at(work.l1_time().saturating_add(FORK_MARGIN), of_block)
    }

    /// Fork of L1's next block, or that of a block that goes there, if that is newer.
    pub(super) fn present_fork(&self, work: &Work, of_block: ProtocolFork) -> ProtocolFork {
        self.profile.fork_at(work.l1_time(), of_block)
    }

    /// Ways in which the oldest blocks go through blobs, as many as fit.
    fn in_blobs(
        &mut self,
        work: &Work,
        waiting: &[Arc<Block>],
        fork: ProtocolFork,
    ) -> Result<Vec<AdvancePlan>, RollupError> {
        let count = work.count_on(waiting, fork).min(self.most_blocks);
        let Some(first) = waiting.first().map(|block| block.header.number) else {
            return Ok(Vec::new());
        };
        let (max_gas, genesis) = (self.limits().gas, work.chain.first_number());
        let of_l1 = self.fork_of_l1(work, fork);
        let admits = |posting: &AdvancePlan| posting.cost(of_l1, genesis, first).limit <= max_gas;
        self.measure(work, &waiting[..count])?;
        // The head of an input that goes through blobs is that of a block by itself.
        advance_plan::ways_in_blobs(count, admits, |range| {
            self.input_of(&work.chain, &waiting[range], Block::input)
        })
    }
}

impl Work {
    /// Number of the rollup's first block, from which the contract's rings have filled. The chain
    /// of this node may begin later, with a snapshot.
    pub(super) fn genesis_number(&self) -> u64 {
        self.view.deployment().genesis.number.unwrap_or_default()
    }

    /// Number of the oldest blocks that L1 can take now, under the rules of this fork.
    pub(super) fn count_on(&self, waiting: &[Arc<Block>], fork: ProtocolFork) -> usize {
        let (chain, time) = (&self.chain, self.l1_time());
        let fork_of = |block: &Arc<Block>| chain.config().spec.fork_at(block.header.timestamp);
        let can =
            |block: &&Arc<Block>| block.header.timestamp <= time && fork_of(block) == Some(fork);
        waiting.iter().take_while(can).count()
    }
}

/// Gas for a posting that has evidence besides, with more for each piece than checking it takes.
fn limit_with(posting: &AdvancePlan, cost: &Cost, evidence: &Evidence, fork: ProtocolFork) -> u64 {
    let of = |evidence: Evidence| advance_plan::transaction_gas(fork, &posting.calldata(evidence));
    let ((plain, _), (whole, floor)) = (of(Evidence::default()), of(evidence.clone()));
    let pieces =
        UPDATE_GAS * evidence.updates.len() as u64 + PROOF_GAS * evidence.relays.len() as u64;
    // The floor of EIP-7623 binds where EXECUTE is cheap and bytes are many.
    (cost.limit + (whole - plain) + pieces).max(floor)
}

/// The blobs of a posting as a transaction carries them on an L1 of this fork: with proofs for
/// their cells from Osaka on (EIP-7594), with one for each blob before (EIP-4844).
fn sidecar_of(
    posting: &AdvancePlan,
    fork: ProtocolFork,
) -> Result<BlobTransactionSidecarVariant, RollupError> {
    let refused = |error: &dyn core::fmt::Display| RollupError::Blobs(error.to_string());
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
    fn blobs_are_tried_again_after_a_while_that_doubles_until_they_work() {
        let mut backoff = BlobBackoff::default();
        assert!(backoff.allows(0));
        backoff.on_failure(100);
        assert!(!backoff.allows(100 + RETRY_BLOCKS - 1));
        // The same failure, seen again.
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
