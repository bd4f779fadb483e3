//! Content of the next block, and checks that L1 can accept it.

use super::Sequencer;
use crate::{
    Duties, RollupError, SignerError,
    duties::evidence,
    l1::{execute_rate::Capacity, poller::Terms},
    l2::contracts::{covered_by, relayed_after},
    sequencer::anchor::{self, Operator, SystemTransactionGas, SystemTransactions},
};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::Address;
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainReader, RecoveredTransaction, Rejection};
use contracts::{
    Anchor,
    advance_plan::EVIDENCE_BYTES,
    bindings::INativeRollup::{Evidence, advanceCall},
    capacity::DUTY_GAS,
};
use executor::{Transaction, recover_sender};
use node::{MineRequest, Posted, SealedBlock, SetAttributes, SetCoinbase};
use std::sync::Arc;
use wire::ProtocolFork;

/// Maximum length of the forced transactions in a block, in bytes.
const FORCED_BYTES: usize = 32_000;

/// L1 inputs of the next block.
struct L1Inputs {
    /// New anchor, if there is one.
    anchor: Option<Anchor>,
    /// Number of messages that the block's anchor covers.
    covered: u64,
    /// Number of messages relayed before the block.
    relayed: u64,
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
    ) -> Result<Option<SealedBlock>, RollupError> {
        let known = terms.duties;
        let mut l1_inputs = self.l1_inputs(chain, head, &known)?;
        let forced = self.forced(chain, &known)?;
        let has_users = !forced.is_empty()
            || !self.requeued.is_empty()
            || !self.node().read(|node| node.pool.is_empty());
        let idle =
            l1_inputs.anchor.is_none() && l1_inputs.covered <= l1_inputs.relayed && !has_users;
        if idle && self.last_block.elapsed() < self.config.idle_block_time {
            return Ok(None);
        }
        self.set_coinbase(terms, time)?;
        let is_forced = |kept: &RecoveredTransaction| {
            forced.iter().any(|forced| forced.transaction.hash() == kept.transaction.hash())
        };
        let most = self.isolation.limit();
        let requeued = self.requeued.iter().filter(|kept| !is_forced(kept));
        let requeued: Vec<_> = requeued.take(most.unwrap_or(usize::MAX)).cloned().collect();
        let only = most.map(|_| Vec::new());
        // Each iteration removes something, so the loop ends: half of the kept transactions, then
        // half of the messages, then the delivery of a single message is deferred.
        let (mut most, mut kept, mut reserved) = (usize::MAX, requeued.len(), 0);
        loop {
            let system = match self.system_transactions(chain, &l1_inputs, most, time) {
                // Users do not wait for the operator's signer. Duties do: a block that has to
                // discharge one is not sealed without it.
                Err(RollupError::Signer(error)) if has_users => {
                    tracing::warn!(%error, "operator's signer did not sign, sealing without L1 inputs");
                    l1_inputs.anchor = None;
                    l1_inputs.covered = l1_inputs.relayed;
                    continue;
                }
                Err(RollupError::Signer(SignerError::Pending { .. })) => return Ok(None),
                system => system?,
            };
            let users = forced.iter().chain(&requeued[..kept]).cloned();
            let request = MineRequest {
                timestamp: Some(time),
                parent_beacon_block_root: match &l1_inputs.anchor {
                    Some(anchor) => anchor.hash(),
                    None => head.header.parent_beacon_block_root.unwrap_or_default(),
                },
                transactions: system.transactions.iter().cloned().chain(users).collect(),
                reserved_bytes: reserved,
                pool_gas,
                only: only.clone(),
                ..MineRequest::default()
            };
            // The `pending` block and its budget then show the block that is about to be sealed.
            self.node().execute(SetAttributes(request.clone()));
            let sealed = self.node().seal(&request)?;
            match system_outcome(&sealed, &system, &self.capacity()) {
                SystemOutcome::Yes => {
                    if !system.transactions.is_empty() {
                        self.operator_refused = None;
                    }
                    let (sealed, beside) = self.check_duties(sealed, known)?;
                    let more = beside.saturating_sub(EVIDENCE_BYTES);
                    let bytes = sealed.posted.map_or(0, |posted| posted.bytes);
                    if bytes + more <= self.capacity().bytes {
                        return Ok(Some(sealed));
                    }
                    // The evidence about forced transactions reduces the space for the pool's.
                    if more <= reserved {
                        return Err(too_large(&sealed, &self.capacity()));
                    }
                    reserved = more;
                }
                SystemOutcome::OperatorRefused(reason) if has_users => {
                    tracing::error!(%reason, "operator cannot send system transactions, sealing without L1 inputs");
                    self.operator_refused = Some(reason);
                    l1_inputs.anchor = None;
                    l1_inputs.covered = l1_inputs.relayed;
                }
                SystemOutcome::OperatorRefused(reason) => {
                    return Err(RollupError::Operator(reason));
                }
                // Fewer kept transactions, then fewer messages, and finally a single message that
                // is parked for anyone to deliver.
                SystemOutcome::TooMuch if kept > 0 => kept /= 2,
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
    fn set_coinbase(&self, terms: &Terms, time: u64) -> Result<(), RollupError> {
        let recipient = terms.admission.fee_recipient(time)?;
        let coinbase = recipient.unwrap_or(self.config.operator_key.address());
        if self.node().read(|node| node.settings.coinbase) != coinbase {
            self.node().execute(SetCoinbase(coinbase));
        }
        Ok(())
    }

    /// Returns the L1 inputs of the next block. It has a new anchor if all messages covered by the
    /// last one have been relayed and there are newer messages.
    fn l1_inputs(
        &self,
        chain: &ChainReader,
        head: &Arc<Block>,
        known: &Duties,
    ) -> Result<L1Inputs, RollupError> {
        // Read from the state of the L2 and not counted in this process, since another node may
        // have made the last blocks.
        let (relayed, covered) = (relayed_after(chain, head)?, covered_by(chain, head)?);
        let l1_head = self.view().head().map(|head| head.number);
        let named = l1_head.and_then(|number| number.checked_sub(self.config.confirmations));
        let anchor = named
            .filter(|_| relayed >= covered)
            .and_then(|named| anchor::newest(self.view(), named, known.relayed))
            .filter(|anchor| anchor.message_count > covered);
        let covered = anchor.as_ref().map_or(covered, |anchor| anchor.message_count);
        Ok(L1Inputs { anchor, covered, relayed })
    }

    fn system_transactions(
        &self,
        chain: &ChainReader,
        l1_inputs: &L1Inputs,
        most: usize,
        time: u64,
    ) -> Result<SystemTransactions, RollupError> {
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
        let L1Inputs { anchor, covered, relayed } = l1_inputs;
        let anchor = anchor.as_ref();
        anchor::system_transactions(
            self.view(),
            &mut operator,
            anchor,
            *covered,
            *relayed,
            most,
            deferred,
        )
    }

    /// Forced transactions that the next block can include, in queue order, up to the gas limit of
    /// duties.
    fn forced(
        &self,
        chain: &ChainReader,
        known: &Duties,
    ) -> Result<Vec<RecoveredTransaction>, RollupError> {
        let l1_head = self.view().head().map_or(0, |head| head.number);
        let confirmed = l1_head.saturating_sub(self.config.confirmations);
        let state = chain.state();
        let base_fee = u128::from(state.next_base_fee()?);
        let mut nonces: Vec<(Address, u64)> = Vec::new();
        let (mut forced, mut gas, mut bytes) = (Vec::new(), 0, 0);
        for entry in self.view().forced_from(known.forced_next) {
            let t = &entry.transaction;
            gas += t.gasLimit;
            bytes += entry.raw.len();
            // A reorg may remove an unconfirmed entry: the block would then contain a forced
            // transaction that is unknown to L1.
            if entry.l1_block > confirmed || gas > DUTY_GAS || bytes > FORCED_BYTES {
                break;
            }
            // It waits for a lower base fee, and L1 accepts no evidence for later entries before
            // it.
            if t.priced && t.maxFee < base_fee {
                break;
            }
            let Ok(transaction) = Transaction::decode_2718_exact(&entry.raw) else { continue };
            let Some(sender) = recover_sender(&transaction) else { continue };
            let expected = match nonces.iter().find(|(of, _)| *of == sender) {
                Some((_, next)) => *next,
                None => state.nonce(sender)?,
            };
            // One that the block cannot include is not tried: after rejecting it the builder would
            // have to restart the block's witness record.
            if t.nonce != expected || state.balance(sender)? < t.cost {
                continue;
            }
            nonces.retain(|(of, _)| *of != sender);
            nonces.push((sender, expected + 1));
            forced.push(RecoveredTransaction {
                transaction: transaction.into(),
                sender,
                signed: true,
            });
        }
        Ok(forced)
    }

    /// Checks the duties of a sealed block, and returns it with the length of its calldata on L1
    /// without the input.
    fn check_duties(
        &self,
        sealed: SealedBlock,
        known: Duties,
    ) -> Result<(SealedBlock, usize), RollupError> {
        // On a copy of the chain that shares its state: readers must not see a block before it is
        // known to meet its duties.
        let mut after = self.node().read(|node| node.chain.detached());
        let block = after.append(sealed.new.clone())?;
        let mut blocks = self.unsafe_blocks()?;
        let last = blocks.len() as u64;
        blocks.push(block);
        let (all, _) = evidence(
            self.batcher.evidence(),
            after.reader(),
            self.view(),
            &self.rules,
            known,
            &blocks,
        )??;
        let Evidence { mut updates, mut forced, mut relays } = all;
        updates.retain(|it| it.index == last);
        forced.retain(|it| it.index == last);
        relays.retain(|it| it.index == last);
        let own = Evidence { updates, forced, relays };
        let beside = advanceCall { inputs: Vec::new(), evidence: own }.abi_encoded_size();
        Ok((sealed, beside))
    }
}

/// Checks that all system transactions of a block succeeded, and that it fits into an L1
/// transaction.
fn system_outcome(
    sealed: &SealedBlock,
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
    let fits = |Posted { bytes, gas, .. }: &Posted| *bytes <= limits.bytes && *gas <= limits.gas;
    if all && sealed.posted.as_ref().is_some_and(fits) {
        SystemOutcome::Yes
    } else {
        SystemOutcome::TooMuch
    }
}

fn too_large(sealed: &SealedBlock, limits: &Capacity) -> RollupError {
    let (bytes, gas) = sealed.posted.map_or((0, 0), |posted| (posted.bytes, posted.gas));
    let (max_bytes, max_gas) = (limits.bytes, limits.gas);
    RollupError::TooLarge { bytes, max_bytes, gas, max_gas }
}
