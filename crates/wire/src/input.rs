//! The EXECUTE input: one block, or a batch of blocks.

use crate::{
    DecodeError, ExecutionWitness, NewPayloadRequest, ProtocolFork, SchemaId, StatelessBatch,
    layout::input as at,
    list::{array_at, offset_at, u64_at, variable_fields},
};
use alloy_primitives::B256;
use core::slice;

const WHAT: &str = "stateless input";
/// Schema id of the oldest dialect, before schema ids named forks.
const DIALECT_0: SchemaId = SchemaId::new(0x0001);
/// First offset of the dialects that carry public keys as a fourth field.
const FIXED_WITH_PUBLIC_KEYS: usize = 20;

/// A decoded `StatelessInput`: a block, the state it reads, and the chain it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatelessInput<'a> {
    /// The fork whose shapes and rules apply.
    pub fork: ProtocolFork,
    /// The block, as the parameters of `engine_newPayload`.
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
        let fork = schema.fork().ok_or(DecodeError::UnknownSchema { got: schema.get() })?;
        // The dialect is guessed only after a failure: a valid input is never rejected for
        // resembling an older one.
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

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        let request = self.request.encoded_len(self.fork);
        SchemaId::LEN + at::FIXED + request + self.witness.encoded_len()
    }
}

/// Recognises a body that failed to decode as one of the dialects that still had public keys.
///
/// All dialects have the same schema id, so only the offsets distinguish them: dialects 2 and 3
/// have a fifth word in the fixed part; dialect 1 has four offsets, two of them in place of the
/// current chain id, and two ascending offsets read as a chain id make a number that no network
/// uses.
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
            // Ascending offsets within the body: no network has a chain id that reads like this, as
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

/// The input of a call, identified by its schema id: one block in the form of the execution-specs,
/// or a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub enum Input<'a> {
    /// One block with its witness.
    Block(StatelessInput<'a>),
    /// Multiple blocks with one witness.
    Batch(StatelessBatch<'a>),
}

impl<'a> Input<'a> {
    /// Decodes schema id and body of either form.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        // The schema id alone decides; the layout is never guessed from the body.
        Ok(match SchemaId::of(bytes)?.batch_fork() {
            Some(_) => Self::Batch(StatelessBatch::decode(bytes)?),
            None => Self::Block(StatelessInput::decode(bytes)?),
        })
    }

    /// Returns `true` for a batch, also for one with a single block.
    pub const fn is_batch(&self) -> bool {
        matches!(self, Self::Batch(_))
    }

    /// Returns the fork whose shapes and rules apply to all blocks.
    pub const fn fork(&self) -> ProtocolFork {
        match self {
            Self::Block(input) => input.fork,
            Self::Batch(batch) => batch.fork,
        }
    }

    /// Returns the schema id of the encoding.
    pub const fn schema(&self) -> SchemaId {
        match self {
            Self::Block(input) => input.schema(),
            Self::Batch(batch) => batch.schema(),
        }
    }

    /// Returns the EIP-155 chain id.
    pub const fn chain_id(&self) -> u64 {
        match self {
            Self::Block(input) => input.chain_id,
            Self::Batch(batch) => batch.chain_id,
        }
    }

    /// Returns the requests of the blocks, in order.
    pub const fn requests(&self) -> &[NewPayloadRequest<'a>] {
        match self {
            Self::Block(input) => slice::from_ref(&input.request),
            Self::Batch(batch) => batch.requests.as_slice(),
        }
    }

    /// Returns the request root, which the result has in its first 32 bytes.
    pub fn request_root(&self) -> B256 {
        match self {
            Self::Block(input) => input.request.hash_tree_root(input.fork),
            Self::Batch(batch) => batch.requests_root(),
        }
    }
}
