// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";

abstract contract QueueTest is Test {
    uint64 internal constant MAX_GAS = 8_000_000;
    uint64 internal constant MAX_DATA = 1024;
    uint256 internal constant ROOT_SLOT = 0;
    uint256 internal constant STATE_SLOT = 1;
    uint256 internal constant RING_SLOT = 2;
    uint64 internal constant RING = 16_382;

    L1MessageQueue internal queue;

    function setUp() public virtual {
        vm.roll(1000);
        vm.warp(1_700_000_000);
        queue = new L1MessageQueue(
            address(this), address(0), MAX_GAS, MAX_DATA, 0, 16_382, Guardians.none()
        );
        vm.deal(address(this), type(uint256).max);
    }

    function sendOne() internal returns (IL1MessageQueue.Checkpoint memory) {
        queue.send(address(1), address(0), 0, 0, "");
        return queue.checkpoint();
    }

    function nextL1Block() internal {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(vm.getBlockTimestamp() + 12);
    }

    function isKnown(IL1MessageQueue.Checkpoint memory c) internal view returns (bool) {
        return queue.isCheckpoint(c.id, c.count, c.root, c.l1Block, c.timestamp);
    }
}

contract L1MessageQueueSendTest is QueueTest {
    function testFuzz_root_is_rolling_hash_of_all_messages(
        address[4] calldata senders,
        address[4] calldata refunds,
        uint128[4] calldata values,
        uint128[4] calldata fees,
        uint64[4] calldata gasLimits,
        bytes[4] calldata data
    ) public {
        bytes32 expected = 0;
        uint256 escrowed = 0;
        for (uint64 i = 0; i < 4; ++i) {
            vm.assume(senders[i] != address(queue));
            IL2Messenger.Message memory m = IL2Messenger.Message({
                sender: senders[i],
                to: address(uint160(uint256(keccak256(abi.encode(i))))),
                refundTo: refunds[i],
                value: values[i],
                fee: fees[i],
                gasLimit: uint64(bound(gasLimits[i], 0, MAX_GAS)),
                index: i,
                data: data[i]
            });
            uint256 sum = uint256(m.value) + m.fee;
            escrowed += sum;
            expected = keccak256(bytes.concat(expected, MessageCodec.hash(m)));

            vm.deal(m.sender, sum);
            vm.expectEmit(address(queue));
            emit IL1MessageQueue.MessageSent(
                i, m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.data
            );
            vm.prank(m.sender);
            uint64 index = queue.send{value: sum}(m.to, m.refundTo, m.gasLimit, m.fee, m.data);

            assertEq(index, i);
            assertEq(queue.checkpoint().root, expected);
            assertEq(queue.checkpoint().count, i + 1);
            assertEq(address(queue).balance, escrowed);
        }
    }

    function test_messages_up_to_caps_are_accepted() public {
        queue.send(address(3), address(0), MAX_GAS, 0, new bytes(MAX_DATA));

        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.GasLimitTooHigh.selector, MAX_GAS + 1, MAX_GAS)
        );
        queue.send(address(3), address(0), MAX_GAS + 1, 0, "");

        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.DataTooLong.selector, MAX_DATA + 1, MAX_DATA)
        );
        queue.send(address(3), address(0), 0, 0, new bytes(MAX_DATA + 1));
    }

    function test_fee_is_part_of_eth_sent() public {
        queue.send{value: 5}(address(3), address(0), 0, 5, "");

        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.FeeAboveValue.selector, 6, 5));
        queue.send{value: 5}(address(3), address(0), 0, 6, "");
    }

    function test_value_too_large_for_packed_message_is_rejected() public {
        uint256 maximum = type(uint128).max;
        queue.send{value: maximum + 7}(address(3), address(0), 0, 7, "");

        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.ValueTooLarge.selector, maximum + 1, maximum)
        );
        queue.send{value: maximum + 8}(address(3), address(0), 0, 7, "");
    }

    function test_plain_transfers_to_escrow_are_rejected() public {
        (bool ok,) = address(queue).call{value: 1}("");
        assertFalse(ok);
        queue.send{value: 1}(address(3), address(0), 0, 0, "");
    }

    function test_caps_above_packed_format_are_rejected() public {
        uint64 gas = type(uint32).max;
        uint64 data = type(uint32).max >> 1;
        L1MessageQueue largest =
            new L1MessageQueue(address(this), address(0), gas, data, 0, 16_382, Guardians.none());
        assertEq(largest.MAX_GAS(), gas);
        assertEq(largest.MAX_DATA(), data);

        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.CapsTooHigh.selector, gas + 1, 0));
        new L1MessageQueue(address(this), address(0), gas + 1, 0, 0, 16_382, Guardians.none());
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.CapsTooHigh.selector, 0, data + 1));
        new L1MessageQueue(address(this), address(0), 0, data + 1, 0, 16_382, Guardians.none());
    }

    function testFuzz_fee_is_configured_share_of_base_fee(uint64 gasLimit, uint64 baseFee) public {
        queue = new L1MessageQueue(
            address(this), address(0), MAX_GAS, MAX_DATA, 150, 16_382, Guardians.none()
        );
        gasLimit = uint64(bound(gasLimit, 1, MAX_GAS));
        baseFee = uint64(bound(baseFee, 1, 1e13));
        vm.fee(baseFee);
        uint128 minimum = (uint128(gasLimit) + 64 * (100 + 3200)) * baseFee * 3 / 2;
        assertEq(queue.minimumFee(gasLimit), minimum);

        queue.send{value: minimum}(address(3), address(0), gasLimit, minimum, "");

        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.FeeTooLow.selector, minimum - 1, minimum)
        );
        queue.send{value: minimum}(address(3), address(0), gasLimit, minimum - 1, "");
    }

    function test_storage_layout_is_pinned() public {
        queue.send(address(1), address(0), 0, 0, "");
        IL1MessageQueue.Checkpoint memory first = queue.checkpoint();
        nextL1Block();
        queue.send(address(1), address(0), 0, 0, "");
        IL1MessageQueue.Checkpoint memory second = queue.checkpoint();

        assertEq(vm.load(address(queue), bytes32(ROOT_SLOT)), second.root);
        // Count, number of the checkpoint, block, timestamp, count in that block.
        uint256 state = uint256(2) | 2 << 56 | 1001 << 96 | 1_700_000_012 << 136 | 1 << 216;
        assertEq(uint256(vm.load(address(queue), bytes32(STATE_SLOT))), state);

        uint256 firstState = uint256(1) | 1 << 56 | 1000 << 96 | 1_700_000_000 << 136;
        assertEq(
            vm.load(address(queue), bytes32(RING_SLOT + 1)),
            keccak256(abi.encode(first.root, firstState)),
            "ring"
        );
    }
}

contract L1MessageQueueCheckpointTest is QueueTest {
    function testFuzz_only_rollup_settles(address who) public {
        vm.assume(who != address(this));
        IL1MessageQueue.Checkpoint memory c = queue.checkpoint();
        bytes memory error_ = abi.encodeWithSelector(IL1MessageQueue.NotRollup.selector, who);
        vm.startPrank(who);
        vm.expectRevert(error_);
        queue.settle(0, c, c);
        vm.expectRevert(error_);
        queue.settleIfIdle(0);
        vm.stopPrank();
        assertEq(queue.settle(0, c, c), vm.getBlockTimestamp());
    }

    function test_invalid_checkpoint_numbers_are_rejected() public {
        IL1MessageQueue.Checkpoint memory c = sendOne();
        assertTrue(isKnown(c));
        c.timestamp |= 1 << 40;
        assertFalse(isKnown(c));
    }

    function test_many_messages_of_one_block_have_intermediate_checkpoints() public {
        IL1MessageQueue.Checkpoint memory at256;
        for (uint256 i = 1; i <= 600; ++i) {
            IL1MessageQueue.Checkpoint memory c = sendOne();
            if (i == 256) at256 = c;
        }
        assertTrue(isKnown(at256));
        assertEq(queue.checkpoint().id, at256.id + 2);
    }

    function test_empty_queue_is_checkpoint() public {
        IL1MessageQueue.Checkpoint memory empty = queue.checkpoint();
        assertEq(keccak256(abi.encode(empty)), keccak256(new bytes(160)));
        assertTrue(isKnown(empty));
        sendOne();
        assertTrue(isKnown(empty));
    }

    function test_queue_state_stays_known_after_later_messages() public {
        IL1MessageQueue.Checkpoint memory a = sendOne();
        assertTrue(isKnown(a));
        nextL1Block();
        assertTrue(isKnown(a), "before the next message");
        IL1MessageQueue.Checkpoint memory b = sendOne();
        assertTrue(isKnown(a) && isKnown(b), "after the next message");
        vm.roll(vm.getBlockNumber() + 100);
        IL1MessageQueue.Checkpoint memory c = sendOne();
        assertTrue(isKnown(a) && isKnown(b) && isKnown(c), "blocks without messages between");
        assertEq(b.id, a.id + 1);
        assertEq(c.id, b.id + 1);
    }

    function test_queue_state_within_block_is_overwritten() public {
        IL1MessageQueue.Checkpoint memory within = sendOne();
        assertTrue(isKnown(within));
        IL1MessageQueue.Checkpoint memory end = sendOne();
        assertEq(end.id, within.id);
        assertFalse(isKnown(within));
        nextL1Block();
        sendOne();
        assertFalse(isKnown(within));
        assertTrue(isKnown(end));
    }

    function testFuzz_changed_field_makes_checkpoint_unknown(uint8 field, uint64 other, bool past)
        public
    {
        sendOne();
        nextL1Block();
        IL1MessageQueue.Checkpoint memory c = sendOne();
        if (past) {
            nextL1Block();
            sendOne();
        }
        assertTrue(isKnown(c));
        field = uint8(bound(field, 0, 4));
        if (field == 0) {
            vm.assume(c.id != other);
            c.id = other;
        } else if (field == 1) {
            vm.assume(c.count != other);
            c.count = other;
        } else if (field == 2) {
            vm.assume(c.l1Block != other);
            c.l1Block = other;
        } else if (field == 3) {
            vm.assume(c.timestamp != other);
            c.timestamp = other;
        } else {
            c.root = keccak256(abi.encode(other));
        }
        assertFalse(isKnown(c));
    }

    function test_ring_has_bounded_number_of_places() public {
        uint64[2] memory ends = [uint64(1024), 1 << 20];
        uint64[3] memory outside = [uint64(1023), (1 << 20) + 1, type(uint64).max];
        for (uint256 i = 0; i < ends.length; ++i) {
            L1MessageQueue q =
                new L1MessageQueue(address(this), address(0), 0, 0, 0, ends[i], Guardians.none());
            assertEq(q.CHECKPOINTS(), ends[i]);
        }
        for (uint256 i = 0; i < outside.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IL1MessageQueue.CheckpointsOutOfBounds.selector, outside[i], 1024, 1 << 20
                )
            );
            new L1MessageQueue(address(this), address(0), 0, 0, 0, outside[i], Guardians.none());
        }
    }

    /// @dev With each number of places, exactly so many checkpoints are known besides the state.
    function testFuzz_ring_has_configured_size(uint64 places) public {
        places = uint64(bound(places, 1024, 1100));
        queue = new L1MessageQueue(
            address(this), address(0), MAX_GAS, MAX_DATA, 0, places, Guardians.none()
        );
        IL1MessageQueue.Checkpoint memory first = sendOne();
        for (uint256 i = 1; i < places; ++i) {
            nextL1Block();
            sendOne();
        }
        nextL1Block();
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.CheckpointsExhausted.selector, 0, places)
        );
        queue.send(address(1), address(0), 0, 0, "");
        queue.settleIfIdle(places);
        assertTrue(isKnown(first));
        bytes32 slot = vm.load(address(queue), bytes32(RING_SLOT + 1));
        assertNotEq(slot, 0);
        assertEq(vm.load(address(queue), bytes32(RING_SLOT + places)), 0, "no place after it");
        sendOne();
        nextL1Block();
        sendOne();
        assertFalse(isKnown(first));
        assertEq(vm.load(address(queue), bytes32(RING_SLOT + places)), 0, "no place after it");
    }

    function test_checkpoints_are_known_for_one_ring_round() public {
        IL1MessageQueue.Checkpoint memory first = sendOne();
        IL1MessageQueue.Checkpoint memory second;
        for (uint256 i = 1; i < RING; ++i) {
            nextL1Block();
            IL1MessageQueue.Checkpoint memory c = sendOne();
            if (i == 1) second = c;
        }
        assertTrue(isKnown(first) && isKnown(second), "the oldest in the ring");

        // The rollup has not proven that it no longer needs any of them.
        nextL1Block();
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.CheckpointsExhausted.selector, 0, RING)
        );
        queue.send(address(1), address(0), 0, 0, "");

        queue.settle(1, first, second);
        sendOne();
        assertTrue(isKnown(first), "needed");
        nextL1Block();
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.CheckpointsExhausted.selector, 1, RING + 1)
        );
        queue.send(address(1), address(0), 0, 0, "");

        assertEq(queue.settleIfIdle(RING + 1), vm.getBlockTimestamp());
        sendOne();
        assertFalse(isKnown(first), "overwritten");
        assertTrue(isKnown(second), "now the oldest");
    }

    /// @dev Also if a later proof is about earlier messages: entries that are no longer needed may
    /// have been overwritten.
    function test_needed_checkpoint_never_decreases() public {
        IL1MessageQueue.Checkpoint[] memory c = new IL1MessageQueue.Checkpoint[](5);
        for (uint256 i = 0; i < 5; ++i) {
            c[i] = sendOne();
            nextL1Block();
        }
        queue.settle(3, c[2], c[3]);
        assertEq(needed(), c[2].id);
        assertEq(queue.settle(2, c[1], c[2]), c[2].timestamp);
        assertEq(needed(), c[2].id);
        queue.settle(4, c[3], c[4]);
        assertEq(needed(), c[3].id);
    }

    /// @dev Returns the oldest checkpoint that is still needed.
    function needed() internal view returns (uint256) {
        return uint40(uint256(vm.load(address(queue), bytes32(STATE_SLOT))) >> 176);
    }

    function test_messages_of_current_l1_block_are_distinguished() public {
        assertEq(queue.countBefore(), 0);
        sendOne();
        sendOne();
        assertEq(queue.countBefore(), 0);
        nextL1Block();
        assertEq(queue.countBefore(), 2);
        sendOne();
        assertEq(queue.countBefore(), 2);
        assertEq(queue.settleIfIdle(1), 0);
        assertEq(queue.settleIfIdle(2), vm.getBlockTimestamp());
    }

    /// @dev With intervals that were completed before this L1 block, and none that this block has
    /// completed.
    function test_idle_queue_needs_last_checkpoint_before_block() public {
        for (uint256 i = 0; i < 300; ++i) {
            sendOne();
        }
        uint64 id = queue.checkpoint().id;
        assertEq(id, 2);
        nextL1Block();
        sendOne();
        assertEq(queue.checkpoint().id, id + 1);
        assertEq(queue.settleIfIdle(300), vm.getBlockTimestamp());
        assertEq(needed(), id);
    }
}
