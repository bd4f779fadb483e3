//! An L2 in this process: a plain Ethereum chain, and the transactions by which a sequencer relays
//! data from L1.

use crate::{HarnessError, Key, Transaction};
use alloy_consensus::TxEip1559;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, map::AddressMap};
use alloy_sol_types::SolCall;
use chain::{AccountProof, Block, BlockAttributes, Chain, ChainConfig, ExecutedBlock};
use contracts::{
    Anchor, L1_ANCHOR, L2_MESSENGER, Message,
    bindings::{IL1MessageQueue::MessageProof, IL2Messenger},
    message_proof, pack, sent_slot,
};
use executor::{ChainSpec, Invalid};
use std::sync::Arc;
use wire::ProtocolFork;

/// An L2 chain, and the nonces of transactions that are signed and not yet included.
#[derive(Debug)]
pub struct L2 {
    chain: Chain,
    pending_nonces: AddressMap<u64>,
}

impl L2 {
    /// Starts the L2 at its genesis.
    pub fn new(chain_id: u64, fork: ProtocolFork, genesis: &Genesis) -> Result<Self, HarnessError> {
        Self::configured(genesis, ChainConfig::new(ChainSpec::constant(chain_id, fork)))
    }

    /// Starts the L2 at its genesis with this configuration.
    pub fn configured(genesis: &Genesis, config: ChainConfig) -> Result<Self, HarnessError> {
        Ok(Self { chain: Chain::new(genesis, config)?, pending_nonces: AddressMap::default() })
    }

    /// Returns the chain.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Changes the configuration of the chain for later blocks.
    pub fn configure(&mut self, change: impl FnOnce(&mut ChainConfig)) {
        self.chain.configure(change);
    }

    /// Converts the L2 into its chain.
    pub fn into_chain(self) -> Chain {
        self.chain
    }

    /// Returns the attributes of a block with this timestamp, anchor and number.
    pub fn attributes(timestamp: u64, anchor: B256, number: u64) -> BlockAttributes {
        BlockAttributes {
            timestamp,
            parent_beacon_block_root: anchor,
            fee_recipient: Key::named("fees").address(),
            slot_number: number,
            ..Default::default()
        }
    }

    /// Returns a copy of the L2 that develops independently.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { chain: self.chain.detached(), pending_nonces: self.pending_nonces.clone() }
    }

    /// Signs a transaction with the nonce after those that this account has signed before.
    pub fn sign(
        &mut self,
        from: &Key,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> Result<Transaction, HarnessError> {
        let on_chain = self.chain.nonce(from.address())?;
        let nonce = self.pending_nonces.entry(from.address()).or_insert(on_chain);
        *nonce = (*nonce).max(on_chain);
        let transaction = from.sign(TxEip1559 {
            chain_id: self.chain.config().spec.chain_id(),
            nonce: *nonce,
            gas_limit,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to,
            value,
            input,
            ..Default::default()
        });
        *nonce += 1;
        Ok(transaction)
    }

    /// Signs the transaction that proves an anchor on the L2.
    pub fn prove_anchor(
        &mut self,
        from: &Key,
        anchor: &Anchor,
    ) -> Result<Transaction, HarnessError> {
        let call = anchor.prove_call();
        self.sign(from, L1_ANCHOR.into(), U256::ZERO, call.abi_encode().into(), 600_000)
    }

    /// Signs the transaction that relays messages, which must be all unrelayed ones up to the
    /// latest anchor.
    pub fn relay(
        &mut self,
        from: &Key,
        messages: &[Message],
        fee_recipient: Address,
    ) -> Result<Transaction, HarnessError> {
        let call =
            IL2Messenger::relayCall { messages: pack(messages), feeRecipient: fee_recipient };
        let gas: u64 =
            messages.iter().map(|message| 1_000_000 + u64::from(message.gas_limit)).sum();
        self.sign(from, L2_MESSENGER.into(), U256::ZERO, call.abi_encode().into(), gas)
    }

    /// Seals a block of these transactions with this anchor. Also returns the rejected transactions
    /// by index. The block is not part of the chain before [`Self::append`].
    pub fn seal(
        &self,
        timestamp: u64,
        anchor: B256,
        transactions: Vec<Transaction>,
    ) -> Result<(ExecutedBlock, Vec<(usize, Invalid)>), HarnessError> {
        let attributes = Self::attributes(timestamp, anchor, self.chain.head().header.number + 1);
        Ok(self.chain.build(&attributes, transactions)?)
    }

    /// Like [`Self::seal`]; a rejected transaction is an error.
    pub fn seal_all(
        &self,
        timestamp: u64,
        anchor: B256,
        transactions: Vec<Transaction>,
    ) -> Result<ExecutedBlock, HarnessError> {
        let (block, rejected) = self.seal(timestamp, anchor, transactions)?;
        match rejected.into_iter().next() {
            Some((_, reason)) => Err(HarnessError::NotIncluded(reason)),
            None => Ok(block),
        }
    }

    /// Like [`Self::seal_all`]; a transaction that fails is an error, too.
    pub fn seal_successes(
        &self,
        timestamp: u64,
        anchor: B256,
        transactions: Vec<Transaction>,
    ) -> Result<ExecutedBlock, HarnessError> {
        let block = self.seal_all(timestamp, anchor, transactions)?;
        let mut receipts = block.block.executed.receipts.iter();
        match receipts.position(|receipt| !receipt.success) {
            Some(index) => Err(HarnessError::Failed(index)),
            None => Ok(block),
        }
    }

    /// Returns the timestamp one second after the head.
    pub fn next_timestamp(&self) -> u64 {
        self.chain.head().header.timestamp + 1
    }

    /// Returns the state root of the head.
    pub fn state_root(&self) -> B256 {
        self.chain.head().header.state_root
    }

    /// Proves an account and its slots in the state of the head.
    pub fn prove(&self, address: Address, slots: &[U256]) -> Result<AccountProof, HarnessError> {
        Ok(self.chain.prove(self.chain.head(), address, slots)?)
    }

    /// Returns the proof for `L1MessageQueue.claim` that the state after `block` contains the L2→L1
    /// message with this index.
    pub fn message_proof(&self, block: &Block, index: u64) -> Result<MessageProof, HarnessError> {
        let proof = self.chain.prove(block, L2_MESSENGER, &[sent_slot(index)])?;
        Ok(message_proof(block.header.number, proof))
    }

    /// Forgets the nonces of signed transactions that will not be included.
    pub fn forget_pending(&mut self) {
        self.pending_nonces.clear();
    }

    /// Appends a sealed block as the new head.
    pub fn append(&mut self, block: ExecutedBlock) -> Result<Arc<Block>, HarnessError> {
        self.forget_pending();
        Ok(self.chain.append(block)?)
    }
}
