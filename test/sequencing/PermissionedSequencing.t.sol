// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {LivenessTimeout} from "../../contracts/sequencing/LivenessTimeout.sol";

contract PermissionedSequencingTest is Test {
    uint64 private constant NOW = 1_700_000_000;
    uint64 private constant TIMEOUT = 2 hours;

    address private operator = makeAddr("operator");
    address private treasury = makeAddr("treasury");
    address private stranger = makeAddr("stranger");
    PermissionedSequencing private policy;

    function setUp() public {
        vm.warp(NOW);
        policy = new PermissionedSequencing(operator, treasury, TIMEOUT);
    }

    function testFuzz_sequencer_may_advance_at_any_head_age(uint64 head) public view {
        assertEq(policy.authorize(operator, head), treasury);
    }

    function testFuzz_others_may_advance_exactly_from_timeout_on(address caller, uint64 age)
        public
    {
        vm.assume(caller != operator);
        age = uint64(bound(age, 0, 2 * TIMEOUT));
        if (age < TIMEOUT) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    PermissionedSequencing.NotSequencer.selector,
                    caller,
                    operator,
                    uint256(NOW) - age + TIMEOUT
                )
            );
            policy.authorize(caller, NOW - age);
        } else {
            // Their reward is the fees of the blocks that they build.
            assertEq(policy.authorize(caller, NOW - age), address(0));
        }
    }

    /// @dev A contract that the sequencer calls is not the sequencer.
    function test_origin_of_transaction_does_not_count() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector, stranger, operator, NOW + TIMEOUT
            )
        );
        vm.prank(address(this), operator);
        policy.authorize(stranger, NOW);
        vm.prank(address(this), stranger);
        assertEq(policy.authorize(operator, NOW), treasury);
    }

    function test_one_second_decides() public {
        uint64 head = NOW - TIMEOUT;
        assertEq(policy.authorize(stranger, head), address(0));
        vm.expectRevert(
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector, stranger, operator, NOW + 1
            )
        );
        policy.authorize(stranger, head + 1);
    }

    function testFuzz_timeout_does_not_overflow_for_any_head(uint64 head) public {
        head = uint64(bound(head, NOW, type(uint64).max));
        vm.expectRevert(
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector,
                stranger,
                operator,
                uint256(head) + TIMEOUT
            )
        );
        policy.authorize(stranger, head);
    }

    function test_place_is_handed_over_in_two_steps() public {
        vm.expectEmit(address(policy));
        emit PermissionedSequencing.HandoverOffered(operator, stranger);
        vm.prank(operator);
        policy.offer(stranger);
        // Nothing has changed yet.
        assertEq(policy.sequencer(), operator);
        assertEq(policy.authorize(operator, NOW), treasury);

        vm.expectEmit(address(policy));
        emit PermissionedSequencing.SequencerChanged(operator, stranger);
        vm.prank(stranger);
        policy.take();
        assertEq(policy.authorize(stranger, NOW), treasury);
        assertEq(policy.nextSequencer(), address(0));
        vm.expectRevert(
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector, operator, stranger, NOW + TIMEOUT
            )
        );
        policy.authorize(operator, NOW);
    }

    function testFuzz_only_sequencer_offers_and_only_nominee_accepts(address caller) public {
        vm.assume(caller != operator && caller != stranger);
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(PermissionedSequencing.OnlySequencer.selector, caller, operator)
        );
        policy.offer(caller);

        vm.prank(operator);
        policy.offer(stranger);
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(PermissionedSequencing.NotOffered.selector, caller, stranger)
        );
        policy.take();
    }

    function test_offer_can_be_withdrawn_and_needs_nominee() public {
        vm.startPrank(operator);
        policy.offer(stranger);
        policy.offer(address(0));
        vm.stopPrank();
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(PermissionedSequencing.NotOffered.selector, stranger, address(0))
        );
        policy.take();
    }

    function test_first_sequencer_is_announced() public {
        vm.expectEmit();
        emit PermissionedSequencing.SequencerChanged(address(0), operator);
        new PermissionedSequencing(operator, treasury, TIMEOUT);
    }

    function test_policy_has_sequencer_and_timeout() public {
        vm.expectRevert(PermissionedSequencing.SequencerZero.selector);
        new PermissionedSequencing(address(0), treasury, TIMEOUT);
        vm.expectRevert(LivenessTimeout.TimeoutZero.selector);
        new PermissionedSequencing(operator, treasury, 0);
        policy = new PermissionedSequencing(operator, address(0), 1);
        assertEq(policy.authorize(operator, NOW), address(0));
    }
}
