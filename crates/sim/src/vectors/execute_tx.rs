//! Calls whose witness is in their transaction of type `0x05`.

use super::{carrier::around, forms::Cases, subject::Subjects};
use alloy_primitives::{B256, Bytes};
use codec::{ExecuteTx, ExecuteTxVersion, OwnedWitness};
use eyre::{OptionExt as _, Result};
use variants::DialectName;
use wire::Input;

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
