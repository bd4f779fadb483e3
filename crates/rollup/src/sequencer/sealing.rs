//! Content of the next block, and checks that L1 can accept it.

use super::offer::{ForcedQueue, FruitlessAttempt, OfferState, UserOffer, waits_for_base_fee};
use crate::{
    Duties, DutyError, RollupRules, SequencerConfig, SequencerError, SignerError,
    duties::{Omission, evidence},
    l1::{
        execute_rate::{Capacity, ExecuteRate},
        poller::Terms,
    },
    l2::syncer::L2Syncer,
    lease::Fence,
    sequencer::{
        anchor::{L1Inputs, Operator, SystemTransactions},
        evidence::EvidenceBook,
    },
};
use alloy_sol_types::SolCall as _;
use chain::{ChainReader, RecoveredTransaction, Rejection};
use contracts::{
    advance_plan::{EVIDENCE_BYTES, L1Limits},
    bindings::INativeRollup::{Evidence, advanceCall},
    capacity::RELAYS,
};
use node::{BlockCandidate, InputCost, MineRequest, Node, SetAttributes, SetCoinbase};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Outcome of the check of a sealed block's duties.
pub(super) enum DutyCheck {
    /// The block meets its duties.
    Met {
        sealed: BlockCandidate,
        /// Length of its calldata on L1 without the input, in bytes.
        other_calldata: usize,
    },
    Failed {
        sealed: BlockCandidate,
        error: DutyError,
    },
}

/// Outcome of a block's system transactions.
enum SystemOutcome {
    /// All of them succeeded, and the block fits into an L1 transaction.
    Yes,
    /// The operator's account on the L2 cannot pay for its transactions.
    OperatorRefused(Rejection),
    /// The block exceeds L1's limits, or a system transaction failed or did not fit.
    TooMuch,
}

/// Parameters of the next block.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealRequest<'s> {
    pub(super) time: u64,
    /// State of the contracts on L1.
    pub(super) terms: &'s Terms,
    /// Maximum gas of the pool's transactions.
    pub(super) pool_gas: Option<u64>,
    /// Transactions of replaced blocks.
    pub(super) requeued: &'s [RecoveredTransaction],
    /// Maximum number of user transactions, during the search for one that L1 rejects.
    pub(super) max_users: Option<usize>,
    /// Lowest L1 block number that the anchor must name, if the block replaces a promised one.
    pub(super) min_anchor: u64,
}

/// Content of the next attempt to build a block.
#[derive(Debug)]
struct BlockContent {
    l1_inputs: L1Inputs,
    users: UserOffer,
    /// Maximum number of relayed messages.
    max_messages: usize,
    /// Bytes of the block's calldata on L1 that its input must leave free.
    reserved_bytes: usize,
    /// Treatment of a due forced transaction that the block omits.
    omission: Omission,
}

impl BlockContent {
    /// Returns the request to build a block with this content.
    fn mine_request(
        &self,
        chain: &ChainReader,
        request: &SealRequest<'_>,
        system: &SystemTransactions,
    ) -> MineRequest {
        let parent = &chain.head().header;
        MineRequest {
            timestamp: Some(request.time),
            parent_beacon_block_root: match &self.l1_inputs.anchor {
                Some(anchor) => anchor.hash(),
                None => parent.parent_beacon_block_root.unwrap_or_default(),
            },
            transactions: system.transactions.iter().chain(self.users.first()).cloned().collect(),
            reserved_bytes: self.reserved_bytes,
            gas_target: Some(request.terms.gas_target),
            pool_gas: request.pool_gas,
            only: self.users.only(),
            ..MineRequest::default()
        }
    }
}

/// Seals blocks that L1 can accept.
#[derive(Debug)]
pub(super) struct BlockSealer {
    config: Arc<SequencerConfig>,
    rules: RollupRules,
    /// L1's transaction limits.
    limits: L1Limits,
    /// Price of EXECUTE on L1.
    pub(super) rate: ExecuteRate,
    evidence: EvidenceBook,
    /// Right to seal, checked immediately before each block.
    pub(super) fence: Fence,
    /// Messages whose delivery would make a block too large for L1.
    deferred: BTreeSet<u64>,
    fruitless: FruitlessAttempt,
    /// Rejection of the operator's transactions by the L2.
    pub(super) operator_refused: Option<Rejection>,
    last_block: Instant,
    /// Duty that no attempt fulfilled, and the time of the last attempt.
    stalled: Option<(DutyError, Instant)>,
    /// `true` once this sequencer has sealed a block.
    has_sealed: bool,
}

impl BlockSealer {
    pub(super) fn new(
        config: Arc<SequencerConfig>,
        rules: RollupRules,
        limits: L1Limits,
        rate: ExecuteRate,
        evidence: EvidenceBook,
    ) -> Self {
        Self {
            config,
            rules,
            limits,
            rate,
            evidence,
            fence: Fence::default(),
            deferred: BTreeSet::new(),
            fruitless: FruitlessAttempt::default(),
            operator_refused: None,
            last_block: Instant::now(),
            stalled: None,
            has_sealed: false,
        }
    }

    /// Returns the capacity of an L1 transaction for inputs.
    pub(super) fn capacity(&self) -> Capacity {
        self.rate.capacity(&self.limits)
    }

    /// Records that a sealed block is the head.
    pub(super) fn note_sealed(&mut self) {
        (self.last_block, self.has_sealed) = (Instant::now(), true);
    }

    /// Returns the time since the last block, or since the start.
    pub(super) fn since_last_block(&self) -> Duration {
        self.last_block.elapsed()
    }

    /// Returns L1's queue of forced transactions.
    pub(super) fn forced<'s>(&'s self, sync: &'s L2Syncer) -> ForcedQueue<'s> {
        let confirmations = self.config.confirmations;
        ForcedQueue { view: &sync.view, rules: &self.rules, confirmations }
    }

    /// Seals the next block, if there are transactions or the idle interval is over.
    pub(super) fn seal(
        &mut self,
        sync: &L2Syncer,
        request: SealRequest<'_>,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let SealRequest { time, terms, requeued, max_users, min_anchor, .. } = request;
        // The stall may last for days, and each attempt builds several blocks.
        if let Some((error, at)) = &self.stalled
            && at.elapsed() < self.config.block_time
        {
            return Err(error.clone().into());
        }
        let (chain, duties) = (&sync.chain(), terms.duties);
        let confirmations = self.config.confirmations;
        let in_force = terms.admission.anchor_number;
        let l1_inputs =
            L1Inputs::next(&sync.view, chain, confirmations, duties.relayed, in_force, min_anchor)?;
        let forced = self.forced(sync).includable(chain, duties.forced_next, time)?;
        let offered = OfferState::of(chain.head().hash, &sync.node, &forced, requeued);
        let has_users =
            offered.has_users() && self.fruitless.may_try(&offered, self.config.block_time);
        let is_idle = l1_inputs.anchor.is_none() && l1_inputs.covered <= l1_inputs.relayed;
        let must_seal = self.since_last_block() >= self.config.idle_block_time
            || max_users.is_some()
            || self.would_discharge(sync, duties, time)?;
        if is_idle && !has_users && !must_seal {
            return Ok(None);
        }
        self.set_coinbase(&sync.node, terms, time)?;
        let may_leave_out = has_users && !l1_inputs.needs_anchor;
        let users = UserOffer::new(time, forced, requeued, max_users);
        let mut content = BlockContent {
            l1_inputs,
            users,
            max_messages: usize::MAX,
            reserved_bytes: 0,
            omission: Omission::Rejected,
        };
        // The loop terminates, because each iteration removes half of the requeued transactions,
        // then half of the messages, and finally defers the delivery of a single message. An
        // omitted duty adds a forced transaction or a deferred message, whose number per block is
        // bounded.
        loop {
            let system = match self.system_transactions(sync, chain, &content, time) {
                // User transactions do not wait for the operator's signer, but a block that must
                // discharge a duty is not sealed without it.
                Err(SequencerError::Signer(error))
                    if may_leave_out && !matches!(error, SignerError::Key { .. }) =>
                {
                    tracing::warn!(%error, "operator's signer failed, sealing without L1 inputs");
                    content.l1_inputs.leave_out();
                    continue;
                }
                Err(SequencerError::Signer(SignerError::Pending { .. })) => return Ok(None),
                system => system?,
            };
            let mine_request = content.mine_request(chain, &request, &system);
            // The `pending` block and its budget reflect the block that is about to be sealed.
            sync.node.execute(SetAttributes(mine_request.clone()));
            self.fence.check()?;
            let sealed = sync.node.seal(&mine_request)?;
            match system_outcome(&sealed, &system, &self.capacity()) {
                SystemOutcome::Yes => {}
                SystemOutcome::OperatorRefused(reason) if may_leave_out => {
                    tracing::error!(%reason, "operator's transactions rejected, sealing without L1 inputs");
                    self.operator_refused = Some(reason);
                    content.l1_inputs.leave_out();
                    continue;
                }
                SystemOutcome::OperatorRefused(reason) => {
                    return Err(SequencerError::Operator(reason));
                }
                SystemOutcome::TooMuch => {
                    self.shrink(&mut content, system.relayed, &sealed)?;
                    continue;
                }
            }
            if !system.transactions.is_empty() {
                self.operator_refused = None;
            }
            let checked = self.check_duties(sync, sealed, duties, content.omission)?;
            let (sealed, other_calldata) = match checked {
                DutyCheck::Met { sealed, other_calldata } => (sealed, other_calldata),
                DutyCheck::Failed { sealed, error } => {
                    let all = RecoveredTransaction::of_block(&sealed.new.block);
                    let included = all.skip(system.transactions.len()).collect();
                    if !self.remedy(sync, chain, &error, included, &mut content)? {
                        if content.omission == Omission::Rejected
                            && self.may_expire(sync, &error, mine_request)?
                        {
                            tracing::error!(%error, "forced transaction expires");
                            content.omission = Omission::Expires;
                            continue;
                        }
                        self.stalled = Some((error.clone(), Instant::now()));
                        return Err(error.into());
                    }
                    // Relays that are not due yet leave their space to overdue duties.
                    if content.users.is_duties_only() && time < duties.relay_due {
                        content.l1_inputs.leave_out();
                    }
                    continue;
                }
            };
            let must_seal = must_seal || content.omission == Omission::Expires;
            if !must_seal && !self.is_worth_sealing(sync, &sealed, requeued)? {
                sync.node.discard(sealed);
                self.fruitless.note(offered, &sync.node);
                return Ok(None);
            }
            let reserved_bytes = other_calldata.saturating_sub(EVIDENCE_BYTES);
            let input_bytes = sealed.cost.map_or(0, |cost| cost.bytes);
            if input_bytes + reserved_bytes <= self.capacity().bytes {
                return Ok(Some(sealed));
            }
            // Evidence about forced transactions reduces the space for the pool's.
            if reserved_bytes <= content.reserved_bytes {
                return Err(too_large(&sealed, &self.capacity()));
            }
            content.reserved_bytes = reserved_bytes;
        }
    }

    /// Returns `true` if a block has transactions or is needed without. Posting any other block
    /// would only cost L1 gas.
    fn is_worth_sealing(
        &self,
        sync: &L2Syncer,
        sealed: &BlockCandidate,
        requeued: &[RecoveredTransaction],
    ) -> Result<bool, SequencerError> {
        let block = &sealed.new.block;
        // The first block of a sequencer may be empty: after a takeover, the missing transactions
        // before a gapped one may be in blocks of the previous leader, which returns them to its
        // pool once it receives another block.
        if !block.transactions.is_empty() || !self.has_sealed {
            return Ok(true);
        }
        Ok(waits_for_base_fee(&sync.node, &sync.chain(), &block.header, requeued)?)
    }

    /// Reduces the content after a block was too large: first the requeued transactions, then the
    /// messages, and finally a single message is parked for anyone to deliver. `relayed` is the
    /// number of messages relayed after that block.
    fn shrink(
        &mut self,
        content: &mut BlockContent,
        relayed: u64,
        sealed: &BlockCandidate,
    ) -> Result<(), SequencerError> {
        if content.users.shrink() {
            return Ok(());
        }
        let index = content.l1_inputs.relayed;
        match relayed - index {
            count @ 2.. => {
                content.max_messages = usize::try_from(count / 2).unwrap_or(usize::MAX);
            }
            1 if self.deferred.insert(index) => {
                tracing::warn!(index, "deferred message, its delivery exceeds L1's limits");
            }
            _ => return Err(too_large(sealed, &self.capacity())),
        }
        Ok(())
    }

    /// Returns `true` if a block at `time` would discharge a forced transaction that no waiting
    /// block discharges. A block discharges few, and they are overdue after the policy's timeout,
    /// so they do not wait for the idle interval.
    fn would_discharge(
        &self,
        sync: &L2Syncer,
        duties: Duties,
        time: u64,
    ) -> Result<bool, SequencerError> {
        let (chain, queue) = (sync.chain(), self.forced(sync));
        // Most calls end here, since nothing is due.
        if !queue.is_due(duties.forced_next, time) {
            return Ok(false);
        }
        let blocks = sync.unsafe_blocks()?;
        let (book, rules) = (&self.evidence, &self.rules);
        let composed =
            evidence(book, &chain, &sync.view, rules, duties, &blocks, Omission::Expires)?;
        let Ok((_, after)) = composed else { return Ok(false) };
        Ok(queue.is_dischargeable(&chain, after.forced_next, time)?)
    }

    /// Sets the coinbase to the policy's fee recipient, or else to the operator.
    fn set_coinbase(&self, node: &Node, terms: &Terms, time: u64) -> Result<(), SequencerError> {
        let recipient = terms.admission.fee_recipient(time)?;
        let coinbase = recipient.unwrap_or(self.config.operator_key.address());
        if node.read(|node| node.settings.coinbase) != coinbase {
            node.execute(SetCoinbase(coinbase));
        }
        Ok(())
    }

    fn system_transactions(
        &self,
        sync: &L2Syncer,
        chain: &ChainReader,
        content: &BlockContent,
        time: u64,
    ) -> Result<SystemTransactions, SequencerError> {
        let mut operator = Operator::at(&self.config.operator_key, chain, time)?;
        let deferred = |index| self.deferred.contains(&index);
        let BlockContent { l1_inputs, max_messages, .. } = content;
        Ok(l1_inputs.transactions(&sync.view, &mut operator, *max_messages, deferred)?)
    }

    /// Changes the content of the next attempt so that it meets a duty that a trial block does not
    /// meet. `included` are the user transactions of that block. Returns `false` if nothing is left
    /// to try.
    fn remedy(
        &mut self,
        sync: &L2Syncer,
        chain: &ChainReader,
        error: &DutyError,
        included: Vec<RecoveredTransaction>,
        content: &mut BlockContent,
    ) -> Result<bool, SequencerError> {
        match *error {
            DutyError::ForcedOmitted { index, .. } => {
                let omitted = self.forced(sync).get(index);
                Ok(omitted.is_some_and(|omitted| content.users.demand(omitted, included)))
            }
            DutyError::MessagesOverdue { .. } => {
                // No more than required, since only these are parked, and a later one may be too
                // large.
                content.max_messages = RELAYS as usize;
                self.park_next(sync, chain, &content.l1_inputs)
            }
            DutyError::AnchorUnknown { .. } => Ok(false),
        }
    }

    /// Parks the last message, of those that an overdue block must relay, that is not parked yet,
    /// because they do not all fit. Returns `false` if there is none.
    fn park_next(
        &mut self,
        sync: &L2Syncer,
        chain: &ChainReader,
        l1_inputs: &L1Inputs,
    ) -> Result<bool, SequencerError> {
        let L1Inputs { relayed, covered, .. } = *l1_inputs;
        for index in (relayed..covered.min(relayed + RELAYS)).rev() {
            let Some(message) = sync.view.messages().range(index, index + 1).next() else {
                continue;
            };
            // The messenger always delivers a plain deposit (`NotParkable`).
            let is_plain = message.gas_limit == 0
                && message.data.is_empty()
                && chain.code(message.to)?.is_empty();
            if !is_plain && self.deferred.insert(index) {
                tracing::warn!(index, "deferred message, overdue messages do not fit into a block");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns `true` if the next block may be one that L1 accepts only because the first entry of
    /// its queue has expired, given that no attempt has included the entry in `error`.
    ///
    /// If that is a later entry, the block includes the first one or proves it invalid, so the
    /// expiry drops nothing. If it is the first one, no other block must be able to include it.
    fn may_expire(
        &self,
        sync: &L2Syncer,
        error: &DutyError,
        request: MineRequest,
    ) -> Result<bool, SequencerError> {
        let DutyError::ForcedOmitted { index, first, expires, .. } = *error else {
            return Ok(false);
        };
        if request.timestamp.is_none_or(|time| time < expires) {
            return Ok(false);
        }
        let (queue, has_market) = (self.forced(sync), self.rate.get().is_some());
        let (node, chain) = (&sync.node, &sync.chain());
        Ok(index != first || queue.is_unincludable(node, chain, index, has_market, request)?)
    }

    /// Checks the duties of a sealed block.
    pub(super) fn check_duties(
        &self,
        sync: &L2Syncer,
        sealed: BlockCandidate,
        duties: Duties,
        omission: Omission,
    ) -> Result<DutyCheck, SequencerError> {
        // Append to a copy of the chain that shares its state, because readers must not see the
        // block before its duties are checked.
        let mut after = sync.node.read(|node| node.chain.detached());
        let block = after.append(sealed.new.clone())?;
        let mut blocks = sync.unsafe_blocks()?;
        let last = blocks.len() as u64;
        blocks.push(block);
        let (book, reader, rules) = (&self.evidence, after.reader(), &self.rules);
        let evidence = evidence(book, reader, &sync.view, rules, duties, &blocks, omission)?;
        let evidence = match evidence {
            Ok((evidence, _)) => evidence,
            Err(error) => return Ok(DutyCheck::Failed { sealed, error }),
        };
        let Evidence { mut updates, mut forced, mut relays } = evidence;
        updates.retain(|update| update.index == last);
        forced.retain(|forced| forced.index == last);
        relays.retain(|relay| relay.index == last);
        let own = Evidence { updates, forced, relays };
        let other_calldata = advanceCall { inputs: Vec::new(), evidence: own }.abi_encoded_size();
        Ok(DutyCheck::Met { sealed, other_calldata })
    }
}

/// Checks that all system transactions of a block succeeded, and that it fits into an L1
/// transaction.
fn system_outcome(
    sealed: &BlockCandidate,
    system: &SystemTransactions,
    limits: &Capacity,
) -> SystemOutcome {
    let block = &sealed.new.block;
    let is_own = |hash| system.transactions.iter().any(|tx| tx.transaction.hash() == hash);
    // Only an invalid transaction is the operator's fault, e.g. because of an empty account.
    // Otherwise the block is too large.
    let refused = sealed.rejected.iter().find(|(hash, _)| is_own(hash));
    if let Some((_, reason @ Rejection::Invalid(_))) = refused {
        return SystemOutcome::OperatorRefused(reason.clone());
    }
    let done = system.transactions.iter().zip(&block.transactions).zip(&block.executed.receipts);
    let done = done.take_while(|((expected, got), receipt)| {
        expected.transaction.hash() == got.hash() && receipt.success
    });
    let all = done.count() == system.transactions.len();
    let fits =
        |InputCost { bytes, gas, .. }: &InputCost| *bytes <= limits.bytes && *gas <= limits.gas;
    if all && sealed.cost.as_ref().is_some_and(fits) {
        SystemOutcome::Yes
    } else {
        SystemOutcome::TooMuch
    }
}

pub(super) fn too_large(sealed: &BlockCandidate, limits: &Capacity) -> SequencerError {
    let (bytes, gas) = sealed.cost.map_or((0, 0), |cost| (cost.bytes, cost.gas));
    let (max_bytes, max_gas) = (limits.bytes, limits.gas);
    SequencerError::TooLarge { bytes, max_bytes, gas, max_gas }
}
