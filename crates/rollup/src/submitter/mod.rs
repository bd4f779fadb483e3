//! The way of L2 blocks to L1: one key, some transactions in the order of their nonces, the same bytes until L1 has
//! them.

mod in_flight;
mod spending;
mod transaction;

pub use in_flight::InFlight;
pub use transaction::{Blobs, TxData};

use crate::{
    L1Error, RollupError, Signer,
    l1::{L1Client, L1View},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::TransactionRequest;
use client::ClientError;
use contracts::advance_plan::L1Limits;
use spending::Spending;
use std::{
    path::Path,
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
    /// L1's limits of each transaction.
    pub limits: L1Limits,
}

impl Default for SubmitterConfig {
    fn default() -> Self {
        Self {
            tip: 1_000_000_000,
            max_fee: 500_000_000_000,
            max_blob_fee: 100_000_000_000,
            bump_after: 3,
            resend_after: Duration::from_secs(12),
            daily_limit: 10_000_000_000_000_000_000,
            low_balance: 1_000_000_000_000_000_000,
            max_in_flight: 4,
            limits: L1Limits::default(),
        }
    }
}

/// Blocks on their way to L1.
#[derive(Debug, Clone)]
pub struct TxCandidate {
    /// The blocks, as number and hash.
    pub blocks: Vec<(u64, B256)>,
    /// Calldata and blobs that carry them.
    pub data: TxData,
    /// Gas that its transaction needs; `None` to ask L1 for it.
    pub gas_limit: Option<u64>,
    /// Gas that it may need beyond the answer of L1, for a fork that L1 has soon.
    pub for_fork: u64,
    /// `true` if L1 can be asked before sending: it knows no blobs that it does not have, and no blocks that stand
    /// before these.
    pub can_be_tried: bool,
    /// `true` if no transaction may follow before L1 has this one: the evidence of the next one depends on the time
    /// at which L1 takes this.
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
    /// The first failed, another transaction took its nonce, or L1 has not come to its nonce: L1 does not have its
    /// blocks, and will not take those behind them. The next ones take the places of these.
    Failed(Vec<(u64, B256)>),
    /// The same of a transaction with blobs, or L1 does not take those for what they may cost at most: the blocks
    /// have to go another way. If the transaction is there yet, the next one replaces it.
    NotByBlobs,
}

/// Brings blocks to L1.
#[derive(Debug)]
pub struct Submitter {
    key: Signer,
    chain_id: u64,
    rollup: Address,
    config: SubmitterConfig,
    /// Ascending by nonce.
    in_flight: Vec<InFlight>,
    spending: Spending,
    balance: U256,
}

impl Submitter {
    /// A submitter with this key, which no other process uses.
    pub fn new(key: Signer, chain_id: u64, rollup: Address, config: SubmitterConfig) -> Self {
        let (in_flight, spending) = (Vec::new(), Spending::default());
        Self { key, chain_id, rollup, config, in_flight, spending, balance: U256::ZERO }
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

    /// Returns the number of nonces that an account has used on L1, without and with the transactions that wait
    /// there.
    ///
    /// # Errors
    ///
    /// [`RollupError::Funds`] if it has nothing to pay with; [`RollupError::L1`] if L1 cannot be asked.
    pub(crate) fn is_ready(client: &L1Client, account: Address) -> Result<(u64, u64), RollupError> {
        let provider = client.inner().provider().clone();
        let asked = client.wait(async move {
            let balance = provider.get_balance(account).await?;
            let used = provider.get_transaction_count(account).await?;
            let taken = provider.get_transaction_count(account).pending().await?;
            Ok::<_, alloy_provider::transport::TransportError>((balance, used, taken))
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

    /// Returns `true` if another transaction may go behind those in flight.
    pub fn has_room(&self) -> bool {
        self.in_flight().all(|sent| !sent.goes_alone)
            && self.in_flight().count() < self.config.max_in_flight.max(1)
    }

    /// Returns `true` if the next transaction takes the place of one that was given up and that L1 may still have.
    pub fn replaces(&self) -> bool {
        self.in_flight.iter().any(|sent| sent.is_void)
    }

    /// Balance of its account on L1 when it was asked last, in wei.
    pub const fn balance(&self) -> U256 {
        self.balance
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

    /// Sends `advance` for these blocks, behind what is in flight. If it can be tried, L1 is asked before whether it
    /// would take it.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] with what L1 says; [`RollupError::Funds`] and [`RollupError::SpendingLimit`], of all that is
    /// in flight together, before anything is sent; [`RollupError::BlobsRefused`] if L1 wants the transaction for its
    /// blobs neither now nor later: it is not in flight then.
    pub fn submit(
        &mut self,
        client: &L1Client,
        view: &L1View,
        candidate: TxCandidate,
    ) -> Result<(), RollupError> {
        let TxCandidate { blocks, data, gas_limit: known_limit, for_fork, .. } = candidate;
        let TxCandidate { can_be_tried, goes_alone, .. } = candidate;
        let head = view.head().map_or(0, |head| head.number);
        let base_fee = view.head().map_or(0, |head| u128::from(head.base_fee));
        let tip = self.config.tip;
        let max = base_fee.saturating_mul(2).saturating_add(tip);
        let blob = data.blobs.as_ref().map_or(0, |blobs| blobs.price.saturating_mul(2).max(1));
        let (account, rollup) = (self.key.address(), self.rollup);
        let request = TransactionRequest::default()
            .from(account)
            .to(rollup)
            .gas_limit(self.config.limits.gas)
            .input(data.input.clone().into());
        let provider = client.inner().provider().clone();
        let asked = client.wait(async move {
            let used = provider.get_transaction_count(account).await?;
            let balance = provider.get_balance(account).await?;
            let gas = match known_limit {
                Some(limit) => {
                    if can_be_tried {
                        // Once, and not as often as it takes to find out how little gas would do.
                        let _ = provider.call(request.gas_limit(limit)).await?;
                    }
                    limit
                }
                None => provider.estimate_gas(request).await?.saturating_add(for_fork),
            };
            Ok::<_, alloy_provider::transport::TransportError>((used, balance, gas))
        });
        let (used, balance, estimate) = asked.map_err(L1Error::from)?;
        self.balance = balance;
        // The first nonce without a transaction of ours, so that a gap left by one that failed is filled and not waited
        // for.
        let nonce = self.in_flight().fold(used, |next, sent| next + u64::from(sent.nonce == next));
        // A replacement with less than the old fees would be refused by each pool that has the old one.
        let before = self.in_flight.iter().find(|sent| sent.nonce == nonce);
        let mut fees = Fees { max, tip, blob };
        if let Some(before) = before {
            let least = before.fees.bumped(before.data.bump());
            (fees.max, fees.tip) = (fees.max.max(least.max), fees.tip.max(least.tip));
        }
        fees.max = fees.max.min(self.config.max_fee);
        fees.blob = fees.blob.min(self.config.max_blob_fee);
        // What others do in the L1 block before it may raise its gas.
        let gas_limit = (estimate + estimate / 8).min(self.config.limits.gas);
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
        // Before anything is signed: a loop of failing transactions ends here, however it came about.
        if spent > self.config.daily_limit {
            return Err(RollupError::SpendingLimit { spent, limit: self.config.daily_limit });
        }
        let (raw, hash) = self.unsigned(nonce, gas_limit, fees, &data).sign(&self.key)?;
        let has_blobs = data.blobs.is_some();
        let is_first = self.in_flight().next().is_none();
        self.spending.sending(nonce, cost)?;
        tracing::info!(%hash, nonce, blocks = blocks.len(), gas_limit, has_blobs, "posting batch");
        let before = self.take(nonce);
        let sent = InFlight {
            blocks,
            hash,
            nonce,
            raw,
            gas_limit,
            fees,
            sent_at: head,
            first_sent_at: head,
            sent_when: Instant::now(),
            cost,
            goes_alone: goes_alone || has_blobs,
            is_void: false,
            data,
        };
        let outcome = send(client, &sent);
        // Who refuses it does not have it; without an answer it may be on its way.
        let is_refused = outcome.as_ref().is_err_and(is_refusal);
        if is_refused && (before.is_some() || has_blobs || !is_first) {
            // L1 still has the older transaction with this nonce, so it is what is in flight.
            self.put(before);
            return outcome.map_err(|error| match has_blobs {
                true => RollupError::BlobsRefused(error.to_string()),
                false => error,
            });
        }
        self.put(Some(sent));
        outcome
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

    /// Looks what has become of the transactions in flight: sends the same bytes again for each new L1 block,
    /// or after a slot without one, and ones with higher fees for the first if it waits for long.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] if L1 cannot be asked; the transactions stay in flight.
    pub fn step(
        &mut self,
        client: &L1Client,
        view: &L1View,
    ) -> Result<SubmitterProgress, RollupError> {
        let Some(sent) = self.in_flight.first() else { return Ok(SubmitterProgress::Idle) };
        let head = view.head().map_or(0, |head| head.number);
        let is_taken = |sent: &InFlight| {
            let taken = |(number, hash): &(u64, B256)| view.advanced_hash(*number) == Some(*hash);
            !sent.is_void && sent.blocks.iter().all(taken)
        };
        // L1 is asked for the nonce once for each of its blocks, not at each turn of the batcher.
        let is_early = head <= sent.sent_at && sent.sent_when.elapsed() < self.config.resend_after;
        if is_early && !is_taken(sent) {
            return Ok(SubmitterProgress::Waiting);
        }
        let (account, block) = (self.key.address(), BlockNumberOrTag::Number(head));
        let provider = client.inner().provider().clone();
        let used = client
            .wait(
                async move { provider.get_transaction_count(account).block_id(block.into()).await },
            )
            .map_err(L1Error::from)?;
        let mut done = Vec::new();
        for sent in self.in_flight.iter_mut().filter(|sent| is_taken(sent)) {
            done.append(&mut sent.blocks);
            // If another account has brought its blocks, another transaction takes its nonce.
            sent.is_void = true;
        }
        let mut failed = None;
        // Nonces are used in order, so only the first ones can be.
        while self.in_flight.first().is_some_and(|first| first.nonce < used) {
            let sent = self.in_flight.remove(0);
            self.spending.used(sent.nonce, sent.cost);
            // It is in a block that this view has read, and the rollup has not moved: it failed.
            if !sent.is_void {
                failed.get_or_insert(sent);
            }
        }
        // What is behind a nonce that may never be used would wait for ever.
        if self.in_flight.first().is_some_and(|first| first.is_void) {
            self.forget();
        }
        if let Some(sent) = failed {
            let has_blobs = sent.has_blobs();
            tracing::warn!(hash = %sent.hash, has_blobs, "posted batch failed on L1");
            self.forget();
            return Ok(if has_blobs {
                SubmitterProgress::NotByBlobs
            } else {
                SubmitterProgress::Failed(sent.blocks)
            });
        }
        if !done.is_empty() {
            // The next one is the first now, and has waited for nothing but that.
            if let Some(first) = self.in_flight.first_mut() {
                first.first_sent_at = head;
            }
            return Ok(SubmitterProgress::Done(done));
        }
        // L1 was wrong when it was asked for the nonce, or has gone back since: nothing comes to fill the gap.
        if let Some(first) = self.in_flight.first().filter(|it| !it.is_void && it.nonce > used) {
            tracing::warn!(hash = %first.hash, got = first.nonce, expected = used, "nonce gap on L1, resubmitting");
            let blocks = first.blocks.clone();
            self.forget();
            return Ok(SubmitterProgress::Failed(blocks));
        }
        self.rebroadcast(client, head)
    }

    /// Gives up the transactions in flight. They may still be taken; the next ones have their nonces.
    pub fn forget(&mut self) {
        for sent in &mut self.in_flight {
            sent.is_void = true;
        }
    }

    fn rebroadcast(
        &mut self,
        client: &L1Client,
        head: u64,
    ) -> Result<SubmitterProgress, RollupError> {
        let others: u128 = self.in_flight.iter().skip(1).map(|sent| sent.cost).sum();
        let mut all = core::mem::take(&mut self.in_flight);
        let mut outcome = Ok(SubmitterProgress::Waiting);
        if let Some(first) = all.first_mut().filter(|first| !first.is_void)
            && head.saturating_sub(first.first_sent_at) >= self.config.bump_after
        {
            match self.bump(first, others, head) {
                Ok(true) => {}
                Ok(false) => {
                    first.is_void = true;
                    outcome = Ok(SubmitterProgress::NotByBlobs);
                }
                Err(error) => outcome = Err(error),
            }
        }
        for sent in &mut all {
            // All of them are sent again: a pool that was restarted has none.
            (sent.sent_at, sent.sent_when) = (head, Instant::now());
            if !sent.is_void && outcome.is_ok() {
                outcome = send(client, sent).and(outcome);
            }
        }
        self.in_flight = all;
        outcome
    }

    /// Makes a transaction pay more, if that is allowed; whether it goes on waiting. One with blobs does not, if
    /// L1 leaves it for the most that it may cost.
    fn bump(&mut self, sent: &mut InFlight, others: u128, head: u64) -> Result<bool, RollupError> {
        let fees = sent.fees.bumped(sent.data.bump());
        let cost = fees.cost(sent.gas_limit, &sent.data);
        let spent = self.spent_besides(sent.nonce).saturating_add(others).saturating_add(cost);
        // Past these it waits with the fees that it has: fees of L1 fall again, and money that is spent does not come
        // back.
        let is_allowed = fees.max <= self.config.max_fee
            && (!sent.has_blobs() || fees.blob <= self.config.max_blob_fee)
            && spent <= self.config.daily_limit;
        if !is_allowed {
            return Ok(!sent.has_blobs());
        }
        self.spending.sending(sent.nonce, cost)?;
        let bumped = self.unsigned(sent.nonce, sent.gas_limit, fees, &sent.data);
        (sent.raw, sent.hash) = bumped.sign(&self.key)?;
        (sent.cost, sent.fees, sent.first_sent_at) = (cost, fees, head);
        tracing::warn!(hash = %sent.hash, max_fee = fees.max, "transaction not included, bumping fees");
        Ok(true)
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

fn send(client: &L1Client, sent: &InFlight) -> Result<(), RollupError> {
    let (provider, raw) = (client.inner().provider().clone(), sent.raw.clone());
    let outcome = client.wait(async move { provider.send_raw_transaction(&raw).await.map(drop) });
    match outcome {
        Ok(()) => Ok(()),
        // It is there, or was taken already: the next look at L1 tells.
        Err(error) if is_known(&error.to_string()) => Ok(()),
        Err(error) => Err(L1Error::from(error).into()),
    }
}

/// Returns `true` if L1 has answered with a refusal.
const fn is_refusal(error: &RollupError) -> bool {
    matches!(error, RollupError::L1(L1Error::Client(ClientError::Rpc(error))) if error.is_error_resp())
}

fn is_known(message: &str) -> bool {
    ["already known", "already imported", "nonce too low"].iter().any(|it| message.contains(it))
}
