//! Contracts of the generated blocks, written by hand.

use alloy_primitives::{U256, hex};
use revm::bytecode::opcode as op;
use wire::ProtocolFork;

/// Sets slots. Its calldata is a list of pairs of slot and value.
pub(crate) const STORE: [u8; 25] =
    hex!("5f 5b 36 81 10 600a 57 00 00 5b 80 6020 01 35 81 35 55 6040 01 6001 56");

/// Sends its balance to the caller, and is removed if it was created in this transaction.
pub(crate) const DESTROY: [u8; 2] = [op::CALLER, op::SELFDESTRUCT];

/// Copies transient slot 0 to the storage slot of the block number, and then sets the transient
/// slot.
pub(crate) const TRANSIENT: [u8; 9] =
    [op::PUSH0, op::TLOAD, op::NUMBER, op::SSTORE, op::PUSH1, 1, op::PUSH0, op::TSTORE, op::STOP];

/// Calldata for [`STORE`].
pub(crate) fn pairs(pairs: impl IntoIterator<Item = (u64, u64)>) -> Vec<u8> {
    pairs
        .into_iter()
        .flat_map(|(slot, value)| [slot, value])
        .flat_map(|word| U256::from(word).to_be_bytes::<32>())
        .collect()
}

/// Init code that deploys `code`, which has at most 255 bytes.
pub(crate) fn deploy(code: &[u8]) -> Vec<u8> {
    let len = u8::try_from(code.len()).expect("a short code");
    let mut init = vec![op::PUSH1, len, op::DUP1, op::PUSH1, 9, op::PUSH0, op::CODECOPY];
    init.extend([op::PUSH0, op::RETURN]);
    init.extend(code);
    init
}

/// Stores everything that a contract can see of its block, in one slot each, and logs the number of
/// slots.
///
/// This includes the hashes of the blocks one and three before it.
pub(crate) fn witness_of_the_header(fork: ProtocolFork) -> Vec<u8> {
    let mut code = Vec::new();
    let mut slot = 0;
    let mut store = |read: &[u8]| {
        slot += 1;
        code.extend(read);
        code.extend([op::PUSH1, slot, op::SSTORE]);
    };
    store(&[op::COINBASE]);
    store(&[op::TIMESTAMP]);
    store(&[op::NUMBER]);
    store(&[op::DIFFICULTY]);
    store(&[op::GASLIMIT]);
    store(&[op::CHAINID]);
    store(&[op::BASEFEE]);
    store(&[op::BLOBBASEFEE]);
    store(&[op::PUSH1, 1, op::NUMBER, op::SUB, op::BLOCKHASH]);
    store(&[op::PUSH1, 3, op::NUMBER, op::SUB, op::BLOCKHASH]);
    if fork >= ProtocolFork::Amsterdam {
        store(&[op::SLOTNUM]);
    }
    // LOG1 of four bytes of memory, with the number of slots as topic.
    code.extend([op::PUSH1, slot, op::PUSH1, 4, op::PUSH0, op::LOG1, op::STOP]);
    code
}
