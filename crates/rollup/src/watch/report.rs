//! Submission of evidence to `PreconfBonds`: a commitment, and at least one L1 block later the
//! accusation.

use crate::{
    L1Error, SubmitterError,
    l1::{L1Client, L1View, Quorum},
    submitter::{CallSender, CallState, Purpose},
    watch::{
        checker::Found,
        event::{WatchEvent, WatchReport, name},
        post::{Poster, Posting},
        retry::Retry,
    },
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use chain::{ChainError, ChainReader};
use contracts::{
    accuse_calldata,
    bindings::IPreconfBonds::{self, Slashed},
    canonical_block,
};
use preconf::{Domain, evidence::Accusation, faults::Fault};
use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, mpsc::Sender},
};

/// Maximum number of pending pieces of evidence. Each except a delay already costs the entire bond.
const MAX_CASES: usize = 32;
/// Maximum number of blocks between a block and the one whose state proves its hash.
const HISTORY: u64 = 8_191;
alloy_sol_types::sol! {
    /// Number of the L1 block that has stored a commitment; declared in `PreconfBonds`.
    function commitments(bytes32 commitment) external view returns (uint256 number);
}

/// Divisors of the penalty and the reward, as in `PreconfBonds`.
const LATE_DIVISOR: u128 = 20;
const REWARD_DIVISOR: u128 = 10;

/// Number of a fault, and hash of the first message.
type Key = (u8, B256);

/// Evidence and the state of its submission.
#[derive(Debug)]
struct Case {
    found: Found,
    key: Key,
    salt: B256,
    stage: Stage,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Found,
    /// The commitment is sent.
    Committing,
    Committed,
    /// The accusation is sent.
    Accusing,
    /// L1 has accepted it in this block, which may not be finalized yet.
    Accepted(BlockNumHash),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    #[error(transparent)]
    Submitter(#[from] SubmitterError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("{account} has no bond")]
    NoBond { account: Address },
    #[error("{account} is not penalized for another delay before {until}")]
    LateAlready { account: Address, until: u64 },
    #[error("the reward of {reward} wei is less than the cost of {cost} wei")]
    NotWorthwhile { reward: u128, cost: u128 },
    #[error("block {0} of the rollup can no longer be proven")]
    NotProvable(u64),
}

impl From<L1Error> for ReportError {
    fn from(error: L1Error) -> Self {
        Self::Submitter(error.into())
    }
}

impl ReportError {
    /// Returns `false` if the outcome is unknown, e.g. because L1 did not respond.
    fn is_rejection(&self) -> bool {
        !matches!(self, Self::Submitter(error) if !error.is_rejection())
    }
}

/// Submits evidence, one transaction at a time.
#[derive(Debug)]
pub(super) struct Reporter {
    pub(super) client: Arc<L1Client>,
    pub(super) bonds: Address,
    pub(super) domain: Domain,
    /// `None` if evidence is only reported to the operator.
    pub(super) sender: Option<CallSender>,
    /// Submits evidence also if the reward is less than the cost.
    pub(super) at_a_loss: bool,
    pub(super) reports: Option<Sender<WatchReport>>,
    /// Posts blocks while there is no evidence to submit.
    poster: Option<Poster>,
    cases: Vec<Case>,
    /// Faults and messages that were already found.
    keys: BTreeSet<Key>,
    /// Those that L1 has accepted in a finalized block.
    accepted_keys: BTreeSet<Key>,
    /// Number of accusations that were sent, and that L1 has accepted.
    pub(super) sent: u64,
    pub(super) accepted: u64,
    /// Pieces of evidence by fault.
    pub(super) evidence: [u64; 4],
}

impl Reporter {
    pub(super) const fn new(
        client: Arc<L1Client>,
        domain: Domain,
        sender: Option<CallSender>,
        at_a_loss: bool,
        reports: Option<Sender<WatchReport>>,
    ) -> Self {
        Self {
            client,
            bonds: domain.contract,
            domain,
            sender,
            at_a_loss,
            reports,
            poster: None,
            cases: Vec::new(),
            keys: BTreeSet::new(),
            accepted_keys: BTreeSet::new(),
            sent: 0,
            accepted: 0,
            evidence: [0; 4],
        }
    }

    /// Sets the poster of blocks, which uses the same account.
    pub(super) fn with_poster(self, poster: Option<Poster>) -> Self {
        Self { poster, ..self }
    }

    pub(super) fn posted(&self) -> u64 {
        self.poster.as_ref().map_or(0, |poster| poster.posted)
    }

    /// Reports evidence unless it is known, and keeps it until L1 has accepted it. If there is too
    /// much evidence, returns some that must be found again.
    #[must_use]
    pub(super) fn add(&mut self, found: Found, view: &L1View) -> Option<Found> {
        let fault = found.accusation.fault();
        let key = (fault as u8, found.accusation.first().message.digest(&self.domain));
        if self.keys.insert(key) {
            self.evidence[usize::from(fault as u8)] += 1;
            self.report(WatchEvent::Evidence, &found, view, None, None, None);
        }
        // Dropped evidence will just be found again.
        for keys in [&mut self.keys, &mut self.accepted_keys] {
            while keys.len() > 64 * MAX_CASES {
                keys.pop_first();
            }
        }
        let is_held = self.cases.iter().any(|case| case.key == key);
        let sender = self.sender.as_ref().filter(|_| !is_held)?;
        if self.accepted_keys.contains(&key) {
            return None;
        }
        let replaced = match self.cases.len() >= MAX_CASES {
            true => Some(self.least_useful()),
            false => None,
        };
        if replaced == Some(None) {
            return Some(found);
        }
        // Only if the evidence is kept, since a remote key needs a request. Without a deterministic
        // salt, another commitment would be paid for after a restart.
        let salt = sender.salt(self.bonds, keccak256([&[key.0], &key.1[..]].concat()));
        let salt = salt.unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to derive the salt of a commitment, using a random one");
            B256::random()
        });
        let dropped = replaced.flatten().map(|at| self.cases.remove(at).found);
        let (stage, retry) = (Stage::Found, Retry::default());
        self.cases.push(Case { found, key, salt, stage, retry });
        dropped
    }

    /// Returns the index of the evidence that L1 has rejected most often.
    fn least_useful(&self) -> Option<usize> {
        let waiting = self.cases.iter().enumerate().filter(|(_, case)| case.stage == Stage::Found);
        let rejected = waiting.filter(|(_, case)| case.retry.tries > 0);
        rejected.max_by_key(|(_, case)| case.retry.tries).map(|(at, _)| at)
    }

    /// Runs the next step of the first evidence that is due, or else posts blocks. Waits for L1.
    pub(super) fn step(&mut self, view: &L1View, chain: &ChainReader) {
        let head = view.head().map_or(0, |head| head.number);
        self.settle(view);
        let Some(mut sender) = self.sender.take() else { return };
        let stepped = sender.step(&self.client, view);
        match stepped {
            Err(error) => tracing::warn!(%error, "failed to track L1 transaction, retrying"),
            Ok(Some(CallState::Pending)) => {}
            Ok(Some(state)) if self.poster.as_ref().is_some_and(|poster| poster.sent.is_some()) => {
                self.on_posting_ended(&state, view);
            }
            Ok(Some(CallState::Included(receipt))) => self.on_included(&receipt, view),
            Ok(Some(CallState::Lost)) => self.lost(),
            Ok(None) => {
                let is_due = |case: &Case| {
                    case.retry.is_due(head) && !matches!(case.stage, Stage::Accepted(_))
                };
                let due = self.cases.iter().position(is_due);
                if let Some(at) = due {
                    let mut case = self.cases.remove(at);
                    if let Err(error) = self.advance(&mut sender, &mut case, view, chain) {
                        case.retry.postpone(head, error.is_rejection());
                        let reason = error.to_string();
                        self.report(
                            WatchEvent::Postponed,
                            &case.found,
                            view,
                            None,
                            None,
                            Some(reason),
                        );
                    }
                    self.cases.insert(at, case);
                } else {
                    self.post(&mut sender, view, chain);
                }
            }
        }
        self.sender = Some(sender);
    }

    fn post(&mut self, sender: &mut CallSender, view: &L1View, chain: &ChainReader) {
        let Some(poster) = &mut self.poster else { return };
        let Err((posting, error)) = poster.step(sender, &self.client, view, chain) else { return };
        let error = error.to_string();
        match posting {
            Some(posting) => self.report_blocks(posting, view, None, Some(error)),
            None => tracing::warn!(error, "failed to post blocks of the sequencer, retrying"),
        }
    }

    /// Records that the transaction with blocks is no longer pending.
    fn on_posting_ended(&mut self, state: &CallState, view: &L1View) {
        let head = view.head().map_or(0, |head| head.number);
        let receipt = match state {
            CallState::Included(receipt) => Some(receipt),
            _ => None,
        };
        let has_succeeded = receipt.is_some_and(|receipt| receipt.status());
        let l1_block =
            receipt.and_then(|receipt| receipt.block_number).map_or(head, |block| block.max(head));
        let Some(poster) = &mut self.poster else { return };
        let Some(posting) = poster.on_included(l1_block, has_succeeded) else { return };
        let reason = (!has_succeeded).then(|| "the transaction failed on L1".to_owned());
        self.report_blocks(posting, view, receipt.map(|receipt| receipt.transaction_hash), reason);
    }

    /// Reports that blocks were posted, or why they were not.
    fn report_blocks(
        &self,
        posting: Posting,
        view: &L1View,
        transaction: Option<B256>,
        reason: Option<String>,
    ) {
        let Posting { signer: account, number, hash: block_hash, count } = posting;
        let event = match &reason {
            None => {
                tracing::warn!(number, count, "posted blocks of the sequencer");
                WatchEvent::Posted
            }
            Some(reason) => {
                tracing::warn!(
                    number,
                    count,
                    reason,
                    "failed to post blocks of the sequencer, retrying"
                );
                WatchEvent::NotPosted
            }
        };
        self.send(WatchReport {
            event,
            fault: "withheld",
            account,
            number,
            block_hash,
            l1_head: view.head().map_or(0, |head| head.number),
            transaction,
            reward: None,
            reason,
        });
    }

    /// Drops evidence that L1 has accepted in a finalized block. Resubmits evidence if L1's chain
    /// no longer has the block.
    fn settle(&mut self, view: &L1View) {
        let head = view.head().map_or(0, |head| head.number);
        for mut case in mem::take(&mut self.cases) {
            let Stage::Accepted(block) = case.stage else {
                self.cases.push(case);
                continue;
            };
            if block.number <= head && !view.is_canonical(block.number, block.hash) {
                case.stage = Stage::Found;
                let reason = Some("an L1 reorg has removed the accusation".to_owned());
                self.report(WatchEvent::Postponed, &case.found, view, None, None, reason);
            } else if block.number <= head.min(view.finalized()) {
                if case.found.accusation.fault() == Fault::Late {
                    // The block may be late for another penalty period.
                    self.keys.remove(&case.key);
                } else {
                    self.accepted_keys.insert(case.key);
                }
                continue;
            }
            self.cases.push(case);
        }
    }

    fn advance(
        &self,
        sender: &mut CallSender,
        case: &mut Case,
        view: &L1View,
        chain: &ChainReader,
    ) -> Result<(), ReportError> {
        refresh(&mut case.found.accusation, view, chain)?;
        let accuse = Bytes::from(accuse_calldata(case.found.accusation.clone(), case.salt));
        let reward = self.reward(&mut case.found, view)?;
        // Also checks that L1 accepts it.
        let price = sender.price(&self.client, view, self.bonds, &accuse)?;
        let require_worth = |cost: u128| {
            let is_worth = self.at_a_loss || reward >= cost;
            is_worth.then_some(()).ok_or(ReportError::NotWorthwhile { reward, cost })
        };
        let accusation = &case.found.accusation;
        let commitment = accusation.commitment(&self.domain, sender.address(), case.salt);
        // After a reorg, L1 may lack the commitment, and an accusation without it earns nothing.
        match self.is_committed(commitment)? {
            false => {
                let commit = Bytes::from(IPreconfBonds::commitCall { commitment }.abi_encode());
                let first = sender.price(&self.client, view, self.bonds, &commit)?;
                require_worth(price.cost.saturating_add(first.cost))?;
                let call = (first.gas, Purpose::Evidence);
                sender.send(&self.client, view, self.bonds, commit, call)?;
                case.stage = Stage::Committing;
            }
            true => {
                require_worth(price.cost)?;
                let call = (price.gas, Purpose::Evidence);
                sender.send(&self.client, view, self.bonds, accuse, call)?;
                case.stage = Stage::Accusing;
            }
        }
        Ok(())
    }

    fn is_committed(&self, commitment: B256) -> Result<bool, L1Error> {
        let input = commitmentsCall { commitment }.abi_encode();
        let request = TransactionRequest::default().to(self.bonds).input(Bytes::from(input).into());
        let number = self.client.majority(Quorum::Responding, |provider| {
            let request = request.clone();
            async move { Ok::<_, L1Error>(provider.call(request).await?) }
        })?;
        Ok(number.iter().any(|byte| *byte != 0))
    }

    /// Returns the reward for evidence, in wei.
    fn reward(&self, found: &mut Found, view: &L1View) -> Result<u128, ReportError> {
        let (bonds, signer) = (self.bonds, found.offence.signer);
        let (account, bond) = self.client.majority(Quorum::Responding, |provider| async move {
            let contract = IPreconfBonds::new(bonds, provider);
            let account = contract.accountOf(signer).call().await?;
            Ok::<_, L1Error>((account, contract.bonds(account).call().await?))
        })?;
        // The signer may have been registered since the check.
        found.offence.account = account;
        if bond.amount == 0 {
            return Err(ReportError::NoBond { account });
        }
        let mut penalty = bond.amount;
        if found.accusation.fault() == Fault::Late {
            let (now, until) = (view.head().map_or(0, |head| head.timestamp), bond.lateUntil);
            if now < until {
                return Err(ReportError::LateAlready { account, until });
            }
            penalty /= LATE_DIVISOR;
        }
        Ok(penalty / REWARD_DIVISOR)
    }

    fn on_included(&mut self, receipt: &TransactionReceipt, view: &L1View) {
        let is_sent = |case: &Case| matches!(case.stage, Stage::Committing | Stage::Accusing);
        let Some(at) = self.cases.iter().position(is_sent) else { return };
        let hash = Some(receipt.transaction_hash);
        let mut case = self.cases.remove(at);
        let is_accusation = case.stage == Stage::Accusing;
        self.sent += u64::from(is_accusation);
        if !receipt.status() {
            // E.g. because another reporter was faster.
            case.stage = if is_accusation { Stage::Committed } else { Stage::Found };
            case.retry.postpone(view.head().map_or(0, |head| head.number), true);
            let reason = Some("the transaction failed on L1".to_owned());
            self.report(WatchEvent::Postponed, &case.found, view, hash, None, reason);
            self.cases.insert(at, case);
            return;
        }
        if !is_accusation {
            case.stage = Stage::Committed;
            self.report(WatchEvent::Committed, &case.found, view, hash, None, None);
            self.cases.insert(at, case);
            return;
        }
        self.accepted += 1;
        let slashed = receipt.logs().iter().find_map(|log| Slashed::decode_log(&log.inner).ok());
        let reward = slashed.map(|event| event.reward);
        self.report(WatchEvent::Accepted, &case.found, view, hash, reward, None);
        let (number, hash) = (receipt.block_number, receipt.block_hash);
        let number = number.unwrap_or_default();
        case.stage = Stage::Accepted(BlockNumHash { number, hash: hash.unwrap_or_default() });
        self.cases.insert(at, case);
    }

    /// Restarts the submission of evidence whose transaction L1 has not included.
    fn lost(&mut self) {
        for case in &mut self.cases {
            case.stage = match case.stage {
                Stage::Committing => Stage::Found,
                Stage::Accusing => Stage::Committed,
                stage => stage,
            };
        }
    }

    fn report(
        &self,
        event: WatchEvent,
        found: &Found,
        view: &L1View,
        transaction: Option<B256>,
        reward: Option<U256>,
        reason: Option<String>,
    ) {
        let fault = name(found.accusation.fault());
        let Found { accusation, offence } = found;
        let block_hash = accusation.first().message.block_hash;
        let (account, number) = (offence.account, offence.number);
        match event {
            WatchEvent::Evidence => {
                tracing::error!(fault, %account, number, %block_hash, "evidence of a fault");
            }
            WatchEvent::Accepted => {
                tracing::error!(fault, %account, number, ?reward, "L1 accepted an accusation");
            }
            WatchEvent::Committed => tracing::info!(fault, number, "committed to evidence on L1"),
            WatchEvent::Posted | WatchEvent::NotPosted => {}
            WatchEvent::Postponed => {
                let reason = reason.as_deref().unwrap_or_default();
                tracing::warn!(fault, number, reason, "evidence not accepted, retrying");
            }
        }
        let l1_head = view.head().map_or(0, |head| head.number);
        let report = WatchReport {
            event,
            fault,
            account,
            number,
            block_hash,
            l1_head,
            transaction,
            reward,
            reason,
        };
        self.send(report);
    }

    fn send(&self, report: WatchReport) {
        if let Some(reports) = &self.reports {
            // An error means that the receiver was dropped.
            drop(reports.send(report));
        }
    }
}

/// Proves the rollup's block with the current head of the rollup on L1.
fn refresh(
    accusation: &mut Accusation,
    view: &L1View,
    chain: &ChainReader,
) -> Result<(), ReportError> {
    let Accusation::Broken { canonical, .. } = accusation else { return Ok(()) };
    let hash = keccak256(&canonical.header);
    let block = chain.block(&hash)?;
    let (number, safe) = (block.header.number, view.advanced_head());
    let safe = safe.map_or(number, |head| head.number);
    let witness = match safe.min(number.saturating_add(HISTORY)) {
        last if last <= number => None,
        last => Some(chain.canonical_block(last)?.ok_or(ReportError::NotProvable(number))?),
    };
    *canonical = canonical_block(chain, &block, witness.as_deref())?;
    Ok(())
}

#[cfg(test)]
mod tests;
