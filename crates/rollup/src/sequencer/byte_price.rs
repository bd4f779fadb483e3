//! Minimum price of bytes while spending on L1 approaches its daily limit.

use parking_lot::Mutex;
use std::sync::Arc;

/// Upper bound of the L1 gas per byte of input: the calldata floor from Amsterdam on (EIP-7976),
/// EXECUTE's price of a byte, and a share of the call.
const GAS_PER_BYTE: u128 = 96;
/// Bytes that a transfer adds to a block if it is the first to read the paths of both accounts.
const TRANSFER_BYTES: u128 = 4_096;
/// Gas of a transfer.
const TRANSFER_GAS: u128 = 21_000;

/// Minimum tip per byte of a block's input, in wei. Clones share it.
///
/// The L2 charges no fee for the cost of its blocks on L1, so without a minimum anyone could make
/// the sequencer spend its daily limit for almost nothing, after which it posts no blocks until the
/// next day. Once more than half of the limit is spent, transactions therefore pay for their bytes,
/// or wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct BytePrice(Arc<Mutex<u128>>);

impl BytePrice {
    /// Sets the price from the amount `spent` within a day and its `limit`, and from L1's base fee
    /// per gas, all in wei.
    pub(crate) fn update(&self, spent: u128, limit: u128, base_fee: u64) {
        let is_scarce = spent > limit / 2;
        *self.0.lock() = if is_scarce { GAS_PER_BYTE * u128::from(base_fee) } else { 0 };
    }

    /// Sets the price to zero, for a node that builds no blocks.
    pub(crate) fn clear(&self) {
        *self.0.lock() = 0;
    }

    /// Returns the tip per gas with which a transfer pays the price, in wei.
    pub(crate) fn suggested_tip(&self) -> u128 {
        (self.get() * TRANSFER_BYTES).div_ceil(TRANSFER_GAS)
    }

    pub(crate) fn get(&self) -> u128 {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_cost_from_half_of_limit() {
        let price = BytePrice::default();
        for (spent, expected) in [(0, 0), (499, 0), (500, 0), (501, 960), (1_000, 960), (400, 0)] {
            price.update(spent, 1_000, 10);
            assert_eq!(price.get(), expected, "{spent}");
            let paid = price.suggested_tip() * TRANSFER_GAS;
            assert!(paid >= expected * TRANSFER_BYTES, "{paid}");
            assert_eq!(paid == 0, expected == 0);
        }
        price.update(1_000, 1_000, 10);
        price.clear();
        assert_eq!((price.get(), price.suggested_tip()), (0, 0));
    }
}
