//! Data source of an L1 reader.

use crate::l1::{L1Error, L1Header, L1Transaction, ReadHeader};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, Bytes};

/// The chain of L1 as [`L1Reader`](crate::L1Reader) reads it. [`L1Client`](crate::L1Client)
/// implements it over JSON-RPC.
///
/// Headers and transactions are verified by the implementation: a header has the hash of its
/// fields, and transactions with their logs match the roots in their header. The reader checks that
/// headers form a chain. Codes and traces are not verified.
///
/// Methods block the thread. Each request has its own timeout.
pub trait L1Provider: core::fmt::Debug + Send + Sync {
    /// Returns the latest and the finalized header, requested concurrently. The second is `None` if
    /// no block has been finalized yet, or the request for it fails.
    ///
    /// # Errors
    ///
    /// Errors of [`Self::header`] for the latest header.
    fn newest(&self) -> Result<(Option<ReadHeader>, Option<ReadHeader>), L1Error>;

    /// Returns the header with this number or tag, if there is one, verified against its hash.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond, and [`L1Error::Mismatch`] if the header has
    /// another hash or number.
    fn header(&self, tag: BlockNumberOrTag) -> Result<Option<ReadHeader>, L1Error>;

    /// Returns `count` headers starting at this number, requested concurrently. Stops before the
    /// first header that does not exist or cannot be fetched.
    ///
    /// # Errors
    ///
    /// Errors of [`Self::header`] for the first header.
    fn headers(&self, from: u64, count: usize) -> Result<Vec<ReadHeader>, L1Error>;

    /// Returns `true` if the L1 nodes agree on a header: more than half of those that respond have
    /// it. Returns `false` if nodes lag behind and none has another header at that height. A single
    /// node always agrees. Without agreement, the client switches to the next node, since the
    /// current one may remain ahead of the others.
    ///
    /// # Errors
    ///
    /// [`L1Error::Disagreement`] if too few nodes have the header and one has another.
    fn is_agreed(&self, header: &L1Header) -> Result<bool, L1Error>;

    /// Returns the transactions of multiple blocks that have logs of these addresses, requested
    /// concurrently, each with all its logs, verified against the headers' roots. One result per
    /// header.
    fn transactions_of(
        &self,
        headers: &[ReadHeader],
        addresses: &[Address],
    ) -> Vec<Result<Vec<L1Transaction>, L1Error>>;

    /// Returns the code of an account at the latest block. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond.
    fn code(&self, account: Address) -> Result<Bytes, L1Error>;

    /// Switches to the next L1 node. Returns `false` if there is no other.
    fn leave_node(&self) -> bool;
}
