//! The way of L2 blocks to L1: one key, one transaction at a time, the same bytes until L1 has them.

mod transaction;

pub use transaction::{Blobs, Load};

use crate::{L1Error, RollupError, Signer, l1::L1View};
use alloy_eips::{BlockNumberOrTag, eip7825::MAX_TX_GAS_LIMIT_OSAKA};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::TransactionRequest;
use client::ClientError;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use transaction::{Fees, Unsigned};

/// A day: the window of the spending limit.
const DAY: Duration = Duration::from_secs(86_400);

/// What a submitter may do.
#[derive(Debug, Clone)]
pub struct SubmitterConfig {
    /// Tip for whoever builds L1 blocks, in wei per gas.
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
        }
    }
}

/// A transaction that L1 does not have yet.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// The L2 blocks that it brings, as number and hash.
    pub blocks: Vec<(u64, B256)>,
    /// Its hash.
    pub hash: B256,
    nonce: u64,
    raw: Bytes,
    load: Load,
    gas_limit: u64,
    fees: Fees,
    /// The L1 head at which these bytes were sent last, and those of before.
    sent_at: u64,
    first_sent_at: u64,
    sent_when: Instant,
    cost: u128,
    /// Whether it waits for others to go first: L1 does not take it for what it may cost at most.
    is_given_up: bool,
}

impl InFlight {
    /// Whether it carries blobs.
    pub const fn has_blobs(&self) -> bool {
        self.load.blobs.is_some()
    }
}

/// What has become of the transaction in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is none.
    Idle,
    /// L1 does not have it yet.
    Waiting,
    /// L1 has taken these blocks.
    Done(Vec<(u64, B256)>),
    /// It failed, or another transaction took its nonce: L1 does not have the blocks.
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
    in_flight: Option<InFlight>,
    spent: VecDeque<(Instant, u128)>,
    balance: U256,
}

impl Submitter {
    /// A submitter with this key, which nobody else uses.
    pub const fn new(key: Signer, chain_id: u64, rollup: Address, config: SubmitterConfig) -> Self {
        let spent = VecDeque::new();
        Self { key, chain_id, rollup, config, in_flight: None, spent, balance: U256::ZERO }
    }

    /// Its account.
    pub const fn address(&self) -> Address {
        self.key.address()
    }

    /// The transaction that L1 does not have yet.
    pub const fn in_flight(&self) -> Option<&InFlight> {
        self.in_flight.as_ref()
    }

    /// Balance of its account on L1 when it was asked last, in wei.
    pub const fn balance(&self) -> U256 {
        self.balance
    }

    /// Wei that were spent within a day, at most.
    pub fn spent(&self) -> u128 {
        self.spent.iter().filter(|(at, _)| at.elapsed() < DAY).map(|(_, cost)| cost).sum()
    }

    /// Sends `advance` for these blocks, after L1 was asked whether it would take it. About blobs it cannot be
    /// asked before it has them. What is in flight is replaced.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] with what L1 says; [`RollupError::Funds`] and [`RollupError::SpendingLimit`]
    /// before anything is sent; [`RollupError::BlobsRefused`] if L1 wants the transaction for its blobs neither now
    /// nor later: nothing is in flight then.
    pub fn submit(
        &mut self,
        view: &L1View,
        load: Load,
        blocks: Vec<(u64, B256)>,
    ) -> Result<(), RollupError> {
        let head = view.head().map_or(0, |head| head.number);
        let base_fee = view.head().map_or(0, |head| u128::from(head.base_fee));
        let tip = self.config.tip;
        let max = base_fee.saturating_mul(2).saturating_add(tip);
        let blob = load.blobs.as_ref().map_or(0, |blobs| blobs.price.saturating_mul(2).max(1));
        let mut fees = Fees { max, tip, blob };
        if let Some(before) = &self.in_flight {
            let least = before.fees.dearer(before.load.bump());
            (fees.max, fees.tip) = (fees.max.max(least.max), fees.tip.max(least.tip));
        }
        fees.max = fees.max.min(self.config.max_fee);
        fees.blob = fees.blob.min(self.config.max_blob_fee);
        let known_limit = load.blobs.as_ref().map(|blobs| blobs.gas_limit);
        let (account, rollup) = (self.key.address(), self.rollup);
        let request = TransactionRequest::default()
            .from(account)
            .to(rollup)
            .gas_limit(MAX_TX_GAS_LIMIT_OSAKA)
            .input(load.input.clone().into());
        let provider = view.client().inner().provider().clone();
        let asked = view.client().inner().wait(async move {
            let nonce = provider.get_transaction_count(account).await?;
            let balance = provider.get_balance(account).await?;
            let gas = match known_limit {
                Some(limit) => limit,
                None => provider.estimate_gas(request).await?,
            };
            Ok::<_, alloy_provider::transport::TransportError>((nonce, balance, gas))
        });
        let (nonce, balance, estimate) = asked.map_err(L1Error::from)?;
        self.balance = balance;
        // What others do in the L1 block before it may make it dearer.
        let gas_limit = (estimate + estimate / 8).min(MAX_TX_GAS_LIMIT_OSAKA);
        let cost = fees.cost(gas_limit, &load);
        if balance < U256::from(cost) {
            return Err(RollupError::Funds { account, balance, cost: U256::from(cost) });
        }
        if balance < U256::from(self.config.low_balance) {
            tracing::warn!(%account, %balance, "little is left to advance the rollup with");
        }
        let spent = self.spent().saturating_add(cost);
        if spent > self.config.daily_limit {
            return Err(RollupError::SpendingLimit { spent, limit: self.config.daily_limit });
        }
        let (raw, hash) = self.unsigned(nonce, gas_limit, fees, &load).sign(&self.key)?;
        let has_blobs = load.blobs.is_some();
        tracing::info!(%hash, blocks = blocks.len(), gas_limit, has_blobs, "advancing");
        let before = self.in_flight.replace(InFlight {
            blocks,
            hash,
            nonce,
            raw,
            load,
            gas_limit,
            fees,
            sent_at: head,
            first_sent_at: head,
            sent_when: Instant::now(),
            cost,
            is_given_up: false,
        });
        match self.send(view) {
            // Who refuses it does not have it; without an answer it may be on its way.
            Err(error) if is_refusal(&error) && (before.is_some() || has_blobs) => {
                self.in_flight = before;
                Err(match has_blobs {
                    true => RollupError::BlobsRefused(error.to_string()),
                    false => error,
                })
            }
            outcome => outcome,
        }
    }

    /// Looks what has become of the transaction in flight: sends the same bytes again for each new L1 block,
    /// or after a slot without one, and dearer ones if it waits for long.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] if L1 cannot be asked; the transaction stays in flight.
    pub fn step(&mut self, view: &L1View) -> Result<Progress, RollupError> {
        let Some(sent) = &self.in_flight else { return Ok(Progress::Idle) };
        let taken = |(number, hash): &(u64, B256)| view.advanced_hash(*number) == Some(*hash);
        if sent.blocks.iter().all(taken) {
            return Ok(Progress::Done(self.settle()));
        }
        let head = view.head().map_or(0, |head| head.number);
        if head <= sent.sent_at && sent.sent_when.elapsed() < self.config.resend_after {
            let waits = !sent.is_given_up;
            return Ok(if waits { Progress::Waiting } else { Progress::NotByBlobs });
        }
        let (account, block) = (self.key.address(), BlockNumberOrTag::Number(head));
        let provider = view.client().inner().provider().clone();
        let used = view
            .client()
            .inner()
            .wait(
                async move { provider.get_transaction_count(account).block_id(block.into()).await },
            )
            .map_err(L1Error::from)?;
        if used > sent.nonce {
            // It is in a block that this view has read, and the rollup has not moved: it failed.
            let has_blobs = sent.has_blobs();
            tracing::warn!(hash = %sent.hash, has_blobs, "the rollup was not advanced");
            let blocks = self.settle();
            return Ok(if has_blobs { Progress::NotByBlobs } else { Progress::Failed(blocks) });
        }
        self.rebroadcast(view, head)
    }

    /// Forgets the transaction in flight. It may still be taken.
    pub fn forget(&mut self) {
        self.in_flight = None;
    }

    /// Books what the transaction in flight may have cost, and gives back its blocks.
    fn settle(&mut self) -> Vec<(u64, B256)> {
        let Some(sent) = self.in_flight.take() else { return Vec::new() };
        self.spent.retain(|(at, _)| at.elapsed() < DAY);
        self.spent.push_back((Instant::now(), sent.cost));
        sent.blocks
    }

    fn rebroadcast(&mut self, view: &L1View, head: u64) -> Result<Progress, RollupError> {
        let Some(mut sent) = self.in_flight.clone() else { return Ok(Progress::Idle) };
        let fees = sent.fees.dearer(sent.load.bump());
        let has_blobs = sent.has_blobs();
        if head.saturating_sub(sent.first_sent_at) >= self.config.bump_after {
            let is_allowed = fees.max <= self.config.max_fee
                && (!has_blobs || fees.blob <= self.config.max_blob_fee);
            if is_allowed {
                let dearer = self.unsigned(sent.nonce, sent.gas_limit, fees, &sent.load);
                (sent.raw, sent.hash) = dearer.sign(&self.key)?;
                sent.cost = fees.cost(sent.gas_limit, &sent.load);
                (sent.fees, sent.first_sent_at) = (fees, head);
                tracing::warn!(hash = %sent.hash, max_fee = fees.max, "L1 does not take it: paying more");
            }
            sent.is_given_up = has_blobs && !is_allowed;
        }
        (sent.sent_at, sent.sent_when) = (head, Instant::now());
        let is_given_up = sent.is_given_up;
        self.in_flight = Some(sent);
        if is_given_up {
            return Ok(Progress::NotByBlobs);
        }
        self.send(view).map(|()| Progress::Waiting)
    }

    const fn unsigned<'a>(
        &self,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
        load: &'a Load,
    ) -> Unsigned<'a> {
        let (chain_id, rollup) = (self.chain_id, self.rollup);
        Unsigned { chain_id, rollup, nonce, gas_limit, fees, load }
    }

    fn send(&self, view: &L1View) -> Result<(), RollupError> {
        let Some(sent) = &self.in_flight else { return Ok(()) };
        let (provider, raw) = (view.client().inner().provider().clone(), sent.raw.clone());
        let client = view.client().inner();
        let outcome =
            client.wait(async move { provider.send_raw_transaction(&raw).await.map(drop) });
        match outcome {
            Ok(()) => Ok(()),
            // It is there, or was taken already: the next look at L1 tells.
            Err(error) if is_known(&error.to_string()) => Ok(()),
            Err(error) => Err(L1Error::from(error).into()),
        }
    }
}

/// Whether L1 has answered that it does not take something.
const fn is_refusal(error: &RollupError) -> bool {
    matches!(error, RollupError::L1(L1Error::Client(ClientError::Rpc(error))) if error.is_error_resp())
}

fn is_known(message: &str) -> bool {
    ["already known", "already imported", "nonce too low"].iter().any(|it| message.contains(it))
}
