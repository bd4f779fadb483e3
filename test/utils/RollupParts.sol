// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {Guardians} from "./Guardians.sol";
import {SystemContracts} from "./SystemContracts.sol";

/// @title Rollup with its queues, and the rules with which all tests deploy it
/// @dev Common base of `RealRollup`, whose L1 has EXECUTE and whose L2 is real, and of
/// `RollupFixture`, which has neither.
abstract contract RollupParts is Test, SystemContracts {
    uint64 internal constant CHAIN_ID = 80_790;
    uint64 internal constant MAX_LAG = 1 hours;
    uint64 internal constant OPEN_AFTER = 2 hours;
    // Distinct values, so that tests cannot confuse them.
    uint64 internal immutable RELAY_DEADLINE = _relayDeadline();
    uint64 internal immutable FORCED_DELAY = _forcedDelay();
    uint64 internal constant FORCED_GRACE = 2 hours;
    uint64 internal constant FORCED_EXPIRY = 2 days;
    /// @dev Minimum gas limit of a forced transaction without data.
    uint64 internal constant FORCED_GAS = 42_000;
    uint64 internal constant UPGRADE_DELAY = 7 days;
    uint64 internal constant L1_SLOT_MILLIS = 6000;

    L1MessageQueue internal queue;
    ForcedInbox internal inbox;
    NativeRollup internal rollup;

    function _relayDeadline() internal virtual returns (uint64) {
        return 20 hours;
    }

    function _forcedDelay() internal virtual returns (uint64) {
        return 1 days;
    }

    /// @dev Starts L1 with some past blocks.
    function startL1() internal {
        vm.roll(20_000);
        vm.warp(1_700_000_000);
        installHistory();
    }

    function forcedConfig(address rollup_) internal virtual returns (ForcedInbox.Config memory) {
        return ForcedInbox.Config({
            rollup: rollup_,
            chainId: CHAIN_ID,
            delay: FORCED_DELAY,
            grace: FORCED_GRACE,
            expiry: FORCED_EXPIRY,
            maxGas: 44_000,
            maxBoundedGas: 1_000_000,
            feePercent: 100,
            boundedTarget: address(0)
        });
    }

    /// @dev Returns the number of checkpoints that the message queue stores.
    function checkpoints() internal view virtual returns (uint64) {
        return 16_382;
    }

    /// @dev Returns the guardian of the message queue.
    function guardian() internal view virtual returns (IL1MessageQueue.Guardian memory) {
        return Guardians.none();
    }

    /// @dev Returns the rules of a rollup with the current queues.
    function configOf(uint16 schema) internal view returns (IRollup.Config memory) {
        return IRollup.Config({
            chainId: CHAIN_ID,
            schema: schema,
            forkMode: IRollup.ForkMode.Follow,
            maxLag: MAX_LAG,
            openAfter: OPEN_AFTER,
            relayDeadline: RELAY_DEADLINE,
            upgradeDelay: UPGRADE_DELAY,
            l1SlotMillis: L1_SLOT_MILLIS,
            messageQueue: address(queue),
            forced: address(inbox),
            policy: address(0),
            owner: address(0)
        });
    }

    /// @dev Deploys the queues of the contract that is deployed next.
    function makeQueues(uint64 maxGas, uint64 maxData) internal {
        uint256 nonce = vm.getNonce(address(this));
        address next = vm.computeCreateAddress(address(this), nonce + 2);
        // The contract after the rollup may close it.
        address exit_ = vm.computeCreateAddress(address(this), nonce + 3);
        queue = new L1MessageQueue(next, exit_, maxGas, maxData, 0, checkpoints(), guardian());
        inbox = new ForcedInbox(forcedConfig(next));
    }

    function one(bytes memory input) internal pure returns (bytes[] memory inputs) {
        inputs = new bytes[](1);
        inputs[0] = input;
    }

    /// @dev Waits until an announced change is ready, with nothing pending.
    function untilReady(IRollup.Change change, uint256 value) internal {
        skip(UPGRADE_DELAY - 1 days);
        rollup.clear(change, value);
        skip(1 days);
    }

    /// @dev Returns evidence without content.
    function none() internal pure returns (IRollup.Evidence memory evidence) {}
}
