//! Repair of headers by the values that EXECUTE expects.

use crate::forked_chain::ForkedChain;
use alloy_primitives::U256;
use codec::Encode as _;
use execute::ExecuteError;
use stateless::{Invalid, header_of};
use wire::{ExecutionPayload, Input, NewPayloadRequest, ProtocolFork};

/// Maximum number of fields that are repaired in one input.
const MAX_REPAIRS: usize = 12;

/// Sets fields of headers to the values that EXECUTE expects, until it accepts the input or rejects
/// it for another reason. The parent hash of a child is updated with the hash of a repaired block;
/// a wrong parent hash is not repaired.
pub(crate) fn repaired(forked: &ForkedChain, mut calldata: Vec<u8>) -> Vec<u8> {
    for _ in 0..MAX_REPAIRS {
        let verdict = forked.open.verdict(&calldata);
        let Err(refused) = &*verdict else { break };
        let again = match Input::decode(&calldata) {
            Ok(Input::Block(mut input)) => {
                repair(core::slice::from_mut(&mut input.request), input.fork, refused)
                    .map(|()| input.encode())
            }
            Ok(Input::Batch(mut batch)) => {
                repair(&mut batch.requests, batch.fork, refused).map(|()| batch.encode())
            }
            Err(_) => None,
        };
        match again {
            Some(again) if again != calldata => calldata = again,
            _ => break,
        }
    }
    calldata
}

/// Repairs the rejected block, recomputes its hash, and updates its child. Returns `None` if the
/// reason does not contain an expected value.
fn repair(
    requests: &mut [NewPayloadRequest<'_>],
    fork: ProtocolFork,
    refused: &ExecuteError,
) -> Option<()> {
    let (block, reason) = match refused {
        ExecuteError::InBatch { block, reason } => (*block, &**reason),
        reason => (0, reason),
    };
    let ExecuteError::Invalid(reason) = reason else { return None };
    let request = requests.get_mut(block)?;
    let before = request.payload.block_hash;
    repair_field(&mut request.payload, block, reason);
    let after = header_of(request, fork)?.hash_slow();
    request.payload.block_hash = after;
    if let Some(child) = requests.get_mut(block + 1)
        && child.payload.parent_hash == before
    {
        child.payload.parent_hash = after;
        child.payload.block_hash = header_of(child, fork)?.hash_slow();
    }
    Some(())
}

fn repair_field(payload: &mut ExecutionPayload<'_>, block: usize, reason: &Invalid) {
    let low = |number: &U256| number.saturating_to::<u64>();
    match reason {
        Invalid::Header { field: "number", expected, .. } => payload.block_number = low(expected),
        Invalid::Header { field: "base fee", expected, .. } => {
            payload.base_fee_per_gas = *expected;
        }
        Invalid::Header { field: "excess blob gas", expected, .. } => {
            payload.excess_blob_gas = low(expected);
        }
        Invalid::HeaderRange { field: "timestamp", min, .. } => payload.timestamp = low(min),
        Invalid::HeaderRange { field: "gas limit", min, .. } => payload.gas_limit = low(min),
        Invalid::BrokenAncestry { got, .. } if block == 0 => payload.parent_hash = *got,
        Invalid::GasBeyondClaim { .. } => payload.gas_used = payload.gas_limit,
        Invalid::Amount { what: "gas used", expected, .. } => payload.gas_used = *expected,
        Invalid::Amount { expected, .. } => payload.blob_gas_used = *expected,
        Invalid::Commitment { what: "receipts root", expected, .. } => {
            payload.receipts_root = *expected;
        }
        Invalid::Commitment { what: "state root", expected, .. } => payload.state_root = *expected,
        _ => {}
    }
}
