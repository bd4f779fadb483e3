//! What EXECUTE returns.

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
    /// Whether the payload is valid. EXECUTE only ever returns `true`: it fails otherwise.
    pub valid: bool,
    /// Chain id of the input.
    pub chain_id: u64,
    /// Schema id of the input.
    pub schema: SchemaId,
}

impl StatelessResult {
    /// Bytes of the encoding.
    pub const LEN: usize = 43;
    /// Where the flag stands.
    pub const VALID: usize = 32;
    /// Where the chain id stands, eight bytes little endian.
    pub const CHAIN_ID: usize = 33;
    /// Where the schema id stands, two bytes little endian (unlike in front of the input).
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
        if bytes.len() != Self::LEN {
            return Err(DecodeError::Length { what: WHAT, got: bytes.len(), expected: Self::LEN });
        }
        let valid = match bytes[Self::VALID] {
            0 => false,
            1 => true,
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
