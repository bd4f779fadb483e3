// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";

/// @title A policy that opens when those who may advance fall silent
/// @notice Measured by the age of the rollup's head. A head that was just advanced may be as old as
/// the rollup's `MAX_LAG`, so a timeout below that opens the rollup to all although it moves; one
/// that is not below the rollup's `OPEN_AFTER` has no effect, since the rollup then opens first.
/// @dev Once open, an account that advances can choose timestamps so low that it stays open for up
/// to `MAX_LAG` longer. Those whom the policy prefers can advance at all times, and close it by one
/// block of the present.
abstract contract LivenessTimeout is ISequencing {
    /// @notice A timeout that has passed before it began.
    error TimeoutZero();

    /// @notice Age of the rollup's head, in seconds, from which on anyone may advance.
    uint64 public immutable TIMEOUT;

    constructor(uint64 timeout) {
        if (timeout == 0) revert TimeoutZero();
        TIMEOUT = timeout;
    }

    /// @notice From when on, in seconds, anyone may advance from a head with this timestamp.
    function opensAt(uint64 headTimestamp) public view returns (uint256) {
        return uint256(headTimestamp) + TIMEOUT;
    }

    /// @dev Returns `true` if that time has come.
    function _isOpen(uint64 headTimestamp) internal view returns (bool) {
        // forge-lint: disable-next-line(block-timestamp)
        return block.timestamp >= opensAt(headTimestamp);
    }
}
