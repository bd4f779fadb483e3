//! Building blocks.

use crate::{
    Block, ExecutedBlock, Chain, ChainError, Changes, BlockWithWitness, State,
    header::{base_fee_after, check_header},
    record::Recording,
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, Transaction as _, proofs};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use stateless::{
    BlockExecution, BlockState, Environment, EvmOverrides, ExecutionOutcome, Invalid, StateSource,
    Transaction, check_access_list_size, next_excess_blob_gas, recover_sender,
};
use wire::ProtocolFork;

/// What a builder is free to choose.
#[derive(Debug, Clone, Default)]
pub struct BlockAttributes {
    /// Seconds; later than the parent's.
    pub timestamp: u64,
    /// Who gets the tips.
    pub fee_recipient: Address,
    /// Randomness.
    pub prev_randao: B256,
    /// The anchor of an L2.
    pub parent_beacon_block_root: B256,
    /// Gas limit to move towards, as far as one block may; `None` keeps the parent's.
    pub gas_limit: Option<u64>,
    /// At most 32 bytes.
    pub extra_data: Bytes,
    /// Withdrawals; an L2 has none.
    pub withdrawals: Vec<Withdrawal>,
    /// Slot number (EIP-7843); Amsterdam and later.
    pub slot_number: u64,
    /// A gas limit that the block has whatever the rules say. The block is then not
    /// [regular](Block::provable), unless they agree.
    pub forced_gas_limit: Option<u64>,
    /// A base fee that the block has whatever the rules say, in wei.
    pub forced_base_fee: Option<u64>,
}

/// A transaction that is offered to a builder.
#[derive(Debug, Clone)]
pub struct RecoveredTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Who sends it.
    pub sender: Address,
    /// Whether the sender has signed it; if not, the block is not [regular](Block::provable).
    pub signed: bool,
}

/// Why a transaction that was offered is not in a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There was no room left; a later block may have it.
    #[error("the block has no room for it: {0}")]
    NoRoom(Invalid),
    /// It cannot stand there.
    #[error(transparent)]
    Invalid(Invalid),
}

impl Rejection {
    /// What the verifier would say of a block with the transaction.
    pub fn into_invalid(self) -> Invalid {
        match self {
            Self::NoRoom(reason) | Self::Invalid(reason) => reason,
        }
    }
}

impl Chain {
    /// Builds a child of the head from those of `transactions` that can stand in it, in order.
    ///
    /// Returns the block and, for each transaction left out, its position and the reason. The block
    /// becomes part of the chain with [`Chain::append`].
    pub fn build(
        &self,
        attributes: &BlockAttributes,
        transactions: Vec<Transaction>,
    ) -> Result<(BlockWithWitness, Vec<(usize, Invalid)>), ChainError> {
        let mut candidates = Vec::with_capacity(transactions.len());
        let mut rejected = Vec::new();
        for (index, transaction) in transactions.into_iter().enumerate() {
            match recover_sender(&transaction) {
                Some(sender) => {
                    candidates.push((index, RecoveredTransaction { transaction, sender, signed: true }));
                }
                None => rejected.push((index, Invalid::Signature { index })),
            }
        }
        let parent = self.state();
        let header = parent.open_header(attributes)?;
        // A transaction that is tried and left out has read state that the block does not need, so
        // the record of what the block reads starts afresh once it is known what stands in it.
        loop {
            let recording = Recording::new(&parent);
            let mut rejected = Vec::new();
            let offered = candidates.iter().map(|(index, candidate)| (*index, candidate));
            let ExecutedBlock { block, changes } =
                parent.try_build(&recording, &header, attributes, offered, |index, reason| {
                    rejected.push((index, reason.into_invalid()));
                })?;
            if rejected.is_empty() {
                let spec = &self.config().spec;
                let new = BlockWithWitness {
                    fork: spec.fork_at(header.timestamp).unwrap_or(ProtocolFork::Paris),
                    block,
                    chain_id: spec.chain_id(),
                    witness: recording.into_witness(),
                    changes,
                };
                rejected.sort_by_key(|(index, _)| *index);
                return Ok((new, rejected));
            }
            candidates.retain(|(index, _)| rejected.iter().all(|(left, _)| left != index));
            rejected.append(&mut rejected);
        }
    }
}

impl State {
    /// Builds a block on this state from those of `candidates` that can stand in it, in order,
    /// without a record of what it reads. `reject` is told which cannot, and why.
    pub fn build<'c>(
        &self,
        attributes: &BlockAttributes,
        candidates: impl IntoIterator<Item = &'c RecoveredTransaction>,
        reject: impl FnMut(usize, Rejection),
    ) -> Result<ExecutedBlock, ChainError> {
        let header = self.open_header(attributes)?;
        self.try_build(self, &header, attributes, candidates.into_iter().enumerate(), reject)
    }

    /// The header of a child, as far as it is known before execution.
    pub fn open_header(&self, attributes: &BlockAttributes) -> Result<Header, ChainError> {
        let parent = &self.block.header;
        let spec = &self.config.spec;
        let (number, timestamp) = (parent.number + 1, attributes.timestamp);
        let fork = spec.hardfork_at(number, timestamp);
        let since = |first: EthereumHardfork| fork >= first;
        let excess_blob_gas = spec
            .fork_at(timestamp)
            .zip(spec.blob_params_at(timestamp))
            .map(|(fork, params)| next_excess_blob_gas(parent, fork, &params))
            .transpose()?;
        let base_fee = match attributes.forced_base_fee {
            Some(base_fee) => base_fee,
            None => base_fee_after(parent)?,
        };
        Ok(Header {
            parent_hash: self.block.hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: attributes.fee_recipient,
            number,
            gas_limit: attributes
                .forced_gas_limit
                .unwrap_or_else(|| next_gas_limit(parent.gas_limit, attributes.gas_limit)),
            timestamp,
            extra_data: attributes.extra_data.clone(),
            mix_hash: attributes.prev_randao,
            base_fee_per_gas: since(EthereumHardfork::London).then_some(base_fee),
            withdrawals_root: since(EthereumHardfork::Shanghai)
                .then(|| proofs::calculate_withdrawals_root(&attributes.withdrawals)),
            excess_blob_gas,
            parent_beacon_block_root: since(EthereumHardfork::Cancun)
                .then_some(attributes.parent_beacon_block_root),
            slot_number: since(EthereumHardfork::Amsterdam).then_some(attributes.slot_number),
            ..Default::default()
        })
    }

    fn try_build<'c, S: StateSource>(
        &self,
        source: &S,
        header: &Header,
        attributes: &BlockAttributes,
        candidates: impl Iterator<Item = (usize, &'c RecoveredTransaction)>,
        reject: impl FnMut(usize, Rejection),
    ) -> Result<ExecutedBlock, ChainError> {
        self.config.with_evm_overrides(|changes| {
            self.execute_candidates(source, header, attributes, candidates, reject, &changes)
        })
    }

    fn execute_candidates<'c, S: StateSource>(
        &self,
        source: &S,
        header: &Header,
        attributes: &BlockAttributes,
        candidates: impl Iterator<Item = (usize, &'c RecoveredTransaction)>,
        mut reject: impl FnMut(usize, Rejection),
        evm: &EvmOverrides<'_>,
    ) -> Result<ExecutedBlock, ChainError> {
        let spec = &self.config.spec;
        let mut state = BlockState::new(source, self.root);
        if header.slot_number.is_some() {
            state = state.with_access_list();
        }
        let environment =
            Environment { header, ommers: &[], withdrawals: &attributes.withdrawals, spec };
        let mut execution = BlockExecution::begin(&mut state, environment, evm)?;
        let (mut transactions, mut senders) = (Vec::new(), Vec::new());
        let mut gas_pool = GasPool::new(self, header);
        let mut provable = self.root == self.block.header.state_root
            && self.store.fork_backend().is_none()
            && self.config.signatures.is_none();
        let mut last = None;
        for (index, RecoveredTransaction { transaction, sender, signed }) in candidates {
            last = Some(index);
            if let Err(reason) = gas_pool.check(index, transaction, execution.gas_used()) {
                reject(index, reason);
                continue;
            }
            match execution.transact(transaction, *sender) {
                Ok(()) => {
                    gas_pool.take(transaction);
                    provable &= *signed;
                    transactions.push(transaction.clone());
                    senders.push(*sender);
                }
                Err(Invalid::State(error)) => return Err(ChainError::Store(error)),
                Err(reason) => reject(index, Rejection::Invalid(reason)),
            }
        }
        let executed = execution.finish()?;
        if let Err(reason) = check_access_list_size(&executed, header.gas_limit) {
            // The gas limit must pay for the access list too (EIP-7928): the block is full.
            let Some(index) = last else { return Err(reason.into()) };
            reject(index, Rejection::NoRoom(reason));
        }
        let mut changes = Changes { preimages: state.changed(), ..Changes::default() };
        let post =
            state.into_post_state(|node| changes.put_node(node)).map_err(ChainError::Store)?;
        changes.codes = post.codes;
        let header = close_header(header.clone(), &transactions, &executed, post.root);
        provable &= check_header(&header, &self.block.header, spec).is_ok();
        let withdrawals = attributes.withdrawals.clone();
        let block = Block::sealed(header, transactions, senders, withdrawals, executed);
        let total_difficulty = self.block.total_difficulty;
        let block = Block { provable, total_difficulty, ..block }.executed_on(self.root);
        Ok(ExecutedBlock { block, changes })
    }
}

/// What a block has left: revm knows the limits of a transaction, not all of a block.
struct GasPool {
    gas_limit: u64,
    per_transaction: u64,
    blob_gas: u64,
    max_blob_gas: u64,
    counts_exactly: bool,
}

impl GasPool {
    fn new(state: &State, header: &Header) -> Self {
        let spec = &state.config.spec;
        let fork = spec.hardfork_at(header.number, header.timestamp);
        Self {
            gas_limit: header.gas_limit,
            per_transaction: header.gas_limit,
            blob_gas: 0,
            max_blob_gas: spec
                .blob_params_at(header.timestamp)
                .map_or(0, |params| params.max_blob_gas_per_block()),
            // Since Amsterdam gas has dimensions, which the executor counts.
            counts_exactly: fork < EthereumHardfork::Amsterdam,
        }
    }

    fn check(&self, index: usize, transaction: &Transaction, used: u64) -> Result<(), Rejection> {
        let full = |reason| Err(Rejection::NoRoom(Invalid::Transaction { index, reason }));
        let with_this = self.blob_gas + transaction.blob_gas_used().unwrap_or_default();
        let max = self.max_blob_gas;
        if with_this > max {
            return full(format!("{with_this} blob gas with it, a block has {max}"));
        }
        let (limit, left) = (transaction.gas_limit(), self.gas_limit.saturating_sub(used));
        if self.counts_exactly && limit > left && limit <= self.per_transaction {
            return full(format!("its gas limit is {limit}, the block has {left} left"));
        }
        Ok(())
    }

    fn take(&mut self, transaction: &Transaction) {
        self.blob_gas += transaction.blob_gas_used().unwrap_or_default();
    }
}

/// Fills in what execution has shown.
fn close_header(
    mut header: Header,
    transactions: &[Transaction],
    executed: &ExecutionOutcome,
    state_root: B256,
) -> Header {
    let (receipts_root, logs_bloom) = executed.receipts_root_and_bloom();
    header.state_root = state_root;
    header.transactions_root = proofs::calculate_transaction_root(transactions);
    header.receipts_root = receipts_root;
    header.logs_bloom = logs_bloom;
    header.gas_used = executed.gas_used;
    header.blob_gas_used = header.excess_blob_gas.map(|_| executed.blob_gas_used);
    header.requests_hash = executed.requests.as_ref().map(|requests| requests.requests_hash());
    header.block_access_list_hash = executed.block_access_list.as_ref().map(keccak256);
    header
}

/// The gas limit of the next block: as close to the target as one block may go.
fn next_gas_limit(parent: u64, target: Option<u64>) -> u64 {
    let step = (parent / 1024).saturating_sub(1);
    let target = target.unwrap_or(parent).max(5_000);
    target.clamp(parent.saturating_sub(step), parent.saturating_add(step))
}
