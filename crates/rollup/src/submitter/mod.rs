//! The way of L2 blocks to L1: one key, some transactions in the order of their nonces, the same
//! bytes until L1 has them.
//!
//! No more than one transaction waits for the answer of L1's pool, and the next one is sent once
//! that has come: what the pool refuses never has another behind it. The caller plans the next one
//! meanwhile. What becomes of all of them is asked on other threads (`look`).

mod fee_cap;
mod in_flight;
mod look;
mod sending;
mod spending;
mod transaction;

pub use in_flight::InFlight;
pub use transaction::{Blobs, TxData};

pub(crate) use sending::{is_execution_failure, is_refusal};

use crate::{
    L1Error, RollupError, Signer,
    l1::{L1Client, L1View},
    probe::Probe,
};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{Provider as _, transport::TransportError};
use alloy_rpc_types_eth::TransactionRequest;
use contracts::advance_plan::L1Limits;
use fee_cap::FeeCap;
use look::{Account, Asked, Earlier};
use sending::Sending;
use spending::Spending;
use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use transaction::{Fees, Unsigned};

/// Limits and timeouts of a submitter.
#[derive(Debug, Clone)]
pub struct SubmitterConfig {
    /// Tip for the builder of an L1 block, in wei per gas.
    pub tip: u128,
    /// Most that is paid per gas, in wei.
    pub max_fee: u128,
    /// Most that is paid per blob gas, in wei. While blobs cost more, calldata are sent.
    pub max_blob_fee: u128,
    /// Most that a transaction may cost without its blobs, in wei: nodes of L1 refuse others
    /// (`--rpc.txfeecap`).
    pub max_tx_fee: u128,
    /// L1 blocks without the transaction after which it pays more.
    pub bump_after: u64,
    /// Time after which the same bytes are sent again although L1 makes no block.
    pub resend_after: Duration,
    /// Most wei that are spent in a day.
    pub daily_limit: u128,
    /// Balance, in wei, below which it warns.
    pub low_balance: u128,
    /// Most transactions that L1 does not have yet.
    pub max_in_flight: usize,
}

impl Default for SubmitterConfig {
    fn default() -> Self {
        Self {
            tip: 1_000_000_000,
            max_fee: 500_000_000_000,
            max_blob_fee: 100_000_000_000,
            max_tx_fee: 1_000_000_000_000_000_000,
            bump_after: 3,
            resend_after: Duration::from_secs(12),
            daily_limit: 10_000_000_000_000_000_000,
            low_balance: 1_000_000_000_000_000_000,
            max_in_flight: 8,
        }
    }
}

/// Blocks on their way to L1.
#[derive(Debug, Clone)]
pub struct TxCandidate {
    /// The blocks, as number and hash.
    pub blocks: Vec<(u64, B256)>,
    /// Timestamp of the last of them: L1 refuses them in a block from before that.
    pub timestamp: u64,
    /// Calldata and blobs that carry them.
    pub data: TxData,
    /// Gas that its transaction needs; `None` to ask L1 for it.
    pub gas_limit: Option<u64>,
    /// Gas that it may need beyond the answer of L1, for a fork that L1 has soon.
    pub for_fork: u64,
    /// `true` if L1 can be asked before sending: it knows no blobs that it does not have, and no
    /// blocks that stand before these.
    pub can_be_tried: bool,
    /// `true` if no transaction may follow before L1 has this one: the evidence of the next one
    /// depends on the time at which L1 takes this.
    pub goes_alone: bool,
}

/// Progress of the transactions in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitterProgress {
    /// There is none.
    Idle,
    /// L1 has none of them yet.
    Waiting,
    /// L1 has taken these blocks.
    Done(Vec<(u64, B256)>),
    /// The first failed, another transaction took its nonce, or L1 has not come to its nonce: L1
    /// does not have its blocks, and will not take those behind them. The next ones take the places
    /// of these.
    Failed(Vec<(u64, B256)>),
    /// The same of a transaction with blobs, or L1 does not take those for what they may cost at
    /// most: the blocks have to go another way. If the transaction is there yet, the next one
    /// replaces it.
    NotByBlobs,
}

/// Brings blocks to L1.
#[derive(Debug)]
pub struct Submitter {
    key: Signer,
    chain_id: u64,
    rollup: Address,
    config: SubmitterConfig,
    /// L1's limits of each transaction.
    limits: L1Limits,
    /// Ascending by nonce.
    in_flight: Vec<InFlight>,
    /// Transactions that L1 has taken, oldest first: a reorganisation of L1 may give them back.
    landed: VecDeque<InFlight>,
    spending: Spending,
    /// The account as L1 told of it last.
    account: Option<Account>,
    /// The question after the account that L1 has not answered yet.
    asked: Option<Asked>,
    /// L1's head for which it was asked last, and when.
    last_asked: Option<(B256, Instant)>,
    /// The transaction that L1's pool has not answered to yet.
    sending: Option<Sending>,
    /// The same bytes that are sent again.
    resending: Option<Probe<Result<(), RollupError>>>,
    /// Time that the last answer of L1's pool took.
    round_trip: Duration,
    /// Transactions in flight when L1's pool took no more.
    pool_keeps: Option<usize>,
    has_accepted: bool,
    /// What an L1 node is known to accept.
    fee_cap: FeeCap,
    /// `true` while what L1 has given back does not go there yet.
    is_held: bool,
    /// Transactions in flight that L1 has, by the newest view; their nonces are still to be asked
    /// for.
    taken: usize,
    earlier: Earlier,
}

impl Submitter {
    /// A submitter with this key, which no other process uses, to an L1 with the limits of mainnet.
    pub fn new(key: Signer, chain_id: u64, rollup: Address, config: SubmitterConfig) -> Self {
        Self {
            key,
            chain_id,
            rollup,
            config,
            limits: L1Limits::default(),
            in_flight: Vec::new(),
            landed: VecDeque::new(),
            spending: Spending::default(),
            account: None,
            asked: None,
            last_asked: None,
            sending: None,
            resending: None,
            round_trip: Duration::ZERO,
            pool_keeps: None,
            has_accepted: false,
            fee_cap: FeeCap::default(),
            is_held: false,
            taken: 0,
            earlier: Earlier::Unknown,
        }
    }

    /// The same to an L1 with these limits of each transaction.
    #[must_use]
    pub fn with_limits(self, limits: L1Limits) -> Self {
        Self { limits, ..self }
    }

    /// Keeps in this file what is spent, so that the daily limit outlives restarts.
    ///
    /// # Errors
    ///
    /// [`RollupError::Spending`] if the file cannot be used.
    pub fn with_spending(self, path: &Path) -> Result<Self, RollupError> {
        let spending = Spending::open(path, self.chain_id, self.key.address())?;
        Ok(Self { spending, ..self })
    }

    /// Returns the number of nonces that an account has used on L1, without and with the
    /// transactions that wait there.
    ///
    /// # Errors
    ///
    /// [`RollupError::Funds`] if it has nothing to pay with; [`RollupError::L1`] if L1 cannot be
    /// asked.
    pub(crate) fn is_ready(client: &L1Client, account: Address) -> Result<(u64, u64), RollupError> {
        let provider = client.inner().provider().clone();
        let asked = client.wait(async move {
            let balance = provider.get_balance(account);
            let used = provider.get_transaction_count(account);
            let taken = provider.get_transaction_count(account).pending();
            tokio::try_join!(balance.into_future(), used.into_future(), taken.into_future())
        });
        let (balance, used, taken) = asked.map_err(L1Error::from)?;
        if balance.is_zero() {
            return Err(RollupError::Funds { account, balance, cost: U256::ONE });
        }
        Ok((used, taken))
    }

    /// Its account.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// The transactions that L1 does not have yet, in order.
    pub fn in_flight(&self) -> impl Iterator<Item = &InFlight> {
        self.in_flight.iter().filter(|sent| !sent.is_void)
    }

    /// Number of transactions in flight that L1 does not have by the newest view.
    pub fn waiting(&self) -> usize {
        self.in_flight().count().saturating_sub(self.taken)
    }

    /// Returns `true` if another transaction may go behind those in flight.
    pub fn has_room(&self) -> bool {
        let most = self.pool_keeps.unwrap_or(usize::MAX).min(self.config.max_in_flight);
        // Behind one that the pool has refused, another would wait for a nonce that nothing may
        // fill.
        self.in_flight().all(|sent| !sent.goes_alone && !sent.is_refused)
            && self.waiting() < most.max(1)
    }

    /// Returns `true` if L1 has a transaction with blobs that is in flight, by this view.
    pub(crate) fn has_taken_blobs(&self, view: &L1View) -> bool {
        self.in_flight().any(|sent| sent.has_blobs() && sent.is_taken(view))
    }

    /// Returns `true` if the next transaction takes the place of one that was given up and that L1
    /// may still have.
    pub fn replaces(&self) -> bool {
        self.in_flight.iter().any(|sent| sent.is_void)
    }

    /// Balance of its account on L1 when it was asked last, in wei.
    pub fn balance(&self) -> U256 {
        self.account.map_or(U256::ZERO, |account| account.balance)
    }

    /// Wei that were spent within a day, at most.
    pub fn spent(&self) -> u128 {
        self.spending.besides(|_| false)
    }

    /// Wei that were spent within a day, but for a nonce and what is in flight.
    fn spent_besides(&self, nonce: u64) -> u128 {
        let is_counted = |it| it == nonce || self.in_flight.iter().any(|sent| sent.nonce == it);
        self.spending.besides(is_counted)
    }

    /// Begins to send `advance` for these blocks, behind what is in flight, once L1's pool has
    /// answered to the one before; not before the view shows all that L1 has taken. If it can be
    /// tried, L1 is asked before whether it would take it. The pool's answer is that of the next
    /// [`Self::step`], [`Self::submit`] or [`Self::acknowledge`].
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] with what L1 says; [`RollupError::Funds`] and
    /// [`RollupError::SpendingLimit`], of all that is in flight together, before anything is sent;
    /// those of [`Self::acknowledge`].
    pub fn submit(
        &mut self,
        client: &Arc<L1Client>,
        view: &L1View,
        candidate: TxCandidate,
    ) -> Result<(), RollupError> {
        self.acknowledge()?;
        let account = self.key.address();
        let head = view.head().map_or(0, |head| head.number);
        let base_fee = view.head().map_or(0, |head| u128::from(head.base_fee));
        let is_first = self.in_flight().next().is_none();
        // Behind others the last answer holds: what has changed since are those that are in flight.
        let known = self.account.filter(|_| !is_first).zip(candidate.gas_limit);
        let (Account { used, balance, .. }, estimate) = match known {
            Some(known) => known,
            None => self.ask_for_all(client, &candidate)?,
        };
        // L1's newest block has one that gave way, and the view, by which these blocks were chosen,
        // is of before: they would fail behind it.
        if self.in_flight.iter().any(|sent| sent.nonce < used) {
            return Ok(());
        }
        let TxCandidate { blocks, timestamp, data, goes_alone, .. } = candidate;
        let tip = self.config.tip;
        let max = base_fee.saturating_mul(2).saturating_add(tip);
        let blob = data.blobs.as_ref().map_or(0, |blobs| blobs.price.saturating_mul(2).max(1));
        // The first nonce without a transaction of ours, so that a gap left by one that failed is
        // filled and not waited for. One that L1 has given back, as the next view will show, goes
        // there again and has its nonce.
        let nonce = self.next_nonce(used);
        // A replacement with less than the old fees would be refused by each pool that has the old
        // one.
        let before = self.in_flight.iter().find(|sent| sent.nonce == nonce);
        let mut fees = Fees { max, tip, blob };
        if let Some(before) = before {
            let least = before.fees.bumped(before.data.bump());
            (fees.max, fees.tip) = (fees.max.max(least.max), fees.tip.max(least.tip));
        }
        fees.max = fees.max.min(self.config.max_fee);
        fees.blob = fees.blob.min(self.config.max_blob_fee);
        // What others do in the L1 block before it may raise its gas.
        let gas_limit = (estimate + estimate / 8).min(self.limits.gas);
        if data.blobs.is_none() {
            let most = self.affordable(gas_limit, base_fee, head);
            fees.max = fees.max.min(most.inspect_err(|_| self.leave_capped(client))?);
        }
        let cost = fees.cost(gas_limit, &data);
        let others = self.in_flight.iter().filter(|sent| sent.nonce != nonce);
        // By the most that each may cost: L1 may take all of them in one block at the highest fee.
        let owed = others.fold(cost, |sum, sent| sum.saturating_add(sent.cost));
        if balance < U256::from(owed) {
            return Err(RollupError::Funds { account, balance, cost: U256::from(owed) });
        }
        if balance < U256::from(self.config.low_balance) {
            tracing::warn!(%account, %balance, "low balance of the L1 account");
        }
        let spent = self.spent_besides(nonce).saturating_add(owed);
        // Before anything is signed: a loop of failing transactions ends here, however it came
        // about.
        if spent > self.config.daily_limit {
            return Err(RollupError::SpendingLimit { spent, limit: self.config.daily_limit });
        }
        let (raw, hash) = self.unsigned(nonce, gas_limit, fees, &data).sign(&self.key)?;
        let has_blobs = data.blobs.is_some();
        self.spending.sending(nonce, cost)?;
        tracing::info!(%hash, nonce, blocks = blocks.len(), gas_limit, has_blobs, "posting batch");
        let before = self.take(nonce);
        self.put(Some(InFlight {
            blocks,
            timestamp,
            hash,
            nonce,
            raw: raw.clone(),
            gas_limit,
            fees,
            sent_at: head,
            waits_since: None,
            sent_when: Instant::now(),
            cost,
            goes_alone,
            is_void: false,
            is_refused: false,
            data,
        }));
        self.sending = Some(Sending::begin(client, raw, (nonce, hash), is_first, before)?);
        Ok(())
    }

    fn next_nonce(&self, used: u64) -> u64 {
        // Those in flight follow one another. Before them may be some that were given up and that
        // L1 has taken, which the account at the head of the view does not show.
        let first = self.in_flight().next().map_or(used, |first| first.nonce);
        let ours = self.landed.iter().chain(self.in_flight());
        ours.fold(first, |next, sent| next + u64::from(sent.nonce == next))
    }

    /// Hash of the last block that the transaction is to bring which is sent next, if it takes the
    /// place of one that was given up with others behind it: L1 may still take those, and they fail
    /// behind one that ends with another block.
    pub(crate) fn replaced_end(&self) -> Option<B256> {
        let next = self.next_nonce(self.account?.used);
        let is_void = |nonce: u64| self.in_flight.iter().find(|it| it.is_void && it.nonce == nonce);
        let (replaced, _) = is_void(next).zip(is_void(next + 1))?;
        replaced.blocks.last().map(|(_, hash)| *hash)
    }

    /// Returns `true` while L1's pool has not answered to a transaction that was sent.
    #[cfg(test)]
    pub(crate) const fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Returns `true` while L1 has not answered to what else it was asked.
    #[cfg(test)]
    pub(crate) const fn is_asking(&self) -> bool {
        self.asked.is_some() || self.resending.is_some()
    }

    /// Returns `true` if L1's pool has taken a transaction since the last call.
    pub(crate) fn take_accepted(&mut self) -> bool {
        core::mem::take(&mut self.has_accepted)
    }

    /// Asks L1 for the account, and for the gas of a transaction or whether it would take it: all
    /// at once.
    fn ask_for_all(
        &mut self,
        client: &L1Client,
        candidate: &TxCandidate,
    ) -> Result<(Account, u64), RollupError> {
        let TxCandidate { gas_limit, for_fork, can_be_tried, .. } = *candidate;
        let (account, rollup) = (self.key.address(), self.rollup);
        let request = TransactionRequest::default()
            .from(account)
            .to(rollup)
            .gas_limit(self.limits.gas)
            .input(candidate.data.input.clone().into());
        let provider = client.inner().provider().clone();
        let asked = client.wait(async move {
            let gas = async {
                match gas_limit {
                    Some(limit) => {
                        if can_be_tried {
                            // Once, and not as often as it takes to find out how little gas would
                            // do.
                            let _ = provider.call(request.gas_limit(limit)).await?;
                        }
                        Ok::<_, TransportError>(limit)
                    }
                    None => {
                        let estimate = provider.estimate_gas(request).await?;
                        Ok(estimate.saturating_add(for_fork))
                    }
                }
            };
            let used = provider.get_transaction_count(account);
            let balance = provider.get_balance(account);
            let latest = provider.get_block_number();
            tokio::try_join!(used.into_future(), balance.into_future(), latest.into_future(), gas)
        });
        let (used, balance, latest, gas) = asked.map_err(L1Error::from)?;
        let account = Account { used, balance, latest };
        self.account = Some(account);
        Ok((account, gas))
    }

    /// Takes out what stands at a nonce.
    fn take(&mut self, nonce: u64) -> Option<InFlight> {
        let at = self.in_flight.iter().position(|sent| sent.nonce == nonce)?;
        Some(self.in_flight.remove(at))
    }

    /// Puts a transaction to its place, where none is.
    fn put(&mut self, sent: Option<InFlight>) {
        self.in_flight.extend(sent);
        self.in_flight.sort_by_key(|sent| sent.nonce);
    }

    /// Gives up the transactions in flight. They may still be taken; the next ones have their
    /// nonces.
    pub fn forget(&mut self) {
        for sent in &mut self.in_flight {
            sent.is_void = true;
        }
        if let Some(before) = self.sending.as_mut().and_then(|sending| sending.before.as_mut()) {
            before.is_void = true;
        }
        self.pool_keeps = None;
    }

    /// Gives up those that L1 does not have by this view.
    pub(crate) fn forget_open(&mut self, view: &L1View) {
        let is_live = |sent: &InFlight| !sent.is_void && sent.is_taken(view);
        let live: Vec<bool> = self.in_flight.iter().map(is_live).collect();
        self.forget();
        for (sent, is_live) in self.in_flight.iter_mut().zip(live) {
            sent.is_void = !is_live;
        }
    }

    const fn unsigned<'a>(
        &self,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
        data: &'a TxData,
    ) -> Unsigned<'a> {
        let (chain_id, rollup) = (self.chain_id, self.rollup);
        Unsigned { chain_id, rollup, nonce, gas_limit, fees, data }
    }
}
