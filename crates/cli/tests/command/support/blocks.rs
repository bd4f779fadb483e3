//! Blocks of a private chain, and a node's responses about them.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, U256};
use chain::{BlockAttributes, Chain, ChainConfig, ExecutedBlock};
use codec::OwnedWitness;
use executor::ChainSpec;
use serde_json::{Value, json};
use testkit::{CHAIN_ID, ETHER, FORCED_GAS, Key, Transaction, eip1559, rich_genesis};
use wire::ProtocolFork;

/// Creates the chain with a genesis in which Alice has ether.
fn chain(fork: ProtocolFork) -> Chain {
    let genesis = rich_genesis(fork, ["alice"], ETHER);
    let spec = ChainSpec::constant(CHAIN_ID, fork);
    Chain::new(&genesis, ChainConfig::new(spec)).expect("starts")
}

/// Returns a transfer of Alice.
fn transfer(nonce: u64) -> Transaction {
    Key::named("alice")
        .sign(TxEip1559 { value: U256::ONE, ..eip1559(nonce, Address::repeat_byte(0xb0), 21_000) })
}

/// Returns a transfer of Alice that the inbox accepts.
pub(crate) fn forced(nonce: u64) -> Transaction {
    Key::named("alice").sign(eip1559(nonce, Address::repeat_byte(0xb0), FORCED_GAS))
}

/// Returns the first block of the chain, with a transfer.
pub(crate) fn block(fork: ProtocolFork) -> ExecutedBlock {
    let attributes = BlockAttributes { timestamp: 12, slot_number: 1, ..Default::default() };
    let (block, rejected) = chain(fork).build(&attributes, vec![transfer(0)]).expect("builds");
    assert!(rejected.is_empty());
    block
}

/// Returns the calldata of the first three blocks as a batch, with one transfer each.
pub(crate) fn batch() -> Vec<u8> {
    let mut chain = chain(ProtocolFork::Osaka);
    let mut block = |nonce: u64| {
        let attributes = BlockAttributes { timestamp: 12 * (nonce + 1), ..Default::default() };
        let (block, rejected) = chain.build(&attributes, vec![transfer(nonce)]).expect("builds");
        assert!(rejected.is_empty());
        chain.append(block).expect("follows")
    };
    let blocks = (0..3).map(&mut block).collect();
    chain.batch(blocks).expect("follow").input().expect("encodes")
}

/// Returns the result of `debug_executionWitness`.
pub(crate) fn witness_json(witness: &OwnedWitness) -> Value {
    let hex = |list: &[Bytes]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "state": hex(&witness.state), "codes": hex(&witness.codes),
        "headers": hex(&witness.headers), "keys": [],
    })
}
