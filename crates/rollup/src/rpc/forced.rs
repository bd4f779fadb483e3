//! Forced transactions.

use super::{
    RollupApi,
    error::evidence,
    paging::{Budget, Page},
};
use crate::{L1View, l1::bridge_log::ForcedRecord};
use chain::ChainReader;
use rpc::RpcError;
use rpc_types::{ForcedOutcome, ForcedPage, ForcedRules, ForcedTransaction};
use std::sync::Arc;

/// The queue of forced transactions at the time of a request.
pub(super) struct ForcedTransactions {
    view: Arc<L1View>,
    rules: ForcedRules,
    chain: ChainReader,
}

impl ForcedTransactions {
    /// Returns the queue as of the current head and the latest view of L1.
    pub(super) fn new(rollup: &RollupApi) -> Result<Self, RpcError> {
        let view = rollup.shared.view.lock().clone();
        let rules = rollup.shared.config.lock().as_ref().map(|config| config.rules.forced);
        let read = view.zip(rules);
        let (view, rules) = read.ok_or_else(|| RpcError::server("L1 has not been read"))?;
        Ok(Self { view, rules, chain: rollup.api.chain() })
    }

    /// Returns a forced transaction; `None` if it was not submitted.
    pub(super) fn get(&self, index: u64) -> Result<Option<ForcedTransaction>, RpcError> {
        let bridge = self.view.bridge();
        let Some(record) = bridge.forced(index) else {
            let first = bridge.first_forced();
            if index < first {
                let text = format!("this node only has the forced transactions from {first} on");
                return Err(evidence(RpcError::server(text), index, first));
            }
            return Ok(None);
        };
        self.to_rpc(index, record).map(Some)
    }

    /// Returns a page of forced transactions, newest first.
    pub(super) fn page(&self, page: &Page) -> Result<ForcedPage, RpcError> {
        let bridge = self.view.bridge();
        let is_listed = |index: u64| {
            let sender = bridge.forced(index).map(|record| record.transaction.sender);
            sender.is_some_and(|sender| page.account.is_none_or(|account| sender == account))
        };
        let (first, len) = (bridge.first_forced(), bridge.forced_len());
        let (indexes, next) = page.walk(first, len, &mut Budget::new(), is_listed);
        let listed = indexes.into_iter().filter_map(|index| Some((index, bridge.forced(index)?)));
        let listed = listed.map(|(index, record)| self.to_rpc(index, record));
        Ok(ForcedPage { transactions: listed.collect::<Result<_, _>>()?, next })
    }

    fn to_rpc(&self, index: u64, record: &ForcedRecord) -> Result<ForcedTransaction, RpcError> {
        let Self { view, rules, chain } = self;
        let entry = &record.transaction;
        let due = entry.submittedAt.saturating_add(rules.delay);
        let grace_until = due.saturating_add(rules.grace);
        let included = chain.transaction(&entry.hash)?.map(|(block, _)| block.header.number);
        let (outcome, finalized) = match (included, record.discharged) {
            // L1 resolves the queue in order. A transaction that was included before earlier
            // entries were due is later discharged as invalid, because its nonce is used.
            (Some(block), _) => {
                let finalized = view.finalized_head().map_or(0, |head| head.number);
                (ForcedOutcome::Included, block <= finalized)
            }
            (None, Some((outcome, l1_block))) => {
                (discharged(outcome), l1_block <= view.finalized())
            }
            (None, None) if chain.head().header.timestamp >= due => (ForcedOutcome::Due, false),
            (None, None) => (ForcedOutcome::Waiting, false),
        };
        Ok(ForcedTransaction {
            index,
            hash: entry.hash,
            sender: entry.sender,
            to: entry.to,
            nonce: entry.nonce,
            gas_limit: entry.gasLimit,
            max_fee: entry.maxFee,
            priced: entry.priced,
            l1_block: record.l1_block,
            l1_transaction: Some(record.l1_transaction),
            submitted_at: entry.submittedAt,
            due,
            grace_until,
            expires: grace_until.saturating_add(rules.expiry),
            outcome,
            l2_block: included,
            finalized,
        })
    }
}

/// Returns the outcome with which L1 has discharged a transaction (`IRollup.Outcome`).
const fn discharged(outcome: u8) -> ForcedOutcome {
    match outcome {
        0 => ForcedOutcome::Included,
        1 => ForcedOutcome::Invalid,
        2 => ForcedOutcome::Underpriced,
        3 => ForcedOutcome::Expired,
        5 => ForcedOutcome::TargetHasCode,
        _ => ForcedOutcome::Unknown,
    }
}
