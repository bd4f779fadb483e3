//! Execution of calls and re-execution of blocks under inspectors.

use alloy_evm::{Evm, eth::EthEvmContext};
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::{Block, Replay, State};
use executor::{BlockState, BlockTally, EvmOverrides as _, inspected_evm};
use parking_lot::Mutex;
use revm::{
    Database, DatabaseRef, Inspector,
    bytecode::Bytecode,
    context::{
        TxEnv,
        result::{ExecutionResult, HaltReason, ResultAndState},
    },
    context_interface::ContextTr,
    interpreter::{Interpreter, interpreter_types::Jumps},
    primitives::{StorageKey, StorageValue, TxKind},
    state::AccountInfo,
};
use rpc::{BoundedInspector, Deadline, Note, Recorded, RequestLimits, RpcError};
use std::sync::Arc;

/// Adapter that reads a database, whose methods take `&mut`, through a shared reference.
#[derive(Debug)]
pub(crate) struct Shared<'d, D>(Mutex<&'d mut D>);

impl<'d, D> Shared<'d, D> {
    pub(crate) const fn new(database: &'d mut D) -> Self {
        Self(Mutex::new(database))
    }
}

impl<D: Database> DatabaseRef for Shared<'_, D> {
    type Error = D::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, D::Error> {
        self.0.lock().basic(address)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, D::Error> {
        self.0.lock().code_by_hash(hash)
    }

    fn storage_ref(&self, address: Address, key: StorageKey) -> Result<StorageValue, D::Error> {
        self.0.lock().storage(address, key)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, D::Error> {
        self.0.lock().block_hash(number)
    }
}

/// Inspector that records the storage slots that are read.
#[derive(Debug, Default)]
struct Reads(Vec<(Address, U256)>);

impl<CTX: ContextTr> Inspector<CTX> for Reads {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        const SLOAD: u8 = 0x54;
        if interpreter.bytecode.opcode() == SLOAD
            && let Ok(slot) = interpreter.stack.peek(0)
        {
            let place = (interpreter.input.target_address, slot);
            if !self.0.contains(&place) {
                self.0.push(place);
            }
        }
    }
}

/// Calls a function without keeping its changes. Returns its output and the slots that it reads.
pub(crate) fn view(
    state: &State,
    contract: Address,
    data: Bytes,
) -> Result<(Bytes, Vec<(Address, U256)>), String> {
    let (config, block) = (state.config(), state.block());
    let mut env = state.call_env(block);
    env.block_env.basefee = 0;
    let transaction = TxEnv {
        kind: TxKind::Call(contract),
        data,
        gas_limit: block.header.gas_limit,
        chain_id: Some(config.spec.chain_id()),
        ..Default::default()
    };
    let mut open = state.open();
    let mut evm = inspected_evm(&mut open, env, Reads::default(), true);
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    config.precompiles(evm.precompiles_mut(), &Arc::new(BlockTally::new(base_fee)));
    let executed = evm.transact(transaction).map_err(|error| error.to_string())?;
    let slots = std::mem::take(&mut evm.inspector_mut().0);
    match executed.result {
        ExecutionResult::Success { output, .. } => Ok((output.into_data(), slots)),
        other => Err(format!("the call fails: {other:?}")),
    }
}

/// A re-executed transaction, as passed to a tracer.
pub(crate) struct Traced<'t, I, D> {
    /// Index of the transaction in its block.
    pub(crate) index: usize,
    /// The inspector after the transaction.
    pub(crate) inspector: &'t mut I,
    /// Result of the transaction.
    pub(crate) result: &'t ResultAndState<HaltReason>,
    /// State before the transaction.
    pub(crate) database: &'t mut D,
}

/// Re-executes a block of the chain on `state`, the state before it. Transactions for which
/// `wanted` returns `true` run under the inspector and are passed to `seen`. Returns the results of
/// `seen` with the events of precompiles. Execution stops at the limits of the request.
pub(crate) fn replay<'x, 's, I, T>(
    (limits, recorded): (&RequestLimits, Recorded),
    parent: &'x State,
    state: &'x mut BlockState<'s, State>,
    block: &'x Block,
    inspector: I,
    wanted: impl Fn(usize) -> bool,
    mut seen: impl FnMut(Traced<'_, I, &'x mut BlockState<'s, State>>) -> Result<T, RpcError>,
) -> Result<Vec<(T, Vec<Note>)>, RpcError>
where
    I: Inspector<EthEvmContext<&'x mut BlockState<'s, State>>>,
{
    let deadline = Deadline::after(limits.trace_time);
    let inspector = BoundedInspector::new(inspector, recorded, limits.trace_bytes, deadline);
    let mut replay = Replay::new(parent, state, block, inspector)?;
    let mut results = Vec::new();
    for wanted in (0..block.transactions.len()).filter(|index| wanted(*index)) {
        rpc::watch_again(|| replay.run_to(wanted)).0?;
        let (result, notes) = rpc::watch_again(|| {
            replay.inspect(|index, evm, _, result| {
                let (database, inspector, _) = evm.components_mut();
                inspector.check()?;
                seen(Traced { index, inspector: &mut inspector.inner, result, database })
            })
        });
        results.extend(result?.map(|result| (result, notes)));
    }
    Ok(results)
}
