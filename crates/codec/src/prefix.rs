//! EXECUTE inputs without their witness.
//!
//! The witness is the last field of a single input and of a batch, so an input is its *prefix* and
//! the encoding of the witness, one after the other. A node that has the state of the parent needs
//! only the prefix.

use crate::encode::{batch_witness, witness};
use wire::{BatchWitness, ExecutionWitness, SchemaId, layout::input as at, list::offset_at};

/// Reasons for which bytes have no prefix or are not a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The schema id names neither a single input nor a batch. Inputs with references to code on L1
    /// (`0xc0de`) have none.
    #[error("schema id {got:#06x} names neither a block nor a batch")]
    Schema {
        /// The schema id.
        got: u16,
    },
    /// The bytes end within the fixed part of the input.
    #[error("{got} bytes, expected at least {expected}: the fixed part of an input")]
    TooShort {
        /// Bytes present.
        got: usize,
        /// Minimum number of bytes.
        expected: usize,
    },
    /// The first offset of the input is not the length of its fixed part.
    #[error("the first offset of the input is {got}, expected {expected}")]
    FirstOffset {
        /// The offset.
        got: usize,
        /// Length of the fixed part.
        expected: usize,
    },
    /// The offset of the witness is within the fixed part, or after the end.
    #[error("the witness starts at {got}, expected {minimum} to {maximum}")]
    WitnessOffset {
        /// The offset, from the start of the body.
        got: usize,
        /// Length of the fixed part.
        minimum: usize,
        /// Length of the body.
        maximum: usize,
    },
    /// The bytes do not end where their witness would start.
    #[error("{got} bytes, expected {expected}: the witness would start there")]
    NotPrefix {
        /// Bytes present.
        got: usize,
        /// Length of the prefix.
        expected: usize,
    },
}

/// Returns the prefix of an input or batch: all of it up to its witness. The prefix of a prefix is
/// itself.
///
/// Nothing else is decoded, so the requests may be invalid.
///
/// # Errors
///
/// [`PrefixError`] if the schema id is unknown, or if the offsets are not those of an input.
pub fn prefix(input: &[u8]) -> Result<&[u8], PrefixError> {
    let too_short = |expected| PrefixError::TooShort { got: input.len(), expected };
    let Ok(schema) = SchemaId::of(input) else {
        return Err(too_short(SchemaId::LEN + at::FIXED));
    };
    let body = &input[SchemaId::LEN..];
    if schema.fork().is_none() && schema.batch_fork().is_none() {
        return Err(PrefixError::Schema { got: schema.get() });
    }
    if body.len() < at::FIXED {
        return Err(too_short(SchemaId::LEN + at::FIXED));
    }
    // Older dialects have other fields after the witness.
    let first = offset_at(body, at::REQUEST);
    if first != at::FIXED {
        return Err(PrefixError::FirstOffset { got: first, expected: at::FIXED });
    }
    let got = offset_at(body, at::WITNESS);
    if !(at::FIXED..=body.len()).contains(&got) {
        return Err(PrefixError::WitnessOffset { got, minimum: at::FIXED, maximum: body.len() });
    }
    Ok(&input[..SchemaId::LEN + got])
}

/// Returns `true` if an input ends where its witness would start.
pub fn is_prefix(input: &[u8]) -> bool {
    prefix(input).is_ok_and(|prefix| prefix.len() == input.len())
}

/// Completes a prefix with the encoding of an empty witness, so that it can be decoded as an input.
/// EXECUTE rejects it unless the block reads no state; a node verifies it on its own state.
///
/// # Errors
///
/// [`PrefixError`] if the bytes are not a prefix.
pub fn with_empty_witness(input: &[u8]) -> Result<Vec<u8>, PrefixError> {
    let (got, expected) = (input.len(), prefix(input)?.len());
    if got != expected {
        return Err(PrefixError::NotPrefix { got, expected });
    }
    let mut whole = input.to_vec();
    if SchemaId::of(input).is_ok_and(|schema| schema.batch_fork().is_some()) {
        batch_witness(&BatchWitness::EMPTY, &mut whole);
    } else {
        witness(&ExecutionWitness::EMPTY, &mut whole);
    }
    Ok(whole)
}
