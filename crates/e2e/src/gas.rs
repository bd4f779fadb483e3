//! Gas of an L1 transaction according to its trace, and the charge of EXECUTE according to its
//! schedule.

use alloy_primitives::{Address, B256, Bytes, U64};
use client::Client;
use execute::{EXECUTE_ADDRESS, FURTHER_BLOCK_GAS, Items, Pricing, WorkCount};
use eyre::{OptionExt as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stateless::{ChainSpec, UncheckedBlocks, VerifyOptions};
use std::sync::Arc;
use testkit::localnet::units::grouped;
use variants::GasSchedule;
use wire::{NewPayloadRequest, ProtocolFork, SchemaId, StatelessBatch, StatelessInput};

/// Gas of a transaction, split into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Measured {
    /// Gas charged before the first step: 21,000 and the gas of the calldata.
    pub(crate) intrinsic: u64,
    /// Gas used by EXECUTE calls.
    pub(crate) execute: u64,
    /// Gas used by all other steps.
    pub(crate) contracts: u64,
    /// Gas refunded for cleared storage.
    pub(crate) refund: u64,
    /// Gas used according to the receipt.
    pub(crate) receipt: u64,
}

impl Measured {
    /// Sum of the parts, before the calldata floor of EIP-7623.
    const fn sum(&self) -> u64 {
        self.intrinsic + self.execute + self.contracts - self.refund
    }

    pub(crate) fn shown(&self) -> String {
        let Self { intrinsic, execute, contracts, refund, receipt } = self;
        let [intrinsic, execute, contracts, receipt] =
            [intrinsic, execute, contracts, receipt].map(|gas| grouped(*gas));
        let refund = match refund {
            0 => String::new(),
            gas => format!(", less {} refunded", grouped(*gas)),
        };
        format!(
            "its trace sums up to the receipt's {receipt} gas: {intrinsic} intrinsic, {execute} in EXECUTE, \
             {contracts} in the contracts{refund}"
        )
    }
}

/// Call frame of geth's `callTracer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    to: Option<Address>,
    gas_used: U64,
    #[serde(default)]
    calls: Vec<Self>,
}

/// Returns the gas used by EXECUTE calls in this frame and its subcalls.
fn in_execute(frame: &Frame) -> u64 {
    if frame.to == Some(EXECUTE_ADDRESS) {
        return frame.gas_used.to();
    }
    frame.calls.iter().map(in_execute).sum()
}

/// Measures a transaction by its trace.
///
/// # Errors
///
/// Fails if the transaction cannot be traced or its parts do not sum up to the receipt's gas.
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

/// Charge of EXECUTE for a valid input under the default schedule, in gas. The parts are those of
/// `docs/gas.md`; they are computed independently of EXECUTE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheduled {
    /// Charge for the input: the call, bytes and items.
    pub(crate) input: u64,
    /// Gas used by the blocks, and the base charge of each block after the first.
    pub(crate) blocks: u64,
    /// Charge for underpriced work beyond what the blocks' gas covers.
    pub(crate) underpriced_work: u64,
}

impl Scheduled {
    /// Computes the parts for a block or a batch by verifying its blocks.
    pub(crate) fn of(calldata: &[u8]) -> Result<Self> {
        if SchemaId::of(calldata)?.batch_fork().is_some() {
            let batch = StatelessBatch::decode(calldata)?;
            let witness = &batch.witness;
            let items = witness.state.len() + witness.codes.len() + witness.headers.len();
            // The schedule charges for compact nodes by their expanded size.
            let state = &witness.state;
            let expansion = state.expanded_len().saturating_sub(state.stream().len());
            let input = price(calldata.len() + expansion, batch.fork, &batch.requests, items);
            let blocks = UncheckedBlocks::decode_batch(&batch)?;
            return Self::verified(input, &blocks, batch.chain_id, batch.fork);
        }
        let input = StatelessInput::decode(calldata)?;
        let witness = &input.witness;
        let items = witness.state.len() + witness.codes.len() + witness.headers.len();
        let requests = core::slice::from_ref(&input.request);
        let price = price(calldata.len(), input.fork, requests, items);
        let blocks = UncheckedBlocks::decode(&input)?;
        Self::verified(price, &blocks, input.chain_id, input.fork)
    }

    fn verified(
        input: u64,
        blocks: &UncheckedBlocks<'_, '_>,
        chain_id: u64,
        fork: ProtocolFork,
    ) -> Result<Self> {
        let pricing: Arc<dyn Pricing> = GasSchedule::DEFAULT.into();
        let work = WorkCount::new(&pricing, &());
        let options = VerifyOptions { evm: work.overrides(), ..VerifyOptions::default() };
        let spec = ChainSpec::for_input(chain_id, fork);
        let verdicts = blocks.verify(&spec, options, |_| {})?;
        let used: u64 = verdicts.iter().map(|verdict| verdict.header.gas_used).sum();
        Ok(Self {
            input,
            blocks: used + FURTHER_BLOCK_GAS * (verdicts.len() as u64 - 1),
            // A quarter of the blocks' gas covers underpriced work.
            underpriced_work: work.work().spent.saturating_sub(used / 4),
        })
    }

    pub(crate) const fn sum(&self) -> u64 {
        self.input + self.blocks + self.underpriced_work
    }

    pub(crate) fn shown(&self) -> String {
        let [sum, input, blocks] = [self.sum(), self.input, self.blocks].map(grouped);
        let extra = match self.underpriced_work {
            0 => String::new(),
            gas => format!(" + {} for underpriced work", grouped(gas)),
        };
        format!("{sum} gas = {blocks} of the block + {input} for the input{extra}")
    }
}

/// Computes `base + request · request_byte + rest · witness_byte + items · item`; transactions
/// count as items.
fn price(
    bytes: usize,
    fork: ProtocolFork,
    requests: &[NewPayloadRequest<'_>],
    items: usize,
) -> u64 {
    let Items { base, request_byte, witness_byte, item } = Items::DEFAULT;
    let request: usize = requests.iter().map(|request| request.encoded_len(fork)).sum();
    let transactions: usize =
        requests.iter().map(|request| request.payload.transactions.len()).sum();
    base + request as u64 * request_byte
        + (bytes - request) as u64 * witness_byte
        + (items + transactions) as u64 * item
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_genesis::GenesisAccount;
    use alloy_primitives::{U256, hex};
    use execute::Execute;
    use testkit::{CHAIN_ID, ETHER, Key, L2, rich_genesis};

    /// Code that hashes 100,000 bytes of memory in a loop until it runs out of gas.
    const HASHER: &[u8] = &hex!("5b 620186a0 5f 20 50 5f 56");

    /// For blocks and batches, with and without underpriced work.
    #[test]
    fn execute_charge_is_sum_of_its_parts() {
        let fork = ProtocolFork::Osaka;
        let (plain, hasher) = (Address::repeat_byte(0xb0), Address::repeat_byte(0x4a));
        let mut genesis = rich_genesis(fork, ["alice"], ETHER);
        let code = Some(Bytes::from_static(HASHER));
        genesis.alloc.insert(hasher, GenesisAccount { code, ..Default::default() });
        for (to, is_underpriced) in [(plain, false), (hasher, true)] {
            let mut l2 = L2::new(CHAIN_ID, fork, &genesis).unwrap();
            let mut inputs = Vec::new();
            let mut blocks = Vec::new();
            for number in 1..=2 {
                let alice = Key::named("alice");
                let call = l2.sign(&alice, to.into(), U256::ZERO, Bytes::new(), 300_000).unwrap();
                let time = genesis.timestamp + 12 * number;
                let (block, rejected) = l2.seal(time, B256::ZERO, vec![call]).unwrap();
                assert!(rejected.is_empty(), "{rejected:?}");
                inputs.push(block.input().unwrap());
                blocks.push(l2.append(block).unwrap());
            }
            inputs.push(l2.chain().batch(blocks).unwrap().input().unwrap());
            for input in inputs {
                let parts = Scheduled::of(&input).unwrap();
                assert_eq!(parts.sum(), Execute::default().run(&input, u64::MAX).unwrap().gas);
                assert_eq!(parts.underpriced_work > 0, is_underpriced, "{parts:?}");
            }
        }
    }
}
