//! Calls whose witness is in their transaction of type `0x05`.

use super::{forms::Cases, subject::Subjects};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, Sealed, Signature, TxKind, U256};
use codec::{ExecuteTx, ExecuteTxVersion, OwnedWitness, SignedExecuteTx};
use execute::Dialect;
use eyre::{OptionExt as _, Result};
use std::sync::Arc;
use variants::{DialectCall, DialectName, ExecuteTail};
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
        let parent = parent.and_then(|it| alloy_rlp::decode_exact::<Header>(it).ok());
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

/// A change of a transaction.
type Change = fn(&mut ExecuteTx);

/// Adds the other versions, and transactions that do not match their block.
pub(super) fn add(cases: &mut Cases, blocks: &Subjects) -> Result<()> {
    let name = "osaka block, 2 transfers";
    let subject = blocks.0.iter().find(|subject| subject.name == name);
    let subject = subject.ok_or_eyre("the subject has another name")?;
    let good = around(&DialectName::ExecuteTx.encode(&subject.input)?);
    let with = |change: Change| {
        let mut changed = good.clone();
        change(&mut changed.tx);
        changed
    };
    for (name, change) in [
        ("osaka block, version 1", first_version as Change),
        ("osaka block, version 2 without an anchor", |tx| {
            tx.version = ExecuteTxVersion::V2 { anchor: None };
        }),
        ("osaka block, the witness as geth's RLP", |tx| tx.witness = geths(tx)),
    ] {
        cases.accepted_in(name, &with(change))?;
    }
    for (what, reason, change) in [
        (
            "another pre-state root in the transaction",
            "executeTxField",
            (|tx| tx.pre_state_root.0[0] ^= 1) as Change,
        ),
        ("another fee recipient in the transaction", "executeTxField", |tx| tx.coinbase.0[0] ^= 1),
        ("another number in the transaction", "executeTxField", |tx| tx.block_number ^= 1),
        ("another timestamp in the transaction", "executeTxField", |tx| tx.timestamp ^= 1),
        ("another anchor in the transaction", "executeTxField", |tx| {
            tx.version = ExecuteTxVersion::V2 { anchor: Some(B256::repeat_byte(1)) };
        }),
        ("geth's witness without its last byte", "executeTxWitness", |tx| {
            let whole = geths(tx);
            tx.witness = whole.slice(..whole.len() - 1);
        }),
        ("a byte of the head in the witness", "executeTxHead", |tx| {
            let (head, last) = tx.input.split_at(tx.input.len() - 1);
            (tx.witness, tx.input) =
                ([last, &tx.witness[..]].concat().into(), head.to_vec().into());
        }),
        ("a byte of the witness in the head", "executeTxHead", |tx| {
            let (first, rest) = tx.witness.split_at(1);
            (tx.input, tx.witness) = ([&tx.input[..], first].concat().into(), rest.to_vec().into());
        }),
    ] {
        cases.refused_in(what, name, reason, &with(change))?;
    }
    Ok(())
}

/// Returns the witness of a transaction in geth's RLP, or no bytes if it cannot be decoded.
fn geths(tx: &ExecuteTx) -> Bytes {
    let input = [&tx.input[..], &tx.witness].concat();
    match Input::decode(&input) {
        Ok(Input::Block(block)) => OwnedWitness::of(&block.witness).to_geth_rlp(),
        _ => Bytes::new(),
    }
}

fn first_version(tx: &mut ExecuteTx) {
    tx.version = ExecuteTxVersion::V1 { blob_hashes: Vec::new() };
}
