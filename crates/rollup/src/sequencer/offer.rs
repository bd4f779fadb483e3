//! User transactions offered to the next block: forced ones, those of replaced blocks, and the
//! pool's.

use crate::{
    RollupRules,
    l1::{ForcedEntry, L1View},
};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::{eip1559::MIN_PROTOCOL_BASE_FEE, eip2718::Decodable2718 as _};
use alloy_primitives::{Address, B256};
use chain::{ChainError, ChainReader, RecoveredTransaction, Rejection};
use contracts::capacity::DUTY_GAS;
use executor::{Transaction, recover_sender};
use node::{MineRequest, Node, NodeError};
use std::time::{Duration, Instant};

/// Maximum length of the forced transactions in a block, in bytes.
const FORCED_BYTES: usize = 32_000;

/// A forced transaction that a block can include.
#[derive(Debug, Clone)]
pub(super) struct Forced {
    /// Index in the queue.
    index: u64,
    /// Time from which it is due.
    due: u64,
    pub(super) transaction: RecoveredTransaction,
}

/// User transactions that precede those of the pool.
#[derive(Debug)]
pub(super) struct UserOffer {
    first: Vec<RecoveredTransaction>,
    /// Number of trailing transactions in `first` that later blocks may include as well.
    requeued: usize,
    /// `true` if the pool's transactions follow.
    has_pool: bool,
    /// Time of the block.
    time: u64,
    /// Forced transactions that the block can include.
    forced: Vec<Forced>,
    /// Forced transactions that a trial block omitted although it had to include them.
    omitted: Vec<Forced>,
    duties_only: bool,
}

impl UserOffer {
    /// Offers these forced transactions to a block at `time`, followed by those of replaced blocks,
    /// limited to `max_users`. With a limit, excludes the pool's transactions.
    pub(super) fn new(
        time: u64,
        forced: Vec<Forced>,
        requeued: &[RecoveredTransaction],
        max_users: Option<usize>,
    ) -> Self {
        let is_forced =
            |hash| forced.iter().any(|entry| entry.transaction.transaction.hash() == hash);
        let requeued: Vec<_> = requeued
            .iter()
            .filter(|requeued| !is_forced(requeued.transaction.hash()))
            .take(max_users.unwrap_or(usize::MAX))
            .cloned()
            .collect();
        let (has_pool, omitted, count) = (max_users.is_none(), Vec::new(), requeued.len());
        let first = forced.iter().map(|entry| entry.transaction.clone()).chain(requeued).collect();
        Self { first, requeued: count, has_pool, time, forced, omitted, duties_only: false }
    }

    pub(super) fn first(&self) -> &[RecoveredTransaction] {
        &self.first
    }

    /// Returns the hashes of the pool's transactions that may be included; `None` for all.
    pub(super) fn only(&self) -> Option<Vec<B256>> {
        (!self.has_pool).then(Vec::new)
    }

    pub(super) const fn is_duties_only(&self) -> bool {
        self.duties_only
    }

    /// Reduces the offer after a block was too large. Returns `false` if nothing can be left out.
    pub(super) fn shrink(&mut self) -> bool {
        if self.requeued > 0 {
            let remaining = self.requeued / 2;
            self.first.truncate(self.first.len() - (self.requeued - remaining));
            self.requeued = remaining;
            return true;
        }
        !self.omitted.is_empty() && self.limit_to_duties()
    }

    /// Adds a forced transaction that a block had to include but omitted. `users` are the
    /// transactions of that block. Returns `false` if nothing is left to try.
    ///
    /// Other transactions of the block may have made it valid, so it is first appended to them. If
    /// it does not fit there, the block only contains due transactions, which always fit
    /// (`Capacity`).
    pub(super) fn demand(&mut self, omitted: Forced, users: Vec<RecoveredTransaction>) -> bool {
        if self.omitted.iter().any(|known| known.index == omitted.index) {
            return self.limit_to_duties();
        }
        if self.has_pool || self.requeued > 0 {
            (self.first, self.requeued, self.has_pool) = (users, 0, false);
        }
        self.first.push(omitted.transaction.clone());
        self.omitted.push(omitted);
        true
    }

    fn limit_to_duties(&mut self) -> bool {
        if self.duties_only {
            return false;
        }
        (self.duties_only, self.has_pool, self.requeued) = (true, false, 0);
        let omitted = core::mem::take(&mut self.omitted);
        let time = self.time;
        self.forced.retain(|forced| {
            forced.due <= time && omitted.iter().all(|new| new.index != forced.index)
        });
        self.forced.extend(omitted);
        self.forced.sort_by_key(|forced| forced.index);
        self.first = self.forced.iter().map(|forced| forced.transaction.clone()).collect();
        true
    }
}

/// State that determines which user transactions a block can include.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfferState {
    head: B256,
    /// Version of the pool, and `true` if it has no transactions.
    pool: (u64, bool),
    forced: usize,
    requeued: usize,
}

impl OfferState {
    pub(super) fn of(
        head: B256,
        node: &Node,
        forced: &[Forced],
        requeued: &[RecoveredTransaction],
    ) -> Self {
        let pool = Self::pool_of(node);
        Self { head, pool, forced: forced.len(), requeued: requeued.len() }
    }

    fn pool_of(node: &Node) -> (u64, bool) {
        node.read(|node| (node.pool.version(), node.pool.is_empty()))
    }

    pub(super) const fn has_users(&self) -> bool {
        !self.pool.1 || self.forced > 0 || self.requeued > 0
    }
}

/// Offer and time of the last attempt to build a block in which all user transactions were
/// rejected.
#[derive(Debug, Default)]
pub(super) struct FruitlessAttempt(Option<(OfferState, Instant)>);

impl FruitlessAttempt {
    /// Returns `true` if a block may include some of the offered transactions. After an attempt
    /// that included none, this requires a change of the offer and a delay: an attacker that fills
    /// the pool with transactions that no block can include could also change it at will.
    pub(super) fn may_try(&self, offered: &OfferState, block_time: Duration) -> bool {
        self.0.as_ref().is_none_or(|(before, at)| before != offered && at.elapsed() >= block_time)
    }

    /// Records that a block included none of the offered transactions.
    pub(super) fn note(&mut self, offered: OfferState, node: &Node) {
        self.0 = Some((OfferState { pool: OfferState::pool_of(node), ..offered }, Instant::now()));
    }
}

/// Returns `true` if an executable transaction, or one of a replaced block, waits for a lower base
/// fee, and an empty block lowers it. Few such blocks are needed, since each lowers it by an
/// eighth.
pub(super) fn waits_for_base_fee(
    node: &Node,
    chain: &ChainReader,
    header: &Header,
    requeued: &[RecoveredTransaction],
) -> Result<bool, ChainError> {
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    if base_fee <= MIN_PROTOCOL_BASE_FEE {
        return Ok(false);
    }
    let is_priced_out = |fee_cap| fee_cap < u128::from(base_fee);
    if requeued.iter().any(|tx| is_priced_out(tx.transaction.max_fee_per_gas())) {
        return Ok(true);
    }
    let mut failed = None;
    let ready = node.read(|node| {
        node.pool.ready(MIN_PROTOCOL_BASE_FEE, node.settings.order, |sender| {
            chain.nonce(sender).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                u64::MAX
            })
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    Ok(ready.iter().any(|tx| is_priced_out(tx.recovered.transaction.max_fee_per_gas())))
}

/// L1's queue of forced transactions that blocks may include.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForcedQueue<'v> {
    pub(super) view: &'v L1View,
    pub(super) rules: &'v RollupRules,
    /// Number of confirmations of an entry before blocks include it.
    pub(super) confirmations: u64,
}

impl ForcedQueue<'_> {
    /// Returns the transactions from index `next` on that a block at `time` can include, in queue
    /// order, up to the gas limit of duties.
    pub(super) fn includable(
        &self,
        chain: &ChainReader,
        next: u64,
        time: u64,
    ) -> Result<Vec<Forced>, ChainError> {
        let l1_head = self.view.head().map_or(0, |head| head.number);
        let confirmed = l1_head.saturating_sub(self.confirmations);
        let state = chain.state();
        let base_fee = u128::from(state.next_base_fee()?);
        let mut nonces: Vec<(Address, u64)> = Vec::new();
        let (mut forced, mut gas, mut bytes) = (Vec::new(), 0, 0);
        for entry in self.view.forced_from(next) {
            let t = &entry.transaction;
            // A reorg may remove an unconfirmed entry, after which the block would contain a forced
            // transaction that is unknown to L1.
            if entry.l1_block > confirmed {
                break;
            }
            if t.maxFee < base_fee {
                // An entry that waits for a lower base fee delays later ones, for which L1 accepts
                // no evidence before it. Other entries are discharged, so they need neither nonce
                // nor space.
                if self.may_wait_for_base_fee(entry, time) {
                    break;
                }
                continue;
            }
            let Some(transaction) = self.recovered(entry) else { continue };
            let sender = transaction.transaction.sender;
            let expected = match nonces.iter().find(|(of, _)| *of == sender) {
                Some((_, next)) => *next,
                None => state.nonce(sender)?,
            };
            // Skip entries that the block cannot include: after rejecting one, the builder would
            // have to restart the block's witness record.
            if t.nonce != expected || state.balance(sender)? < t.cost {
                continue;
            }
            gas += t.gasLimit;
            bytes += entry.raw.len();
            if gas > DUTY_GAS || bytes > FORCED_BYTES {
                break;
            }
            nonces.retain(|(of, _)| *of != sender);
            nonces.push((sender, expected + 1));
            forced.push(transaction);
        }
        Ok(forced)
    }

    /// Returns `true` if the transaction with this index is due at `time`.
    pub(super) fn is_due(&self, index: u64, time: u64) -> bool {
        self.view
            .forced_from(index)
            .next()
            .is_some_and(|entry| entry.transaction.submittedAt + self.rules.forced_delay <= time)
    }

    /// Returns `true` if the next block, at `time`, can discharge the transaction with this index,
    /// the first of the queue, by including it or because it is invalid.
    pub(super) fn is_dischargeable(
        &self,
        chain: &ChainReader,
        index: u64,
        time: u64,
    ) -> Result<bool, ChainError> {
        let Some(entry) = self.view.forced_from(index).next() else { return Ok(false) };
        if !self.is_due(index, time) {
            return Ok(false);
        }
        let base_fee = u128::from(chain.state().next_base_fee()?);
        Ok(entry.transaction.maxFee >= base_fee || !self.may_wait_for_base_fee(entry, time))
    }

    /// Returns `true` if blocks at `time` may leave out an entry whose fee cap is below the base
    /// fee.
    const fn may_wait_for_base_fee(&self, entry: &ForcedEntry, time: u64) -> bool {
        let RollupRules { forced_delay, forced_grace, forced_expiry, .. } = *self.rules;
        let t = &entry.transaction;
        t.priced && time < t.submittedAt + forced_delay + forced_grace + forced_expiry
    }

    /// Returns `true` if no block can include the transaction with this index, although its
    /// account is valid: a block without any other rejects it. `has_market` is `true` if EXECUTE
    /// has a variable price on L1, which may fall so that a larger block fits.
    pub(super) fn is_unincludable(
        &self,
        node: &Node,
        chain: &ChainReader,
        index: u64,
        has_market: bool,
        request: MineRequest,
    ) -> Result<bool, NodeError> {
        let Some(entry) = self.view.forced_from(index).next() else { return Ok(false) };
        let Some(Forced { transaction, .. }) = self.recovered(entry) else { return Ok(true) };
        let (state, cost) = (chain.state(), entry.transaction.cost);
        let (sender, hash) = (transaction.sender, *transaction.transaction.hash());
        // Other transactions of the block may make it valid.
        if state.nonce(sender)? != entry.transaction.nonce || state.balance(sender)? < cost {
            return Ok(false);
        }
        let sealed = node.seal(&MineRequest {
            transactions: vec![transaction],
            only: Some(Vec::new()),
            pool_gas: None,
            reserved_bytes: 0,
            ..request
        })?;
        let rejected = sealed.rejected.into_iter().find(|(rejected, _)| *rejected == hash);
        Ok(rejected.is_some_and(|(_, reason)| match reason {
            Rejection::Invalid(_) => true,
            Rejection::TooLarge(_) => !has_market,
            Rejection::BlockFull(_) | Rejection::Unfit(_) | Rejection::Underpaid(_) => false,
        }))
    }

    fn recovered(&self, entry: &ForcedEntry) -> Option<Forced> {
        let transaction = Transaction::decode_2718_exact(&entry.raw).ok()?;
        let sender = recover_sender(&transaction)?;
        let due = entry.transaction.submittedAt.saturating_add(self.rules.forced_delay);
        let transaction =
            RecoveredTransaction { transaction: transaction.into(), sender, signed: true };
        Some(Forced { index: entry.index, due, transaction })
    }

    /// Returns the forced transaction with this index.
    pub(super) fn get(&self, index: u64) -> Option<Forced> {
        self.recovered(self.view.forced_from(index).next()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batcher::tests::{BatcherSetup, RULES, header},
        l1::Events,
    };
    use alloy_consensus::TxLegacy;
    use alloy_eips::eip2718::Encodable2718 as _;
    use alloy_primitives::{TxKind, U256};
    use contracts::bindings::IForcedInbox::ForcedTransaction;
    use node::{Clock, Settings};
    use testkit::{CHAIN_ID, Key};

    const SUBMITTED: u64 = 1_000;

    /// Adds an entry with a fee cap of zero, and returns `true` if the next block at `time` can
    /// discharge it.
    fn can_discharge(priced: bool, time: u64) -> bool {
        let BatcherSetup { chain, mut view, .. } = BatcherSetup::new();
        let transaction = ForcedTransaction {
            hash: B256::ZERO,
            sender: Address::ZERO,
            nonce: 9,
            gasLimit: 21_000,
            maxFee: 0,
            cost: Default::default(),
            submittedAt: SUBMITTED,
            bounded: false,
            to: Address::ZERO,
            footprint: 0,
            priced,
        };
        let forced = ForcedEntry {
            index: 0,
            transaction,
            raw: Default::default(),
            l1_block: 2,
            l1_transaction: B256::ZERO,
        };
        view.apply(header(2), Events { forced: vec![forced], ..Events::default() });
        let queue = ForcedQueue { view: &view, rules: &RULES, confirmations: 0 };
        assert!(!queue.is_dischargeable(chain.reader(), 1, time).unwrap(), "none has this index");
        queue.is_dischargeable(chain.reader(), 0, time).unwrap()
    }

    /// Adds an entry of Alice, and returns `true` if no block can include it.
    fn is_unincludable(nonce: u64, gas_limit: u64) -> bool {
        let BatcherSetup { chain, mut view, .. } = BatcherSetup::new();
        let (alice, gas_price) = (Key::named("alice"), 10_000_000_000);
        let signed = alice.sign(TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce,
            gas_price,
            gas_limit,
            to: TxKind::Call(Address::repeat_byte(0xb0)),
            ..Default::default()
        });
        let transaction = ForcedTransaction {
            hash: *signed.hash(),
            sender: alice.address(),
            nonce,
            gasLimit: gas_limit,
            maxFee: gas_price,
            cost: U256::from(gas_price * u128::from(gas_limit)),
            submittedAt: SUBMITTED,
            bounded: false,
            to: Address::repeat_byte(0xb0),
            footprint: 0,
            priced: true,
        };
        let forced = ForcedEntry {
            index: 0,
            transaction,
            raw: signed.encoded_2718().into(),
            l1_block: 2,
            l1_transaction: B256::ZERO,
        };
        view.apply(header(2), Events { forced: vec![forced], ..Events::default() });
        let reader = chain.reader().clone();
        let node = Node::new(chain, Clock::default(), Settings::default());
        let queue = ForcedQueue { view: &view, rules: &RULES, confirmations: 0 };
        let request = MineRequest { timestamp: Some(SUBMITTED), ..MineRequest::default() };
        let is_unincludable =
            |index| queue.is_unincludable(&node, &reader, index, false, request.clone()).unwrap();
        assert!(!is_unincludable(1), "none has this index");
        is_unincludable(0)
    }

    #[test]
    fn block_that_rejects_valid_account_shows_unincludable_transaction() {
        assert!(is_unincludable(0, 20_000) && !is_unincludable(0, 21_000));
        // Other transactions may make it valid.
        assert!(!is_unincludable(1, 20_000));
    }

    #[test]
    fn entry_that_waits_for_base_fee_is_not_dischargeable() {
        let due = SUBMITTED + RULES.forced_delay;
        let expired = due + RULES.forced_grace + RULES.forced_expiry;
        assert!(!can_discharge(true, due) && !can_discharge(true, expired - 1));
        assert!(can_discharge(true, expired));
        assert!(can_discharge(false, due) && !can_discharge(false, due - 1));
    }
}
