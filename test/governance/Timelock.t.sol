// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L2} from "../utils/L2.sol";
import {OwnedRollup} from "./OwnedRollup.sol";

/// @dev Time from the announcement of a change until the owner may make it, which is sufficient for
/// an exit; and the transfer of ownership.
contract TimelockTest is OwnedRollup {
    using L2 for L2.Chain;

    // ------------------------------------------------------------------ announcements

    function testFuzz_change_takes_full_upgrade_delay(uint256 early) public {
        early = bound(early, 1, UPGRADE_DELAY);
        uint256 policy = uint160(makeAddr("policy"));
        uint256 ready = vm.getBlockTimestamp() + UPGRADE_DELAY;
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeAnnounced(POLICY, policy, ready);
        announce(POLICY, policy);
        assertEq(rollup.readyAt(POLICY, policy), ready);

        vm.warp(ready - 1 days);
        rollup.clear(POLICY, policy);
        assertEq(rollup.readyAt(POLICY, policy), ready);
        vm.warp(ready - early);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotReady.selector, ready));
        rollup.make(POLICY, policy);
        assertEq(rollup.policy(), address(0));

        vm.warp(ready);
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeMade(POLICY, policy);
        vm.prank(owner);
        rollup.make(POLICY, policy);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.policy(), address(uint160(policy)));
        assertEq(rollup.readyAt(POLICY, policy), 0);
    }

    function test_change_is_made_once_and_expires() public {
        make(GAS, 13_000_000);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotAnnounced.selector, GAS, 13_000_000));
        rollup.make(GAS, 13_000_000);
        rollup.announce(GAS, 12_000_000);
        untilReady(GAS, 12_000_000);
        skip(14 days);
        uint256 state = vm.snapshotState();
        rollup.make(GAS, 12_000_000);
        vm.revertToState(state);
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Stale.selector, vm.getBlockTimestamp() - 1));
        rollup.make(GAS, 12_000_000);
        // Once withdrawn, it can be announced again.
        rollup.withdraw(GAS, 12_000_000);
        rollup.announce(GAS, 12_000_000);
        vm.stopPrank();
    }

    function test_announced_change_can_be_withdrawn() public {
        announce(GAS, 13_000_000);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.AlreadyAnnounced.selector, GAS, 13_000_000));
        rollup.announce(GAS, 13_000_000);
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeWithdrawn(GAS, 13_000_000);
        rollup.withdraw(GAS, 13_000_000);
        skip(UPGRADE_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotAnnounced.selector, GAS, 13_000_000));
        rollup.make(GAS, 13_000_000);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotAnnounced.selector, GAS, 13_000_000));
        rollup.withdraw(GAS, 13_000_000);
        vm.stopPrank();
    }

    function test_announcements_are_listed_until_made_or_withdrawn() public {
        uint64 start = uint64(vm.getBlockTimestamp());
        announce(POLICY, 1);
        skip(1);
        announce(GAS, 1);
        skip(1);
        announce(POLICY, 2);
        skip(window() + FORCED_DELAY);
        rollup.clear(GAS, 1);
        vm.prank(owner);
        rollup.withdraw(POLICY, 1);

        IRollup.Announcement[] memory a = rollup.announcements();
        assertEq(a.length, 2);
        expectAnnouncement(a[0], POLICY, 2, start + 2, false);
        expectAnnouncement(a[1], GAS, 1, start + 1, true);

        vm.warp(a[1].readyAt);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, GAS, 1));
        rollup.make(GAS, 1);
        assertEq(rollup.announcements().length, 2);
        vm.startPrank(owner);
        rollup.withdraw(GAS, 1);
        rollup.withdraw(POLICY, 2);
        assertEq(rollup.announcements().length, 0);
    }

    function expectAnnouncement(
        IRollup.Announcement memory a,
        IRollup.Change change,
        uint256 value,
        uint256 announced,
        bool cleared
    ) private view {
        assertEq(uint256(a.change), uint256(change));
        assertEq(a.value, value);
        assertEq(a.readyAt, announced + UPGRADE_DELAY);
        assertEq(a.clearUntil, announced + window());
        assertEq(a.cleared, cleared);
    }

    function test_eight_changes_can_be_announced_at_once() public {
        vm.startPrank(owner);
        for (uint256 i = 0; i < 8; ++i) {
            rollup.announce(POLICY, i);
        }
        vm.expectRevert(abi.encodeWithSelector(IRollup.TooManyAnnouncements.selector, 8));
        rollup.announce(GAS, 13_000_000);
        rollup.withdraw(POLICY, 3);
        rollup.announce(GAS, 13_000_000);
    }

    /// @dev Otherwise a new announcement would already be cleared, and be ready before the entries
    /// on L1 are done.
    function test_only_announced_change_can_be_cleared_once() public {
        bytes memory error_ = abi.encodeWithSelector(IRollup.NotAnnounced.selector, GAS, 13_000_000);
        vm.expectRevert(error_);
        rollup.clear(GAS, 13_000_000);
        announce(GAS, 13_000_000);
        vm.prank(owner);
        rollup.withdraw(GAS, 13_000_000);
        vm.expectRevert(error_);
        rollup.clear(GAS, 13_000_000);
        announce(GAS, 13_000_000);
        skip(window() + FORCED_DELAY);
        rollup.clear(GAS, 13_000_000);
        vm.expectRevert(abi.encodeWithSelector(IRollup.AlreadyCleared.selector, GAS, 13_000_000));
        rollup.clear(GAS, 13_000_000);
    }

    function test_change_events_name_kind_of_change() public {
        uint256 ready = vm.getBlockTimestamp() + UPGRADE_DELAY;
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeAnnounced(GAS, 13_000_000, ready);
        announce(GAS, 13_000_000);
        untilReady(GAS, 13_000_000);
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeMade(GAS, 13_000_000);
        vm.prank(owner);
        rollup.make(GAS, 13_000_000);
    }

    /// @dev The later of the announced time and one day from now.
    function test_clear_event_names_time_of_change() public {
        uint256 ready = vm.getBlockTimestamp() + UPGRADE_DELAY;
        announce(GAS, 13_000_000);
        uint256 state = vm.snapshotState();
        skip(window() + FORCED_DELAY);
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeCleared(GAS, 13_000_000, ready);
        rollup.clear(GAS, 13_000_000);
        vm.revertToState(state);

        skip(UPGRADE_DELAY - 1 hours);
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeCleared(GAS, 13_000_000, ready + 23 hours);
        rollup.clear(GAS, 13_000_000);
        assertEq(rollup.readyAt(GAS, 13_000_000), ready + 23 hours);
    }

    /// @dev Seconds from an announcement to the change, minus the exit time.
    function window() internal view returns (uint256) {
        return UPGRADE_DELAY - (FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days);
    }

    /// @dev Entries within the window after the announcement delay the change, exact to the second;
    /// later ones do not.
    function test_message_during_announcement_blocks_change() public {
        uint256 until = vm.getBlockTimestamp() + window();
        sentAfterAnnouncement(until);
        vm.expectRevert(abi.encodeWithSelector(IRollup.StillPending.selector, until));
        rollup.clear(GAS, 13_000_000);
        bringOver();
        bytes memory input = l2.seal();
        rollup.advance(one(input), relayProof());
        rollup.clear(GAS, 13_000_000);
    }

    function test_message_one_second_later_does_not_block_change() public {
        sentAfterAnnouncement(vm.getBlockTimestamp() + window() + 1);
        rollup.clear(GAS, 13_000_000);
    }

    /// @dev Sends a message, and proves by a block when it was sent.
    function sentAfterAnnouncement(uint256 time) internal {
        announce(GAS, 13_000_000);
        skip(time - vm.getBlockTimestamp());
        send(bob, 1, 0, "");
        nextL1Block();
        bytes memory input = l2.seal();
        rollup.advance(one(input), relayProof());
        assertEq(rollup.duties().relayDue, time + RELAY_DEADLINE);
        nextL1Block();
    }

    function test_forced_transaction_during_announcement_blocks_change() public {
        uint256 until = vm.getBlockTimestamp() + window();
        (IRollup.ForcedTransaction memory t, bytes memory raw) = submittedAfterAnnouncement(until);
        vm.expectRevert(abi.encodeWithSelector(IRollup.StillPending.selector, until));
        rollup.clear(GAS, 13_000_000);
        l2.raw(raw);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        rollup.clear(GAS, 13_000_000);
    }

    function test_forced_transaction_one_second_later_does_not_block() public {
        submittedAfterAnnouncement(vm.getBlockTimestamp() + window() + 1);
        rollup.clear(GAS, 13_000_000);
    }

    /// @dev Submits it as the second of two, so that a block proves when it was submitted.
    function submittedAfterAnnouncement(uint256 time)
        internal
        returns (IRollup.ForcedTransaction memory t, bytes memory raw)
    {
        announce(GAS, 13_000_000);
        bytes memory first = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory before = submit(first);
        skip(time - vm.getBlockTimestamp());
        raw = signedTransfer("alice", 1, 100 gwei);
        t = submit(raw);
        nextL1Block();
        l2.raw(first);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(before, IRollup.Outcome.Included), t));
        assertEq(rollup.duties().forcedDue, time + FORCED_DELAY);
        nextL1Block();
    }

    // ------------------------------------------------------------------ the owner

    function testFuzz_only_owner_changes_anything(address who) public {
        vm.assume(who != owner && who != address(0));
        announce(GAS, 13_000_000);
        untilReady(GAS, 13_000_000);
        bytes memory error_ = abi.encodeWithSelector(IRollup.NotOwner.selector, who);
        vm.startPrank(who);
        vm.expectRevert(error_);
        rollup.announce(GAS, 12_000_000);
        vm.expectRevert(error_);
        rollup.withdraw(GAS, 13_000_000);
        vm.expectRevert(error_);
        rollup.make(GAS, 13_000_000);
        vm.expectRevert(error_);
        rollup.offerOwnership(who);
        vm.expectRevert(error_);
        rollup.renounceOwnership();
        vm.expectRevert(error_);
        rollup.takeOwnership();
        vm.stopPrank();
        vm.prank(owner);
        rollup.make(GAS, 13_000_000);
    }

    function test_ownership_is_offered_and_taken() public {
        address next = makeAddr("next");
        vm.expectEmit(address(rollup));
        emit IRollup.OwnershipOffered(owner, next);
        vm.prank(owner);
        rollup.offerOwnership(next);
        assertEq(rollup.owner(), owner);
        assertEq(rollup.pendingOwner(), next);
        vm.expectEmit(address(rollup));
        emit IRollup.OwnershipTransferred(owner, next);
        vm.prank(next);
        rollup.takeOwnership();
        assertEq(rollup.owner(), next);
        assertEq(rollup.pendingOwner(), address(0));
    }

    function test_ownerless_rollup_never_changes() public {
        announce(GAS, 13_000_000);
        vm.startPrank(owner);
        rollup.offerOwnership(makeAddr("next"));
        rollup.renounceOwnership();
        assertEq(rollup.owner(), address(0));
        assertEq(rollup.pendingOwner(), address(0));
        skip(UPGRADE_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotOwner.selector, owner));
        rollup.make(GAS, 13_000_000);
        vm.stopPrank();
        vm.prank(makeAddr("next"));
        vm.expectPartialRevert(IRollup.NotOwner.selector);
        rollup.takeOwnership();
    }
}
