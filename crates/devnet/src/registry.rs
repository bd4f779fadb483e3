//! Fork registry of EIP-8357: verification key hash and schema of the active fork.

use alloy_primitives::{Address, B256, Bytes, address, keccak256};
use executor::ChainSpec;
use wire::{ProtocolFork, SchemaId};

/// Address of the registry.
pub const REGISTRY_ADDRESS: Address = address!("0x00005e9c1447C1A05A642ec9eB76D9C125468357");

/// Returns the verification key hash of a schema on an L1 whose EXECUTE re-executes blocks.
///
/// Such an L1 has no verification key. The hash commits to the schema, so that it differs between
/// entries and is never zero.
pub fn verification_key_hash(schema: SchemaId) -> B256 {
    keccak256([b"enshrine: verified by execution".as_slice(), &schema.to_be_bytes()].concat())
}

/// Returns the code of the registry for a chain with this fork schedule.
///
/// A call with one zero word returns the current entry: the verification key hash and the schema
/// id, one word each. Any other calldata reverts. The code selects the entry by the block's
/// timestamp, so that a fork's entry is in effect from the first transaction of its first block, as
/// if a system call had written it.
pub(crate) fn registry_code(spec: &ChainSpec) -> Bytes {
    use revm::bytecode::opcode as op;
    let mut entries: Vec<(ProtocolFork, u64)> = spec.fork_times();
    let mut code = Code::default();
    // Revert unless the calldata is a single zero word.
    code.ops(&[op::PUSH1, 32, op::CALLDATASIZE, op::XOR, op::PUSH0, op::CALLDATALOAD, op::OR]);
    let refuse = code.jump_if();
    let Some((first, _)) = (!entries.is_empty()).then(|| entries.remove(0)) else {
        code.set_destination(refuse);
        code.ops(&[op::PUSH0, op::PUSH0, op::REVERT]);
        return code.bytes.into();
    };
    let mut places = Vec::new();
    for (fork, since) in entries.into_iter().rev() {
        code.ops(&[op::PUSH8]);
        code.ops(&since.to_be_bytes());
        code.ops(&[op::TIMESTAMP, op::LT, op::ISZERO]);
        places.push((code.jump_if(), fork));
    }
    code.answer(first);
    for (place, fork) in places {
        code.set_destination(place);
        code.answer(fork);
    }
    code.set_destination(refuse);
    code.ops(&[op::PUSH0, op::PUSH0, op::REVERT]);
    code.bytes.into()
}

/// Assembler of the registry's code.
#[derive(Debug, Default)]
struct Code {
    bytes: Vec<u8>,
}

impl Code {
    fn ops(&mut self, ops: &[u8]) {
        self.bytes.extend_from_slice(ops);
    }

    /// Jumps, if the top of the stack is not zero, to what [`Self::set_destination`] sets later.
    fn jump_if(&mut self) -> usize {
        use revm::bytecode::opcode as op;
        let operand = self.bytes.len() + 1;
        self.ops(&[op::PUSH2, 0, 0, op::JUMPI]);
        operand
    }

    /// Sets the destination of a jump.
    fn set_destination(&mut self, operand: usize) {
        // A schedule has at most eight forks, with less than 100 bytes of code each.
        let here = u16::try_from(self.bytes.len()).unwrap_or(u16::MAX);
        self.bytes[operand..operand + 2].copy_from_slice(&here.to_be_bytes());
        self.ops(&[revm::bytecode::opcode::JUMPDEST]);
    }

    /// Returns the entry of a fork from the call.
    fn answer(&mut self, fork: ProtocolFork) {
        use revm::bytecode::opcode as op;
        let schema = fork.schema();
        self.ops(&[op::PUSH32]);
        self.ops(verification_key_hash(schema).as_slice());
        self.ops(&[op::PUSH0, op::MSTORE, op::PUSH2]);
        self.ops(&schema.to_be_bytes());
        self.ops(&[op::PUSH1, 32, op::MSTORE, op::PUSH1, 64, op::PUSH0, op::RETURN]);
    }
}
