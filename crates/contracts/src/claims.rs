//! Claims of L2→L1 messages: their logs on L2, their proofs, and the calldata of the claim.

use crate::{
    L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{MessageProof, claimCall},
        IL2Messenger::MessageSent,
    },
    proof::{Unproven, lookup},
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

/// Error in the log or the proof of an L2→L1 message.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The log belongs to another event.
    #[error("it is not a MessageSent event: {0}")]
    Event(alloy_sol_types::Error),
    /// The log belongs to another message.
    #[error("it is of message {got}, not of {expected}")]
    Index {
        /// Number of the message in the log.
        got: u64,
        /// Number of the requested message.
        expected: u64,
    },
    /// The message's gas limit is beyond 32 bits.
    #[error("it asks for {0} gas, more than any message may")]
    Gas(u64),
    /// The nodes do not lead to the account.
    #[error("the nodes do not prove the account of the messenger: {0}")]
    Account(Unproven),
    /// The proof does not have exactly one slot.
    #[error("one slot was asked for, and {0} are proven")]
    Slots(usize),
    /// The nodes do not lead to the message.
    #[error("the nodes do not prove that the messenger holds the message: {0}")]
    Slot(Unproven),
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
/// The proof is for [`L2_MESSENGER`] and the [slot of the message](sent_slot).
///
/// # Errors
///
/// [`ClaimError`] if the nodes do not prove exactly that.
pub fn verify_message(
    state_root: B256,
    message: &Message,
    proof: &AccountProof,
) -> Result<(), ClaimError> {
    let leaf = proof.account.map(alloy_rlp::encode);
    verify(state_root, keccak256(L2_MESSENGER), leaf, &proof.nodes).map_err(ClaimError::Account)?;
    let [slot] = &proof.slots[..] else { return Err(ClaimError::Slots(proof.slots.len())) };
    let leaf = Some(alloy_rlp::encode(U256::from_be_bytes(message.hash().0)));
    let key = keccak256(sent_slot(message.index).to_be_bytes::<32>());
    verify(storage_root(proof), key, leaf, &slot.nodes).map_err(ClaimError::Slot)
}

/// Verifies that the nodes prove a value, and that they are in the order that L1 requires.
fn verify(root: B256, key: B256, value: Option<Vec<u8>>, nodes: &[Bytes]) -> Result<(), Unproven> {
    // Looked up in our trie first, which accepts arbitrary bytes: on a path that does not lead to a
    // value, alloy's verifier reads nodes that no trie can have, and panics if the path is longer
    // than a key.
    let got = lookup(root, &key, nodes)?;
    let path = Nibbles::unpack(key);
    if got != value {
        let got = got.map(Bytes::from);
        let expected = value.map(Bytes::from);
        return Err(Unproven::Path(ProofVerificationError::ValueMismatch { path, got, expected }));
    }
    if value.is_none() {
        return Ok(());
    }
    verify_proof(root, path, value, nodes).map_err(Unproven::Path)
}

/// Returns the calldata of `L1MessageQueue.claim` for an L2→L1 message, with the proof that it is
/// in the state of L2 block `number`.
pub fn claim_calldata(
    message: &Message,
    number: u64,
    proof: AccountProof,
    fee_recipient: Address,
) -> Bytes {
    let proof = message_proof(number, proof);
    claimCall { message: message.into(), proof, feeRecipient: fee_recipient }.abi_encode().into()
}

/// Converts the result of `eth_getProof` for [`L2_MESSENGER`] and the [slot of the
/// message](sent_slot) at L2 block `number` to the proof argument of `L1MessageQueue.claim`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::LogData;
    use alloy_trie::TrieAccount;
    use chain::SlotProof;

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

    /// Returns the only node of a trie with one key.
    fn only_leaf(key: B256, value: &[u8]) -> Bytes {
        let path = [&[0x20], &key[..]].concat();
        alloy_rlp::encode(vec![Bytes::from(path), Bytes::copy_from_slice(value)]).into()
    }

    /// Returns the root of a state with only the messenger, which stores one message, and the proof
    /// of the message.
    fn proven(message: &Message) -> (B256, AccountProof) {
        let slot = sent_slot(message.index);
        let value = U256::from_be_bytes(message.hash().0);
        let node = only_leaf(keccak256(slot.to_be_bytes::<32>()), &alloy_rlp::encode(value));
        let account = TrieAccount { storage_root: keccak256(&node), ..TrieAccount::default() };
        let slots = vec![SlotProof { slot, value, nodes: vec![node] }];
        let node = only_leaf(keccak256(L2_MESSENGER), &alloy_rlp::encode(account));
        let root = keccak256(&node);
        (root, AccountProof { account: Some(account), nodes: vec![node], slots })
    }

    #[test]
    fn message_proof_needs_exactly_path_nodes() {
        let message = logged_message(&sent(7, 6), 7).unwrap();
        let (root, proof) = proven(&message);
        verify_message(root, &message, &proof).unwrap();
        let refused = |change: &dyn Fn(&mut AccountProof)| {
            let mut proof = proof.clone();
            change(&mut proof);
            verify_message(root, &message, &proof).unwrap_err()
        };
        use ClaimError::{Account, Slot, Slots};
        use Unproven::{Node, Path};
        assert!(matches!(refused(&|it| it.nodes.clear()), Account(Node(_))));
        assert!(matches!(refused(&|it| it.nodes.push(Bytes::new())), Account(Path(_))));
        assert!(matches!(refused(&|it| it.account = None), Account(Path(_))));
        assert!(matches!(refused(&|it| it.slots.clear()), Slots(0)));
        assert!(matches!(refused(&|it| it.slots[0].nodes.clear()), Slot(Node(_))));
        assert!(matches!(refused(&|it| it.slots[0].nodes.push(Bytes::new())), Slot(Path(_))));
        let other = logged_message(&sent(7, 5), 7).unwrap();
        assert!(matches!(verify_message(root, &other, &proof).unwrap_err(), Slot(Path(_))));
    }

    #[test]
    fn overlong_trie_path_is_rejected() {
        let message = logged_message(&sent(7, 6), 7).unwrap();
        let (_, proof) = proven(&message);
        // An extension off the path that embeds an extension beyond the length of a key.
        let leaf = [0xc2, 0x3f, 0x01];
        let below = [&[0xd4, 0x90, 0x00], &[0xff; 15][..], &leaf].concat();
        let node = [&[0xeb, 0x95, 0x00], &[0xff; 20][..], &below].concat();
        let root = keccak256(&node);
        let proof = AccountProof { nodes: vec![node.into()], ..proof };
        let refused = verify_message(root, &message, &proof).unwrap_err();
        assert!(matches!(refused, ClaimError::Account(Unproven::Node(_))), "{refused:?}");
        // The same node as a proof that the messenger does not exist.
        let absent = AccountProof { account: None, ..proof };
        assert!(verify_message(root, &message, &absent).is_err());
    }

    #[test]
    fn logged_message_rejects_other_logs() {
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
