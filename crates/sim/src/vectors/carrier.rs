//! Transactions of type `0x05` that contain a call.

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, Sealed, Signature, TxKind, U256};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use execute::Dialect;
use std::sync::Arc;
use variants::{DialectCall, ExecuteTail};
use wire::Input;

/// Gas limit of each transaction, which does not matter because the cases concern only the call.
const GAS: u64 = 60_000_000;

/// Returns the transaction whose calldata is the head and which contains the witness. Its fields
/// are those of the block, or zero if the input cannot be decoded.
pub(crate) fn around(call: &DialectCall) -> SignedExecuteTx {
    let witness = call.blobs.first().cloned().unwrap_or_default();
    let mut tx = ExecuteTx {
        chain_id: 1,
        nonce: 0,
        max_priority_fee_per_gas: 0,
        max_fee_per_gas: 0,
        gas_limit: GAS,
        to: TxKind::Create,
        value: U256::ZERO,
        input: call.calldata.clone().into(),
        pre_state_root: B256::ZERO,
        coinbase: alloy_primitives::Address::ZERO,
        block_number: 0,
        timestamp: 0,
        witness: witness.clone().into(),
        withdrawals: Bytes::new(),
        version: ExecuteTxVersion::V2 { anchor: None },
    };
    let input = [&call.calldata[..], &witness].concat();
    if let Ok(Input::Block(block)) = Input::decode(&input) {
        let parent = block.witness.headers.last();
        let parent = parent.and_then(|header| alloy_rlp::decode_exact::<Header>(header).ok());
        tx.pre_state_root = parent.map_or(B256::ZERO, |parent| parent.state_root);
        let payload = &block.request.payload;
        tx.coinbase = payload.fee_recipient;
        tx.block_number = payload.block_number;
        tx.timestamp = payload.timestamp;
        let anchor = Some(block.request.parent_beacon_block_root);
        tx.version = ExecuteTxVersion::V2 { anchor };
    }
    // A dummy signature, since the sender does not matter for the call.
    SignedExecuteTx { tx, signature: Signature::new(U256::from(1), U256::from(1), false) }
}

/// Returns the dialect for calls within a transaction.
pub(crate) fn dialect_in(tx: SignedExecuteTx) -> Arc<dyn Dialect> {
    let hash = tx.hash();
    Arc::new(ExecuteTail::of(Arc::new(Sealed::new_unchecked(tx, hash))))
}
