//! Planner of the next transaction: which blocks fit, and whether they are posted as calldata or in
//! blobs. For inputs in blobs, only the headers are calldata.

use super::{Work, blob_backoff::BlobBackoff, blob_terms::BlobTerms, measured::MeasuredBlocks};
use crate::{
    BatcherError, L1Profile, RollupRules, SubmitterConfig,
    duties::{Omission, evidence},
    l1::{CodeCache, L1Client, L1Provider as _, Silence as _},
    sequencer::evidence::EvidenceBook,
    submitter::{Blobs, TxCandidate, TxData},
};
use alloy_eips::{
    eip4844::{Blob, BlobTransactionSidecar, env_settings::EnvKzgSettings},
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_sol_types::SolValue as _;
use chain::{Block, ChainError, shortest_input};
use contracts::{
    advance_plan::{self, AdvanceInput, AdvancePlan, Cost, L1Limits, L1Prices},
    bindings::INativeRollup::Evidence,
    code_reference::CodeReference,
    prove_inclusions,
};
use std::{slice, sync::Arc};
use variants::BLOB_EXECUTE_ADDRESS;
use wire::ProtocolFork;

/// Gas reserved for checking the evidence of a new anchor.
const UPDATE_GAS: u64 = 100_000;
/// Gas reserved for checking a proof of relayed messages.
const PROOF_GAS: u64 = 400_000;
/// Gas reserved for checking the outcome of a forced transaction, with a proof.
const DISCHARGE_GAS: u64 = 150_000;
/// Maximum number of L2 blocks in one `advance`.
pub(super) const MAX_BLOCKS: usize = 32;
/// Number of L1 blocks without code references after an `advance` has failed.
const RETRY_BLOCKS: u64 = 32;
/// Time before an L1 fork, in seconds, from which transactions get the gas that they need after it.
const FORK_MARGIN: u64 = 600;

/// Blocks, and the input that contains all of them.
type Fitting = (Vec<Arc<Block>>, AdvanceInput);

/// Plans the transactions that post blocks.
#[derive(Debug)]
pub(super) struct AdvancePlanner {
    client: Arc<L1Client>,
    rules: RollupRules,
    pub(super) config: SubmitterConfig,
    profile: L1Profile,
    pub(super) reads_blobs: bool,
    /// Facts of the pending blocks, shared with the sequencer.
    evidence: EvidenceBook,
    pub(super) measured: MeasuredBlocks,
    /// Maximum number of blocks of the next `advance`, reduced after L1 has rejected one.
    pub(super) max_blocks: usize,
    pub(super) blobs: BlobBackoff,
    /// Blob base fee on L1, and its support for blobs.
    pub(super) blob_terms: BlobTerms,
    /// Cache of which codes are stored on L1.
    codes: CodeCache,
    /// L1 block from which inputs reference codes on L1 again.
    code_retry_at: u64,
    /// L1 block from which the gas schedule of EXECUTE is checked again after an `advance` has
    /// failed.
    price_check_at: u64,
}

impl AdvancePlanner {
    pub(super) fn new(
        client: Arc<L1Client>,
        rules: RollupRules,
        config: SubmitterConfig,
        profile: L1Profile,
        reads_blobs: bool,
        evidence: EvidenceBook,
    ) -> Self {
        Self {
            client,
            rules,
            config,
            measured: MeasuredBlocks::new(profile.clone()),
            profile,
            reads_blobs,
            evidence,
            max_blocks: MAX_BLOCKS,
            blobs: BlobBackoff::default(),
            blob_terms: BlobTerms::default(),
            codes: CodeCache::default(),
            code_retry_at: 0,
            price_check_at: 0,
        }
    }

    pub(super) const fn limits(&self) -> &L1Limits {
        &self.profile.limits
    }

    /// Returns as many of the oldest blocks as fit into one L1 transaction, and their input: a
    /// batch, in which all blocks have one witness and the same fork, or the shortest input of one
    /// block.
    pub(super) fn fitting_blocks(
        &mut self,
        work: &Work,
        mut blocks: Vec<Arc<Block>>,
    ) -> Result<Option<Fitting>, BatcherError> {
        let (chain, time) = (&work.chain, work.l1_time());
        blocks.truncate(self.max_blocks);
        let fork_of = |block: &Arc<Block>| chain.config().spec.fork_at(block.header.timestamp);
        let Some(first) = blocks.first().cloned() else { return Ok(None) };
        let fork = fork_of(&first).ok_or(ChainError::NoFork(first.header.timestamp))?;
        let mut gas = 0_u64;
        let fitting = blocks.iter().take_while(|block| {
            gas = gas.saturating_add(block.header.gas_used);
            let header = &block.header;
            header.timestamp <= time && gas <= header.gas_limit && fork_of(block) == Some(fork)
        });
        let mut count = fitting.count();
        blocks.truncate(count);
        self.measured.measure(chain, &blocks)?;
        let (max_bytes, max_gas) = (self.limits().input_bytes(), self.limits().gas);
        let (of_l1, genesis) = (self.fork_of_l1(work, fork), work.genesis_number());
        while count > 0 {
            blocks.truncate(count);
            let input = self.measured.input_of(chain, &blocks, shortest_input)?;
            let posting = AdvancePlan::in_calldata(slice::from_ref(&input));
            let gas = posting.cost(of_l1, genesis, first.header.number).limit;
            let length = input.bytes.len();
            // A single block was within the limits when it was sealed.
            if count == 1 || length <= max_bytes && gas <= max_gas {
                return Ok(Some((blocks, input)));
            }
            // Assumes blocks of equal size, and drops at least one.
            let by_bytes = count * max_bytes / length.max(1);
            let by_gas = u128::from(max_gas) * count as u128 / u128::from(gas.max(1));
            let by_gas = usize::try_from(by_gas).unwrap_or(count);
            count = by_bytes.min(by_gas).clamp(1, count - 1);
        }
        Ok(None)
    }

    /// Returns the transaction that posts as many of the oldest waiting blocks as fit into blobs,
    /// if that costs less per block than `calldata`.
    pub(super) fn by_blobs(
        &mut self,
        work: &Work,
        waiting: &[Arc<Block>],
        calldata: &AdvanceInput,
        references: &[CodeReference],
    ) -> Result<Option<TxCandidate>, BatcherError> {
        let Some(first) = waiting.first() else { return Ok(None) };
        if !self.reads_blobs || !self.blobs.allows(work.l1_head()) {
            return Ok(None);
        }
        // L1's EXECUTE rejects the schema of a fork that L1 does not have.
        let Some(fork) = work.chain.config().spec.fork_at(first.header.timestamp) else {
            return Ok(None);
        };
        let genesis = work.genesis_number();
        let number = first.header.number;
        let in_blobs = self.in_blobs(work, waiting, fork)?;
        if in_blobs.is_empty() {
            return Ok(None);
        }
        let mut candidates = AdvancePlan::ways_in_calldata(slice::from_ref(calldata), references);
        candidates.extend(in_blobs);
        let of_l1 = self.fork_of_l1(work, fork);
        let Some(prices) = self.prices(work, of_l1)? else { return Ok(None) };
        // Compared by cost per block, because blobs are only cheaper when they are full.
        let chosen = advance_plan::cheapest(candidates, &prices, self.limits(), genesis, number);
        let Some((posting, cost)) = chosen.filter(|(posting, _)| !posting.blobs.is_empty()) else {
            return Ok(None);
        };
        let count = usize::try_from(posting.blocks).unwrap_or(usize::MAX).min(waiting.len());
        let blocks = waiting[..count].to_vec();
        let mut evidence = self.evidence_of(work, &blocks)?;
        let hash = hash_of(&evidence);
        // The contract cannot read transactions from blobs, so the evidence must prove them.
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
            evidence: Some(hash),
            ..TxCandidate::new(&blocks, data)
        }))
    }

    /// Returns the evidence with which these blocks meet the duties on L1.
    pub(super) fn evidence_of(
        &self,
        work: &Work,
        blocks: &[Arc<Block>],
    ) -> Result<Evidence, BatcherError> {
        let (book, rules) = (&self.evidence, &self.rules);
        let Work { chain, view, duties, .. } = work;
        let (evidence, _) =
            evidence(book, chain, view, rules, *duties, blocks, Omission::Expires)??;
        Ok(evidence)
    }

    /// Returns `true` if these waiting blocks now need other evidence than the transaction with
    /// them has: L1 would include it without an advance. Returns `false` if no evidence would do.
    pub(super) fn is_stale(
        &self,
        work: &Work,
        waiting: &[Arc<Block>],
        sent: &TxCandidate,
    ) -> Result<bool, BatcherError> {
        let Some(before) = sent.evidence else { return Ok(false) };
        let find = |hash| waiting.iter().find(|block| block.hash == hash).cloned();
        let blocks: Option<Vec<_>> = sent.blocks.iter().map(|block| find(block.hash)).collect();
        let Some(blocks) = blocks else { return Ok(false) };
        let (book, rules) = (&self.evidence, &self.rules);
        let Work { chain, view, duties, .. } = work;
        let now = evidence(book, chain, view, rules, *duties, &blocks, Omission::Expires)?;
        Ok(now.is_ok_and(|(now, _)| hash_of(&now) != before))
    }

    /// Returns `true` if there is no known reason not to use blobs.
    pub(super) fn may_use_blobs(&self, work: &Work) -> bool {
        self.reads_blobs && self.blobs.allows(work.l1_head()) && !self.blobs.has_reason()
    }

    /// Returns references for the codes of an input that are stored on L1, so that the input need
    /// not contain them. Returns none for [`RETRY_BLOCKS`] after a failed `advance`: if the L1 node
    /// reported a wrong code, the next `advance` would fail too.
    pub(super) fn code_references(&self, work: &Work, input: &Bytes) -> Vec<CodeReference> {
        if work.l1_head() < self.code_retry_at {
            return Vec::new();
        }
        let codes =
            [CodeReference::of_codes_in(input), CodeReference::of_each_code_in(input)].concat();
        let references =
            self.codes.among(codes, work.l1_head(), |accounts| self.client.codes(accounts));
        // References only save gas, so posting continues without them.
        references.unwrap_or_else(|error| {
            tracing::debug!(%error, "failed to look up codes on L1");
            Vec::new()
        })
    }

    /// Compares the configured gas schedule of EXECUTE with L1's after an `advance` has failed, at
    /// most once in [`RETRY_BLOCKS`], since each comparison builds a block for its calls.
    pub(super) fn check_prices(&mut self, work: &Work) -> Result<(), BatcherError> {
        if work.l1_head() < self.price_check_at {
            return Ok(());
        }
        let checked = self.profile.check(&self.client, work.view.deployment());
        // Another node may respond correctly, so that the next comparison passes.
        checked.inspect_err(|error| {
            if !error.is_silence() {
                self.client.leave_node();
            }
        })?;
        self.price_check_at = work.l1_head().saturating_add(RETRY_BLOCKS);
        Ok(())
    }

    /// Stops using code references for [`RETRY_BLOCKS`], because L1 has rejected an `advance`.
    pub(super) fn pause_code_references(&mut self, work: &Work) {
        self.codes.forget();
        self.code_retry_at = work.l1_head().saturating_add(RETRY_BLOCKS);
    }

    /// Encodes the input as calldata, with references to codes on L1 where that is cheaper. Returns
    /// the calldata inputs and their gas limit; `None` if the estimate exceeds L1's limit and L1
    /// `can_simulate` the transaction for a better one. The last value is the gas to add to L1's
    /// estimate in case L1 forks before it includes the transaction.
    pub(super) fn in_calldata(
        &self,
        work: &Work,
        blocks: &[Arc<Block>],
        input: &AdvanceInput,
        references: &[CodeReference],
        evidence: &Evidence,
        can_simulate: bool,
    ) -> (Vec<Bytes>, Option<u64>, u64) {
        let plain = || (vec![input.bytes.clone()], None, 0);
        let Some(first) = blocks.first() else { return plain() };
        let chain = &work.chain;
        let Some(fork) = chain.config().spec.fork_at(first.header.timestamp) else {
            return plain();
        };
        let (of_l1, present) = (self.fork_of_l1(work, fork), self.present_fork(work, fork));
        let plans = AdvancePlan::ways_in_calldata(slice::from_ref(input), references).into_iter();
        let plans = plans.map(|posting| {
            let cost = posting.cost(of_l1, work.genesis_number(), first.header.number);
            (posting, cost)
        });
        let Some((posting, cost)) = plans.min_by_key(|(_, cost)| cost.gas) else { return plain() };
        let (limit, max_gas) = (limit_with(&posting, &cost, evidence, of_l1), self.limits().gas);
        let by_present = posting.cost(present, work.genesis_number(), first.header.number);
        let by_present = limit_with(&posting, &by_present, evidence, present);
        let for_fork = limit.saturating_sub(by_present);
        // Above L1's limit, either the estimate is too high or the block does not fit into a
        // transaction. Only L1's own estimate shows which.
        let limit = match limit <= max_gas {
            true => Some(limit),
            false => (!can_simulate).then_some(max_gas),
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

    /// Returns the plans to post as many of the oldest blocks as fit in blobs.
    fn in_blobs(
        &mut self,
        work: &Work,
        waiting: &[Arc<Block>],
        fork: ProtocolFork,
    ) -> Result<Vec<AdvancePlan>, BatcherError> {
        let count = work.count_on(waiting, fork).min(self.max_blocks);
        let Some(first) = waiting.first().map(|block| block.header.number) else {
            return Ok(Vec::new());
        };
        let (max_gas, genesis) = (self.limits().gas, work.chain.first_number());
        let of_l1 = self.fork_of_l1(work, fork);
        let admits = |posting: &AdvancePlan| posting.cost(of_l1, genesis, first).limit <= max_gas;
        self.measured.measure(&work.chain, &waiting[..count])?;
        // In blobs, a single block has the plain input rather than the shortest one.
        advance_plan::ways_in_blobs(count, admits, |range| {
            self.measured.input_of(&work.chain, &waiting[range], Block::input)
        })
    }

    /// Returns L1's current prices; `None` if L1's EXECUTE does not read inputs from blobs, or the
    /// blob base fee exceeds the configured maximum.
    pub(super) fn prices(
        &mut self,
        work: &Work,
        fork: ProtocolFork,
    ) -> Result<Option<L1Prices>, BatcherError> {
        let Some(price) = self.blob_terms.at(work.l1_head(), &self.client)? else {
            self.blobs.warn_once(format!("L1 has no EXECUTE at {BLOB_EXECUTE_ADDRESS}"));
            return Ok(None);
        };
        if price > self.config.max_blob_fee {
            self.blobs.warn_once("blob base fee exceeds the configured maximum".to_owned());
            return Ok(None);
        }
        self.blobs.clear_reason();
        let base_fee = work.view.head().map_or(0, |head| u128::from(head.base_fee));
        let gas = base_fee.saturating_add(self.config.tip);
        Ok(Some(L1Prices { fork, gas, blob_gas: Some(price) }))
    }
}

/// Returns the hash of evidence, by which it is compared.
pub(super) fn hash_of(evidence: &Evidence) -> B256 {
    keccak256(evidence.abi_encode())
}

/// Returns `true` if the evidence depends on the current state of the duties on L1.
pub(super) const fn depends_on_duties(evidence: &Evidence) -> bool {
    !evidence.relays.is_empty() || !evidence.forced.is_empty()
}

/// Returns the gas limit of a posting with its evidence, including an upper bound for checking each
/// piece.
fn limit_with(posting: &AdvancePlan, cost: &Cost, evidence: &Evidence, fork: ProtocolFork) -> u64 {
    let of = |evidence: Evidence| advance_plan::transaction_gas(fork, &posting.calldata(evidence));
    let ((plain, _), (whole, floor)) = (of(Evidence::default()), of(evidence.clone()));
    let discharges: usize = evidence.forced.iter().map(|batch| batch.discharges.len()).sum();
    let pieces = UPDATE_GAS * evidence.updates.len() as u64
        + PROOF_GAS * evidence.relays.len() as u64
        + DISCHARGE_GAS * discharges as u64;
    // The calldata floor of EIP-7623 applies if EXECUTE is cheap and the calldata long.
    cost.limit.saturating_add(whole - plain).saturating_add(pieces).max(floor)
}

/// Returns the sidecar of a posting on an L1 of this fork, with cell proofs since Osaka (EIP-7594),
/// or one proof per blob before (EIP-4844).
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
