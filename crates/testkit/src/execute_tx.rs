//! Transactions of type `0x05` for the blocks of an L2.

use crate::TRANSACTION_GAS_CAP;
use alloy_primitives::{Bytes, TxKind, U256};
use chain::BlockWithWitness;
use codec::{ExecuteTx, ExecuteTxVersion};
use variants::ExecuteTail;
use wire::DecodeError;

/// Returns the transaction of type `0x05` that has the witness of a block, and calls `to` with calldata that `call` makes
/// of the rest of the block's input, its head. Chain id, nonce and fees are 0: [`L1::execute_tx`](crate::L1::execute_tx)
/// sets them.
///
/// # Errors
///
/// [`DecodeError`] if the block is of a fork that has no input.
pub fn execute_tx_of(
    block: &BlockWithWitness,
    to: TxKind,
    call: impl FnOnce(&[u8]) -> Bytes,
) -> Result<ExecuteTx, DecodeError> {
    let input = block.input()?;
    let at = ExecuteTail::split_at(&input).unwrap_or(input.len());
    let (head, witness) = input.split_at(at);
    let header = &block.block.header;
    Ok(ExecuteTx {
        chain_id: 0,
        nonce: 0,
        max_priority_fee_per_gas: 0,
        max_fee_per_gas: 0,
        gas_limit: TRANSACTION_GAS_CAP,
        to,
        value: U256::ZERO,
        input: call(head),
        pre_state_root: block.block.pre_state_root,
        coinbase: header.beneficiary,
        block_number: header.number,
        timestamp: header.timestamp,
        witness: Bytes::copy_from_slice(witness),
        withdrawals: Bytes::new(),
        version: ExecuteTxVersion::V2 { anchor: header.parent_beacon_block_root },
    })
}
