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

/// Error codes that the specification defines.
mod code {
    pub(super) const NONCE_TOO_LOW: i32 = -38_010;
    pub(super) const NONCE_TOO_HIGH: i32 = -38_011;
    pub(super) const FEE_TOO_LOW: i32 = -38_012;
    pub(super) const INTRINSIC_GAS: i32 = -38_013;
    pub(super) const FUNDS: i32 = -38_014;
    pub(super) const BLOCK_GAS: i32 = -38_015;
    pub(super) const NUMBER: i32 = -38_020;
    pub(super) const TIMESTAMP: i32 = -38_021;
    pub(super) const SENDER: i32 = -38_024;
    pub(super) const INIT_CODE: i32 = -38_025;
    pub(super) const TOO_MUCH: i32 = -38_026;
    pub(super) const VM: i32 = -32_015;
}

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
