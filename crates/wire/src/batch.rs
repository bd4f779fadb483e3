//! The input of EXECUTE for several blocks at once.

use crate::{
    BatchWitness, ByteLists, DecodeError, NewPayloadRequest, ProtocolFork, RootConvention,
    SchemaId, StatelessInput,
    layout::batch as at,
    list::{OFFSET, put_offset, u64_at, variable_fields},
    root::root_of_requests,
};
use alloy_primitives::B256;

const WHAT: &str = "stateless batch";
const REQUESTS: &str = "requests of the batch";

/// Consecutive blocks, and one witness for all of them: the state that the first block reads, the state that
/// the second block reads and the first has not written, and so on.
///
/// A batch differs from a [`StatelessInput`] in three ways: the schema id, a list of requests in place of one
/// request, and the [form](crate::compact) of the state. All blocks are of one fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatelessBatch<'a> {
    /// The fork whose shapes and rules hold for all blocks.
    pub fork: ProtocolFork,
    /// The blocks, from one to [`Self::MAX_BLOCKS`].
    pub requests: Vec<NewPayloadRequest<'a>>,
    /// The state that they read; its last header is the parent of the first block.
    pub witness: BatchWitness<'a>,
    /// EIP-155 chain id.
    pub chain_id: u64,
}

impl<'a> StatelessBatch<'a> {
    /// Maximum number of blocks: the number of ancestors that BLOCKHASH reaches.
    pub const MAX_BLOCKS: usize = 256;

    /// Decodes schema id and body. The parts stay slices of `bytes`. Only the list of requests is allocated,
    /// and each request takes more bytes of the input than of memory.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (schema, body) = SchemaId::split(bytes)?;
        // A single-block schema id is refused here, so that one calldata never has two readings.
        let fork = schema.batch_fork().ok_or(DecodeError::NoBatchSchema { got: schema })?;
        let [requests, witness] =
            variable_fields(WHAT, body, at::FIXED, [at::REQUESTS, at::WITNESS])?;
        let requests = ByteLists::decode(REQUESTS, requests, Self::MAX_BLOCKS, usize::MAX)?;
        // An empty batch would prove nothing and yet return a valid result.
        if requests.is_empty() {
            return Err(DecodeError::Empty { what: REQUESTS });
        }
        Ok(Self {
            fork,
            requests: requests
                .iter()
                .map(|request| NewPayloadRequest::decode(request, fork))
                .collect::<Result<_, _>>()?,
            witness: BatchWitness::decode(witness)?,
            chain_id: u64_at(body, at::CHAIN_ID),
        })
    }

    /// Combines the blocks of `inputs`, in their order, with one witness for all of them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there is no input, if there are too many, or if the inputs differ in chain or fork.
    /// The caller checks that each block follows the one before it.
    pub fn of(
        inputs: &[StatelessInput<'a>],
        witness: BatchWitness<'a>,
    ) -> Result<Self, DecodeError> {
        // Fork and chain id are encoded once for the whole batch, so the first input decides both.
        let [StatelessInput { fork, chain_id, .. }, ..] = *inputs else {
            return Err(DecodeError::Empty { what: REQUESTS });
        };
        if inputs.len() > Self::MAX_BLOCKS {
            let (got, limit) = (inputs.len(), Self::MAX_BLOCKS);
            return Err(DecodeError::TooMany { what: REQUESTS, got, limit });
        }
        for input in inputs {
            let (got, expected) = ((input.fork, input.chain_id), (fork, chain_id));
            if got != expected {
                return Err(DecodeError::Mismatch {
                    what: "fork and chain id of a block in the batch",
                    got: format!("{}, {}", got.0, got.1),
                    expected: format!("{}, {}", expected.0, expected.1),
                });
            }
        }
        let requests = inputs.iter().map(|input| input.request.clone()).collect();
        Ok(Self { fork, requests, witness, chain_id })
    }

    /// The schema id that [`Self::encode`] writes.
    pub const fn schema(&self) -> SchemaId {
        self.fork.batch_schema()
    }

    /// Encodes schema id and body.
    // Lengths first: every offset of the list must be known before the first request is written.
    pub fn encode(&self) -> Vec<u8> {
        let lengths: Vec<_> =
            self.requests.iter().map(|request| request.encoded_len(self.fork)).collect();
        let requests_len = lengths.len() * OFFSET + lengths.iter().sum::<usize>();
        let len = SchemaId::LEN + at::FIXED + requests_len + self.witness.encoded_len();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&self.schema().to_be_bytes());
        put_offset(&mut out, at::FIXED);
        put_offset(&mut out, at::FIXED + requests_len);
        out.extend_from_slice(&self.chain_id.to_le_bytes());
        let mut offset = lengths.len() * OFFSET;
        for length in lengths {
            put_offset(&mut out, offset);
            offset += length;
        }
        for request in &self.requests {
            request.encode(self.fork, &mut out);
        }
        self.witness.encode(&mut out);
        debug_assert_eq!(out.len(), len);
        out
    }

    /// Hash tree root of the requests, as a progressive list (EIP-7916) by the convention of the
    /// execution-specs. The root commits to each block, to their order and to their number.
    pub fn requests_root(&self) -> B256 {
        let convention = RootConvention::ExecutionSpecs;
        let roots =
            self.requests.iter().map(|request| request.hash_tree_root(self.fork, convention));
        root_of_requests(roots)
    }
}
