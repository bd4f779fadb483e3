//! Contracts that do one thing as often as their gas allows.

use alloy_primitives::{Address, Bytes};
use revm::bytecode::opcode as op;

/// Gas at which a loop stops, so that the transaction succeeds.
const REST: u16 = 60_000;

/// Pushes a number in as few bytes as it takes.
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

/// `first` once, then `body` until little gas is left. What `first` leaves on the stack is there in
/// each round, and each round leaves the stack as it was.
pub(crate) fn looped(first: &[u8], body: &[u8]) -> Bytes {
    looped_from(0, first, body)
}

/// Returns the program behind so many bytes of other code.
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

/// The calldata, in memory from 0 on.
pub(crate) const CALLDATA_TO_MEMORY: &[u8] =
    &[op::CALLDATASIZE, op::PUSH0, op::PUSH0, op::CALLDATACOPY];

/// Calls `callee` with the calldata, again and again, with this much gas.
pub(crate) fn calls_with_calldata(callee: Address, gas: u64) -> Bytes {
    let mut body = vec![op::PUSH0, op::PUSH0, op::CALLDATASIZE, op::PUSH0];
    body.extend(push_address(callee));
    body.extend(push(gas));
    body.extend([op::STATICCALL, op::POP]);
    looped(CALLDATA_TO_MEMORY, &body)
}

/// Returns a loop with a counter on the stack that grows by one each round and is copied to the top
/// for `body`, which takes it from there.
pub(crate) fn counting(body: &[u8]) -> Bytes {
    counting_from(0, body)
}

/// Returns the program behind so many bytes of other code.
fn counting_from(behind: usize, body: &[u8]) -> Bytes {
    let round = [&[op::PUSH1, 1, op::ADD, op::DUP1][..], body].concat();
    looped_from(behind, &[op::PUSH0], &round)
}

/// Reads slot after slot.
pub(crate) fn sload() -> Bytes {
    counting(&[op::SLOAD, op::POP])
}

/// Sets slot after slot to this number.
pub(crate) fn sstore(value: u8) -> Bytes {
    counting(&[op::PUSH1, value, op::SWAP1, op::SSTORE])
}

/// Sets slot after slot to the number of the block, or without calldata reads them.
pub(crate) fn sstore_or_sload() -> Bytes {
    let (set, read) =
        (counting_from(6, &[op::NUMBER, op::SWAP1, op::SSTORE]), &[op::SLOAD, op::POP][..]);
    let to_read = u8::try_from(6 + set.len()).unwrap_or(u8::MAX);
    // A jump over what sets.
    let head = [op::CALLDATASIZE, op::ISZERO, op::PUSH1, to_read, op::JUMPI, op::JUMPDEST];
    let read = counting_from(usize::from(to_read) + 1, read);
    [&head[..], &set, &[op::JUMPDEST], &read].concat().into()
}

/// Sets transient slot after slot.
pub(crate) fn tstore() -> Bytes {
    counting(&[op::DUP1, op::TSTORE])
}

/// Asks for the balance of one account after the other.
pub(crate) fn balance() -> Bytes {
    counting(&[op::BALANCE, op::POP])
}

/// Hashes so many bytes of memory.
pub(crate) fn keccak(bytes: u64) -> Bytes {
    looped(&[], &[push(bytes), vec![op::PUSH0, op::KECCAK256, op::POP]].concat())
}

/// Copies so much of another contract's code into memory.
pub(crate) fn extcodecopy(from: Address, bytes: u64) -> Bytes {
    let copy = [push(bytes), vec![op::PUSH0, op::PUSH0], push_address(from)].concat();
    looped(&[], &[copy, vec![op::EXTCODECOPY]].concat())
}

/// Works on two or three operands that are as large as can be.
pub(crate) fn arithmetic(code: u8, operands: usize) -> Bytes {
    // All ones, below it the largest number that is not, so that no shortcut applies.
    let first = [op::PUSH0, op::NOT, op::PUSH1, 3, op::PUSH0, op::NOT, op::SUB];
    let copies = vec![op::DUP1 + operands as u8 - 1; operands];
    let body = [&copies[..], &[code, op::POP]].concat();
    let first =
        if operands == 3 { [&[op::PUSH0, op::NOT][..], &first].concat() } else { first.into() };
    looped(&first, &body.repeat(50))
}

/// Calls one account after the other, all of which have code.
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

/// Creates contracts with CREATE or CREATE2. Their init code is this long, has a jump destination
/// in each place, as `from` has, and gives up at once, so that the next one can stand where it
/// would have stood.
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

/// Asks for the hash of each of the last ancestors.
pub(crate) fn blockhash() -> Bytes {
    // The block number less what remains of the counter by 256, less one.
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

/// Emits a log of so many bytes.
pub(crate) fn log(bytes: u64) -> Bytes {
    let topics = [op::PUSH0; 4];
    looped(&[], &[&topics[..], &push(bytes), &[op::PUSH0, op::LOG4]].concat())
}
