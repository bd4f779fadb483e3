//! Content of the next block, and checks that L1 can accept it.

use super::{
    Sequencer,
    offer::{Offered, UserOffer},
};
use crate::{
    Duties, DutyError, SequencerError, SignerError,
    duties::evidence,
    l1::{execute_rate::Capacity, poller::Terms},
    l2::contracts::{covered_by, relayed_after},
    sequencer::anchor::{self, Operator, SystemTransactionGas, SystemTransactions},
};
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainReader, Rejection};
use contracts::{
    Anchor,
    advance_plan::EVIDENCE_BYTES,
    bindings::INativeRollup::{Evidence, advanceCall},
    capacity::RELAYS,
};
use node::{BlockCandidate, InputCost, MineRequest, SetAttributes, SetCoinbase};
use std::sync::Arc;
use wire::ProtocolFork;

/// L1 inputs of the next block.
struct L1Inputs {
    /// New anchor, if there is one.
    anchor: Option<Anchor>,
    /// Number of messages that the block's anchor covers.
    covered: u64,
    /// Number of messages relayed before the block.
    relayed: u64,
    /// `true` if the block replaces a promised one, and contradicts it without a new anchor.
    needs_anchor: bool,
}

impl L1Inputs {
    /// Leaves the L1 inputs to a later block, except for an anchor that this one needs.
    const fn leave_out(&mut self) {
        if !self.needs_anchor {
            self.anchor = None;
        }
        self.covered = self.relayed;
    }
}

/// Outcome of the check of a sealed block's duties.
pub(super) enum DutyCheck {
    /// The block meets them, and has this length of calldata on L1 without the input.
    Met {
        sealed: BlockCandidate,
        beside: usize,
    },
    Failed {
        sealed: BlockCandidate,
        error: DutyError,
    },
}

/// Outcome of the system transactions with which a block begins.
enum SystemOutcome {
    /// All of them succeeded, and the block fits into an L1 transaction.
    Yes,
    /// The operator's account on the L2 cannot pay for its transactions.
    OperatorRefused(Rejection),
    /// The block exceeds L1's limits, or a system transaction failed or did not fit.
    TooMuch,
}

impl Sequencer {
    /// Seals the next block, if there are transactions or the idle interval is over.
    pub(super) fn seal(
        &mut self,
        chain: &ChainReader,
        head: &Arc<Block>,
        time: u64,
        terms: &Terms,
        pool_gas: Option<u64>,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let known = terms.duties;
        let mut l1_inputs = self.l1_inputs(chain, head, &known, time)?;
        let forced = self.forced(chain, &known, time)?;
        let offered = Offered::of(head.hash, self.node(), &forced, &self.requeued);
        let has_users = offered.has_users() && self.may_try(&offered);
        let is_idle = l1_inputs.anchor.is_none() && l1_inputs.covered <= l1_inputs.relayed;
        let must_seal = self.last_block.elapsed() >= self.config.idle_block_time
            || self.isolation.limit().is_some();
        if is_idle && !has_users && !must_seal {
            return Ok(None);
        }
        self.set_coinbase(terms, time)?;
        let may_leave_out = has_users && !l1_inputs.needs_anchor;
        let most_users = self.isolation.limit();
        let mut users = UserOffer::new(time, forced, &self.requeued, most_users);
        // Each iteration removes something, so the loop ends: half of the kept transactions, then
        // half of the messages, then the delivery of a single message is deferred. An omitted duty
        // adds a forced transaction or a deferred message, and their number per block is bounded.
        let (mut most, mut reserved) = (usize::MAX, 0);
        loop {
            let system = match self.system_transactions(chain, &l1_inputs, most, time) {
                // User transactions do not wait for the operator's signer, but a block that has to
                // discharge a duty is not sealed without it.
                Err(SequencerError::Signer(error))
                    if may_leave_out && !matches!(error, SignerError::Key { .. }) =>
                {
                    tracing::warn!(%error, "operator's signer did not sign, sealing without L1 inputs");
                    l1_inputs.leave_out();
                    continue;
                }
                Err(SequencerError::Signer(SignerError::Pending { .. })) => return Ok(None),
                system => system?,
            };
            let request = MineRequest {
                timestamp: Some(time),
                parent_beacon_block_root: match &l1_inputs.anchor {
                    Some(anchor) => anchor.hash(),
                    None => head.header.parent_beacon_block_root.unwrap_or_default(),
                },
                transactions: system.transactions.iter().chain(users.first()).cloned().collect(),
                reserved_bytes: reserved,
                pool_gas,
                only: users.only(),
                ..MineRequest::default()
            };
            // The `pending` block and its budget then show the block that is about to be sealed.
            self.node().execute(SetAttributes(request.clone()));
            self.fence.check()?;
            let sealed = self.node().seal(&request)?;
            match system_outcome(&sealed, &system, &self.capacity()) {
                SystemOutcome::Yes => {
                    if !system.transactions.is_empty() {
                        self.operator_refused = None;
                    }
                    let (sealed, beside) = match self.check_duties(sealed, known)? {
                        DutyCheck::Met { sealed, beside } => (sealed, beside),
                        DutyCheck::Failed { sealed, error } => {
                            let is_remedied = match error {
                                DutyError::ForcedOmitted { index, .. } => self.demand(
                                    index,
                                    &sealed.new.block,
                                    system.transactions.len(),
                                    &mut users,
                                ),
                                DutyError::MessagesOverdue { .. } => {
                                    // No more than required: only these are parked, and one after
                                    // them may be too large.
                                    most = RELAYS as usize;
                                    self.park_next(chain, &l1_inputs)?
                                }
                                DutyError::AnchorUnknown { .. } => false,
                            };
                            if !is_remedied {
                                return Err(error.into());
                            }
                            // Relays that are not due yet leave their room to duties that are.
                            if users.is_duties_only() && time < known.relay_due {
                                l1_inputs.leave_out();
                            }
                            continue;
                        }
                    };
                    let has_none = sealed.new.block.transactions.is_empty();
                    // The first block of a sequencer may be empty: after a takeover, the missing
                    // transactions before a gapped one may be in blocks of the previous leader,
                    // which returns them to its pool once it gets another block.
                    if has_none
                        && !must_seal
                        && self.has_sealed
                        && !self.waits_for_base_fee(chain, &sealed.new.block.header)?
                    {
                        self.discard(sealed, offered);
                        return Ok(None);
                    }
                    let more = beside.saturating_sub(EVIDENCE_BYTES);
                    let bytes = sealed.cost.map_or(0, |cost| cost.bytes);
                    if bytes + more <= self.capacity().bytes {
                        return Ok(Some(sealed));
                    }
                    // The evidence about forced transactions reduces the space for the pool's.
                    if more <= reserved {
                        return Err(too_large(&sealed, &self.capacity()));
                    }
                    reserved = more;
                }
                SystemOutcome::OperatorRefused(reason) if may_leave_out => {
                    tracing::error!(%reason, "operator cannot send system transactions, sealing without L1 inputs");
                    self.operator_refused = Some(reason);
                    l1_inputs.leave_out();
                }
                SystemOutcome::OperatorRefused(reason) => {
                    return Err(SequencerError::Operator(reason));
                }
                // Fewer kept transactions, then fewer messages, and finally a single message that
                // is parked for anyone to deliver.
                SystemOutcome::TooMuch if users.shrink() => {}
                SystemOutcome::TooMuch => {
                    let index = l1_inputs.relayed;
                    match system.relayed - index {
                        0 => return Err(too_large(&sealed, &self.capacity())),
                        1 if !self.deferred.insert(index) => {
                            return Err(too_large(&sealed, &self.capacity()));
                        }
                        1 => tracing::warn!(
                            index,
                            "deferred message, a block that delivers it exceeds L1's limits"
                        ),
                        count => most = usize::try_from(count / 2).unwrap_or(usize::MAX),
                    }
                }
            }
        }
    }

    /// Sets the coinbase to the policy's fee recipient, or else to the operator.
    fn set_coinbase(&self, terms: &Terms, time: u64) -> Result<(), SequencerError> {
        let recipient = terms.admission.fee_recipient(time)?;
        let coinbase = recipient.unwrap_or(self.config.operator_key.address());
        if self.node().read(|node| node.settings.coinbase) != coinbase {
            self.node().execute(SetCoinbase(coinbase));
        }
        Ok(())
    }

    /// Returns the L1 inputs of the next block. It has a new anchor if there are newer messages and
    /// the last one covers fewer than an overdue block has to relay ([`RELAYS`]), or if it replaces a
    /// promised block.
    fn l1_inputs(
        &self,
        chain: &ChainReader,
        head: &Arc<Block>,
        known: &Duties,
        time: u64,
    ) -> Result<L1Inputs, SequencerError> {
        // Read from the L2 state and not counted in this process, since another node may have made
        // the last blocks.
        let (relayed, covered) = (relayed_after(chain, head)?, covered_by(chain, head)?);
        let l1_head = self.view().head().map(|head| head.number);
        let named = l1_head.and_then(|number| number.checked_sub(self.config.confirmations));
        let promises = self.preconfirmations.as_ref();
        let least = promises.map_or(0, |it| it.least_anchor(head, time));
        let anchor = named
            .filter(|_| least > 0 || covered.saturating_sub(relayed) < RELAYS)
            .and_then(|named| anchor::newest(self.view(), named.max(least), known.relayed))
            .filter(|anchor| {
                let count = anchor.message_count;
                count > covered || least > 0 && count == covered
            });
        let covered = anchor.as_ref().map_or(covered, |anchor| anchor.message_count);
        Ok(L1Inputs { anchor, covered, relayed, needs_anchor: least > 0 })
    }

    fn system_transactions(
        &self,
        chain: &ChainReader,
        l1_inputs: &L1Inputs,
        most: usize,
        time: u64,
    ) -> Result<SystemTransactions, SequencerError> {
        let key = self.config.operator_key.clone();
        let spec = &chain.config().spec;
        let mut operator = Operator {
            nonce: chain.nonce(key.address())?,
            base_fee: chain.state().next_base_fee()?,
            chain_id: spec.chain_id(),
            key,
            gas: SystemTransactionGas::on(spec.fork_at(time).unwrap_or(ProtocolFork::Amsterdam)),
        };
        let deferred = |index| self.deferred.contains(&index);
        let L1Inputs { anchor, covered, relayed, .. } = l1_inputs;
        let anchor = anchor.as_ref();
        Ok(anchor::system_transactions(
            self.view(),
            &mut operator,
            anchor,
            *covered,
            *relayed,
            most,
            deferred,
        )?)
    }

    /// Parks the last of the messages that an overdue block has to relay and that is not parked
    /// yet, since they do not all fit. Returns `false` if there is none.
    fn park_next(
        &mut self,
        chain: &ChainReader,
        l1_inputs: &L1Inputs,
    ) -> Result<bool, SequencerError> {
        let L1Inputs { relayed, covered, .. } = *l1_inputs;
        for index in (relayed..covered.min(relayed + RELAYS)).rev() {
            let Some(message) = self.view().messages().range(index, index + 1).next() else {
                continue;
            };
            // The messenger delivers a plain deposit in any case (`NotParkable`).
            let is_plain = message.gas_limit == 0
                && message.data.is_empty()
                && chain.code(message.to)?.is_empty();
            if !is_plain && self.deferred.insert(index) {
                tracing::warn!(index, "deferred message, the overdue ones do not fit into a block");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks the duties of a sealed block.
    pub(super) fn check_duties(
        &self,
        sealed: BlockCandidate,
        known: Duties,
    ) -> Result<DutyCheck, SequencerError> {
        // Append to a copy of the chain that shares its state, because readers must not see a block
        // before its duties are checked.
        let mut after = self.node().read(|node| node.chain.detached());
        let block = after.append(sealed.new.clone())?;
        let mut blocks = self.unsafe_blocks()?;
        let last = blocks.len() as u64;
        blocks.push(block);
        let evidence = evidence(
            self.batcher.evidence(),
            after.reader(),
            self.view(),
            &self.rules,
            known,
            &blocks,
        )?;
        let Evidence { mut updates, mut forced, mut relays } = match evidence {
            Ok((evidence, _)) => evidence,
            Err(error) => return Ok(DutyCheck::Failed { sealed, error }),
        };
        updates.retain(|it| it.index == last);
        forced.retain(|it| it.index == last);
        relays.retain(|it| it.index == last);
        let own = Evidence { updates, forced, relays };
        let beside = advanceCall { inputs: Vec::new(), evidence: own }.abi_encoded_size();
        Ok(DutyCheck::Met { sealed, beside })
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
    let is_own = |hash| system.transactions.iter().any(|it| it.transaction.hash() == hash);
    // Only an invalid transaction is the operator's fault, e.g. because of an empty account; one
    // without space in the block is a matter of size.
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
