// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Claims} from "./Claims.sol";
import {Escrow} from "./Escrow.sol";
import {Guard} from "./Guard.sol";
import {SendQueue} from "./SendQueue.sol";

/// @title Messages between L1 and an L2, and the escrow of their ETH
/// @notice The way in is `SendQueue`, the way out `Claims`. No account owns this contract: its
/// rollup is fixed when it is deployed, and decides by the blocks that EXECUTE finds valid. A
/// guardian, if there is one, can do what `Guard` says.
/// @dev Storage: slots 0 to 16383 are those of `SendQueue`, 16384 to 24574 the storage roots of
/// `Claims`, 24575 its bitmap, 24576 that of `Guard`.
contract L1MessageQueue is SendQueue, Claims, Guard {
    /// @param rollup The rollup, which is deployed later at an address that is known beforehand; it
    /// refuses a queue that names another.
    /// @param maxGas The most gas that a message may ask for.
    /// @param maxData The most bytes of data that a message may carry.
    /// @param feePercent Least price of each gas of a message, in percent of the L1 base fee.
    /// @param guardian_ Account that may pause the queue; all zero for none.
    constructor(
        address rollup,
        uint64 maxGas,
        uint64 maxData,
        uint64 feePercent,
        Guardian memory guardian_
    )
        Escrow(rollup, guardian_.account)
        SendQueue(maxGas, maxData, feePercent)
        Guard(guardian_.pause, guardian_.limit)
    {}
}
