//! Builder of transactions within the fee and spending limits.

use super::{
    InFlight, SubmitterConfig, TxCandidate, TxData,
    fee_cap::FeeCap,
    pending::PendingTransactions,
    requests::with_margin,
    spending::Spending,
    transaction::{Fees, Unsigned},
};
use crate::{Signer, SubmitterError, l1::L1Header};
use alloy_primitives::{Address, U256};
use contracts::advance_plan::L1Limits;
use std::time::Instant;

pub(super) enum Bump {
    Paid,
    /// The fees would exceed a limit, so the transaction is unchanged.
    TooMuch,
    /// Like [`Self::TooMuch`], for a blob transaction. Its blocks must be posted as calldata.
    NotByBlobs,
}

/// Maximum tip of a replacement because of stale evidence, as a multiple of the configured tip.
const MAX_STALE_TIPS: u128 = 8;

/// Builds transactions of one account to the rollup, with fees within the limits.
#[derive(Debug)]
pub(super) struct TxBuilder {
    pub(super) key: Signer,
    pub(super) chain_id: u64,
    pub(super) rollup: Address,
    config: SubmitterConfig,
    pub(super) limits: L1Limits,
    pub(super) spending: Spending,
    pub(super) fee_cap: FeeCap,
}

impl TxBuilder {
    pub(super) fn new(
        key: Signer,
        chain_id: u64,
        rollup: Address,
        config: SubmitterConfig,
    ) -> Self {
        let (limits, spending) = (L1Limits::default(), Spending::default());
        let fee_cap = FeeCap::new(config.max_tx_fee);
        Self { key, chain_id, rollup, config, limits, spending, fee_cap }
    }

    /// Returns the upper bound of the spending within a day, in wei.
    pub(super) fn spent(&self) -> u128 {
        self.spending.besides(|_| false)
    }

    /// Builds a transaction that follows the `pending` ones, or replaces the one with its nonce.
    /// Records its cost.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::TxFeeCap`]; [`SubmitterError::Funds`] and
    /// [`SubmitterError::SpendingLimit`] for all transactions in flight together.
    pub(super) fn build(
        &mut self,
        candidate: TxCandidate,
        nonce: u64,
        estimate: u64,
        balance: U256,
        head: Option<&L1Header>,
        pending: &PendingTransactions,
    ) -> Result<InFlight, SubmitterError> {
        let account = self.key.address();
        let (head, base_fee) = head.map_or((0, 0), |head| (head.number, u128::from(head.base_fee)));
        let data = &candidate.data;
        let tip = self.config.tip;
        let max = base_fee.saturating_mul(2).saturating_add(tip);
        let blob = data.blobs.as_ref().map_or(0, |blobs| blobs.price.saturating_mul(2).max(1));
        // A pool that has the old transaction rejects a replacement without a sufficient fee bump.
        let before = pending.get(nonce);
        let mut fees = Fees { max, tip, blob };
        if let Some(before) = before {
            let minimum = before.fees.bumped(before.candidate.data.bump());
            (fees.max, fees.tip) = (fees.max.max(minimum.max), fees.tip.max(minimum.tip));
        }
        fees.max = fees.max.min(self.config.max_fee);
        fees.blob = fees.blob.min(self.config.max_blob_fee);
        let gas_limit = with_margin(estimate).min(self.limits.gas);
        if data.blobs.is_none() {
            let max_fee = self.fee_cap.affordable(gas_limit, base_fee, tip, head);
            fees.max = fees.max.min(max_fee?);
        }
        let cost = fees.cost(gas_limit, data);
        let others = pending.all().iter().filter(|sent| sent.nonce != nonce);
        // Sum the maximum costs, since L1 may include all of them in one block at the highest fee.
        let owed = others.fold(cost, |sum, sent| sum.saturating_add(sent.cost));
        if balance < U256::from(owed) {
            return Err(SubmitterError::Funds { account, balance, cost: U256::from(owed) });
        }
        if balance < U256::from(self.config.low_balance) {
            tracing::warn!(%account, %balance, "low balance of the L1 account");
        }
        let is_counted = |other| other == nonce || pending.get(other).is_some();
        let spent = self.spending.besides(is_counted).saturating_add(owed);
        // Checked before signing, so that it ends any loop of failing transactions.
        if spent > self.config.daily_limit {
            return Err(SubmitterError::SpendingLimit { spent, limit: self.config.daily_limit });
        }
        let (raw, hash) = self.unsigned(nonce, gas_limit, fees, data).sign(&self.key)?;
        self.spending.sending(nonce, cost)?;
        Ok(InFlight {
            candidate,
            hash,
            nonce,
            raw,
            gas_limit,
            fees,
            sent_at: head,
            waits_since: None,
            sent_when: Instant::now(),
            cost,
            is_void: false,
            is_refused: false,
        })
    }

    /// Replaces a transaction by one with higher fees, within the configured limits. `others` is
    /// the maximum cost of the later transactions, in wei.
    pub(super) fn bump(
        &mut self,
        sent: &mut InFlight,
        others: u128,
    ) -> Result<Bump, SubmitterError> {
        // Beyond the limits, the transaction keeps its fees and waits for L1's fees to fall.
        let Some((fees, cost)) = self.bumped(sent, others) else {
            return Ok(if sent.has_blobs() { Bump::NotByBlobs } else { Bump::TooMuch });
        };
        self.spending.sending(sent.nonce, cost)?;
        let bumped = self.unsigned(sent.nonce, sent.gas_limit, fees, &sent.candidate.data);
        (sent.raw, sent.hash) = bumped.sign(&self.key)?;
        (sent.cost, sent.fees, sent.waits_since, sent.is_refused) = (cost, fees, None, false);
        tracing::warn!(hash = %sent.hash, max_fee = fees.max, "transaction not included, bumping fees");
        Ok(Bump::Paid)
    }

    /// Returns the fees of a replacement and its cost in wei; `None` if they exceed the configured
    /// limits.
    fn bumped(&self, sent: &InFlight, others: u128) -> Option<(Fees, u128)> {
        let fees = sent.fees.bumped(sent.candidate.data.bump());
        let cost = fees.cost(sent.gas_limit, &sent.candidate.data);
        let spent = self
            .spending
            .besides(|nonce| nonce == sent.nonce)
            .saturating_add(others)
            .saturating_add(cost);
        let is_below_cap =
            fees.max.saturating_mul(sent.gas_limit.into()) <= self.fee_cap.max_tx_fee();
        let is_allowed = fees.max <= self.config.max_fee
            && (sent.has_blobs() || is_below_cap)
            && (!sent.has_blobs() || fees.blob <= self.config.max_blob_fee)
            && spent <= self.config.daily_limit;
        is_allowed.then_some((fees, cost))
    }

    /// Returns `true` if a transaction with stale evidence may be replaced: within the limits of
    /// [`Self::bump`], and while the tip is at most [`MAX_STALE_TIPS`] times the configured one,
    /// because anyone can make evidence stale.
    pub(super) fn may_refresh(&self, sent: &InFlight, others: u128) -> bool {
        let max_tip = self.config.tip.saturating_mul(MAX_STALE_TIPS);
        self.bumped(sent, others).is_some_and(|(fees, _)| fees.tip <= max_tip)
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
