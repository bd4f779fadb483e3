// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";

/// @title The escrow, which both directions of messages share
/// @notice The ETH lies with this contract: that of messages on their way to the L2, and that of
/// all accounts of the L2.
abstract contract Escrow is IL1MessageQueue {
    /// @inheritdoc IL1MessageQueue
    address public immutable ROLLUP;

    /// @dev Account that may pause the queue; zero for none.
    address internal immutable _GUARDIAN;

    constructor(address rollup, address guardianAccount) {
        ROLLUP = rollup;
        _GUARDIAN = guardianAccount;
    }

    /// @dev Reverts if a pause keeps a message to the L2 out. Not called without a guardian.
    /// @param value Wei of the message for its target.
    function _requireOpen(address to, uint256 value) internal view virtual;

    /// @dev Reverts if a pause delays a claim, and counts it otherwise. Not called without a
    /// guardian.
    /// @param amount Wei that it takes out of the escrow.
    /// @param calls `true` if it carries data, or its target has code.
    function _requireClaimable(uint256 amount, bool calls) internal virtual;
}
