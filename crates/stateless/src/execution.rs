//! Execution of a block over a state.

use crate::{
    BlockState, ChainSpec, Invalid, StateSource, Transaction,
    evm::{BlockEvm, inspected_evm},
};
use alloy_consensus::{
    Eip658Value, EthereumReceipt, Header, ReceiptWithBloom, TxReceipt, TxType,
    proofs::calculate_receipt_root, transaction::Recovered,
};
use alloy_eips::{
    eip2718::Encodable2718, eip4895::Withdrawal, eip7685::Requests, eip7928::total_bal_items,
};
use alloy_evm::{
    Evm, EvmEnv,
    block::{
        BalIndexedDatabase, BlockExecutionError, BlockExecutor, BlockValidationError, CommitChanges,
    },
    eth::{
        EthBlockExecutionCtx, EthBlockExecutor, EthEvmContext,
        dao_fork::{DAO_HARDFORK_ACCOUNTS, DAO_HARDFORK_BENEFICIARY},
        eip6110::DepositEvent,
        receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
        spec::EthExecutorSpec,
    },
    precompiles::PrecompilesMap,
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, U256};
use alloy_sol_types::SolEvent;
use alloy_trie::root::ordered_trie_root_with_encoder;
use revm::{
    DatabaseCommit, Inspector,
    context::{CfgEnv, result::ResultAndState},
    database::DatabaseCommitExt,
    inspector::NoOpInspector,
    state::EvmState,
};
use std::borrow::Cow;

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
pub struct ExecutionOutcome {
    /// One receipt per transaction.
    pub receipts: Vec<Receipt>,
    /// The state root after each transaction, which receipts hold before Byzantium; empty since.
    pub roots: Vec<B256>,
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

impl ExecutionOutcome {
    /// The receipts with their bloom filters.
    fn with_blooms(&self) -> Vec<ReceiptWithBloom<&Receipt>> {
        self.receipts
            .iter()
            .map(|receipt| ReceiptWithBloom { logs_bloom: receipt.bloom(), receipt })
            .collect()
    }

    /// Root of the receipts trie and bloom filter of all logs.
    pub fn receipts_root_and_bloom(&self) -> (B256, Bloom) {
        let receipts = self.with_blooms();
        let bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.logs_bloom);
        let root = if self.roots.is_empty() {
            calculate_receipt_root(&receipts)
        } else {
            let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
            ordered_trie_root_with_encoder(&self.raw_receipts(), put)
        };
        (root, bloom)
    }

    /// The receipts as the receipts trie holds them: EIP-2718 encodings.
    pub fn raw_receipts(&self) -> Vec<Bytes> {
        let receipts = self.with_blooms().into_iter();
        if self.roots.is_empty() {
            return receipts.map(|receipt| receipt.encoded_2718().into()).collect();
        }
        let rooted = |(receipt, root): (ReceiptWithBloom<&Receipt>, &B256)| {
            let with_root = alloy_consensus::Receipt {
                status: Eip658Value::PostState(*root),
                cumulative_gas_used: receipt.receipt.cumulative_gas_used,
                logs: receipt.receipt.logs.clone(),
            };
            alloy_rlp::encode(with_root.with_bloom()).into()
        };
        receipts.zip(&self.roots).map(rooted).collect()
    }
}

/// The block that is to be executed.
#[derive(Debug, Clone, Copy)]
pub struct Environment<'x> {
    /// Its header, of which only what the EVM can see matters.
    pub header: &'x Header,
    /// Headers of its ommers, which are paid for before the merge.
    pub ommers: &'x [Header],
    /// Its withdrawals.
    pub withdrawals: &'x [Withdrawal],
    /// The rules of its chain.
    pub spec: &'x ChainSpec,
}

/// What a chain changes about the EVM of its fork.
#[derive(Clone, Copy)]
pub struct EvmOverrides<'o> {
    /// Changes the limits and checks of the EVM.
    pub limits: &'o dyn Fn(&mut CfgEnv),
    /// Adds to the precompiles of the fork.
    pub precompiles: &'o dyn Fn(&mut PrecompilesMap),
}

impl Default for EvmOverrides<'_> {
    fn default() -> Self {
        Self { limits: &|_| {}, precompiles: &|_| {} }
    }
}

impl core::fmt::Debug for EvmOverrides<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EvmOverrides").finish_non_exhaustive()
    }
}

type Executor<'x, DB, I> = EthBlockExecutor<'x, BlockEvm<DB, I>, &'x ChainSpec, Receipts>;

/// A block in execution: system calls, then transactions one by one, then withdrawals, rewards and
/// requests.
///
/// The verifier feeds it the transactions of a payload, a block builder those that it finds, a tracer
/// those of a block that is long done, under an inspector.
pub struct BlockExecution<'x, 's, S: StateSource, I = NoOpInspector> {
    executor: Executor<'x, &'x mut BlockState<'s, S>, I>,
    fork: EthereumHardfork,
    transactions: usize,
    roots: Vec<B256>,
}

impl<S: StateSource, I> core::fmt::Debug for BlockExecution<'_, '_, S, I> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BlockExecution")
            .field("fork", &self.fork)
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}

impl<'x, 's, S: StateSource> BlockExecution<'x, 's, S> {
    /// Starts a block on the state of its parent and runs what stands before the transactions.
    pub fn begin(
        state: &'x mut BlockState<'s, S>,
        block: Environment<'x>,
        changes: &EvmOverrides<'_>,
    ) -> Result<Self, Invalid> {
        Self::begin_inspected(state, block, changes, NoOpInspector)
    }
}

impl<'x, 's, S, I> BlockExecution<'x, 's, S, I>
where
    S: StateSource,
    I: Inspector<EthEvmContext<&'x mut BlockState<'s, S>>>,
{
    /// As [`Self::begin`], with an inspector, which sees nothing before it is enabled
    /// ([`Self::inspect`]).
    pub fn begin_inspected(
        state: &'x mut BlockState<'s, S>,
        block: Environment<'x>,
        changes: &EvmOverrides<'_>,
        inspector: I,
    ) -> Result<Self, Invalid> {
        let Environment { header, ommers, withdrawals, spec } = block;
        let fork = spec.hardfork_at(header.number, header.timestamp);
        let blob_params = spec.blob_params_at(header.timestamp);
        let mut env = EvmEnv::for_eth_block(header, spec, spec.chain_id(), blob_params);
        (changes.limits)(&mut env.cfg_env);
        if spec.ethereum_fork_activation(EthereumHardfork::Dao).transitions_at_block(header.number)
        {
            move_dao_funds(state)?;
        }
        let mut evm = inspected_evm(state, env, inspector, false);
        (changes.precompiles)(evm.precompiles_mut());
        let ctx = EthBlockExecutionCtx {
            parent_hash: header.parent_hash,
            parent_beacon_block_root: header.parent_beacon_block_root,
            ommers,
            withdrawals: Some(Cow::Borrowed(withdrawals)),
            extra_data: header.extra_data.clone(),
            tx_count_hint: None,
            slot_number: header.slot_number,
        };
        let mut execution = Self {
            executor: EthBlockExecutor::new(evm, ctx, spec, Receipts),
            fork,
            transactions: 0,
            roots: Vec::new(),
        };
        execution.set_access_index(0);
        let applied = execution.executor.apply_pre_execution_changes();
        execution.check(applied)?;
        Ok(execution)
    }

    /// Runs a transaction. An error leaves the state as it was, so that a builder can go on without
    /// it; a verifier takes it as its verdict.
    pub fn transact(&mut self, transaction: &Transaction, sender: Address) -> Result<(), Invalid> {
        self.transact_observed(transaction, sender, |_| {})
    }

    /// As [`Self::transact`]; `observe` is shown the result before it is committed.
    pub fn transact_observed(
        &mut self,
        transaction: &Transaction,
        sender: Address,
        observe: impl FnOnce(&ResultAndState),
    ) -> Result<(), Invalid> {
        let (index, fork) = (self.transactions, self.fork);
        self.set_access_index(index as u64 + 1);
        let contract = self.executor.spec.deposit_contract_address();
        let mut malformed_deposit = false;
        let executed = self.executor.execute_transaction_with_commit_condition(
            Recovered::new_unchecked(transaction, sender),
            |executed| {
                let logs = executed.result.result.logs();
                malformed_deposit = fork >= EthereumHardfork::Prague
                    && logs
                        .iter()
                        .any(|log| Some(log.address) == contract && is_malformed_deposit(log));
                if malformed_deposit {
                    return CommitChanges::No;
                }
                observe(&executed.result);
                CommitChanges::Yes
            },
        );
        if malformed_deposit {
            let reason = "makes the deposit contract emit a log of another layout".to_owned();
            return Err(Invalid::Transaction { index, reason });
        }
        match self.check(executed) {
            Ok(_) => {
                self.transactions += 1;
                if fork < EthereumHardfork::Byzantium {
                    let root = self.executor.evm_mut().db_mut().root_so_far()?;
                    self.roots.push(root);
                }
                Ok(())
            }
            Err(Invalid::Execution(reason)) => Err(Invalid::Transaction { index, reason }),
            Err(other) => Err(other),
        }
    }

    /// Takes what a call on the EVM of this block has changed as a transaction of the block: state,
    /// receipt and gas, which its caller has found. For simulations, whose transactions nobody has
    /// signed.
    pub fn commit_call(&mut self, changes: EvmState, receipt: Receipt, blob_gas: u64) {
        self.set_access_index(self.transactions as u64 + 1);
        self.executor.evm_mut().db_mut().commit(changes);
        self.executor.cumulative_tx_gas_used = receipt.cumulative_gas_used;
        self.executor.blob_gas_used += blob_gas;
        self.executor.receipts.push(receipt);
        self.transactions += 1;
    }

    /// Lets the inspector watch the transactions from here on, or no more.
    pub fn inspect(&mut self, enabled: bool) {
        self.executor.evm_mut().set_inspector_enabled(enabled);
    }

    /// The inspector.
    pub fn inspector_mut(&mut self) -> &mut I {
        self.executor.evm_mut().inspector_mut()
    }

    /// The EVM that the transactions run on.
    pub fn evm_mut(&mut self) -> &mut BlockEvm<&'x mut BlockState<'s, S>, I> {
        self.executor.evm_mut()
    }

    /// Gas that the block has used so far, as its header counts it.
    pub fn gas_used(&self) -> u64 {
        if self.fork >= EthereumHardfork::Amsterdam {
            self.executor.max_block_gas_used()
        } else {
            self.executor.cumulative_tx_gas_used
        }
    }

    /// Receipts of the transactions so far.
    pub fn receipts(&self) -> &[Receipt] {
        &self.executor.receipts
    }

    /// Runs what stands behind the transactions: requests, withdrawals, rewards.
    pub fn finish(mut self) -> Result<ExecutionOutcome, Invalid> {
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
        Ok(ExecutionOutcome {
            receipts: result.receipts,
            roots: self.roots,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: (fork >= EthereumHardfork::Prague).then_some(result.requests),
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

/// Moves the funds that the DAO fork moves, before any transaction of the block sees them.
///
/// The executor would move them behind the transactions; it then finds nothing left.
fn move_dao_funds<S: StateSource>(state: &mut BlockState<'_, S>) -> Result<(), Invalid> {
    let drained = state.drain_balances(DAO_HARDFORK_ACCOUNTS)?.into_iter().sum();
    Ok(state.increment_balances([(DAO_HARDFORK_BENEFICIARY, drained)])?)
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
