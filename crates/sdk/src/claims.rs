//! Claims of L2→L1 messages: their logs on L2, their proofs, and the calldata of the claim.

use crate::{
    L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{MessageProof, claimCall},
        IL2Messenger::MessageSent,
    },
    proof::{Unproven, read},
    sent_slot,
};
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use alloy_trie::TrieAccount;
use rpc_types::Excerpt;

/// Error in the log or the proof of an L2→L1 message.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The log belongs to another event.
    #[error("it is not a MessageSent event: {}", Excerpt::new(.0))]
    Event(alloy_sol_types::Error),
    /// The log belongs to another message.
    #[error("it is the log of message {got}, expected {expected}")]
    Index {
        /// Number of the message in the log.
        got: u64,
        /// Number of the requested message.
        expected: u64,
    },
    /// The message's gas limit is beyond 32 bits.
    #[error("its gas limit of {0} is more than a message may have")]
    Gas(u64),
    /// The nodes do not lead to the account.
    #[error("the nodes do not prove the account of the messenger: {0}")]
    Account(Unproven),
    /// The account has another storage root than the proof names.
    #[error("the proof has the storage root {got}, expected {expected} of the messenger")]
    StorageRoot {
        /// Storage root in the proof.
        got: B256,
        /// Storage root of the account.
        expected: B256,
    },
    /// The nodes do not lead to a slot.
    #[error("the nodes do not prove a slot of the messenger: {0}")]
    Slot(Unproven),
    /// The messenger has another message, or none (zero).
    #[error("the messenger has a message with the hash {got}, expected {expected}")]
    Message {
        /// Hash in the state.
        got: B256,
        /// Hash of the message.
        expected: B256,
    },
}

/// Decodes the L2→L1 message with this number from its log on L2.
///
/// # Errors
///
/// [`ClaimError`] if the log is not the `MessageSent` event of this message.
pub fn logged_message(log: &Log, index: u64) -> Result<Message, ClaimError> {
    let event = MessageSent::decode_log(log).map_err(ClaimError::Event)?;
    if event.index != index {
        return Err(ClaimError::Index { got: event.index, expected: index });
    }
    Message::from_l2_event(&event).ok_or(ClaimError::Gas(event.gasLimit))
}

/// Verifies, by the rules of the L1 contract, that an L2→L1 message is in the state with this root.
///
/// # Errors
///
/// [`ClaimError`] if the nodes do not prove exactly that.
pub fn verify_message(
    state_root: B256,
    message: &Message,
    proof: &MessageProof,
) -> Result<(), ClaimError> {
    let account: TrieAccount = read(state_root, keccak256(L2_MESSENGER), &proof.accountProof)
        .map_err(ClaimError::Account)?;
    let (got, expected) = (proof.storageRoot, account.storage_root);
    if got != expected {
        return Err(ClaimError::StorageRoot { got, expected });
    }
    let key = keccak256(sent_slot(message.index).to_be_bytes::<32>());
    let value: U256 = read(expected, key, &proof.storageProof).map_err(ClaimError::Slot)?;
    let (got, expected) = (B256::from(value), message.hash());
    if got != expected {
        return Err(ClaimError::Message { got, expected });
    }
    Ok(())
}

/// Returns the calldata of `L1MessageQueue.claim` for an L2→L1 message. The proof must be
/// [verified](verify_message) against the state root on L1.
pub fn claim_calldata(message: &Message, proof: MessageProof, fee_recipient: Address) -> Bytes {
    claimCall { message: message.into(), proof, feeRecipient: fee_recipient }.abi_encode().into()
}
