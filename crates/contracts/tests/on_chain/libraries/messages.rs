//! `Messages` compared with its mirror in this crate.

use super::{
    cases,
    evm::{Harness, Header, Refused, call},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use enshrine_contracts::{Message, extend, sent_slot};
use proptest::{array::uniform32, collection::vec, prelude::*};

prop_compose! {
    fn message()(
        accounts in any::<[[u8; 20]; 3]>(),
        value in any::<u128>(),
        fee in any::<u128>(),
        gas_limit in any::<u32>(),
        index in any::<u64>(),
        data in vec(any::<u8>(), 0..200),
    ) -> Message {
        let [sender, to, refund_to] = accounts.map(Address::from);
        Message { sender, to, refund_to, value, fee, gas_limit, index, data: data.into() }
    }
}

fn header(message: &Message) -> Header {
    Header {
        sender: message.sender,
        to: message.to,
        refundTo: message.refund_to,
        value: message.value,
        fee: message.fee,
        gasLimit: message.gas_limit.into(),
        index: message.index,
        dataHash: keccak256(&message.data),
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn message_hash_matches_solidity(message in message()) {
        let got = call(&Harness::messageHashCall { header: header(&message) });
        prop_assert_eq!(got.expect("is pure"), message.hash());
    }

    #[test]
    fn each_field_is_part_of_the_hash(message in message(), field in 0..8_u8, bit in 0..32_u8) {
        let mut other = message.clone();
        let account = |a: &mut Address| a.0[usize::from(bit) % 20] ^= 1 << (bit % 8);
        match field {
            0 => account(&mut other.sender),
            1 => account(&mut other.to),
            2 => account(&mut other.refund_to),
            3 => other.value ^= 1 << bit,
            4 => other.fee ^= 1 << bit,
            5 => other.gas_limit ^= 1 << bit,
            6 => other.index ^= 1 << bit,
            _ => other.data = [&other.data[..], &[bit]].concat().into(),
        }
        let hash = |m| call(&Harness::messageHashCall { header: header(m) }).expect("is pure");
        prop_assert_ne!(hash(&message), hash(&other));
    }

    #[test]
    fn packed_messages_roundtrip(
        messages in vec((message(), any::<bool>()), 0..6), first in any::<u64>(),
        cut in any::<prop::sample::Index>(), more in vec(any::<u8>(), 1..100),
    ) {
        let (mut batch, mut ends, mut hashes) = (Vec::new(), vec![0], Vec::new());
        for (index, (message, parked)) in messages.iter().enumerate() {
            if *parked { message.pack_parked(&mut batch) } else { message.pack(&mut batch) }
            ends.push(batch.len());
            let index = first.wrapping_add(index as u64);
            hashes.push(Message { index, ..message.clone() }.hash());
        }
        // The number of the last message must not overflow.
        prop_assume!(first.checked_add(messages.len() as u64).is_some());
        let unpack = |batch: &[u8]| {
            call(&Harness::unpackCall { batch: batch.to_vec().into(), first })
        };
        let got = unpack(&batch).expect("is a batch");
        prop_assert_eq!(&got.hashes, &hashes);
        prop_assert_eq!(got.parked, messages.iter().map(|(_, parked)| *parked).collect::<Vec<_>>());

        let cut = cut.index(batch.len() + 1);
        match (unpack(&batch[..cut]), ends.binary_search(&cut)) {
            (Ok(got), Ok(whole)) => prop_assert_eq!(&got.hashes, &hashes[..whole]),
            (Err(Refused::MessageTruncated(e)), Err(_)) => {
                prop_assert_eq!(e.length, U256::from(cut));
            }
            _ => prop_assert!(false, "cut at {}, messages end at {:?}", cut, ends),
        }
        // Bytes that are shorter than a header are not a message.
        batch.extend(more);
        prop_assert!(matches!(
            unpack(&batch),
            Err(Refused::MessageTruncated(_) | Refused::ParkedLengthInvalid(_))
        ));
    }

    #[test]
    fn parked_message_with_other_length_is_rejected(message in message(), length in 1..1_u32 << 31) {
        let mut batch = Vec::new();
        message.pack_parked(&mut batch);
        let at = Message::PACKED_HEADER - 4;
        batch[at..at + 4].copy_from_slice(&(1 << 31 | length).to_be_bytes());
        let got = call(&Harness::unpackCall { batch: batch.into(), first: 0 });
        prop_assert!(matches!(got.err(), Some(Refused::ParkedLengthInvalid(_))));
    }

    #[test]
    fn sent_slot_matches_solidity(index in any::<u64>()) {
        let got = call(&Harness::sentSlotCall { index: U256::from(index) }).expect("is pure");
        prop_assert_eq!(U256::from_be_bytes(got.0), sent_slot(index));
    }

    #[test]
    fn rolling_hash_matches_solidity(
        root in uniform32(any::<u8>()), hash in uniform32(any::<u8>()),
    ) {
        let (root, hash) = (B256::from(root), B256::from(hash));
        let got = call(&Harness::extendCall { root, hash }).expect("is pure");
        prop_assert_eq!(got, extend(root, hash));
    }
}
