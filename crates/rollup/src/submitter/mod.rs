//! Submission of L2 blocks to L1, in transactions of one account in nonce order, which are resent
//! unchanged until L1 has included them.
//!
//! A transaction is sent only after L1's pool has responded to the previous one, so that none is
//! queued after a rejected one. The caller plans the next one in the meantime. [`Submitter::step`]
//! tracks all transactions in flight, with requests on other threads.

mod account;
mod calls;
mod config;
mod error;
mod fee_cap;
mod in_flight;
mod pending;
mod pool;
mod refusal;
mod requests;
mod spending;
mod transaction;
mod tx_builder;

pub use config::SubmitterConfig;
pub use error::SubmitterError;
pub use in_flight::InFlight;
pub use transaction::{Blobs, TxCandidate, TxData};

pub(crate) use calls::{CallSender, CallState, Purpose};
pub(crate) use refusal::{is_execution_failure, is_refusal};

use crate::{
    Signer,
    l1::{L1Client, L1View},
    lease::Fence,
};
use account::{AccountAt, AccountTracker};
use alloy_eips::{BlockId, BlockNumHash};
use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::TransactionRequest;
use contracts::advance_plan::L1Limits;
use pending::PendingTransactions;
use pool::{PendingSend, PoolSubmission};
use refusal::is_underpriced;
use requests::{Account, account_and_gas, account_at};
use spending::Spending;
use std::{path::Path, sync::Arc};
use tx_builder::{Bump, TxBuilder};

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
    /// nonce follows a gap. All transactions in flight were abandoned, since L1 cannot accept later
    /// blocks without these; the next ones replace them.
    Failed(Vec<BlockNumHash>),
    /// A blob transaction failed, or needs a higher fee than the limits allow. Its blocks must be
    /// posted as calldata. If the transaction is still pending, the next one replaces it.
    NotByBlobs {
        /// `true` if it failed and its evidence depended on the state of L1, so that a change of
        /// that state may be the reason.
        may_be_stale: bool,
    },
}

/// Posts blocks to L1.
#[derive(Debug)]
pub struct Submitter {
    config: SubmitterConfig,
    account: AccountTracker,
    builder: TxBuilder,
    pending: PendingTransactions,
    pool: PoolSubmission,
}

impl Submitter {
    /// Creates a submitter with this key, for an L1 with the limits of mainnet. No other process
    /// may use the key.
    pub fn new(key: Signer, chain_id: u64, rollup: Address, config: SubmitterConfig) -> Self {
        Self {
            account: AccountTracker::new(key.address()),
            builder: TxBuilder::new(key, chain_id, rollup, config.clone()),
            config,
            pending: PendingTransactions::default(),
            pool: PoolSubmission::default(),
        }
    }

    /// Sets L1's transaction limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: L1Limits) -> Self {
        self.builder.limits = limits;
        self
    }

    /// Sets the fence that is checked before each transaction is sent to L1.
    #[must_use]
    pub fn with_fence(mut self, fence: Fence) -> Self {
        self.pool.fence = fence;
        self
    }

    /// Records the spending in this file, so that the daily limit holds across restarts.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::Spending`] if the file cannot be used.
    pub fn with_spending(mut self, path: &Path) -> Result<Self, SubmitterError> {
        let TxBuilder { chain_id, .. } = self.builder;
        self.builder.spending = Spending::open(path, chain_id, self.address())?;
        Ok(self)
    }

    /// Returns the latest and the pending nonce of an account on L1.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::Funds`] if its balance is zero; [`SubmitterError::L1`] if a request to L1
    /// fails.
    pub(crate) fn is_ready(
        client: &L1Client,
        account: Address,
    ) -> Result<(u64, u64), SubmitterError> {
        let (Account { used, balance, .. }, pending) =
            account_at(client, account, BlockId::latest(), true)?;
        if balance.is_zero() {
            return Err(SubmitterError::Funds { account, balance, cost: U256::ONE });
        }
        Ok((used, pending.unwrap_or(used)))
    }

    /// Returns the address of the account that posts blocks.
    pub fn address(&self) -> Address {
        self.builder.key.address()
    }

    /// Returns the transactions in flight that were not abandoned, in nonce order.
    pub fn in_flight(&self) -> impl Iterator<Item = &InFlight> {
        self.pending.live()
    }

    /// Returns the number of transactions in flight that the latest view does not include.
    pub fn waiting(&self) -> usize {
        self.pending.waiting()
    }

    /// Returns `true` if another transaction may be queued after those in flight.
    pub fn has_room(&self) -> bool {
        self.pending.has_room(self.config.max_in_flight)
    }

    /// Returns `true` if this view includes a blob transaction in flight.
    pub(crate) fn has_included_blobs(&self, view: &L1View) -> bool {
        self.in_flight().any(|sent| sent.has_blobs() && sent.is_included(view))
    }

    /// Returns `true` if the next transaction replaces an abandoned one that L1's pool may still
    /// have.
    pub fn replaces(&self) -> bool {
        self.pending.all().iter().any(|sent| sent.is_void)
    }

    /// Returns the last known balance of the account on L1, in wei.
    pub fn balance(&self) -> U256 {
        self.account.known().map_or(U256::ZERO, |account| account.balance)
    }

    /// Returns the upper bound of the spending within a day, in wei.
    pub fn spent(&self) -> u128 {
        self.builder.spent()
    }

    /// Starts to send `advance` with these blocks, queued after the transactions in flight. First
    /// waits until L1's pool has responded to the previous one. Does nothing while the view is
    /// behind the account's nonce. A candidate that [can be simulated](TxCandidate::can_simulate)
    /// is simulated first. The next [`Self::step`], [`Self::submit`] or [`Self::acknowledge`]
    /// returns the pool's response.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::L1`] with L1's error; [`SubmitterError::Funds`] and
    /// [`SubmitterError::SpendingLimit`] for all transactions in flight together, before anything
    /// is sent; the errors of [`Self::acknowledge`].
    pub fn submit(
        &mut self,
        client: &Arc<L1Client>,
        view: &L1View,
        candidate: TxCandidate,
    ) -> Result<(), SubmitterError> {
        self.acknowledge()?;
        let is_first = self.in_flight().next().is_none();
        // While transactions are in flight, the last response is still valid, because only they
        // have changed the account since.
        let cached = self.account.known().filter(|_| !is_first).zip(candidate.gas_limit);
        let (Account { used, balance, .. }, estimate) = match cached {
            Some(cached) => cached,
            None => {
                let TxBuilder { rollup, limits, .. } = self.builder;
                let request = TransactionRequest::default()
                    .from(self.address())
                    .to(rollup)
                    .gas_limit(limits.gas)
                    .input(candidate.data.input.clone().into());
                let (account, gas) = account_and_gas(client, request, &candidate)?;
                self.account.set(account);
                (account, gas)
            }
        };
        // L1's latest block includes a transaction that the view does not include yet. The blocks
        // were chosen by that view, so they would fail.
        if self.pending.all().iter().any(|sent| sent.nonce < used) {
            return Ok(());
        }
        // A transaction that an L1 reorg has removed since this view is resent with its nonce.
        let nonce = self.pending.next_nonce(used);
        let built =
            self.builder.build(candidate, nonce, estimate, balance, view.head(), &self.pending);
        if matches!(built, Err(SubmitterError::TxFeeCap { .. })) {
            self.builder.fee_cap.leave_node(client);
        }
        let sent = built?;
        let (blocks, gas_limit, has_blobs) =
            (sent.candidate.blocks.len(), sent.gas_limit, sent.has_blobs());
        let (hash, raw) = (sent.hash, sent.raw.clone());
        tracing::info!(%hash, nonce, blocks, gas_limit, has_blobs, "posting batch");
        let before = self.pending.remove(nonce);
        self.pending.insert(sent);
        self.pool.begin(client, raw, (nonce, hash), is_first, before)
    }

    /// Waits until L1's pool has responded to the last sent transaction.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::L1`] if L1 rejects the transaction or does not respond; without a response
    /// the transaction may be in the pool, so it stays in flight. [`SubmitterError::BlobsRefused`]
    /// if L1 rejects a blob transaction, which is then no longer in flight.
    pub fn acknowledge(&mut self) -> Result<(), SubmitterError> {
        self.pool.wait().map_or(Ok(()), |(sending, outcome)| self.on_response(sending, outcome))
    }

    /// Processes the response of L1's pool to a transaction.
    fn on_response(
        &mut self,
        sending: PendingSend,
        outcome: Result<(), SubmitterError>,
    ) -> Result<(), SubmitterError> {
        let PendingSend { nonce, hash, is_first, before, .. } = sending;
        let Err(error) = outcome else { return Ok(()) };
        // Its nonce has been used since, or it is no longer in flight.
        let Some(sent) = self.pending.get_mut(nonce).filter(|sent| sent.hash == hash) else {
            return Ok(());
        };
        // Without a response, the transaction may be in the pool.
        if !is_refusal(&error) {
            return Err(error);
        }
        let has_blobs = sent.has_blobs();
        let fee = sent.fees.max.saturating_mul(sent.gas_limit.into());
        let sent_at = sent.sent_at;
        // The pool has a transaction of an earlier process with this nonce: a later fee bump
        // replaces it.
        if before.is_none() && is_first && !has_blobs && is_underpriced(&error) {
            sent.is_refused = true;
            return Err(error);
        }
        self.builder.fee_cap.learn(&error, fee, sent_at);
        // The pool does not have the rejected transaction, but may still have the older one with
        // this nonce.
        let is_void = sent.is_void;
        self.pending.remove(nonce);
        let replaces = before.is_some();
        if let Some(before) = before {
            self.pending.insert(before);
        }
        if is_void {
            return Ok(());
        }
        if !is_first && !replaces {
            // Pools limit the number of transactions per account. Its blocks are posted after those
            // in flight.
            tracing::debug!(%error, nonce, "L1 pool limit reached, waiting");
            self.pending.on_pool_limit();
            return Ok(());
        }
        Err(match has_blobs {
            true => SubmitterError::BlobsRefused(error.to_string()),
            false => error,
        })
    }

    /// Returns `true` while L1's pool may have transactions of an earlier process. Replacing one
    /// would make those queued after it fail, so the submitter waits as long as L1 includes any of
    /// them.
    pub fn waits_for_earlier(&self) -> bool {
        self.account.waits_for_earlier()
    }

    /// Updates the transactions in flight with L1's responses since the last call. Requests the
    /// account at each new L1 block, resends the transactions at each block or after a slot without
    /// one, and bumps the fees of the first one if it has waited too long. `l1_time` is the
    /// timestamp of L1's next block. Never blocks.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::L1`] if a request to L1 fails, after which the transactions are still in
    /// flight. Also the errors of [`Self::acknowledge`].
    pub fn step(
        &mut self,
        client: &Arc<L1Client>,
        view: &Arc<L1View>,
        l1_time: u64,
    ) -> Result<SubmitterProgress, SubmitterError> {
        if let Some((sending, outcome)) = self.pool.take_response() {
            self.on_response(sending, outcome)?;
        }
        if let Some(resent) = self.pool.take_resent() {
            if resent.as_ref().is_err_and(is_underpriced)
                && let Some(first) = self.pending.first_live_mut()
            {
                first.is_refused = true;
            }
            resent?;
        }
        if self.pending.restore_reorged(view) {
            self.account.discard_request();
        }
        if self.pending.pause_resending(l1_time) {
            // Resend at the next poll, because an L1 that builds blocks on demand has no other
            // block to build.
            self.account.request_again();
        }
        self.pending.count_included(view);
        if self.account.is_requesting() {
            return match self.account.take_response(self.config.bump_after)? {
                Some(account) => self.poll(client, account),
                None => Ok(self.idle_or_waiting()),
            };
        }
        let is_needed = !self.pending.all().is_empty() || self.waits_for_earlier();
        if is_needed && self.account.is_due(view, self.config.resend_after) {
            self.account.request(client, view)?;
        }
        Ok(self.idle_or_waiting())
    }

    fn idle_or_waiting(&self) -> SubmitterProgress {
        match self.pending.all().is_empty() {
            true => SubmitterProgress::Idle,
            false => SubmitterProgress::Waiting,
        }
    }

    fn poll(
        &mut self,
        client: &Arc<L1Client>,
        account: AccountAt,
    ) -> Result<SubmitterProgress, SubmitterError> {
        let AccountAt { account: Account { used, latest, .. }, view, requested } = account;
        let done = self.pending.abandon_included(&view);
        let mut failed = None;
        for sent in self.pending.remove_used(used) {
            self.builder.spending.on_used(sent.nonce, sent.cost);
            if sent.is_void {
                self.pending.keep_included(sent, &view);
            } else {
                // The view includes the block that used its nonce, but the rollup has not advanced,
                // so it failed.
                failed.get_or_insert(sent);
            }
        }
        if let Some(sent) = failed {
            let has_blobs = sent.has_blobs();
            tracing::warn!(hash = %sent.hash, has_blobs, "posted batch failed on L1");
            self.forget();
            return Ok(if has_blobs {
                SubmitterProgress::NotByBlobs { may_be_stale: sent.candidate.goes_alone }
            } else {
                SubmitterProgress::Failed(sent.candidate.blocks)
            });
        }
        self.pending.first_waits_for_l1(requested, latest);
        let lost = self.pending.behind_gap(used, requested).map(|first| {
            tracing::warn!(hash = %first.hash, got = first.nonce, expected = used, "nonce gap on L1, resubmitting");
            first.candidate.blocks.clone()
        });
        if lost.is_some() {
            self.forget();
        }
        if !done.is_empty() {
            return Ok(SubmitterProgress::Done(done));
        }
        if let Some(blocks) = lost {
            return Ok(SubmitterProgress::Failed(blocks));
        }
        self.rebroadcast(client, view.head().map_or(0, |head| head.number), latest)
    }

    /// Resends the transactions at each L1 block, and bumps the fees of the first one if it has
    /// waited too long.
    fn rebroadcast(
        &mut self,
        client: &Arc<L1Client>,
        head: u64,
        latest: u64,
    ) -> Result<SubmitterProgress, SubmitterError> {
        if self.pending.is_paused() {
            return Ok(SubmitterProgress::Waiting);
        }
        let (mut outcome, mut is_bumped) = (Ok(SubmitterProgress::Waiting), false);
        let (bump_after, resend_after) = (self.config.bump_after, self.config.resend_after);
        let waits_long = |first: &InFlight| {
            let waited = first.waits_since.map(|since| latest.saturating_sub(since));
            // L1 cannot include a transaction that its pool rejects, and some L1s build no block
            // without a transaction.
            waited.is_some_and(|blocks| blocks >= bump_after)
                || first.is_refused && first.sent_when.elapsed() >= resend_after
        };
        let on_its_way = self.pool.sending_nonce();
        let is_sent = |sent: &InFlight| !sent.is_void && Some(sent.nonce) != on_its_way;
        let others: u128 = self.pending.all().iter().skip(1).map(|sent| sent.cost).sum();
        let first = self.pending.first_mut();
        if let Some(first) = first.filter(|first| is_sent(first) && waits_long(first)) {
            match self.builder.bump(first, others) {
                Ok(Bump::Paid) => is_bumped = true,
                Ok(Bump::TooMuch) => {}
                Ok(Bump::NotByBlobs) => {
                    outcome = Ok(SubmitterProgress::NotByBlobs { may_be_stale: false });
                }
                Err(error) => outcome = Err(error),
            }
        }
        let gap = self.pool.resend_gap();
        let is_due = |(at, sent): (usize, &InFlight)| {
            let age = sent.sent_when.elapsed();
            let is_old = age >= resend_after || head > sent.sent_at && age >= gap;
            is_sent(sent) && (is_old || is_bumped && at == 0)
        };
        // Resend all of them in nonce order, since the pool of a restarted node is empty.
        if !self.pool.is_resending()
            && outcome.is_ok()
            && self.pending.all().iter().enumerate().any(is_due)
        {
            let again = self.pending.resend(head, is_sent);
            if let Err(error) = self.pool.resend(client, again) {
                outcome = Err(error);
            }
        }
        if matches!(outcome, Ok(SubmitterProgress::NotByBlobs { .. })) {
            // The later transactions have blobs too, and would fail after a replacement of this
            // one.
            self.forget();
        }
        outcome
    }

    /// Returns the hash of the last block that the next transaction must contain, if it replaces an
    /// abandoned one that others are queued after. L1 may still include the others, and they fail
    /// if the replacement ends with another block.
    pub(crate) fn replaced_end(&self) -> Option<B256> {
        self.pending.replaced_end(self.account.known()?.used)
    }

    /// Returns `true` while L1's pool has not responded to a sent transaction.
    #[cfg(test)]
    pub(crate) fn is_sending(&self) -> bool {
        self.pool.sending_nonce().is_some()
    }

    /// Returns `true` while another request to L1 is pending.
    #[cfg(test)]
    pub(crate) const fn is_requesting(&self) -> bool {
        self.account.is_requesting() || self.pool.is_resending()
    }

    /// Returns `true` if L1's pool has accepted a transaction since the last call.
    pub(crate) const fn take_accepted(&mut self) -> bool {
        self.pool.take_accepted()
    }

    /// Abandons the transactions in flight. L1 may still include them; the next ones replace them
    /// with the same nonces.
    pub fn forget(&mut self) {
        self.pending.abandon();
        self.pool.abandon_replaced();
    }

    /// Returns the first transaction in flight that this view does not include, if the limits allow
    /// its replacement because of stale evidence.
    pub(crate) fn refreshable(&self, view: &L1View) -> Option<&InFlight> {
        let first = self.in_flight().find(|sent| !sent.is_included(view))?;
        let others = self.pending.all().iter().filter(|sent| sent.nonce != first.nonce);
        let others = others.fold(0, |sum: u128, sent| sum.saturating_add(sent.cost));
        self.builder.may_refresh(first, others).then_some(first)
    }

    /// Abandons the transactions that this view does not include.
    pub(crate) fn forget_open(&mut self, view: &L1View) {
        self.pending.abandon_open(view);
        self.pool.abandon_replaced();
    }

    /// Handles an L1 reorg. Abandons the transactions if the evidence of one depends on a state
    /// that the reorg removed.
    pub(crate) fn on_l1_reorg(&mut self) {
        if self.in_flight().any(|sent| sent.candidate.goes_alone) {
            self.forget();
        }
    }

    /// Drops the included transactions, because their blocks were replaced, so they must not be
    /// resent after a reorg.
    pub(crate) fn forget_included(&mut self) {
        self.pending.forget_included();
    }
}
