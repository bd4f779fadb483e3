//! An adversary that makes every possible accusation about all published messages.
//!
//! A pair of messages is rejected for a reason that does not depend on L1, or because a condition
//! is void. Pairs with a void condition are judged again whenever L1's block at the height of a
//! condition changes, and all others once.

use super::{
    chains::{L1_GAS, L1Chain, OwnL2, call_at},
    collector::{Message, Shared},
    tally::{Tally, name, reason_in, reason_of},
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use client::Client;
use codec::OwnedWitness;
use contracts::{
    accuse_calldata,
    bindings::IPreconfBonds::{Slashed, bondsCall, commitCall},
    canonical_block,
};
use eyre::{Result, bail, ensure, eyre};
use preconf::{
    Domain,
    evidence::{Accusation, CanonicalBlock, first_difference},
    faults::{self, Canonical, Context, Executed, Fault, Refusal},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{
    Key, Random,
    localnet::{
        processes::{L1_CHAIN, L2_CHAIN},
        requests::{ask, send},
    },
};
use wire::ProtocolFork;

/// Maximum number of contract calls per L1 block.
const CALLS: usize = 48;
/// Maximum number of accusations queued for a contract call.
const WAITING: usize = 20_000;
/// The contract judges one in this many pairs that are not in conflict or were judged before.
const SAMPLED: usize = 4;
/// Number of blocks below the rollup's head whose messages are judged again after a change of the
/// head.
const JUDGED: u64 = 1_000;
/// Number of messages beyond the rollup's head that are reported as late at each L1 block.
const LATE: usize = 4;
const INCLUDED: Duration = Duration::from_secs(5);

/// An accusation, by the indices of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    Equivocation(usize, usize),
    Broken(usize),
    Lie(usize),
    Late(usize),
}

impl Try {
    const fn fault(self) -> Fault {
        match self {
            Self::Equivocation(..) => Fault::Equivocation,
            Self::Broken(_) => Fault::Broken,
            Self::Lie(_) => Fault::Lie,
            Self::Late(_) => Fault::Late,
        }
    }
}

/// Hashes of L1's blocks at the heights of two conditions.
type Conditions = [Option<B256>; 2];

/// The adversary.
#[derive(Debug)]
pub(super) struct Accuser<'a> {
    shared: &'a Shared,
    l2: &'a Mutex<OwnL2>,
    l1: Client,
    bonds: Address,
    sequencer: Address,
    key: Key,
    post_within: u64,
    fork: ProtocolFork,
    random: Random,
    pub(super) chain: L1Chain,
    messages: Vec<Arc<Message>>,
    by_number: BTreeMap<u64, Vec<usize>>,
    /// Pairs with a void condition, and the L1 hashes at their last judgement.
    void: Vec<((usize, usize), Conditions)>,
    /// Hashes of the rollup's block and of the L1 block of the condition at the last judgement of
    /// each message.
    judged_by: Vec<Option<(B256, Option<B256>)>>,
    calls: VecDeque<Try>,
    /// Accusations that prove a fault other than a delay.
    found: Vec<Try>,
    pub(super) tally: Tally,
    pub(super) pairs: u64,
    pub(super) heads: u64,
    /// Number of calls that were dropped because the queue was full.
    pub(super) dropped_calls: u64,
    /// Events of accepted accusations, in L1 blocks that may have been reorged out.
    pub(super) accepted: Vec<Slashed>,
}

/// Addresses and rules of the rollup.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) bonds: Address,
    pub(super) sequencer: Address,
    pub(super) max_lag: u64,
    pub(super) fork: ProtocolFork,
}

impl<'a> Accuser<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        l2: &'a Mutex<OwnL2>,
        l1: Client,
        target: Target,
        seed: u64,
    ) -> Self {
        let Target { bonds, sequencer, max_lag, fork } = target;
        Self {
            shared,
            l2,
            l1,
            bonds,
            sequencer,
            key: Key::named("adversary"),
            post_within: max_lag / 2,
            fork,
            random: Random::new(seed),
            chain: L1Chain::default(),
            messages: Vec::new(),
            by_number: BTreeMap::new(),
            void: Vec::new(),
            judged_by: Vec::new(),
            calls: VecDeque::new(),
            found: Vec::new(),
            tally: Tally::default(),
            pairs: 0,
            heads: 0,
            dropped_calls: 0,
            accepted: Vec::new(),
        }
    }

    /// Accuses until the run ends.
    ///
    /// # Errors
    ///
    /// If the contract accepts an accusation other than a delay, or its verdict differs from that
    /// of this process.
    pub(super) fn run(&mut self) -> Result<()> {
        while self.shared.is_running() {
            self.turn()?;
            if let Some((event, what)) = self.submit_found()? {
                bail!("honest sequencer slashed, penalty {event:?}: {what}");
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Judges new messages, and those whose verdict a new L1 head may have changed.
    pub(super) fn turn(&mut self) -> Result<()> {
        // Fails if L1 is reorganized meanwhile; the next turn retries.
        let is_new = self.chain.follow(&self.l1).unwrap_or(false);
        if self.chain.head.number == 0 {
            return Ok(());
        }
        if is_new {
            let urls = self.shared.urls();
            let mut l2 = self.l2.lock().unwrap_or_else(PoisonError::into_inner);
            if l2.follow(self.chain.head.hash, &urls).is_err() {
                // No node has the block yet.
                self.chain.head.hash = B256::ZERO;
                return Ok(());
            }
            drop(l2);
            self.heads += 1;
        }
        self.add_messages()?;
        if is_new {
            self.judge_void_pairs()?;
            self.judge_posted()?;
            self.judge_late()?;
        }
        self.call_contract()
    }

    /// Number of messages.
    pub(super) const fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Number of messages whose transactions were never published in full.
    pub(super) fn incomplete(&self) -> usize {
        self.shared.book().incomplete()
    }

    /// Returns the newest message whose promise is valid at L1's head.
    pub(super) fn newest_in_force(&self) -> Option<Arc<Message>> {
        let holds = |promised: &&Arc<Message>| {
            let message = &promised.signed.message;
            message.is_unconditional() || self.chain.hash(message.l1_block) == Some(message.l1_hash)
        };
        self.messages.iter().rev().find(holds).cloned()
    }

    fn add_messages(&mut self) -> Result<()> {
        let new: Vec<_> = self.shared.book().all[self.messages.len()..].to_vec();
        for message in new {
            let index = self.messages.len();
            let of_number = self.by_number.entry(message.header.number).or_default();
            let earlier = of_number.clone();
            of_number.push(index);
            self.messages.push(message);
            self.judged_by.push(None);
            for other in earlier {
                self.pairs += 1;
                self.judge_pair(other, index, true)?;
            }
        }
        Ok(())
    }

    fn conditions(&self, a: usize, b: usize) -> Conditions {
        [a, b].map(|at| self.chain.hash(self.messages[at].signed.message.l1_block))
    }

    fn judge_pair(&mut self, a: usize, b: usize, is_new: bool) -> Result<()> {
        let tried = Try::Equivocation(a, b);
        let Some(refusal) = self.judge(tried)? else { return Ok(()) };
        if matches!(refusal, Refusal::ConditionVoid { .. } | Refusal::ConditionUnavailable { .. }) {
            self.void.push(((a, b), self.conditions(a, b)));
        }
        // At the head, the contract cannot read the hash of the head itself, so its verdict is the
        // same.
        let is_sampled = match refusal {
            Refusal::ConditionUnavailable { .. } => false,
            Refusal::NotInConflict => self.random.one_in(SAMPLED),
            _ => is_new || self.random.one_in(SAMPLED),
        };
        if is_sampled {
            self.call_later(tried);
        }
        Ok(())
    }

    fn judge_void_pairs(&mut self) -> Result<()> {
        let all = std::mem::take(&mut self.void);
        for ((a, b), judged_by) in all {
            match self.conditions(a, b) == judged_by {
                true => self.void.push(((a, b), judged_by)),
                false => self.judge_pair(a, b, false)?,
            }
        }
        Ok(())
    }

    /// Judges messages by the rollup's blocks.
    fn judge_posted(&mut self) -> Result<()> {
        let (safe, hashes) = {
            let l2 = self.l2.lock().unwrap_or_else(PoisonError::into_inner);
            let safe = l2.chain().head().header.number;
            let numbers = safe.saturating_sub(JUDGED)..=safe;
            let hash = |number| Ok::<_, eyre::Report>(l2.chain().canonical_hash(number)?);
            let hashes: Result<Vec<_>> =
                numbers.map(|number| Ok((number, hash(number)?))).collect();
            (safe, hashes?)
        };
        for (number, hash) in hashes {
            let Some(hash) = hash else { continue };
            for at in self.by_number.get(&number).cloned().unwrap_or_default() {
                let condition = self.chain.hash(self.messages[at].signed.message.l1_block);
                if self.judged_by[at] == Some((hash, condition)) {
                    continue;
                }
                self.judged_by[at] = Some((hash, condition));
                for tried in [Try::Broken(at), Try::Lie(at)] {
                    let Some(refusal) = self.judge(tried)? else { continue };
                    let is_plain =
                        matches!(refusal, Refusal::NotInConflict | Refusal::InputsDiffer { .. });
                    if !is_plain || number == safe || self.random.one_in(SAMPLED) {
                        self.call_later(tried);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reports messages beyond the rollup's head as late: the oldest ones first.
    fn judge_late(&mut self) -> Result<()> {
        let terms = self.late_terms();
        let (safe, _) = terms;
        let mut beyond: Vec<_> =
            self.by_number.range(safe + 1..).flat_map(|(_, all)| all).copied().collect();
        let on_l1 = self.by_number.range(..=safe).next_back().and_then(|(_, all)| all.last());
        beyond.extend(on_l1);
        let mut called = 0;
        for at in beyond {
            // A delay does not fail the run, because the disturbances can cause it.
            let judged = self.judge_late_at(at, terms);
            let reason = judged.as_ref().map_or_else(reason_of, |_| "accepted".to_owned());
            self.tally.judged(Fault::Late, &reason);
            if called < LATE {
                called += 1;
                self.call_later(Try::Late(at));
            }
        }
        Ok(())
    }

    fn safe(&self) -> u64 {
        let l2 = self.l2.lock().unwrap_or_else(PoisonError::into_inner);
        l2.chain().head().header.number
    }

    fn call_later(&mut self, tried: Try) {
        match self.calls.len() < WAITING {
            true => self.calls.push_back(tried),
            false => self.dropped_calls += 1,
        }
    }

    fn with_context<T>(&self, judge: impl FnOnce(&Context<'_>) -> T) -> T {
        let l1_hash = |number: u64| self.chain.hash(number);
        judge(&Context {
            domain: Domain { l1_chain_id: L1_CHAIN, contract: self.bonds },
            account_of: &|signer| signer,
            l1_hash: &l1_hash,
            post_within: self.post_within,
        })
    }

    /// Returns the number of the rollup's head, and the time until which the account is not
    /// penalized for another delay.
    fn late_terms(&self) -> (u64, u64) {
        (self.safe(), self.bond().map_or(0, |bond| bond.1))
    }

    fn judge_late_at(&self, at: usize, (safe, until): (u64, u64)) -> Result<(), Refusal> {
        let (signed, now) = (self.messages[at].signed.as_signed(), self.chain.head.timestamp);
        self.with_context(|context| faults::late(&signed, safe, now, until, context).map(|_| ()))
    }

    /// Judges an accusation. Returns `None` if it proves a fault.
    fn judge(&mut self, tried: Try) -> Result<Option<Refusal>> {
        let judged = self.try_judge(tried)?.err();
        let reason = judged.as_ref().map_or_else(|| "accepted".to_owned(), reason_of);
        self.tally.judged(tried.fault(), &reason);
        if judged.is_none() {
            self.found.push(tried);
        }
        Ok(judged)
    }

    /// Describes an accusation that proves a fault.
    fn describe(&self, tried: Try) -> String {
        let of = |at: usize| format!("{:?}", self.messages[at]);
        let what = match tried {
            Try::Equivocation(a, b) => format!("{}\n{}", of(a), of(b)),
            Try::Broken(at) | Try::Lie(at) | Try::Late(at) => of(at),
        };
        format!("{tried:?} at L1 block {:?}\n{what}", self.chain.head)
    }

    /// Submits the faults that were found, and returns the first penalty and a description.
    pub(super) fn submit_found(&mut self) -> Result<Option<(Option<Slashed>, String)>> {
        let mut first = None;
        for tried in std::mem::take(&mut self.found) {
            let described = self.describe(tried);
            let event = self.submit(&self.accusation(tried)?)?;
            first = first.or(Some((event, described)));
        }
        Ok(first)
    }

    fn try_judge(&self, tried: Try) -> Result<Result<(), Refusal>> {
        Ok(match tried {
            Try::Late(at) => self.judge_late_at(at, self.late_terms()),
            Try::Equivocation(a, b) => {
                let (a, b) = (&self.messages[a], &self.messages[b]);
                let proof = first_difference(&a.transactions, &b.transactions);
                let (a, b) = (a.signed.as_signed(), b.signed.as_signed());
                self.with_context(|context| {
                    faults::equivocation(&a, &b, &proof, context).map(|_| ())
                })
            }
            Try::Broken(at) => {
                let message = &self.messages[at];
                let block = self.posted(message.header.number)?;
                let proof = first_difference(&message.transactions, &block.raw_transactions());
                let header = alloy_rlp::encode(&block.header);
                let canonical = Canonical { header: &header, hash: block.hash };
                let signed = message.signed.as_signed();
                self.with_context(|context| {
                    faults::broken(&signed, canonical, &proof, context).map(|_| ())
                })
            }
            Try::Lie(at) => {
                let message = &self.messages[at];
                let block = self.posted(message.header.number)?;
                let header = alloy_rlp::encode(&block.header);
                let schema = self.fork.schema();
                let executed = Executed { schema, chain_id: L2_CHAIN, block_hash: block.hash };
                let signed = message.signed.as_signed();
                self.with_context(|context| {
                    faults::lie(&signed, &header, &executed, L2_CHAIN, context).map(|_| ())
                })
            }
        })
    }

    fn posted(&self, number: u64) -> Result<Arc<chain::Block>> {
        self.l2.lock().unwrap_or_else(PoisonError::into_inner).block(number)
    }

    /// Builds the arguments of the contract, whether or not they prove a fault.
    fn accusation(&self, tried: Try) -> Result<Accusation> {
        Ok(match tried {
            Try::Equivocation(a, b) => {
                let (a, b) = (&self.messages[a], &self.messages[b]);
                let transaction = first_difference(&a.transactions, &b.transactions);
                let (a, b) = (a.signed.clone(), b.signed.clone());
                Accusation::Equivocation { a, b, transaction }
            }
            Try::Broken(at) => {
                let message = &self.messages[at];
                let l2 = self.l2.lock().unwrap_or_else(PoisonError::into_inner);
                let (head, block) = (l2.chain().head(), l2.block(message.header.number)?);
                let witness = (head.hash != block.hash).then_some(&**head);
                let canonical: CanonicalBlock = canonical_block(l2.chain(), &block, witness)?;
                let theirs = block.raw_transactions();
                let transaction = first_difference(&message.transactions, &theirs);
                Accusation::Broken { signed: message.signed.clone(), canonical, transaction }
            }
            Try::Lie(at) => {
                let signed = self.messages[at].signed.clone();
                let block = self.posted(self.messages[at].header.number)?;
                // The witness can be empty: the contract compares the outcomes before it runs
                // EXECUTE.
                let input = block.input(self.fork, L2_CHAIN, &OwnedWitness::default())?.into();
                Accusation::Lie { signed, header: alloy_rlp::encode(&block.header).into(), input }
            }
            Try::Late(at) => Accusation::Late { signed: self.messages[at].signed.clone() },
        })
    }

    /// Compares the verdicts of the contract at the head with those of this process, and submits
    /// accusations that the contract accepts.
    fn call_contract(&mut self) -> Result<()> {
        let head = self.chain.head;
        for _ in 0..CALLS {
            let Some(tried) = self.calls.pop_front() else { break };
            let number = match tried {
                Try::Broken(at) | Try::Lie(at) => self.messages[at].header.number,
                Try::Equivocation(..) | Try::Late(_) => 0,
            };
            // An L1 reorg has removed the rollup's block with this number.
            if number > self.safe() || head.hash.is_zero() {
                continue;
            }
            let expected = self.try_judge(tried)?;
            let accusation = self.accusation(tried)?;
            let data = accuse_calldata(accusation.clone(), B256::ZERO);
            let request = TransactionRequest::default().from(self.key.address()).to(self.bonds);
            let request = request.input(Bytes::from(data).into());
            let Ok(answer) = call_at(&self.l1, head.hash, request) else {
                // L1 has removed the head.
                self.calls.push_front(tried);
                break;
            };
            let fault = tried.fault();
            let got = answer.as_ref().map_or_else(reason_in, |_| "accepted".to_owned());
            let expected =
                expected.map_or_else(|error| reason_of(&error), |()| "accepted".to_owned());
            self.tally.called(fault, &got);
            ensure!(
                got == expected || expected == "L1BlockUnavailable",
                "{}: the contract returned {got}, expected {expected}: {tried:?} at {head:?}",
                name(fault)
            );
            if answer.is_ok() {
                ensure!(fault == Fault::Late, "{}: {tried:?}", name(fault));
                self.submit(&accusation)?;
            }
        }
        Ok(())
    }

    /// Commits to an accusation and sends it. Returns the event of the penalty if L1 includes and
    /// accepts it.
    pub(super) fn submit(&mut self, accusation: &Accusation) -> Result<Option<Slashed>> {
        let domain = Domain { l1_chain_id: L1_CHAIN, contract: self.bonds };
        let salt = B256::from(alloy_primitives::U256::from(self.random.next()));
        let commitment = accusation.commitment(&domain, self.key.address(), salt);
        let commit = commitCall { commitment }.abi_encode();
        if self.include(commit.into(), 100_000)?.is_none() {
            return Ok(None);
        }
        let accuse = accuse_calldata(accusation.clone(), salt);
        let Some(receipt) = self.include(accuse.into(), L1_GAS)? else { return Ok(None) };
        let logs = receipt.logs();
        let event = logs.iter().find_map(|log| Slashed::decode_log(&log.inner).ok());
        let event = event.map(|event| event.data);
        self.accepted.extend(event.clone());
        Ok(event)
    }

    /// Sends a transaction to the registry. Returns `None` if an L1 reorg removes it.
    fn include(&self, data: Bytes, gas: u64) -> Result<Option<TransactionReceipt>> {
        let to = self.bonds.into();
        let Ok(hash) = send(&self.l1, L1_CHAIN, &self.key, to, 0, data, gas) else {
            return Ok(None);
        };
        let begun = Instant::now();
        while begun.elapsed() < INCLUDED {
            let receipt: Option<TransactionReceipt> =
                self.l1.request("eth_getTransactionReceipt", (hash,))?;
            if receipt.is_some() {
                return Ok(receipt);
            }
            sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    /// Returns the bond of the sequencer at L1's head in wei, and the time until which it is not
    /// penalized for another delay.
    pub(super) fn bond(&self) -> Result<(u128, u64)> {
        let call = bondsCall { account: self.sequencer };
        let at = self.chain.head.hash;
        if at.is_zero() {
            let bond = ask(&self.l1, self.bonds, &call)?;
            return Ok((bond.amount, bond.lateUntil));
        }
        let request = TransactionRequest::default().to(self.bonds);
        let data = Bytes::from(call.abi_encode());
        let answer = call_at(&self.l1, at, request.input(data.into()))?;
        let answer = answer.map_err(|data| eyre!("the registry has no bond: {data}"))?;
        let bond = bondsCall::abi_decode_returns(&answer)?;
        Ok((bond.amount, bond.lateUntil))
    }
}
