//! Logs and proofs of L2→L1 messages.

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, keccak256};
use alloy_sol_types::SolEvent as _;
use alloy_trie::TrieAccount;
use enshrine_sdk::{
    ClaimError, L2_MESSENGER, Message,
    bindings::{IL1MessageQueue::MessageProof, IL2Messenger::MessageSent},
    logged_message,
    proof::Unproven,
    sent_slot, verify_message,
};

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
fn proven(message: &Message) -> (B256, MessageProof) {
    let slot = sent_slot(message.index);
    let value = U256::from_be_bytes(message.hash().0);
    let node = only_leaf(keccak256(slot.to_be_bytes::<32>()), &alloy_rlp::encode(value));
    let account = TrieAccount { storage_root: keccak256(&node), ..TrieAccount::default() };
    let storage_proof = vec![node];
    let node = only_leaf(keccak256(L2_MESSENGER), &alloy_rlp::encode(account));
    let proof = MessageProof {
        l2Block: 1,
        storageRoot: account.storage_root,
        accountProof: vec![node.clone()],
        storageProof: storage_proof,
    };
    (keccak256(&node), proof)
}

#[test]
fn message_proof_needs_exactly_path_nodes() {
    let message = logged_message(&sent(7, 6), 7).unwrap();
    let (root, proof) = proven(&message);
    verify_message(root, &message, &proof).unwrap();
    let refused = |change: &dyn Fn(&mut MessageProof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        verify_message(root, &message, &proof).unwrap_err()
    };
    use ClaimError::{Account, Slot, StorageRoot};
    use Unproven::{Node, Nodes};
    assert!(matches!(refused(&|claim| claim.accountProof.clear()), Account(Node(_))));
    let extra = refused(&|claim| claim.accountProof.push(Bytes::new()));
    assert!(matches!(extra, Account(Nodes { got: 2, expected: 1 })), "{extra}");
    let other = refused(&|claim| claim.storageRoot = B256::ZERO);
    assert!(matches!(other, StorageRoot { got: B256::ZERO, .. }), "{other}");
    assert!(matches!(refused(&|claim| claim.storageProof.clear()), Slot(Node(_))));
    assert!(matches!(refused(&|claim| claim.storageProof.push(Bytes::new())), Slot(Nodes { .. })));
    let other = logged_message(&sent(7, 5), 7).unwrap();
    let error = verify_message(root, &other, &proof).unwrap_err();
    let (got, expected) = (message.hash(), other.hash());
    assert!(matches!(error, ClaimError::Message { got: it, .. } if it == got), "{error}");
    assert!(error.to_string().contains(&expected.to_string()), "{error}");
    assert!(verify_message(B256::ZERO, &message, &proof).is_err());
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
    let proof = MessageProof { accountProof: vec![node.into()], ..proof };
    let refused = verify_message(root, &message, &proof).unwrap_err();
    assert!(matches!(refused, ClaimError::Account(Unproven::Node(_))), "{refused:?}");
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
