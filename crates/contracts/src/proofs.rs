//! Proofs of the L2's state for L1.

use crate::bindings::IL1MessageQueue::MessageProof;
use alloy_consensus::EMPTY_ROOT_HASH;
use chain::AccountProof;

/// Evidence for `L1MessageQueue.claim` that the L2 holds a message to L1 after block `number`: of
/// [`L2_MESSENGER`](crate::L2_MESSENGER) and the [slot of the message](crate::sent_slot), as
/// `eth_getProof` proves them.
pub fn message_proof(number: u64, proof: AccountProof) -> MessageProof {
    MessageProof {
        l2Block: number,
        storageRoot: proof.account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root),
        accountProof: proof.nodes,
        storageProof: proof.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
    }
}
