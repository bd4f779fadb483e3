//! Console output about each block: its transactions, their failures and their `console.log` lines.

use alloy_consensus::Transaction as _;
use chain::{Block, ChainError, ExecuteDraw, Replay};
use node::{Node, Observer};
use revm::context::result::{ExecutionResult, HaltReason};
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};
use rpc::{CONSOLE_OUTPUT, ConsoleOptions, ExecuteCall, Note, Telemetry};
use std::{
    mem,
    sync::{Arc, Weak},
    time::{Duration, UNIX_EPOCH},
};

/// Prints blocks after they are built.
#[derive(Debug)]
pub(crate) struct ConsoleOutput {
    node: Weak<Node>,
    telemetry: Arc<Telemetry>,
}

/// Details of a transaction that its receipt does not contain.
struct TransactionOutput {
    result: ExecutionResult<HaltReason>,
    notes: Vec<Note>,
    trace: String,
}

impl ConsoleOutput {
    pub(crate) fn new(node: &Arc<Node>, telemetry: Arc<Telemetry>) -> Self {
        Self { node: Arc::downgrade(node), telemetry }
    }

    /// Re-executes a block for details that are not stored.
    fn replay(
        &self,
        block: &Arc<Block>,
        traced: bool,
    ) -> Result<Vec<TransactionOutput>, ChainError> {
        let Some(node) = self.node.upgrade() else { return Ok(Vec::new()) };
        let parent = node.read(|node| node.chain.state_before(block))?;
        let Some(parent) = parent else { return Ok(Vec::new()) };
        let config =
            if traced { TracingInspectorConfig::all() } else { TracingInspectorConfig::none() };
        let mut state = parent.open();
        let mut replay = Replay::new(&parent, &mut state, block, TracingInspector::new(config))?;
        let mut all = Vec::new();
        loop {
            let (seen, notes) = rpc::watch_again(|| {
                replay.inspect(|_, evm, _, done| -> Result<_, ChainError> {
                    let inspector = alloy_evm::Evm::inspector_mut(evm);
                    let calls = traced.then(|| mem::take(inspector.traces_mut()));
                    inspector.fuse();
                    Ok((done.result.clone(), calls))
                })
            });
            let Some((result, calls)) = seen? else { return Ok(all) };
            let trace =
                calls.map(|calls| rpc::call_tree(calls, &notes, &self.telemetry.console_options));
            all.push(TransactionOutput { result, notes, trace: trace.unwrap_or_default() });
        }
    }

    fn print_transaction(&self, block: &Block, index: usize, seen: Option<&TransactionOutput>) {
        let (transaction, receipt) = (&block.transactions[index], &block.executed.receipts[index]);
        let ConsoleOptions { failures, traces, .. } = self.telemetry.console_options;
        if let Some(seen) = seen {
            self.telemetry.printed(&seen.notes);
            if traces || failures && !receipt.success {
                let text = format!("Traces:\n{}", seen.trace);
                tracing::info!(target: CONSOLE_OUTPUT, text, trace = seen.trace, "traces");
            }
        }
        let (hash, gas) = (transaction.hash(), block.transaction_gas(index));
        let created = (receipt.success && transaction.is_create())
            .then(|| block.senders[index].create(transaction.nonce()));
        let error = seen.filter(|_| !receipt.success).map(|seen| failure(&seen.result));
        let refusals = seen.map(|seen| refusals(&seen.notes)).unwrap_or_default();
        let draw = block.execute_draw(index);
        let mut text = format!("\n    Transaction: {hash}");
        if let Some(created) = created {
            text += &format!("\n    Contract created: {created}");
        }
        text += &format!("\n    Gas used: {gas}");
        if let Some(ExecuteDraw { gas, price, .. }) = draw {
            text += &format!("\n    EXECUTE gas used: {gas}\n    EXECUTE gas price: {price} wei");
        }
        if let Some(error) = &error {
            text += &format!("\n    Error: reverted with: {error}");
        }
        for reason in &refusals {
            text += &format!("\n    EXECUTE refused: {reason}");
        }
        tracing::info!(
            target: CONSOLE_OUTPUT,
            text,
            transactionHash = %hash,
            gasUsed = gas,
            executeGasUsed = draw.map(|draw| draw.gas),
            executeGasPrice = draw.map(|draw| tracing::field::display(draw.price)),
            blockNumber = block.header.number,
            created = created.map(tracing::field::display),
            error,
            refused = (!refusals.is_empty()).then(|| refusals.join("; ")),
            "transaction"
        );
    }
}

impl Observer for ConsoleOutput {
    fn on_block(&self, block: &Arc<Block>, waiting: usize) {
        let header = &block.header;
        self.telemetry.record_block(
            header.number,
            block.transactions.len(),
            header.gas_used,
            waiting,
        );
        let printed = rpc::take_missed();
        if !self.telemetry.has_console_output() {
            return;
        }
        let ConsoleOptions { failures, traces, .. } = self.telemetry.console_options;
        let failed = block.executed.receipts.iter().any(|receipt| !receipt.success);
        let traced = traces || failures && failed;
        let seen = if printed || failed || traced && !block.transactions.is_empty() {
            self.replay(block, traced).unwrap_or_else(|error| {
                tracing::debug!(%error, "failed to re-execute block for console output");
                Vec::new()
            })
        } else {
            Vec::new()
        };
        for index in 0..block.transactions.len() {
            self.print_transaction(block, index, seen.get(index));
        }
        let (number, hash, time) = (header.number, block.hash, date(header.timestamp));
        let text = format!(
            "\n    Block Number: {number}\n    Block Hash: {hash}\n    Block Time: \"{time}\"\n"
        );
        tracing::info!(
            target: CONSOLE_OUTPUT,
            text,
            blockNumber = number,
            blockHash = %hash,
            timestamp = header.timestamp,
            gasUsed = header.gas_used,
            transactions = block.transactions.len(),
            "block"
        );
    }
}

fn refusals(notes: &[Note]) -> Vec<String> {
    let reason = |note: &Note| match note {
        Note::Execute(ExecuteCall { outcome: Err(reason), .. }) => Some(reason.to_string()),
        Note::Execute(_) | Note::Console(_) => None,
    };
    notes.iter().filter_map(reason).collect()
}

/// Returns the reason why a transaction failed.
fn failure(result: &ExecutionResult<HaltReason>) -> String {
    match result {
        ExecutionResult::Success { .. } => String::new(),
        ExecutionResult::Revert { output, .. } => rpc::revert_words(output),
        ExecutionResult::Halt { reason, .. } => chain::halt_reason(reason),
    }
}

/// Formats a timestamp as an RFC 2822 date; out-of-range ones as a number.
fn date(timestamp: u64) -> String {
    /// Last second of the year 9999.
    const LAST: u64 = 253_402_300_799;
    if timestamp > LAST {
        return timestamp.to_string();
    }
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(timestamp));
    text.replace("GMT", "+0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_dates_until_year_9999() {
        assert_eq!(date(1_795_216_493), "Fri, 20 Nov 2026 23:14:53 +0000");
        assert_eq!(date(u64::MAX), u64::MAX.to_string());
    }
}
