//! Execution of simulated blocks.

use super::{
    call::{kind_of, refused},
    code,
    payload::{SimBlock, WantedHeader},
    result::{ExecutedCall, describe, split},
};
use crate::{
    BoundedInspector, Deadline, Recorded, RpcError, UNTIMED_GAS, overrides, transfers::Transfers,
    typed::Filled,
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, proofs};
use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_evm::{Evm, precompiles::PrecompilesMap};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Log, U256, map::AddressSet};
use alloy_rpc_types_eth::state::StateOverride;
use alloy_rpc_types_eth::{TransactionRequest, simulate::SimCallResult};
use chain::store::{Changes, close_header};
use chain::{Block, ChainConfig, ChainError, ExecutedBlock, State};
use executor::{
    BlockError, BlockExecution, BlockTally, Environment, EvmOverrides, HookState, Receipt,
};
use parking_lot::Mutex;
use revm::{
    Database,
    context::{
        CfgEnv, ContextTr, JournalTr, TxEnv,
        result::{EVMError, InvalidTransaction},
    },
    context_interface::block::BlobExcessGasAndPrice,
    state::AccountInfo,
};
use revm_inspectors::transfer::{TRANSFER_EVENT_TOPIC, TRANSFER_LOG_EMITTER};
use stateless::next_excess_blob_gas;
use std::sync::Arc;

/// Chain rules of a simulation, with moved precompiles.
#[derive(Debug)]
struct SimulatedRules<'a> {
    config: &'a ChainConfig,
    accounts: &'a StateOverride,
    validation: bool,
    /// Result of moving precompiles to the overridden addresses, and the addresses that are warm
    /// because a precompile is or was there.
    moved: Mutex<(Result<(), RpcError>, AddressSet)>,
}

impl EvmOverrides for SimulatedRules<'_> {
    fn limits(&self, cfg: &mut CfgEnv) {
        self.config.limits(cfg);
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        cfg.disable_nonce_check = !self.validation;
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        self.config.precompiles(precompiles, tally);
        let warm = overrides::warm_addresses(precompiles);
        let done = overrides::move_precompiles(precompiles, self.accounts);
        *self.moved.lock() = (done, warm);
    }

    fn end_block(
        &self,
        header: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        self.config.end_block(header, state, tally)
    }
}

/// Execution of a simulated block.
type Execution<'x, 's> = BlockExecution<'x, 's, State, BoundedInspector<Transfers>>;

/// State of a simulation in progress.
pub(super) struct Simulation {
    pub(super) state: State,
    /// Gas left for all remaining calls of the simulation.
    pub(super) gas: u64,
    /// Deadline for the whole simulation.
    pub(super) deadline: Deadline,
    pub(super) validation: bool,
    pub(super) trace_transfers: bool,
}

impl Simulation {
    fn header(&self, wanted: &WantedHeader) -> Result<Header, RpcError> {
        let overrides = &wanted.block;
        let parent = self.state.block();
        let spec = &self.state.config().spec;
        let number = overrides.number.unwrap_or_default().saturating_to();
        let timestamp = overrides.time.unwrap_or_default();
        let fork = spec.hardfork_at(number, timestamp);
        let since = |first: EthereumHardfork| fork >= first;
        let difficulty = if since(EthereumHardfork::Paris) {
            U256::ZERO
        } else {
            overrides.difficulty.unwrap_or(parent.header.difficulty)
        };
        let base_fee = match overrides.base_fee {
            Some(fee) => fee.saturating_to(),
            None if self.validation => self.state.next_base_fee()?,
            None => 0,
        };
        let excess_blob_gas = spec
            .fork_at(timestamp)
            .zip(spec.blob_params_at(timestamp))
            .map(|(fork, params)| match parent.header.excess_blob_gas {
                Some(_) => next_excess_blob_gas(&parent.header, fork, &params),
                None => Ok(0),
            })
            .transpose()
            .map_err(ChainError::from)?;
        Ok(Header {
            parent_hash: parent.hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: overrides.coinbase.unwrap_or(parent.header.beneficiary),
            difficulty,
            number,
            timestamp,
            gas_limit: overrides.gas_limit.unwrap_or(parent.header.gas_limit),
            mix_hash: overrides.random.unwrap_or_default(),
            base_fee_per_gas: since(EthereumHardfork::London).then_some(base_fee),
            withdrawals_root: since(EthereumHardfork::Shanghai)
                .then(|| proofs::calculate_withdrawals_root(&wanted.withdrawals)),
            excess_blob_gas,
            parent_beacon_block_root: since(EthereumHardfork::Cancun)
                .then(|| overrides.beacon_root.unwrap_or_default()),
            slot_number: since(EthereumHardfork::Amsterdam).then_some(number),
            ..Default::default()
        })
    }

    /// Executes a block and makes its state the current one.
    pub(super) fn block(
        &mut self,
        block: &SimBlock,
    ) -> Result<(Arc<Block>, Vec<SimCallResult>), RpcError> {
        let SimBlock { block_overrides: wanted, state_overrides: accounts, calls } = block;
        let header = self.header(wanted)?;
        let parent = self.state.clone();
        let config = parent.config();
        let mut state = parent.open();
        if header.slot_number.is_some() {
            state = state.with_access_list();
        }
        overrides::apply_state(&mut state, accounts)?;

        let rules = SimulatedRules {
            config,
            accounts,
            validation: self.validation,
            moved: Mutex::new((Ok(()), AddressSet::default())),
        };
        let withdrawals =
            if header.withdrawals_root.is_some() { &wanted.withdrawals[..] } else { &[] };
        let environment =
            Environment { header: &header, ommers: &[], withdrawals, spec: &config.spec };
        let inspector = Transfers::new(self.trace_transfers);
        let inspector =
            BoundedInspector::new(inspector, Recorded::default(), u64::MAX, self.deadline);
        let mut execution =
            BlockExecution::begin_inspected(&mut state, environment, &rules, inspector)
                .map_err(ChainError::from)?;
        let (done, warm) =
            std::mem::replace(&mut *rules.moved.lock(), (Ok(()), AddressSet::default()));
        done?;
        execution.evm_mut().ctx_mut().journal_mut().warm_precompiles(&warm);
        if let Some(fee) = wanted.block.blob_base_fee {
            let excess_blob_gas = header.excess_blob_gas.unwrap_or_default();
            execution.evm_mut().ctx_mut().block.blob_excess_gas_and_price =
                Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: fee.saturating_to() });
        }

        let mut made = Vec::with_capacity(calls.len());
        let mut used = 0;
        self.deadline.check()?;
        for request in calls {
            self.deadline.check()?;
            let call = self.call(&mut execution, &header, request, used)?;
            used += call.result.tx_gas_used();
            made.push(call);
        }
        let executed = execution.finish().map_err(ChainError::from)?;
        let mut added = Changes::default();
        let post = state.into_post_state(|node| added.put_node(node)).map_err(ChainError::from)?;
        added.codes = post.codes;
        let (results, transactions, senders) = split(made);
        let mut header = close_header(&executed, header, &transactions, post.root);
        // Calls leave only receipts, not the gas that each used on Amsterdam's two meters.
        header.gas_used = executed.receipts.last().map_or(0, |last| last.cumulative_gas_used);
        let mut built =
            Block::sealed(header, transactions, senders, withdrawals.to_vec(), executed);
        built.provable = false;
        self.state = parent.advance(ExecutedBlock::new(built, added, &parent.config().spec))?;
        let built = Arc::clone(self.state.block());
        let results = describe(&built, results);
        Ok((built, results))
    }

    /// Executes a call of a block whose earlier calls have used this gas.
    fn call(
        &mut self,
        execution: &mut Execution<'_, '_>,
        header: &Header,
        request: &TransactionRequest,
        used: u64,
    ) -> Result<ExecutedCall, RpcError> {
        let sender = request.from.unwrap_or_default();
        let account = execution.evm_mut().db_mut().basic(sender).map_err(ChainError::from)?;
        let account = account.unwrap_or_default();
        let nonce = request.nonce.unwrap_or(account.nonce);
        let gas = self.gas_for(request, used, header.gas_limit)?;
        let chain_id = self.state.config().spec.chain_id();
        let kind = kind_of(request, chain_id, header.base_fee_per_gas.is_some())?;
        let gas_price = request.gas_price.or(request.max_fee_per_gas).unwrap_or_default();
        let filled = Filled { request, kind, sender, nonce, gas, gas_price, chain_id };
        let transaction = filled.transaction()?;
        let mut env = filled.env();
        let free = env.gas_price == 0 && env.gas_priority_fee.unwrap_or_default() == 0;
        let unchecked = !self.validation && free;
        self.check(&env, &account, (!unchecked).then_some(header.base_fee_per_gas).flatten())
            .map_err(|reason| refused(EVMError::Transaction(reason), sender, gas))?;
        execution.evm_mut().ctx_mut().cfg.disable_base_fee = unchecked;
        // Without validation the nonce is not checked, and the maximum nonce wraps to 0.
        let wraps = env.nonce == u64::MAX;
        env.nonce -= u64::from(wraps);
        let evm = execution.evm_mut();
        evm.set_inspector_enabled(self.trace_transfers || gas > UNTIMED_GAS);
        let done = evm.transact_raw(env);
        evm.inspector_mut().check()?;
        let mut done = done.map_err(|error| refused(error, sender, gas))?;
        if wraps && let Some(account) = done.state.get_mut(&sender) {
            account.info.nonce = 0;
        }
        let logs = done.result.logs().to_vec();
        let gas_used = done.result.tx_gas_used();
        self.gas = self.gas.saturating_sub(gas_used);
        // A contract at the emitter's address may log arbitrary data.
        let is_own = |log: &&Log| {
            log.address != TRANSFER_LOG_EMITTER
                || log.topics().first() != Some(&TRANSFER_EVENT_TOPIC)
        };
        let own = logs.iter().filter(is_own);
        let receipt = Receipt {
            tx_type: transaction.tx_type(),
            success: done.result.is_success(),
            cumulative_gas_used: used + gas_used,
            logs: if self.trace_transfers { own.cloned().collect() } else { logs.clone() },
        };
        let blobs = request.blob_versioned_hashes.as_ref().map_or(0, Vec::len);
        execution.commit_call(done.state, receipt, blobs as u64 * DATA_GAS_PER_BLOB);
        Ok(ExecutedCall { transaction, sender, result: done.result, logs })
    }

    /// Validates a call as a transaction, in geth's order of checks. `base_fee`, in wei per gas, is
    /// `Some` if the fee must be checked.
    fn check(
        &self,
        env: &TxEnv,
        account: &AccountInfo,
        base_fee: Option<u64>,
    ) -> Result<(), InvalidTransaction> {
        let (tx, state) = (env.nonce, account.nonce);
        if self.validation && tx < state {
            return Err(InvalidTransaction::NonceTooLow { tx, state });
        }
        if self.validation && tx > state {
            return Err(InvalidTransaction::NonceTooHigh { tx, state });
        }
        if self.validation && tx == u64::MAX {
            return Err(InvalidTransaction::NonceOverflowInTransaction);
        }
        if base_fee.is_some() && env.gas_priority_fee.is_some_and(|tip| tip > env.gas_price) {
            return Err(InvalidTransaction::PriorityFeeGreaterThanMaxFee);
        }
        if base_fee.is_some_and(|base_fee| env.gas_price < u128::from(base_fee)) {
            return Err(InvalidTransaction::GasPriceLessThanBasefee);
        }
        let gas = U256::from(env.gas_price) * U256::from(env.gas_limit);
        let blobs = U256::from(env.blob_hashes.len()) * U256::from(DATA_GAS_PER_BLOB);
        let blobs = blobs * U256::from(env.max_fee_per_blob_gas);
        let fee = gas.saturating_add(blobs).saturating_add(env.value);
        if fee > account.balance {
            let balance = Box::new(account.balance);
            return Err(InvalidTransaction::LackOfFundForMaxFee { fee: Box::new(fee), balance });
        }
        Ok(())
    }

    /// Gas limit of a call: the requested gas or the gas left in the block, within the cap.
    fn gas_for(
        &self,
        request: &TransactionRequest,
        used: u64,
        limit: u64,
    ) -> Result<u64, RpcError> {
        let gas = request.gas.unwrap_or_else(|| limit.saturating_sub(used));
        if used.saturating_add(gas) > limit {
            return Err(RpcError::new(
                code::BLOCK_GAS,
                format!("block gas limit reached: {used} + {gas} >= {limit}"),
            ));
        }
        Ok(gas.min(self.gas))
    }
}
