//! Submission of L2 blocks to L1: transactions of one account in nonce order, resent unchanged
//! until L1 has included them.
//!
//! A transaction is sent only after L1's pool has responded to the previous one, so that none is
//! queued after a rejected one. The caller plans the next one in the meantime. `look` tracks all
//! transactions in flight, with requests on other threads.

mod calls;
mod error;
mod fee_cap;
mod in_flight;
mod refusal;
mod requests;
mod sending;
mod spending;
mod tracking;
mod transaction;

pub use error::SubmitterError;
pub use in_flight::InFlight;
pub use transaction::{Blobs, TxData};

pub(crate) use calls::{CallSender, CallState, Purpose};
pub(crate) use refusal::{is_execution_failure, is_refusal};

use crate::{
    L1Error, Signer,
    l1::{L1Client, L1View},
    lease::Fence,
    probe::Probe,
};
use alloy_eips::{BlockId, BlockNumHash};
use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::TransactionRequest;
use chain::Block;
use contracts::advance_plan::L1Limits;
use fee_cap::FeeCap;
use requests::{Account, account_at, estimate, simulate};
use sending::Sending;
use spending::Spending;
use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tracking::{AccountRequest, EarlierTransactions};
use transaction::{Fees, Unsigned};

/// Limits and timeouts of a submitter.
#[derive(Debug, Clone)]
pub struct SubmitterConfig {
    /// Priority fee, in wei per gas.
    pub tip: u128,
    /// Maximum fee, in wei per gas.
    pub max_fee: u128,
    /// Maximum blob fee, in wei per blob gas. While blobs cost more, blocks are posted as calldata.
    pub max_blob_fee: u128,
    /// Maximum fee of a transaction without its blobs, in wei: L1 nodes reject transactions above
    /// their `--rpc.txfeecap`.
    pub max_tx_fee: u128,
    /// Number of L1 blocks without the transaction after which its fees are bumped.
    pub bump_after: u64,
    /// Time after which a transaction is resent if L1 makes no block.
    pub resend_after: Duration,
    /// Maximum spending within a day, in wei.
    pub daily_limit: u128,
    /// Balance below which the submitter logs a warning, in wei.
    pub low_balance: u128,
    /// Maximum number of transactions in flight.
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

/// Blocks to post in one L1 transaction.
#[derive(Debug, Clone)]
pub struct TxCandidate {
    /// Numbers and hashes of the blocks.
    pub blocks: Vec<BlockNumHash>,
    /// Timestamp of the last block, in seconds: the contract rejects blocks with a future
    /// timestamp.
    pub timestamp: u64,
    /// Calldata and blobs with the blocks.
    pub data: TxData,
    /// Gas limit of the transaction; `None` to estimate it with `eth_estimateGas`.
    pub gas_limit: Option<u64>,
    /// Gas added to the estimate, in case the next L1 block is the first of another fork.
    pub for_fork: u64,
    /// `true` if `eth_call` can simulate the transaction, i.e. it has no blobs and no ancestors
    /// that are not on L1.
    pub can_be_tried: bool,
    /// `true` if no transaction may be sent after this one until L1 has included it: the evidence
    /// of the next one depends on the L1 time at which this one is included.
    pub goes_alone: bool,
}

impl TxCandidate {
    /// Creates a candidate whose gas has to be estimated, without a simulation.
    pub fn new(blocks: &[Arc<Block>], data: TxData) -> Self {
        Self {
            blocks: blocks.iter().map(|block| block.num_hash()).collect(),
            timestamp: blocks.last().map_or(0, |last| last.header.timestamp),
            data,
            gas_limit: None,
            for_fork: 0,
            can_be_tried: false,
            goes_alone: false,
        }
    }
}

/// Progress of the transactions in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitterProgress {
    /// No transaction is in flight.
    Idle,
    /// L1 has included none of them yet.
    Waiting,
    /// These blocks are on L1.
    Done(Vec<BlockNumHash>),
    /// The first transaction, with these blocks, failed, another transaction used its nonce, or its
    /// nonce follows a gap. All transactions in flight were abandoned, since blocks after these
    /// cannot be accepted; the next ones replace them.
    Failed(Vec<BlockNumHash>),
    /// A blob transaction failed, or needs a higher fee than the limits allow: the blocks have to
    /// be posted as calldata. If the transaction is still pending, the next one replaces it.
    NotByBlobs {
        /// `true` if it failed and its evidence depended on the state of L1, so that a change of
        /// that state may be the reason.
        may_be_stale: bool,
    },
}

/// Posts blocks to L1.
#[derive(Debug)]
pub struct Submitter {
    key: Signer,
    chain_id: u64,
    rollup: Address,
    config: SubmitterConfig,
    /// L1's limits of a transaction.
    limits: L1Limits,
    /// Transactions in flight, ascending by nonce.
    in_flight: Vec<InFlight>,
    /// Included transactions, oldest first, which are sent again if an L1 reorg removes them.
    landed: VecDeque<InFlight>,
    spending: Spending,
    /// The account in L1's last response.
    account: Option<Account>,
    /// The pending request for the account.
    asked: Option<AccountRequest>,
    /// L1 head and time of the last request for the account.
    last_asked: Option<(B256, Instant)>,
    /// The transaction to which L1's pool has not responded yet.
    sending: Option<Sending>,
    /// The pending request that resends transactions.
    resending: Option<Probe<Result<(), SubmitterError>>>,
    /// Round trip of the last response of L1's pool.
    round_trip: Duration,
    /// Number of transactions in flight when L1's pool last rejected a further one, i.e. its limit
    /// per account.
    pool_keeps: Option<usize>,
    /// `true` if L1's pool has accepted a transaction since [`Self::take_accepted`].
    has_accepted: bool,
    /// Fee cap of the L1 node, if it is known.
    fee_cap: FeeCap,
    /// `true` while transactions removed by an L1 reorg are not to be resent yet.
    is_held: bool,
    /// Number of transactions in flight that are included in the latest view, while the account's
    /// nonce does not show it yet.
    taken: usize,
    earlier: EarlierTransactions,
    /// Right to post, checked right before.
    fence: Fence,
}

impl Submitter {
    /// Creates a submitter with this key, which no other process may use, for an L1 with the limits
    /// of mainnet.
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
            earlier: EarlierTransactions::Unknown,
            fence: Fence::default(),
        }
    }

    /// Sets L1's limits of a transaction.
    #[must_use]
    pub fn with_limits(self, limits: L1Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the right to post, which is checked before each transaction is sent to L1.
    #[must_use]
    pub fn with_fence(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// Records the spending in this file, so that the daily limit holds across restarts.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::Spending`] if the file cannot be used.
    pub fn with_spending(self, path: &Path) -> Result<Self, SubmitterError> {
        let spending = Spending::open(path, self.chain_id, self.key.address())?;
        Ok(Self { spending, ..self })
    }

    /// Returns the latest and the pending nonce of an account on L1.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::Funds`] if its balance is zero; [`SubmitterError::L1`] if a request to L1 fails.
    pub(crate) fn is_ready(
        client: &L1Client,
        account: Address,
    ) -> Result<(u64, u64), SubmitterError> {
        let (Account { used, balance, .. }, taken) =
            account_at(client, account, BlockId::latest(), true)?;
        if balance.is_zero() {
            return Err(SubmitterError::Funds { account, balance, cost: U256::ONE });
        }
        Ok((used, taken.unwrap_or(used)))
    }

    /// Address of the account that posts blocks.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// Transactions in flight that were not abandoned, in nonce order.
    pub fn in_flight(&self) -> impl Iterator<Item = &InFlight> {
        self.in_flight.iter().filter(|sent| !sent.is_void)
    }

    /// Number of transactions in flight that the latest view does not include.
    pub fn waiting(&self) -> usize {
        self.in_flight().count().saturating_sub(self.taken)
    }

    /// Returns `true` if another transaction may be queued after those in flight.
    pub fn has_room(&self) -> bool {
        let most = self.pool_keeps.unwrap_or(usize::MAX).min(self.config.max_in_flight);
        // A transaction after a rejected one would have a nonce gap that may never be filled.
        self.in_flight().all(|sent| !sent.candidate.goes_alone && !sent.is_refused)
            && self.waiting() < most.max(1)
    }

    /// Returns `true` if this view includes a blob transaction in flight.
    pub(crate) fn has_included_blobs(&self, view: &L1View) -> bool {
        self.in_flight().any(|sent| sent.has_blobs() && sent.is_included(view))
    }

    /// Returns `true` if the next transaction replaces an abandoned one that L1's pool may still
    /// have.
    pub fn replaces(&self) -> bool {
        self.in_flight.iter().any(|sent| sent.is_void)
    }

    /// Last known balance of the account on L1, in wei.
    pub fn balance(&self) -> U256 {
        self.account.map_or(U256::ZERO, |account| account.balance)
    }

    /// Upper bound of the spending within a day, in wei.
    pub fn spent(&self) -> u128 {
        self.spending.besides(|_| false)
    }

    /// Spending within a day, in wei, without this nonce and the transactions in flight.
    fn spent_besides(&self, nonce: u64) -> u128 {
        let is_counted = |it| it == nonce || self.in_flight.iter().any(|sent| sent.nonce == it);
        self.spending.besides(is_counted)
    }

    /// Starts to send `advance` with these blocks, queued after the transactions in flight. First
    /// waits until L1's pool has responded to the previous one. Sends nothing while the view is
    /// behind the account's nonce. If `can_be_tried`, the transaction is simulated first. The next
    /// [`Self::step`], [`Self::submit`] or [`Self::acknowledge`] returns the pool's response.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::L1`] with L1's error; [`SubmitterError::Funds`] and
    /// [`SubmitterError::SpendingLimit`] for all transactions in flight together, before anything is
    /// sent; the errors of [`Self::acknowledge`].
    pub fn submit(
        &mut self,
        client: &Arc<L1Client>,
        view: &L1View,
        candidate: TxCandidate,
    ) -> Result<(), SubmitterError> {
        self.acknowledge()?;
        let account = self.key.address();
        let head = view.head().map_or(0, |head| head.number);
        let base_fee = view.head().map_or(0, |head| u128::from(head.base_fee));
        let is_first = self.in_flight().next().is_none();
        // While transactions are in flight, the last response is still valid, because only they
        // have changed the account since.
        let known = self.account.filter(|_| !is_first).zip(candidate.gas_limit);
        let (Account { used, balance, .. }, estimate) = match known {
            Some(known) => known,
            None => self.ask_for_all(client, &candidate)?,
        };
        // L1's latest block includes a transaction that the view, by which these blocks were
        // chosen, does not show yet: they would fail after it.
        if self.in_flight.iter().any(|sent| sent.nonce < used) {
            return Ok(());
        }
        let data = &candidate.data;
        let tip = self.config.tip;
        let max = base_fee.saturating_mul(2).saturating_add(tip);
        let blob = data.blobs.as_ref().map_or(0, |blobs| blobs.price.saturating_mul(2).max(1));
        // The first nonce without a transaction of this node, so that the gap of a failed one is
        // filled. A transaction that an L1 reorg has removed, as the next view will show, is sent
        // again with its nonce.
        let nonce = self.next_nonce(used);
        // A pool that has the old transaction rejects a replacement without a sufficient fee bump.
        let before = self.in_flight.iter().find(|sent| sent.nonce == nonce);
        let mut fees = Fees { max, tip, blob };
        if let Some(before) = before {
            let least = before.fees.bumped(before.candidate.data.bump());
            (fees.max, fees.tip) = (fees.max.max(least.max), fees.tip.max(least.tip));
        }
        fees.max = fees.max.min(self.config.max_fee);
        fees.blob = fees.blob.min(self.config.max_blob_fee);
        // Earlier transactions in the same L1 block may raise its gas.
        let gas_limit = (estimate + estimate / 8).min(self.limits.gas);
        if data.blobs.is_none() {
            let most = self.affordable(gas_limit, base_fee, head);
            fees.max = fees.max.min(most.inspect_err(|_| self.leave_capped(client))?);
        }
        let cost = fees.cost(gas_limit, data);
        let others = self.in_flight.iter().filter(|sent| sent.nonce != nonce);
        // Uses the maximum costs, since L1 may include all of them in one block at the highest fee.
        let owed = others.fold(cost, |sum, sent| sum.saturating_add(sent.cost));
        if balance < U256::from(owed) {
            return Err(SubmitterError::Funds { account, balance, cost: U256::from(owed) });
        }
        if balance < U256::from(self.config.low_balance) {
            tracing::warn!(%account, %balance, "low balance of the L1 account");
        }
        let spent = self.spent_besides(nonce).saturating_add(owed);
        // Checked before anything is signed: this ends any loop of failing transactions.
        if spent > self.config.daily_limit {
            return Err(SubmitterError::SpendingLimit { spent, limit: self.config.daily_limit });
        }
        let (raw, hash) = self.unsigned(nonce, gas_limit, fees, data).sign(&self.key)?;
        let has_blobs = data.blobs.is_some();
        self.spending.sending(nonce, cost)?;
        let blocks = candidate.blocks.len();
        tracing::info!(%hash, nonce, blocks, gas_limit, has_blobs, "posting batch");
        let before = self.take(nonce);
        self.put(Some(InFlight {
            candidate,
            hash,
            nonce,
            raw: raw.clone(),
            gas_limit,
            fees,
            sent_at: head,
            waits_since: None,
            sent_when: Instant::now(),
            cost,
            is_void: false,
            is_refused: false,
        }));
        let id = (nonce, hash);
        self.sending = Some(Sending::begin(client, &self.fence, raw, id, is_first, before)?);
        Ok(())
    }

    fn next_nonce(&self, used: u64) -> u64 {
        // Nonces in flight are consecutive. L1 may have included abandoned transactions before them
        // that the account state at the head of the view does not reflect yet.
        let first = self.in_flight().next().map_or(used, |first| first.nonce);
        let ours = self.landed.iter().chain(self.in_flight());
        ours.fold(first, |next, sent| next + u64::from(sent.nonce == next))
    }

    /// Hash of the block with which the next transaction has to end, if it replaces an abandoned
    /// one that others are queued after: L1 may still include those, and they fail if the
    /// replacement ends with another block.
    pub(crate) fn replaced_end(&self) -> Option<B256> {
        let next = self.next_nonce(self.account?.used);
        let is_void = |nonce: u64| self.in_flight.iter().find(|it| it.is_void && it.nonce == nonce);
        let (replaced, _) = is_void(next).zip(is_void(next + 1))?;
        replaced.candidate.blocks.last().map(|block| block.hash)
    }

    /// Returns `true` while L1's pool has not responded to a sent transaction.
    #[cfg(test)]
    pub(crate) const fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Returns `true` while another request to L1 is pending.
    #[cfg(test)]
    pub(crate) const fn is_asking(&self) -> bool {
        self.asked.is_some() || self.resending.is_some()
    }

    /// Returns `true` if L1's pool has accepted a transaction since the last call.
    pub(crate) fn take_accepted(&mut self) -> bool {
        core::mem::take(&mut self.has_accepted)
    }

    /// Requests the account, and estimates or simulates the transaction, in concurrent requests.
    fn ask_for_all(
        &mut self,
        client: &L1Client,
        candidate: &TxCandidate,
    ) -> Result<(Account, u64), SubmitterError> {
        let TxCandidate { gas_limit, for_fork, can_be_tried, .. } = *candidate;
        let (account, rollup) = (self.key.address(), self.rollup);
        let request = TransactionRequest::default()
            .from(account)
            .to(rollup)
            .gas_limit(self.limits.gas)
            .input(candidate.data.input.clone().into());
        let (known, gas) = thread::scope(|scope| {
            let known = scope.spawn(|| account_at(client, account, BlockId::latest(), false));
            let gas = match gas_limit {
                // One execution, where an estimate needs several.
                Some(limit) if can_be_tried => {
                    simulate(client, &request.gas_limit(limit)).map(|()| limit)
                }
                Some(limit) => Ok(limit),
                None => estimate(client, &request).map(|gas| gas.saturating_add(for_fork)),
            };
            (known.join().unwrap_or(Err(L1Error::Thread)), gas)
        });
        let ((account, _), gas) = (known?, gas?);
        self.account = Some(account);
        Ok((account, gas))
    }

    /// Removes the transaction with this nonce.
    fn take(&mut self, nonce: u64) -> Option<InFlight> {
        let at = self.in_flight.iter().position(|sent| sent.nonce == nonce)?;
        Some(self.in_flight.remove(at))
    }

    /// Inserts a transaction by its nonce, which no other one in flight has.
    fn put(&mut self, sent: Option<InFlight>) {
        self.in_flight.extend(sent);
        self.in_flight.sort_by_key(|sent| sent.nonce);
    }

    /// Abandons the transactions in flight. L1 may still include them; the next ones replace them
    /// with the same nonces.
    pub fn forget(&mut self) {
        for sent in &mut self.in_flight {
            sent.is_void = true;
        }
        if let Some(before) = self.sending.as_mut().and_then(|sending| sending.before.as_mut()) {
            before.is_void = true;
        }
        self.pool_keeps = None;
    }

    /// Abandons the transactions that this view does not include.
    pub(crate) fn forget_open(&mut self, view: &L1View) {
        let is_live = |sent: &InFlight| !sent.is_void && sent.is_included(view);
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
