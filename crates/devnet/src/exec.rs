//! Execution of calls under inspectors.

use alloy_evm::Evm as _;
use alloy_primitives::{Address, Bytes, U256};
use chain::State;
use executor::{BlockTally, EvmOverrides as _, inspected_evm};
use revm::{
    Inspector,
    context::{TxEnv, result::ExecutionResult},
    context_interface::ContextTr,
    interpreter::{Interpreter, interpreter_types::Jumps},
    primitives::TxKind,
};
use rpc::UNTIMED_GAS;
use std::sync::Arc;

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
/// The call has no deadline, so its gas bounds its time.
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
        gas_limit: block.header.gas_limit.min(UNTIMED_GAS),
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
