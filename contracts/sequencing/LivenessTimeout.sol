// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";

/// @title Policy that opens to all accounts after a period of silence
/// @notice Silence is measured by the age of the rollup's head. A head that was just advanced may
/// be as old as the rollup's `MAX_LAG`, so with a timeout below that the policy opens although the
/// rollup moves. A timeout of `OPEN_AFTER` or more has no effect, since the rollup then opens
/// first.
/// @dev Once the policy is open, an account that advances can choose timestamps so low that it
/// stays open for up to `MAX_LAG` longer. The authorized sequencers can advance at all times, and
/// close it by one block with a current timestamp.
abstract contract LivenessTimeout is ISequencing {
    /// @notice The timeout is zero.
    error TimeoutZero();

    /// @notice Age of the rollup's head, in seconds, from which any account may advance.
    uint64 public immutable TIMEOUT;

    constructor(uint64 timeout) {
        if (timeout == 0) revert TimeoutZero();
        TIMEOUT = timeout;
    }

    /// @notice Returns the timestamp from which any account may advance from a head with this
    /// timestamp, in seconds.
    function opensAt(uint64 headTimestamp) public view returns (uint256) {
        return uint256(headTimestamp) + TIMEOUT;
    }

    /// @dev Returns `true` if any account may advance now.
    function _isOpen(uint64 headTimestamp) internal view returns (bool) {
        // forge-lint: disable-next-line(block-timestamp)
        return block.timestamp >= opensAt(headTimestamp);
    }
}
