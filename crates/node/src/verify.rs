//! Verification of executed blocks by the rules of EXECUTE.

use crate::NodeError;
use chain::{Block, ChainError, ChainReader, ExecutedBlock, State, verify_child};
use codec::OwnedWitness;
use execute::{Execute, Networks, Rules, TrustedContext};
use executor::WorkGas;
use std::{num::NonZeroUsize, sync::Arc, thread};
use variants::GasSchedule;
use wire::ProtocolFork;

/// Cost of the EXECUTE call that verifies a block alone, in the form in which the input is posted
/// to L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputCost {
    /// Length of the input, in bytes.
    pub bytes: usize,
    /// Gas that the call must provide.
    pub gas: u64,
    /// Price of the block's underpriced work, in gas ([`Executed::work`](execute::Executed::work)).
    pub work: WorkGas,
}

/// Verifies an executed block of any builder, from its witness alone.
pub(crate) fn verify_executed(
    chain: &ChainReader,
    new: &ExecutedBlock,
    rules: Rules,
) -> Result<(), NodeError> {
    let (block, parent) = (&new.block, new.block.header.parent_hash);
    let before = chain
        .state_before(block)?
        .ok_or(ChainError::UnknownParent { block: block.hash, parent })?;
    let schedule = GasSchedule::DEFAULT;
    verify_from_witness(&before, block, &new.witness, rules, schedule, Block::input).map(drop)
}

/// Function that encodes the EXECUTE input of a block.
pub(crate) type InputForm =
    fn(&Block, ProtocolFork, u64, &OwnedWitness) -> Result<Vec<u8>, wire::DecodeError>;

/// Verifies a block as EXECUTE would, from its witness alone, and returns the cost of the call.
/// Returns `None` before Cancun, which has no input, and for a block with transactions of type
/// `0x05`, which EXECUTE does not support; the chain verifies it from the same witness. A block
/// that is posted to L1 is verified in the form used there. Only the senders come from the pool,
/// which has recovered them from the same signatures.
pub(crate) fn verify_from_witness(
    parent: &State,
    block: &Block,
    witness: &OwnedWitness,
    rules: Rules,
    schedule: GasSchedule,
    form: InputForm,
) -> Result<Option<InputCost>, NodeError> {
    let config = parent.config();
    let number = block.header.number;
    let unverified = |reason| NodeError::Unverified { number, reason: Box::new(reason) };
    let fork = config.spec.fork_at(block.header.timestamp);
    let Some(fork) = fork.filter(|fork| *fork >= ProtocolFork::Cancun) else { return Ok(None) };
    if block.transactions.iter().any(|transaction| transaction.as_execute().is_some()) {
        verify_child(parent, block, witness).map_err(|error| unverified(error.into()))?;
        return Ok(None);
    }
    let calldata = form(block, fork, config.spec.chain_id(), witness)
        .map_err(|error| unverified(error.into()))?;
    let execute = Execute {
        gas: schedule.into(),
        rules,
        networks: Networks::Only(Arc::new(config.spec.clone())),
        threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        ..Execute::on(fork)
    };
    let context = TrustedContext { evm: config, senders: &block.senders };
    let done = execute.run_under(&calldata, u64::MAX, context, |_| {});
    let executed = done.map_err(|error| unverified(error.into()))?;
    Ok(Some(InputCost { bytes: calldata.len(), gas: executed.reserve, work: executed.work }))
}
