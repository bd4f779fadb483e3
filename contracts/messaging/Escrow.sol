// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";

/// @title Escrow of ETH, shared by both directions of messages
/// @notice This contract holds the ETH of messages on their way to the L2, and of all accounts of
/// the L2. ETH comes with messages, or as backing of what the genesis allocates (`back`).
abstract contract Escrow is IL1MessageQueue {
    /// @inheritdoc IL1MessageQueue
    address public immutable ROLLUP;

    /// @inheritdoc IL1MessageQueue
    address public immutable EXIT_CONTRACT;

    /// @dev Account that may pause the queue; zero for none.
    address internal immutable _GUARDIAN;

    constructor(address rollup, address exit_, address guardianAccount) {
        ROLLUP = rollup;
        EXIT_CONTRACT = exit_;
        _GUARDIAN = guardianAccount;
    }

    /// @dev Accepts no messages and no proofs of relays from now on.
    function _close() internal virtual;

    /// @dev Reverts if a pause blocks a message to the L2. Not called without a guardian.
    /// @param to Target on L2.
    /// @param value ETH for the target, in wei.
    function _requireOpen(address to, uint256 value) internal view virtual;

    /// @dev Reverts if a pause delays the claim; otherwise counts it. Not called without a
    /// guardian.
    /// @param amount ETH that the claim withdraws from the escrow, in wei.
    /// @param calls `true` if the message has data, or its target has code.
    function _requireClaimable(uint256 amount, bool calls) internal virtual;
}
