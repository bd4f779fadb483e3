//! Limits of a block's duties, equal to those of the contracts.

/// Maximum L2 gas of the forced transactions that a block must include (`Capacity.DUTY_GAS`).
pub const DUTY_GAS: u64 = 4_000_000;
/// Maximum bytes that duties add to an `advance` transaction (`Capacity.DUTY_BYTES`).
pub const DUTY_BYTES: u64 = 52_000;
/// Bytes of calldata that describe a forced transaction (`Capacity.ENTRY_BYTES`).
pub const ENTRY_BYTES: u64 = 800;
/// Bytes of calldata for a trie proof (`Capacity.PROOF_BYTES`).
pub const PROOF_BYTES: u64 = 5_400;
/// Maximum number of messages, beyond those proven to be relayed, that a block must relay if any
/// are overdue (`Capacity.RELAYS`).
pub const RELAYS: u64 = 4;
/// Maximum number of messages that an anchor may cover beyond those proven to be relayed
/// (`Capacity.AHEAD`).
pub const AHEAD: u64 = 256;
/// Maximum number of forced transactions that a block discharges (`ForcedQueue.MAX_DISCHARGES`).
pub const MAX_DISCHARGES: usize = 64;
/// Minimum gas limit of a forced transaction without data (`ForcedInbox.MINIMUM_GAS`).
pub const FORCED_GAS: u64 = 42_000;
/// Additional gas per byte of data (`ForcedInbox.MINIMUM_GAS_PER_BYTE`).
pub const FORCED_GAS_PER_BYTE: u64 = 256;
/// Maximum number of messages between two checkpoints (`SendQueue.CHECKPOINT_INTERVAL`).
pub const CHECKPOINT_INTERVAL: u64 = 256;
/// Maximum size of a transaction in public pools of L1, in bytes (`Capacity.TRANSACTION_BYTES`).
pub const TRANSACTION_BYTES: usize = 131_072;
/// Bytes of an L1 transaction besides the calldata of `advance` (`Capacity.ENVELOPE_BYTES`).
pub const ENVELOPE_BYTES: usize = 1_072;
/// Gas of an `advance` call besides calldata, memory and EXECUTE (`Capacity.CONTRACT_GAS`).
pub const CONTRACT_GAS: u64 = 1_000_000;

/// Returns the minimum gas limit with which the inbox accepts a forced transaction with this many
/// bytes of data (`ForcedInbox.minimumGas`). It remains sufficient if L1 raises the price of
/// transactions while this one waits.
pub const fn minimum_forced_gas(data: usize) -> u64 {
    FORCED_GAS.saturating_add(FORCED_GAS_PER_BYTE.saturating_mul(data as u64))
}
