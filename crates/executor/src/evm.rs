//! The EVM that executes blocks.

use crate::{BlockState, Instructions, StateSource, UnderpricedWork, state::ZERO_CODE_HASH};
use alloy_evm::{
    Database, EvmEnv,
    eth::{EthEvm, EthEvmContext},
    precompiles::PrecompilesMap,
};
use alloy_primitives::{KECCAK256_EMPTY, U256};
use revm::{
    Context, MainContext,
    bytecode::opcode,
    context::Evm,
    context_interface::{FrameStack, Host},
    inspector::NoOpInspector,
    interpreter::{
        Instruction, InstructionContext, InstructionResult, InterpreterTypes, Stack,
        instructions::{contract, control, gas_table_spec, host, system, utility::IntoAddress},
        interpreter::EthInterpreter,
        interpreter_types::{LoopControl, StackTr},
    },
    precompile::{PrecompileSpecId, Precompiles},
    primitives::hardfork::SpecId,
};

/// revm with Ethereum's rules and precompiles, over a database, with an inspector.
pub type BlockEvm<DB, I = NoOpInspector> = EthEvm<DB, I, PrecompilesMap>;

/// Builds the EVM of a block with an inspector, which may be enabled from the start or later.
///
/// This does not use alloy-evm's factory, which preallocates eight call frames: 290 kB, more than
/// everything else that a small block needs. Deeper calls add their frames when they run.
pub fn inspected_evm<DB: Database, I>(
    db: DB,
    env: EvmEnv,
    inspector: I,
    enabled: bool,
) -> BlockEvm<DB, I> {
    let instructions = instructions(env.cfg_env.spec);
    assemble(db, env, inspector, enabled, instructions)
}

/// Builds the EVM of a block over its state. The EVM reports the beneficiaries of SELFDESTRUCT to
/// the state.
pub(crate) fn evm_over_state<'x, 's, S: StateSource, I>(
    state: &'x mut BlockState<'s, S>,
    env: EvmEnv,
    inspector: I,
) -> BlockEvm<&'x mut BlockState<'s, S>, I> {
    let spec = env.cfg_env.spec;
    let mut instructions = instructions(spec);
    let mut insert = |opcode: u8, instruction| {
        let gas = gas_table_spec(spec)[usize::from(opcode)];
        instructions.insert_instruction(opcode, instruction, gas);
    };
    insert(opcode::SELFDESTRUCT, Instruction::new(noted_selfdestruct));
    insert(opcode::STOP, Instruction::new(end_of_call::<{ opcode::STOP }, S>));
    insert(opcode::RETURN, Instruction::new(end_of_call::<{ opcode::RETURN }, S>));
    insert(opcode::REVERT, Instruction::new(end_of_call::<{ opcode::REVERT }, S>));
    // Without a meter, these are revm's instructions.
    if state.meter.is_some() {
        insert(opcode::KECCAK256, Instruction::new(metered_keccak256::<S>));
        insert(opcode::CREATE, Instruction::new(metered_create::<false, S>));
        insert(opcode::CREATE2, Instruction::new(metered_create::<true, S>));
    }
    // The source and the meter wrap different instructions, so neither replaces the other's.
    S::instrument(&mut instructions, spec);
    assemble(state, env, inspector, false, instructions)
}

fn instructions<DB: Database>(spec: SpecId) -> Instructions<DB> {
    let mut instructions = Instructions::new_mainnet_with_spec(spec);
    let gas = gas_table_spec(spec)[usize::from(opcode::EXTCODEHASH)];
    instructions.insert_instruction(opcode::EXTCODEHASH, Instruction::new(extcodehash), gas);
    instructions
}

fn assemble<DB: Database, I>(
    db: DB,
    env: EvmEnv,
    inspector: I,
    enabled: bool,
    instruction: Instructions<DB>,
) -> BlockEvm<DB, I> {
    let precompiles = Precompiles::new(PrecompileSpecId::from_spec_id(env.cfg_env.spec));
    let evm = Evm {
        ctx: Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env).with_db(db),
        inspector,
        instruction,
        precompiles: PrecompilesMap::from_static(precompiles),
        // One frame instead of revm's default of eight; see `inspected_evm`.
        frame_stack: FrameStack::new_prealloc(1),
    };
    EthEvm::new(evm, enabled)
}

/// Records the beneficiary of SELFDESTRUCT in the state, and runs the instruction.
pub fn noted_selfdestruct<'x, 's, S: StateSource>(
    context: InstructionContext<'_, EthEvmContext<&'x mut BlockState<'s, S>>, EthInterpreter>,
) -> Result<(), InstructionResult> {
    if let Ok(beneficiary) = context.interpreter.stack.peek(0) {
        context.host.journaled_state.database.note_beneficiary(beneficiary.into_address());
    }
    host::selfdestruct(context)
}

/// Runs an instruction that ends a call, and frees the call's stack. revm would keep a stack of 32
/// KiB for each depth that a block has reached, which may be half of the memory of a small block. A
/// call that ends otherwise, for example out of gas, leaves its stack for the next one.
fn end_of_call<'x, 's, const OPCODE: u8, S: StateSource>(
    context: InstructionContext<'_, EthEvmContext<&'x mut BlockState<'s, S>>, EthInterpreter>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    let context = InstructionContext { interpreter: &mut *interpreter, host };
    let ended = match OPCODE {
        opcode::RETURN => control::ret(context),
        opcode::REVERT => control::revert(context),
        _ => control::stop(context),
    };
    interpreter.stack = Stack::invalid();
    ended
}

/// Runs KECCAK256 and reports it to the state's meter. Once the meter has stopped the block,
/// nothing more is hashed.
fn metered_keccak256<'x, 's, S: StateSource>(
    context: InstructionContext<'_, EthEvmContext<&'x mut BlockState<'s, S>>, EthInterpreter>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    // A failed call may return to its caller, which could continue to hash without paying.
    if host.journaled_state.database.failure().is_some() {
        return Err(InstructionResult::OutOfGas);
    }
    let length = interpreter.stack.peek(1);
    system::keccak256(InstructionContext { interpreter: &mut *interpreter, host: &mut *host })?;
    // The hashed bytes were in memory, so their length fits `usize`.
    let bytes = length.map_or(0, |length| length.saturating_to());
    let is_paid = host.journaled_state.database.spend(UnderpricedWork::Keccak { bytes });
    is_paid.then_some(()).ok_or(InstructionResult::OutOfGas)
}

/// Runs CREATE or CREATE2, and reports its init code to the state's meter once the gas is paid.
/// Once the meter has stopped the block, nothing more is created.
fn metered_create<'x, 's, const IS_CREATE2: bool, S: StateSource>(
    context: InstructionContext<'_, EthEvmContext<&'x mut BlockState<'s, S>>, EthInterpreter>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    if host.journaled_state.database.failure().is_some() {
        return Err(InstructionResult::OutOfGas);
    }
    let length = interpreter.stack.peek(2);
    let context = InstructionContext { interpreter: &mut *interpreter, host: &mut *host };
    let created = contract::create::<IS_CREATE2, _, _>(context);
    // Only init code whose gas was paid is copied and analysed. A failed instruction has done no
    // work.
    if !matches!(created, Ok(()) | Err(InstructionResult::Suspend)) {
        return created;
    }
    // The paid bytes were in memory, so their length fits `usize`.
    let bytes = length.map_or(0, |length| length.saturating_to());
    let work = UnderpricedWork::InitCode { bytes, is_hashed: IS_CREATE2 };
    if host.journaled_state.database.spend(work) {
        created
    } else {
        // The frame of the creation is discarded.
        if interpreter.bytecode.action().take().is_some() {
            interpreter.bytecode.reset_action();
        }
        Err(InstructionResult::OutOfGas)
    }
}

/// EXTCODEHASH that hides how accounts are marked for the EVM. An account with storage but without
/// nonce and code has the hash of empty code, unless it is empty; an account whose code hash is
/// zero has zero.
fn extcodehash<W: InterpreterTypes, H: Host + ?Sized>(
    context: InstructionContext<'_, H, W>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    let address = interpreter.stack.top().map(|top| top.into_address());
    host::extcodehash(InstructionContext { interpreter: &mut *interpreter, host: &mut *host })?;
    let Some(address) = address else { return Ok(()) };
    let Some(hash) = interpreter.stack.top() else { return Ok(()) };
    if *hash == U256::from_be_bytes(ZERO_CODE_HASH.0) {
        *hash = U256::ZERO;
        return Ok(());
    }
    if !hash.is_zero() {
        return Ok(());
    }
    // The instruction has just loaded the account, so this neither charges gas nor reads the state
    // again.
    let marked = host
        .load_account_info_skip_cold_load(address, false, false)
        .is_ok_and(|account| !account.is_empty());
    if marked {
        *hash = KECCAK256_EMPTY.into();
    }
    Ok(())
}
