//! Contracts of the generated blocks, by hand.

use alloy_primitives::{U256, hex};
use revm::bytecode::opcode as op;
use wire::ProtocolFork;

/// Sets slots: the calldata is pairs of a slot and its value.
pub(crate) const STORE: [u8; 25] =
    hex!("5f 5b 36 81 10 600a 57 00 00 5b 80 6020 01 35 81 35 55 6040 01 6001 56");

/// Sends its balance to the caller and, if it was created in this transaction, is gone.
pub(crate) const DESTROY: [u8; 2] = [op::CALLER, op::SELFDESTRUCT];

/// Stores, at the number of the block, what it finds in its transient storage; then leaves one
/// there.
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

/// Initialisation code that deploys `code`, at most 255 bytes.
pub(crate) fn deploy(code: &[u8]) -> Vec<u8> {
    let len = u8::try_from(code.len()).expect("a short code");
    let mut init = vec![op::PUSH1, len, op::DUP1, op::PUSH1, 9, op::PUSH0, op::CODECOPY];
    init.extend([op::PUSH0, op::RETURN]);
    init.extend(code);
    init
}

/// Stores all that a contract can see of the block it is in: a slot each, and a log of it.
///
/// Also the hashes of the blocks one and three before it.
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
    // LOG1 of four bytes of memory, with the slot count as topic.
    code.extend([op::PUSH1, slot, op::PUSH1, 4, op::PUSH0, op::LOG1, op::STOP]);
    code
}
