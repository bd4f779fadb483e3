//! Execution of a block over a state.

use crate::{
    BlockState, ChainSpec, Invalid, StateSource, Transaction,
    evm::{BlockEvm, block_evm},
    transactions::spec_id,
};
use alloy_consensus::{
    EthereumReceipt, Header, ReceiptWithBloom, TxReceipt, TxType, proofs::calculate_receipt_root,
    transaction::Recovered,
};
use alloy_eips::{eip4895::Withdrawal, eip7685::Requests, eip7928::total_bal_items};
use alloy_evm::{
    Evm, EvmEnv,
    block::{
        BalIndexedDatabase, BlockExecutionError, BlockExecutor, BlockValidationError, CommitChanges,
    },
    eth::{
        EthBlockExecutionCtx, EthBlockExecutor,
        eip6110::DepositEvent,
        receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
        spec::EthExecutorSpec,
    },
    precompiles::PrecompilesMap,
};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, U256};
use alloy_sol_types::SolEvent;
use std::borrow::Cow;
use wire::ProtocolFork;

/// The receipt of a transaction, without its bloom filter.
pub type Receipt = EthereumReceipt<TxType>;

/// Makes receipts without bloom filters: those are computed for all receipts together.
#[derive(Debug, Clone, Copy)]
struct Receipts;

impl ReceiptBuilder for Receipts {
    type Transaction = Transaction;
    type Receipt = Receipt;

    fn build_receipt<E: Evm>(&self, ctx: ReceiptBuilderCtx<'_, TxType, E>) -> Receipt {
        Receipt {
            tx_type: ctx.tx_type,
            success: ctx.result.is_success(),
            cumulative_gas_used: ctx.cumulative_gas_used,
            logs: ctx.result.into_logs(),
        }
    }
}

/// What executing a block has produced, besides its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// One receipt per transaction.
    pub receipts: Vec<Receipt>,
    /// Gas used by the block.
    pub gas_used: u64,
    /// Blob gas used by the block.
    pub blob_gas_used: u64,
    /// EIP-7685 requests, type byte first; `None` before Prague.
    pub requests: Option<Requests>,
    /// RLP of the block access list (EIP-7928); `None` before Amsterdam.
    pub block_access_list: Option<Bytes>,
    /// Items of the block access list, which the gas limit must pay for.
    pub access_list_items: u64,
}

impl ExecutedBlock {
    /// Root of the receipts trie and bloom filter of all logs.
    pub fn receipts_root_and_bloom(&self) -> (B256, Bloom) {
        let receipts: Vec<_> = self
            .receipts
            .iter()
            .map(|receipt| ReceiptWithBloom { logs_bloom: receipt.bloom(), receipt })
            .collect();
        let bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.logs_bloom);
        (calculate_receipt_root(&receipts), bloom)
    }
}

type Executor<'x, DB> = EthBlockExecutor<'x, BlockEvm<DB>, &'x ChainSpec, Receipts>;

/// A block in execution: system calls, then transactions one by one, then withdrawals and requests.
///
/// The verifier feeds it the transactions of a payload, a block builder those that it finds.
pub struct BlockExecution<'x, 's, S: StateSource> {
    executor: Executor<'x, &'x mut BlockState<'s, S>>,
    fork: ProtocolFork,
    transactions: usize,
}

impl<S: StateSource> core::fmt::Debug for BlockExecution<'_, '_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BlockExecution")
            .field("fork", &self.fork)
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}

impl<'x, 's, S: StateSource> BlockExecution<'x, 's, S> {
    /// Starts the block of `header` on the state of its parent and runs the system calls that stand
    /// before the transactions. Of the header, only what the EVM can see matters.
    ///
    /// `precompiles` may add to or change those of the fork.
    pub fn begin(
        state: &'x mut BlockState<'s, S>,
        header: &Header,
        withdrawals: &'x [Withdrawal],
        fork: ProtocolFork,
        spec: &'x ChainSpec,
        precompiles: impl FnOnce(&mut PrecompilesMap),
    ) -> Result<Self, Invalid> {
        let blob_params = spec.blob_params_at(header.timestamp);
        let env = EvmEnv::for_eth_block(header, spec, spec.chain_id(), blob_params);
        debug_assert_eq!(env.cfg_env.spec, spec_id(fork));
        let mut evm = block_evm(state, env);
        precompiles(evm.precompiles_mut());
        let ctx = EthBlockExecutionCtx {
            parent_hash: header.parent_hash,
            parent_beacon_block_root: header.parent_beacon_block_root,
            ommers: &[],
            withdrawals: Some(Cow::Borrowed(withdrawals)),
            extra_data: header.extra_data.clone(),
            tx_count_hint: None,
            slot_number: header.slot_number,
        };
        let mut execution = Self {
            executor: EthBlockExecutor::new(evm, ctx, spec, Receipts),
            fork,
            transactions: 0,
        };
        execution.set_access_index(0);
        let applied = execution.executor.apply_pre_execution_changes();
        execution.check(applied)?;
        Ok(execution)
    }

    /// Runs a transaction. An error leaves the state as it was, so that a builder can go on without
    /// it; a verifier takes it as its verdict.
    pub fn transact(&mut self, transaction: &Transaction, sender: Address) -> Result<(), Invalid> {
        let (index, fork) = (self.transactions, self.fork);
        self.set_access_index(index as u64 + 1);
        let contract = self.executor.spec.deposit_contract_address();
        let mut malformed_deposit = false;
        let executed = self.executor.execute_transaction_with_commit_condition(
            Recovered::new_unchecked(transaction, sender),
            |executed| {
                let logs = executed.result.result.logs();
                malformed_deposit = fork >= ProtocolFork::Prague
                    && logs
                        .iter()
                        .any(|log| Some(log.address) == contract && is_malformed_deposit(log));
                if malformed_deposit { CommitChanges::No } else { CommitChanges::Yes }
            },
        );
        if malformed_deposit {
            let reason = "makes the deposit contract emit a log of another layout".to_owned();
            return Err(Invalid::Transaction { index, reason });
        }
        match self.check(executed) {
            Ok(_) => {
                self.transactions += 1;
                Ok(())
            }
            Err(Invalid::Execution(reason)) => Err(Invalid::Transaction { index, reason }),
            Err(other) => Err(other),
        }
    }

    /// Gas that the block has used so far, as its header counts it.
    pub fn gas_used(&self) -> u64 {
        if self.fork >= ProtocolFork::Amsterdam {
            self.executor.max_block_gas_used()
        } else {
            self.executor.cumulative_tx_gas_used
        }
    }

    /// Receipts of the transactions so far.
    pub fn receipts(&self) -> &[Receipt] {
        &self.executor.receipts
    }

    /// Runs what stands behind the transactions: requests, withdrawals.
    pub fn finish(mut self) -> Result<ExecutedBlock, Invalid> {
        self.set_access_index(self.transactions as u64 + 1);
        let (fork, transactions) = (self.fork, self.transactions);
        debug_assert_eq!(self.executor.receipts.len(), transactions);
        let failure = self.executor.evm().db().failure_handle();
        if let Some(failure) = failure.get() {
            return Err(failure.clone().into());
        }
        let finished = self.executor.finish();
        if let Some(failure) = failure.get() {
            return Err(failure.clone().into());
        }
        let (mut evm, result) = finished.map_err(execution_error)?;
        let access_list = evm.db_mut().access_list.take_built_alloy_bal();
        Ok(ExecutedBlock {
            receipts: result.receipts,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: (fork >= ProtocolFork::Prague).then_some(result.requests),
            access_list_items: access_list.as_deref().map_or(0, total_bal_items),
            block_access_list: access_list.map(|list| alloy_rlp::encode(&list).into()),
        })
    }

    fn set_access_index(&mut self, index: u64) {
        BlockState::set_bal_index(self.executor.evm_mut().db_mut(), index);
    }

    /// A read that failed is the reason, however the executor words it or passes over it.
    fn check<T>(&self, result: Result<T, BlockExecutionError>) -> Result<T, Invalid> {
        match self.executor.evm().db().failure() {
            Some(failure) => Err(failure.clone().into()),
            None => result.map_err(execution_error),
        }
    }
}

/// Whether a log of the deposit contract is a deposit event of another layout than the one that
/// EIP-6110 allows; the executor's ABI decoder would take others too.
fn is_malformed_deposit(log: &Log) -> bool {
    const OFFSETS: [usize; 5] = [160, 256, 320, 384, 512];
    const SIZES: [usize; 5] = [48, 32, 8, 96, 8];
    const LENGTH: usize = 576;
    if log.topics().first() != Some(&DepositEvent::SIGNATURE_HASH) {
        return false;
    }
    let data = &log.data.data;
    let word = |at: usize| U256::from_be_slice(&data[at..at + 32]);
    data.len() != LENGTH
        || OFFSETS.iter().enumerate().any(|(index, at)| word(32 * index) != U256::from(*at))
        || OFFSETS.iter().zip(SIZES).any(|(at, size)| word(*at) != U256::from(size))
}

fn execution_error(error: BlockExecutionError) -> Invalid {
    Invalid::Execution(match error {
        BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) => {
            error.to_string()
        }
        other => other.to_string(),
    })
}
