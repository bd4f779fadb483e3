// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRollup} from "./IRollup.sol";

/// @title Native rollup on L1 (EIP-8079)
/// @notice Rollup whose blocks EXECUTE verifies. Only `advance` moves the head.
interface INativeRollup is IRollup {
    /// @notice Emitted directly before `Advanced`, unless `advance` is called by the sender of the
    /// transaction, and the sender has no code. Without this event, `advance` is the only call of
    /// the transaction, so its calldata is that of the transaction. Nodes can therefore derive all
    /// blocks from transactions and receipts, without traces.
    /// @param data Calldata of `advance`.
    event Forwarded(bytes data);

    /// @notice Moves the head by one or more blocks. If one block is rejected, the call reverts.
    /// @dev Reverts with the errors above, and with those of `Execute`, `KeptCodes`, `L1History`,
    /// `StateProof`, `Rlp`, the queues and the policy.
    /// @param inputs Inputs of EXECUTE, in order. Each contains one block or a batch of blocks.
    /// @param evidence New anchors, and evidence for the duties of the blocks.
    function advance(bytes[] calldata inputs, Evidence calldata evidence) external;
}
