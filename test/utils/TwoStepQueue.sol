// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {Guardians} from "./Guardians.sol";

/// @title Queue of a rollup that checks blocks before they are final
/// @notice Checks a relay when a block is proposed, and keeps its checkpoint when the block is
/// final.
contract TwoStepQueue is L1MessageQueue {
    constructor(address rollup, uint64 checkpoints)
        L1MessageQueue(rollup, address(0), 0, 0, 0, checkpoints, Guardians.none())
    {}

    function pendingSince(uint64 relayed, Checkpoint calldata before, Checkpoint calldata next)
        external
        view
        returns (uint64)
    {
        return _pendingSince(_openState(), relayed, before, next);
    }

    function pendingSinceIfIdle(uint64 relayed) external view returns (uint64 since, uint64 id) {
        return _pendingSinceIfIdle(_openState(), relayed);
    }

    function keepFrom(uint64 id) external {
        if (msg.sender != ROLLUP) revert NotRollup(msg.sender);
        _keepFrom(_openState(), id);
    }
}
