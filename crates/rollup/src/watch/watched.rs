//! A signed message and the transactions of its block.

use alloy_primitives::{Address, B256, Bytes};
use chain::{ChainError, ChainReader};
use preconf::{HeaderSummary, evidence::SignedHeader};

/// Memory of a message without its header and transactions, in bytes.
const OVERHEAD: usize = 400;

/// Number and parent of a block.
pub(super) type Place = (u64, B256);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) signed: SignedHeader,
    pub(super) header: HeaderSummary,
    pub(super) signer: Address,
    pub(super) body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// The transactions, as EIP-2718 encodings.
    Own(Vec<Bytes>),
    /// The first `count` transactions of a block in the chain.
    InBlock { hash: B256, count: usize },
}

impl Watched {
    /// Returns `true` if the other message keeps this promise, according to the transactions in
    /// memory.
    pub(super) fn is_kept_by(&self, other: &Self) -> bool {
        self.header.hash == other.header.hash && self.is_same_block(other)
            || self.is_extended_by(other)
    }

    /// Returns `true` if the other message adds transactions to this prefix.
    pub(super) fn is_extended_by(&self, other: &Self) -> bool {
        let (Body::Own(ours), Body::Own(theirs)) = (&self.body, &other.body) else { return false };
        let adds = theirs.len() > ours.len() && theirs.starts_with(ours);
        adds && !self.signed.message.is_sealed && self.is_same_block(other)
    }

    fn is_same_block(&self, other: &Self) -> bool {
        self.header.environment == other.header.environment
            && self.signed.message.schema == other.signed.message.schema
    }

    /// Returns all transactions of the block; `None` if the chain no longer has them.
    pub(super) fn transactions(
        &self,
        chain: &ChainReader,
    ) -> Result<Option<Vec<Bytes>>, ChainError> {
        match &self.body {
            Body::Own(all) => Ok(Some(all.clone())),
            Body::InBlock { hash, count } => {
                let block = chain.find_block(hash)?;
                let all = block.map(|block| block.raw_transactions());
                Ok(all.and_then(|all| all.get(..*count).map(<[Bytes]>::to_vec)))
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let own: usize = match &self.body {
            Body::Own(all) => all.iter().map(|raw| raw.len() + size_of::<Bytes>()).sum(),
            Body::InBlock { .. } => 0,
        };
        OVERHEAD + self.signed.header.len() + own
    }

    pub(super) const fn place(&self) -> Place {
        (self.header.number, self.header.parent)
    }

    /// Returns the order in which messages for one parent are dropped: those that are void on L1's
    /// chain first, and those without a condition last, since no reorg can void them.
    pub(super) fn rank(&self, is_on_l1: impl Fn(u64, B256) -> bool) -> u8 {
        let (number, hash) = self.condition();
        match self.signed.message.is_unconditional() {
            true => 2,
            false => u8::from(is_on_l1(number, hash)),
        }
    }

    pub(super) const fn condition(&self) -> (u64, B256) {
        (self.signed.message.l1_block, self.signed.message.l1_hash)
    }
}
