//! Input of verification: one or more blocks, decoded but unchecked.

use crate::transactions::decode_transactions;
use alloc::vec::Vec;
use core::{error::Error, fmt, slice};
use executor::{BlockError, Invalid, Transaction};
use wire::{
    BatchWitness, ByteLists, DecodeError, ExecutionWitness, NewPayloadRequest, ProtocolFork,
    StatelessBatch, StatelessInput, compact::CompactState,
};

/// Reason for rejecting an input: the first invalid block and its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRejection {
    /// Index of the block in the input.
    pub block: usize,
    /// Error of that block.
    pub reason: BlockError,
}

impl fmt::Display for BlockRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}: {}", self.block, self.reason)
    }
}

impl Error for BlockRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.reason)
    }
}

/// Drops the index, which is always zero for an input with one block.
impl From<BlockRejection> for BlockError {
    fn from(refused: BlockRejection) -> Self {
        refused.reason
    }
}

/// Blocks whose transactions are decoded, without any further checks.
///
/// Decoding is separate from verification, so that a caller can check the transactions, their types
/// and their maximum cost before it does any further work.
#[derive(Debug)]
pub struct UncheckedBlocks<'i, 'a> {
    pub(crate) fork: ProtocolFork,
    pub(crate) chain_id: u64,
    pub(crate) requests: &'i [NewPayloadRequest<'a>],
    pub(crate) witness: ExecutionWitness<'a>,
    /// The state of a batch, whose witness has no list of nodes.
    pub(crate) compact: Option<CompactState<'a>>,
    /// Transactions of all blocks, in order.
    pub(crate) transactions: Vec<Transaction>,
    /// End of each block's transactions in `transactions`.
    ends: Vec<usize>,
}

impl<'i, 'a> UncheckedBlocks<'i, 'a> {
    /// Decodes the transactions of an input with one block.
    ///
    /// # Errors
    ///
    /// [`BlockRejection`] with an [`Invalid`] if a transaction is malformed.
    pub fn decode(input: &'i StatelessInput<'a>) -> Result<Self, BlockRejection> {
        let StatelessInput { fork, chain_id, request, witness } = input;
        Self {
            fork: *fork,
            chain_id: *chain_id,
            requests: slice::from_ref(request),
            witness: *witness,
            compact: None,
            transactions: Vec::new(),
            ends: Vec::new(),
        }
        .with_transactions()
    }

    /// Decodes the transactions of a batch.
    ///
    /// # Errors
    ///
    /// [`BlockRejection`] with an [`Invalid`] if a transaction is malformed, or if there is no block.
    pub fn decode_batch(batch: &'i StatelessBatch<'a>) -> Result<Self, BlockRejection> {
        let StatelessBatch { fork, chain_id, requests, witness } = batch;
        let BatchWitness { state, codes, headers } = *witness;
        Self {
            fork: *fork,
            chain_id: *chain_id,
            requests,
            witness: ExecutionWitness { state: ByteLists::EMPTY, codes, headers },
            compact: Some(state),
            transactions: Vec::new(),
            ends: Vec::new(),
        }
        .with_transactions()
    }

    fn with_transactions(mut self) -> Result<Self, BlockRejection> {
        // An empty batch would be accepted without proving anything.
        if self.requests.is_empty() {
            let reason = Invalid::from(DecodeError::Empty { what: "blocks" }).into();
            return Err(BlockRejection { block: 0, reason });
        }
        self.ends.reserve(self.requests.len());
        for (block, request) in self.requests.iter().enumerate() {
            decode_transactions(request, &mut self.transactions)
                .map_err(|reason| BlockRejection { block, reason: reason.into() })?;
            self.ends.push(self.transactions.len());
        }
        Ok(self)
    }

    /// Number of blocks: at least one.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the undecoded blocks with their decoded transactions, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&NewPayloadRequest<'a>, &[Transaction])> {
        self.requests.iter().enumerate().map(|(index, request)| {
            (request, &self.transactions[self.start(index)..self.ends[index]])
        })
    }

    /// Returns the index of a block's first transaction in the list of all transactions.
    pub(crate) fn start(&self, block: usize) -> usize {
        block.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}
