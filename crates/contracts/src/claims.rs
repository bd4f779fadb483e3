//! Proofs of L2→L1 messages from a chain.

use crate::bindings::IL1MessageQueue::MessageProof;
use alloy_consensus::EMPTY_ROOT_HASH;
use chain::AccountProof;

/// Converts the proof of [`L2_MESSENGER`](crate::L2_MESSENGER) and the [slot of the
/// message](crate::sent_slot) at L2 block `number` to the proof argument of `L1MessageQueue.claim`.
pub fn message_proof(number: u64, proof: AccountProof) -> MessageProof {
    MessageProof {
        l2Block: number,
        storageRoot: proof.account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root),
        accountProof: proof.nodes,
        storageProof: proof.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
    }
}
