//! Admission checks of the transaction pool.

use crate::{AdmissionContext, PoolTransaction, Rejected, Settings};
use alloy_consensus::{Header, Transaction as _, Typed2718};
use alloy_eips::{eip2718::Encodable2718, eip7825::MAX_TX_GAS_LIMIT_OSAKA};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use chain::{ChainConfig, MAX_EXECUTION_GAS, State, Transaction, initial_gas, intrinsic_gas};
use codec::ExecuteTx;
use revm::{Database, primitives::eip3860::MAX_INITCODE_SIZE};
use wire::ProtocolFork;

/// Runs all checks of a transaction that need neither its sender nor its block.
///
/// `next` has the fields of the next block's header that are known before execution.
pub(crate) fn check_transaction(
    new: &PoolTransaction,
    config: &ChainConfig,
    settings: &Settings,
    next: &Header,
) -> Result<(), Rejected> {
    let transaction = &new.recovered.transaction;
    let spec = &config.spec;
    let fork = spec.hardfork_at(next.number, next.timestamp);
    check_shape(new, fork, settings)?;
    if let Some(transaction) = transaction.as_execute() {
        let precompile = config.execute_tx.as_ref().ok_or(Rejected::Type(ExecuteTx::TYPE))?;
        if let Some(reason) = precompile.refusal(&transaction.tx) {
            return Err(Rejected::ExecuteTx(reason));
        }
    }
    let got = transaction.blob_versioned_hashes().map_or(0, <[_]>::len);
    let limit = spec.blob_params_at(next.timestamp).map_or(0, |params| params.max_blobs_per_tx);
    if got as u64 > limit {
        return Err(Rejected::TooManyBlobs { got, limit });
    }

    let blob_fee = spec.blob_params_at(next.timestamp).and_then(|params| next.blob_fee(params));
    if let (Some(got), Some(minimum)) = (transaction.max_fee_per_blob_gas(), blob_fee)
        && got < minimum
    {
        return Err(Rejected::BlobFee { got, minimum });
    }

    let (got, expected) = (transaction.chain_id(), spec.chain_id());
    if let Some(got) = got.filter(|got| *got != expected) {
        return Err(Rejected::ChainId { got, expected });
    }
    let got = transaction.gas_limit();
    let limit = next.gas_limit;
    if got > limit {
        return Err(Rejected::GasLimit { got, limit });
    }
    // Since Amsterdam, gas above the cap pays for new state (EIP-8037).
    if fork >= EthereumHardfork::Osaka
        && fork < EthereumHardfork::Amsterdam
        && !config.limits.no_transaction_gas_cap
        && got > MAX_TX_GAS_LIMIT_OSAKA
    {
        return Err(Rejected::GasCap { got, limit: MAX_TX_GAS_LIMIT_OSAKA });
    }
    if got > MAX_EXECUTION_GAS {
        return Err(Rejected::ExecutionGas { got, limit: MAX_EXECUTION_GAS });
    }
    let rules = spec.fork_at(next.timestamp).unwrap_or(ProtocolFork::Paris);
    let intrinsic = match settings.refuse_below_floor {
        true => intrinsic_gas(transaction, rules),
        false => initial_gas(transaction, rules),
    };
    if fork >= EthereumHardfork::Istanbul && got < intrinsic {
        return Err(Rejected::IntrinsicGas { got, intrinsic });
    }
    let code_limit = config.limits.code_size.map_or(MAX_INITCODE_SIZE, |size| 2 * size);
    if fork >= EthereumHardfork::Shanghai
        && transaction.is_create()
        && transaction.input().len() > code_limit
    {
        return Err(Rejected::InitCode { got: transaction.input().len(), limit: code_limit });
    }
    check_fees(transaction, settings, next.base_fee_per_gas.unwrap_or_default())
}

/// Checks that need no state.
fn check_shape(
    new: &PoolTransaction,
    fork: EthereumHardfork,
    settings: &Settings,
) -> Result<(), Rejected> {
    let transaction = &new.recovered.transaction;
    let since = match transaction.ty() {
        0 => EthereumHardfork::Frontier,
        1 => EthereumHardfork::Berlin,
        2 => EthereumHardfork::London,
        3 | ExecuteTx::TYPE => EthereumHardfork::Cancun,
        _ => EthereumHardfork::Prague,
    };
    if fork < since {
        return Err(Rejected::Type(transaction.ty()));
    }
    let (got, limit) = (transaction.encode_2718_len(), settings.max_transaction_bytes);
    if got > limit {
        return Err(Rejected::Size { got, limit });
    }
    if transaction.is_legacy()
        && transaction.chain_id().is_none()
        && new.recovered.signed
        && !settings.pool_limits.accepts_unprotected
    {
        return Err(Rejected::Unprotected);
    }
    if transaction.is_eip7702() && transaction.authorization_list().is_none_or(<[_]>::is_empty) {
        return Err(Rejected::NoAuthorization);
    }
    if transaction.nonce() == u64::MAX {
        return Err(Rejected::NonceMax);
    }
    if let Some(hashes) = transaction.blob_versioned_hashes() {
        if hashes.is_empty() {
            return Err(Rejected::Blobs("a blob transaction needs a blob".to_owned()));
        }
        let Some(sidecar) = &new.sidecar else {
            // An unsigned blob transaction is a replay from another chain, so its blobs are not
            // here.
            return match new.recovered.signed {
                true => Err(Rejected::Blobs("the blobs are missing".to_owned())),
                false => Ok(()),
            };
        };
        if sidecar.is_eip7594() != (fork >= EthereumHardfork::Osaka) {
            let form = if sidecar.is_eip7594() { "cell proofs" } else { "blob proofs" };
            return Err(Rejected::Blobs(format!("{form} are not those of this fork")));
        }
    }
    Ok(())
}

fn check_fees(
    transaction: &Transaction,
    settings: &Settings,
    base_fee: u64,
) -> Result<(), Rejected> {
    let (fee, tip) = (transaction.max_fee_per_gas(), transaction.max_priority_fee_per_gas());
    if settings.refuse_below_base_fee && fee < u128::from(base_fee) {
        return Err(Rejected::BelowBaseFee { got: fee, base_fee });
    }
    if let Some(tip) = tip.filter(|tip| *tip > fee) {
        return Err(Rejected::TipAboveFee { tip, fee });
    }
    let (got, minimum) = (tip.unwrap_or(fee), settings.min_tip);
    if got < minimum { Err(Rejected::Tip { got, minimum }) } else { Ok(()) }
}

/// Checks the sender's nonce and, unless it `may_owe`, its balance, and that the next block can
/// sell the requested allowance of EXECUTE gas.
///
/// May block on disk I/O or on a request to another node for the sender's account.
pub(crate) fn check_sender(
    new: &PoolTransaction,
    state: &State,
    may_owe: bool,
) -> Result<AdmissionContext, Rejected> {
    let (transaction, sender) = (&new.recovered.transaction, new.recovered.sender);
    let mut open = state.open();
    let account = open.basic(sender).map_err(chain::ChainError::from)?.unwrap_or_default();
    let (got, expected) = (transaction.nonce(), account.nonce);
    if got < expected {
        return Err(Rejected::NonceTooLow { sender, got, expected });
    }
    if let Some((market, allowance)) = state.config().market_for(transaction) {
        let price = (market.price)(&mut open).map_err(chain::ChainError::from)?;
        market.check(&allowance, price, 0)?;
    }
    let cost = new.cost();
    if !may_owe && cost > account.balance {
        return Err(Rejected::Funds { sender, balance: account.balance, cost });
    }
    let has_code = account.code_hash != KECCAK256_EMPTY && !account.code_hash.is_zero();
    let is_delegated = has_code
        && open.code_by_hash(account.code_hash).map_err(chain::ChainError::from)?.is_eip7702();
    if new.recovered.signed && has_code && !is_delegated {
        return Err(Rejected::SenderHasCode(sender));
    }
    let (nonce, balance) = (account.nonce, account.balance);
    Ok(AdmissionContext { nonce, balance, is_delegated, ..AdmissionContext::default() })
}

/// Returns the authorities of a transaction's EIP-7702 authorizations that can still be applied,
/// i.e. that are for this chain and have an unused nonce. Others are ignored, because anyone can
/// include stale authorizations of another account.
pub(crate) fn authorities(
    new: &PoolTransaction,
    state: &State,
) -> Result<Vec<Address>, chain::ChainError> {
    let all = new.recovered.transaction.authorization_list().unwrap_or_default();
    let chain_id = U256::from(state.config().spec.chain_id());
    let mut authorities = Vec::new();
    for authorization in all.iter().filter(|authorization| {
        authorization.chain_id.is_zero() || authorization.chain_id == chain_id
    }) {
        let Ok(authority) = authorization.recover_authority() else { continue };
        if authorization.nonce >= state.nonce(authority)? {
            authorities.push(authority);
        }
    }
    authorities.sort_unstable();
    authorities.dedup();
    Ok(authorities)
}
