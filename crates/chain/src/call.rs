//! Calls without effect on the state (`eth_call`).

use crate::{ChainError, ChainReader, MAX_EXECUTION_GAS};
use alloy_evm::Evm as _;
use alloy_primitives::{Address, Bytes, U256};
use executor::{BlockTally, EvmOverrides as _, InternalError, inspected_evm};
use revm::{
    Database,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult},
    },
    inspector::NoOpInspector,
    primitives::TxKind,
};
use std::sync::Arc;

/// A call on the state of the head, as in `eth_call`: no signature, no fee, any nonce.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// Caller.
    pub from: Address,
    /// The contract; `None` runs `data` as init code.
    pub to: Option<Address>,
    /// Calldata.
    pub data: Bytes,
    /// Value in wei, which the caller's balance must cover.
    pub value: U256,
    /// Gas limit of the call; `None` for the block's gas limit.
    pub gas: Option<u64>,
    /// Block in which the call is executed.
    pub block: CallBlock,
}

/// Block in which a call is executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CallBlock {
    /// The head, as `eth_call` does.
    #[default]
    Head,
    /// The next block, as a transaction in it would see it.
    Next {
        /// Unix timestamp of the next block, in seconds.
        timestamp: u64,
    },
}

/// Outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallOutcome {
    /// `true` if the call succeeded.
    pub success: bool,
    /// Return data, or the data of a revert.
    pub output: Bytes,
    /// Gas used.
    pub gas_used: u64,
}

impl ChainReader {
    /// Executes a call on the state of the head.
    pub fn call(&self, call: Call) -> Result<CallOutcome, ChainError> {
        let (config, source) = (self.config(), self.state());
        let mut state = source.open();
        let nonce = state.basic(call.from)?.map_or(0, |info| info.nonce);
        let mut env = source.call_env(self.head());
        if let CallBlock::Next { timestamp } = call.block {
            env.block_env.number += U256::ONE;
            env.block_env.timestamp = U256::from(timestamp);
        }
        env.block_env.basefee = 0;
        let gas = call.gas.unwrap_or(self.head().header.gas_limit);
        let transaction = TxEnv {
            caller: call.from,
            kind: call.to.map_or(TxKind::Create, TxKind::Call),
            data: call.data,
            value: call.value,
            gas_limit: gas.min(MAX_EXECUTION_GAS),
            chain_id: Some(config.spec.chain_id()),
            nonce,
            ..Default::default()
        };
        let mut evm = inspected_evm(&mut state, env, NoOpInspector, false);
        let base_fee = self.head().header.base_fee_per_gas.unwrap_or_default();
        config.precompiles(evm.precompiles_mut(), &Arc::new(BlockTally::new(base_fee)));
        let executed = evm.transact(transaction).map_err(|error| match error {
            EVMError::Database(error) => error.into(),
            EVMError::Transaction(reason) => ChainError::Call(reason.to_string()),
            EVMError::Header(reason) => ChainError::Call(reason.to_string()),
            error => InternalError::Executor(error.to_string()).into(),
        })?;
        let gas_used = executed.result.tx_gas_used();
        Ok(match executed.result {
            ExecutionResult::Success { output, .. } => {
                CallOutcome { success: true, output: output.into_data(), gas_used }
            }
            ExecutionResult::Revert { output, .. } => {
                CallOutcome { success: false, output, gas_used }
            }
            ExecutionResult::Halt { .. } => {
                CallOutcome { success: false, output: Bytes::new(), gas_used }
            }
        })
    }
}
