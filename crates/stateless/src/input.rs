//! Input of verification: one or more blocks, decoded but unchecked.

use crate::transactions::decode_transactions;
use alloc::vec::Vec;
use core::{error::Error, fmt, slice};
use executor::{BlockError, Invalid, Transaction};
use wire::{
    BatchWitness, ByteLists, DecodeError, ExecutionWitness, NewPayloadRequest, ProtocolFork,
    StatelessBatch, StatelessInput, compact::CompactState,
};

/// The contents of an input, for one block or for several.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'i, 'a> {
    pub(crate) fork: ProtocolFork,
    pub(crate) chain_id: u64,
    pub(crate) requests: &'i [NewPayloadRequest<'a>],
    pub(crate) witness: ExecutionWitness<'a>,
    /// The state of a batch, whose witness has no list of nodes.
    pub(crate) compact: Option<CompactState<'a>>,
}

impl<'i, 'a> From<&'i StatelessInput<'a>> for Blocks<'i, 'a> {
    fn from(input: &'i StatelessInput<'a>) -> Self {
        let StatelessInput { fork, chain_id, request, witness } = input;
        let requests = slice::from_ref(request);
        Self { fork: *fork, chain_id: *chain_id, requests, witness: *witness, compact: None }
    }
}

impl<'i, 'a> From<&'i StatelessBatch<'a>> for Blocks<'i, 'a> {
    fn from(batch: &'i StatelessBatch<'a>) -> Self {
        let StatelessBatch { fork, chain_id, requests, witness } = batch;
        let BatchWitness { state, codes, headers } = *witness;
        let witness = ExecutionWitness { state: ByteLists::EMPTY, codes, headers };
        Self { fork: *fork, chain_id: *chain_id, requests, witness, compact: Some(state) }
    }
}

/// Reason for refusing an input: the first invalid block and its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRefused {
    /// Index of the block in the input.
    pub block: usize,
    /// Error of that block.
    pub reason: BlockError,
}

impl fmt::Display for BlockRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}: {}", self.block, self.reason)
    }
}

impl Error for BlockRefused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.reason)
    }
}

/// Drops the index, which is always zero for an input with one block.
impl From<BlockRefused> for BlockError {
    fn from(refused: BlockRefused) -> Self {
        refused.reason
    }
}

/// Blocks whose transactions are decoded, without any further checks.
///
/// Decoding is separate from verification, so that a caller can inspect the transactions, their
/// types and their maximum cost before any work is done for them.
#[derive(Debug)]
pub struct UncheckedBlocks<'i, 'a> {
    pub(crate) blocks: Blocks<'i, 'a>,
    /// Transactions of all blocks, in order.
    pub(crate) transactions: Vec<Transaction>,
    /// End of each block's transactions in `transactions`.
    ends: Vec<usize>,
}

impl<'i, 'a> UncheckedBlocks<'i, 'a> {
    /// Decodes the transactions of an input.
    ///
    /// # Errors
    ///
    /// [`BlockRefused`] with an [`Invalid`] if a transaction is malformed, or if there is no block.
    pub fn decode(blocks: impl Into<Blocks<'i, 'a>>) -> Result<Self, BlockRefused> {
        let blocks = blocks.into();
        // An empty input would be valid without proving anything.
        if blocks.requests.is_empty() {
            let reason = Invalid::from(DecodeError::Empty { what: "blocks" }).into();
            return Err(BlockRefused { block: 0, reason });
        }
        let (mut transactions, mut ends) = (Vec::new(), Vec::with_capacity(blocks.requests.len()));
        for (block, request) in blocks.requests.iter().enumerate() {
            decode_transactions(request, &mut transactions)
                .map_err(|reason| BlockRefused { block, reason: reason.into() })?;
            ends.push(transactions.len());
        }
        Ok(Self { blocks, transactions, ends })
    }

    /// Number of blocks: at least one.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the undecoded blocks with their decoded transactions, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&NewPayloadRequest<'a>, &[Transaction])> {
        self.blocks.requests.iter().enumerate().map(|(index, request)| {
            (request, &self.transactions[self.start(index)..self.ends[index]])
        })
    }

    /// Returns the index of a block's first transaction in the list of all transactions.
    pub(crate) fn start(&self, block: usize) -> usize {
        block.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}
