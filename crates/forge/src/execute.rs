//! An EXECUTE call.

use crate::{ForgeAnswer, ForgeError, Profile, Workspace};
use alloy_primitives::{B256, U256};

/// Runs EXECUTE on the request with this hash, for a call that was given `gas`.
///
/// The result is the charge (8 bytes, big-endian), followed by the return data of EXECUTE in the
/// dialect of the profile.
pub fn execute(workspace: &Workspace, profile: &Profile, request: B256, gas: U256) -> ForgeAnswer {
    let calldata = match workspace.take_request(request) {
        Ok(calldata) => calldata,
        Err(error) => return Err(error).into(),
    };
    profile
        .execute()
        .answer(profile.dialect(), &calldata, gas.saturating_to())
        .map(|answer| [&answer.gas.to_be_bytes()[..], &answer.output].concat())
        .map_err(|refusal| ForgeError::Refused(refusal.to_string()))
        .into()
}
