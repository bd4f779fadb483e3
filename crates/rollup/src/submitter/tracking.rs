//! Tracking of transactions in flight. All requests to L1 run on other threads.

use super::{
    InFlight, Submitter, SubmitterProgress,
    refusal::is_underpriced,
    requests::{Account, account_at, send},
};
use crate::{
    L1Error, SubmitterError,
    l1::{L1Client, L1View},
    probe::Probe,
};
use alloy_eips::BlockId;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Maximum number of included transactions that are kept with their blobs, to be sent again after
/// an L1 reorg. Blocks removed by a deeper reorg are planned again.
const MAX_LANDED: usize = 16;
/// Round trip from which L1 counts as slow. Transactions are then resent after [`RESEND_TRIPS`]
/// round trips, and not at each L1 block: blocks may arrive faster than responses.
const SLOW: Duration = Duration::from_millis(250);
/// Number of round trips between two resends to a slow L1.
const RESEND_TRIPS: u32 = 4;

/// Response to an account request: the account, and its pending nonce if that was requested.
type Answer = Result<(Account, Option<u64>), L1Error>;

/// A pending request for the account at the head of a view.
#[derive(Debug)]
pub(super) struct AccountRequest {
    view: Arc<L1View>,
    when: Instant,
    answer: Probe<Answer>,
}

/// Pending transactions of this account from an earlier process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EarlierTransactions {
    /// L1 has not reported yet whether there are any.
    Unknown,
    /// L1's pool has some. The account's nonce has been `used` since L1 block `since`.
    Waiting { used: u64, since: u64 },
    /// There are none, or L1 has not included any for `bump_after` blocks.
    Gone,
}

impl Submitter {
    /// Returns `true` while L1's pool may have transactions of an earlier process. Replacing one
    /// would post other blocks, and those queued after it would fail, so the submitter waits as
    /// long as L1 includes any of them.
    pub fn waits_for_earlier(&self) -> bool {
        self.earlier != EarlierTransactions::Gone
    }

    /// Updates the transactions in flight with L1's responses since the last call. Requests the
    /// account at each new L1 block, resends the transactions at each block or after a slot without
    /// one, and bumps the fees of the first one if it waits for too long. `l1_time` is the
    /// timestamp of L1's next block. Never blocks.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::L1`] if a request to L1 fails; the transactions stay in flight. Also the
    /// errors of [`Self::acknowledge`].
    pub fn step(
        &mut self,
        client: &Arc<L1Client>,
        view: &Arc<L1View>,
        l1_time: u64,
    ) -> Result<SubmitterProgress, SubmitterError> {
        self.take_answer()?;
        if let Some(answer) = self.resending.as_ref().and_then(Probe::answer) {
            self.resending = None;
            let answer = answer.unwrap_or_else(|_| Err(L1Error::Thread.into()));
            if answer.as_ref().is_err_and(is_underpriced)
                && let Some(first) = self.in_flight.iter_mut().find(|sent| !sent.is_void)
            {
                first.is_refused = true;
            }
            answer?;
        }
        self.take_back(view);
        self.hold_back(l1_time);
        self.taken = self.in_flight().filter(|sent| sent.is_included(view)).count();
        if let Some(asked) = self.asked.take() {
            let Some(answer) = asked.answer.answer() else {
                self.asked = Some(asked);
                return Ok(self.no_news());
            };
            let answer = answer.unwrap_or(Err(L1Error::Thread));
            let (account, taken) = answer.inspect_err(|_| self.last_asked = None)?;
            self.account = Some(account);
            self.note_earlier(account, taken);
            return self.poll(client, &asked.view, account, asked.when);
        }
        if self.is_to_ask(view) {
            self.ask(client, view)?;
        }
        Ok(self.no_news())
    }

    const fn no_news(&self) -> SubmitterProgress {
        match self.in_flight.is_empty() {
            true => SubmitterProgress::Idle,
            false => SubmitterProgress::Waiting,
        }
    }

    /// Returns `true` if the account is to be requested: once per L1 block, and after a slot
    /// without one.
    fn is_to_ask(&self, view: &L1View) -> bool {
        let is_of_use = !self.in_flight.is_empty() || self.waits_for_earlier();
        let is_due = self.last_asked.is_none_or(|(head, when)| {
            let is_new = view.head().is_some_and(|now| now.hash != head);
            is_new || when.elapsed() >= self.config.resend_after
        });
        is_of_use && is_due
    }

    fn ask(&mut self, client: &Arc<L1Client>, view: &Arc<L1View>) -> Result<(), SubmitterError> {
        let Some(head) = view.head() else { return Ok(()) };
        let block = BlockId::number(head.number);
        let (account, asks_for_earlier) = (self.key.address(), self.waits_for_earlier());
        let (client, when) = (Arc::clone(client), Instant::now());
        let question = move || account_at(&client, account, block, asks_for_earlier);
        let answer = Probe::ask(question).map_err(SubmitterError::NoThread)?;
        self.last_asked = Some((head.hash, when));
        self.asked = Some(AccountRequest { view: Arc::clone(view), when, answer });
        Ok(())
    }

    fn note_earlier(&mut self, account: Account, taken: Option<u64>) {
        let (Some(taken), true) = (taken, self.waits_for_earlier()) else { return };
        let Account { used, latest, .. } = account;
        self.earlier = match self.earlier {
            _ if taken <= used => EarlierTransactions::Gone,
            EarlierTransactions::Waiting { used: before, since } if used == before => {
                match latest.saturating_sub(since) >= self.config.bump_after {
                    true => EarlierTransactions::Gone,
                    false => self.earlier,
                }
            }
            _ => {
                tracing::info!(used, taken, "waiting for transactions of an earlier process");
                EarlierTransactions::Waiting { used, since: latest }
            }
        };
    }

    /// Puts transactions that an L1 reorg removed back in flight, with the same bytes and nonces.
    fn take_back(&mut self, view: &L1View) {
        let Some(first) = self.landed.iter().position(|sent| sent.is_reorged_out(view)) else {
            return;
        };
        let back = self.landed.split_off(first);
        // A pending response is from before the reorg.
        (self.asked, self.last_asked) = (None, None);
        for mut sent in back {
            // Its evidence was made for a state that the reorg removed, or L1 has another block at
            // the height of its own.
            sent.is_void = sent.candidate.goes_alone || !sent.is_open(view);
            if self.in_flight.iter().any(|it| it.nonce == sent.nonce) {
                continue;
            }
            tracing::warn!(hash = %sent.hash, nonce = sent.nonce, "L1 reorg removed a batch, posting it again");
            (sent.sent_at, sent.waits_since) = (0, None);
            self.put(Some(sent));
        }
    }

    /// Pauses resending while transactions removed by an L1 reorg are in flight and L1's next block
    /// has an earlier timestamp than some L2 blocks in flight: a reorg may set L1's time back, and
    /// the contract rejects blocks with a future timestamp. Later transactions depend on the
    /// removed ones, so none is sent before all can be.
    fn hold_back(&mut self, l1_time: u64) {
        let is_back = self.in_flight().any(|sent| sent.sent_at == 0);
        let holds = is_back && self.in_flight().any(|sent| sent.candidate.timestamp > l1_time);
        if self.is_held && !holds {
            // They are resent at the next poll: an L1 that makes blocks on demand would make no
            // block before.
            self.last_asked = None;
        }
        self.is_held = holds;
    }

    /// Handles an L1 reorg: transactions stay in flight, unless the evidence of one was made for a
    /// state that the reorg removed.
    pub(crate) fn l1_went_back(&mut self) {
        if self.in_flight().any(|sent| sent.candidate.goes_alone) {
            self.forget();
        }
    }

    /// Drops the included transactions, because their blocks were replaced: they must not be sent
    /// again after a reorg.
    pub(crate) fn forget_landed(&mut self) {
        self.landed.clear();
    }

    fn poll(
        &mut self,
        client: &Arc<L1Client>,
        view: &L1View,
        account: Account,
        asked: Instant,
    ) -> Result<SubmitterProgress, SubmitterError> {
        let head = view.head().map_or(0, |head| head.number);
        let Account { used, latest, .. } = account;
        let mut done = Vec::new();
        // Counted from the transactions in flight before this update.
        self.taken = 0;
        for sent in self.in_flight.iter_mut().filter(|sent| !sent.is_void && sent.is_included(view))
        {
            done.extend(sent.candidate.blocks.iter().copied());
            // If another account posted its blocks, the next transaction replaces it.
            sent.is_void = true;
        }
        let mut failed = None;
        // Nonces are used in order, so only the first ones can be.
        while self.in_flight.first().is_some_and(|first| first.nonce < used) {
            let sent = self.in_flight.remove(0);
            self.spending.used(sent.nonce, sent.cost);
            self.pool_keeps = None;
            if sent.is_void {
                self.keep_landed(sent, view);
            } else {
                // The view includes the block that used its nonce, and the rollup has not advanced:
                // it failed.
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
        // From here on only L1 delays the first one.
        if let Some(first) = self.in_flight.first_mut().filter(|it| asked > it.sent_when) {
            let _ = first.waits_since.get_or_insert(latest);
        }
        // A nonce gap: L1 returned a wrong nonce, was reorganised since, or another account posted
        // the blocks of an earlier transaction. The missing nonce may never be used, so
        // transactions after it would wait forever. The response does not cover transactions sent
        // after the request, and those that an L1 reorg removed are sent again.
        let behind_gap = self.in_flight().next().filter(|first| {
            let is_known = asked > first.sent_when && self.landed.iter().all(|it| it.nonce < used);
            is_known && first.nonce > used
        });
        let lost = behind_gap.map(|first| {
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
        self.rebroadcast(client, head, latest)
    }

    /// Keeps an included transaction for resending after an L1 reorg, unless its blocks are not on
    /// L1.
    fn keep_landed(&mut self, sent: InFlight, view: &L1View) {
        if !sent.is_included(view) {
            return;
        }
        self.landed.push_back(sent);
        while self.landed.len() > MAX_LANDED {
            self.landed.pop_front();
        }
    }

    fn rebroadcast(
        &mut self,
        client: &Arc<L1Client>,
        head: u64,
        latest: u64,
    ) -> Result<SubmitterProgress, SubmitterError> {
        if self.is_held {
            return Ok(SubmitterProgress::Waiting);
        }
        let others: u128 = self.in_flight.iter().skip(1).map(|sent| sent.cost).sum();
        let mut all = core::mem::take(&mut self.in_flight);
        let (mut outcome, mut is_bumped) = (Ok(SubmitterProgress::Waiting), false);
        let (bump_after, resend_after) = (self.config.bump_after, self.config.resend_after);
        let waits_long = |first: &InFlight| {
            let waited = first.waits_since.map(|since| latest.saturating_sub(since));
            // A transaction that the pool rejects cannot be included, and some L1s make no block
            // without a transaction.
            waited.is_some_and(|blocks| blocks >= bump_after)
                || first.is_refused && first.sent_when.elapsed() >= resend_after
        };
        let on_its_way = self.sending.as_ref().map(|sending| sending.nonce);
        let is_sent = |sent: &InFlight| !sent.is_void && Some(sent.nonce) != on_its_way;
        if let Some(first) = all.first_mut().filter(|first| is_sent(first) && waits_long(first)) {
            match self.bump(first, others) {
                Ok(Bump::Paid) => is_bumped = true,
                Ok(Bump::TooMuch) => {}
                Ok(Bump::NotByBlobs) => {
                    outcome = Ok(SubmitterProgress::NotByBlobs { may_be_stale: false });
                }
                Err(error) => outcome = Err(error),
            }
        }
        let gap = match self.round_trip < SLOW {
            true => Duration::ZERO,
            false => self.round_trip.saturating_mul(RESEND_TRIPS),
        };
        let is_due = |(at, sent): (usize, &InFlight)| {
            let age = sent.sent_when.elapsed();
            let is_old = age >= resend_after || head > sent.sent_at && age >= gap;
            is_sent(sent) && (is_old || is_bumped && at == 0)
        };
        // All of them, in nonce order: the pool of a restarted node is empty.
        if self.resending.is_none() && outcome.is_ok() && all.iter().enumerate().any(is_due) {
            let mut again = Vec::new();
            for sent in all.iter_mut().filter(|sent| is_sent(sent)) {
                (sent.sent_at, sent.sent_when) = (head, Instant::now());
                again.push(sent.raw.clone());
            }
            let (client, fence) = (Arc::clone(client), self.fence.clone());
            let sends = move || again.iter().try_for_each(|raw| send(&client, &fence, raw));
            match Probe::ask(sends) {
                Ok(sends) => self.resending = Some(sends),
                Err(error) => outcome = Err(SubmitterError::NoThread(error)),
            }
        }
        self.in_flight = all;
        if matches!(outcome, Ok(SubmitterProgress::NotByBlobs { .. })) {
            // The later ones have blobs too, and would fail after a replacement of this one.
            self.forget();
        }
        outcome
    }

    /// Replaces a transaction by one with higher fees, within the configured limits.
    fn bump(&mut self, sent: &mut InFlight, others: u128) -> Result<Bump, SubmitterError> {
        let fees = sent.fees.bumped(sent.candidate.data.bump());
        let cost = fees.cost(sent.gas_limit, &sent.candidate.data);
        let spent = self.spent_besides(sent.nonce).saturating_add(others).saturating_add(cost);
        // Beyond the limits, the transaction keeps its fees and waits, because L1's fees will fall
        // again.
        let is_below_cap = fees.max.saturating_mul(sent.gas_limit.into()) <= self.fee_cap();
        let is_allowed = fees.max <= self.config.max_fee
            && (sent.has_blobs() || is_below_cap)
            && (!sent.has_blobs() || fees.blob <= self.config.max_blob_fee)
            && spent <= self.config.daily_limit;
        if !is_allowed {
            return Ok(if sent.has_blobs() { Bump::NotByBlobs } else { Bump::TooMuch });
        }
        self.spending.sending(sent.nonce, cost)?;
        let bumped = self.unsigned(sent.nonce, sent.gas_limit, fees, &sent.candidate.data);
        (sent.raw, sent.hash) = bumped.sign(&self.key)?;
        (sent.cost, sent.fees, sent.waits_since, sent.is_refused) = (cost, fees, None, false);
        tracing::warn!(hash = %sent.hash, max_fee = fees.max, "transaction not included, bumping fees");
        Ok(Bump::Paid)
    }
}

/// Outcome of a fee bump.
enum Bump {
    Paid,
    /// The fees would exceed a limit; the transaction is kept unchanged.
    TooMuch,
    /// The same for a blob transaction: its blocks have to be posted as calldata.
    NotByBlobs,
}
