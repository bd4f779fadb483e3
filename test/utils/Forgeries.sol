// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Guardians} from "./Guardians.sol";
import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";

/// @dev A storage write that the genuine constructor does not make.
struct Forgery {
    bytes32 slot;
    bytes32 value;
}

/// @title Rollup with genuine code and forged state
contract ForgedRollup is NativeRollup {
    constructor(bytes memory genesisHeader, Config memory config, Forgery[] memory forgeries)
        NativeRollup(genesisHeader, config)
    {
        for (uint256 i = 0; i < forgeries.length; ++i) {
            (bytes32 slot, bytes32 value) = (forgeries[i].slot, forgeries[i].value);
            assembly ("memory-safe") {
                sstore(slot, value)
            }
        }
    }
}

/// @title Queue with genuine code and forged state
contract ForgedQueue is L1MessageQueue {
    constructor(
        address rollup,
        address exit_,
        uint64 maxGas,
        uint64 maxData,
        uint64 feePercent,
        uint64 checkpoints,
        Forgery[] memory forgeries
    ) L1MessageQueue(rollup, exit_, maxGas, maxData, feePercent, checkpoints, Guardians.none()) {
        for (uint256 i = 0; i < forgeries.length; ++i) {
            (bytes32 slot, bytes32 value) = (forgeries[i].slot, forgeries[i].value);
            assembly ("memory-safe") {
                sstore(slot, value)
            }
        }
    }
}
