// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Claims} from "./Claims.sol";
import {Escrow} from "./Escrow.sol";
import {Guard} from "./Guard.sol";
import {SendQueue} from "./SendQueue.sol";

/// @title Message queue between L1 and an L2, and escrow of the L2's ETH
/// @notice `SendQueue` implements messages to the L2, `Claims` messages from it. No account owns
/// this contract: its rollup is fixed at deployment and is advanced only by blocks that EXECUTE
/// accepts. The powers of the guardian, if there is one, are described in `Guard`.
/// @dev Storage: slots 0 to 1048577 belong to `SendQueue`, 1048578 to 1056768 are the storage roots
/// of `Claims`, 1056769 is its bitmap, 1056770 belongs to `Guard`.
contract L1MessageQueue is SendQueue, Claims, Guard {
    /// @param rollup Rollup, which is deployed later at a precomputed address. It rejects a queue
    /// that was deployed for another rollup.
    /// @param exit_ Contract that may close the queue and then pays the L2 accounts; zero for none.
    /// It is deployed after the rollup.
    /// @param maxGas Maximum gas limit of a message.
    /// @param maxData Maximum length of the data of a message, in bytes.
    /// @param feePercent Minimum price per unit of a message's gas, in percent of the L1 base fee.
    /// @param checkpoints Number of checkpoints that are stored, from 1024 to 2^20. The ring must
    /// outlast the time in which no account has to relay anything, see `RollupRules`.
    /// @param guardian_ Account that may pause the queue, and its bounds; all zero for none.
    constructor(
        address rollup,
        address exit_,
        uint64 maxGas,
        uint64 maxData,
        uint64 feePercent,
        uint64 checkpoints,
        Guardian memory guardian_
    )
        Escrow(rollup, exit_, guardian_.account)
        SendQueue(maxGas, maxData, feePercent, checkpoints)
        Guard(guardian_.pause, guardian_.limit)
    {}
}
