//! Minimum gas that a block counts for a transaction, by fork.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes};
use execute::Execute;
use executor::{Invalid, Transaction, TransactionCheck, intrinsic_gas};
use eyre::{Result, bail};
use serde_json::{Map, Value, json};
use testkit::{Key, eip1559};
use wire::ProtocolFork;

/// Returns, by fork and kind of transaction, its intrinsic gas (or the calldata floor, if that is
/// higher) and the minimum that the block counts.
pub(super) fn figures() -> Result<Value> {
    let mut forks = Map::new();
    for fork in Execute::l1().forks.forks() {
        // Forks that only change blob parameters change no prices.
        if matches!(fork, ProtocolFork::Bpo1 | ProtocolFork::Bpo2) {
            continue;
        }
        let mut kinds = Map::new();
        for (kind, transaction) in kinds_of() {
            let entry = json!({
                "intrinsic": intrinsic_gas(&transaction, fork),
                "least": least(&transaction, fork)?,
            });
            kinds.insert(kind.to_owned(), entry);
        }
        forks.insert(fork.to_string(), kinds.into());
    }
    Ok(forks.into())
}

/// Returns the gas that a block without any gas lacks for a transaction.
fn least(transaction: &Transaction, fork: ProtocolFork) -> Result<u64> {
    match TransactionCheck::new(0, fork).add(transaction) {
        Err(Invalid::IntrinsicGas { minimum, .. }) => Ok(minimum),
        other => bail!("{fork}: {other:?}"),
    }
}

fn kinds_of() -> [(&'static str, Transaction); 3] {
    let list = AccessList(vec![AccessListItem {
        address: Address::repeat_byte(2),
        storage_keys: (0..100).map(B256::with_last_byte).collect(),
    }]);
    [
        ("transfer", signed(AccessList::default(), Bytes::new())),
        ("access list of 100 slots", signed(list, Bytes::new())),
        ("1,000 bytes of calldata", signed(AccessList::default(), vec![1; 1_000].into())),
    ]
}

fn signed(access_list: AccessList, input: Bytes) -> Transaction {
    Key::named("alice").sign(TxEip1559 {
        access_list,
        input,
        ..eip1559(0, Address::repeat_byte(1), 10_000_000)
    })
}
