//! Sequential calls to contracts on L1 from the account of a watcher.

use super::{
    SubmitterConfig, TxData,
    refusal::{is_refusal, is_revert},
    requests::{Account, account_at, estimate, send, with_margin},
    spending::Spending,
    transaction::{Fees, Unsigned},
};
use crate::{
    L1Error, Signer, SubmitterError,
    l1::{L1Client, L1View, Quorum},
    lease::Fence,
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use contracts::advance_plan::L1Limits;
use std::path::Path;

/// Sends calls to contracts, one at a time until L1 has included it. Methods block on L1.
#[derive(Debug)]
pub(crate) struct CallSender {
    key: Signer,
    chain_id: u64,
    config: SubmitterConfig,
    limits: L1Limits,
    spending: Spending,
    pending: Option<Pending>,
}

/// The transaction that L1 has not included yet.
#[derive(Debug)]
struct Pending {
    nonce: u64,
    /// The contract, or the account itself if the call is replaced by an empty transaction.
    to: Address,
    gas_limit: u64,
    data: TxData,
    fees: Fees,
    raw: Bytes,
    /// Hash of the latest version, and of those with lower fees.
    hashes: Vec<B256>,
    /// Number of these hashes that belong to the call rather than to an empty replacement.
    calls: usize,
    cost: u128,
    /// L1 head when it was last signed, and when it was last sent.
    signed_at: u64,
    sent_at: u64,
}

/// Maximum number of versions of a transaction with different fees.
const MAX_VERSIONS: usize = 16;
/// Gas of a commitment and an accusation without EXECUTE, rounded up.
const EVIDENCE_GAS: u64 = 500_000;
/// Gas of a transaction without calldata.
const EMPTY_GAS: u64 = 21_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct CallPrice {
    pub(crate) gas: u64,
    /// Expected cost in wei, at the current base fee.
    pub(crate) cost: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Evidence,
    /// Reserves half of the daily limit, and the cost of another call, for evidence: evidence
    /// expires, and the accused may be the one who causes these calls.
    Posting,
}

#[derive(Debug)]
pub(crate) enum CallState {
    /// L1 has not included it.
    Pending,
    /// L1 has included it.
    Included(Box<TransactionReceipt>),
    /// Another transaction used its nonce, e.g. the empty replacement of a call that would revert.
    Lost,
}

impl CallSender {
    /// Creates a sender of calls from the account of this key.
    pub(crate) fn new(
        key: Signer,
        chain_id: u64,
        config: SubmitterConfig,
        limits: L1Limits,
    ) -> Self {
        let spending = Spending::default();
        Self { key, chain_id, config, limits, spending, pending: None }
    }

    /// Persists the spending in this file, so that the daily limit holds across restarts.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::Spending`] if the file cannot be used.
    pub(crate) fn with_spending(mut self, path: &Path) -> Result<Self, SubmitterError> {
        self.spending = Spending::open(path, self.chain_id, self.key.address())?;
        Ok(self)
    }

    /// Returns a secret of this account for evidence, which is the same after a restart.
    ///
    /// # Errors
    ///
    /// [`SignerError`](crate::SignerError) if the key cannot sign.
    pub(crate) fn salt(&self, contract: Address, evidence: B256) -> Result<B256, SubmitterError> {
        // Data for a contract (EIP-191), whose prefix no transaction and no typed data has.
        let mut data = vec![0x19, 0x00];
        data.extend(contract);
        data.extend(b"enshrine salt of evidence");
        data.extend(evidence);
        Ok(keccak256(self.key.sign_data(&data)?.as_bytes()))
    }

    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    /// Executes a call on L1's head without sending it.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] with the reason of a revert, or if L1 does not respond.
    pub(crate) fn price(
        &self,
        client: &L1Client,
        view: &L1View,
        to: Address,
        input: &Bytes,
    ) -> Result<CallPrice, L1Error> {
        let gas = self.estimate(client, to, input)?;
        let base_fee = view.head().map_or(0, |head| u128::from(head.base_fee));
        let cost = u128::from(gas).saturating_mul(base_fee.saturating_add(self.config.tip));
        Ok(CallPrice { gas, cost })
    }

    fn estimate(&self, client: &L1Client, to: Address, input: &Bytes) -> Result<u64, L1Error> {
        let request = TransactionRequest::default()
            .from(self.key.address())
            .to(to)
            .gas_limit(self.limits.gas)
            .input(input.clone().into());
        estimate(client, &request)
    }

    /// Sends a call that has passed [`Self::price`].
    ///
    /// # Errors
    ///
    /// [`SubmitterError`] if the account cannot pay for it, or L1 rejects it.
    pub(crate) fn send(
        &mut self,
        client: &L1Client,
        view: &L1View,
        to: Address,
        input: Bytes,
        (gas, purpose): (u64, Purpose),
    ) -> Result<(), SubmitterError> {
        let account = self.key.address();
        let (Account { used: nonce, balance, .. }, _) =
            account_at(client, account, BlockId::latest(), false)?;
        let (tip, head) = (self.config.tip, view.head());
        let base_fee = head.map_or(0, |head| u128::from(head.base_fee));
        let max = base_fee.saturating_mul(2).saturating_add(tip).min(self.config.max_fee);
        let (fees, data) = (Fees { max, tip, blob: 0 }, TxData { input, blobs: None });
        let gas_limit = with_margin(gas).min(self.limits.gas);
        let cost = fees.cost(gas_limit, &data);
        let (reserve, limit) = match purpose {
            Purpose::Evidence => (0, self.config.daily_limit),
            Purpose::Posting => {
                (fees.cost(gas_limit.max(EVIDENCE_GAS), &data), self.config.daily_limit / 2)
            }
        };
        let needed = U256::from(cost).saturating_add(U256::from(reserve));
        if balance < needed {
            return Err(SubmitterError::Funds { account, balance, cost: needed });
        }
        self.check_limit(nonce, cost, limit)?;
        let (raw, hash) = self.unsigned(to, nonce, gas_limit, fees, &data).sign(&self.key)?;
        let number = head.map_or(0, |head| head.number);
        self.spending.sending(nonce, cost)?;
        let sent = send(client, &Fence::default(), &raw);
        // Without a response, the pool may have the transaction.
        if sent.as_ref().is_err_and(is_refusal) {
            return sent;
        }
        let (signed_at, sent_at, hashes) = (number, number, vec![hash]);
        self.pending = Some(Pending {
            nonce,
            to,
            gas_limit,
            data,
            fees,
            raw,
            hashes,
            calls: 1,
            cost,
            signed_at,
            sent_at,
        });
        Ok(())
    }

    /// Returns the state of the last call; `None` if there is none. Resends it at each L1 block,
    /// and bumps its fees after some blocks. A call that would revert is replaced by an empty
    /// transaction.
    ///
    /// # Errors
    ///
    /// [`SubmitterError`] if a request to L1 fails, after which the call is still pending.
    pub(crate) fn step(
        &mut self,
        client: &L1Client,
        view: &L1View,
    ) -> Result<Option<CallState>, SubmitterError> {
        let Some(pending) = &self.pending else { return Ok(None) };
        if let Some(receipt) = receipt(client, &pending.hashes)? {
            self.spending.on_used(pending.nonce, pending.cost);
            let is_call = pending.hashes[..pending.calls].contains(&receipt.transaction_hash);
            self.pending = None;
            return Ok(Some(match is_call {
                true => CallState::Included(Box::new(receipt)),
                false => CallState::Lost,
            }));
        }
        let (account, _) = account_at(client, self.key.address(), BlockId::latest(), false)?;
        if account.used > pending.nonce {
            // Included between the two requests, or replaced.
            let included = receipt(client, &pending.hashes[..pending.calls])?;
            // Also without a receipt, since the node may just lack it.
            self.spending.on_used(pending.nonce, pending.cost);
            self.pending = None;
            let included = included.map(|included| CallState::Included(Box::new(included)));
            return Ok(Some(included.unwrap_or(CallState::Lost)));
        }
        self.resend(client, view.head().map_or(0, |head| head.number))?;
        Ok(Some(CallState::Pending))
    }

    fn resend(&mut self, client: &L1Client, head: u64) -> Result<(), SubmitterError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        if pending.sent_at >= head {
            return Ok(());
        }
        let fees = pending.fees.bumped(pending.data.bump());
        // It may use the whole limit, because no other transaction can be included before this
        // nonce.
        let (cost, limit) = (fees.cost(pending.gas_limit, &pending.data), self.config.daily_limit);
        let is_slow = head >= pending.signed_at.saturating_add(self.config.bump_after);
        let is_allowed = fees.max <= self.config.max_fee
            && pending.hashes.len() < MAX_VERSIONS
            && self.check_limit(pending.nonce, cost, limit).is_ok();
        if is_slow && is_allowed {
            self.raise(client, fees, head)?;
        }
        let Some(pending) = &mut self.pending else { return Ok(()) };
        pending.sent_at = head;
        send(client, &Fence::default(), &pending.raw)
    }

    /// Signs the pending call with these fees, or an empty transaction if the call would revert
    /// now.
    fn raise(&mut self, client: &L1Client, fees: Fees, head: u64) -> Result<(), SubmitterError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let Pending { mut to, mut gas_limit, ref data, mut calls, .. } = *pending;
        let mut data = data.clone();
        if to != self.key.address() {
            match self.estimate(client, to, &data.input) {
                Ok(_) => calls += 1,
                Err(error) if is_revert(&error) => {
                    (to, gas_limit) = (self.key.address(), EMPTY_GAS);
                    data.input = Bytes::new();
                }
                Err(error) => return Err(error.into()),
            }
        }
        let unsigned = self.unsigned(to, pending.nonce, gas_limit, fees, &data);
        let (raw, hash) = unsigned.sign(&self.key)?;
        let cost = fees.cost(gas_limit, &data);
        self.spending.sending(pending.nonce, cost)?;
        let Some(pending) = &mut self.pending else { return Ok(()) };
        (pending.to, pending.gas_limit, pending.data, pending.calls) = (to, gas_limit, data, calls);
        (pending.raw, pending.fees, pending.cost) = (raw, fees, cost);
        pending.signed_at = head;
        pending.hashes.push(hash);
        Ok(())
    }

    fn check_limit(&self, nonce: u64, cost: u128, limit: u128) -> Result<(), SubmitterError> {
        let spent = self.spending.besides(|other| other == nonce).saturating_add(cost);
        if spent > limit {
            return Err(SubmitterError::SpendingLimit { spent, limit });
        }
        Ok(())
    }

    const fn unsigned<'a>(
        &self,
        to: Address,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
        data: &'a TxData,
    ) -> Unsigned<'a> {
        Unsigned { chain_id: self.chain_id, rollup: to, nonce, gas_limit, fees, data }
    }
}

/// Requests the receipt of the version that L1 has included.
fn receipt(client: &L1Client, hashes: &[B256]) -> Result<Option<TransactionReceipt>, L1Error> {
    for hash in hashes.iter().rev().copied() {
        let found = client.majority(Quorum::Responding, |provider| async move {
            Ok::<_, L1Error>(provider.get_transaction_receipt(hash).await?)
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batcher::tests::{BatcherSetup, header};
    use alloy_consensus::Transaction as _;
    use parking_lot::Mutex;
    use serde_json::json;
    use std::sync::Arc;
    use testkit::{CHAIN_ID, ETHER, Key};

    #[test]
    fn call_that_reverts_is_replaced() {
        for reverts in [false, true] {
            let mut fixture = BatcherSetup::new();
            let client = fixture.l1.client();
            let key = Signer::new("key", Key::named("alice").secret()).unwrap();
            let (config, contract) = (SubmitterConfig::default(), Address::repeat_byte(9));
            let bump_after = config.bump_after;
            let limits = L1Limits::default();
            let mut sender = CallSender::new(key, CHAIN_ID, config, limits);
            let input = Bytes::from_static(b"call");
            let call = (50_000, Purpose::Evidence);
            sender.send(&client, &fixture.view, contract, input.clone(), call).unwrap();
            fixture.l1.answers(move |method, _| {
                (method == "eth_estimateGas" && reverts).then_some(Err("execution reverted"))
            });
            for number in 2..3 + 2 * bump_after {
                fixture.view.apply(header(number), Default::default());
                let state = sender.step(&client, &fixture.view).unwrap();
                assert!(matches!(state, Some(CallState::Pending)));
            }
            let sent = fixture.l1.sent();
            let (first, last) = (&sent[0], &sent[sent.len() - 1]);
            assert_eq!((first.to(), first.input()), (Some(contract), &input));
            assert!(last.max_fee_per_gas() > first.max_fee_per_gas());
            assert_eq!(last.nonce(), first.nonce());
            let (to, data) = match reverts {
                true => (sender.address(), Bytes::new()),
                false => (contract, input),
            };
            assert_eq!((last.to(), last.input()), (Some(to), &data));
        }
    }

    #[test]
    fn spending_counts_after_restart() {
        let (fixture, folder) = (BatcherSetup::new(), tempfile::tempdir().unwrap());
        let open = || {
            let key = Signer::new("key", Key::named("alice").secret()).unwrap();
            let (config, limits) = (SubmitterConfig::default(), L1Limits::default());
            let sender = CallSender::new(key, CHAIN_ID, config, limits);
            sender.with_spending(&folder.path().join("spending")).unwrap()
        };
        let (mut sender, to) = (open(), Address::repeat_byte(9));
        let call = (50_000, Purpose::Evidence);
        sender.send(&fixture.l1.client(), &fixture.view, to, Bytes::new(), call).unwrap();
        let cost = sender.pending.as_ref().unwrap().cost;
        drop(sender);
        let sender = open();
        assert_eq!(sender.spending.besides(|_| false), cost);
        let limit = sender.config.daily_limit;
        assert!(sender.check_limit(1, limit - cost, limit).is_ok());
        assert!(sender.check_limit(1, limit - cost + 1, limit).is_err());
    }

    /// Returns a call sender, and the nonce and balance in L1's responses.
    fn sender(daily_limit: u128) -> (BatcherSetup, Arc<Mutex<(u64, u128)>>, CallSender) {
        let fixture = BatcherSetup::new();
        let account = Arc::new(Mutex::new((0_u64, ETHER)));
        let shared = Arc::clone(&account);
        fixture.l1.answers(move |method, _| {
            let (nonce, balance) = *shared.lock();
            match method {
                "eth_getTransactionCount" => Some(Ok(json!(U256::from(nonce)))),
                "eth_getBalance" => Some(Ok(json!(U256::from(balance)))),
                _ => None,
            }
        });
        let key = Signer::new("key", Key::named("alice").secret()).unwrap();
        let config = SubmitterConfig { daily_limit, ..SubmitterConfig::default() };
        let sender = CallSender::new(key, CHAIN_ID, config, L1Limits::default());
        (fixture, account, sender)
    }

    /// Sends a call, and returns its cost.
    fn send_call(
        fixture: &BatcherSetup,
        sender: &mut CallSender,
        purpose: Purpose,
    ) -> Result<u128, SubmitterError> {
        let (client, to) = (fixture.l1.client(), Address::repeat_byte(9));
        sender.send(&client, &fixture.view, to, Bytes::new(), (50_000, purpose))?;
        Ok(sender.pending.as_ref().unwrap().cost)
    }

    #[test]
    fn estimates_are_raised_within_gas_limit() {
        let limit = L1Limits::default().gas;
        // An eighth more is 2^64.
        let hostile = u64::MAX / 9 * 8 + 7;
        for (estimate, gas_limit) in
            [(80_000, 90_000), (limit, limit), (hostile, limit), (u64::MAX, limit)]
        {
            let (fixture, _, mut sender) = sender(u128::MAX);
            let (client, to) = (fixture.l1.client(), Address::repeat_byte(9));
            let call = (estimate, Purpose::Evidence);
            sender.send(&client, &fixture.view, to, Bytes::new(), call).unwrap();
            assert_eq!(sender.pending.unwrap().gas_limit, gas_limit);
        }
    }

    #[test]
    fn posting_leaves_half_the_limit_for_evidence() {
        let (fixture, _, mut probe) = sender(u128::MAX);
        let cost = send_call(&fixture, &mut probe, Purpose::Evidence).unwrap();
        let (fixture, account, mut sender) = sender(6 * cost);
        for (purpose, accepted) in [(Purpose::Posting, 3), (Purpose::Evidence, 3)] {
            for _ in 0..accepted {
                send_call(&fixture, &mut sender, purpose).unwrap();
                account.lock().0 += 1;
                // L1 does not return the receipt.
                let state = sender.step(&fixture.l1.client(), &fixture.view).unwrap();
                assert!(matches!(state, Some(CallState::Lost)), "{state:?}");
            }
            let refused = send_call(&fixture, &mut sender, purpose);
            assert!(matches!(refused, Err(SubmitterError::SpendingLimit { .. })), "{refused:?}");
        }
    }

    #[test]
    fn posting_leaves_ether_for_evidence() {
        let (fixture, account, mut probe) = sender(u128::MAX);
        let cost = send_call(&fixture, &mut probe, Purpose::Evidence).unwrap();
        let fees = probe.pending.unwrap().fees;
        let reserve = u128::from(EVIDENCE_GAS) * fees.max;
        for (balance, purpose, is_accepted) in [
            (cost + reserve, Purpose::Posting, true),
            (cost + reserve - 1, Purpose::Posting, false),
            (cost, Purpose::Evidence, true),
            (cost - 1, Purpose::Evidence, false),
        ] {
            account.lock().1 = balance;
            let key = Signer::new("key", Key::named("alice").secret()).unwrap();
            let config = SubmitterConfig::default();
            let mut sender = CallSender::new(key, CHAIN_ID, config, L1Limits::default());
            let sent = send_call(&fixture, &mut sender, purpose);
            assert_eq!(sent.is_ok(), is_accepted, "{purpose:?}: {sent:?}");
        }
    }
}
