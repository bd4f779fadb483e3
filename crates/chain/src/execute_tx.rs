//! Execution of transactions of type `0x05`.
//!
//! The executor supports only Ethereum's transactions. A transaction of type `0x05` is executed as
//! an EIP-1559 transaction with the same nonce, fees, gas, target, value and calldata, on an EVM
//! that is prepared for it: its intrinsic gas includes the witness, and the precompile reads the
//! witness while the frame runs. If the transaction buys an allowance of EXECUTE gas, the sender
//! pays for it before execution.

use crate::store::{ExecuteDraw, Transaction};
use crate::{
    ChainConfig, ChainError, ExecuteTxPrecompile, State,
    allowance::{Buyer, Purchase},
};
use alloy_consensus::{Header, Signed, TxEip1559};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_evm::{Evm as _, eth::EthEvmContext};
use alloy_primitives::{Address, Sealed};
use codec::{ExecuteTx, SignedExecuteTx};
use executor::{
    BlockError, BlockEvm, BlockExecution, BlockState, Environment, ExecutionOutcome, Invalid,
    StateSource, spec_id,
};
use revm::{
    Inspector,
    context::{TxEnv, result::ResultAndState},
    context_interface::{
        JournalTr as _,
        cfg::{GasId, GasParams, gas::get_tokens_in_calldata},
    },
};
use std::sync::Arc;
use wire::ProtocolFork;

/// Returns the minimum gas limit of a transaction in any state: intrinsic gas and calldata floor
/// ([`executor::intrinsic_gas`]). Those of type `0x05` pay for their witness as for calldata.
pub fn intrinsic_gas(transaction: &Transaction, fork: ProtocolFork) -> u64 {
    match fixed_gas(transaction, fork) {
        Ok(of_ethereum) => executor::intrinsic_gas(of_ethereum, fork),
        Err((initial, floor)) => initial.max(floor),
    }
}

/// Returns the gas that a transaction is charged before its first instruction, without the calldata
/// floor ([`executor::initial_gas`]).
pub fn initial_gas(transaction: &Transaction, fork: ProtocolFork) -> u64 {
    match fixed_gas(transaction, fork) {
        Ok(of_ethereum) => executor::initial_gas(of_ethereum, fork),
        Err((initial, _)) => initial,
    }
}

/// Returns the transaction if it has one of Ethereum's types, or as the error intrinsic gas and
/// calldata floor of one of type `0x05`.
fn fixed_gas(
    transaction: &Transaction,
    fork: ProtocolFork,
) -> Result<&executor::Transaction, (u64, u64)> {
    let transaction = match transaction {
        Transaction::Ethereum(transaction) => return Ok(transaction),
        Transaction::Execute(transaction) => transaction,
    };
    let tx = &transaction.inner().tx;
    let call = call_of(transaction, tx.target(), AccessList::default());
    let witness = WitnessGas::of(&GasParams::new_spec(spec_id(fork)), &tx.witness);
    let initial = executor::initial_gas(&call, fork);
    // This is the larger of the two, which is the floor in each fork that has one, because its
    // price per token is higher.
    let floor = executor::intrinsic_gas(&call, fork);
    Err((initial.saturating_add(witness.initial), floor.saturating_add(witness.floor)))
}

/// Outcome of a transaction that was executed.
pub(crate) enum ExecuteTxOutcome {
    /// The transaction stays in the block, with the draw from its allowance if it has one.
    Kept(Option<ExecuteDraw>),
    /// The result was dropped.
    Dropped,
}

/// Runs a transaction, and commits its result if `keep` returns `true`
/// ([`BlockExecution::transact_if`]).
pub(crate) fn transact_if<'x, 's, S, I>(
    execution: &mut BlockExecution<'x, 's, S, I>,
    config: &ChainConfig,
    transaction: &Transaction,
    sender: Address,
    keep: impl FnOnce(&ResultAndState) -> bool,
) -> Result<ExecuteTxOutcome, BlockError>
where
    S: StateSource,
    I: Inspector<EthEvmContext<&'x mut BlockState<'s, S>>>,
{
    let index = execution.receipts().len();
    let (is_kept, draw) = match transaction {
        Transaction::Ethereum(transaction) => {
            (execution.transact_if(transaction, sender, keep)?, None)
        }
        Transaction::Execute(transaction) => {
            let scope = Scope::open(execution, config, transaction, sender, index)?;
            let done = execution.transact_if(&scope.call, sender, keep);
            if matches!(done, Ok(true)) {
                execution.set_receipt_type(ExecuteTx::TYPE);
            }
            let draw = scope.close(execution, matches!(done, Ok(true)))?;
            (done?, draw)
        }
    };
    Ok(if is_kept { ExecuteTxOutcome::Kept(draw) } else { ExecuteTxOutcome::Dropped })
}

/// Runs a transaction of a past block under the inspector
/// ([`BlockExecution::inspect_transaction`]).
pub(crate) fn inspect<'x, 's, S, I, T, E>(
    execution: &mut BlockExecution<'x, 's, S, I>,
    config: &ChainConfig,
    transaction: &Transaction,
    sender: Address,
    index: usize,
    observe: impl FnOnce(
        &mut BlockEvm<&'x mut BlockState<'s, S>, I>,
        &TxEnv,
        &ResultAndState,
    ) -> Result<T, E>,
) -> Result<T, E>
where
    S: StateSource,
    I: Inspector<EthEvmContext<&'x mut BlockState<'s, S>>>,
    E: From<BlockError>,
{
    match transaction {
        Transaction::Ethereum(transaction) => {
            execution.inspect_transaction(transaction, sender, observe)
        }
        Transaction::Execute(transaction) => {
            let scope = Scope::open(execution, config, transaction, sender, index)?;
            let tally = Arc::clone(execution.tally());
            let observe = |evm: &mut BlockEvm<_, I>, env: &TxEnv, done: &ResultAndState| {
                let Some(purchase) = &scope.purchase else { return observe(evm, env, done) };
                let mut done = done.clone();
                purchase.show(&mut done.state, tally.used());
                observe(evm, env, &done)
            };
            let done = execution.inspect_transaction(&scope.call, sender, observe);
            scope.close(execution, done.is_ok())?;
            done
        }
    }
}

/// Executes all transactions of a block and the parts before and after them
/// ([`executor::execute_block`]). Also returns what the transactions have drawn from allowances.
pub(crate) fn execute_block<'x, S: StateSource>(
    state: &'x mut BlockState<'_, S>,
    block: Environment<'x>,
    config: &'x ChainConfig,
    transactions: &[Transaction],
    sender: impl Fn(usize) -> Result<Address, Invalid>,
    mut after: impl FnMut(usize, u64) -> Result<(), Invalid>,
) -> Result<(ExecutionOutcome, Vec<ExecuteDraw>), BlockError> {
    let mut draws = Vec::new();
    // For an empty block the executor skips the setup of the precompiles.
    if transactions.is_empty() {
        return Ok((executor::execute_block(state, block, config, &[], sender, after)?, draws));
    }
    let mut execution = BlockExecution::begin(state, block, config)?;
    for (index, transaction) in transactions.iter().enumerate() {
        let ran = transact_if(&mut execution, config, transaction, sender(index)?, |_| true)?;
        if let ExecuteTxOutcome::Kept(Some(draw)) = ran {
            draws.push(draw);
        }
        after(index, execution.gas_used())?;
    }
    Ok((execution.finish()?, draws))
}

/// Runs a transaction as the only one of a block with this header, and drops its result. The
/// precompile of the chain caches the verdicts of the run.
///
/// # Errors
///
/// [`ChainError`] if the state cannot be read; the inner [`Invalid`] if the block cannot
/// include the transaction.
pub fn try_alone(
    state: &State,
    header: &Header,
    transaction: &Transaction,
    sender: Address,
) -> Result<Result<(), Invalid>, ChainError> {
    let (mut opened, config) = (state.open(), state.config());
    let environment = Environment { header, ommers: &[], withdrawals: &[], spec: &config.spec };
    let mut execution = BlockExecution::begin(&mut opened, environment, config)?;
    match transact_if(&mut execution, config, transaction, sender, |_| false) {
        Ok(_) => Ok(Ok(())),
        Err(BlockError::Invalid(reason)) => Ok(Err(reason)),
        Err(error) => Err(error.into()),
    }
}

/// Gas that the witness adds to a transaction.
struct WitnessGas {
    /// Addition to the intrinsic gas.
    initial: u64,
    /// Addition to the calldata floor; 0 before Prague.
    floor: u64,
}

impl WitnessGas {
    /// A witness costs as much as the same bytes of calldata. Otherwise, transactions of this type
    /// could circumvent the bound on the size of an L1 block that the calldata floor implies.
    fn of(gas: &GasParams, witness: &[u8]) -> Self {
        let tokens = get_tokens_in_calldata(witness, gas.tx_token_non_zero_byte_multiplier());
        Self {
            initial: tokens.saturating_mul(gas.tx_token_cost()),
            floor: gas.tx_floor_cost(witness) - gas.tx_floor_cost_base_gas(),
        }
    }

    /// Returns gas parameters with which the EVM charges this gas to a transaction with one address
    /// in its access list, in place of the price of the address.
    fn added_to(&self, gas: &GasParams, fork: ProtocolFork) -> GasParams {
        /// Bytes of an address, which count in the floor since Amsterdam (EIP-7981).
        const ADDRESS: u64 = 20;
        let mut added = gas.clone();
        added.override_gas([
            (GasId::tx_access_list_address_cost(), self.initial),
            (GasId::tx_floor_cost_base_gas(), gas.tx_floor_cost_base_gas() + self.floor),
        ]);
        // Since Amsterdam, the floor includes the base cost of the transaction (EIP-2780), which no
        // parameter changes. The amount is charged on the bytes of the address instead, rounded up
        // to a whole token for each of them.
        if fork >= ProtocolFork::Amsterdam {
            let of_a_token = ADDRESS * gas.tx_floor_cost_per_token();
            let tokens = self.floor.div_ceil(of_a_token.max(1));
            added.override_gas([(GasId::tx_access_list_floor_byte_multiplier(), tokens)]);
        }
        added
    }
}

/// The EVM of a block, prepared for one transaction of type `0x05`.
struct Scope<'c> {
    precompile: &'c ExecuteTxPrecompile,
    /// Gas parameters of the EVM for all other transactions.
    gas: GasParams,
    /// The transaction as the executor runs it.
    call: executor::Transaction,
    /// Allowance of the transaction, if it has one.
    purchase: Option<Purchase>,
}

impl<'c> Scope<'c> {
    /// Prepares the EVM.
    ///
    /// # Errors
    ///
    /// [`Invalid::Transaction`] if the chain does not support the type or a part of the
    /// transaction, or if the block cannot include it.
    fn open<'x, 's, S, I>(
        execution: &mut BlockExecution<'x, 's, S, I>,
        config: &'c ChainConfig,
        transaction: &Arc<Sealed<SignedExecuteTx>>,
        sender: Address,
        index: usize,
    ) -> Result<Self, BlockError>
    where
        S: StateSource,
        I: Inspector<EthEvmContext<&'x mut BlockState<'s, S>>>,
    {
        let invalid = |reason: &str| Invalid::Transaction { index, reason: reason.to_owned() };
        let tx = &transaction.inner().tx;
        let fork =
            config.spec.fork_at(execution.evm_mut().ctx_mut().block.timestamp.saturating_to());
        let fork = fork.filter(|fork| *fork >= ProtocolFork::Cancun);
        let Some((precompile, fork)) = config.execute_tx.as_ref().zip(fork) else {
            return Err(invalid("transactions of type 0x05 do not exist on this chain").into());
        };
        if let Some(reason) = precompile.refusal(tx) {
            return Err(invalid(reason).into());
        }
        let tally = Arc::clone(execution.tally());
        let evm = execution.evm_mut();
        let purchase = match precompile.market().zip(tx.allowance()) {
            Some((market, allowance)) => {
                let buyer = Buyer { tx, allowance, sender, index, used: tally.settled() };
                Some(Purchase::charge(evm.ctx_mut(), market, &buyer)?)
            }
            None => None,
        };
        precompile.install(Some(transaction), evm.precompiles_mut(), &tally);
        let cfg = &mut evm.ctx_mut().cfg;
        let gas = cfg.gas_params.clone();
        cfg.gas_params = WitnessGas::of(&gas, &tx.witness).added_to(&gas, fork);
        let target = if tx.to.is_create() { precompile.address() } else { tx.target() };
        // The sender is warm in every transaction, so listing it makes no access cheaper.
        let item = AccessListItem { address: sender, storage_keys: Vec::new() };
        let call = call_of(transaction, target, AccessList(vec![item]));
        Ok(Self { precompile, gas, call, purchase })
    }

    /// Restores the EVM for other transactions. If the transaction `stays` in the block, the rest
    /// of its allowance is refunded. Returns its draw from the allowance, if it has one.
    fn close<'x, 's, S, I>(
        self,
        execution: &mut BlockExecution<'x, 's, S, I>,
        stays: bool,
    ) -> Result<Option<ExecuteDraw>, BlockError>
    where
        S: StateSource,
        I: Inspector<EthEvmContext<&'x mut BlockState<'s, S>>>,
    {
        let tally = Arc::clone(execution.tally());
        let evm = execution.evm_mut();
        evm.ctx_mut().cfg.gas_params = self.gas;
        self.precompile.install(None, evm.precompiles_mut(), &tally);
        let Some(purchase) = self.purchase else { return Ok(None) };
        if stays {
            return Ok(Some(purchase.settle(evm.db_mut(), tally.settled())?));
        }
        // The executor may have rejected the transaction before running the EVM, which would have
        // cleared the journal.
        evm.ctx_mut().journaled_state.finalize();
        Ok(None)
    }
}

/// Returns the EIP-1559 transaction as which the executor runs one of type `0x05`. It has the hash
/// of the latter.
fn call_of(
    transaction: &Sealed<SignedExecuteTx>,
    target: Address,
    access_list: AccessList,
) -> executor::Transaction {
    let SignedExecuteTx { tx, signature } = transaction.inner();
    let call = TxEip1559 {
        chain_id: tx.chain_id,
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        max_fee_per_gas: tx.max_fee_per_gas,
        max_priority_fee_per_gas: tx.max_priority_fee_per_gas,
        to: target.into(),
        value: tx.value,
        access_list,
        input: tx.input.clone(),
    };
    Signed::new_unchecked(call, *signature, transaction.hash()).into()
}
