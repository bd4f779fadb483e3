//! A small L2 that builds the blocks of the tests.

use alloy_consensus::TxEip1559;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, Bytes, U256};
use chain::{BlockAttributes, Chain, ChainConfig, ExecutedBlock};
use codec::Encode as _;
use codec::RawBlock;
use enshrine_execute::Execute;
use executor::{ChainSpec, SystemCode};
use testkit::{Key, Transaction, eip1559, rich_genesis};
use wire::{ExecutionWitness, ProtocolFork, StatelessInput};

pub(crate) use testkit::{CHAIN_ID, ETHER};

pub(crate) struct L2 {
    pub(crate) chain: Chain,
    pub(crate) fork: ProtocolFork,
}

impl L2 {
    pub(crate) fn new(fork: ProtocolFork) -> Self {
        Self::with_genesis(fork, |_| {})
    }

    /// Creates a chain on which Alice is funded and whose genesis is changed by `change`. Foreign
    /// system contracts are allowed: EXECUTE must refuse them.
    pub(crate) fn with_genesis(fork: ProtocolFork, change: impl FnOnce(&mut Genesis)) -> Self {
        let mut genesis = rich_genesis(fork, ["alice"], 1_000 * ETHER);
        change(&mut genesis);
        let config = ChainConfig {
            system_code: SystemCode::Any,
            ..ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))
        };
        Self { chain: Chain::new(&genesis, config).expect("starts"), fork }
    }

    /// Builds a block of these transactions, all of which must fit. EXECUTE must accept every block
    /// that the chain builds.
    pub(crate) fn build(&self, transactions: Vec<Transaction>) -> ExecutedBlock {
        let attributes = BlockAttributes {
            timestamp: self.chain.head().header.timestamp + 12,
            slot_number: 1,
            ..Default::default()
        };
        let (block, rejected) = self.chain.build(&attributes, transactions).expect("builds");
        assert!(rejected.is_empty(), "{rejected:?}");
        let execute = Execute { system_code: SystemCode::Any, ..Execute::on(self.fork) };
        execute
            .run(&block.input().expect("encodes"), u64::MAX)
            .expect("EXECUTE accepts a built block");
        block
    }

    /// Appends a block with each of these numbers of transfers; returns the blocks, and the batch
    /// of them as EXECUTE calldata.
    pub(crate) fn batch(&mut self, transfers: &[u64]) -> (Vec<ExecutedBlock>, Vec<u8>) {
        let (mut blocks, mut known, mut nonce) = (Vec::new(), Vec::new(), 0);
        for count in transfers {
            let nonces = nonce..nonce + count;
            nonce += count;
            let block = self.build(nonces.map(|nonce| transfer(nonce, 25_000)).collect());
            known.push(self.chain.append(block.clone()).expect("appends"));
            blocks.push(block);
        }
        (blocks, self.chain.batch(known).expect("follow").input().expect("encodes"))
    }

    /// `count` transfers from Alice, each with this gas limit.
    pub(crate) fn transfers(&self, count: u64, gas_limit: u64) -> Vec<Transaction> {
        (0..count).map(|nonce| transfer(nonce, gas_limit)).collect()
    }

    /// A block of `count` transfers as EXECUTE calldata.
    pub(crate) fn calldata(&self, count: u64) -> Vec<u8> {
        self.build(self.transfers(count, 25_000)).input().expect("encodes")
    }
}

/// A transfer from Alice to Bob.
pub(crate) fn transfer(nonce: u64, gas_limit: u64) -> Transaction {
    let bob = Key::named("bob").address();
    Key::named("alice").sign(call(nonce, bob, gas_limit, U256::ONE, Bytes::new()))
}

pub(crate) fn call(
    nonce: u64,
    to: Address,
    gas_limit: u64,
    value: U256,
    input: Bytes,
) -> TxEip1559 {
    TxEip1559 {
        max_priority_fee_per_gas: 1_000_000_000,
        value,
        input,
        ..eip1559(nonce, to, gas_limit)
    }
}

/// Changes a decoded input, updates its block hash, and encodes it.
pub(crate) fn resealed<'a>(
    calldata: &'a [u8],
    change: impl FnOnce(&mut StatelessInput<'a>),
) -> Vec<u8> {
    testkit::resealed(calldata, change).expect("an input with a header")
}

/// Returns the block with other transactions.
pub(crate) fn with_transactions(
    calldata: &[u8],
    transactions: &[Bytes],
    change: impl FnOnce(&mut StatelessInput<'_>),
) -> Vec<u8> {
    let mut input = StatelessInput::decode(calldata).expect("decodes");
    input.request.payload.transactions = transactions.into();
    resealed(&input.encode(), change)
}

/// A block without its witness.
pub(crate) fn without_witness(calldata: &[u8]) -> Vec<u8> {
    let mut input = StatelessInput::decode(calldata).expect("decodes");
    let headers = input.witness.headers;
    input.witness = ExecutionWitness { headers, ..ExecutionWitness::EMPTY };
    input.encode()
}

/// Returns the block as `debug_getRawBlock` does.
pub(crate) fn raw(block: &ExecutedBlock) -> RawBlock {
    RawBlock::decode(&block.block.rlp()).expect("decodes")
}
