//! Errors as JSON-RPC has them.

use crate::Overloaded;
use alloy_primitives::{Bytes, hex};
use chain::ChainError;
use jsonrpsee::types::ErrorObjectOwned;
use node::{NodeError, Rejected};
use serde_json::{Value, json};

/// Error codes.
pub mod codes {
    /// A call reverted; `data` is what it returned.
    pub const REVERTED: i32 = 3;
    /// What is asked for cannot be done now.
    pub const SERVER: i32 = -32_000;
    /// A transaction is refused.
    pub const REJECTED: i32 = -32_003;
    /// Too much is asked for at once.
    pub const BUSY: i32 = -32_005;
    /// There is no such method.
    pub const METHOD: i32 = -32_601;
    /// The parameters are not those of the method.
    pub const PARAMS: i32 = -32_602;
    /// Our fault.
    pub const INTERNAL: i32 = -32_603;
}

/// An error that is an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// Its code.
    pub code: i32,
    /// What is wrong, and what to do.
    pub message: String,
    /// More, for programs.
    pub data: Option<Value>,
}

impl RpcError {
    /// An error with a code.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The parameters are wrong.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(codes::PARAMS, message)
    }

    /// It cannot be done now.
    pub fn server(message: impl Into<String>) -> Self {
        Self::new(codes::SERVER, message)
    }

    /// Our fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(codes::INTERNAL, message)
    }

    /// A call reverted with `output`.
    pub fn reverted(output: &Bytes) -> Self {
        let message = match revert_reason(output) {
            Some(reason) => format!("execution reverted: {reason}"),
            None => "execution reverted".to_owned(),
        };
        let data = Some(json!(hex::encode_prefixed(output)));
        Self { code: codes::REVERTED, message, data }
    }

    /// The same error, of a call in which EXECUTE has refused, for these reasons. They stand in the
    /// message, and in the data too unless that is what a contract has returned.
    #[must_use]
    pub(crate) fn refused(mut self, reasons: &[String]) -> Self {
        for reason in reasons {
            if !self.message.contains(reason) {
                self.message = format!("{}; EXECUTE refused: {reason}", self.message);
            }
        }
        if !reasons.is_empty() && self.data.is_none() {
            self.data = Some(json!({ "execute": reasons }));
        }
        self
    }
}

/// What a revert says, if it is one of Solidity's own errors.
pub fn revert_reason(output: &[u8]) -> Option<String> {
    const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
    let (selector, body) = output.split_first_chunk::<4>()?;
    let word = |at: usize| {
        let word: &[u8; 32] = body.get(at..at + 32)?.first_chunk()?;
        let (high, low) = word.split_at(24);
        let small = high.iter().all(|byte| *byte == 0);
        small.then(|| u64::from_be_bytes(low.try_into().unwrap_or_default()))
    };
    match *selector {
        ERROR => {
            let start = usize::try_from(word(0)?).ok()?;
            let length = usize::try_from(word(start)?).ok()?;
            let text = body.get(start + 32..)?.get(..length)?;
            Some(String::from_utf8_lossy(text).into_owned())
        }
        PANIC => Some(
            match word(0)? {
                0x00 => "generic panic",
                0x01 => "assert(false)",
                0x11 => "arithmetic underflow or overflow",
                0x12 => "division or modulo by zero",
                0x21 => "enum overflow",
                0x22 => "invalid encoded storage byte array accessed",
                0x31 => "out-of-bounds array access; popping on an empty array",
                0x32 => "out-of-bounds access of an array or bytesN",
                0x41 => "out of memory",
                0x51 => "uninitialized function",
                code => return Some(format!("unknown panic code: {code:#x}")),
            }
            .to_owned(),
        ),
        _ => None,
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
        Self { code: error.code(), message: error.message().to_owned(), data }
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
        // geth's words and codes: clients look for them.
        let message = match &reason {
            Rejected::Known(_) => "already known".to_owned(),
            Rejected::NonceTooLow { got, expected, .. } => {
                format!("nonce too low: next nonce {expected}, tx nonce {got}")
            }
            Rejected::NonceMax => "nonce has max value".to_owned(),
            Rejected::GasLimit { .. } => "exceeds block gas limit".to_owned(),
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
            Rejected::ChainId { got, expected } => {
                format!("invalid chain id for signer: have {got} want {expected}")
            }
            Rejected::Signature => "invalid sender".to_owned(),
            Rejected::SenderHasCode(_) => "sender not an eoa".to_owned(),
            Rejected::Type(_) => "transaction type not supported".to_owned(),
            Rejected::InitCode { got, limit } => {
                format!("max initcode size exceeded: code size {got}, limit {limit}")
            }
            Rejected::PoolFull { .. } => format!("txpool is full: {reason}"),
            Rejected::SenderLimit { .. } => format!("account limit exceeded: {reason}"),
            Rejected::Chain(error) => return error.clone().into(),
            Rejected::NotKept(_) => return Self::internal(reason.to_string()),
            Rejected::Mining(error) => return Self::internal(error.to_string()),
            other => other.to_string(),
        };
        match reason {
            // Those that geth finds in the state transition.
            Rejected::GasLimit { .. } | Rejected::IntrinsicGas { .. } => Self::server(message),
            _ => Self::new(codes::REJECTED, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_execute_refused_for_stands_beside_what_the_contract_said() {
        let reasons = ["no root".to_owned(), "no gas".to_owned()];
        let halted = RpcError::server("precompile: no root").refused(&reasons);
        assert_eq!(halted.message, "precompile: no root; EXECUTE refused: no gas");
        assert_eq!(halted.data, Some(json!({ "execute": reasons })));
        let reverted = RpcError::reverted(&Bytes::new()).refused(&reasons[..1]);
        assert_eq!(reverted.message, "execution reverted; EXECUTE refused: no root");
        assert_eq!(reverted.data, Some(json!("0x")));
        assert_eq!(RpcError::server("x").refused(&[]), RpcError::server("x"));
    }

    #[test]
    fn reverts_say_what_solidity_said() {
        let error = hex!(
            "08c379a0"
            "0000000000000000000000000000000000000000000000000000000000000020"
            "000000000000000000000000000000000000000000000000000000000000000a"
            "75736572206572726f7200000000000000000000000000000000000000000000"
        );
        assert_eq!(revert_reason(&error).as_deref(), Some("user error"));
        let mut panic = hex!("4e487b71").to_vec();
        panic.resize(35, 0);
        panic.push(0x11);
        assert_eq!(revert_reason(&panic).as_deref(), Some("arithmetic underflow or overflow"));
        assert_eq!(revert_reason(&error[..50]), None);
        assert_eq!(revert_reason(&[]), None);
    }
}
