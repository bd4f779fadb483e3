//! Limits of the fees that a transaction may offer.

use super::test_chain::{CHAIN_ID, TestChain};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, U256, keccak256};
use alloy_rlp::{Encodable, Header};
use enshrine_stateless::{BlockError, Invalid, UncheckedBlocks, VerifyOptions, header_of};
use executor::decode_transaction;
use testkit::Key;
use wire::{ByteLists, ProtocolFork, StatelessInput};

/// Encodes a transaction of type 2, signed or unsigned.
fn encoded(fields: &[&dyn Encodable]) -> Vec<u8> {
    let mut payload = Vec::new();
    fields.iter().for_each(|field| field.encode(&mut payload));
    let mut bytes = vec![2];
    Header { list: true, payload_length: payload.len() }.encode(&mut bytes);
    bytes.extend(payload);
    bytes
}

/// A transfer by Alice, encoded by hand because no library supports such a fee cap.
fn transfer_with_cap(cap: U256) -> Vec<u8> {
    let (to, data, list) = (Address::repeat_byte(0xb0), &b""[..], Vec::<u64>::new());
    let fields: [&dyn Encodable; 9] =
        [&CHAIN_ID, &0_u64, &0_u64, &cap, &21_000_u64, &to, &1_u64, &data, &list];
    let signature = Key::named("alice").sign_digest(&keccak256(encoded(&fields)));
    let (parity, r, s) = (u64::from(signature.v()), signature.r(), signature.s());
    encoded(&[&fields[..], &[&parity, &r, &s]].concat())
}

/// The specification accepts any fee that the sender can pay. This implementation requires that the
/// gas of a transaction at its fee cap costs less than 2^128 wei, for any balance: no
/// block with a more expensive transaction is accepted.
#[test]
fn maximum_fee_is_below_2_pow_128() {
    let largest = U256::from(u128::MAX / 21_000);
    let mut chain = TestChain::new(ProtocolFork::Osaka, |genesis| {
        let alice = genesis.alloc.get_mut(&Key::named("alice").address()).expect("is rich");
        alice.balance = U256::MAX >> 1;
    });
    let transaction = decode_transaction(&transfer_with_cap(largest)).expect("can be read");
    assert_eq!(transaction.encoded_2718(), transfer_with_cap(largest));
    let block = chain.block(vec![transaction]);
    chain.verify(&block, VerifyOptions::default()).expect("a block with the largest cap");

    let calldata = block.input().expect("encodes");
    let verdict_with_cap = |cap: U256| {
        let transaction = transfer_with_cap(cap);
        let transactions = [&transaction[..]];
        let mut input = StatelessInput::decode(&calldata).expect("decodes");
        input.request.payload.transactions = ByteLists::from(&transactions[..]);
        let header = header_of(&input.request, input.fork).expect("has a header");
        input.request.payload.block_hash = header.hash_slow();
        let spec = &chain.chain.config().spec;
        let verdict = UncheckedBlocks::decode(&input)
            .and_then(|blocks| blocks.verify(spec, VerifyOptions::default(), |_| {}));
        verdict.map(|_| ()).map_err(BlockError::from)
    };
    assert_eq!(verdict_with_cap(largest), Ok(()));
    for (cap, can_be_read) in [(largest + U256::ONE, true), (U256::ONE << 128, false)] {
        match verdict_with_cap(cap) {
            Err(BlockError::Invalid(Invalid::Transaction { index: 0, .. })) if can_be_read => {}
            Err(BlockError::Invalid(Invalid::MalformedTransaction { index: 0, .. }))
                if !can_be_read => {}
            other => panic!("{cap}: {other:?}"),
        }
    }
}
