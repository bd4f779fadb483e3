//! `KeptCodes` compared with Rust: inputs with references to code on L1.

use super::{
    cases,
    evm::{Harness::assembledCall, Refused, call_beside},
};
use alloy_primitives::{Address, Bytes, U256, address, hex};
use enshrine_contracts::code_reference::{
    CodeReference, CodeReferenceError, INIT_HEAD, MAX_CODE_REFERENCE, REFERENCE_LENGTH,
    REFERENCES_AT, References, shorten,
};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Assembles an input in Rust.
fn assembled(input: &[u8], kept: &[CodeReference]) -> Result<Vec<u8>, CodeReferenceError> {
    let find = |account| kept.iter().find(|code| code.account() == account);
    References::of(input)?.map_or_else(|| Ok(input.to_vec()), |found| found.assemble(find))
}

/// Assembles an input in Solidity, with these codes at these accounts.
fn on_chain(input: &[u8], accounts: &[(Address, Bytes)]) -> Result<Bytes, Refused> {
    call_beside(accounts, &assembledCall { input: Bytes::copy_from_slice(input) })
}

/// Returns the account that stores the bytes, and its code.
fn account(kept: &CodeReference) -> (Address, Bytes) {
    (kept.account(), [&[0], &kept.bytes()[..]].concat().into())
}

fn kept(bytes: &[u8]) -> CodeReference {
    CodeReference::new(Bytes::copy_from_slice(bytes)).expect("neither empty nor long")
}

/// An input, and three parts of it that are not adjacent.
fn rollups() -> (Vec<u8>, Vec<CodeReference>) {
    let input: Vec<u8> =
        (0..2_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let parts = [100..133, 500..1_400, 1_900..2_000].map(|range| kept(&input[range]));
    (input, parts.into())
}

/// Returns the input with one reference replaced.
fn with_reference(input: &[u8], index: usize, position: u32, account: Address) -> Vec<u8> {
    let mut input = input.to_vec();
    let at = REFERENCES_AT + REFERENCE_LENGTH * index;
    input[at..at + 4].copy_from_slice(&position.to_be_bytes());
    input[at + 4..at + REFERENCE_LENGTH].copy_from_slice(account.as_slice());
    input
}

/// Asserts that both sides reject the input for the same reason.
#[track_caller]
fn assert_refused(
    input: &[u8],
    codes: &[CodeReference],
    accounts: &[(Address, Bytes)],
    error: CodeReferenceError,
) {
    assert_eq!(assembled(input, codes), Err(error));
    let refused = on_chain(input, accounts).expect_err("the contract refuses");
    assert_eq!(same(&refused), Some(error), "{refused:?}");
}

/// Converts an error of the contract to the Rust error.
fn same(refused: &Refused) -> Option<CodeReferenceError> {
    let number = |number: &U256| usize::try_from(*number).expect("small");
    Some(match refused {
        Refused::ReferencesTooShort(e) => {
            CodeReferenceError::TooShort { got: number(&e.got), minimum: number(&e.minimum) }
        }
        Refused::NoReferences(_) => CodeReferenceError::NoReferences,
        Refused::ReferenceOutOfPlace(e) => CodeReferenceError::OutOfPlace {
            index: number(&e.index),
            got: number(&e.got),
            minimum: number(&e.minimum),
            maximum: number(&e.maximum),
        },
        Refused::NothingKept(e) => {
            CodeReferenceError::NothingKept { index: number(&e.index), account: e.account }
        }
        Refused::NotKept(e) => {
            CodeReferenceError::NothingKept { index: number(&e.index), account: e.got }
        }
        Refused::AssembledLengthMismatch(e) => {
            CodeReferenceError::Length { got: number(&e.got), expected: number(&e.expected) }
        }
        _ => return None,
    })
}

#[test]
fn input_with_references_assembles_to_original() {
    let (input, codes) = rollups();
    let short = shorten(&input, &codes).expect("all are in it");
    let accounts: Vec<_> = codes.iter().map(account).collect();
    assert_eq!(short.bytes.len(), REFERENCES_AT + 3 * REFERENCE_LENGTH + 2_000 - 1_033);
    assert_eq!(short.pieces, [100, 367, 500, 0]);
    assert_eq!(
        short.kept,
        codes.iter().map(|code| (code.account(), code.bytes().len())).collect::<Vec<_>>()
    );
    assert_eq!(assembled(&short.bytes, &codes).as_ref(), Ok(&input));
    assert_eq!(on_chain(&short.bytes, &accounts), Ok(Bytes::from(input.clone())));
    // An input without references is returned unchanged.
    for plain in [&input[..], &[], &hex!("c0de"), &hex!("c0de00000000")] {
        assert_eq!(assembled(plain, &codes).as_deref(), Ok(plain));
        assert_eq!(on_chain(plain, &accounts).map(Vec::from), Ok(plain.to_vec()));
    }
    // The whole input is stored, and occurs twice in a row.
    let twice = input.repeat(2);
    let whole = [kept(&input)];
    let short = shorten(&twice, &whole).expect("the code occurs twice");
    assert_eq!((short.bytes.len(), &short.pieces[..]), (7 + 48, &[0, 0, 0][..]));
    assert_eq!(on_chain(&short.bytes, &[account(&whole[0])]), Ok(Bytes::from(twice)));
}

#[test]
fn misplaced_references_are_rejected_by_both() {
    let (input, codes) = rollups();
    let accounts: Vec<_> = codes.iter().map(account).collect();
    let good = shorten(&input, &codes).expect("all are in it").bytes;
    let refused = |input: &[u8], error| assert_refused(input, &codes, &accounts, error);
    let out_of_place = |index, got, minimum, maximum| CodeReferenceError::OutOfPlace {
        index,
        got,
        minimum,
        maximum,
    };
    let at = |index: usize| codes[index].account();
    // The first reference may begin anywhere within the bytes that are present, and the next one
    // not before its end.
    refused(&with_reference(&good, 1, 132, at(1)), out_of_place(1, 132, 133, 1_000));
    refused(&with_reference(&good, 0, 968, at(0)), out_of_place(0, 968, 0, 967));
    refused(&with_reference(&good, 0, u32::MAX, at(0)), out_of_place(0, u32::MAX as usize, 0, 967));
    refused(&with_reference(&good, 0, 501, at(0)), out_of_place(1, 500, 534, 1_000));
    // References out of order.
    let swapped = with_reference(&with_reference(&good, 0, 500, at(1)), 1, 100, at(0));
    refused(&swapped, out_of_place(1, 100, 1_400, 1_867));
    // The second reference may begin anywhere before the third, which results in another input.
    let moved = with_reference(&good, 1, 133, at(1));
    assert_eq!(on_chain(&moved, &accounts).map(Vec::from), Ok(assembled(&moved, &codes).unwrap()));
    // One byte more or fewer than declared, and a declared length that is one more or less.
    let length = |got, expected| CodeReferenceError::Length { got, expected };
    refused(&[&good[..], &[0]].concat(), length(2_001, 2_000));
    refused(&good[..good.len() - 1], out_of_place(2, 1_900, 1_400, 1_899));
    let declared = |length: u32| {
        let mut input = good.to_vec();
        input[2..6].copy_from_slice(&length.to_be_bytes());
        input
    };
    refused(&declared(2_001), length(2_000, 2_001));
    refused(&declared(1_999), length(2_000, 1_999));
    refused(&declared(132), length(133, 132));
    assert_eq!(on_chain(&declared(2_000), &accounts), Ok(Bytes::from(input)));
    // No reference is declared, or more than are present.
    let counted = |count: u8| [&good[..6], &[count], &good[7..]].concat();
    refused(&counted(0), CodeReferenceError::NoReferences);
    refused(&counted(44), CodeReferenceError::TooShort { got: good.len(), minimum: 7 + 44 * 24 });
    refused(&hex!("c0de0000000001"), CodeReferenceError::TooShort { got: 7, minimum: 31 });
}

#[test]
fn only_immutable_code_is_accepted() {
    let (input, codes) = rollups();
    let accounts: Vec<_> = codes.iter().map(account).collect();
    let good = shorten(&input, &codes).expect("all are in it").bytes;
    let place = codes[1].account();
    let missing = CodeReferenceError::NothingKept { index: 1, account: place };
    assert_refused(&good, &[codes[0].clone(), codes[2].clone()], &accounts[..1], missing);
    // Code with one byte changed, shorter code, or the code at another account: the address does
    // not commit to it, so it could change.
    let code = |index: usize, value: u8| {
        let mut code = accounts[1].1.to_vec();
        code[index] = value;
        Bytes::from(code)
    };
    assert_eq!(CodeReference::at(place, &code(0, 0xfe)), None);
    for code in [code(5, 77), accounts[1].1.slice(..800), Bytes::from(vec![0])] {
        assert_eq!(CodeReference::at(place, &code), None);
        let accounts = [accounts[0].clone(), (place, code.clone()), accounts[2].clone()];
        let refused = on_chain(&good, &accounts).expect_err("refused");
        let Refused::NotKept(error) = refused else { panic!("{refused:?}") };
        assert_eq!((error.index, error.got), (U256::ONE, place));
        assert_ne!(error.expected, place);
    }
    let elsewhere = address!("0x00000000000000000000000000000000000c0de1");
    let moved = [accounts[0].clone(), (elsewhere, accounts[1].1.clone()), accounts[2].clone()];
    let refused = on_chain(&with_reference(&good, 1, 500, elsewhere), &moved).expect_err("refused");
    let Refused::NotKept(error) = refused else { panic!("{refused:?}") };
    assert_eq!((error.got, error.expected), (elsewhere, place));
    assert_eq!(CodeReference::at(elsewhere, &accounts[1].1), None);
    // The unchanged code is accepted.
    assert_eq!(CodeReference::at(place, &accounts[1].1).as_ref(), Some(&codes[1]));
    assert_eq!(on_chain(&good, &accounts), Ok(Bytes::from(input)));
}

#[test]
fn reference_can_fill_a_whole_code() {
    assert_eq!(CodeReference::new(Bytes::new()), None);
    assert_eq!(CodeReference::new(vec![1; MAX_CODE_REFERENCE + 1].into()), None);
    let maximum = kept(&vec![1; MAX_CODE_REFERENCE]);
    assert_eq!(maximum.creation().len(), 32 + INIT_HEAD.len() + MAX_CODE_REFERENCE);
    let input = [&[9; 600][..], maximum.bytes(), &[8; 3]].concat();
    let short = shorten(&input, std::slice::from_ref(&maximum)).expect("the code occurs");
    assert_eq!(on_chain(&short.bytes, &[account(&maximum)]), Ok(Bytes::from(input)));
}

#[test]
fn shorten_uses_longest_match() {
    let (input, _) = rollups();
    let codes = [kept(&input[10..40]), kept(&input[10..90]), kept(&input[10..60])];
    let short = shorten(&input, &codes).expect("they are in it");
    assert_eq!(short.kept, [(codes[1].account(), 80)]);
    // Bytes that are not in the input, or too few to be looked up.
    assert_eq!(shorten(&input, &[kept(&[7; 40]), kept(&input[10..17])]), None);
    assert_eq!(shorten(&[], &codes), None);
    // At most as many references as an input can have; further occurrences are not replaced.
    let many = input[10..40].repeat(300);
    let short = shorten(&many, &codes[..1]).expect("they are in it");
    assert_eq!((short.kept.len(), *short.pieces.last().unwrap()), (255, 45 * 30));
    assert_eq!(assembled(&short.bytes, &codes).as_ref(), Ok(&many));
    assert_eq!(on_chain(&short.bytes, &[account(&codes[0])]), Ok(Bytes::from(many)));
}

proptest! {
    #![proptest_config(cases(300))]

    /// For every mutation of an input with references, both sides assemble the same input or both
    /// reject it.
    #[test]
    fn both_assemble_or_reject_mutated_inputs_alike(
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        near_the_front in any::<bool>(),
        cut in prop_oneof![3 => Just(None), 1 => any::<Index>().prop_map(Some)],
        more in vec(any::<u8>(), 0..3),
    ) {
        let (input, codes) = rollups();
        let accounts: Vec<_> = codes.iter().map(account).collect();
        let mut short = shorten(&input, &codes).expect("all are in it").bytes.to_vec();
        for (at, value) in changes {
            let end = if near_the_front { 7 + 3 * 24 } else { short.len() };
            let at = at.index(end);
            // The two upper bytes of the length are not mutated, because the harness cannot
            // allocate that much memory.
            if at != 2 && at != 3 {
                short[at] = value;
            }
        }
        if let Some(cut) = cut {
            short.truncate(cut.index(short.len()));
        }
        short.extend(more);
        let theirs = on_chain(&short, &accounts);
        match assembled(&short, &codes) {
            Ok(whole) => prop_assert_eq!(theirs.map(Vec::from), Ok(whole)),
            Err(error) => {
                let refused = theirs.expect_err("the contract refuses");
                prop_assert_eq!(same(&refused), Some(error));
            }
        }
    }
}
