//! Transactions of type `0x05` with L2 blocks.

use crate::{GWEI, TRANSACTION_GAS_CAP};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use chain::ExecutedBlock;
use codec::{ExecuteTx, ExecuteTxVersion};
use eyre::{OptionExt as _, Result};
use variants::ExecuteTail;
use wire::Input;

/// Returns the transaction of version 2 whose calldata is the head of an input and which contains
/// its witness. Chain id, nonce, fees and gas limit are zero. Returns `None` if the input is not
/// that of a single block.
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

/// Returns a transaction of version 2 to `to` with meaningless input and witness. Chain id and
/// nonce are zero; the fees are sufficient on a devnet.
pub const fn idle_execute_tx(to: TxKind) -> ExecuteTx {
    ExecuteTx {
        chain_id: 0,
        nonce: 0,
        max_priority_fee_per_gas: 1,
        max_fee_per_gas: 20 * GWEI,
        gas_limit: 1_000_000,
        to,
        value: U256::ZERO,
        input: Bytes::from_static(b"input"),
        pre_state_root: B256::repeat_byte(1),
        coinbase: Address::repeat_byte(2),
        block_number: 3,
        timestamp: 4,
        witness: Bytes::from_static(b"witness"),
        withdrawals: Bytes::new(),
        version: ExecuteTxVersion::V2 { anchor: None },
    }
}

/// Returns the version fields with an allowance of EXECUTE gas, at a price that is sufficient on a
/// devnet's market.
pub const fn with_allowance() -> ExecuteTxVersion {
    let (max_fee_per_execute_gas, execute_gas_limit) = (20 * GWEI, 5_000_000);
    ExecuteTxVersion::V3 { anchor: None, max_fee_per_execute_gas, execute_gas_limit }
}

/// Returns the transaction of a block ([`execute_tx_of`]) that calls `to` with the calldata that
/// `call` returns for the head of the block's input. The gas limit is the transaction gas cap.
///
/// # Errors
///
/// If the block's input has no witness.
pub fn execute_tx_calling(
    block: &ExecutedBlock,
    to: TxKind,
    call: impl FnOnce(&[u8]) -> Bytes,
) -> Result<ExecuteTx> {
    let tx = execute_tx_of(&block.input()?).ok_or_eyre("the input of a block has a witness")?;
    Ok(ExecuteTx { gas_limit: TRANSACTION_GAS_CAP, to, input: call(&tx.input), ..tx })
}
