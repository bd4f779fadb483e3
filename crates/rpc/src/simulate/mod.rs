//! `eth_simulateV1`: execution of simulated blocks.
//!
//! Each simulated block is executed like a real one, including system calls. Its header is
//! complete, so its hash is real; only its transactions are unsigned.

mod block;
mod call;
mod payload;
mod result;

use crate::{Api, Registry, RpcBlock, RpcError, convert};
use alloy_eips::BlockId;
use alloy_rpc_types_eth::simulate::SimulatedBlock;
use block::Simulation;
use payload::SimulatePayload;
use rpc_types::codes::simulate as code;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("eth_simulateV1", |api, args| {
        let payload: SimulatePayload = args.required()?;
        let block: BlockId = args.or_default()?;
        simulate(api, payload, block)
    });
}

fn simulate(
    api: &Api,
    payload: SimulatePayload,
    block: BlockId,
) -> Result<Vec<SimulatedBlock<RpcBlock>>, RpcError> {
    if payload.block_state_calls.is_empty() {
        return Err(RpcError::params("empty input: give at least one block"));
    }
    let base = api.state(block)?.detached();
    let block_limit = base.block().header.gas_limit;
    let blocks = payload::complete(payload.block_state_calls, &base.block().header)?;
    let mut simulation = Simulation {
        state: base,
        gas: api.gas_cap(block_limit),
        deadline: api.call_deadline(),
        validation: payload.validation,
        trace_transfers: payload.trace_transfers,
    };
    blocks
        .iter()
        .map(|block| {
            let (built, calls) = simulation.block(block)?;
            Ok(SimulatedBlock {
                inner: convert::block(&built, payload.return_full_transactions),
                calls,
            })
        })
        .collect()
}
