// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {RotatingSequencing} from "../../contracts/sequencing/RotatingSequencing.sol";
import {LivenessTimeout} from "../../contracts/sequencing/LivenessTimeout.sol";

contract RotatingSequencingTest is Test {
    uint64 private constant START = 1_700_000_000;
    uint64 private constant SLOT = 60;
    uint64 private constant TIMEOUT = 600;

    address[] private list;
    RotatingSequencing private policy;

    function setUp() public {
        vm.warp(START);
        list = [makeAddr("first"), makeAddr("second"), makeAddr("third")];
        policy = new RotatingSequencing(list, START, SLOT, TIMEOUT);
    }

    function testFuzz_only_member_of_slot_may_advance(uint32 after_) public {
        vm.warp(uint256(START) + after_);
        uint256 turn = after_ / SLOT % 3;
        assertEq(policy.placeAt(block.timestamp), turn);
        assertEq(policy.memberAt(block.timestamp), list[turn]);
        uint64 head = uint64(block.timestamp) - TIMEOUT + 1;
        assertEq(policy.authorize(list[turn], head), address(0));
        for (uint256 i = 1; i < 3; ++i) {
            expectNotInSlot(list[(turn + i) % 3], list[turn], head);
            policy.authorize(list[(turn + i) % 3], head);
        }
    }

    function test_slot_ends_where_next_begins() public view {
        assertEq(policy.slotEnd(START), START + SLOT);
        assertEq(policy.slotEnd(START + SLOT - 1), START + SLOT);
        assertEq(policy.slotEnd(START + SLOT), START + 2 * SLOT);
        assertEq(policy.memberAt(START + SLOT - 1), list[0]);
        assertEq(policy.memberAt(START + SLOT), list[1]);
        assertEq(policy.memberAt(START + 3 * SLOT), list[0]);
    }

    function testFuzz_anyone_may_advance_from_timeout_on(address caller, uint64 age) public {
        vm.assume(caller != list[0]);
        age = uint64(bound(age, 0, 2 * TIMEOUT));
        if (age < TIMEOUT) expectNotInSlot(caller, list[0], START - age);
        assertEq(policy.authorize(caller, START - age), address(0));
    }

    function test_place_is_handed_over_in_two_steps() public {
        address next = makeAddr("next");
        vm.expectEmit(address(policy));
        emit RotatingSequencing.HandoverOffered(1, list[1], next);
        vm.prank(list[1]);
        policy.offer(1, next);
        assertEq(policy.members(1), list[1]);

        vm.expectEmit(address(policy));
        emit RotatingSequencing.MemberChanged(1, list[1], next);
        vm.prank(next);
        policy.take(1);
        assertEq(policy.members(0), list[0]);
        assertEq(policy.members(1), next);
        assertEq(policy.members(2), list[2]);
        assertEq(policy.nextMembers(1), address(0));
        assertEq(policy.memberAt(START + SLOT), next);
    }

    function test_deployment_events_name_place_and_member() public {
        for (uint256 i = 0; i < list.length; ++i) {
            vm.expectEmit();
            emit RotatingSequencing.MemberChanged(i, address(0), list[i]);
        }
        new RotatingSequencing(list, START, SLOT, TIMEOUT);
    }

    function testFuzz_only_member_offers_its_place(address caller, uint256 place) public {
        place = bound(place, 0, 2);
        vm.assume(caller != list[place]);
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(RotatingSequencing.OnlyMember.selector, caller, list[place])
        );
        policy.offer(place, caller);
    }

    function testFuzz_only_nominee_accepts_offered_place(address caller, uint256 place) public {
        address next = makeAddr("next");
        vm.assume(caller != address(0));
        vm.prank(list[1]);
        policy.offer(1, next);
        if (caller == next && place == 1) place = 2;
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(
                RotatingSequencing.NotOffered.selector, caller, place == 1 ? next : address(0)
            )
        );
        policy.take(place);
    }

    function testFuzz_places_beyond_list_do_not_exist(uint256 place) public {
        place = bound(place, 3, type(uint256).max);
        vm.prank(address(0));
        vm.expectRevert(abi.encodeWithSelector(RotatingSequencing.PlaceUnknown.selector, place, 3));
        policy.offer(place, address(this));
    }

    function test_timestamps_before_first_slot_have_no_sequencer() public {
        bytes memory expected =
            abi.encodeWithSelector(RotatingSequencing.BeforeStart.selector, START - 1, START);
        vm.expectRevert(expected);
        policy.placeAt(START - 1);
        vm.expectRevert(expected);
        policy.slotEnd(START - 1);
    }

    function test_one_member_with_all_places_may_always_advance() public {
        address[] memory one = new address[](1);
        one[0] = list[0];
        policy = new RotatingSequencing(one, START, SLOT, TIMEOUT);
        skip(100 * SLOT);
        assertEq(policy.authorize(list[0], START), address(0));
    }

    function test_lists_with_gaps_and_empty_slots_are_rejected() public {
        vm.expectRevert(RotatingSequencing.NoMembers.selector);
        new RotatingSequencing(new address[](0), START, SLOT, TIMEOUT);
        vm.expectRevert(RotatingSequencing.SlotLengthZero.selector);
        new RotatingSequencing(list, START, 0, TIMEOUT);
        vm.expectRevert(LivenessTimeout.TimeoutZero.selector);
        new RotatingSequencing(list, START, SLOT, 0);
        vm.expectRevert(
            abi.encodeWithSelector(RotatingSequencing.StartInFuture.selector, START + 1, START)
        );
        new RotatingSequencing(list, START + 1, SLOT, TIMEOUT);
        list[2] = address(0);
        vm.expectRevert(abi.encodeWithSelector(RotatingSequencing.MemberZero.selector, 2));
        new RotatingSequencing(list, START, SLOT, TIMEOUT);
    }

    function expectNotInSlot(address caller, address member, uint64 head) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                RotatingSequencing.NotInSlot.selector, caller, member, uint256(head) + TIMEOUT
            )
        );
    }
}
