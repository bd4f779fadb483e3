//! What a node knows about its own block beyond the calldata.

use alloy_consensus::TxEip1559;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, TxKind, U256};
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use enshrine_execute::{Execute, ExecuteError, TrustedContext};
use executor::ChainSpec;
use testkit::Key;
use wire::ProtocolFork;

const CHAIN_ID: u64 = 8_079;

#[test]
fn given_senders_replace_recovery_and_must_match() {
    let (alice, carol) = (Key::named("alice"), Key::named("carol"));
    let fork = ProtocolFork::Osaka;
    let mut genesis = empty_genesis(fork);
    for key in [&alice, &carol] {
        let balance = U256::from(1_000_000_000_000_000_000_u128);
        genesis.alloc.insert(key.address(), GenesisAccount { balance, ..Default::default() });
    }
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
    let chain = Chain::new(&genesis, config).unwrap();
    let transfer = |nonce| {
        alice.sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 20_000_000_000,
            to: TxKind::Call(Address::repeat_byte(0xb0)),
            value: U256::ONE,
            ..Default::default()
        })
    };
    let attributes = BlockAttributes { timestamp: 1_000, ..Default::default() };
    let (block, rejected) = chain.build(&attributes, vec![transfer(0), transfer(1)]).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    let calldata = block.input().unwrap();
    let run = |senders: &[Address]| {
        let context = TrustedContext { evm: &(), senders };
        Execute::default().run_under(&calldata, u64::MAX, context, |_| {})
    };
    let [alice, carol] = [alice.address(), carol.address()];
    for good in [&[][..], &[alice], &[alice, alice], &[alice, alice, carol]] {
        assert_eq!(run(good).unwrap().verdict.block_hash, block.block.hash);
    }
    for wrong in [&[carol][..], &[alice, carol], &[carol, carol]] {
        assert!(matches!(run(wrong), Err(ExecuteError::Invalid(_))), "{wrong:?}");
    }
}
