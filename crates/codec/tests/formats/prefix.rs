//! Prefixes of inputs: those of real blocks, and bytes that have none.

use crate::support::KnownAnswer;
use enshrine_codec::{Encode as _, PrefixError, RawBlock, is_prefix, prefix, with_empty_witness};
use eyre::Result;
use wire::{Input, ProtocolFork, SchemaId, StatelessInput, layout};

const WITNESS_OFFSET: usize = SchemaId::LEN + layout::input::WITNESS;

fn known() -> Vec<u8> {
    KnownAnswer::new().with(|input| input.encode())
}

fn with_witness_at(mut input: Vec<u8>, offset: usize) -> Vec<u8> {
    let offset = u32::try_from(offset).unwrap();
    input[WITNESS_OFFSET..WITNESS_OFFSET + 4].copy_from_slice(&offset.to_le_bytes());
    input
}

#[test]
fn real_blocks_are_prefix_and_witness() -> Result<()> {
    for testkit::vectors::Block { name, bundle } in
        testkit::vectors::blocks("blocks", "prefixes of real blocks")?
    {
        let block = RawBlock::decode(&bundle.block)?;
        let bytes =
            block.to_input(ProtocolFork::Prague, bundle.chain_id, &bundle.witness, &[], &[])?;
        let input = StatelessInput::decode(&bytes)?;
        let cut = prefix(&bytes)?;
        assert_eq!(bytes.len() - cut.len(), input.witness.encoded_len(), "{name}");
        let whole = with_empty_witness(cut)?;
        assert_eq!(StatelessInput::decode(&whole)?.request, input.request, "{name}");
    }
    Ok(())
}

#[test]
fn witness_offset_must_be_within_the_body() {
    let input = known();
    let (minimum, maximum) = (layout::input::FIXED, input.len() - SchemaId::LEN);
    for got in [0, minimum - 1, maximum + 1, u32::MAX as usize] {
        let moved = with_witness_at(input.clone(), got);
        let expected = PrefixError::WitnessOffset { got, minimum, maximum };
        assert_eq!(prefix(&moved), Err(expected));
        assert_eq!(with_empty_witness(&moved), Err(expected));
    }
    for got in [minimum, maximum] {
        let moved = with_witness_at(input.clone(), got);
        assert_eq!(prefix(&moved).unwrap().len(), SchemaId::LEN + got);
    }
}

#[test]
fn only_a_prefix_gets_an_empty_witness() {
    let input = known();
    let expected = prefix(&input).unwrap().len();
    for got in [input.len(), expected + 1] {
        let refused = with_empty_witness(&input[..got]);
        assert_eq!(refused, Err(PrefixError::NotPrefix { got, expected }));
        assert!(!is_prefix(&input[..got]));
    }
    let cut = with_empty_witness(&input[..expected - 1]).unwrap_err();
    assert!(matches!(cut, PrefixError::WitnessOffset { .. }), "{cut}");
    let whole = with_empty_witness(&input[..expected]).unwrap();
    assert!(Input::decode(&whole).is_ok());
}

#[test]
fn bytes_that_are_no_input_have_no_prefix() {
    let input = known();
    let minimum = SchemaId::LEN + layout::input::FIXED;
    for got in [0, 1, minimum - 1] {
        assert_eq!(prefix(&input[..got]), Err(PrefixError::TooShort { got, expected: minimum }));
    }
    // References to code on L1, and a first offset of an older dialect.
    let references = [&[0xc0, 0xde], &input[2..]].concat();
    assert_eq!(prefix(&references), Err(PrefixError::Schema { got: 0xc0de }));
    let mut older = input;
    older[2] = 20;
    assert_eq!(prefix(&older), Err(PrefixError::FirstOffset { got: 20, expected: 16 }));
}
