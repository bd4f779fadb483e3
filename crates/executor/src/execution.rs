//! Execution of a block over a state.

use crate::{
    BlockError, BlockState, BlockTally, ChainSpec, EvmOverrides, ExecutionOutcome, InternalError,
    Invalid, ReadError, Receipt, StateSource, SystemCode, Transaction,
    deposits::is_malformed_deposit,
    evm::{BlockEvm, evm_over_state},
    overrides::override_authorities,
    receipts::Receipts,
    system::{SystemCalls, check_called_code},
};
use alloc::{borrow::Cow, string::ToString as _, sync::Arc, vec::Vec};
use alloy_consensus::{Header, Transaction as _, transaction::Recovered};
use alloy_eips::{eip4895::Withdrawal, eip7928::total_bal_items};
use alloy_evm::{
    Evm, EvmEnv, FromRecoveredTx,
    block::{
        BalIndexedDatabase, BlockExecutionError, BlockExecutor, BlockValidationError, CommitChanges,
    },
    eth::{EthBlockExecutionCtx, EthBlockExecutor, EthEvmContext, spec::EthExecutorSpec},
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit, Inspector,
    context::{
        Cfg, TxEnv,
        result::{EVMError, ResultAndState},
    },
    inspector::NoOpInspector,
    state::EvmState,
};

/// Builds the EVM's form of a transaction. The chain's overrides decide who is the signer of its
/// authorizations.
fn transaction_env(
    transaction: &Transaction,
    sender: Address,
    overrides: &dyn EvmOverrides,
) -> TxEnv {
    let mut env = TxEnv::from_recovered_tx(transaction, sender);
    override_authorities(&mut env, transaction.authorization_list().unwrap_or_default(), overrides);
    env
}

/// Environment of a block in execution.
#[derive(Debug, Clone, Copy)]
pub struct Environment<'x> {
    /// Header; only the fields that the EVM can see are used.
    pub header: &'x Header,
    /// Headers of the ommers, which earn rewards before the merge.
    pub ommers: &'x [Header],
    /// Withdrawals (EIP-4895).
    pub withdrawals: &'x [Withdrawal],
    /// Rules of the chain.
    pub spec: &'x ChainSpec,
}

type Executor<'x, DB, I> = EthBlockExecutor<'x, BlockEvm<DB, I>, RewardRules<'x>, Receipts>;

/// Rules of a chain for the executor. Before the merge the executor pays a block reward, except for
/// a block with difficulty zero, which has no proof of work.
#[derive(Debug, Clone, Copy)]
struct RewardRules<'x> {
    spec: &'x ChainSpec,
    has_difficulty: bool,
}

impl EthereumHardforks for RewardRules<'_> {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        self.spec.ethereum_fork_activation(fork)
    }

    fn is_paris_active_at_block(&self, number: u64) -> bool {
        !self.has_difficulty || self.spec.is_paris_active_at_block(number)
    }
}

impl EthExecutorSpec for RewardRules<'_> {
    fn deposit_contract_address(&self) -> Option<Address> {
        self.spec.deposit_contract_address()
    }
}

/// A block in execution: system calls, then transactions one by one, then withdrawals, rewards and
/// requests.
///
/// A verifier passes it the transactions of a payload, a block builder the candidates of its pool,
/// and a tracer those of a past block with an inspector.
pub struct BlockExecution<'x, 's, S: StateSource, I = NoOpInspector> {
    executor: Executor<'x, &'x mut BlockState<'s, S>, I>,
    header: &'x Header,
    overrides: &'x dyn EvmOverrides,
    spec: &'x ChainSpec,
    fork: EthereumHardfork,
    transactions: usize,
    roots: Vec<B256>,
    foreign_types: Vec<(usize, u8)>,
    tally: Arc<BlockTally>,
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
    /// Starts a block on the state of its parent, and runs the system calls that precede its
    /// transactions.
    pub fn begin(
        state: &'x mut BlockState<'s, S>,
        block: Environment<'x>,
        overrides: &'x dyn EvmOverrides,
    ) -> Result<Self, BlockError> {
        Self::begin_inspected(state, block, overrides, NoOpInspector)
    }
}

impl<'x, 's, S, I> BlockExecution<'x, 's, S, I>
where
    S: StateSource,
    I: Inspector<EthEvmContext<&'x mut BlockState<'s, S>>>,
{
    /// Starts a block with an inspector, which only sees the calls of [`Self::inspect_transaction`]
    /// and those made on [`Self::evm_mut`].
    pub fn begin_inspected(
        state: &'x mut BlockState<'s, S>,
        block: Environment<'x>,
        overrides: &'x dyn EvmOverrides,
        inspector: I,
    ) -> Result<Self, BlockError> {
        Self::start(state, block, overrides, inspector, true)
    }

    /// Starts a block. If none of its code calls a precompile, neither the chain's own precompiles
    /// nor the metered ones need to be built.
    fn start(
        state: &'x mut BlockState<'s, S>,
        block: Environment<'x>,
        overrides: &'x dyn EvmOverrides,
        inspector: I,
        calls_precompiles: bool,
    ) -> Result<Self, BlockError> {
        let Environment { header, ommers, withdrawals, spec } = block;
        let fork = spec.hardfork_at(header.number, header.timestamp);
        let blob_params = spec.blob_params_at(header.timestamp);
        // Limits come first: the EVM is built from this environment and does not read it again.
        let mut env = EvmEnv::for_eth_block(header, spec, spec.chain_id(), blob_params);
        overrides.limits(&mut env.cfg_env);
        // Since the merge, only empty fee recipients and empty beneficiaries of SELFDESTRUCT are
        // removed.
        if fork >= EthereumHardfork::Paris {
            state.keep_empty_accounts_except(header.beneficiary);
        }
        // The state holds the meter, because nodes, instructions and precompiles all report to it.
        state.meter = overrides.meter();
        let mut evm = evm_over_state(state, env, inspector);
        let tally = Arc::new(BlockTally::new(header.base_fee_per_gas.unwrap_or_default()));
        if calls_precompiles {
            overrides.cryptography().precompiles(evm.precompiles_mut());
            overrides.precompiles(evm.precompiles_mut(), &tally);
        }
        let ctx = EthBlockExecutionCtx {
            parent_hash: header.parent_hash,
            parent_beacon_block_root: header.parent_beacon_block_root,
            ommers,
            withdrawals: Some(Cow::Borrowed(withdrawals)),
            extra_data: header.extra_data.clone(),
            tx_count_hint: None,
            slot_number: header.slot_number,
        };
        let rewarding = RewardRules { spec, has_difficulty: !header.difficulty.is_zero() };
        let mut execution = Self {
            executor: EthBlockExecutor::new(evm, ctx, rewarding, Receipts),
            header,
            overrides,
            spec,
            fork,
            transactions: 0,
            roots: Vec::new(),
            foreign_types: Vec::new(),
            tally,
        };
        // Index 0 of the access list is everything before the first transaction (EIP-7928).
        execution.set_access_index(0);
        overrides.begin_block(header, execution.executor.evm_mut().db_mut())?;
        // Checked immediately before the calls, on the same state.
        execution.check_system_code(SystemCalls::First)?;
        let applied = execution.executor.apply_pre_execution_changes();
        execution.check(applied)?;
        Ok(execution)
    }

    /// Runs a transaction. On error the state is unchanged: a builder continues without the
    /// transaction, and a verifier rejects the block with the error.
    pub fn transact(
        &mut self,
        transaction: &Transaction,
        sender: Address,
    ) -> Result<(), BlockError> {
        self.transact_if(transaction, sender, |_| true).map(drop)
    }

    /// Sets the EIP-2718 type of the last receipt, for a transaction that was executed as another
    /// type than the one in the block.
    pub fn set_receipt_type(&mut self, foreign: u8) {
        self.foreign_types.extend(self.transactions.checked_sub(1).map(|last| (last, foreign)));
    }

    /// Runs a transaction, and commits its result if `keep` returns `true`. Otherwise only its
    /// reads remain, which [`BlockState::forget_reads`] undoes. Returns `true` if the result was
    /// committed.
    pub fn transact_if(
        &mut self,
        transaction: &Transaction,
        sender: Address,
        keep: impl FnOnce(&ResultAndState) -> bool,
    ) -> Result<bool, BlockError> {
        let (index, fork) = (self.transactions, self.fork);
        // Transaction `n` has index `n + 1` in the access list, after the first system calls
        // (EIP-7928).
        self.set_access_index(index as u64 + 1);
        self.before_transaction(transaction, sender)?;
        let contract = self.executor.spec.deposit_contract_address();
        let fee_recipient = self.header.beneficiary;
        let tip = self.tip(transaction);
        // Both conditions are evaluated in the commit callback, which can only return a flag; this
        // variable holds the reason.
        let mut unfit = None;
        let env = transaction_env(transaction, sender, self.overrides);
        let executed = self.executor.execute_transaction_with_commit_condition(
            // The caller has recovered the sender.
            (env, Recovered::new_unchecked(transaction, sender)),
            |executed| {
                let logs = executed.result.result.logs();
                let malformed_deposit = fork >= EthereumHardfork::Prague
                    && logs
                        .iter()
                        .any(|log| Some(log.address) == contract && is_malformed_deposit(log));
                if malformed_deposit {
                    unfit = Some("emits a deposit log with an invalid layout");
                } else if !can_hold(&executed.result.state, fee_recipient, {
                    tip * U256::from(executed.result.result.tx_gas_used())
                }) {
                    unfit = Some("the fees overflow the balance of the fee recipient");
                }
                if unfit.is_some() {
                    return CommitChanges::No;
                }
                if keep(&executed.result) { CommitChanges::Yes } else { CommitChanges::No }
            },
        );
        if let Some(reason) = unfit {
            return Err(Invalid::Transaction { index, reason: reason.into() }.into());
        }
        match self.check(executed) {
            Ok(None) => Ok(false),
            Ok(Some(_)) => {
                // The counts become final only with the transaction.
                self.tally.settle();
                self.transactions += 1;
                // Receipts before Byzantium commit to the state root after each transaction
                // (EIP-658).
                if fork < EthereumHardfork::Byzantium {
                    let root = self.executor.evm_mut().db_mut().root_so_far()?;
                    self.roots.push(root);
                }
                Ok(true)
            }
            // The executor reports an invalid transaction like a failure of the block; here the
            // index of the transaction is known.
            Err(BlockError::Invalid(Invalid::Execution(reason))) => {
                Err(Invalid::Transaction { index, reason }.into())
            }
            Err(other) => Err(other),
        }
    }

    /// Runs a transaction of a past block with the inspector, and passes its result to `observe`
    /// before it is committed. No receipt is created.
    pub fn inspect_transaction<T, E: From<BlockError>>(
        &mut self,
        transaction: &Transaction,
        sender: Address,
        observe: impl FnOnce(
            &mut BlockEvm<&'x mut BlockState<'s, S>, I>,
            &TxEnv,
            &ResultAndState,
        ) -> Result<T, E>,
    ) -> Result<T, E> {
        let index = self.transactions;
        self.before_transaction(transaction, sender)?;
        let evm = self.executor.evm_mut();
        evm.set_inspector_enabled(true);
        let env = transaction_env(transaction, sender, self.overrides);
        let done =
            evm.transact_raw(env.clone()).map_err(|error| transaction_error(index, error))?;
        let observed = observe(evm, &env, &done)?;
        evm.set_inspector_enabled(false);
        evm.db_mut().commit(done.state);
        self.tally.settle();
        self.transactions += 1;
        Ok(observed)
    }

    fn before_transaction(
        &mut self,
        transaction: &Transaction,
        sender: Address,
    ) -> Result<(), BlockError> {
        let (index, overrides) = (self.transactions, self.overrides);
        self.tally.open();
        // revm would keep the memory that the largest transaction needed until the end of the
        // block.
        let ctx = self.executor.evm_mut().ctx_mut();
        ctx.local.shared_memory_buffer.borrow_mut().shrink_to(4096);
        ctx.journaled_state.inner.journal.shrink_to(64);
        let state = self.executor.evm_mut().db_mut();
        overrides.before_transaction(index, transaction, sender, state)
    }

    /// Commits the changes of a call on the EVM of this block as a transaction of the block, with
    /// the given receipt and blob gas. Used for simulations, whose transactions have no signatures.
    pub fn commit_call(&mut self, changes: EvmState, receipt: Receipt, blob_gas: u64) {
        self.set_access_index(self.transactions as u64 + 1);
        self.executor.evm_mut().db_mut().commit(changes);
        self.executor.cumulative_tx_gas_used = receipt.cumulative_gas_used;
        self.executor.blob_gas_used += blob_gas;
        self.executor.receipts.push(receipt);
        self.tally.settle();
        self.transactions += 1;
    }

    /// Returns the EVM that runs the transactions.
    pub fn evm_mut(&mut self) -> &mut BlockEvm<&'x mut BlockState<'s, S>, I> {
        self.executor.evm_mut()
    }

    /// Returns the counter of the block.
    pub const fn tally(&self) -> &Arc<BlockTally> {
        &self.tally
    }

    /// Gas that the block has used so far, as its header counts it.
    pub fn gas_used(&self) -> u64 {
        if self.fork >= EthereumHardfork::Amsterdam {
            self.executor.max_block_gas_used()
        } else {
            self.executor.cumulative_tx_gas_used
        }
    }

    /// Returns the gas that the block has left for a transaction with this gas limit, or `None` if
    /// it is enough.
    ///
    /// Since Amsterdam (EIP-8037), the gas limit applies to execution and to state separately, and
    /// a transaction must fit into both.
    pub fn shortage(&self, gas_limit: u64) -> Option<u64> {
        let executor = &self.executor;
        let cfg = executor.evm().cfg_env();
        // The regular gas of a transaction is capped (EIP-7825), but its state gas is not.
        let capped = gas_limit.min(cfg.tx_gas_limit_cap());
        let left = |used: u64| self.header.gas_limit.saturating_sub(used);
        let short = |needed: u64, left: u64| (needed > left).then_some(left);
        if cfg.enable_amsterdam_eip8037 {
            short(capped, left(executor.block_regular_gas_used))
                .or_else(|| short(gas_limit, left(executor.block_state_gas_used)))
        } else {
            short(capped, left(executor.cumulative_tx_gas_used))
        }
    }

    /// Returns the receipts of the transactions so far.
    pub fn receipts(&self) -> &[Receipt] {
        &self.executor.receipts
    }

    /// Runs the steps after the transactions: requests, withdrawals, rewards.
    pub fn finish(mut self) -> Result<ExecutionOutcome, BlockError> {
        // The last index of the access list is everything after the transactions (EIP-7928).
        self.set_access_index(self.transactions as u64 + 1);
        let (fork, transactions) = (self.fork, self.transactions);
        let (overrides, tally) = (self.overrides, Arc::clone(&self.tally));
        overrides.end_block(self.header, self.executor.evm_mut().db_mut(), &tally)?;
        debug_assert_eq!(self.executor.receipts.len(), transactions);
        self.check_system_code(SystemCalls::Last)?;
        self.check_withdrawals()?;
        let failure = self.executor.evm().db().failure_handle();
        // Checked before and after: the executor must not run on a failed state, and may itself
        // fail to read.
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
            foreign_types: self.foreign_types,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: (fork >= EthereumHardfork::Prague).then_some(result.requests),
            access_list_items: access_list.as_deref().map_or(0, total_bal_items),
            block_access_list: access_list.map(|list| alloy_rlp::encode(&list).into()),
        })
    }

    /// Checks the code of the contracts that are about to be called outside the gas limit.
    fn check_system_code(&mut self, calls: SystemCalls) -> Result<(), BlockError> {
        // Forks without a schema id make no such calls.
        let Some(fork) = self.spec.fork_at(self.header.timestamp) else { return Ok(()) };
        let state = &mut **self.executor.evm_mut().db_mut();
        let Some(allowed) = state.system_code else { return Ok(()) };
        check_called_code(state, fork, allowed, calls)
    }

    /// Checks that no withdrawal overflows the balance of its account. The executor would ignore
    /// the overflow.
    fn check_withdrawals(&mut self) -> Result<(), BlockError> {
        // Multiple withdrawals may credit the same account, so the sums are tracked here.
        let mut balances = AddressMap::default();
        for withdrawal in self.executor.ctx.withdrawals.clone().unwrap_or_default().iter() {
            let (address, amount) = (withdrawal.address, withdrawal.amount_wei());
            let balance = match balances.get(&address) {
                Some(balance) => *balance,
                None => {
                    let account = self.executor.evm_mut().db_mut().basic(address)?;
                    account.map_or(U256::ZERO, |account| account.balance)
                }
            };
            let Some(balance) = balance.checked_add(amount) else {
                let reason = format!("a withdrawal overflows the balance of {address}");
                return Err(Invalid::Execution(reason).into());
            };
            balances.insert(address, balance);
        }
        Ok(())
    }

    /// Returns the fee recipient's income per gas of a transaction, in wei.
    fn tip(&self, transaction: &Transaction) -> U256 {
        let base_fee = self.header.base_fee_per_gas.unwrap_or_default();
        U256::from(transaction.effective_tip_per_gas(base_fee).unwrap_or_default())
    }

    fn set_access_index(&mut self, index: u64) {
        BlockState::set_bal_index(self.executor.evm_mut().db_mut(), index);
    }

    /// Returns the first failed read as the error, even if the executor has reworded or ignored it.
    fn check<T>(&self, result: Result<T, BlockExecutionError>) -> Result<T, BlockError> {
        match self.executor.evm().db().failure() {
            Some(failure) => Err(failure.clone().into()),
            None => result.map_err(execution_error),
        }
    }
}

/// Executes all transactions in a block, and the steps before and after them. `after` is called
/// with the index of each executed transaction and the gas used so far, and can stop the block.
///
/// # Errors
///
/// [`BlockError`] of the first failure, or of `sender` or `after`.
pub fn execute_block<'x, S: StateSource>(
    state: &'x mut BlockState<'_, S>,
    block: Environment<'x>,
    overrides: &'x dyn EvmOverrides,
    transactions: &[Transaction],
    sender: impl Fn(usize) -> Result<Address, Invalid>,
    mut after: impl FnMut(usize, u64) -> Result<(), Invalid>,
) -> Result<ExecutionOutcome, BlockError> {
    // The system contracts call no precompiles, so an empty block with canonical system code needs
    // none.
    let calls_precompiles =
        !transactions.is_empty() || state.system_code != Some(SystemCode::Canonical);
    let mut execution =
        BlockExecution::start(state, block, overrides, NoOpInspector, calls_precompiles)?;
    for (index, transaction) in transactions.iter().enumerate() {
        execution.transact(transaction, sender(index)?)?;
        // Called after each transaction, so that a verifier can stop a block that exceeds the gas
        // in its header.
        after(index, execution.gas_used())?;
    }
    execution.finish()
}

/// Returns `true` if an account can have been paid `fees`. If the sum would exceed the maximum
/// balance, which no block may cause, revm pays nothing.
///
/// The two cases cannot be distinguished afterwards, so the last `fees` below the maximum balance
/// cannot be reached.
fn can_hold(state: &EvmState, address: Address, fees: U256) -> bool {
    state.get(&address).is_none_or(|account| account.info.balance.checked_add(fees).is_some())
}

/// Attributes a transaction error of the EVM to the block or to this node.
fn transaction_error(index: usize, error: EVMError<ReadError>) -> BlockError {
    match error {
        EVMError::Database(error) => error.into(),
        EVMError::Transaction(error) => {
            Invalid::Transaction { index, reason: error.to_string() }.into()
        }
        other => InternalError::Executor(other.to_string()).into(),
    }
}

/// Attributes an error of the executor to the block or to this node.
fn execution_error(error: BlockExecutionError) -> BlockError {
    match error {
        BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) => {
            Invalid::Execution(error.to_string()).into()
        }
        BlockExecutionError::Validation(error) => Invalid::Execution(error.to_string()).into(),
        BlockExecutionError::Internal(error) => InternalError::Executor(error.to_string()).into(),
    }
}
