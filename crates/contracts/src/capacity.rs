//! Bounds of the demands of a rollup on a block, equal to those of the contracts.

/// L2 gas of the forced transactions that a block owes at most (`Capacity.DUTY_GAS`).
pub const DUTY_GAS: u64 = 8_000_000;
/// Bytes that they make the calldata of `advance` longer at most (`Capacity.DUTY_BYTES`).
pub const DUTY_BYTES: u64 = 52_000;
/// Bytes by which a forced transaction is described there (`Capacity.ENTRY_BYTES`).
pub const ENTRY_BYTES: u64 = 800;
/// Bytes of a proof there (`Capacity.PROOF_BYTES`).
pub const PROOF_BYTES: u64 = 5_400;
/// Messages that a block owes more than are known to be relayed, if any are overdue
/// (`Capacity.RELAYS`).
pub const RELAYS: u64 = 4;
/// Messages that an anchor may cover beyond those that are known to be relayed (`Capacity.AHEAD`).
pub const AHEAD: u64 = 256;
/// Forced transactions with which a block deals at most (`ForcedQueue.MAX_DISCHARGES`).
pub const MAX_DISCHARGES: usize = 64;
/// Messages that lie between two checkpoints at most (`SendQueue.CHECKPOINT_INTERVAL`).
pub const CHECKPOINT_INTERVAL: u64 = 256;
/// Most bytes of a transaction that public pools of L1 take (`Capacity.TRANSACTION_BYTES`).
pub const TRANSACTION_BYTES: usize = 131_072;
/// Bytes of it around the calldata of `advance` (`Capacity.ENVELOPE_BYTES`).
pub const ENVELOPE_BYTES: usize = 1_072;
/// Gas of an `advance` beside calldata, memory and EXECUTE (`Capacity.CONTRACT_GAS`).
pub const CONTRACT_GAS: u64 = 1_000_000;
