//! Conversion of a simulated call to an unsigned transaction.

use super::code;
use crate::{
    RpcError, codes,
    typed::{check, tx_type},
};
use alloy_consensus::TxType;
use alloy_primitives::Address;
use alloy_rpc_types_eth::TransactionRequest;
use chain::ChainError;
use executor::ReadError;
use revm::context::result::{EVMError, InvalidTransaction};

/// Returns the transaction type of a call: EIP-1559, unless the call has a gas price or the fork
/// predates EIP-1559.
pub(super) fn kind_of(
    request: &TransactionRequest,
    chain_id: u64,
    london: bool,
) -> Result<TxType, RpcError> {
    check(request, chain_id)?;
    let by_price = request.gas_price.is_some() || !london;
    Ok(match tx_type(request) {
        kind @ (TxType::Eip7702 | TxType::Eip4844) => kind,
        TxType::Eip2930 if by_price => TxType::Eip2930,
        _ if by_price => TxType::Legacy,
        _ => TxType::Eip1559,
    })
}

/// Maps the error of a call that is invalid as a transaction to the specification's error code.
pub(super) fn refused(error: EVMError<ReadError>, sender: Address, gas: u64) -> RpcError {
    let reason = match error {
        EVMError::Transaction(reason) => reason,
        EVMError::Database(error) => return ChainError::from(error).into(),
        other => return RpcError::internal(other.to_string()),
    };
    let (code, what) = match &reason {
        InvalidTransaction::NonceTooLow { tx, state } => (
            code::NONCE_TOO_LOW,
            format!("nonce too low: address {sender}, tx: {tx} state: {state}"),
        ),
        InvalidTransaction::NonceTooHigh { tx, state } => (
            code::NONCE_TOO_HIGH,
            format!("nonce too high: address {sender}, tx: {tx} state: {state}"),
        ),
        InvalidTransaction::GasPriceLessThanBasefee => (
            code::FEE_TOO_LOW,
            format!("max fee per gas less than block base fee: address {sender}"),
        ),
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas: want, gas_limit }
        | InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor: want, gas_limit } => {
            (code::INTRINSIC_GAS, format!("intrinsic gas too low: have {gas_limit}, want {want}"))
        }
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => (
            code::FUNDS,
            format!(
                "insufficient funds for gas * price + value: address {sender} have {balance} want {fee}"
            ),
        ),
        InvalidTransaction::RejectCallerWithCode => {
            (code::SENDER, format!("sender not an eoa: address {sender}"))
        }
        InvalidTransaction::CreateInitCodeSizeLimit => {
            (code::INIT_CODE, "max initcode size exceeded".to_owned())
        }
        InvalidTransaction::NonceOverflowInTransaction => {
            (codes::INTERNAL, format!("nonce has max value: address {sender}"))
        }
        other => (codes::INTERNAL, other.to_string()),
    };
    RpcError::new(code, format!("err: {what} (supplied gas {gas})"))
}
