//! What a transaction on L1 has cost, measured by tracing it.

use alloy_primitives::{Address, B256, Bytes, U64};
use client::Client;
use execute::EXECUTE_ADDRESS;
use eyre::{OptionExt as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The parts of what a transaction has cost, in gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Measured {
    /// Before its first step: 21,000 and its calldata.
    pub(crate) intrinsic: u64,
    /// In the frames of EXECUTE.
    pub(crate) execute: u64,
    /// In all other steps.
    pub(crate) contracts: u64,
    /// What comes back for storage that was cleared.
    pub(crate) refund: u64,
    /// What its receipt says.
    pub(crate) receipt: u64,
}

impl Measured {
    /// The parts together, where calldata do not make it dearer (EIP-7623).
    const fn sum(&self) -> u64 {
        self.intrinsic + self.execute + self.contracts - self.refund
    }

    pub(crate) fn shown(&self) -> String {
        let Self { intrinsic, execute, contracts, refund, receipt } = self;
        format!(
            "traced: {intrinsic} gas for calldata and 21000, {execute} in EXECUTE, {contracts} in the \
             contracts, {refund} refunded: {receipt}, as the receipt says"
        )
    }
}

/// A frame of a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    to: Option<Address>,
    gas_used: U64,
    #[serde(default)]
    calls: Vec<Self>,
}

/// Gas that the calls of EXECUTE in this frame and below it have used.
fn in_execute(frame: &Frame) -> u64 {
    if frame.to == Some(EXECUTE_ADDRESS) {
        return frame.gas_used.to();
    }
    frame.calls.iter().map(in_execute).sum()
}

/// Measures a transaction that was sent with this much gas and these calldata.
///
/// # Errors
///
/// If it cannot be traced, or its parts are not what its receipt says.
pub(crate) fn measure(
    node: &Client,
    hash: B256,
    gas_limit: u64,
    calldata: &Bytes,
) -> Result<Measured> {
    let frame: Frame =
        node.request("debug_traceTransaction", (hash, json!({ "tracer": "callTracer" })))?;
    let without = json!({ "disableMemory": true, "disableStack": true, "disableStorage": true });
    let steps: Value = node.request("debug_traceTransaction", (hash, without))?;
    let steps = steps["structLogs"].as_array().ok_or_eyre("a trace without steps")?;
    let (first, last) = (steps.first().ok_or_eyre("no step")?, steps.last().ok_or_eyre("no step")?);
    let of = |step: &Value, key: &str| step[key].as_u64();
    let begins = of(first, "gas").ok_or_eyre("a step without gas")?;
    let ends = of(last, "gas").zip(of(last, "gasCost")).ok_or_eyre("a step without gas")?;
    let execution = begins - (ends.0 - ends.1);
    let execute = in_execute(&frame);
    let intrinsic = gas_limit - begins;
    let refund = of(last, "refund").unwrap_or_default().min((intrinsic + execution) / 5);
    let (contracts, receipt) = (execution - execute, frame.gas_used.to());
    let measured = Measured { intrinsic, execute, contracts, refund, receipt };

    // EIP-2028 and EIP-7623.
    let tokens = calldata.iter().map(|byte| if *byte == 0 { 1 } else { 4 }).sum::<u64>();
    ensure!(intrinsic == 21_000 + 4 * tokens, "{hash}: {measured:?} before the first step");
    let floor = 21_000 + 10 * tokens;
    ensure!(measured.sum().max(floor) == receipt, "{hash}: {measured:?} does not sum up");
    Ok(measured)
}
