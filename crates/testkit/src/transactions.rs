//! Transactions whose fees do not matter to a test.

use crate::{CHAIN_ID, GWEI};
use alloy_consensus::TxEip1559;
use alloy_primitives::TxKind;

/// Returns a transaction of the chain with [`CHAIN_ID`] without value and calldata, which pays at
/// most 10 gwei per gas and no tip.
pub fn eip1559(nonce: u64, to: impl Into<TxKind>, gas_limit: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: 10 * GWEI,
        to: to.into(),
        ..TxEip1559::default()
    }
}
