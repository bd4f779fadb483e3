//! Tracker of the submitter's account on L1, which is requested at each new L1 block.

use super::{
    refusal::is_unknown_block,
    requests::{Account, account_at},
};
use crate::{
    L1Error, SubmitterError,
    l1::{L1Client, L1View},
    probe::Probe,
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Response to an account request: the account, and its pending nonce if that was requested.
type Answer = Result<(Account, Option<u64>), L1Error>;

/// A pending request for the account at the head of a view.
#[derive(Debug)]
struct AccountRequest {
    view: Arc<L1View>,
    when: Instant,
    probe: Probe<Answer>,
}

/// Pending transactions of this account from an earlier process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EarlierTransactions {
    /// Not known yet.
    Unknown,
    /// L1's pool has some. The account's nonce is `used` since L1 block `since`.
    Waiting { used: u64, since: u64 },
    /// There are none, or L1 has not included one for `bump_after` blocks.
    Gone,
}

/// An account at the head of a view.
#[derive(Debug)]
pub(super) struct AccountAt {
    pub(super) account: Account,
    pub(super) view: Arc<L1View>,
    pub(super) requested: Instant,
}

/// The account in L1's last response, and the pending request for it. Never blocks.
#[derive(Debug)]
pub(super) struct AccountTracker {
    address: Address,
    known: Option<Account>,
    pending: Option<AccountRequest>,
    /// L1 head and time of the last request.
    last_request: Option<(B256, Instant)>,
    earlier: EarlierTransactions,
}

impl AccountTracker {
    pub(super) const fn new(address: Address) -> Self {
        let earlier = EarlierTransactions::Unknown;
        Self { address, known: None, pending: None, last_request: None, earlier }
    }

    pub(super) const fn known(&self) -> Option<Account> {
        self.known
    }

    pub(super) const fn set(&mut self, account: Account) {
        self.known = Some(account);
    }

    pub(super) const fn is_requesting(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns `true` while L1's pool may have transactions of an earlier process.
    pub(super) fn waits_for_earlier(&self) -> bool {
        self.earlier != EarlierTransactions::Gone
    }

    /// Requests the account at the next poll, even without a new L1 block.
    pub(super) const fn request_again(&mut self) {
        self.last_request = None;
    }

    /// Discards the pending request, because its response is from before an L1 reorg.
    pub(super) fn discard_request(&mut self) {
        (self.pending, self.last_request) = (None, None);
    }

    /// Returns `true` if the account must be requested: once per L1 block, and after a slot without
    /// one.
    pub(super) fn is_due(&self, view: &L1View, slot: Duration) -> bool {
        self.last_request.is_none_or(|(head, when)| {
            let is_new = view.head().is_some_and(|now| now.hash != head);
            is_new || when.elapsed() >= slot
        })
    }

    /// Requests the account at the head of the view, by its hash: after an L1 reorg, the block with
    /// its number is another one, and the account would not match the view.
    pub(super) fn request(
        &mut self,
        client: &Arc<L1Client>,
        view: &Arc<L1View>,
    ) -> Result<(), SubmitterError> {
        let Some(head) = view.head() else { return Ok(()) };
        // Without the second value, alloy sends a bare hash, which EIP-1898 does not define.
        let block = BlockId::from((head.hash, Some(false)));
        let (account, asks_for_earlier) = (self.address, self.waits_for_earlier());
        let (client, when) = (Arc::clone(client), Instant::now());
        let question = move || account_at(&client, account, block, asks_for_earlier);
        let probe = Probe::spawn(question).map_err(SubmitterError::NoThread)?;
        self.last_request = Some((head.hash, when));
        self.pending = Some(AccountRequest { view: Arc::clone(view), when, probe });
        Ok(())
    }

    /// Returns the account of the pending request, once its response has arrived. Transactions of
    /// an earlier process count as gone after `bump_after` L1 blocks without one of them.
    ///
    /// Returns `None` if the nodes do not know the block: they dropped it in a reorg, or have not
    /// received it yet. The account is [due](Self::is_due) at the next block or after a slot.
    pub(super) fn take_response(&mut self, bump_after: u64) -> Result<Option<AccountAt>, L1Error> {
        let Some(request) = self.pending.take() else { return Ok(None) };
        let Some(result) = request.probe.response() else {
            self.pending = Some(request);
            return Ok(None);
        };
        let result = result.unwrap_or(Err(L1Error::Thread));
        if result.as_ref().is_err_and(is_unknown_block) {
            return Ok(None);
        }
        let (account, pending) = result.inspect_err(|_| self.last_request = None)?;
        self.known = Some(account);
        self.note_earlier(account, pending, bump_after);
        Ok(Some(AccountAt { account, view: request.view, requested: request.when }))
    }

    fn note_earlier(&mut self, account: Account, pending: Option<u64>, bump_after: u64) {
        let (Some(pending), true) = (pending, self.waits_for_earlier()) else { return };
        let Account { used, latest, .. } = account;
        self.earlier = match self.earlier {
            _ if pending <= used => EarlierTransactions::Gone,
            EarlierTransactions::Waiting { used: before, since } if used == before => {
                match latest.saturating_sub(since) >= bump_after {
                    true => EarlierTransactions::Gone,
                    false => self.earlier,
                }
            }
            _ => {
                tracing::info!(used, pending, "waiting for transactions of an earlier process");
                EarlierTransactions::Waiting { used, since: latest }
            }
        };
    }
}
