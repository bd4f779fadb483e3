//! Contracts that repeat one operation as often as their gas allows.

use alloy_primitives::{Address, Bytes};
use revm::bytecode::opcode as op;

/// Gas at which a loop stops, so that the transaction succeeds.
const REST: u16 = 60_000;

/// Pushes a number with the shortest instruction.
pub(crate) fn push(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let bytes = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(7)..];
    let length = u8::try_from(bytes.len()).unwrap_or(8);
    [&[op::PUSH0 + length][..], bytes].concat()
}

/// Pushes an address.
fn push_address(address: Address) -> Vec<u8> {
    [&[op::PUSH20][..], address.as_slice()].concat()
}

/// Runs `first` once, then repeats `body` until little gas is left. `body` sees the stack after
/// `first` in each iteration, and must leave the stack unchanged.
pub(crate) fn looped(first: &[u8], body: &[u8]) -> Bytes {
    looped_from(0, first, body)
}

/// Like the function without `_from`, for code that starts at offset `behind`.
fn looped_from(behind: usize, first: &[u8], body: &[u8]) -> Bytes {
    let start = (behind + first.len()) as u64;
    let mut code = first.to_vec();
    code.push(op::JUMPDEST);
    code.extend_from_slice(body);
    code.extend(push(REST.into()));
    code.extend([op::GAS, op::GT]);
    code.extend([op::PUSH2, (start >> 8) as u8, start as u8, op::JUMPI, op::STOP]);
    code.into()
}

/// Copies the calldata to memory at offset 0.
pub(crate) const CALLDATA_TO_MEMORY: &[u8] =
    &[op::CALLDATASIZE, op::PUSH0, op::PUSH0, op::CALLDATACOPY];

/// Repeatedly calls `callee` with the calldata and this much gas.
pub(crate) fn calls_with_calldata(callee: Address, gas: u64) -> Bytes {
    let mut body = vec![op::PUSH0, op::PUSH0, op::CALLDATASIZE, op::PUSH0];
    body.extend(push_address(callee));
    body.extend(push(gas));
    body.extend([op::STATICCALL, op::POP]);
    looped(CALLDATA_TO_MEMORY, &body)
}

/// Returns a loop that increments a counter on the stack and pushes a copy of it, which `body` must
/// pop.
pub(crate) fn counting(body: &[u8]) -> Bytes {
    counting_from(0, body)
}

/// Like the function without `_from`, for code that starts at offset `behind`.
fn counting_from(behind: usize, body: &[u8]) -> Bytes {
    let round = [&[op::PUSH1, 1, op::ADD, op::DUP1][..], body].concat();
    looped_from(behind, &[op::PUSH0], &round)
}

/// Reads consecutive slots.
pub(crate) fn sload() -> Bytes {
    counting(&[op::SLOAD, op::POP])
}

/// Sets consecutive slots to this number.
pub(crate) fn sstore(value: u8) -> Bytes {
    counting(&[op::PUSH1, value, op::SWAP1, op::SSTORE])
}

/// Sets consecutive slots to the block number, or, without calldata, reads them.
pub(crate) fn sstore_or_sload() -> Bytes {
    let (set, read) =
        (counting_from(6, &[op::NUMBER, op::SWAP1, op::SSTORE]), &[op::SLOAD, op::POP][..]);
    let to_read = u8::try_from(6 + set.len()).unwrap_or(u8::MAX);
    // Without calldata, jumps over the part that sets slots.
    let head = [op::CALLDATASIZE, op::ISZERO, op::PUSH1, to_read, op::JUMPI, op::JUMPDEST];
    let read = counting_from(usize::from(to_read) + 1, read);
    [&head[..], &set, &[op::JUMPDEST], &read].concat().into()
}

/// Sets consecutive transient slots.
pub(crate) fn tstore() -> Bytes {
    counting(&[op::DUP1, op::TSTORE])
}

/// Reads the balances of consecutive addresses.
pub(crate) fn balance() -> Bytes {
    counting(&[op::BALANCE, op::POP])
}

/// Hashes this many bytes of memory.
pub(crate) fn keccak(bytes: u64) -> Bytes {
    looped(&[], &[push(bytes), vec![op::PUSH0, op::KECCAK256, op::POP]].concat())
}

/// Copies this many bytes of another contract's code into memory.
pub(crate) fn extcodecopy(from: Address, bytes: u64) -> Bytes {
    let copy = [push(bytes), vec![op::PUSH0, op::PUSH0], push_address(from)].concat();
    looped(&[], &[copy, vec![op::EXTCODECOPY]].concat())
}

/// Repeats an instruction on two or three operands that are as large as possible.
pub(crate) fn arithmetic(code: u8, operands: usize) -> Bytes {
    // The maximum value and a slightly smaller one, so that no shortcut applies.
    let first = [op::PUSH0, op::NOT, op::PUSH1, 3, op::PUSH0, op::NOT, op::SUB];
    let copies = vec![op::DUP1 + operands as u8 - 1; operands];
    let body = [&copies[..], &[code, op::POP]].concat();
    let first =
        if operands == 3 { [&[op::PUSH0, op::NOT][..], &first].concat() } else { first.into() };
    looped(&first, &body.repeat(50))
}

/// Calls these accounts one after the other.
pub(crate) fn call_each(callees: &[Address]) -> Bytes {
    let mut code = Vec::new();
    for callee in callees {
        code.extend([op::PUSH0; 5]);
        code.extend(push_address(*callee));
        code.extend([op::GAS, op::CALL, op::POP]);
    }
    code.push(op::STOP);
    code.into()
}

/// Creates contracts with CREATE or CREATE2. Their init code has this length, consists of jump
/// destinations like the code of `from`, and reverts immediately, so that the same address can be
/// used again.
pub(crate) fn create(instruction: u8, length: u64, from: Address) -> Bytes {
    let mut first = Vec::new();
    for start in (0..length).step_by(1 << 16) {
        first.extend(push((length - start).min(1 << 16)));
        first.push(op::PUSH0);
        first.extend(push(start));
        first.extend(push_address(from));
        first.push(op::EXTCODECOPY);
    }
    // PUSH0 PUSH0 REVERT
    let mut word = [op::JUMPDEST; 32];
    word[..3].copy_from_slice(&[op::PUSH0, op::PUSH0, op::REVERT]);
    first.extend([&[op::PUSH32][..], &word, &[op::PUSH0, op::MSTORE]].concat());
    let salt = if instruction == op::CREATE2 { vec![op::PUSH0] } else { Vec::new() };
    let body = [salt, push(length), vec![op::PUSH0, op::PUSH0, instruction, op::POP]].concat();
    looped(&first, &body)
}

/// Reads the hashes of the recent ancestors.
pub(crate) fn blockhash() -> Bytes {
    // The block number minus the counter modulo 256, minus one.
    counting(&[
        op::PUSH1,
        0xff,
        op::AND,
        op::PUSH1,
        1,
        op::ADD,
        op::NUMBER,
        op::SUB,
        op::BLOCKHASH,
        op::POP,
    ])
}

/// Emits logs with four topics and this many bytes.
pub(crate) fn log(bytes: u64) -> Bytes {
    let topics = [op::PUSH0; 4];
    looped(&[], &[&topics[..], &push(bytes), &[op::PUSH0, op::LOG4]].concat())
}
