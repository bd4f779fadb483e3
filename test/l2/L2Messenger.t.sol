// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Burner, Moody, Recorder} from "../utils/Targets.sol";

contract L2MessengerRelayTest is L2Chain {
    function testFuzz_messages_are_delivered_as_sent_and_in_order(
        address[4] calldata senders,
        uint96[4] calldata values,
        uint96[4] calldata fees,
        uint24[4] calldata gasLimits,
        bytes[4] calldata data
    ) public {
        Recorder recorder = new Recorder();
        uint256 sum = 0;
        uint256 feeSum = 0;
        for (uint256 i = 0; i < 4; ++i) {
            vm.assume(senders[i] != address(0));
            uint64 gasLimit = 1_000_000 + uint64(gasLimits[i]) / 8;
            send(senders[i], address(recorder), values[i], fees[i], gasLimit, data[i]);
            sum += values[i];
            feeSum += fees[i];
        }
        relayAll();

        assertRelayed(4);
        assertEq(recorder.count(), 4);
        assertEq(address(recorder).balance, sum);
        assertEq(relayer.balance, feeSum);
        assertEq(address(messenger).balance, PREMINT - sum - feeSum);
        for (uint256 i = 0; i < 4; ++i) {
            (uint256 gas, address caller, address l1Sender, uint256 value, bytes memory seen) =
                recorder.calls(i);
            assertGe(gas, queue[i].gasLimit - 200, "the entry of the target takes a little");
            assertEq(caller, address(messenger));
            assertEq(l1Sender, senders[i]);
            assertEq(value, values[i]);
            assertEq(seen, data[i]);
        }
    }

    function test_several_relays_continue_one_another() public {
        send(address(0xaaaa), 1, "");
        relayAll();
        send(address(0xbbbb), 2, "");
        send(address(0xcccc), 3, "");
        relayAll();
        assertRelayed(3);
        assertEq(address(0xaaaa).balance + address(0xbbbb).balance + address(0xcccc).balance, 6);
    }

    function test_messages_out_of_order_are_rejected() public {
        send(address(0xaaaa), 1, "");
        send(address(0xbbbb), 1, "");
        anchorQueue();
        IL2Messenger.Message[] memory swapped = MessageCodec.slice(queue, 0, 2);
        (swapped[0], swapped[1]) = (swapped[1], swapped[0]);

        vm.expectPartialRevert(IL2Messenger.RootMismatch.selector);
        messenger.relay(MessageCodec.pack(swapped), relayer);
        messenger.relay(packed(0, 2), relayer);
    }

    function testFuzz_message_with_any_field_changed_is_rejected(uint256 byteAt, uint8 flip)
        public
    {
        send(alice, address(0xaaaa), 1, 2, 3, hex"0405");
        anchorQueue();
        bytes memory good = packed(0, 1);
        bytes memory bad = packed(0, 1);
        byteAt = bound(byteAt, 0, bad.length - 1);
        flip = uint8(bound(flip, 1, 255));
        bad[byteAt] = bytes1(uint8(bad[byteAt]) ^ flip);

        try messenger.relay(bad, relayer) {
            revert("accepted");
        } catch {}
        messenger.relay(good, relayer);
    }

    function test_message_cannot_be_omitted() public {
        send(address(0xaaaa), 1, "");
        send(address(0xbbbb), 1, "");
        anchorQueue();
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.CountUnknown.selector, 1, 2));
        messenger.relay(packed(1, 2), relayer);
        messenger.relay(packed(0, 2), relayer);
    }

    function test_relay_that_ends_before_anchor_is_rejected() public {
        send(address(0xaaaa), 1, "");
        send(address(0xbbbb), 1, "");
        anchorQueue();
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.CountUnknown.selector, 1, 2));
        messenger.relay(packed(0, 1), relayer);
        assertRelayed(0);
        messenger.relay(packed(0, 2), relayer);
    }

    function test_messages_beyond_anchor_are_rejected() public {
        send(address(0xaaaa), 1, "");
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.CountUnknown.selector, 1, 0));
        messenger.relay(packed(0, 1), relayer);
        anchorQueue();
        messenger.relay(packed(0, 1), relayer);
    }

    function testFuzz_truncated_or_overlong_batch_is_rejected(uint256 length) public {
        send(address(0xaaaa), 1, hex"00112233");
        send(address(0xbbbb), 1, hex"44");
        anchorQueue();
        bytes memory good = packed(0, 2);
        length = bound(length, 0, good.length + 150);
        vm.assume(length != good.length);
        bytes memory bad = new bytes(length);
        for (uint256 i = 0; i < length && i < good.length; ++i) {
            bad[i] = good[i];
        }
        try messenger.relay(bad, relayer) {
            revert("accepted");
        } catch {}
        messenger.relay(good, relayer);
    }

    function test_errors_of_malformed_batch_name_position() public {
        send(address(0xaaaa), 1, hex"00112233");
        anchorQueue();
        bytes memory good = packed(0, 1);
        vm.expectRevert(IL2Messenger.NothingGiven.selector);
        messenger.relay("", relayer);
        vm.expectRevert(abi.encodeWithSelector(Messages.MessageTruncated.selector, 104, 105));
        messenger.relay(bytes.concat(good, hex"00"), relayer);
        assembly ("memory-safe") {
            mstore(good, 103)
        }
        vm.expectRevert(abi.encodeWithSelector(Messages.MessageTruncated.selector, 0, 103));
        messenger.relay(good, relayer);
    }

    function test_relayer_that_rejects_fees_relays_nothing() public {
        send(alice, address(0xaaaa), 1, 5, 0, "");
        anchorQueue();
        address refusing = address(new Burner());
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.FeeTransferFailed.selector, refusing, 5)
        );
        messenger.relay(packed(0, 1), refusing);
        assertRelayed(0);
        messenger.relay(packed(0, 1), relayer);
        assertEq(relayer.balance, 5);
    }

    function test_storage_layout_is_pinned() public {
        send(address(new Moody("")), 1, "");
        for (uint256 i = 0; i < 4; ++i) {
            send(address(0xaaaa), 1, "");
        }
        anchorQueue();
        messenger.addWaypoint(5, rootAt(3), hashes(3, 5));
        messenger.addWaypoint(3, rootAt(2), hashes(2, 3));
        messenger.relay(packed(0, 2), relayer);

        address m = address(messenger);
        assertEq(uint256(vm.load(m, 0)), 2, "slot 0: count");
        assertEq(vm.load(m, bytes32(uint256(1))), rootAt(2), "slot 1: root");
        bytes32 failed = keccak256(abi.encode(MessageCodec.hash(queue[0]), 2));
        assertEq(uint256(vm.load(m, failed)), 1, "slot 2: failed");
        assertEq(vm.load(m, keccak256(abi.encode(3, 3))), rootAt(3), "slot 3: waypoints");
        assertEq(vm.load(m, keccak256(abi.encode(2, 3))), 0, "a waypoint that was reached");
    }

    function test_data_of_deposit_is_compact() public {
        send(alice, address(0xaaaa), 1 ether, 0.001 ether, 0, "");
        uint256 one = abi.encodeCall(messenger.relay, (packed(0, 1), relayer)).length;
        assertEq(one, 228);
        for (uint256 i = 0; i < 9; ++i) {
            send(alice, address(0xaaaa), 1 ether, 0.001 ether, 0, "");
        }
        uint256 ten = abi.encodeCall(messenger.relay, (packed(0, 10), relayer)).length;
        assertEq(ten, 1124);
    }
}

contract L2MessengerWaypointTest is L2Chain {
    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < 10; ++i) {
            send(address(0xaaaa), 1, abi.encode(i));
        }
        anchorQueue();
    }

    function testFuzz_prefix_is_relayed_with_hashes_of_remaining_messages(uint64 split) public {
        split = uint64(bound(split, 1, 9));
        vm.expectEmit(address(messenger));
        emit IL2Messenger.WaypointAdded(split, rootAt(split));
        messenger.addWaypoint(10, rootAt(split), hashes(split, 10));
        assertEq(messenger.waypoint(split), rootAt(split));

        messenger.relay(packed(0, split), relayer);
        assertRelayed(split);
        assertEq(messenger.waypoint(split), 0, "has done its duty");
        messenger.relay(packed(split, 10), relayer);
        assertRelayed(10);
    }

    function test_waypoints_step_through_any_number_of_messages() public {
        messenger.addWaypoint(10, rootAt(8), hashes(8, 10));
        messenger.addWaypoint(8, rootAt(5), hashes(5, 8));
        messenger.addWaypoint(5, rootAt(1), hashes(1, 5));
        messenger.relay(packed(0, 1), relayer);
        messenger.relay(packed(1, 8), relayer);
        messenger.relay(packed(8, 10), relayer);
        assertRelayed(10);
    }

    function test_waypoints_stay_valid_after_new_anchor() public {
        messenger.addWaypoint(10, rootAt(4), hashes(4, 10));
        send(address(0xbbbb), 1, "");
        anchorQueue();
        messenger.relay(packed(0, 4), relayer);
        messenger.relay(packed(4, 11), relayer);
        assertRelayed(11);
    }

    function testFuzz_waypoint_outside_hash_chain_is_rejected(bytes32 forged, uint256 which)
        public
    {
        bytes32[] memory rest = hashes(6, 10);
        bytes32 root = rootAt(6);
        which = bound(which, 0, 4);
        vm.assume(forged != (which == 4 ? root : rest[which]));
        if (which == 4) root = forged;
        else rest[which] = forged;
        vm.expectPartialRevert(IL2Messenger.RootMismatch.selector);
        messenger.addWaypoint(10, root, rest);
        messenger.addWaypoint(10, rootAt(6), hashes(6, 10));
    }

    function test_waypoint_requires_known_later_point() public {
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.CountUnknown.selector, 9, 10));
        messenger.addWaypoint(9, rootAt(6), hashes(6, 9));
        messenger.addWaypoint(10, rootAt(9), hashes(9, 10));
        messenger.addWaypoint(9, rootAt(6), hashes(6, 9));
    }

    function test_waypoint_is_between_relayed_and_anchored_count() public {
        vm.expectRevert(IL2Messenger.NothingGiven.selector);
        messenger.addWaypoint(10, rootAt(10), new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.WaypointBehind.selector, 10, 10));
        messenger.addWaypoint(10, 0, hashes(0, 10));

        messenger.addWaypoint(10, rootAt(4), hashes(4, 10));
        messenger.addWaypoint(10, rootAt(3), hashes(3, 10));
        messenger.relay(packed(0, 4), relayer);

        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.WaypointBehind.selector, 6, 6));
        messenger.addWaypoint(10, rootAt(4), hashes(4, 10));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.WaypointBehind.selector, 1, 0));
        messenger.addWaypoint(3, rootAt(2), hashes(2, 3));
        messenger.addWaypoint(10, rootAt(5), hashes(5, 10));
    }

    function test_relay_ending_at_waypoint_must_match_root() public {
        messenger.addWaypoint(10, rootAt(2), hashes(2, 10));
        IL2Messenger.Message[] memory forged = MessageCodec.slice(queue, 0, 2);
        forged[1].value = 1000;
        vm.expectPartialRevert(IL2Messenger.RootMismatch.selector);
        messenger.relay(MessageCodec.pack(forged), relayer);
        messenger.relay(packed(0, 2), relayer);
    }
}
