// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Attack: filling the smallest ring of checkpoints
/// @notice An account sends a message in each L1 block, from the last proof on, to a queue with the
/// fewest places that its rollup accepts for its delays. The attack succeeds if `send` reverts
/// while no block is required to relay anything, because then nobody could end that.
contract ShortRingTest is RealRollup {
    using L2 for L2.Chain;

    uint64 internal constant PLACES = 1024;
    /// @dev Seconds from one L1 block to the next.
    uint64 internal constant SLOT = 24;

    function checkpoints() internal pure override returns (uint64) {
        return PLACES;
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.l1SlotMillis = 1000 * SLOT;
        // The longest for which the ring lasts.
        c.relayDeadline = PLACES * SLOT - MAX_LAG - OPEN_AFTER;
    }

    function nextL1Block() internal override {
        skip(SLOT);
    }

    function test_one_message_per_l1_block_never_closes_queue() public {
        assertEq(queue.CHECKPOINTS(), PLACES);
        // The rollup has proven that nothing is pending.
        uint256 start = vm.getBlockTimestamp();
        for (uint256 i = 0; i < 5; ++i) {
            send(bob, 1, 0, "");
            nextL1Block();
        }
        rollup.advance(one(l2.seal()), relayProof(0));
        while (vm.getBlockTimestamp() < start + rollup.RELAY_DEADLINE() + MAX_LAG + OPEN_AFTER) {
            queue.send(bob, bob, 0, 0, "");
            nextL1Block();
        }
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.CheckpointsExhausted.selector, 0, PLACES)
        );
        queue.send(bob, bob, 0, 0, "");
        // From now on any account may add a block, and none is accepted that does not relay.
        IL2.Head memory parent = l2.head;
        bytes memory idle = l2.seal();
        expectRefused(idle, none(), abi.encodeWithSelector(IRollup.RelayProofMissing.selector, 0));
        l2.head = parent;
        advanceRelaying(4);
        queue.send(bob, bob, 0, 0, "");
    }

    /// @dev One place less, and the rollup could not be deployed.
    function test_ring_that_is_too_short_is_rejected() public {
        IRollup.Config memory c = config();
        makeQueues(1_000_000, 16_384);
        (c.messageQueue, c.forced) = (address(queue), address(inbox));
        c.relayDeadline += 1;
        bytes memory header = GenesisHeaders.encode(l2.head);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRollup.DelaysInconsistent.selector, PLACES * SLOT, PLACES * SLOT + 1
            )
        );
        new NativeRollup(header, c);
        makeQueues(1_000_000, 16_384);
        (c.messageQueue, c.forced) = (address(queue), address(inbox));
        c.relayDeadline -= 1;
        new NativeRollup(header, c);
    }
}
