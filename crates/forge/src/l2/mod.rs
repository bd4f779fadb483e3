//! L2 chains for tests in Solidity.
//!
//! A chain is identified by the hash of its head: a request names a block, and a block built on it
//! has its own hash. Data is append-only, so a test can return to an earlier block, and tests can
//! run concurrently.

mod abi;
mod change;
mod draft;
mod genesis;
mod query;
mod seal;
mod sign;
mod store;
mod whole_state;

use crate::{ForgeAnswer, ForgeError, Profile, Workspace};
use abi::IL2::{self, IL2Calls as Calls};
use alloy_primitives::B256;
use alloy_sol_types::{SolCall, SolInterface};
use wire::{ProtocolFork, SchemaId};

/// Handles the request with this hash, which is the calldata of a function of `IL2`.
///
/// The result is the ABI-encoded return data of the function.
pub fn l2(workspace: &Workspace, request: B256) -> ForgeAnswer {
    workspace.take_request(request).and_then(|request| answer(workspace, &request)).into()
}

fn answer(workspace: &Workspace, request: &[u8]) -> Result<Vec<u8>, ForgeError> {
    let call =
        Calls::abi_decode(request).map_err(|error| ForgeError::Request(error.to_string()))?;
    Ok(match call {
        Calls::genesis(call) => {
            let head = genesis::create(workspace, &call.genesis_)?;
            IL2::genesisCall::abi_encode_returns(&head)
        }
        Calls::sealBlock(call) => {
            let sealed = seal::seal(workspace, &call.block_, &call.transactions)?;
            IL2::sealBlockCall::abi_encode_returns(&sealed)
        }
        Calls::sign(call) => {
            let raw = sign::sign(workspace, &call)?;
            IL2::signCall::abi_encode_returns(&raw)
        }
        Calls::nextNonce(call) => {
            let nonce = sign::next_nonce(workspace, &call)?;
            IL2::nextNonceCall::abi_encode_returns(&nonce)
        }
        Calls::input(call) => {
            let body = store::body(workspace, &call.blockHash)?;
            IL2::inputCall::abi_encode_returns(&body.input)
        }
        Calls::wideInput(call) => {
            let input = query::wide_input(workspace, call.blockHash)?;
            IL2::wideInputCall::abi_encode_returns(&input)
        }
        Calls::batch(call) => {
            let input = query::batch(&call.inputs)?;
            IL2::batchCall::abi_encode_returns(&input)
        }
        Calls::receipts(call) => store::body(workspace, &call.blockHash)?.receipts.into(),
        Calls::prove(call) => {
            let proof = query::prove(workspace, &call)?;
            IL2::proveCall::abi_encode_returns(&proof)
        }
        Calls::code(call) => {
            let code = query::code(workspace, &call)?;
            IL2::codeCall::abi_encode_returns(&code)
        }
        Calls::callAt(call) => {
            let outcome = query::call_at(workspace, &call)?;
            IL2::callAtCall::abi_encode_returns(&outcome)
        }
        Calls::change(call) => {
            let input = change::change(&call.input_, &call.changes, call.rehash)?;
            IL2::changeCall::abi_encode_returns(&input)
        }
        Calls::verify(call) => IL2::verifyCall::abi_encode_returns(&verify(&call)?),
    })
}

/// Runs EXECUTE in the dialect of the profile with unlimited gas, and returns the reason if it
/// rejects the input.
fn verify(call: &IL2::verifyCall) -> Result<IL2::verifyReturn, ForgeError> {
    let profile: Profile = call.profile.parse()?;
    Ok(match profile.execute().run_as(profile.dialect(), &call.input_, u64::MAX, |_| {}) {
        Ok(executed) => {
            IL2::verifyReturn { valid: true, reason: String::new(), charge: executed.gas }
        }
        Err(refusal) => IL2::verifyReturn { valid: false, reason: refusal.to_string(), charge: 0 },
    })
}

/// Returns the fork of a schema id, if blocks can be built for it.
fn fork_of(schema: u16) -> Result<ProtocolFork, ForgeError> {
    let id = SchemaId::new(schema);
    let fork = id.fork().or_else(|| draft::fork_of(id));
    fork.filter(|fork| *fork >= ProtocolFork::Cancun).ok_or_else(|| {
        ForgeError::Refused(format!(
            "schema {id} is not that of a fork from Cancun on; 0x1201 is Osaka's, 0x1501 Amsterdam's, \
             and 0x1279 Osaka's on a chain of the EIP-8079 draft"
        ))
    })
}
