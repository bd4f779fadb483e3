//! State reads that the specification makes and revm omits.
//!
//! Up to BPO2, the specification reads an account or a slot before it charges for the read, in
//! SSTORE, SELFDESTRUCT and calls (before Prague, only in calls with a value). revm checks the gas
//! first, and reads nothing if it is insufficient. A verifier that follows the specification needs
//! these reads in the witness, so an EVM that records a witness performs them before each of these
//! instructions. Since Amsterdam (EIP-7928), the specification charges first.

use alloy_evm::eth::EthEvmContext;
use alloy_primitives::{Address, U256};
use executor::{BlockState, Instructions, StateSource, noted_selfdestruct};
use revm::{
    Database,
    bytecode::{Bytecode, opcode},
    interpreter::{
        Instruction, InstructionContext, InstructionResult,
        instructions::{contract, gas_table_spec, host, utility::IntoAddress},
        interpreter::EthInterpreter,
    },
    primitives::hardfork::SpecId,
};

type State<'x, 's, S> = &'x mut BlockState<'s, S>;
type Host<'x, 's, S> = EthEvmContext<State<'x, 's, S>>;
type Frame<'f, 'x, 's, S> = InstructionContext<'f, Host<'x, 's, S>, EthInterpreter>;
type Outcome = Result<(), InstructionResult>;

/// Number of stack items of a call with a value.
const CALL_ITEMS: usize = 7;
const DELEGATE_ITEMS: usize = 6;

/// Wraps the instructions before which the specification reads the state.
pub(crate) fn watch<'x, 's, S: StateSource>(
    instructions: &mut Instructions<State<'x, 's, S>>,
    spec: SpecId,
) {
    // Since Amsterdam, the specification charges first, and makes no extra reads.
    if !spec.is_enabled_in(SpecId::BERLIN) || spec.is_enabled_in(SpecId::AMSTERDAM) {
        return;
    }
    // The minimum cost of an instruction is charged after its reads, as in the specification.
    for (code, instruction) in [
        (opcode::SELFDESTRUCT, Instruction::new(read_selfdestruct)),
        (opcode::SSTORE, Instruction::new(read_sstore)),
        (opcode::CALL, Instruction::new(read_call::<{ opcode::CALL }, S>)),
        (opcode::CALLCODE, Instruction::new(read_call::<{ opcode::CALLCODE }, S>)),
        (opcode::DELEGATECALL, Instruction::new(read_call::<{ opcode::DELEGATECALL }, S>)),
        (opcode::STATICCALL, Instruction::new(read_call::<{ opcode::STATICCALL }, S>)),
    ] {
        instructions.insert_instruction(code, instruction, 0);
    }
}

/// Charges the minimum cost of an instruction.
fn charge<S: StateSource>(frame: &mut Frame<'_, '_, '_, S>, code: u8) -> Outcome {
    let spec = frame.host.cfg.spec;
    let gas = u64::from(gas_table_spec(spec)[usize::from(code)]);
    frame.interpreter.gas.record_regular_cost(gas).then_some(()).ok_or(InstructionResult::OutOfGas)
}

fn read_selfdestruct<S: StateSource>(mut frame: Frame<'_, '_, '_, S>) -> Outcome {
    if let Ok(beneficiary) = frame.interpreter.stack.peek(0) {
        read_account_alone(frame.host, beneficiary.into_address());
    }
    charge(&mut frame, opcode::SELFDESTRUCT)?;
    noted_selfdestruct(frame)
}

fn read_sstore<S: StateSource>(frame: Frame<'_, '_, '_, S>) -> Outcome {
    let stipend = frame.host.cfg.gas_params.call_stipend();
    // The specification reads the slot only for an SSTORE with enough stack items and more than the
    // stipend (EIP-2200).
    if frame.interpreter.stack.len() >= 2
        && frame.interpreter.gas.remaining() > stipend
        && let Ok(slot) = frame.interpreter.stack.peek(0)
    {
        read_slot(frame.host, frame.interpreter.input.target_address, slot);
    }
    host::sstore(frame)
}

fn read_call<const KIND: u8, S: StateSource>(mut frame: Frame<'_, '_, '_, S>) -> Outcome {
    let items = match KIND {
        opcode::CALL | opcode::CALLCODE => CALL_ITEMS,
        _ => DELEGATE_ITEMS,
    };
    if frame.interpreter.stack.len() >= items
        && let Ok(callee) = frame.interpreter.stack.peek(1)
    {
        let callee = callee.into_address();
        if frame.host.cfg.spec.is_enabled_in(SpecId::PRAGUE) {
            // A delegated account (EIP-7702) is read together with the account that it delegates
            // to.
            let code = read_account(frame.host, callee);
            if let Some(delegate) = code.as_ref().and_then(Bytecode::eip7702_address) {
                read_account(frame.host, delegate);
            }
        } else if KIND == opcode::CALL && frame.interpreter.stack.peek(2) != Ok(U256::ZERO) {
            // The price of a value transfer depends on whether the account exists (EIP-161), but
            // not on its code.
            read_account_alone(frame.host, callee);
        }
    }
    charge(&mut frame, KIND)?;
    contract::call::<KIND, _, _>(frame)
}

const fn state<'h, 'x, 's, S: StateSource>(
    host: &'h mut Host<'x, 's, S>,
) -> &'h mut State<'x, 's, S> {
    &mut host.journaled_state.database
}

/// Reads an account and its code, and returns the code. An account in the journal has been read
/// already and may have changed since.
fn read_account<S: StateSource>(host: &mut Host<'_, '_, S>, address: Address) -> Option<Bytecode> {
    // The state stores the error of a failed read and fails the block later, so it can be dropped
    // here.
    let (hash, code) = match host.journaled_state.inner.state.get(&address) {
        Some(account) => (account.info.code_hash, account.info.code.clone()),
        None => (state(host).basic(address).ok()??.code_hash, None),
    };
    code.or_else(|| state(host).code_by_hash(hash).ok())
}

/// Reads an account without its code.
fn read_account_alone<S: StateSource>(host: &mut Host<'_, '_, S>, address: Address) {
    if !host.journaled_state.inner.state.contains_key(&address) {
        // As above, the state stores the error.
        let _ = state(host).basic(address);
    }
}

fn read_slot<S: StateSource>(host: &mut Host<'_, '_, S>, address: Address, slot: U256) {
    let account = host.journaled_state.inner.state.get(&address);
    if account.is_none_or(|account| !account.storage.contains_key(&slot)) {
        // As above, the state stores the error.
        let _ = state(host).storage(address, slot);
    }
}
