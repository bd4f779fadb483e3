//! Policy of the node's owner for the header of the next block.

use alloy_consensus::Header;
use core::fmt;

/// Changes headers beyond what the rules say, as a devnet may. A block whose header is not what the
/// rules demand is not [provable](chain::Block::provable).
pub trait HeaderPolicy: fmt::Debug + Send + Sync {
    /// Changes the header of a block that is about to be built.
    fn apply(&self, header: &mut Header);

    /// A block has been made with a header that this policy has changed.
    fn made(&self, header: &Header);
}

/// Headers as the rules have them.
impl HeaderPolicy for () {
    fn apply(&self, _: &mut Header) {}

    fn made(&self, _: &Header) {}
}
