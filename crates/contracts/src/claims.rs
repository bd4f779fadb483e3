//! Claims of messages to L1: their logs on the L2, proofs of them, and the call that claims them.

use crate::{
    L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{MessageProof, claimCall},
        IL2Messenger::MessageSent,
    },
    sent_slot,
};
use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use alloy_trie::{
    Nibbles,
    proof::{ProofVerificationError, verify_proof},
};
use chain::AccountProof;

/// Error in a log or a proof of a message to L1.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The log is of another event.
    #[error("it is not a MessageSent event: {0}")]
    Event(alloy_sol_types::Error),
    /// The log is of another message.
    #[error("it is of message {got}, not of {expected}")]
    Index {
        /// Number of the message in the log.
        got: u64,
        /// Number of the message that was asked for.
        expected: u64,
    },
    /// The gas limit of the message is beyond 32 bits.
    #[error("it asks for {0} gas, more than any message may")]
    Gas(u64),
    /// The nodes do not lead to the account.
    #[error("the nodes do not prove the account of the messenger: {}", shortened(.0))]
    Account(ProofVerificationError),
    /// The proof has other slots than the one of the message.
    #[error("one slot was asked for, and {0} are proven")]
    Slots(usize),
    /// The nodes do not lead to the message.
    #[error("the nodes do not prove that the messenger holds the message: {}", shortened(.0))]
    Slot(ProofVerificationError),
}

/// Returns the message to L1 with this number from its log on the L2.
///
/// # Errors
///
/// If the log is of something else.
pub fn logged_message(log: &Log, index: u64) -> Result<Message, ClaimError> {
    let event = MessageSent::decode_log(log).map_err(ClaimError::Event)?;
    if event.index != index {
        return Err(ClaimError::Index { got: event.index, expected: index });
    }
    Message::from_l2_event(&event).ok_or(ClaimError::Gas(event.gasLimit))
}

/// Verifies as L1 does that an L2 with this state root holds a message to L1. The proof is of [`L2_MESSENGER`] and the
/// [slot of the message](sent_slot).
///
/// # Errors
///
/// If the proof shows anything else.
pub fn verify_message(
    state_root: B256,
    message: &Message,
    proof: &AccountProof,
) -> Result<(), ClaimError> {
    let path = |key: &[u8]| Nibbles::unpack(keccak256(key));
    let leaf = proof.account.map(alloy_rlp::encode);
    verify_proof(state_root, path(L2_MESSENGER.as_slice()), leaf, &proof.nodes)
        .map_err(ClaimError::Account)?;
    let [slot] = &proof.slots[..] else { return Err(ClaimError::Slots(proof.slots.len())) };
    let leaf = Some(alloy_rlp::encode(U256::from_be_bytes(message.hash().0)));
    let path = path(&sent_slot(message.index).to_be_bytes::<32>());
    verify_proof(storage_root(proof), path, leaf, &slot.nodes).map_err(ClaimError::Slot)
}

/// Returns the calldata of `L1MessageQueue.claim` for a message to L1, with the proof that L2 block `number` holds it.
pub fn claim_calldata(
    message: &Message,
    number: u64,
    proof: AccountProof,
    fee_recipient: Address,
) -> Bytes {
    let proof = message_proof(number, proof);
    claimCall { message: message.into(), proof, feeRecipient: fee_recipient }.abi_encode().into()
}

/// Evidence for `L1MessageQueue.claim` that the L2 holds a message to L1 after block `number`: of [`L2_MESSENGER`] and
/// the [slot of the message](sent_slot), as `eth_getProof` proves them.
pub fn message_proof(number: u64, proof: AccountProof) -> MessageProof {
    MessageProof {
        l2Block: number,
        storageRoot: storage_root(&proof),
        accountProof: proof.nodes,
        storageProof: proof.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
    }
}

fn storage_root(proof: &AccountProof) -> B256 {
    proof.account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root)
}

/// Formats an error without the nodes that it is about.
fn shortened(error: &ProofVerificationError) -> String {
    match error {
        ProofVerificationError::ValueMismatch { path, expected: Some(_), got: Some(_) } => {
            format!("another value at the path {path:?}")
        }
        ProofVerificationError::ValueMismatch { path, .. } => {
            format!("no value at the path {path:?}")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::LogData;

    fn sent(index: u64, gas: u64) -> Log {
        let event = MessageSent {
            index,
            sender: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            refundTo: Address::repeat_byte(3),
            value: 4,
            fee: 5,
            gasLimit: gas,
            data: Bytes::from_static(b"data"),
        };
        Log { address: L2_MESSENGER, data: event.encode_log_data() }
    }

    #[test]
    fn a_log_is_taken_for_a_message_only_if_it_is_of_the_one_that_was_asked_for() {
        let message = logged_message(&sent(7, 6), 7).unwrap();
        assert_eq!((message.index, message.gas_limit, message.value), (7, 6, 4));
        assert_eq!(message.data, Bytes::from_static(b"data"));
        let refused = |log: &Log| logged_message(log, 7).unwrap_err();
        assert!(matches!(refused(&sent(8, 6)), ClaimError::Index { got: 8, expected: 7 }));
        assert!(matches!(refused(&sent(7, 1 << 32)), ClaimError::Gas(gas) if gas == 1 << 32));
        let other = Log { data: LogData::default(), ..sent(7, 6) };
        assert!(matches!(refused(&other), ClaimError::Event(_)));
    }
}
