//! Inputs with references to code on L1 advance the head like whole inputs, at the predicted cost.

use super::{
    advance_plans::L1_FORKS,
    support::{FORK, TestRollup},
};
use alloy_primitives::{Address, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall as _, sol};
use enshrine_contracts::{
    advance_plan::{AdvancePlan, L1Limits, L1Prices, STATE_ROOTS, cheapest},
    bindings::INativeRollup::{self, Evidence},
    code_reference::{CodeReference, MAX_CODE_REFERENCE, PROXY, codes_in, shorten},
};
use eyre::Result;
use std::slice::from_ref;
use testkit::{Key, TRANSACTION_GAS_CAP};
use wire::{ProtocolFork, StatelessBatch, StatelessInput};

sol! {
    error NothingKept(uint256 index, address account);
    error NotKept(uint256 index, address got, address expected);
    error AssembledLengthMismatch(uint256 got, uint256 expected);
    error InputTooShort(uint256 got, uint256 minimum);
}

fn kept(bytes: &[u8]) -> CodeReference {
    CodeReference::new(Bytes::copy_from_slice(bytes)).expect("no long bytes")
}

/// Returns each code of an input.
fn each_code(input: &[u8]) -> Vec<CodeReference> {
    let codes = StatelessInput::decode(input)
        .map(|input| input.witness.codes)
        .or_else(|_| StatelessBatch::decode(input).map(|batch| batch.witness.codes))
        .expect("an input");
    codes.iter().map(kept).collect()
}

#[test]
fn input_with_code_references_advances_head() -> Result<()> {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let mut harness = TestRollup::new(fork)?;
        let first = harness.next_block()?;
        let input = first.input()?;
        let codes = each_code(&input);
        assert!(codes.len() >= 4, "the system contracts");
        let long: Vec<_> = codes.iter().filter(|code| code.bytes().len() >= 256).cloned().collect();
        assert!(!long.is_empty() && long.len() < codes.len());
        assert_eq!(
            CodeReference::of_each_code_in(&input),
            long,
            "a reference pays for each of them"
        );
        harness.keep(&codes)?;
        let short = shorten(&input, &codes).expect("all are kept");
        assert_eq!(short.kept.len(), codes.len());
        assert!(short.bytes.len() + 900 < input.len());
        harness.advance(vec![short.bytes.into()], vec![])?;
        harness.assert_head_is(&first)?;

        // Truncated inputs have no codes.
        for length in 0..input.len().min(2_000) {
            assert_eq!(CodeReference::of_each_code_in(&input[..length]), []);
        }
        let lost = [&input[..2], &[0xff; 600]].concat();
        assert_eq!(CodeReference::of_each_code_in(&lost), []);

        // A batch, next to a single input without references.
        let blocks = [harness.next_block()?, harness.next_block()?, harness.next_block()?];
        let known = |index: usize| harness.l2.chain().block(&blocks[index].block.hash);
        let batch = harness.l2.chain().batch(vec![known(1)?, known(2)?])?.input()?;
        let all = kept(codes_in(&batch));
        assert_eq!(
            all.bytes().len(),
            4 * codes.len() + codes.iter().map(|code| code.bytes().len()).sum::<usize>()
        );
        harness.keep(from_ref(&all))?;
        let short = shorten(&batch, &[&codes[..], from_ref(&all)].concat()).expect("kept");
        assert_eq!(short.kept, [(all.account(), all.bytes().len())]);
        harness.advance(vec![blocks[0].input()?, short.bytes.into()], vec![])?;
        harness.assert_head_is(&blocks[2])?;
    }
    Ok(())
}

#[test]
fn reference_is_rejected_until_code_is_stored() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    let block = harness.next_block()?;
    let input = block.input()?;
    let code = kept(codes_in(&input));
    let short = shorten(&input, from_ref(&code)).expect("kept").bytes.to_vec();
    let error = harness.assert_refused::<NothingKept>(short.clone())?;
    assert_eq!((error.index, error.account), (U256::ZERO, code.account()));

    // The same bytes at an address that does not commit to them.
    let creation = [
        &[0x60, 0x0b, 0x59, 0x81, 0x38, 0x03, 0x80, 0x92, 0x59, 0x39, 0xf3, 0x00],
        &code.bytes()[..],
    ];
    let elsewhere = harness.l1.deploy(&harness.operator.clone(), creation.concat().into())?;
    let mut other = short.clone();
    other[11..31].copy_from_slice(elsewhere.as_slice());
    let error = harness.assert_refused::<NotKept>(other)?;
    assert_eq!((error.got, error.expected), (elsewhere, code.account()));

    harness.keep(from_ref(&code))?;
    let longer = [&short[..], &[0]].concat();
    let error = harness.assert_refused::<AssembledLengthMismatch>(longer)?;
    let length = U256::from(input.len());
    assert_eq!((error.got, error.expected), (length + U256::ONE, length));
    // The usual rules apply to an assembled input.
    let little = shorten(&[code.bytes(), &[0; 8][..]].concat(), from_ref(&code)).expect("kept");
    let mut tiny = kept(&input[..100]);
    assert!(shorten(&little.bytes, from_ref(&tiny)).is_none());
    harness.keep(from_ref(&tiny))?;
    let little = shorten(&input[..589], from_ref(&tiny)).expect("kept").bytes;
    let error = harness.assert_refused::<InputTooShort>(little.into())?;
    assert_eq!((error.got, error.minimum), (U256::from(589), U256::from(590)));

    // EXECUTE gets the same input wherever the references are.
    tiny = kept(&input[..600]);
    harness.keep(from_ref(&tiny))?;
    let short = shorten(&input, &[tiny, code]).expect("kept");
    assert_eq!(short.kept.len(), 2);
    harness.advance(vec![short.bytes.into()], vec![])?;
    harness.assert_head_is(&block)
}

#[test]
fn blob_input_head_may_have_references() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    let blocks = harness.blocks(2)?;
    let batch = harness.batch_of(&blocks)?;
    let mut posting = AdvancePlan::in_blobs(from_ref(&batch)).expect("one blob");
    let part = kept(&posting.inputs[0][100..400]);
    harness.keep(from_ref(&part))?;
    posting.inputs[0] = shorten(&posting.inputs[0], from_ref(&part)).expect("kept").bytes;
    harness.l1.skip(100);
    let (to, data) = (harness.rollup.address, posting.calldata(Evidence::default()));
    let sent =
        harness.l1.send_with_blobs(&harness.operator, to, data, &posting.blobs, 16_000_000)?;
    assert!(sent.receipt.success);
    assert_eq!(harness.rollup.head(&harness.l1)?.number, 2);
    Ok(())
}

#[test]
fn predicted_cost_with_references_matches_gas_used() -> Result<()> {
    L1_FORKS.into_iter().try_for_each(assert_references_cost_what_is_said)
}

fn assert_references_cost_what_is_said(l1_fork: ProtocolFork) -> Result<()> {
    let mut harness = TestRollup::on_l1(l1_fork)?;
    let first = harness.blocks(1)?;
    let input = harness.input_of(&first)?;
    harness.l1.skip(100);
    let each = each_code(&input.bytes);
    harness.keep(&each)?;
    // The first block of a rollup initialises storage slots, which costs extra.
    harness.post(&AdvancePlan::in_calldata(&[input]))?;
    let mut differences = Vec::new();
    let shapes: [&[usize]; 6] = [&[1], &[0], &[3], &[1, 1], &[2, 1, 3], &[0, 2]];
    for shape in shapes {
        let inputs = harness.inputs(shape)?;
        let all = kept(codes_in(&inputs[0].bytes));
        harness.keep(from_ref(&all))?;
        // All codes in one account, each in its own, or only some of them.
        let number = harness.rollup.head(&harness.l1)?.number;
        let known = match number % 3 {
            0 => vec![all],
            1 => each.clone(),
            _ => each[1..3].to_vec(),
        };
        harness.l1.skip(100);
        let posting = AdvancePlan::with_kept(&inputs, &known).expect("something is kept");
        let (sent, cost) = harness.post(&posting)?;
        if sent.gas_used != cost.gas {
            differences.push((shape, known.len(), sent.gas_used as i64 - cost.gas as i64));
        }
    }
    assert_eq!(differences, [], "{l1_fork:?}");
    Ok(())
}

#[test]
fn predicted_cost_of_long_input_matches_gas_used() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    let first = harness.blocks(1)?;
    let input = harness.input_of(&first)?;
    harness.l1.skip(100);
    harness.post(&AdvancePlan::in_calldata(&[input]))?;
    let mut costs = Vec::new();
    for is_kept in [false, true] {
        let data: Vec<u8> = (0..2_200_u32).flat_map(|at| keccak256(at.to_be_bytes()).0).collect();
        let (to, gas) = (Key::named("bob").address(), 3_000_000);
        let transaction =
            harness.l2.sign(&harness.alice.clone(), to.into(), U256::ONE, data.into(), gas)?;
        let time = harness.l2.next_timestamp();
        let block = harness.seal(time, vec![transaction])?;
        let block = harness.l2.append(block)?;
        let input = harness.input_of(from_ref(&block))?;
        // References to full accounts, from a position within the payload on.
        let parts: Vec<_> = input.bytes[700..71_000].chunks(MAX_CODE_REFERENCE).map(kept).collect();
        assert_eq!(parts.len(), 3);
        harness.l1.skip(100);
        let posting = if is_kept {
            harness.keep(&parts)?;
            AdvancePlan::with_kept(from_ref(&input), &parts).expect("they are kept")
        } else {
            AdvancePlan::in_calldata(from_ref(&input))
        };
        let (sent, cost) = harness.post(&posting)?;
        assert_eq!(sent.gas_used, cost.gas, "kept: {is_kept}");
        costs.push(cost.gas);
    }
    // The remaining cost is for the block itself, memory, copying and hashing.
    assert!(costs[1] + 70_000 * 14 < costs[0], "{costs:?}");
    Ok(())
}

#[test]
fn planner_uses_references_where_cheaper() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    let blocks = harness.blocks(1)?;
    let input = harness.batch_of(&blocks)?;
    let all = kept(codes_in(&input.bytes));
    let chosen = |fork: ProtocolFork, kept: &[CodeReference]| {
        let prices = L1Prices { fork, gas: 1, blob_gas: None };
        let ways = AdvancePlan::ways_in_calldata(from_ref(&input), kept);
        // No slot of the ring is new.
        cheapest(ways, &prices, &L1Limits::default(), 0, STATE_ROOTS).expect("L1 admits it")
    };
    let (plain, whole) = chosen(FORK, &[]);
    assert_eq!(plain.inputs, from_ref(&input.bytes));
    let (short, cost) = chosen(FORK, from_ref(&all));
    assert!(short.inputs[0].len() + 1_000 < input.bytes.len());
    assert!(cost.gas + 12_000 < whole.gas, "{} and {}", cost.gas, whole.gas);
    // Short bytes are not worth a reference, except on Amsterdam, where the floor price of a byte
    // is the same in every transaction.
    let small = kept(&input.bytes[620..770]);
    let (way, _) = chosen(FORK, from_ref(&small));
    assert_eq!(way.inputs, from_ref(&input.bytes));
    let (way, _) = chosen(ProtocolFork::Amsterdam, from_ref(&small));
    assert!(way.inputs[0].len() < input.bytes.len());
    // Of two codes, only those that save gas are referenced.
    let both = [small, all.clone()];
    let (way, _) = chosen(FORK, &both);
    assert_eq!(way, AdvancePlan::with_kept(from_ref(&input), from_ref(&all)).expect("kept"));
    let (way, _) = chosen(ProtocolFork::Amsterdam, &both);
    assert_eq!(way, AdvancePlan::with_kept(from_ref(&input), &both).expect("kept"));
    Ok(())
}

#[test]
fn stored_code_stops_when_called() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    // SELFDESTRUCT to the caller, which the STOP before it prevents.
    let code = kept(&[0x33, 0xff]);
    assert_eq!(harness.l1.kept_at(code.account())?, None);
    harness.keep(from_ref(&code))?;
    let call = INativeRollup::headCall {}.abi_encode();
    let operator = harness.operator.clone();
    let sent = harness.l1.send(
        &operator,
        code.account().into(),
        U256::ZERO,
        call.into(),
        TRANSACTION_GAS_CAP,
    )?;
    assert!(sent.receipt.success, "it stops");
    assert_eq!(harness.l1.kept_at(code.account())?, Some(code.clone()));
    assert_eq!(harness.l1.kept_at(PROXY)?, None);
    assert_eq!(harness.l1.kept_at(Address::ZERO)?, None);
    // The account cannot be created again.
    let sent = harness.l1.send(&operator, PROXY.into(), U256::ZERO, code.creation(), 1_000_000)?;
    assert!(!sent.receipt.success);
    Ok(())
}
