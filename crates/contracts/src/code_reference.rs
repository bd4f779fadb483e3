//! Inputs of `advance` with references to bytes that are stored as contract code on L1, in the
//! format of `contracts/libraries/KeptCodes.sol`.
//!
//! ```text
//! 0xc0de ‖ length (4) ‖ number of references (1) ‖ references ‖ bytes that are not stored
//! reference: offset of the stored bytes in the input (4) ‖ account that stores them (20)
//! ```
//!
//! Numbers are big-endian. The code of such an account is STOP followed by the bytes. It is created
//! by the deterministic deployment proxy, so its address commits to the bytes, and no party has to
//! be trusted.

use alloy_primitives::{Address, B256, Bytes, address, hex, keccak256};
use std::collections::HashMap;
use wire::{SchemaId, layout::input};

/// Proxy that creates the accounts with stored bytes (`KeptCodes.PROXY`).
pub const PROXY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
/// Init code before the bytes (`KeptCodes.INIT_HEAD`): a loader, and STOP.
pub const INIT_HEAD: [u8; 12] = hex!("600b5981380380925939f300");
/// First bytes of an input with references (`KeptCodes.MAGIC`).
pub const MAGIC: [u8; 2] = [0xc0, 0xde];
/// Offset of the references (`KeptCodes.REFERENCES_AT`).
pub const REFERENCES_AT: usize = 7;
/// Length of a reference in bytes (`KeptCodes.REFERENCE_LENGTH`).
pub const REFERENCE_LENGTH: usize = 24;
/// Maximum number of bytes that an account can store: the code size limit (EIP-170) less one byte
/// for STOP.
pub const MAX_CODE_REFERENCE: usize = 24_575;

/// Minimum length for which a reference is cheaper than calldata at 16 gas per byte. If the
/// calldata floor (EIP-7623) determines the price, the gas that the contract uses for references is
/// free.
pub(crate) const WORTH_A_REFERENCE: usize = 256;

/// Maximum number of references in an input.
const MAX_REFERENCES: usize = 255;
/// Length of the prefix by which stored bytes are looked up. Shorter bytes are not worth a
/// reference.
const KEY: usize = 8;

/// Reason why an input with references is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeReferenceError {
    /// The input ends within its references.
    #[error("{got} bytes, expected at least {minimum}: the references of the input")]
    TooShort {
        /// Bytes present.
        got: usize,
        /// Minimum number of bytes.
        minimum: usize,
    },
    /// The input has no references.
    #[error("an input with references has none")]
    NoReferences,
    /// A reference begins before the end of the previous one, or beyond the bytes that are left.
    #[error("reference {index} begins at byte {got} of the input, expected {minimum} to {maximum}")]
    OutOfPlace {
        /// Index of the reference.
        index: usize,
        /// Start of the reference.
        got: usize,
        /// Smallest valid start.
        minimum: usize,
        /// Largest valid start.
        maximum: usize,
    },
    /// The account does not store any bytes.
    #[error("reference {index}: nothing is kept at {account}")]
    NothingKept {
        /// Position of the reference.
        index: usize,
        /// The account.
        account: Address,
    },
    /// The total length of the parts does not match the declared length.
    #[error("the parts of the input have {got} bytes, and it says {expected}")]
    Length {
        /// Bytes assembled so far.
        got: usize,
        /// Declared length.
        expected: usize,
    },
}

/// Bytes that are or can be stored as code on L1, and the account for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeReference {
    bytes: Bytes,
    account: Address,
}

impl CodeReference {
    /// Creates the reference to these bytes; `None` if they are empty, or longer than an account
    /// can store.
    pub fn new(bytes: Bytes) -> Option<Self> {
        let account = account_of(&bytes);
        ((1..=MAX_CODE_REFERENCE).contains(&bytes.len())).then_some(Self { bytes, account })
    }

    /// Returns the [codes of an input](codes_in), split over the minimum number of accounts.
    pub fn of_codes_in(input: &[u8]) -> Vec<Self> {
        let parts = codes_in(input).chunks(MAX_CODE_REFERENCE);
        parts.filter_map(|part| Self::new(Bytes::copy_from_slice(part))).collect()
    }

    /// Returns each code of an input that is worth a reference and fits into an account, so that
    /// inputs can share the codes that they have in common.
    pub fn of_each_code_in(input: &[u8]) -> Vec<Self> {
        let is_worth_it = |code: &&[u8]| code.len() >= WORTH_A_REFERENCE;
        let codes = split(codes_in(input)).filter(is_worth_it);
        codes.filter_map(|code| Self::new(Bytes::copy_from_slice(code))).collect()
    }

    /// Returns the bytes that an account with this code stores; `None` if the code of the account
    /// could change.
    pub fn at(account: Address, code: &[u8]) -> Option<Self> {
        let (0, bytes) = code.split_first()? else { return None };
        (account_of(bytes) == account)
            .then(|| Self { bytes: Bytes::copy_from_slice(bytes), account })
    }

    /// Returns the account that stores the bytes.
    pub const fn account(&self) -> Address {
        self.account
    }

    /// Returns the stored bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the calldata for [`PROXY`] that creates the account. Anyone can send it, once.
    pub fn creation(&self) -> Bytes {
        [&B256::ZERO[..], &INIT_HEAD, &self.bytes].concat().into()
    }
}

/// Returns the encoded list of codes in the witness of an input, single or batch, including its
/// offsets. Storing it saves gas if other inputs have exactly the same codes. Empty if the bytes
/// are not an input.
pub fn codes_in(input: &[u8]) -> &[u8] {
    let offset = |at: usize| {
        let bytes = input.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    let find = || {
        let witness = SchemaId::LEN + offset(SchemaId::LEN + input::WITNESS)?;
        let (codes, headers) = (offset(witness + 4)?, offset(witness + 8)?);
        input.get(witness + codes..witness + headers)
    };
    find().unwrap_or_default()
}

/// Returns the items of an SSZ list of byte lists, skipping invalid offsets.
fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let offset = |at: usize| {
        let bytes = list.get(at..at + 4)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    let count = offset(0).unwrap_or_default().min(list.len()) / 4;
    (0..count).filter_map(move |index| {
        let end = if index + 1 == count { list.len() } else { offset(4 * index + 4)? };
        list.get(offset(4 * index)?..end)
    })
}

fn account_of(bytes: &[u8]) -> Address {
    PROXY.create2(B256::ZERO, keccak256([&INIT_HEAD[..], bytes].concat()))
}

/// An input with references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References<'a> {
    length: usize,
    references: Vec<(usize, Address)>,
    rest: &'a [u8],
}

impl<'a> References<'a> {
    /// Returns the references of an input; `None` if it has none.
    ///
    /// # Errors
    ///
    /// [`CodeReferenceError`] if the input ends within its references, or starts with [`MAGIC`] and has no
    /// references.
    pub fn of(input: &'a [u8]) -> Result<Option<Self>, CodeReferenceError> {
        let Some((&[a, b, c, d, e, f, count], rest)) =
            input.split_first_chunk::<REFERENCES_AT>().filter(|(head, _)| head[..2] == MAGIC)
        else {
            return Ok(None);
        };
        debug_assert_eq!([a, b], MAGIC);
        if count == 0 {
            return Err(CodeReferenceError::NoReferences);
        }
        let references = usize::from(count) * REFERENCE_LENGTH;
        let (references, rest) =
            rest.split_at_checked(references).ok_or(CodeReferenceError::TooShort {
                got: input.len(),
                minimum: REFERENCES_AT + references,
            })?;
        let reference = |bytes: &[u8; REFERENCE_LENGTH]| {
            let [a, b, c, d, account @ ..] = *bytes;
            (u32::from_be_bytes([a, b, c, d]) as usize, Address::from(account))
        };
        let (references, _) = references.as_chunks::<REFERENCE_LENGTH>();
        Ok(Some(Self {
            length: u32::from_be_bytes([c, d, e, f]) as usize,
            references: references.iter().map(reference).collect(),
            rest,
        }))
    }

    /// Returns the referenced accounts, in order.
    pub fn accounts(&self) -> impl Iterator<Item = Address> {
        self.references.iter().map(|(_, account)| *account)
    }

    /// Assembles the input without references. `kept` returns the bytes that an account stores.
    ///
    /// # Errors
    ///
    /// [`CodeReferenceError`] if an account stores nothing, or if the parts do not fill the declared length.
    pub fn assemble<'k>(
        &self,
        kept: impl Fn(Address) -> Option<&'k CodeReference>,
    ) -> Result<Vec<u8>, CodeReferenceError> {
        let mut input = Vec::new();
        let mut rest = self.rest;
        for (index, (position, account)) in self.references.iter().enumerate() {
            let (got, minimum) = (*position, input.len());
            let out_of_place = CodeReferenceError::OutOfPlace {
                index,
                got,
                minimum,
                maximum: minimum + rest.len(),
            };
            let piece = got.checked_sub(minimum).and_then(|piece| rest.split_at_checked(piece));
            let (piece, behind) = piece.ok_or(out_of_place)?;
            let found = kept(*account)
                .ok_or(CodeReferenceError::NothingKept { index, account: *account })?;
            let end = position + found.bytes.len();
            if end > self.length {
                return Err(CodeReferenceError::Length { got: end, expected: self.length });
            }
            input.extend_from_slice(piece);
            input.extend_from_slice(&found.bytes);
            rest = behind;
        }
        let end = input.len() + rest.len();
        if end != self.length {
            return Err(CodeReferenceError::Length { got: end, expected: self.length });
        }
        input.extend_from_slice(rest);
        Ok(input)
    }
}

/// An input with references in place of some of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortened {
    /// The input.
    pub bytes: Bytes,
    /// The referenced accounts, and the number of bytes that each stores.
    pub kept: Vec<(Address, usize)>,
    /// Length of each piece between references, including the pieces before the first and after the
    /// last.
    pub pieces: Vec<usize>,
}

/// Replaces each occurrence of stored bytes in the input by a reference, preferring the longest
/// match at each position; `None` if nothing matches, or if the input is too long.
pub fn shorten(input: &[u8], kept: &[CodeReference]) -> Option<Shortened> {
    let length = u32::try_from(input.len()).ok()?;
    let mut by_key = HashMap::<[u8; KEY], Vec<&CodeReference>>::new();
    for code in kept {
        if let Some(key) = code.bytes.first_chunk() {
            by_key.entry(*key).or_default().push(code);
        }
    }
    by_key.values_mut().for_each(|codes| codes.sort_by_key(|code| code.bytes.len()));
    let (mut references, mut found, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = Vec::with_capacity(input.len());
    let (mut at, mut done) = (0, 0);
    while let Some(key) = input[at..].first_chunk::<KEY>()
        && found.len() < MAX_REFERENCES
    {
        let codes = by_key.get(key).into_iter().flatten();
        let Some(code) = codes.rev().find(|code| input[at..].starts_with(&code.bytes)) else {
            at += 1;
            continue;
        };
        references.extend_from_slice(&u32::try_from(at).ok()?.to_be_bytes());
        references.extend_from_slice(code.account.as_slice());
        found.push((code.account, code.bytes.len()));
        pieces.push(at - done);
        rest.extend_from_slice(&input[done..at]);
        at += code.bytes.len();
        done = at;
    }
    pieces.push(input.len() - done);
    rest.extend_from_slice(&input[done..]);
    let count = u8::try_from(found.len()).ok().filter(|count| *count > 0)?;
    let head = [&MAGIC[..], &length.to_be_bytes(), &[count]].concat();
    Some(Shortened { bytes: [head, references, rest].concat().into(), kept: found, pieces })
}
