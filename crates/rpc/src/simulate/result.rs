//! Results of a simulation.

use super::code;
use crate::{RpcLog, codes};
use alloy_primitives::{Address, Bytes, Log};
use alloy_rpc_types_eth::simulate::{SimCallResult, SimulateError};
use chain::{Block, Transaction, halt_reason, revert_reason};
use revm::context::result::{ExecutionResult, HaltReason};

/// Outcome of one call.
pub(super) struct ExecutedCall {
    pub(super) transaction: executor::Transaction,
    pub(super) sender: Address,
    pub(super) result: ExecutionResult<HaltReason>,
    /// Logs of the call, including those that represent ether transfers.
    pub(super) logs: Vec<Log>,
}

pub(super) type Results = Vec<(ExecutionResult<HaltReason>, Vec<Log>)>;

pub(super) fn split(made: Vec<ExecutedCall>) -> (Results, Vec<Transaction>, Vec<Address>) {
    let (mut results, mut transactions, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    for ExecutedCall { transaction, sender, result, logs } in made {
        results.push((result, logs));
        transactions.push(transaction.into());
        senders.push(sender);
    }
    (results, transactions, senders)
}

/// Results of a block's calls, built once the block hash is known.
pub(super) fn describe(block: &Block, results: Results) -> Vec<SimCallResult> {
    let mut position = 0;
    let transactions = block.transactions.iter().enumerate();
    results
        .into_iter()
        .zip(transactions)
        .map(|((result, logs), (index, transaction))| {
            let logs = logs
                .into_iter()
                .map(|inner| {
                    position += 1;
                    RpcLog {
                        inner,
                        block_hash: Some(block.hash),
                        block_number: Some(block.header.number),
                        block_timestamp: Some(block.header.timestamp),
                        transaction_hash: Some(*transaction.hash()),
                        transaction_index: Some(index as u64),
                        log_index: Some(position - 1),
                        removed: false,
                    }
                })
                .collect();
            call_result(&result, logs)
        })
        .collect()
}

fn call_result(result: &ExecutionResult<HaltReason>, logs: Vec<RpcLog>) -> SimCallResult {
    let gas = result.gas();
    let error = match result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { output, .. } => Some(SimulateError {
            code: codes::REVERTED,
            message: match revert_reason(output) {
                Some(reason) => format!("execution reverted: {reason}"),
                None => "execution reverted".to_owned(),
            },
            data: Some(output.clone()),
        }),
        ExecutionResult::Halt { reason, .. } => {
            Some(SimulateError { code: code::VM, message: halt_reason(reason), data: None })
        }
    };
    SimCallResult {
        return_data: match result {
            ExecutionResult::Success { output, .. } => output.data().clone(),
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => Bytes::new(),
        },
        logs: if result.is_success() { logs } else { Vec::new() },
        gas_used: gas.tx_gas_used(),
        max_used_gas: Some(gas.total_gas_spent().max(gas.floor_gas())),
        status: result.is_success(),
        error,
    }
}
