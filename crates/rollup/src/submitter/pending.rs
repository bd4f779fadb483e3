//! Transactions that are in flight, or that an L1 reorg may still remove.

use super::InFlight;
use crate::l1::L1View;
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, Bytes};
use std::{collections::VecDeque, time::Instant};

/// Maximum number of included transactions that are kept with their blobs, to be resent after an L1
/// reorg. Blocks removed by a deeper reorg are planned again.
const MAX_INCLUDED: usize = 16;

/// Transactions in flight, and the included ones that an L1 reorg may remove.
#[derive(Debug, Default)]
pub(super) struct PendingTransactions {
    /// Transactions in flight, ascending by nonce.
    in_flight: Vec<InFlight>,
    /// Included transactions, oldest first, which are resent if an L1 reorg removes them.
    resendable: VecDeque<InFlight>,
    /// Number of transactions in flight that are included in the latest view, but not counted in
    /// the account's nonce yet.
    included: usize,
    /// Number of transactions in flight when L1's pool last rejected a further one, i.e. its limit
    /// per account.
    pool_keeps: Option<usize>,
    /// `true` while transactions removed by an L1 reorg must not be resent yet.
    is_paused: bool,
}

impl PendingTransactions {
    /// Returns all transactions in flight, in nonce order.
    pub(super) fn all(&self) -> &[InFlight] {
        &self.in_flight
    }

    /// Returns the transactions in flight that were not abandoned, in nonce order.
    pub(super) fn live(&self) -> impl Iterator<Item = &InFlight> {
        self.in_flight.iter().filter(|sent| !sent.is_void)
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&InFlight> {
        self.in_flight.iter().find(|sent| sent.nonce == nonce)
    }

    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut InFlight> {
        self.in_flight.iter_mut().find(|sent| sent.nonce == nonce)
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut InFlight> {
        self.in_flight.first_mut()
    }

    /// Returns the first transaction that was not abandoned.
    pub(super) fn first_live_mut(&mut self) -> Option<&mut InFlight> {
        self.in_flight.iter_mut().find(|sent| !sent.is_void)
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Returns the number of transactions in flight that the latest view does not include.
    pub(super) fn waiting(&self) -> usize {
        self.live().count().saturating_sub(self.included)
    }

    /// Returns `true` if another transaction may be queued after those in flight, of which at most
    /// `max_in_flight` are allowed.
    pub(super) fn has_room(&self, max_in_flight: usize) -> bool {
        let limit = self.pool_keeps.unwrap_or(usize::MAX).min(max_in_flight);
        // A transaction after a rejected one would have a nonce gap that may never be filled.
        self.live().all(|sent| !sent.candidate.goes_alone && !sent.is_refused)
            && self.waiting() < limit.max(1)
    }

    /// Records that L1's pool has rejected a transaction because of its limit per account.
    pub(super) fn on_pool_limit(&mut self) {
        self.pool_keeps = Some(self.live().count());
    }

    /// Returns the first nonce without a transaction of this node, for an account that has `used`
    /// nonces.
    pub(super) fn next_nonce(&self, used: u64) -> u64 {
        // Nonces in flight are consecutive. The account state at the head of the view may not yet
        // reflect abandoned transactions before them that L1 has included.
        let first = self.live().next().map_or(used, |first| first.nonce);
        let ours = self.resendable.iter().chain(self.live());
        ours.fold(first, |next, sent| next.saturating_add(u64::from(sent.nonce == next)))
    }

    /// Returns the hash of the last block that the next transaction must contain; see
    /// [`Submitter::replaced_end`](super::Submitter::replaced_end).
    pub(super) fn replaced_end(&self, used: u64) -> Option<B256> {
        let next = self.next_nonce(used);
        let is_void =
            |nonce: u64| self.in_flight.iter().find(|sent| sent.is_void && sent.nonce == nonce);
        let (replaced, _) = is_void(next).zip(is_void(next.checked_add(1)?))?;
        replaced.candidate.blocks.last().map(|block| block.hash)
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<InFlight> {
        let at = self.in_flight.iter().position(|sent| sent.nonce == nonce)?;
        Some(self.in_flight.remove(at))
    }

    /// Inserts a transaction, whose nonce no other one in flight may have.
    pub(super) fn insert(&mut self, sent: InFlight) {
        self.in_flight.push(sent);
        self.in_flight.sort_by_key(|sent| sent.nonce);
    }

    pub(super) fn abandon(&mut self) {
        for sent in &mut self.in_flight {
            sent.is_void = true;
        }
        self.pool_keeps = None;
    }

    /// Abandons the transactions that this view does not include.
    pub(super) fn abandon_open(&mut self, view: &L1View) {
        for sent in &mut self.in_flight {
            sent.is_void |= !sent.is_included(view);
        }
        self.pool_keeps = None;
    }

    pub(super) fn forget_included(&mut self) {
        self.resendable.clear();
    }

    /// Puts transactions that an L1 reorg removed back in flight, with the same bytes and nonces.
    /// Returns `true` if there are any.
    pub(super) fn restore_reorged(&mut self, view: &L1View) -> bool {
        let Some(first) = self.resendable.iter().position(|sent| sent.is_reorged_out(view)) else {
            return false;
        };
        for mut sent in self.resendable.split_off(first) {
            // Its evidence depends on a state that the reorg removed, or L1 has another block at
            // its height.
            sent.is_void = sent.candidate.goes_alone || !sent.is_open(view);
            if self.get(sent.nonce).is_some() {
                continue;
            }
            tracing::warn!(hash = %sent.hash, nonce = sent.nonce, "L1 reorg removed batch, reposting");
            (sent.sent_at, sent.waits_since) = (0, None);
            self.insert(sent);
        }
        true
    }

    /// Pauses resending while transactions removed by an L1 reorg are in flight and L1's next block
    /// has an earlier timestamp than some L2 blocks in flight: a reorg may set L1's time back, and
    /// the contract rejects blocks with a future timestamp. Later transactions depend on the
    /// removed ones, so they are only resent together. Returns `true` if a pause has ended.
    pub(super) fn pause_resending(&mut self, l1_time: u64) -> bool {
        let is_back = self.live().any(|sent| sent.sent_at == 0);
        let holds = is_back && self.live().any(|sent| sent.candidate.timestamp > l1_time);
        let has_ended = self.is_paused && !holds;
        self.is_paused = holds;
        has_ended
    }

    /// Counts the transactions in flight that are included in the latest view.
    pub(super) fn count_included(&mut self, view: &L1View) {
        self.included = self.live().filter(|sent| sent.is_included(view)).count();
    }

    /// Abandons the transactions that are included in this view, and returns their blocks. If
    /// another account posted them, the next transaction replaces the one with the same nonce.
    pub(super) fn abandon_included(&mut self, view: &L1View) -> Vec<BlockNumHash> {
        let mut blocks = Vec::new();
        // Counted from the transactions in flight before this update.
        self.included = 0;
        for sent in self.in_flight.iter_mut().filter(|sent| !sent.is_void && sent.is_included(view))
        {
            blocks.extend(sent.candidate.blocks.iter().copied());
            sent.is_void = true;
        }
        blocks
    }

    /// Removes the transactions whose nonces an account with `used` nonces has used. Nonces are
    /// used in order, so only the first ones can be.
    pub(super) fn remove_used(&mut self, used: u64) -> Vec<InFlight> {
        let count = self.in_flight.partition_point(|sent| sent.nonce < used);
        if count > 0 {
            self.pool_keeps = None;
        }
        self.in_flight.drain(..count).collect()
    }

    /// Keeps an included transaction for resending after an L1 reorg, unless its blocks are not on
    /// L1.
    pub(super) fn keep_included(&mut self, sent: InFlight, view: &L1View) {
        if !sent.is_included(view) {
            return;
        }
        self.resendable.push_back(sent);
        while self.resendable.len() > MAX_INCLUDED {
            self.resendable.pop_front();
        }
    }

    /// Records that the first transaction has the account's next nonce, so that only L1 delays it,
    /// as of the response to a request at time `requested`, when L1's block was `latest`.
    pub(super) fn first_waits_for_l1(&mut self, requested: Instant, latest: u64) {
        if let Some(first) = self.in_flight.first_mut().filter(|sent| requested > sent.sent_when) {
            let _ = first.waits_since.get_or_insert(latest);
        }
    }

    /// Returns the first transaction if its nonce follows a gap: L1 returned a wrong nonce, was
    /// reorganised since, or another account posted the blocks of an earlier transaction. The
    /// missing nonce may never be used, so transactions after it would be pending forever. Ignores
    /// transactions that were sent after the request, and those that are resent after an L1 reorg.
    pub(super) fn behind_gap(&self, used: u64, requested: Instant) -> Option<&InFlight> {
        self.live().next().filter(|first| {
            let is_known =
                requested > first.sent_when && self.resendable.iter().all(|sent| sent.nonce < used);
            is_known && first.nonce > used
        })
    }

    /// Records that the transactions for which `is_sent` returns `true` are resent at L1 head
    /// `head`, and returns their encodings in nonce order.
    pub(super) fn resend(&mut self, head: u64, is_sent: impl Fn(&InFlight) -> bool) -> Vec<Bytes> {
        let mut again = Vec::new();
        for sent in self.in_flight.iter_mut().filter(|sent| is_sent(sent)) {
            (sent.sent_at, sent.sent_when) = (head, Instant::now());
            again.push(sent.raw.clone());
        }
        again
    }
}
