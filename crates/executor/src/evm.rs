//! The EVM that blocks run on.

use alloy_evm::{Database, EvmEnv, eth::EthEvm, precompiles::PrecompilesMap};
use alloy_primitives::KECCAK256_EMPTY;
use revm::{
    Context, MainContext,
    bytecode::opcode,
    context::Evm,
    context_interface::{FrameStack, Host},
    handler::instructions::EthInstructions,
    inspector::NoOpInspector,
    interpreter::{
        Instruction, InstructionContext, InstructionResult, InterpreterTypes,
        instructions::{gas_table_spec, host, utility::IntoAddress},
        interpreter_types::StackTr,
    },
    precompile::{PrecompileSpecId, Precompiles},
};

/// revm with Ethereum's rules and precompiles, over a database, under the eyes of an inspector.
pub type BlockEvm<DB, I = NoOpInspector> = EthEvm<DB, I, PrecompilesMap>;

/// Builds the EVM of a block.
///
/// By hand rather than by alloy-evm's factory, because that makes room for eight call frames at
/// once: 290 kB, more than all else that a small block takes. A deeper call adds its frame when it
/// comes.
pub fn block_evm<DB: Database>(db: DB, env: EvmEnv) -> BlockEvm<DB> {
    inspected_evm(db, env, NoOpInspector, false)
}

/// As [`block_evm`], with an inspector that watches from the start or once it is enabled.
pub fn inspected_evm<DB: Database, I>(
    db: DB,
    env: EvmEnv,
    inspector: I,
    enabled: bool,
) -> BlockEvm<DB, I> {
    let spec = env.cfg_env.spec;
    let precompiles = Precompiles::new(PrecompileSpecId::from_spec_id(spec));
    let mut instruction = EthInstructions::new_mainnet_with_spec(spec);
    let gas = gas_table_spec(spec)[usize::from(opcode::EXTCODEHASH)];
    instruction.insert_instruction(opcode::EXTCODEHASH, Instruction::new(extcodehash), gas);
    let evm = Evm {
        ctx: Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env).with_db(db),
        inspector,
        instruction,
        precompiles: PrecompilesMap::from_static(precompiles),
        frame_stack: FrameStack::new_prealloc(1),
    };
    EthEvm::new(evm, enabled)
}

/// EXTCODEHASH, which must not show how an account with storage but neither nonce nor code is
/// marked for the EVM: such an account has the hash of no code, unless it is empty.
fn extcodehash<W: InterpreterTypes, H: Host + ?Sized>(
    context: InstructionContext<'_, H, W>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    let address = interpreter.stack.top().map(|top| top.into_address());
    host::extcodehash(InstructionContext { interpreter: &mut *interpreter, host: &mut *host })?;
    let Some(address) = address else { return Ok(()) };
    let Some(hash) = interpreter.stack.top().filter(|hash| hash.is_zero()) else { return Ok(()) };
    let marked = host
        .load_account_info_skip_cold_load(address, false, false)
        .is_ok_and(|account| !account.is_empty());
    if marked {
        *hash = KECCAK256_EMPTY.into();
    }
    Ok(())
}
