//! The result of EXECUTE.

use crate::{
    DecodeError, SchemaId,
    list::{array_at, u64_at},
};
use alloy_primitives::B256;

/// The specification's `StatelessValidationResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatelessResult {
    /// Hash tree root of the request, execution-specs convention.
    pub request_root: B256,
    /// `true` if the payload is valid. EXECUTE returns no other value: it fails otherwise.
    pub valid: bool,
    /// Chain id of the input.
    pub chain_id: u64,
    /// Schema id of the input.
    pub schema: SchemaId,
}

impl StatelessResult {
    /// Bytes of the encoding.
    pub const LEN: usize = 43;
    /// Offset of the flag.
    pub const VALID: usize = 32;
    /// Offset of the chain id, eight bytes little-endian.
    pub const CHAIN_ID: usize = 33;
    /// Offset of the schema id, two bytes little-endian (big-endian in front of the input).
    pub const SCHEMA: usize = 41;

    /// Encodes the result.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..Self::VALID].copy_from_slice(self.request_root.as_slice());
        out[Self::VALID] = u8::from(self.valid);
        out[Self::CHAIN_ID..Self::SCHEMA].copy_from_slice(&self.chain_id.to_le_bytes());
        out[Self::SCHEMA..].copy_from_slice(&self.schema.get().to_le_bytes());
        out
    }

    /// Decodes a result; its length must be exact and its flag a boolean.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "stateless result";
        // Exact: a contract reads the result at fixed offsets and must not accept trailing bytes.
        if bytes.len() != Self::LEN {
            return Err(DecodeError::Length { what: WHAT, got: bytes.len(), expected: Self::LEN });
        }
        let valid = match bytes[Self::VALID] {
            0 => false,
            1 => true,
            // Any other byte would make a second encoding of `true`.
            got => return Err(DecodeError::Boolean { what: "successful validation", got }),
        };
        Ok(Self {
            request_root: array_at(bytes, 0).into(),
            valid,
            chain_id: u64_at(bytes, Self::CHAIN_ID),
            schema: SchemaId::new(u16::from_le_bytes(array_at(bytes, Self::SCHEMA))),
        })
    }
}
