//! Blocks as a chain keeps them.

use alloy_consensus::Header;
use alloy_eips::{eip2718::Encodable2718, eip4895::Withdrawal};
use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::{Encodable, Header as RlpHeader};
use revm::bytecode::Bytecode;
use stateless::{ExecutedBlock, Transaction};
use wire::{DecodeError, OwnedWitness, ProtocolFork, convert::RawBlock};

/// A block that the chain has executed.
#[derive(Debug, Clone)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: B256,
    /// The transactions.
    pub transactions: Vec<Transaction>,
    /// Their senders.
    pub senders: Vec<Address>,
    /// The withdrawals.
    pub withdrawals: Vec<Withdrawal>,
    /// What execution produced; nothing for genesis.
    pub executed: ExecutedBlock,
}

impl Block {
    /// The block's RLP, as `debug_getRawBlock` returns it.
    pub fn rlp(&self) -> Bytes {
        let mut transactions = Vec::new();
        for transaction in &self.transactions {
            transaction.network_encode(&mut transactions);
        }
        let list = |payload: Vec<u8>| {
            let mut out = Vec::with_capacity(payload.len() + 5);
            RlpHeader { list: true, payload_length: payload.len() }.encode(&mut out);
            out.extend(payload);
            out
        };
        let mut payload = alloy_rlp::encode(&self.header);
        payload.extend(list(transactions));
        payload.extend(list(Vec::new()));
        if self.header.withdrawals_root.is_some() {
            self.withdrawals.encode(&mut payload);
        }
        list(payload).into()
    }

    /// The encoded transactions, as they stand in a payload.
    pub fn raw_transactions(&self) -> Vec<Bytes> {
        self.transactions.iter().map(|transaction| transaction.encoded_2718().into()).collect()
    }
}

/// A block that has been built or imported and is not yet part of the chain.
#[derive(Debug, Clone)]
pub struct NewBlock {
    /// The block.
    pub block: Block,
    /// The fork whose rules it follows.
    pub fork: ProtocolFork,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// What it read, in canonical form: the least that a verifier needs.
    pub witness: OwnedWitness,
    pub(crate) nodes: Vec<(B256, Bytes)>,
    pub(crate) codes: Vec<(B256, Bytecode)>,
}

impl NewBlock {
    /// The trie nodes that its state has beyond its parent's.
    pub fn nodes(&self) -> impl Iterator<Item = &Bytes> {
        self.nodes.iter().map(|(_, node)| node)
    }

    /// The codes that it has deployed.
    pub fn codes(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.codes.iter().map(|(_, code)| code.original_bytes())
    }

    /// The calldata with which EXECUTE verifies this block. Only blocks of Cancun and later have it.
    pub fn input(&self) -> Result<Vec<u8>, DecodeError> {
        self.input_with(&self.witness)
    }

    /// As [`Self::input`], with another witness.
    pub fn input_with(&self, witness: &OwnedWitness) -> Result<Vec<u8>, DecodeError> {
        let block = RawBlock::decode(&self.block.rlp())?;
        let executed = &self.block.executed;
        let requests: Vec<Bytes> =
            executed.requests.iter().flat_map(|requests| requests.iter().cloned()).collect();
        let access_list = executed.block_access_list.clone().unwrap_or_default();
        block.to_input(self.fork, self.chain_id, witness, &requests, &access_list)
    }
}
