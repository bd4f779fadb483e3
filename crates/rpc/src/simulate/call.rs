//! A call as a transaction that nobody has signed.

use super::code;
use crate::{
    RpcError,
    call::tx_type,
    codes,
    typed::{nobody, typed},
};
use alloy_consensus::TxType;
use alloy_primitives::{Address, TxKind};
use alloy_rpc_types_eth::TransactionRequest;
use chain::ChainError;
use executor::{ReadError, Transaction};
use revm::context::{
    TxEnv,
    either::Either,
    result::{EVMError, InvalidTransaction},
};

/// A call of which everything is known that makes it a transaction.
pub(super) struct Filled<'r> {
    pub(super) request: &'r TransactionRequest,
    pub(super) sender: Address,
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) chain_id: u64,
}

impl Filled<'_> {
    /// The transaction, signed by nobody. It has fees of EIP-1559 unless it has a gas price.
    pub(super) fn transaction(&self, london: bool) -> Result<Transaction, RpcError> {
        let Self { request, nonce, gas, chain_id, .. } = *self;
        if request.gas_price.is_some()
            && (request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some())
        {
            return Err(RpcError::params(
                "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
            ));
        }
        if let Some(got) = request.chain_id.filter(|got| *got != chain_id) {
            return Err(RpcError::params(format!(
                "chainId does not match node's (have={got}, want={chain_id})"
            )));
        }
        let by_price = request.gas_price.is_some() || !london;
        let kind = match tx_type(request) {
            kind @ (TxType::Eip7702 | TxType::Eip4844) => kind,
            TxType::Eip2930 if by_price => TxType::Eip2930,
            _ if by_price => TxType::Legacy,
            _ => TxType::Eip1559,
        };
        let (nonce, gas) = (Some(nonce), Some(gas));
        // A legacy one is not bound to a chain, as long as nobody has signed it.
        let chain_id = (kind != TxType::Legacy).then_some(chain_id);
        Ok(nobody(typed(TransactionRequest { nonce, gas, chain_id, ..request.clone() }, kind)?))
    }

    pub(super) fn env(&self, kind: TxType) -> TxEnv {
        let request = self.request;
        let priced = matches!(kind, TxType::Legacy | TxType::Eip2930);
        let authorizations = request.authorization_list.clone().unwrap_or_default();
        TxEnv {
            tx_type: kind.into(),
            caller: self.sender,
            gas_limit: self.gas,
            gas_price: request.gas_price.or(request.max_fee_per_gas).unwrap_or_default(),
            kind: request.to.unwrap_or(TxKind::Create),
            value: request.value.unwrap_or_default(),
            data: request.input.input().cloned().unwrap_or_default(),
            nonce: self.nonce,
            chain_id: Some(self.chain_id),
            access_list: request.access_list.clone().unwrap_or_default(),
            gas_priority_fee: (!priced)
                .then(|| request.max_priority_fee_per_gas.unwrap_or_default()),
            blob_hashes: request.blob_versioned_hashes.clone().unwrap_or_default(),
            max_fee_per_blob_gas: request.max_fee_per_blob_gas.unwrap_or_default(),
            authorization_list: authorizations.into_iter().map(Either::Left).collect(),
        }
    }
}

/// Why a call cannot be a transaction, with the code that the specification has for it.
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
