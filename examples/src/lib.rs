//! A block for the examples that need one.
//!
//! The examples themselves are the programs beside this crate's manifest. Tests run them all.

use alloy_consensus::TxEip1559;
use alloy_genesis::GenesisAccount;
use alloy_primitives::U256;
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use stateless::ChainSpec;
use testkit::Key;
use wire::ProtocolFork;

/// Chain id of the L2.
pub const L2_CHAIN: u64 = 8_079;

/// A block of an L2 in which Alice sends Bob one wei, as the calldata of EXECUTE: the block, a
/// witness of the state that it reads, and the chain id.
pub fn l2_block() -> eyre::Result<Vec<u8>> {
    let (alice, bob) = (Key::named("alice"), Key::named("bob"));
    let mut genesis = empty_genesis(ProtocolFork::Osaka);
    let rich = GenesisAccount { balance: U256::from(10).pow(U256::from(18)), ..Default::default() };
    genesis.alloc.insert(alice.address(), rich);
    let rules = ChainConfig::new(ChainSpec::constant(L2_CHAIN, ProtocolFork::Osaka));
    let chain = Chain::new(&genesis, rules)?;

    let transfer = alice.sign(TxEip1559 {
        chain_id: L2_CHAIN,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        to: bob.address().into(),
        value: U256::ONE,
        ..Default::default()
    });
    let attributes = BlockAttributes { timestamp: 12, ..Default::default() };
    let (block, rejected) = chain.build(&attributes, vec![transfer])?;
    eyre::ensure!(rejected.is_empty(), "the block is without {rejected:?}");
    Ok(block.input()?)
}

/// The programs in the READMEs of the crates that are meant for others.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../crates/execute/README.md")]
    struct Execute;
    #[doc = include_str!("../../crates/keccak/README.md")]
    struct Keccak;
    #[doc = include_str!("../../crates/stateless/README.md")]
    struct Stateless;
    #[doc = include_str!("../../crates/wire/README.md")]
    struct Wire;
}
