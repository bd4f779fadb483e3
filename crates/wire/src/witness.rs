//! The execution witness: trie nodes, codes and ancestor headers.

use crate::{
    DecodeError,
    compact::CompactState,
    list::{ByteLists, variable_fields},
};
use alloc::vec::Vec;

const WHAT: &str = "execution witness";
/// Length of the fixed part: three offsets.
const FIXED: usize = 12;

/// The state that a block reads, as the specification's `ExecutionWitness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionWitness<'a> {
    /// RLP of trie nodes of the account trie and of storage tries. Canonical: ascending, no
    /// duplicates.
    pub state: ByteLists<'a>,
    /// Contract codes that existed before the block. Canonical: ascending, no duplicates.
    pub codes: ByteLists<'a>,
    /// RLP of ancestor headers from oldest to newest; the last is the parent.
    pub headers: ByteLists<'a>,
}

impl<'a> ExecutionWitness<'a> {
    /// Maximum bytes of a trie node.
    // A branch of 16 hashes takes 532 bytes; the specification leaves room up to this limit.
    pub const MAX_NODE: usize = 1 << 10;
    /// Maximum bytes of a code (EIP-7954).
    pub const MAX_CODE: usize = 1 << 16;
    /// Maximum bytes of a header.
    pub const MAX_HEADER: usize = 1 << 10;
    /// Maximum number of headers: the number of ancestors that BLOCKHASH reaches.
    // A verifier hashes every header in the witness, so their number is limited to the headers that
    // a block can read.
    pub const MAX_HEADERS: usize = 256;

    /// The empty witness.
    pub const EMPTY: Self =
        Self { state: ByteLists::EMPTY, codes: ByteLists::EMPTY, headers: ByteLists::EMPTY };

    /// Decodes the SSZ encoding of a witness.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let [state, codes, headers] = variable_fields(WHAT, bytes, FIXED, [0, 4, 8])?;
        Ok(Self {
            state: ByteLists::decode("witness state", state, usize::MAX, Self::MAX_NODE)?,
            codes: decode_codes(codes)?,
            headers: decode_headers(headers)?,
        })
    }

    /// Bytes of the SSZ encoding.
    pub fn encoded_len(&self) -> usize {
        FIXED + self.state.encoded_len() + self.codes.encoded_len() + self.headers.encoded_len()
    }
}

fn decode_codes(bytes: &[u8]) -> Result<ByteLists<'_>, DecodeError> {
    ByteLists::decode("witness codes", bytes, usize::MAX, ExecutionWitness::MAX_CODE)
}

/// Rejects codes that are listed twice, because accounts with such a code would have two encodings.
/// Codes in ascending order, as this project's encoders produce them, need one comparison each;
/// others are sorted, which takes four words of memory for each code.
fn check_unique(codes: ByteLists<'_>) -> Result<(), DecodeError> {
    if codes.iter().zip(codes.iter().skip(1)).all(|(code, next)| code < next) {
        return Ok(());
    }
    let mut sorted: Vec<(&[u8], usize)> = codes.iter().zip(0..).collect();
    sorted.sort_unstable();
    // Only neighbours can be equal after sorting; the smallest index makes the error deterministic.
    let twice = sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    match twice.map(|pair| (pair[1].1, pair[0].1)).min() {
        Some((index, first)) => Err(DecodeError::DuplicateCode { index, first }),
        None => Ok(()),
    }
}

fn decode_headers(bytes: &[u8]) -> Result<ByteLists<'_>, DecodeError> {
    let (maximum, longest) = (ExecutionWitness::MAX_HEADERS, ExecutionWitness::MAX_HEADER);
    ByteLists::decode("witness headers", bytes, maximum, longest)
}

/// The state that the blocks of a batch read: an [`ExecutionWitness`] with trie nodes in compact
/// form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchWitness<'a> {
    /// Trie nodes of the account trie and of storage tries.
    pub state: CompactState<'a>,
    /// Contract codes, like [`ExecutionWitness::codes`]; none is listed twice.
    pub codes: ByteLists<'a>,
    /// RLP of ancestor headers, like [`ExecutionWitness::headers`].
    pub headers: ByteLists<'a>,
}

impl<'a> BatchWitness<'a> {
    /// The empty witness.
    pub const EMPTY: Self =
        Self { state: CompactState::EMPTY, codes: ByteLists::EMPTY, headers: ByteLists::EMPTY };

    /// Creates a witness with this state in the form of [`crate::compact`].
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if `state` does not belong to a witness with these codes, or if a code is
    /// listed twice.
    pub fn new(
        state: &'a [u8],
        codes: ByteLists<'a>,
        headers: ByteLists<'a>,
    ) -> Result<Self, DecodeError> {
        // Codes come first: the stream refers to them by position, and a duplicate would allow two
        // positions.
        check_unique(codes)?;
        Ok(Self { state: CompactState::decode(state, codes.len())?, codes, headers })
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let [state, codes, headers] = variable_fields(WHAT, bytes, FIXED, [0, 4, 8])?;
        Self::new(state, decode_codes(codes)?, decode_headers(headers)?)
    }

    /// Bytes of the SSZ encoding.
    pub fn encoded_len(&self) -> usize {
        FIXED + self.state.encoded_len() + self.codes.encoded_len() + self.headers.encoded_len()
    }
}
