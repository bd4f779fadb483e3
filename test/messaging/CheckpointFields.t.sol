// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {QueueTest} from "./L1MessageQueue.t.sol";

/// @dev The numbers of a checkpoint are packed into one word. If one of them could overflow into
/// the next, a checkpoint would have a second representation with an earlier block or time: an
/// anchor that names an L1 block could then cover messages that were sent after it, and a message
/// would be due earlier or later than it is.
contract CheckpointFieldsTest is QueueTest {
    /// @dev Asserts that no representation other than `c` is accepted in which the low bits of a
    /// number have moved to the high bits of the number below it in the word.
    function assertNoOtherName(IL1MessageQueue.Checkpoint memory c) private view {
        assertTrue(isKnown(c));
        for (uint256 width = 32; width < 64; ++width) {
            IL1MessageQueue.Checkpoint memory other = copy(c);
            (other.count, other.id) = moved(c.count, c.id, width);
            assertNotKnown(other, c);
            other = copy(c);
            (other.id, other.l1Block) = moved(c.id, c.l1Block, width);
            assertNotKnown(other, c);
            other = copy(c);
            (other.l1Block, other.timestamp) = moved(c.l1Block, c.timestamp, width);
            assertNotKnown(other, c);
        }
    }

    function moved(uint64 below, uint64 above, uint256 width)
        private
        pure
        returns (uint64, uint64)
    {
        // forge-lint: disable-next-line(incorrect-shift)
        uint64 fits = uint64((1 << (64 - width)) - 1);
        // forge-lint: disable-next-line(unsafe-typecast)
        return (below | (above & fits) << uint64(width), above & ~fits);
    }

    function copy(IL1MessageQueue.Checkpoint memory c)
        private
        pure
        returns (IL1MessageQueue.Checkpoint memory)
    {
        return IL1MessageQueue.Checkpoint(c.id, c.count, c.l1Block, c.timestamp, c.root);
    }

    function assertNotKnown(
        IL1MessageQueue.Checkpoint memory other,
        IL1MessageQueue.Checkpoint memory c
    ) private view {
        // Nothing has moved if the number above has no low bits.
        if (keccak256(abi.encode(other)) == keccak256(abi.encode(c))) return;
        assertFalse(isKnown(other));
    }

    function test_queue_state_has_one_checkpoint() public {
        sendOne();
        nextL1Block();
        assertNoOtherName(sendOne());
    }

    function test_past_checkpoint_has_one_id() public {
        sendOne();
        nextL1Block();
        IL1MessageQueue.Checkpoint memory c = sendOne();
        nextL1Block();
        sendOne();
        assertNoOtherName(c);
    }

    function test_altered_checkpoint_cannot_settle() public {
        sendOne();
        nextL1Block();
        IL1MessageQueue.Checkpoint memory c = sendOne();
        for (uint256 width = 32; width < 64; ++width) {
            IL1MessageQueue.Checkpoint memory other = copy(c);
            (other.l1Block, other.timestamp) = moved(c.l1Block, c.timestamp, width);
            if (other.timestamp == c.timestamp) continue;
            vm.expectRevert(
                abi.encodeWithSelector(IL1MessageQueue.CheckpointsDoNotEnclose.selector, 2)
            );
            queue.settle(2, other, other);
        }
        assertEq(queue.settle(2, c, c), vm.getBlockTimestamp());
    }
}
