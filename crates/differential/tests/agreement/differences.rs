//! Known differences between the two verifiers, with their reasons.

use crate::judges::Judges;
use alloy_consensus::TxEip1559;
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Bytes, U256, hex};
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use enshrine_differential::ethrex;
use ethrex_common::types::block_execution_witness::amsterdam_chain_config;
use executor::{SYSTEM_CONTRACTS, SystemCode};
use eyre::Result;
use testkit::{Key, tampered::Draft};
use wire::{ExecutionWitness, ProtocolFork, StatelessInput};

const CHAIN_ID: u64 = 8_079;

fn judges(fork: ProtocolFork, code: SystemCode) -> Judges {
    Judges::of_chain(CHAIN_ID, fork, None, None, code)
}

/// Returns the input of a block without transactions, with a change to its witness.
fn changed(fork: ProtocolFork, change: impl FnOnce(&mut Draft<'_>)) -> Result<Bytes> {
    let judges = judges(fork, SystemCode::Canonical);
    let chain = Chain::new(&empty_genesis(fork), ChainConfig::new(judges.spec))?;
    let (new, _) = chain.build(&BlockAttributes { timestamp: 12, ..Default::default() }, vec![])?;
    let calldata = new.input()?;
    let input = StatelessInput::decode(&calldata)?;
    let mut draft = Draft::new(&input);
    change(&mut draft);
    Ok(draft.encode().expect("an input"))
}

/// revm 43.0.3 gives a system call 31,566,720 gas under every fork: the 30 million of the EIPs plus
/// the state gas of EIP-8037, which should only be added from Amsterdam on, in a reservoir that GAS
/// does not include. No canonical system contract can observe the difference: none reads its gas,
/// and none comes near the limit. EXECUTE accepts no other code.
#[test]
fn revm_gives_system_calls_extra_gas() -> Result<()> {
    // GAS, PUSH0, SSTORE, then returns no data.
    let code = Bytes::from_static(&hex!("5a5f555f5ff3"));
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let mut genesis = empty_genesis(fork);
        let contracts = SYSTEM_CONTRACTS.iter().filter(|contract| contract.since <= fork);
        for contract in contracts {
            genesis.alloc.entry(contract.address).or_default().code = Some(code.clone());
        }
        let any = judges(fork, SystemCode::Any);
        let config =
            ChainConfig { system_code: SystemCode::Any, ..ChainConfig::new(any.spec.clone()) };
        let mut chain = Chain::new(&genesis, config)?;
        let (new, _) =
            chain.build(&BlockAttributes { timestamp: 12, ..Default::default() }, vec![])?;
        let calldata: Bytes = new.input()?.into();
        chain.append(new)?;
        let stored = chain.storage(SYSTEM_CONTRACTS[0].address, U256::ZERO)?;
        assert_eq!(stored, U256::from(31_566_718), "after GAS itself");

        assert!(any.ours(&calldata).is_ok());
        assert!(any.theirs(&calldata).expect("no panic").is_err(), "{fork}");
        let refusal = judges(fork, SystemCode::Canonical).ours(&calldata).unwrap_err();
        assert!(refusal.contains("at the system address"), "{refusal}");
    }
    Ok(())
}

/// The specification limits a node to 2^10 bytes and a code to 2^16, ethrex to 2^20 and 2^24.
#[test]
fn ethrex_accepts_larger_witness_items() -> Result<()> {
    let fork = ProtocolFork::Amsterdam;
    let judges = judges(fork, SystemCode::Canonical);
    let node = |length| changed(fork, |draft| draft.witness.state.push(vec![0; length].into()));
    let code = |length| changed(fork, |draft| draft.witness.codes.push(vec![0; length].into()));
    for largest in [node(ExecutionWitness::MAX_NODE)?, code(ExecutionWitness::MAX_CODE)?] {
        assert_eq!(judges.ours(&largest), Ok(()));
        assert!(judges.theirs(&largest).expect("no panic").is_ok());
    }
    for larger in [node(ExecutionWitness::MAX_NODE + 1)?, code(ExecutionWitness::MAX_CODE + 1)?] {
        assert!(judges.ours(&larger).unwrap_err().contains("witness"));
        assert!(judges.theirs(&larger).expect("no panic").is_ok());
    }
    Ok(())
}

/// By the specification, the last header of a witness is the parent. ethrex finds the parent by its
/// number and accepts a child of it after it.
#[test]
fn ethrex_accepts_headers_after_parent() -> Result<()> {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let judges = judges(fork, SystemCode::Canonical);
        let good = changed(fork, |_| {})?;
        assert_eq!(judges.ours(&good), Ok(()));
        let header = stateless::header_of(&StatelessInput::decode(&good)?.request, fork);
        let itself = alloy_rlp::encode(header.expect("a header"));
        let longer = changed(fork, |draft| draft.witness.headers.push(itself.into()))?;
        assert!(judges.ours(&longer).unwrap_err().contains("names"), "broken ancestry");
        assert!(judges.theirs(&longer).expect("no panic").is_ok());
    }
    Ok(())
}

/// ethrex decodes every node of a witness and asserts that no child of a branch is longer than a
/// hash. Enshrine ignores nodes that no read reaches.
#[test]
fn ethrex_panics_on_overlong_branch_child() -> Result<()> {
    let mut branch = vec![0xc0 + 34 + 16, 0x80 + 33];
    branch.extend([0x11; 33]);
    branch.extend([0x80; 16]);
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let judges = judges(fork, SystemCode::Canonical);
        let calldata = changed(fork, |draft| draft.witness.state.push(branch.clone().into()))?;
        assert_eq!(judges.ours(&calldata), Ok(()));
        assert!(judges.theirs(&calldata).is_none(), "{fork}");
    }
    Ok(())
}

/// EXECUTE uses the deposit contracts of public networks; other chains have none. ethrex uses
/// mainnet's on every chain, so any code at that address can create deposits, or, by another log
/// with their topic, make blocks invalid.
#[test]
fn ethrex_uses_mainnet_deposit_contract_everywhere() -> Result<()> {
    let fork = ProtocolFork::Amsterdam;
    let judges = judges(fork, SystemCode::Canonical);
    let mut genesis = empty_genesis(fork);
    // LOG1 without data, with the topic of deposits.
    let topic = hex!("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");
    let code = [&[0x7f][..], &topic, &hex!("5f5fa1")].concat();
    let contract = GenesisAccount { code: Some(code.into()), ..Default::default() };
    genesis.alloc.insert(MAINNET_DEPOSIT_CONTRACT_ADDRESS, contract);
    let alice = Key::named("alice");
    let rich = GenesisAccount { balance: U256::from(10_u64.pow(18)), ..Default::default() };
    genesis.alloc.insert(alice.address(), rich);
    let chain = Chain::new(&genesis, ChainConfig::new(judges.spec.clone()))?;
    let call = alice.sign(TxEip1559 {
        chain_id: CHAIN_ID,
        gas_limit: 100_000,
        max_fee_per_gas: 2_000_000_000,
        to: MAINNET_DEPOSIT_CONTRACT_ADDRESS.into(),
        ..Default::default()
    });
    let attributes = BlockAttributes { timestamp: 12, ..Default::default() };
    let (new, rejected) = chain.build(&attributes, vec![call])?;
    assert!(rejected.is_empty());
    let calldata: Bytes = new.input()?.into();
    assert_eq!(judges.ours(&calldata), Ok(()));
    assert!(judges.theirs(&calldata).expect("no panic").is_ok(), "told that there is none");
    let refusal = ethrex::verify_on(&calldata, &amsterdam_chain_config(CHAIN_ID)).unwrap_err();
    assert_eq!(refusal.to_string(), "execution: Invalid deposit request layout");
    Ok(())
}
