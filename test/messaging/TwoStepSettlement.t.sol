// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {TwoStepQueue} from "../utils/TwoStepQueue.sol";

/// @dev The two parts of `settle` at two times.
contract TwoStepSettlementTest is Test {
    uint256 internal constant STATE_SLOT = 1;
    uint64 internal constant RING = 1024;

    TwoStepQueue internal queue;

    function setUp() public {
        vm.roll(1000);
        vm.warp(1_700_000_000);
        queue = new TwoStepQueue(address(this), RING);
    }

    function sendOne() internal returns (IL1MessageQueue.Checkpoint memory) {
        queue.send(address(1), address(0), 0, 0, "");
        return queue.checkpoint();
    }

    function nextL1Block() internal {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(vm.getBlockTimestamp() + 12);
    }

    /// @dev Returns the oldest checkpoint that is still needed.
    function needed() internal view returns (uint64) {
        return uint40(uint256(vm.load(address(queue), bytes32(STATE_SLOT))) >> 176);
    }

    /// @dev For all histories and all numbers of relayed messages, right and wrong ones.
    function testFuzz_both_parts_do_what_settle_does(
        uint8[8] calldata perBlock,
        uint8 relayed_,
        uint8 place,
        bool inThisBlock
    ) public {
        IL1MessageQueue.Checkpoint[] memory c = new IL1MessageQueue.Checkpoint[](9);
        for (uint256 i = 0; i < 8; ++i) {
            for (uint256 j = 0; j < perBlock[i] % 4; ++j) {
                sendOne();
            }
            c[i + 1] = queue.checkpoint();
            if (i < 7 || !inThisBlock) nextL1Block();
        }
        place = uint8(bound(place, 0, 7));
        uint64 relayed = relayed_ % 32;
        bytes memory arguments = abi.encode(relayed, c[place], c[place + 1]);
        (bool ok, bytes memory since) =
            address(queue).staticcall(bytes.concat(queue.pendingSince.selector, arguments));
        uint256 before = vm.snapshotState();
        (bool settled, bytes memory expected) =
            address(queue).call(bytes.concat(queue.settle.selector, arguments));
        uint64 kept = needed();
        vm.revertToState(before);
        assertEq(ok, settled);
        assertEq(since, expected);
        assertEq(needed(), 0, "the view has changed the queue");
        if (ok) queue.keepFrom(c[place].id);
        assertEq(needed(), kept);
        vm.revertToState(before);

        (uint64 idleSince, uint64 id) = queue.pendingSinceIfIdle(relayed);
        before = vm.snapshotState();
        assertEq(queue.settleIfIdle(relayed), idleSince);
        kept = needed();
        vm.revertToState(before);
        if (idleSince != 0) queue.keepFrom(id);
        assertEq(needed(), kept);
    }

    function testFuzz_only_rollup_keeps_checkpoints(address who) public {
        vm.assume(who != address(this));
        sendOne();
        nextL1Block();
        vm.prank(who);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.NotRollup.selector, who));
        queue.keepFrom(1);
        queue.keepFrom(1);
        assertEq(needed(), 1);
    }

    function test_kept_checkpoint_never_decreases() public {
        for (uint256 i = 0; i < 4; ++i) {
            sendOne();
            nextL1Block();
        }
        queue.keepFrom(3);
        queue.keepFrom(2);
        assertEq(needed(), 3);
    }

    /// @dev A proposal that never becomes final frees no place, one that does frees those before it.
    function test_checked_relay_frees_checkpoints_after_settlement() public {
        IL1MessageQueue.Checkpoint memory first = sendOne();
        for (uint256 i = 1; i < RING; ++i) {
            nextL1Block();
            sendOne();
        }
        nextL1Block();
        (uint64 since, uint64 id) = queue.pendingSinceIfIdle(RING);
        assertEq(since, vm.getBlockTimestamp());
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.CheckpointsExhausted.selector, 0, RING)
        );
        queue.send(address(1), address(0), 0, 0, "");
        queue.keepFrom(id);
        sendOne();
        nextL1Block();
        sendOne();
        bool known =
            queue.isCheckpoint(first.id, first.count, first.root, first.l1Block, first.timestamp);
        assertFalse(known, "overwritten");
    }
}
