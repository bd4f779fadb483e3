// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";

/// @title The escrow, which both directions of messages share
/// @notice The ETH lies with this contract: that of messages on their way to the L2, and that of all
/// accounts of the L2.
abstract contract Escrow is IL1MessageQueue {
    /// @inheritdoc IL1MessageQueue
    address public immutable ROLLUP;

    constructor(address rollup) {
        ROLLUP = rollup;
    }
}
