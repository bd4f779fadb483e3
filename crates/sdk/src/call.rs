//! Calls of contracts, and the checks before them.

use crate::error::{BridgeError, Layer};
use alloy_primitives::{Address, U256};
use alloy_provider::{PendingTransactionBuilder, Provider, network::Ethereum};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::SolCall;

/// Gas of a call that reads the base fee. Such a call sets a gas price, because nodes execute calls
/// without one at a base fee of zero.
pub(crate) const READ_GAS: u64 = 200_000;

/// Gas in addition to the estimate. Nodes estimate on the latest block, where an earlier
/// transaction may have paid for a storage write that the first transaction of the next block pays
/// for again: the queues store their state once per L1 block. Unused gas is not charged.
const GAS_MARGIN: u64 = 60_000;

/// A transaction that was sent, or the reason why it was not.
pub(crate) type Sent = Result<PendingTransactionBuilder<Ethereum>, BridgeError>;

/// Sends a transaction with the estimated gas and a margin.
pub(crate) async fn send(provider: &impl Provider, request: TransactionRequest) -> Sent {
    let gas = provider.estimate_gas(request.clone()).await?;
    let gas = gas.saturating_add(GAS_MARGIN);
    Ok(provider.send_transaction(request.gas_limit(gas)).await?)
}

/// Returns a call that only a node of this chain executes.
pub(crate) fn request(
    chain: u64,
    from: Address,
    to: Address,
    call: &impl SolCall,
) -> TransactionRequest {
    let mut request = TransactionRequest::default().from(from).to(to);
    request.chain_id = Some(chain);
    request.input(call.abi_encode().into())
}

pub(crate) const fn require_chain(
    layer: Layer,
    got: u64,
    expected: u64,
) -> Result<(), BridgeError> {
    if got == expected { Ok(()) } else { Err(BridgeError::WrongChain { layer, got, expected }) }
}

pub(crate) fn require_same(
    what: &'static str,
    got: Address,
    expected: Address,
) -> Result<(), BridgeError> {
    if got == expected { Ok(()) } else { Err(BridgeError::WrongRollup { what, got, expected }) }
}

/// Returns twice the minimum fee, because L1's base fee may double in six blocks, but not more than
/// `max_fee`.
pub(crate) fn offered_fee(minimum: U256, max_fee: Option<u128>) -> Result<u128, BridgeError> {
    let max_fee = max_fee.unwrap_or(u128::MAX);
    if minimum > U256::from(max_fee) {
        return Err(BridgeError::FeeAboveMaximum { got: minimum, expected: max_fee });
    }
    Ok(minimum.saturating_mul(U256::from(2)).saturating_to::<u128>().min(max_fee))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_fee_is_twice_minimum_within_maximum() {
        let fee = |minimum: u64, max| offered_fee(U256::from(minimum), max);
        assert_eq!(fee(7, None).unwrap(), 14);
        assert_eq!(fee(7, Some(20)).unwrap(), 14);
        assert_eq!(fee(7, Some(7)).unwrap(), 7);
        let refused = fee(7, Some(6)).unwrap_err();
        assert!(matches!(refused, BridgeError::FeeAboveMaximum { expected: 6, .. }), "{refused:?}");
        assert!(offered_fee(U256::MAX, None).is_err());
    }
}
