//! The end of a rollup.

use super::{ExitError, proven};
use crate::{L2_MESSENGER, bindings::IRollupExit::closeCall};
use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use chain::AccountProof;

/// Slot of `L2Messenger` with the number of relayed messages in the low 64 bits.
pub const RELAYED_SLOT: U256 = U256::ZERO;

/// Call that closes a rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Number of messages that the L2 has relayed.
    pub relayed: u64,
    /// Calldata of `RollupExit.close`.
    pub calldata: Bytes,
}

impl Closing {
    /// Returns the call that closes the rollup whose head has this state root. The proof is for
    /// `L2_MESSENGER` and [`RELAYED_SLOT`].
    ///
    /// # Errors
    ///
    /// [`ExitError`] if the nodes do not prove exactly that.
    pub fn new(state_root: B256, proof: AccountProof) -> Result<Self, ExitError> {
        let account = proven::account(state_root, L2_MESSENGER, &proof.nodes)?;
        let [value] = proven::slots(L2_MESSENGER, account.storage_root, [RELAYED_SLOT], &proof)?;
        let nodes = proof.slots.into_iter().flat_map(|slot| slot.nodes).collect();
        let call = closeCall { accountProof: proof.nodes, storageProof: nodes };
        Ok(Self { relayed: relayed(value), calldata: call.abi_encode().into() })
    }
}

/// Returns the number of relayed messages in the value of [`RELAYED_SLOT`].
pub(super) const fn relayed(value: U256) -> u64 {
    value.as_limbs()[0]
}
