//! `eth_simulateV1`: blocks that could be.
//!
//! Each simulated block is executed as a real one is, system calls included, and its header is
//! complete, so that its hash is what it would be; only its transactions are signed by nobody.

use crate::{
    Api, Methods, RpcBlock, RpcError, RpcLog,
    call::{halt, tx_type},
    codes, convert,
    error::revert_reason,
    overrides,
    transfers::Transfers,
};
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
    TxType, constants::EMPTY_ROOT_HASH, proofs,
};
use alloy_eips::{BlockId, eip4844::DATA_GAS_PER_BLOB};
use alloy_evm::Evm;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{
    Address, B256, Bytes, Log, Signature, TxKind, U256, keccak256, map::AddressSet,
};
use alloy_rpc_types_eth::{
    BlockOverrides, TransactionRequest,
    simulate::{SimBlock, SimCallResult, SimulateError, SimulatePayload, SimulatedBlock},
};
use chain::{Block, BuiltBlock, ChainError, Changes, State};
use revm::{
    Database,
    context::{
        CfgEnv, ContextTr, JournalTr, TxEnv,
        either::Either,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
    },
    context_interface::block::BlobExcessGasAndPrice,
    state::AccountInfo,
};
use revm_inspectors::transfer::TRANSFER_LOG_EMITTER;
use stateless::{
    BlockExecution, Environment, EvmChanges, ExecutedBlock, Receipt, StateError, Transaction,
    next_base_fee, next_excess_blob_gas,
};
use std::cell::RefCell;

/// Most blocks in one simulation, those in between included.
const MAX_BLOCKS: u64 = 256;
/// Seconds from one simulated block to the next.
const SLOT: u64 = 12;

/// Error codes of the specification.
mod code {
    pub(super) const NONCE_TOO_LOW: i32 = -38_010;
    pub(super) const NONCE_TOO_HIGH: i32 = -38_011;
    pub(super) const FEE_TOO_LOW: i32 = -38_012;
    pub(super) const INTRINSIC_GAS: i32 = -38_013;
    pub(super) const FUNDS: i32 = -38_014;
    pub(super) const BLOCK_GAS: i32 = -38_015;
    pub(super) const NUMBER: i32 = -38_020;
    pub(super) const TIMESTAMP: i32 = -38_021;
    pub(super) const SENDER: i32 = -38_024;
    pub(super) const INIT_CODE: i32 = -38_025;
    pub(super) const TOO_MUCH: i32 = -38_026;
    pub(super) const VM: i32 = -32_015;
}

pub(crate) fn register(methods: &mut Methods<'_>) {
    methods.add("eth_simulateV1", |api, args| {
        let payload: SimulatePayload = args.required()?;
        let block: BlockId = args.or_default()?;
        simulate(api, payload, block)
    });
}

/// A simulation in progress.
struct Simulation {
    state: State,
    /// Gas that all calls together have left.
    gas: u64,
    validation: bool,
    trace_transfers: bool,
}

fn simulate(
    api: &Api,
    payload: SimulatePayload,
    block: BlockId,
) -> Result<Vec<SimulatedBlock<RpcBlock>>, RpcError> {
    if payload.block_state_calls.is_empty() {
        return Err(RpcError::params("empty input: give at least one block"));
    }
    let base = api.state(block)?.detached();
    let blocks = complete(payload.block_state_calls, &base.block().header)?;
    let mut simulation = Simulation {
        state: base,
        gas: api.options().gas_cap,
        validation: payload.validation,
        trace_transfers: payload.trace_transfers,
    };
    blocks
        .iter()
        .map(|block| {
            let (built, calls) = simulation.block(block)?;
            Ok(SimulatedBlock {
                inner: convert::block(&built, payload.return_full_transactions),
                calls,
            })
        })
        .collect()
}

/// Numbers and times of all blocks, with those in between that nobody has asked for.
fn complete(blocks: Vec<SimBlock>, base: &Header) -> Result<Vec<SimBlock>, RpcError> {
    let too_many = || RpcError::new(code::TOO_MUCH, "too many blocks");
    if blocks.len() as u64 > MAX_BLOCKS {
        return Err(too_many());
    }
    let (mut number, mut time) = (base.number, base.timestamp);
    let mut all: Vec<SimBlock> = Vec::new();
    for mut block in blocks {
        let mut given = block.block_overrides.take().unwrap_or_default();
        let wanted = match given.number {
            None => number.checked_add(1).ok_or_else(too_many)?,
            Some(wanted) => u64::try_from(wanted).map_err(|_| too_many())?,
        };
        if wanted <= number {
            return Err(RpcError::new(
                code::NUMBER,
                format!("block numbers must be in order: {wanted} <= {number}"),
            ));
        }
        if wanted - base.number > MAX_BLOCKS {
            return Err(too_many());
        }
        for between in number + 1..wanted {
            time = time.saturating_add(SLOT);
            let overrides = BlockOverrides {
                number: Some(U256::from(between)),
                time: Some(time),
                ..Default::default()
            };
            all.push(SimBlock { block_overrides: Some(overrides), ..Default::default() });
        }
        number = wanted;
        let at = given.time.unwrap_or_else(|| time.saturating_add(SLOT));
        if at <= time {
            return Err(RpcError::new(
                code::TIMESTAMP,
                format!("block timestamps must be in order: {at} <= {time}"),
            ));
        }
        time = at;
        given.number = Some(U256::from(number));
        given.time = Some(time);
        block.block_overrides = Some(given);
        all.push(block);
    }
    Ok(all)
}

/// One call that was made.
struct Made {
    transaction: Transaction,
    sender: Address,
    result: ExecutionResult<HaltReason>,
    /// Logs with those that stand for transfers.
    logs: Vec<Log>,
}

impl Simulation {
    fn header(&self, overrides: &BlockOverrides) -> Result<Header, RpcError> {
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
            None if self.validation => next_base_fee(&parent.header).map_err(ChainError::from)?,
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
            withdrawals_root: since(EthereumHardfork::Shanghai).then_some(EMPTY_ROOT_HASH),
            excess_blob_gas,
            parent_beacon_block_root: since(EthereumHardfork::Cancun)
                .then(|| overrides.beacon_root.unwrap_or_default()),
            slot_number: since(EthereumHardfork::Amsterdam).then_some(number),
            ..Default::default()
        })
    }

    /// Executes a block, and makes its state the current one.
    fn block(
        &mut self,
        block: &SimBlock,
    ) -> Result<(std::sync::Arc<Block>, Vec<SimCallResult>), RpcError> {
        let given = block.block_overrides.clone().unwrap_or_default();
        let header = self.header(&given)?;
        let accounts = block.state_overrides.clone().unwrap_or_default();
        let parent = self.state.clone();
        let config = parent.config();
        let mut state = parent.open();
        if header.slot_number.is_some() {
            state = state.with_access_list();
        }
        overrides::apply_state(&mut state, &accounts)?;

        let moved = RefCell::new((Ok(()), AddressSet::default()));
        let limits = |cfg: &mut CfgEnv| {
            config.lift_limits(cfg);
            cfg.disable_eip3607 = true;
            cfg.disable_block_gas_limit = true;
            cfg.tx_gas_limit_cap = Some(u64::MAX);
            cfg.disable_nonce_check = !self.validation;
        };
        let precompiles = |precompiles: &mut _| {
            config.install(precompiles);
            let warm = overrides::warm_addresses(precompiles);
            let done = overrides::move_precompiles(precompiles, &accounts);
            *moved.borrow_mut() = (done, warm);
        };
        let changes = EvmChanges { limits: &limits, precompiles: &precompiles };
        let environment =
            Environment { header: &header, ommers: &[], withdrawals: &[], spec: &config.spec };
        let inspector = Transfers::new();
        let mut execution =
            BlockExecution::begin_inspected(&mut state, environment, &changes, inspector)
                .map_err(ChainError::from)?;
        let (done, warm) = moved.replace((Ok(()), AddressSet::default()));
        done?;
        execution.evm_mut().ctx_mut().journal_mut().warm_precompiles(&warm);
        if let Some(fee) = given.blob_base_fee {
            let excess_blob_gas = header.excess_blob_gas.unwrap_or_default();
            execution.evm_mut().ctx_mut().block.blob_excess_gas_and_price =
                Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: fee.saturating_to() });
        }
        execution.inspect(self.trace_transfers);

        let mut made = Vec::with_capacity(block.calls.len());
        let mut used = 0;
        for request in &block.calls {
            let sender = request.from.unwrap_or_default();
            let account = execution.evm_mut().db_mut().basic(sender).map_err(ChainError::Store)?;
            let account = account.unwrap_or_default();
            let nonce = request.nonce.unwrap_or(account.nonce);
            let gas = self.gas_for(request, used, header.gas_limit)?;
            let spec = &config.spec;
            let request = Filled { request, sender, nonce, gas, chain_id: spec.chain_id() };
            let transaction = request.transaction(header.base_fee_per_gas.is_some())?;
            let mut env = request.env(tx_type_of(&transaction));
            let free = env.gas_price == 0 && env.gas_priority_fee.unwrap_or_default() == 0;
            let unchecked = !self.validation && free;
            self.check(&env, &account, (!unchecked).then_some(header.base_fee_per_gas).flatten())
                .map_err(|reason| refused(EVMError::Transaction(reason), sender, gas))?;
            execution.evm_mut().ctx_mut().cfg.disable_base_fee = unchecked;
            // A nonce is not checked without validation, and the greatest one begins again.
            let wraps = env.nonce == u64::MAX;
            env.nonce -= u64::from(wraps);
            let mut done = execution
                .evm_mut()
                .transact_raw(env)
                .map_err(|error| refused(error, sender, gas))?;
            if wraps && let Some(account) = done.state.get_mut(&sender) {
                account.info.nonce = 0;
            }
            let logs = done.result.logs().to_vec();
            used += done.result.tx_gas_used();
            self.gas = self.gas.saturating_sub(done.result.tx_gas_used());
            let own = logs.iter().filter(|log| log.address != TRANSFER_LOG_EMITTER);
            let receipt = Receipt {
                tx_type: tx_type_of(&transaction),
                success: done.result.is_success(),
                cumulative_gas_used: used,
                logs: if self.trace_transfers { own.cloned().collect() } else { logs.clone() },
            };
            let blobs = request.request.blob_versioned_hashes.as_ref().map_or(0, Vec::len);
            execution.commit_call(done.state, receipt, blobs as u64 * DATA_GAS_PER_BLOB);
            made.push(Made { transaction, sender, result: done.result, logs });
        }
        let executed = execution.finish().map_err(ChainError::from)?;
        let mut added = Changes::default();
        let post = state.into_post_state(|node| added.put_node(node)).map_err(ChainError::Store)?;
        added.codes = post.codes;
        let (results, transactions, senders) = split(made);
        let header = close(header, &transactions, &executed, post.root);
        let mut built = Block::sealed(header, transactions, senders, Vec::new(), executed);
        built.regular = false;
        self.state = parent.advance(BuiltBlock { block: built, changes: added });
        let built = std::sync::Arc::clone(self.state.block());
        let results = describe(&built, results);
        Ok((built, results))
    }

    /// Checks a call as a transaction, in the order in which geth does. `base_fee` is given if the
    /// fee is to be checked, in wei.
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

    /// Gas limit of a call: what is asked for, or what the block has left, within the cap.
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

/// Fills in what execution has shown.
fn close(
    mut header: Header,
    transactions: &[Transaction],
    executed: &ExecutedBlock,
    state_root: B256,
) -> Header {
    let (receipts_root, logs_bloom) = executed.receipts_root_and_bloom();
    header.state_root = state_root;
    header.transactions_root = proofs::calculate_transaction_root(transactions);
    header.receipts_root = receipts_root;
    header.logs_bloom = logs_bloom;
    header.gas_used = executed.receipts.last().map_or(0, |last| last.cumulative_gas_used);
    header.blob_gas_used = header.excess_blob_gas.map(|_| executed.blob_gas_used);
    header.requests_hash = executed.requests.as_ref().map(|requests| requests.requests_hash());
    header.block_access_list_hash = executed.block_access_list.as_ref().map(keccak256);
    header
}

type Results = Vec<(ExecutionResult<HaltReason>, Vec<Log>)>;

fn split(made: Vec<Made>) -> (Results, Vec<Transaction>, Vec<Address>) {
    let (mut results, mut transactions, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    for Made { transaction, sender, result, logs } in made {
        results.push((result, logs));
        transactions.push(transaction);
        senders.push(sender);
    }
    (results, transactions, senders)
}

/// Results of the calls of a block, whose hash is known now.
fn describe(block: &Block, results: Results) -> Vec<SimCallResult> {
    let mut position = 0;
    let transactions = block.transactions.iter().enumerate();
    results
        .into_iter()
        .zip(transactions)
        .map(|((result, logs), (index, transaction))| {
            let logs = logs
                .into_iter()
                .map(|inner| {
                    position += 1;
                    RpcLog {
                        inner,
                        block_hash: Some(block.hash),
                        block_number: Some(block.header.number),
                        block_timestamp: Some(block.header.timestamp),
                        transaction_hash: Some(*transaction.hash()),
                        transaction_index: Some(index as u64),
                        log_index: Some(position - 1),
                        removed: false,
                    }
                })
                .collect();
            call_result(&result, logs)
        })
        .collect()
}

fn call_result(result: &ExecutionResult<HaltReason>, logs: Vec<RpcLog>) -> SimCallResult {
    let gas = result.gas();
    let error = match result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { output, .. } => Some(SimulateError {
            code: codes::REVERTED,
            message: match revert_reason(output) {
                Some(reason) => format!("execution reverted: {reason}"),
                None => "execution reverted".to_owned(),
            },
            data: Some(output.clone()),
        }),
        ExecutionResult::Halt { reason, .. } => {
            Some(SimulateError { code: code::VM, message: halt(reason), data: None })
        }
    };
    SimCallResult {
        return_data: match result {
            ExecutionResult::Success { output, .. } => output.data().clone(),
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => Bytes::new(),
        },
        logs: if result.is_success() { logs } else { Vec::new() },
        gas_used: gas.tx_gas_used(),
        max_used_gas: Some(gas.total_gas_spent().max(gas.floor_gas())),
        status: result.is_success(),
        error,
    }
}

/// A call of which everything is known that makes it a transaction.
struct Filled<'r> {
    request: &'r TransactionRequest,
    sender: Address,
    nonce: u64,
    gas: u64,
    chain_id: u64,
}

impl Filled<'_> {
    fn input(&self) -> Bytes {
        self.request.input.input().cloned().unwrap_or_default()
    }

    /// The transaction, signed by nobody. It has fees of EIP-1559 unless it has a gas price.
    fn transaction(&self, london: bool) -> Result<Transaction, RpcError> {
        let Self { request, nonce, gas, chain_id, .. } = *self;
        if request.gas_price.is_some()
            && (request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some())
        {
            return Err(RpcError::params(
                "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
            ));
        }
        if let Some(got) = request.chain_id.filter(|got| *got != chain_id) {
            return Err(RpcError::params(format!(
                "chainId does not match node's (have={got}, want={chain_id})"
            )));
        }
        let to = request.to.unwrap_or(TxKind::Create);
        let called = || match to {
            TxKind::Call(to) => Ok(to),
            TxKind::Create => Err(RpcError::params("this type of transaction needs a 'to'")),
        };
        let value = request.value.unwrap_or_default();
        let input = self.input();
        let access_list = request.access_list.clone().unwrap_or_default();
        let max_fee_per_gas = request.max_fee_per_gas.unwrap_or_default();
        let max_priority_fee_per_gas = request.max_priority_fee_per_gas.unwrap_or_default();
        let gas_price = request.gas_price.unwrap_or_default();
        let gas_limit = gas;
        let nobody = Signature::new(U256::ZERO, U256::ZERO, false);
        let by_price = request.gas_price.is_some() || !london;
        Ok(match tx_type(request) {
            TxType::Eip7702 => Transaction::Eip7702(Signed::new_unhashed(
                TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to: called()?,
                    value,
                    access_list,
                    authorization_list: request.authorization_list.clone().unwrap_or_default(),
                    input,
                },
                nobody,
            )),
            TxType::Eip4844 => Transaction::Eip4844(Signed::new_unhashed(
                TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to: called()?,
                    value,
                    access_list,
                    blob_versioned_hashes: request
                        .blob_versioned_hashes
                        .clone()
                        .unwrap_or_default(),
                    max_fee_per_blob_gas: request.max_fee_per_blob_gas.unwrap_or_default(),
                    input,
                },
                nobody,
            )),
            TxType::Eip2930 if by_price => Transaction::Eip2930(Signed::new_unhashed(
                TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input },
                nobody,
            )),
            _ if by_price => Transaction::Legacy(Signed::new_unhashed(
                TxLegacy { chain_id: None, nonce, gas_price, gas_limit, to, value, input },
                nobody,
            )),
            _ => Transaction::Eip1559(Signed::new_unhashed(
                TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    input,
                },
                nobody,
            )),
        })
    }

    fn env(&self, kind: TxType) -> TxEnv {
        let request = self.request;
        let priced = matches!(kind, TxType::Legacy | TxType::Eip2930);
        let authorizations = request.authorization_list.clone().unwrap_or_default();
        TxEnv {
            tx_type: kind.into(),
            caller: self.sender,
            gas_limit: self.gas,
            gas_price: request.gas_price.or(request.max_fee_per_gas).unwrap_or_default(),
            kind: request.to.unwrap_or(TxKind::Create),
            value: request.value.unwrap_or_default(),
            data: self.input(),
            nonce: self.nonce,
            chain_id: Some(self.chain_id),
            access_list: request.access_list.clone().unwrap_or_default(),
            gas_priority_fee: (!priced)
                .then(|| request.max_priority_fee_per_gas.unwrap_or_default()),
            blob_hashes: request.blob_versioned_hashes.clone().unwrap_or_default(),
            max_fee_per_blob_gas: request.max_fee_per_blob_gas.unwrap_or_default(),
            authorization_list: authorizations.into_iter().map(Either::Left).collect(),
        }
    }
}

const fn tx_type_of(transaction: &Transaction) -> TxType {
    match transaction {
        Transaction::Legacy(_) => TxType::Legacy,
        Transaction::Eip2930(_) => TxType::Eip2930,
        Transaction::Eip1559(_) => TxType::Eip1559,
        Transaction::Eip4844(_) => TxType::Eip4844,
        Transaction::Eip7702(_) => TxType::Eip7702,
    }
}

/// Why a call cannot be a transaction, with the code that the specification has for it.
fn refused(error: EVMError<StateError>, sender: Address, gas: u64) -> RpcError {
    let reason = match error {
        EVMError::Transaction(reason) => reason,
        EVMError::Database(error) => return ChainError::Store(error).into(),
        other => return RpcError::internal(other.to_string()),
    };
    let (code, what) = match &reason {
        InvalidTransaction::NonceTooLow { tx, state } => (
            code::NONCE_TOO_LOW,
            format!("nonce too low: address {sender}, tx: {tx} state: {state}"),
        ),
        InvalidTransaction::NonceTooHigh { tx, state } => (
            code::NONCE_TOO_HIGH,
            format!("nonce too high: address {sender}, tx: {tx} state: {state}"),
        ),
        InvalidTransaction::GasPriceLessThanBasefee => (
            code::FEE_TOO_LOW,
            format!("max fee per gas less than block base fee: address {sender}"),
        ),
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas: want, gas_limit }
        | InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor: want, gas_limit } => {
            (code::INTRINSIC_GAS, format!("intrinsic gas too low: have {gas_limit}, want {want}"))
        }
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => (
            code::FUNDS,
            format!(
                "insufficient funds for gas * price + value: address {sender} have {balance} want {fee}"
            ),
        ),
        InvalidTransaction::RejectCallerWithCode => {
            (code::SENDER, format!("sender not an eoa: address {sender}"))
        }
        InvalidTransaction::CreateInitCodeSizeLimit => {
            (code::INIT_CODE, "max initcode size exceeded".to_owned())
        }
        InvalidTransaction::NonceOverflowInTransaction => {
            (codes::INTERNAL, format!("nonce has max value: address {sender}"))
        }
        other => (codes::INTERNAL, other.to_string()),
    };
    RpcError::new(code, format!("err: {what} (supplied gas {gas})"))
}
