//! JSON-RPC errors.

use crate::Overloaded;
use alloy_primitives::{Bytes, hex};
use alloy_rpc_types_eth::TransactionRequest;
use chain::{ChainError, foundry_revert_reason, halt_reason, revert_reason};
use executor::ReadError;
use jsonrpsee::types::ErrorObjectOwned;
use node::{Backlog, NodeError, Rejected};
use revm::{
    context::result::{EVMError, HaltReason, InvalidTransaction},
    interpreter::InstructionResult,
};
pub use rpc_types::codes;
use serde_json::{Value, json};

/// Message of a reverted call, identical to geth's.
pub(crate) const REVERTED: &str = "execution reverted";

/// Separator between the message of a failed call and EXECUTE's reason for refusing it.
pub(crate) const REFUSED: &str = "; EXECUTE refused: ";

/// Client whose error codes and messages are used for failed executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureStyle {
    /// go-ethereum.
    #[default]
    Geth,
    /// Foundry's anvil.
    Anvil,
}

impl FailureStyle {
    /// Returns anvil's error for a tip above the fee cap. In geth's style the EVM reports it.
    pub(crate) fn tip_above_fee(self, request: &TransactionRequest) -> Option<RpcError> {
        let (tip, fee) = request.max_priority_fee_per_gas.zip(request.max_fee_per_gas)?;
        let is_refused = tip > fee && self == Self::Anvil;
        is_refused.then(|| {
            RpcError::params(
                "Invalid input: `max_priority_fee_per_gas` greater than `max_fee_per_gas`",
            )
        })
    }

    /// Maps the error of a call that could not be executed.
    pub fn call_error(self, error: EVMError<ReadError>) -> RpcError {
        match (&error, self) {
            (
                EVMError::Transaction(InvalidTransaction::LackOfFundForMaxFee { fee, balance }),
                Self::Anvil,
            ) => RpcError::no_funds(format!("have {balance} want {fee}")),
            _ => transaction_error(error),
        }
    }

    /// Maps the reason for which the pool rejects a transaction.
    pub(crate) fn pool_error(self, reason: Rejected) -> RpcError {
        match (reason, self) {
            (Rejected::Funds { balance, cost, .. }, Self::Anvil) => {
                RpcError::no_funds(format!("balance {balance}, tx cost {cost}"))
            }
            (reason, _) => reason.into(),
        }
    }
}

/// Maps the error of a transaction that could not be executed to geth's wording.
pub fn transaction_error(error: EVMError<ReadError>) -> RpcError {
    match error {
        EVMError::Transaction(reason) => RpcError::server(invalid(&reason)),
        EVMError::Database(error) => chain::ChainError::from(error).into(),
        other => RpcError::internal(other.to_string()),
    }
}

fn invalid(reason: &InvalidTransaction) -> String {
    match reason {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: have {balance} want {fee}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => {
            "max fee per gas less than block base fee".to_owned()
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}")
        }
        InvalidTransaction::NonceTooLow { tx, state } => {
            format!("nonce too low: next nonce {state}, tx nonce {tx}")
        }
        InvalidTransaction::NonceTooHigh { tx, state } => {
            format!("nonce too high: next nonce {state}, tx nonce {tx}")
        }
        InvalidTransaction::NonceOverflowInTransaction => "nonce has max value".to_owned(),
        InvalidTransaction::CreateInitCodeSizeLimit => "max initcode size exceeded".to_owned(),
        other => other.to_string(),
    }
}

/// Error in a JSON-RPC response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// JSON-RPC error code.
    pub code: i32,
    /// Description of the error, with advice where there is any.
    pub message: String,
    /// Machine-readable details.
    pub data: Option<Value>,
    /// `true` if the node is at fault rather than the request.
    pub is_fault: bool,
}

impl RpcError {
    /// Creates an error without data that is the fault of the request.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, is_fault: false }
    }

    /// Creates an error for invalid parameters ([`codes::PARAMS`]).
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(codes::PARAMS, message)
    }

    /// Creates an error of a request that cannot be served at present ([`codes::SERVER`]).
    pub fn server(message: impl Into<String>) -> Self {
        Self::new(codes::SERVER, message)
    }

    /// Returns the error for a block before the first one that the node stores, e.g. after a start
    /// from a snapshot.
    pub(crate) fn pruned_history(number: u64, first: u64) -> Self {
        let message = format!("pruned history unavailable: block {number}, the first is {first}");
        Self::new(codes::PRUNED_HISTORY, message)
    }

    /// Creates an internal error of the node ([`codes::INTERNAL`]).
    pub fn internal(message: impl Into<String>) -> Self {
        Self { is_fault: true, ..Self::new(codes::INTERNAL, message) }
    }

    /// Creates an error that is not the node's fault but has the code of internal errors, as anvil
    /// uses it for every request that it cannot serve.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(codes::INTERNAL, message)
    }

    /// Returns the error of a call that reverted with `output`.
    pub fn reverted(output: &Bytes, style: FailureStyle) -> Self {
        let reason = match style {
            FailureStyle::Geth => revert_reason(output),
            FailureStyle::Anvil => foundry_revert_reason(output),
        };
        let message = match reason {
            Some(reason) => format!("{REVERTED}: {reason}"),
            None => REVERTED.to_owned(),
        };
        let data = Some(json!(hex::encode_prefixed(output)));
        Self { data, ..Self::new(codes::REVERTED, message) }
    }

    /// Returns the error of a sender with insufficient funds, in anvil's wording, with the amounts.
    pub(crate) fn no_funds(numbers: impl std::fmt::Display) -> Self {
        let message = format!("Insufficient funds for gas * price + value: {numbers}");
        Self::new(codes::REJECTED, message)
    }

    /// Returns the error of a call that halted.
    pub(crate) fn halted(reason: &HaltReason, style: FailureStyle) -> Self {
        match style {
            FailureStyle::Geth => Self::server(halt_reason(reason)),
            FailureStyle::Anvil => {
                let result = InstructionResult::from(reason.clone());
                Self::failed(format!("EVM error {result:?}"))
            }
        }
    }

    /// Appends EXECUTE's reasons for refusal to the message of a failed call, and sets them as its
    /// data unless a contract returned some.
    #[must_use]
    pub(crate) fn refused(mut self, reasons: &[String]) -> Self {
        for reason in reasons {
            if !self.message.contains(reason) {
                self.message = format!("{}{REFUSED}{reason}", self.message);
            }
        }
        if !reasons.is_empty() && self.data.is_none() {
            self.data = Some(json!({ "execute": reasons }));
        }
        self
    }

    /// Adds the number of the block that a search reached, so that the client can narrow it.
    #[must_use]
    pub fn at_block(mut self, number: u64) -> Self {
        self.message = format!("{}; the search ended at block {number}", self.message);
        self
    }

    /// Creates an error of a request that exceeds one of its limits.
    pub fn exceeded(
        what: &str,
        got: impl Into<u128>,
        limit: impl Into<u128>,
        advice: &str,
    ) -> Self {
        let (got, limit) = (got.into(), limit.into());
        let message = format!("{what}: got {got}, limit {limit}; {advice}");
        // Numbers saturate at 64 bits, which suffice for bytes and milliseconds.
        let short = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let data = json!({ "got": short(got), "limit": short(limit) });
        Self { data: Some(data), ..Self::new(codes::BUSY, message) }
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        Self::owned(error.code, error.message, error.data)
    }
}

impl From<ErrorObjectOwned> for RpcError {
    fn from(error: ErrorObjectOwned) -> Self {
        let data = error.data().and_then(|data| serde_json::from_str(data.get()).ok());
        Self { data, ..Self::new(error.code(), error.message()) }
    }
}

impl From<Overloaded> for RpcError {
    fn from(error: Overloaded) -> Self {
        Self::new(codes::BUSY, error.to_string())
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Invalid(reason) => Self::server(reason.to_string()),
            ChainError::UnknownBlock(_)
            | ChainError::UnknownParent { .. }
            | ChainError::Pruned(_)
            | ChainError::NotLoaded(_) => Self::server(error.to_string()),
            error => Self::internal(error.to_string()),
        }
    }
}

impl From<NodeError> for RpcError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Chain(error) => error.into(),
            error => Self::internal(error.to_string()),
        }
    }
}

impl From<Rejected> for RpcError {
    fn from(reason: Rejected) -> Self {
        // Use geth's messages and codes, because clients match on them.
        let message = match &reason {
            Rejected::Known(_) => "already known".to_owned(),
            Rejected::NonceTooLow { got, expected, .. } => {
                format!("nonce too low: next nonce {expected}, tx nonce {got}")
            }
            Rejected::NonceMax => "nonce has max value".to_owned(),
            // Contains geth's message as well as the one that viem matches on.
            Rejected::GasLimit { got, limit } => {
                format!("exceeds block gas limit: intrinsic gas too high: {got} > {limit}")
            }
            Rejected::GasCap { got, limit } => {
                format!("transaction gas limit too high (cap: {limit}, tx: {got})")
            }
            Rejected::IntrinsicGas { got, intrinsic } => {
                format!("intrinsic gas too low: gas {got}, minimum needed {intrinsic}")
            }
            Rejected::Funds { balance, cost, .. } => format!(
                "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}"
            ),
            Rejected::BelowBaseFee { got, base_fee } => {
                format!("max fee per gas less than block base fee: {got} < {base_fee}")
            }
            Rejected::TipAboveFee { .. } => {
                "max priority fee per gas higher than max fee per gas".to_owned()
            }
            Rejected::Underpriced { .. } => "replacement transaction underpriced".to_owned(),
            Rejected::Preconfirmed { existing } => {
                format!("replacement refused: {existing} is preconfirmed")
            }
            Rejected::ChainId { got, expected } => {
                format!("invalid chain id for signer: have {got} want {expected}")
            }
            Rejected::Signature => "invalid sender".to_owned(),
            Rejected::SenderHasCode(_) => "sender not an eoa".to_owned(),
            Rejected::Type(_) => "transaction type not supported".to_owned(),
            Rejected::InitCode { got, limit } => {
                format!("max initcode size exceeded: code size {got}, limit {limit}")
            }
            Rejected::Overdraft { balance, pending_cost, cost, .. } => {
                let overshot = pending_cost.saturating_add(*cost).saturating_sub(*balance);
                format!(
                    "insufficient funds for gas * price + value: balance {balance}, queued cost {pending_cost}, tx cost {cost}, overshot {overshot}"
                )
            }
            Rejected::Delegated(_) => {
                "in-flight transaction limit reached for delegated accounts".to_owned()
            }
            Rejected::AuthorityReserved(_) => "authority already reserved".to_owned(),
            Rejected::Unprotected => {
                "only replay-protected (EIP-155) transactions allowed over RPC".to_owned()
            }
            Rejected::GappedLimit { .. } => format!("gapped-nonce limit exceeded: {reason}"),
            Rejected::PoolFull { .. } => format!("txpool is full: {reason}"),
            Rejected::SenderLimit { .. } => format!("account limit exceeded: {reason}"),
            Rejected::Backlog(Backlog { what, got, limit }) => {
                let data = Some(json!({ "what": what, "got": got, "limit": limit }));
                return Self { data, ..Self::new(codes::BUSY, reason.to_string()) };
            }
            Rejected::Chain(error) => return error.clone().into(),
            Rejected::NotJournaled(_) => return Self::internal(reason.to_string()),
            Rejected::Mining(error) => {
                let cause = Self::from(NodeError::clone(error));
                return Self { message: reason.to_string(), ..cause };
            }
            other => other.to_string(),
        };
        match reason {
            // geth reports these from the state transition, with the generic code.
            Rejected::GasLimit { .. } | Rejected::IntrinsicGas { .. } => Self::server(message),
            _ => Self::new(codes::REJECTED, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_reasons_extend_call_errors() {
        let reasons = ["no root".to_owned(), "no gas".to_owned()];
        let halted = RpcError::server("precompile: no root").refused(&reasons);
        assert_eq!(halted.message, "precompile: no root; EXECUTE refused: no gas");
        assert_eq!(halted.data, Some(json!({ "execute": reasons })));
        let reverted = RpcError::reverted(&Bytes::new(), FailureStyle::Geth).refused(&reasons[..1]);
        assert_eq!(reverted.message, "execution reverted; EXECUTE refused: no root");
        assert_eq!(reverted.data, Some(json!("0x")));
        assert_eq!(RpcError::server("x").refused(&[]), RpcError::server("x"));
    }
}
