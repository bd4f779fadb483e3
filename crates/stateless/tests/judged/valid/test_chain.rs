//! A test chain that verifies each of its blocks.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2930::AccessList;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::{BlockAttributes, Chain, ChainConfig, ExecutedBlock, empty_genesis};
use enshrine_stateless::{BlockError, ChainSpec, Invalid, UncheckedBlocks, Verdict, VerifyOptions};
use std::collections::HashMap;
pub(crate) use testkit::FORKS;
use testkit::{Key, Transaction, eip1559};
use wire::{ProtocolFork, StatelessInput};

pub(crate) const CHAIN_ID: u64 = 8_079;
pub(crate) const GWEI: u128 = 1_000_000_000;

pub(crate) struct TestChain {
    pub(crate) chain: Chain,
    nonces: HashMap<String, u64>,
}

/// A contract of a genesis.
pub(crate) fn contract(code: &[u8]) -> GenesisAccount {
    let code = Some(Bytes::copy_from_slice(code));
    GenesisAccount { nonce: Some(1), code, ..Default::default() }
}

impl TestChain {
    /// Creates a chain under the rules of one fork, on which Alice and Bob are funded.
    pub(crate) fn new(fork: ProtocolFork, change: impl FnOnce(&mut Genesis)) -> Self {
        Self::on(fork, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)), change)
    }

    /// Creates a chain with a custom specification and the system contracts of `fork`.
    pub(crate) fn on(
        fork: ProtocolFork,
        config: ChainConfig,
        change: impl FnOnce(&mut Genesis),
    ) -> Self {
        let mut genesis = empty_genesis(fork);
        for name in ["alice", "bob"] {
            let balance = U256::from(1_000_000 * GWEI) * U256::from(GWEI);
            let rich = GenesisAccount { balance, ..Default::default() };
            genesis.alloc.insert(Key::named(name).address(), rich);
        }
        change(&mut genesis);
        let chain = Chain::new(&genesis, config).expect("a genesis");
        Self { chain, nonces: HashMap::new() }
    }

    pub(crate) fn nonce(&mut self, name: &str) -> u64 {
        let nonce = self.nonces.entry(name.to_owned()).or_default();
        *nonce += 1;
        *nonce - 1
    }

    /// Returns a call by Alice, without a tip.
    pub(crate) fn call(&mut self, to: Address, gas_limit: u64, input: Vec<u8>) -> Transaction {
        let transaction = self.transaction("alice", to, gas_limit, input);
        Key::named("alice").sign(transaction)
    }

    pub(crate) fn transaction(
        &mut self,
        name: &str,
        to: Address,
        gas_limit: u64,
        input: Vec<u8>,
    ) -> TxEip1559 {
        TxEip1559 {
            input: input.into(),
            access_list: AccessList::default(),
            ..eip1559(self.nonce(name), to, gas_limit)
        }
    }

    pub(crate) fn attributes(&self) -> BlockAttributes {
        let parent = &self.chain.head().header;
        BlockAttributes {
            timestamp: parent.timestamp + 12,
            fee_recipient: Key::named("fees").address(),
            slot_number: parent.number + 1,
            parent_beacon_block_root: B256::repeat_byte(0xbe),
            ..Default::default()
        }
    }

    /// Builds a block from these candidates. Returns the verified block, and the rejected
    /// transactions with their reasons.
    pub(crate) fn offer(
        &self,
        transactions: Vec<Transaction>,
    ) -> (ExecutedBlock, Vec<(usize, Invalid)>) {
        let (block, rejected) = self.chain.build(&self.attributes(), transactions).expect("builds");
        if let Err(reason) =
            self.verify(&block, VerifyOptions { evm: self.chain.config(), ..Default::default() })
        {
            panic!("a block built by the chain is refused: {reason}");
        }
        (block, rejected)
    }

    /// Appends a block that contains all of these transactions.
    pub(crate) fn block(&mut self, transactions: Vec<Transaction>) -> ExecutedBlock {
        let (block, rejected) = self.offer(transactions);
        assert!(rejected.is_empty(), "{rejected:?}");
        self.chain.append(block.clone()).expect("appends");
        block
    }

    pub(crate) fn verify(
        &self,
        block: &ExecutedBlock,
        options: VerifyOptions<'_>,
    ) -> Result<Verdict, Invalid> {
        let calldata = block.input().expect("encodes");
        let input = StatelessInput::decode(&calldata).expect("decodes");
        let verdicts = UncheckedBlocks::decode(&input)
            .and_then(|blocks| blocks.verify(&self.chain.config().spec, options, |_| {}));
        match verdicts.map_err(BlockError::from) {
            Ok(mut verdicts) => Ok(verdicts.remove(0)),
            Err(BlockError::Invalid(reason)) => Err(reason),
            Err(BlockError::Internal(error)) => panic!("no verdict: {error}"),
        }
    }
}
