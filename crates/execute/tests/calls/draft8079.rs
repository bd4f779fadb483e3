//! The dialect of the EIP-8079 draft.

use crate::{
    PLENTY,
    support::{
        host::{CALL, Host},
        l2::{CHAIN_ID, ETHER, L2, call},
    },
};
use alloy_consensus::{Header, TxEip4844};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use codec::Encode as _;
use enshrine_execute::{
    Answer, Dialect, Execute, ExecuteError, ExecutionSpecs, PrecompileCall, RuleViolation, Rules,
    TrustedContext,
};
use executor::{EvmOverrides as _, Invalid};
use std::sync::Arc;
use testkit::{
    DraftBuilt, DraftL2, FORKS, Key, Transaction, draft_resealed, logger, rich, rich_genesis,
};
use variants::{ANCHOR_ADDRESS, DialectEncodeError, DialectName, Draft8079, DraftBlock, Nested};
use wire::{ByteLists, PayloadShape, ProtocolFork, SchemaId, StatelessInput, StatelessResult};

const ANCHOR: B256 = B256::repeat_byte(0xa5);
/// A contract that clears its slots 1 to 10, which earns a refund.
const CLEARING: Address = address!("0x2000000000000000000000000000000000000030");
/// A contract that stores the anchor of its block in slot 0.
const READER: Address = address!("0x2000000000000000000000000000000000000031");

fn contract(code: Vec<u8>) -> GenesisAccount {
    GenesisAccount { nonce: Some(1), code: Some(code.into()), ..Default::default() }
}

fn genesis(fork: ProtocolFork) -> Genesis {
    let mut genesis = rich_genesis(fork, ["alice"], 1_000 * ETHER);
    // push0, push1 slot, sstore
    let mut clearing = contract((1..=10).flat_map(|slot| [0x5f, 0x60, slot, 0x55]).collect());
    let slot = |slot: u8| (B256::with_last_byte(slot), B256::with_last_byte(1));
    clearing.storage = Some((1..=10).map(slot).collect());
    // A static call of 32 bytes to memory, whose word is stored.
    let mut reader = vec![0x60, 32, 0x5f, 0x5f, 0x5f, 0x73];
    reader.extend(ANCHOR_ADDRESS);
    reader.extend([0x5a, 0xfa, 0x50, 0x5f, 0x51, 0x5f, 0x55]);
    genesis.alloc.extend([
        (CLEARING, clearing),
        (READER, contract(reader)),
        (testkit::LOGGER, logger()),
    ]);
    genesis
}

fn l2(fork: ProtocolFork) -> DraftL2 {
    DraftL2::new(genesis(fork), CHAIN_ID, fork).unwrap()
}

fn execute(fork: ProtocolFork) -> Execute {
    Execute { dialects: vec![Arc::new(Draft8079)], ..Execute::on(fork) }
}

fn answer(fork: ProtocolFork, calldata: &[u8]) -> Result<Answer, ExecuteError> {
    execute(fork).answer(&Draft8079, calldata, PLENTY)
}

const fn values(anchor: B256) -> DraftBlock {
    DraftBlock { anchor, burned_fees: 0 }
}

/// A transaction from Alice.
fn send(nonce: u64, to: Address) -> Transaction {
    Key::named("alice").sign(call(nonce, to, 300_000, U256::ONE, Bytes::new()))
}

/// A block with a transfer to a new account, a log, refunds, and a read of the anchor.
fn busy(l2: &DraftL2, nonce: u64) -> DraftBuilt {
    let to = [Address::repeat_byte(nonce as u8 + 1), testkit::LOGGER, CLEARING, READER];
    let transactions = (nonce..).zip(to).map(|(nonce, to)| send(nonce, to)).collect();
    l2.build(values(ANCHOR), transactions).unwrap()
}

fn busy_on(fork: ProtocolFork) -> DraftBuilt {
    busy(&l2(fork), 0)
}

/// The same call with other values, and with a block hash that matches the changed header.
fn forged(
    built: &DraftBuilt,
    change: impl FnOnce(&mut StatelessInput<'_>, &mut DraftBlock),
) -> Vec<u8> {
    draft_resealed(&built.calldata, change).unwrap()
}

fn refusal(fork: ProtocolFork, calldata: &[u8]) -> ExecuteError {
    answer(fork, calldata).expect_err("it is refused")
}

#[test]
fn answer_contains_burned_fees_in_every_fork() {
    for fork in FORKS {
        let mut l2 = l2(fork);
        for number in 0..4 {
            let built = if number == 2 {
                l2.build(values(B256::repeat_byte(2)), Vec::new()).unwrap()
            } else {
                busy(&l2, if number == 3 { 8 } else { 4 * number })
            };
            let (input, values) = DraftBlock::decode(&built.calldata).unwrap();
            assert_eq!(values, built.values);
            assert_eq!(values.burned_fees == 0, number == 2);
            let Answer { output, .. } = answer(fork, &built.calldata).unwrap();
            assert_eq!(output.len(), Draft8079::ANSWER_LEN);
            let (result, burned) = output.split_at(StatelessResult::LEN);
            let result = StatelessResult::decode(result).unwrap();
            let decoded = StatelessInput::decode(&input).unwrap();
            assert_eq!(result.request_root, decoded.request.hash_tree_root(fork));
            assert_eq!(result.schema, SchemaId::new((fork as u16) << 8 | 0x79));
            assert_eq!((result.valid, result.chain_id), (true, CHAIN_ID));
            assert_eq!(burned, values.burned_fees.to_le_bytes());
            // The block access list contains the system call, before all transactions.
            if let Some(list) = &built.executed.block_access_list {
                let has = |bytes: &[u8]| list.windows(bytes.len()).any(|window| window == bytes);
                assert!(has(ANCHOR_ADDRESS.as_slice()));
                assert_eq!(has(values.anchor.as_slice()), number != 1, "a new anchor");
            }
            l2.append(built).unwrap();
        }
        assert_eq!(l2.state().storage(READER, U256::ZERO).unwrap(), U256::from_be_bytes(ANCHOR.0));
        let last = l2.state().storage(ANCHOR_ADDRESS, U256::ZERO).unwrap();
        assert_eq!(last, U256::from_be_bytes(ANCHOR.0));
    }
}

#[test]
fn input_fields_are_at_expected_offsets() {
    for (fork, request, payload) in [
        (ProtocolFork::Cancun, 40, 528),
        (ProtocolFork::Prague, 44, 528),
        (ProtocolFork::Osaka, 44, 528),
        (ProtocolFork::Amsterdam, 44, 540),
    ] {
        let built = busy_on(fork);
        let bytes = &built.calldata;
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(bytes[..2], [fork as u8, 0x79]);
        // Request and witness, chain id, anchor; the request follows them.
        assert_eq!(word(2), 48);
        assert_eq!(long(10), CHAIN_ID);
        assert_eq!(bytes[18..50], ANCHOR.0);
        let payload_at = 50 + request;
        assert_eq!(word(50), request);
        assert_eq!(long(payload_at + 404), 1, "the block number");
        assert_eq!(word(payload_at + 436), payload + 8, "extra data follows the burned fees");
        assert_eq!(long(payload_at + payload), built.values.burned_fees);
        assert_eq!(PayloadShape::of(fork).fixed_len(), payload);
        let (input, _) = DraftBlock::decode(bytes).unwrap();
        assert_eq!(bytes.len(), input.len() + 40);
        // The witness is unchanged except for its position.
        let witness = 2 + word(6);
        assert_eq!(bytes[witness..], input[witness - 40..]);
        assert_eq!(built.values.encode(&input).unwrap(), *bytes);
    }
}

#[test]
fn block_hash_covers_burned_fees_as_last_item() {
    for fork in FORKS {
        let built = busy_on(fork);
        let mut rlp = alloy_rlp::encode(&built.header);
        rlp.extend(alloy_rlp::encode(built.values.burned_fees));
        let length = rlp.len() - 3;
        rlp[1..3].copy_from_slice(&(length as u16).to_be_bytes());
        let (input, _) = DraftBlock::decode(&built.calldata).unwrap();
        let payload = StatelessInput::decode(&input).unwrap().request.payload;
        assert_eq!(payload.block_hash, keccak256(rlp), "{fork}");
    }
}

#[test]
fn changed_burned_fees_or_anchor_are_refused() {
    for fork in FORKS {
        let built = busy_on(fork);
        assert!(answer(fork, &forged(&built, |_, _| {})).is_ok());
        let right = built.values.burned_fees;
        for wrong in [right - 1, right + 1, 0, u64::MAX] {
            let forged = forged(&built, |_, values| values.burned_fees = wrong);
            let expected = Invalid::Amount { what: "burned fees", got: wrong, expected: right };
            assert_eq!(refusal(fork, &forged), expected.into(), "{fork}");
            // With the hash of the true header, the header does not match it.
            let (input, values) = DraftBlock::decode(&built.calldata).unwrap();
            let other = DraftBlock { burned_fees: wrong, ..values };
            let refused = refusal(fork, &other.encode(&input).unwrap());
            assert!(matches!(refused, ExecuteError::Invalid(Invalid::BlockHash { .. })));
        }
        let other = forged(&built, |_, values| values.anchor = B256::repeat_byte(0xa6));
        let refused = refusal(fork, &other);
        // The transaction that reads the anchor stores another one, or, from Amsterdam on, the
        // access list contains it.
        assert!(matches!(refused, ExecuteError::Invalid(Invalid::Commitment { .. })), "{refused}");
    }
}

/// This holds for the block header and for that of its parent.
#[test]
fn headers_without_burned_fees_are_refused() {
    for fork in FORKS {
        let mut l2 = l2(fork);
        let first = busy(&l2, 0);
        l2.append(first).unwrap();
        let second = busy(&l2, 4);
        assert!(answer(fork, &second.calldata).is_ok());
        let (input, values) = DraftBlock::decode(&second.calldata).unwrap();
        let mut decoded = StatelessInput::decode(&input).unwrap();
        decoded.request.payload.block_hash = second.header.hash_slow();
        let refused = refusal(fork, &values.encode(&decoded.encode()).unwrap());
        assert!(matches!(refused, ExecuteError::Invalid(Invalid::BlockHash { .. })), "{refused}");

        // A block whose parent is named by the hash of its plain header, and one whose parent has
        // another extra item.
        let parent = decoded.witness.headers.iter().last().unwrap();
        let parent: Header = values.decode_header(parent).unwrap();
        let plain = alloy_rlp::encode(&parent);
        let extended = values.encode_header(&parent);
        let mut longer = extended.clone();
        longer.push(7);
        let length = (longer.len() - 3) as u16;
        longer[1..3].copy_from_slice(&length.to_be_bytes());
        for (header, is_here) in [(&extended, true), (&plain, false), (&longer, false)] {
            let headers = [Bytes::copy_from_slice(header)];
            let mut other = decoded.clone();
            other.witness.headers = ByteLists::from(&headers[..]);
            let call = values.encode(&other.encode()).unwrap();
            let call = draft_resealed(&call, |input, _| {
                input.request.payload.parent_hash = keccak256(header);
            });
            let call = call.unwrap();
            let judged = answer(fork, &call);
            let malformed = ExecuteError::Invalid(Invalid::MalformedHeader {
                index: 0,
                reason: alloy_rlp::Error::Custom("a header without burned fees"),
            });
            // With other fees the parent is another block: from Prague on, the state contains its
            // hash.
            assert_eq!(judged.is_ok(), is_here && fork == ProtocolFork::Cancun, "{fork}");
            let is_malformed =
                matches!(judged, Err(ExecuteError::Invalid(Invalid::MalformedHeader { .. })));
            assert_eq!(is_malformed, !is_here, "{fork}: {judged:?}");
            // Only the number of items distinguishes a plain header of Amsterdam, whose last item
            // is an integer.
            if is_malformed && fork == ProtocolFork::Amsterdam {
                assert_eq!(judged, Err(malformed), "{fork}");
            }
        }
    }
}

#[test]
fn anchor_requires_canonical_contract() {
    let fork = ProtocolFork::Osaka;
    let touching = |change: &dyn Fn(&mut Genesis)| {
        let mut genesis = genesis(fork);
        change(&mut genesis);
        let l2 = DraftL2::new(genesis, CHAIN_ID, fork).unwrap();
        let by_rule = l2.build(values(ANCHOR), vec![send(0, ANCHOR_ADDRESS)]);
        let without = l2.build_without_anchor(vec![send(0, ANCHOR_ADDRESS)]).unwrap();
        let claimed = forged(&without, |_, values| values.anchor = ANCHOR);
        (by_rule.is_ok(), refusal(fork, &claimed))
    };
    // With the contract, the system call changes the state, which the block without the contract
    // left unchanged.
    let (is_built, refused) = touching(&|_| {});
    assert!(is_built);
    assert!(matches!(refused, ExecuteError::Invalid(Invalid::Commitment { .. })), "{refused}");
    let foreign = |genesis: &mut Genesis| {
        genesis.alloc.insert(ANCHOR_ADDRESS, contract(vec![0x5b, 0x5f, 0x56]));
    };
    let absent = |genesis: &mut Genesis| {
        genesis.alloc.insert(ANCHOR_ADDRESS, rich(1));
    };
    for change in [&foreign as &dyn Fn(&mut Genesis), &absent] {
        let (is_built, refused) = touching(change);
        assert!(!is_built);
        let is_code = matches!(
            refused,
            ExecuteError::Invalid(Invalid::SystemCode { address: ANCHOR_ADDRESS, .. })
        );
        assert!(is_code, "{refused}");
    }
}

#[test]
fn blob_transactions_are_refused_even_under_l1_rules() {
    let fork = ProtocolFork::Osaka;
    let l2 = l2(fork);
    let blobs = Key::named("alice").sign(TxEip4844 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_fee_per_blob_gas: 1_000_000_000,
        to: Address::repeat_byte(1),
        blob_versioned_hashes: vec![B256::with_last_byte(1) | B256::right_padding_from(&[1])],
        ..Default::default()
    });
    let built = l2.build(values(ANCHOR), vec![send(0, CLEARING), blobs]).unwrap();
    for rules in [Rules::L1, Rules::default()] {
        let execute = Execute { rules, ..execute(fork) };
        let refused = execute.answer(&Draft8079, &built.calldata, PLENTY).unwrap_err();
        assert_eq!(refused, RuleViolation::BlobTransaction { index: 1 }.into());
    }
    // The block is valid otherwise.
    let (input, values) = DraftBlock::decode(&built.calldata).unwrap();
    let context = TrustedContext { evm: &values, senders: &[] };
    let execute = Execute { rules: Rules::L1, ..execute(fork) };
    assert!(execute.run_under(&input, PLENTY, context, |_| {}).is_ok());
}

#[test]
fn draft_and_other_dialects_reject_each_other() {
    let fork = ProtocolFork::Osaka;
    let built = busy_on(fork);
    let (input, _) = DraftBlock::decode(&built.calldata).unwrap();
    // In the execution-specs dialect, the block hash matches no header.
    let refused = Execute::on(fork).answer(&ExecutionSpecs, &input, PLENTY).unwrap_err();
    assert!(matches!(refused, ExecuteError::Invalid(Invalid::BlockHash { .. })), "{refused}");
    for dialect in [&ExecutionSpecs as &dyn Dialect, &Nested::new(&Execute::on(fork))] {
        let refused = Execute::on(fork).answer(dialect, &built.calldata, PLENTY).unwrap_err();
        assert!(matches!(refused, ExecuteError::Decode(_)), "{refused}");
    }
    // A plain block has no header with the item, and revisions of other dialects are refused.
    let plain = L2::new(fork).calldata(2);
    assert!(Execute::on(fork).answer(&ExecutionSpecs, &plain, PLENTY).is_ok());
    let refused = refusal(fork, &values(ANCHOR).encode(&plain).unwrap());
    assert!(matches!(refused, ExecuteError::Invalid(Invalid::BlockHash { .. })), "{refused}");
    for revision in [0x00, 0x01, 0x02, 0xba, 0x78, 0x80] {
        let mut other = built.calldata.clone();
        other[1] = revision;
        let expected = SchemaId::new(u16::from_be_bytes([fork as u8, revision]));
        assert_eq!(refusal(fork, &other), ExecuteError::Schema(expected));
    }
    for (first, second) in [(0x0e, 0x79), (0x0f, 0x79), (0x16, 0x79)] {
        let mut other = built.calldata.clone();
        (other[0], other[1]) = (first, second);
        assert!(matches!(refusal(fork, &other), ExecuteError::Schema(_)), "before Cancun");
    }
    let mut batch = plain;
    batch[1] = 0xba;
    assert!(matches!(refusal(fork, &batch), ExecuteError::Schema(_)));
}

#[test]
fn draft_blocks_do_not_convert_to_other_dialects() {
    let built = busy_on(ProtocolFork::Osaka);
    let draft = DialectName::Draft8079;
    let none: [&[u8]; 0] = [];
    let input = draft.decode(&built.calldata, &none).unwrap();
    for to in DialectName::ALL {
        let call = to.encode_call(draft, &built.calldata, &input);
        match call {
            Ok(call) => assert_eq!((to, &call.calldata), (draft, &built.calldata)),
            Err(reason) => assert_eq!(reason, DialectEncodeError::OtherChain { from: draft, to }),
        }
    }
    let plain = L2::new(ProtocolFork::Osaka).calldata(2);
    let refused = DialectEncodeError::OtherChain { from: DialectName::Specs, to: draft };
    assert_eq!(draft.encode(&plain), Err(refused));
    let nested = DialectName::Nested.encode(&plain).unwrap().calldata;
    let back = DialectName::Specs.encode_call(DialectName::Nested, &nested, &plain).unwrap();
    assert_eq!(back.calldata, plain);
    assert!(draft.run(&Execute::default(), &built.calldata, &input).is_ok());
    let forged = forged(&built, |_, values| values.burned_fees += 1);
    let input = draft.decode(&forged, &none).unwrap();
    assert!(draft.run(&Execute::default(), &forged, &input).is_err());
}

#[test]
fn truncated_calldata_and_bad_offsets_are_unreadable() {
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let good = busy_on(fork).calldata;
        let request = if fork == ProtocolFork::Cancun { 40 } else { 44 };
        let fixed = 50 + request + PayloadShape::of(fork).fixed_len() + 8;
        for length in [0, 1, 2, 17, 49, fixed - 1, fixed] {
            let refused = refusal(fork, &good[..length]);
            assert!(refused.is_unreadable(), "{fork}, {length} bytes: {refused}");
        }
        // Each offset in turn: one less, zero, and the maximum.
        let payload = 50 + request;
        let mut places = vec![2, 6, 50, 54, payload + 436, payload + 504, payload + 508];
        places.extend((fork >= ProtocolFork::Prague).then_some(90));
        places.extend((fork >= ProtocolFork::Amsterdam).then_some(payload + 528));
        for place in places {
            let offset = u32::from_le_bytes(good[place..place + 4].try_into().unwrap());
            for wrong in [offset - 1, 0, 7, 31, u32::MAX] {
                let mut bytes = good.clone();
                bytes[place..place + 4].copy_from_slice(&wrong.to_le_bytes());
                let refused = refusal(fork, &bytes);
                assert!(refused.is_unreadable(), "{fork}, {place}, {wrong}: {refused}");
            }
        }
    }
}

/// Returns the wei that all accounts together have less in `after` than in `l2`.
fn destroyed(l2: &DraftL2, after: &DraftL2) -> U256 {
    let mut all = vec![Key::named("alice").address(), Key::named("fees").address()];
    all.extend([CLEARING, READER, testkit::LOGGER, ANCHOR_ADDRESS]);
    all.extend((0..8).map(|byte| Address::repeat_byte(byte + 1)));
    let sum = |l2: &DraftL2| -> U256 {
        all.iter().map(|account| l2.state().balance(*account).unwrap()).sum()
    };
    sum(l2) - sum(after)
}

#[test]
fn burned_fees_equal_destroyed_wei() {
    for fork in FORKS {
        let before = l2(fork);
        let built = busy(&before, 0);
        let mut after = l2(fork);
        after.append(busy(&after, 0)).unwrap();
        let burned = built.values.burned_fees;
        assert_eq!(destroyed(&before, &after), U256::from(burned), "{fork}");
        let product = built.header.base_fee_per_gas.unwrap() * built.header.gas_used;
        assert_eq!(product == burned, fork < ProtocolFork::Amsterdam, "{fork}");
    }
}

#[test]
fn amsterdam_gas_used_does_not_determine_burned_fees() {
    let fork = ProtocolFork::Amsterdam;
    let l2 = l2(fork);
    // Ten cleared slots earn a refund of one fifth, which the gas used in the header does not
    // include (EIP-7778). A new account pays for state, and the header contains the larger of the
    // two kinds of gas, not their sum (EIP-8037).
    for (to, gas_used, paid) in
        [(CLEARING, 142_050, 113_640), (Address::repeat_byte(1), 183_600, 204_600)]
    {
        let built = l2.build(values(ANCHOR), vec![send(0, to)]).unwrap();
        let base_fee = built.header.base_fee_per_gas.unwrap();
        let got = (built.header.gas_used, built.executed.receipts[0].cumulative_gas_used);
        assert_eq!(got, (gas_used, paid), "{base_fee}");
        assert_eq!(built.values.burned_fees, base_fee * paid);
        assert!(answer(fork, &built.calldata).is_ok());
        let product = forged(&built, |_, values| values.burned_fees = base_fee * gas_used);
        let expected = Invalid::Amount {
            what: "burned fees",
            got: base_fee * gas_used,
            expected: base_fee * paid,
        };
        assert_eq!(refusal(fork, &product), expected.into());
    }
}

#[test]
fn burned_fees_beyond_64_bits_are_refused() {
    let fork = ProtocolFork::Osaka;
    let mut genesis = genesis(fork);
    // A transfer at this price burns more than 2^64 wei.
    let base_fee = 2_000_000_000_000_000;
    genesis.base_fee_per_gas = Some(base_fee);
    let l2 = DraftL2::new(genesis, CHAIN_ID, fork).unwrap();
    let pay = |gas: u64| {
        let call = call(0, Address::repeat_byte(1), gas, U256::ONE, Bytes::new());
        let fee = base_fee * 2;
        let call = alloy_consensus::TxEip1559 {
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: 0,
            ..call
        };
        l2.build(values(ANCHOR), vec![Key::named("alice").sign(call)]).unwrap()
    };
    let built = pay(21_000);
    let refused = refusal(fork, &built.calldata);
    let ExecuteError::Invalid(Invalid::HeaderRange { field, got, .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(field, "burned fees");
    assert!(got > U256::from(u64::MAX));
    let empty = l2.build(values(ANCHOR), Vec::new()).unwrap();
    assert!(answer(fork, &empty.calldata).is_ok());
}

#[test]
fn contract_call_succeeds_and_unpaid_call_fails() {
    let built = busy_on(ProtocolFork::Osaka);
    let mut host = Host::new(execute(ProtocolFork::Osaka));
    let outcome = host.call_at(Draft8079::ADDRESS, CALL, &built.calldata, PLENTY);
    assert!(outcome.success);
    assert_eq!(outcome.returned.len(), 51);
    let gas = answer(ProtocolFork::Osaka, &built.calldata).unwrap().gas;
    let execute = execute(ProtocolFork::Osaka);
    let reserve = execute.run_as(&Draft8079, &built.calldata, PLENTY, |_| {}).unwrap().reserve;
    assert!(reserve >= gas);
    let short = execute.answer(&Draft8079, &built.calldata, reserve - 1);
    assert!(matches!(short, Err(ExecuteError::OutOfGas { .. })), "{short:?}");
    // The length alone is paid for before a byte is read.
    let call = PrecompileCall::from(&built.calldata);
    let (answer, deducted) = execute.answer_counted(&Draft8079, call, 10);
    assert!(answer.is_err() && deducted <= 10);
}
