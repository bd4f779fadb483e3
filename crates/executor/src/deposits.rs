//! Logs of the deposit contract (EIP-6110).

use alloy_evm::eth::eip6110::DepositEvent;
use alloy_primitives::{Log, U256};
use alloy_sol_types::SolEvent;

/// Returns `true` for a deposit event whose layout is not the one that EIP-6110 allows. The
/// executor's ABI decoder would accept other layouts too.
pub(crate) fn is_malformed_deposit(log: &Log) -> bool {
    // Offsets and sizes of the five fields in the ABI encoding of a deposit event (EIP-6110).
    const OFFSETS: [usize; 5] = [160, 256, 320, 384, 512];
    const SIZES: [usize; 5] = [48, 32, 8, 96, 8];
    const LENGTH: usize = 576;
    // Other events of the contract are not deposits and have no layout to check.
    if log.topics().first() != Some(&DepositEvent::SIGNATURE_HASH) {
        return false;
    }
    let data = &log.data.data;
    let word = |at: usize| U256::from_be_slice(&data[at..at + 32]);
    // The length is checked first: the closures below index the data.
    data.len() != LENGTH
        || OFFSETS.iter().enumerate().any(|(index, at)| word(32 * index) != U256::from(*at))
        || OFFSETS.iter().zip(SIZES).any(|(at, size)| word(*at) != U256::from(size))
}
