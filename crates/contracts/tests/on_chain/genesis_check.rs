//! Genesis states with which the escrow could be emptied, next to accepted ones.

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use enshrine_contracts::{
    GenesisAllowance, GenesisFinding, L1_ANCHOR, L2_MESSENGER, PREMINT, Predeploys, check_genesis,
    l2_chain_config, l2_genesis,
};
use std::collections::BTreeMap;
use wire::ProtocolFork;

const ALICE: Address = Address::repeat_byte(0xa1);

fn genesis(fork: ProtocolFork) -> Genesis {
    let mut genesis = l2_genesis(&Predeploys::built_in(), fork, 10_000_000, 1_700_000_000);
    genesis.config = l2_chain_config(8_079, fork);
    genesis
}

/// Returns the findings for a genesis with one account changed.
fn findings(address: Address, change: impl FnOnce(&mut GenesisAccount)) -> Vec<GenesisFinding> {
    let mut genesis = genesis(ProtocolFork::Osaka);
    change(genesis.alloc.entry(address).or_default());
    check_genesis(&genesis, &GenesisAllowance::default())
}

#[test]
fn new_l2_genesis_has_no_findings() {
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        assert_eq!(check_genesis(&genesis(fork), &GenesisAllowance::default()), []);
    }
    // System contracts of later forks may be present before their fork.
    let mut early = genesis(ProtocolFork::Amsterdam);
    early.config = l2_chain_config(8_079, ProtocolFork::Prague);
    assert_eq!(check_genesis(&early, &GenesisAllowance::default()), []);
    // Without the system contracts of its fork, a chain cannot execute its first block.
    let mut late = genesis(ProtocolFork::Prague);
    late.config = l2_chain_config(8_079, ProtocolFork::Amsterdam);
    let found = check_genesis(&late, &GenesisAllowance::default());
    assert!(
        found.iter().any(|finding| matches!(finding, GenesisFinding::Missing { .. })),
        "{found:?}"
    );
}

#[test]
fn premine_is_allowed_up_to_configured_amount() {
    let wei = U256::from(1_000);
    let mut genesis = genesis(ProtocolFork::Osaka);
    genesis.alloc.insert(ALICE, GenesisAccount { balance: wei, ..Default::default() });
    let found = [GenesisFinding::Balance { address: ALICE, wei }];
    assert_eq!(check_genesis(&genesis, &GenesisAllowance::default()), found);
    for (maximum, expected) in [(999, &found[..]), (1_000, &[])] {
        let balances = BTreeMap::from([(ALICE, U256::from(maximum))]);
        let allowance = GenesisAllowance { balances, ..Default::default() };
        assert_eq!(check_genesis(&genesis, &allowance), expected);
    }
}

#[test]
fn modified_predeploys_are_never_allowed() {
    let other = Bytes::from_static(&[0x5b, 0x00]);
    let hash = keccak256(&other);
    let slot = (B256::with_last_byte(4), B256::with_last_byte(1));
    for address in [L1_ANCHOR, L2_MESSENGER] {
        let code = findings(address, |account| account.code = Some(other.clone()));
        assert!(matches!(code[..], [GenesisFinding::Code { got, .. }] if got == hash), "{code:?}");
        let storage = findings(address, |account| account.storage = Some(BTreeMap::from([slot])));
        assert_eq!(storage, [GenesisFinding::Storage { address, slots: 1, first: slot.0 }]);
        let nonce = findings(address, |account| account.nonce = Some(2));
        assert_eq!(nonce, [GenesisFinding::Nonce { address, got: 2, expected: 1 }]);
        // A slot with value zero is not a slot.
        let zero = BTreeMap::from([(slot.0, B256::ZERO)]);
        assert_eq!(findings(address, |account| account.storage = Some(zero)), []);

        let mut altered = genesis(ProtocolFork::Osaka);
        altered.alloc.entry(address).or_default().code = Some(other.clone());
        let allowance = GenesisAllowance {
            balances: BTreeMap::from([(address, U256::MAX)]),
            codes: BTreeMap::from([(address, hash)]),
        };
        let found = check_genesis(&altered, &allowance);
        assert!(found.len() == 1 && found[0].is_protocol(), "{found:?}");
    }
    for wei in [PREMINT - U256::ONE, PREMINT + U256::ONE] {
        let found = findings(L2_MESSENGER, |account| account.balance = wei);
        let (address, got, expected) = (L2_MESSENGER, wei, PREMINT);
        assert_eq!(found, [GenesisFinding::ContractBalance { address, got, expected }]);
    }
}

#[test]
fn missing_and_foreign_contracts_are_found() {
    let mut without = genesis(ProtocolFork::Osaka);
    without.alloc.remove(&L1_ANCHOR);
    let found = check_genesis(&without, &GenesisAllowance::default());
    assert!(matches!(found[..], [GenesisFinding::Missing { address: L1_ANCHOR, .. }]), "{found:?}");

    let code = Bytes::from_static(&[0x00]);
    let code_hash = keccak256(&code);
    let mut with = genesis(ProtocolFork::Osaka);
    with.alloc.insert(ALICE, GenesisAccount { code: Some(code), ..Default::default() });
    let found = [GenesisFinding::ForeignCode { address: ALICE, code_hash, slots: 0 }];
    assert_eq!(check_genesis(&with, &GenesisAllowance::default()), found);
    for (hash, expected) in [(B256::ZERO, &found[..]), (code_hash, &[])] {
        let codes = BTreeMap::from([(ALICE, hash)]);
        let allowance = GenesisAllowance { codes, ..Default::default() };
        assert_eq!(check_genesis(&with, &allowance), expected);
    }
}

#[test]
fn storage_without_code_or_nonce_is_fatal() {
    let stored = |account: &mut GenesisAccount| {
        account.storage = Some([(B256::repeat_byte(1), B256::repeat_byte(2))].into());
    };
    let found = findings(ALICE, stored);
    assert!(
        matches!(found[..], [GenesisFinding::StorageOnly { address: ALICE, slots: 1 }]),
        "{found:?}"
    );
    assert!(found[0].is_fatal() && found[0].is_protocol());
    // With a nonce, every client rejects contract creation at the address, and a flag can allow the
    // account.
    let found = findings(ALICE, |account| {
        stored(account);
        account.nonce = Some(1);
    });
    assert!(matches!(found[..], [GenesisFinding::ForeignCode { .. }]), "{found:?}");
    assert!(!found[0].is_fatal());
}
