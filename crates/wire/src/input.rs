//! The input of EXECUTE for one block.

use crate::{
    DecodeError, ExecutionWitness, NewPayloadRequest, ProtocolFork, SchemaId,
    layout::input as at,
    list::{array_at, offset_at, u64_at, variable_fields},
};

const WHAT: &str = "stateless input";
/// Schema id of the oldest dialect, before schema ids named forks.
const DIALECT_0: SchemaId = SchemaId::new(0x0001);
/// First offset of the dialects that carry public keys as a fourth field.
const FIXED_WITH_PUBLIC_KEYS: usize = 20;

/// A decoded `StatelessInput`: a block, the state it reads, and the chain it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatelessInput<'a> {
    /// The fork whose shapes and rules hold.
    pub fork: ProtocolFork,
    /// The block, as `engine_newPayload` takes it.
    pub request: NewPayloadRequest<'a>,
    /// The state that the block reads.
    pub witness: ExecutionWitness<'a>,
    /// EIP-155 chain id.
    pub chain_id: u64,
}

impl<'a> StatelessInput<'a> {
    /// Decodes schema id and body. Allocates nothing: the parts stay slices of `bytes`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (schema, body) = SchemaId::split(bytes)?;
        if schema == DIALECT_0 {
            return Err(DecodeError::OlderDialect {
                dialect: "dialect 0 (tests-zkevm v0.5 and earlier)",
                surplus: "chain configuration and public keys",
            });
        }
        let fork = schema.fork().ok_or(DecodeError::UnknownSchema { got: schema })?;
        // The dialect is guessed only after a failure: a valid input is never refused for resembling an older
        // one.
        Self::decode_body(body, fork).map_err(|error| older_dialect(body).unwrap_or(error))
    }

    /// Decodes the SSZ body of an input whose schema id names `fork`.
    fn decode_body(body: &'a [u8], fork: ProtocolFork) -> Result<Self, DecodeError> {
        let [request, witness] =
            variable_fields(WHAT, body, at::FIXED, [at::REQUEST, at::WITNESS])?;
        Ok(Self {
            fork,
            request: NewPayloadRequest::decode(request, fork)?,
            witness: ExecutionWitness::decode(witness)?,
            chain_id: u64_at(body, at::CHAIN_ID),
        })
    }

    /// Returns the schema id of the encoding.
    pub const fn schema(&self) -> SchemaId {
        self.fork.schema()
    }
}

/// Recognises a body that failed to decode as one of the dialects that still had public keys.
///
/// The schema id is the same in all of them, so only the offsets tell them apart: dialects 2 and 3 have a
/// fifth word in the fixed part; dialect 1 has four offsets in place of the current chain id, and two growing
/// offsets read as a chain id make a number that no network uses.
fn older_dialect(body: &[u8]) -> Option<DecodeError> {
    if body.len() < at::FIXED {
        return None;
    }
    let len = body.len();
    match offset_at(body, 0) {
        FIXED_WITH_PUBLIC_KEYS => Some(DecodeError::OlderDialect {
            dialect: "dialect 2 or 3 (tests-zkevm v0.7 to v0.8)",
            surplus: "public keys",
        }),
        at::FIXED => {
            let [_, witness, config, keys] = array_at::<16>(body, 0)
                .as_chunks::<4>()
                .0
                .try_into()
                .map(|words: [[u8; 4]; 4]| words.map(|word| u32::from_le_bytes(word) as usize))
                .ok()?;
            // Growing offsets within the body: a chain id that happens to look like this does not exist, as
            // noted above.
            (at::FIXED < witness && witness < config && config <= keys && keys <= len).then_some(
                DecodeError::OlderDialect {
                    dialect: "dialect 1 (tests-zkevm v0.6)",
                    surplus: "chain configuration and public keys",
                },
            )
        }
        _ => None,
    }
}
