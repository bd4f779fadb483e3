//! Re-execution of blocks under inspectors.

use crate::{BoundedInspector, Deadline, Note, Recorded, RequestLimits, RpcError, watch_again};
use alloy_evm::{Evm as _, eth::EthEvmContext};
use alloy_primitives::{Address, B256};
use chain::{Block, Replay, State};
use executor::BlockState;
use parking_lot::Mutex;
use revm::{
    Database, DatabaseRef, Inspector,
    bytecode::Bytecode,
    context::result::{HaltReason, ResultAndState},
    primitives::{StorageKey, StorageValue},
    state::AccountInfo,
};

/// Adapter that reads a database, whose methods take `&mut`, through a shared reference.
#[derive(Debug)]
pub struct Shared<'d, D>(Mutex<&'d mut D>);

impl<'d, D> Shared<'d, D> {
    /// Wraps a database.
    pub const fn new(database: &'d mut D) -> Self {
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

/// A re-executed transaction, as passed to a tracer.
pub(super) struct Traced<'t, I, D> {
    /// Index of the transaction in its block.
    pub(super) index: usize,
    /// The inspector after the transaction.
    pub(super) inspector: &'t mut I,
    /// Result of the transaction.
    pub(super) result: &'t ResultAndState<HaltReason>,
    /// State before the transaction.
    pub(super) database: &'t mut D,
}

/// Re-executes a block of the chain on `state`, the state before it. Transactions for which
/// `wanted` returns `true` run under the inspector and are passed to `seen`. Returns the results of
/// `seen` with the events of precompiles. Execution stops at the limits of the request.
pub(super) fn replay<'x, 's, I, T>(
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
        watch_again(|| replay.run_to(wanted)).0?;
        let (result, notes) = watch_again(|| {
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
