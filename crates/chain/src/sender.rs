//! Checks of a transaction against its sender's account.

use crate::store::Transaction;
use alloy_consensus::Transaction as _;
use alloy_primitives::U256;
use revm::{context::result::InvalidTransaction, context_interface::Cfg, state::AccountInfo};

/// Returns the reason if the EVM would reject a transaction because of its sender's nonce or
/// balance; `None` otherwise.
pub(crate) fn refusal(
    cfg: &impl Cfg,
    transaction: &Transaction,
    account: &AccountInfo,
) -> Option<InvalidTransaction> {
    let (tx, state) = (transaction.nonce(), account.nonce);
    if tx != state && !cfg.is_nonce_check_disabled() {
        return Some(if tx > state {
            InvalidTransaction::NonceTooHigh { tx, state }
        } else {
            InvalidTransaction::NonceTooLow { tx, state }
        });
    }
    let cost = max_cost(transaction);
    (cost > account.balance && !cfg.is_balance_check_disabled()).then(|| {
        InvalidTransaction::LackOfFundForMaxFee {
            fee: Box::new(cost),
            balance: Box::new(account.balance),
        }
    })
}

/// Returns the maximum cost of a transaction for its sender, in wei: value, and gas, blob gas and
/// EXECUTE gas at their fee caps. It saturates.
pub fn max_cost(transaction: &Transaction) -> U256 {
    if let Some(transaction) = transaction.as_execute() {
        return transaction.tx.max_cost().unwrap_or(U256::MAX);
    }
    let gas = U256::from(transaction.gas_limit()) * U256::from(transaction.max_fee_per_gas());
    let blobs = U256::from(transaction.blob_gas_used().unwrap_or_default())
        * U256::from(transaction.max_fee_per_blob_gas().unwrap_or_default());
    gas.saturating_add(blobs).saturating_add(transaction.value())
}
