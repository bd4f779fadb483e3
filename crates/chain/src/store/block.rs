//! Executed blocks as a [`Store`](crate::store::Store) holds them.

use crate::store::Transaction;
use alloy_consensus::{Header, Transaction as _, proofs::calculate_transaction_root};
use alloy_eips::{BlockNumHash, Typed2718 as _, eip2718::Encodable2718, eip4895::Withdrawal};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{Encodable, Header as RlpHeader};
use codec::{Encode as _, OwnedWitness, RawBlock, withdrawal_record};
use executor::ExecutionOutcome;
use keccak::keccak256;
use std::sync::OnceLock;
use wire::{DecodeError, NewPayloadRequest, ProtocolFork, StatelessInput};

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
    /// Headers of the ommers.
    pub ommers: Vec<Header>,
    /// The withdrawals.
    pub withdrawals: Vec<Withdrawal>,
    /// Results of execution; empty for genesis.
    pub executed: ExecutionOutcome,
    /// EXECUTE gas that its transactions have drawn from allowances, by ascending position. A
    /// transaction whose draw is unknown has no entry: no receipt or header commits to the draw.
    pub execute_draws: Vec<ExecuteDraw>,
    /// Root of the state on which it was executed: the parent's, unless the state after the parent
    /// was edited.
    pub pre_state_root: B256,
    /// Sum of the difficulties from genesis to this block.
    pub total_difficulty: U256,
    /// `true` if the block follows the rules of its chain: it was executed on an unedited state,
    /// its header follows the rules, and the senders signed all transactions.
    pub provable: bool,
    size: OnceLock<usize>,
}

/// EXECUTE gas that a transaction of type `0x05` has drawn from its allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecuteDraw {
    /// Position of the transaction in its block.
    pub index: usize,
    /// Units of EXECUTE gas.
    pub gas: u64,
    /// Price of a unit in the block, in wei.
    pub price: u64,
}

impl Block {
    /// Creates a block that has only a header, such as genesis.
    pub fn from_header(header: Header) -> Self {
        let state_root = header.state_root;
        Self {
            total_difficulty: header.difficulty,
            ..Self::sealed(header, Vec::new(), Vec::new(), Vec::new(), ExecutionOutcome::default())
        }
        .executed_on(state_root)
    }

    /// Returns number and hash of the block.
    pub const fn num_hash(&self) -> BlockNumHash {
        BlockNumHash::new(self.header.number, self.hash)
    }

    /// Returns the block without its transactions and receipts. It is not
    /// [provable](Self::provable), because it cannot be executed again.
    #[must_use]
    pub fn without_body(&self) -> Self {
        Self {
            transactions: Vec::new(),
            senders: Vec::new(),
            executed: ExecutionOutcome::default(),
            execute_draws: Vec::new(),
            provable: false,
            ..self.clone()
        }
    }

    /// Creates a block that was executed elsewhere, and trusts its results. It is not
    /// [provable](Self::provable), and the state after it is not stored.
    pub fn foreign(
        header: Header,
        transactions: Vec<Transaction>,
        senders: Vec<Address>,
        withdrawals: Vec<Withdrawal>,
        executed: ExecutionOutcome,
    ) -> Self {
        Self {
            provable: false,
            ..Self::sealed(header, transactions, senders, withdrawals, executed)
        }
    }

    /// Returns `true` if the block was [executed elsewhere](Self::foreign).
    pub fn is_foreign(&self) -> bool {
        // No state has this root, so a block that was executed here has another one.
        !self.provable && self.pre_state_root.is_zero()
    }

    /// Creates a block from its parts. The caller sets its total difficulty and the root of the
    /// state on which it was executed.
    pub fn sealed(
        header: Header,
        transactions: Vec<Transaction>,
        senders: Vec<Address>,
        withdrawals: Vec<Withdrawal>,
        executed: ExecutionOutcome,
    ) -> Self {
        let block = Self {
            hash: header.hash_slow(),
            execute_draws: Vec::new(),
            pre_state_root: B256::ZERO,
            total_difficulty: header.difficulty,
            header,
            transactions,
            senders,
            ommers: Vec::new(),
            withdrawals,
            executed: ExecutionOutcome::default(),
            provable: true,
            size: OnceLock::new(),
        };
        block.with_outcome(executed)
    }

    /// Sets the results of execution.
    pub(crate) fn with_outcome(mut self, mut executed: ExecutionOutcome) -> Self {
        executed.foreign_types = foreign_types(&self.transactions);
        self.executed = executed;
        self
    }

    const fn executed_on(mut self, pre_state_root: B256) -> Self {
        self.pre_state_root = pre_state_root;
        self
    }

    /// Returns the block's RLP, as `debug_getRawBlock` returns it.
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
        self.ommers.encode(&mut payload);
        if self.header.withdrawals_root.is_some() {
            self.withdrawals.encode(&mut payload);
        }
        list(payload).into()
    }

    /// Returns the length of the block's RLP, in bytes.
    pub fn size(&self) -> usize {
        *self.size.get_or_init(|| self.rlp().len())
    }

    /// Returns the approximate memory that the block takes, in bytes. Its logs can be thousands of
    /// times as long as its [RLP](Self::size).
    pub fn memory(&self) -> usize {
        let ExecutionOutcome { receipts, requests, block_access_list, .. } = &self.executed;
        let logs = receipts.iter().flat_map(|receipt| &receipt.logs);
        let logs: usize = logs
            .map(|log| size_of_val(log) + size_of_val(log.topics()) + log.data.data.len())
            .sum();
        let requests = requests.iter().flat_map(|requests| requests.iter());
        let requests: usize = requests.map(|request| request.len()).sum();
        size_of::<Self>()
            + size_of_val(&self.transactions[..])
            + size_of_val(&self.senders[..])
            + size_of_val(&receipts[..])
            + self.size()
            + logs
            + requests
            + block_access_list.as_ref().map_or(0, |list| list.len())
    }

    /// Returns the transactions if all have Ethereum's types, the only ones that a verifier
    /// accepts.
    pub fn ethereum_transactions(&self) -> Option<Vec<executor::Transaction>> {
        Transaction::all_ethereum(&self.transactions)
    }

    /// Returns the encoded transactions, as a payload contains them.
    pub fn raw_transactions(&self) -> Vec<Bytes> {
        self.transactions.iter().map(|transaction| transaction.encoded_2718().into()).collect()
    }

    /// Returns the receipts as EIP-2718 encodings, the values of the receipts trie.
    pub fn raw_receipts(&self) -> Vec<Bytes> {
        self.executed.raw_receipts()
    }

    /// Returns the gas that transaction `index` used.
    pub fn transaction_gas(&self, index: usize) -> u64 {
        let cumulative = |index: usize| {
            self.executed.receipts.get(index).map_or(0, |receipt| receipt.cumulative_gas_used)
        };
        cumulative(index) - index.checked_sub(1).map_or(0, cumulative)
    }

    /// Returns the EXECUTE gas that transaction `index` has drawn from its allowance; `None` if it
    /// has no allowance or the draw is unknown.
    pub fn execute_draw(&self, index: usize) -> Option<ExecuteDraw> {
        self.execute_draws.iter().find(|draw| draw.index == index).copied()
    }

    /// Returns the block in the form of an import, with encoded transactions and withdrawals.
    pub fn to_raw(&self) -> RawBlock {
        let ethereum = self.transactions.iter().filter_map(Transaction::as_ethereum);
        let hashes = ethereum.filter_map(|transaction| transaction.blob_versioned_hashes());
        let withdrawals = self.withdrawals.iter().copied().map(withdrawal_record);
        RawBlock {
            header: self.header.clone(),
            hash: self.hash,
            transactions: self.raw_transactions(),
            withdrawals: self.header.withdrawals_root.map(|_| withdrawals.collect()),
            versioned_hashes: hashes.flatten().map(|hash| hash.0).collect(),
        }
    }

    /// Returns the block as an Engine API request of `fork`. `raw` is the
    /// [encoded](Self::to_raw) block.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the block has ommers, which no request can contain, or execution requests
    /// that EIP-7685 does not allow.
    pub fn as_request<'a>(
        &'a self,
        raw: &'a RawBlock,
        fork: ProtocolFork,
    ) -> Result<NewPayloadRequest<'a>, DecodeError> {
        match self.ommers.len() {
            0 => {}
            got => return Err(DecodeError::TooMany { what: "ommers", got, limit: 0 }),
        }
        let requests = self.executed.requests.as_deref().map_or(&[][..], |requests| requests);
        let access_list = self.executed.block_access_list.as_ref().map_or(&[][..], |list| list);
        raw.as_request(fork, requests, access_list)
    }

    /// Returns the calldata with which EXECUTE verifies this block under `fork`, given a witness.
    ///
    /// # Errors
    ///
    /// As [`Self::as_request`].
    pub fn input(
        &self,
        fork: ProtocolFork,
        chain_id: u64,
        witness: &OwnedWitness,
    ) -> Result<Vec<u8>, DecodeError> {
        let raw = self.to_raw();
        let request = self.as_request(&raw, fork)?;
        Ok(StatelessInput { fork, request, witness: witness.view(), chain_id }.encode())
    }
}

/// Returns position and type of each transaction whose type is not one of Ethereum's.
fn foreign_types(transactions: &[Transaction]) -> Vec<(usize, u8)> {
    let foreign = transactions.iter().enumerate().filter(|(_, tx)| tx.as_execute().is_some());
    foreign.map(|(index, transaction)| (index, transaction.ty())).collect()
}

/// Completes a header with the results of execution: roots, bloom filter, gas, and the hashes of
/// the requests and of the block access list. A header without blob gas stays without.
pub fn close_header(
    executed: &ExecutionOutcome,
    mut header: Header,
    transactions: &[Transaction],
    state_root: B256,
) -> Header {
    let (receipts_root, logs_bloom) = executed.receipts_root_and_bloom();
    header.state_root = state_root;
    header.transactions_root = calculate_transaction_root(transactions);
    header.receipts_root = receipts_root;
    header.logs_bloom = logs_bloom;
    header.gas_used = executed.gas_used;
    header.blob_gas_used = header.excess_blob_gas.map(|_| executed.blob_gas_used);
    header.requests_hash = executed.requests.as_ref().map(|requests| requests.requests_hash());
    header.block_access_list_hash = executed.block_access_list.as_ref().map(|list| keccak256(list));
    header
}
