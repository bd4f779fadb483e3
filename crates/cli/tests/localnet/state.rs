//! The built-in state of `enshrine localnet`, compared with what the scripts make of the contracts.

use crate::made::{DEPOSIT, Made, USERS, accounts};
use alloy_primitives::{Address, U256};
use devnet::state_file::{AccountState, StateFile};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{env, fs, path::PathBuf};
use testkit::ETHER;

/// Variable with which the test writes the state instead of comparing it.
const WRITE: &str = "ENSHRINE_WRITE_LOCALNET";

fn place(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/localnet")).join(name)
}

/// Every account is compared whole: timestamps follow from the numbers of the blocks.
#[test]
fn built_in_state_matches_deployed_contracts() {
    let made = Made::by_scripts();
    if env::var_os(WRITE).is_some() {
        return write(&made);
    }
    let remedy = "write it anew with `cargo xtask localnet --write`";
    let text = fs::read(place("deployment.json")).unwrap();
    let deployment: Value = serde_json::from_slice(&text).unwrap();
    assert!(deployment == made.deployment, "crates/cli/localnet/deployment.json: {remedy}");
    let l2: Value = serde_json::from_slice(&fs::read(place("l2.json")).unwrap()).unwrap();
    assert!(l2 == made.l2, "crates/cli/localnet/l2.json: {remedy}");
    let l1 = StateFile::decode(&fs::read(place("l1.json.gz")).unwrap()).unwrap();
    for (address, expected) in &made.l1.accounts {
        let got = l1.accounts.get(address);
        let same = got == Some(expected);
        let summary = |it: &AccountState| (it.nonce, it.balance, it.code.len(), it.storage.len());
        let shown = (got.map(summary), summary(expected));
        assert!(same, "{address}: (nonce, balance, code, slots) {shown:?}: {remedy}");
    }
    assert_eq!(l1.accounts.len(), made.l1.accounts.len(), "{remedy}");
    assert_eq!(l1.best_block_number, made.l1.best_block_number, "{remedy}");
}

#[test]
fn users_have_whole_balances_and_deposits() {
    let l1 = StateFile::decode(&fs::read(place("l1.json.gz")).unwrap()).unwrap();
    for user in accounts().addresses().take(USERS) {
        let AccountState { nonce, balance, .. } = &l1.accounts[&user];
        assert_eq!((*nonce, *balance), (0, U256::from(10_000 * ETHER)), "{user}");
    }
    let text = fs::read(place("deployment.json")).unwrap();
    let deployment: Value = serde_json::from_slice(&text).unwrap();
    let queue: Address = deployment["messageQueue"].as_str().unwrap().parse().unwrap();
    let escrow = l1.accounts[&queue].balance;
    assert!(escrow > U256::from(USERS as u128 * DEPOSIT * ETHER), "{escrow}");
}

fn write(made: &Made) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    serde_json::to_writer(&mut packed, &made.l1).unwrap();
    fs::write(place("l1.json.gz"), packed.finish().unwrap()).unwrap();
    for (name, value) in [("deployment.json", &made.deployment), ("l2.json", &made.l2)] {
        fs::write(place(name), format!("{value:#}\n")).unwrap();
    }
}
