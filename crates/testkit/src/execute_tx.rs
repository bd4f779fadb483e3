//! Transactions of type `0x05` for the blocks of an L2.

use crate::TRANSACTION_GAS_CAP;
use alloy_consensus::Header;
use alloy_primitives::{Bytes, TxKind, U256};
use chain::BlockWithWitness;
use codec::{ExecuteTx, ExecuteTxVersion};
use eyre::{OptionExt as _, Result};
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

/// Returns the transaction of a block ([`execute_tx_of`]) that calls `to` with calldata that `call` makes of the head of
/// the block's input, with as much gas as a transaction may have.
///
/// # Errors
///
/// The block has no input in this form.
pub fn execute_tx_calling(
    block: &BlockWithWitness,
    to: TxKind,
    call: impl FnOnce(&[u8]) -> Bytes,
) -> Result<ExecuteTx> {
    let tx = execute_tx_of(&block.input()?).ok_or_eyre("the input of a block has a witness")?;
    Ok(ExecuteTx { gas_limit: TRANSACTION_GAS_CAP, to, input: call(&tx.input), ..tx })
}
