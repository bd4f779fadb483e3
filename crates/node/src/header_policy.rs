//! Operator policy for the header of the next block.

use alloy_consensus::Header;
use core::fmt;

/// Changes headers beyond the protocol's rules, e.g. for a devnet. A block with such a header is
/// not [provable](chain::Block::provable).
pub trait HeaderPolicy: fmt::Debug + Send + Sync {
    /// Changes the header of a block that is about to be built.
    fn apply(&self, header: &mut Header);

    /// Called after a block was built with a header that this policy has changed.
    fn on_block(&self, header: &Header);
}

/// Leaves headers as the protocol defines them.
impl HeaderPolicy for () {
    fn apply(&self, _: &mut Header) {}

    fn on_block(&self, _: &Header) {}
}
