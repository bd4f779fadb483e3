//! Transactions of type `0x05`.

use alloy_consensus::Header;
use alloy_primitives::{Bytes, TxKind, U256};
use codec::{ExecuteTx, ExecuteTxVersion};
use variants::ExecuteTail;
use wire::Input;

/// Returns the transaction of version 2 that calls the precompile with the head of an input and brings its witness.
/// Chain id, nonce, fees and gas limit are zero. `None` if the input is not of a single block.
pub fn execute_tx_of(input: &[u8]) -> Option<ExecuteTx> {
    let Input::Block(block) = Input::decode(input).ok()? else { return None };
    let (head, witness) = input.split_at(ExecuteTail::split_at(input)?);
    let parent: Header = alloy_rlp::decode_exact(block.witness.headers.last()?).ok()?;
    let payload = &block.request.payload;
    Some(ExecuteTx {
        chain_id: 0,
        nonce: 0,
        max_priority_fee_per_gas: 0,
        max_fee_per_gas: 0,
        gas_limit: 0,
        to: TxKind::Create,
        value: U256::ZERO,
        input: Bytes::copy_from_slice(head),
        pre_state_root: parent.state_root,
        coinbase: payload.fee_recipient,
        block_number: payload.block_number,
        timestamp: payload.timestamp,
        witness: Bytes::copy_from_slice(witness),
        withdrawals: Bytes::new(),
        version: ExecuteTxVersion::V2 { anchor: Some(block.request.parent_beacon_block_root) },
    })
}
