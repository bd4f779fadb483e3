//! Accounts of the L2 with deposits, which send transactions.

use alloy_primitives::U256;
use eyre::Result;
use testkit::localnet::{
    processes::Rollup,
    requests::{balance, until},
};
use testkit::{ETHER, Key, NodeProcess};

/// Deposits an ether for each of this many accounts, and waits until they have it.
pub(crate) fn payers(rollup: &Rollup, sequencer: &NodeProcess, count: usize) -> Result<Vec<Key>> {
    let payers: Vec<Key> = (0..count).map(|index| Key::named(&format!("payer {index}"))).collect();
    for key in &payers {
        rollup.deposit(&Key::named("alice"), key.address(), ETHER)?;
    }
    until("the deposits", || {
        let all = payers.iter().map(|key| balance(sequencer.client(), key.address()));
        Ok(all.collect::<Result<Vec<_>>>()?.iter().all(|balance| *balance >= U256::from(ETHER)))
    })?;
    Ok(payers)
}
