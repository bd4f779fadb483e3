//! The EXECUTE input for multiple blocks at once.

use crate::{
    BatchWitness, ByteLists, DecodeError, NewPayloadRequest, ProtocolFork, SchemaId,
    layout::batch as at,
    list::{u64_at, variable_fields},
    root::root_of_requests,
};
use alloc::vec::Vec;
use alloy_primitives::B256;

const WHAT: &str = "stateless batch";
const REQUESTS: &str = "requests of the batch";

/// Consecutive blocks with one witness for all of them. The witness contains what the blocks read
/// of the state before the first block, except values that an earlier block of the batch has
/// overwritten.
///
/// A batch differs from a [`StatelessInput`](crate::StatelessInput) in three ways: the schema id, a
/// list of requests in place of one request, and the [form](crate::compact) of the state. All
/// blocks are of one fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatelessBatch<'a> {
    /// The fork whose shapes and rules apply to all blocks.
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

    /// Decodes schema id and body. The parts stay slices of `bytes`. Only the list of requests is
    /// allocated, and each request takes more bytes in the input than in memory.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (schema, body) = SchemaId::split(bytes)?;
        // A single-block schema id is rejected here, so that one calldata never has two readings.
        let fork = schema.batch_fork().ok_or(DecodeError::NoBatchSchema { got: schema.get() })?;
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

    /// Returns the schema id of the encoding.
    pub const fn schema(&self) -> SchemaId {
        self.fork.batch_schema()
    }

    /// Hash tree root of the requests, as a progressive list (EIP-7916) by the convention of the
    /// execution-specs. The root commits to each block, to their order and to their number.
    pub fn requests_root(&self) -> B256 {
        root_of_requests(self.requests.iter().map(|request| request.hash_tree_root(self.fork)))
    }
}
