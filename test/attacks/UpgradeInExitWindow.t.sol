// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ClosedPolicy} from "../utils/ClosedPolicy.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Rules that change before users can exit
/// @notice If an owner could change the rules immediately, no account could exit before rules that
/// prevent exits: a policy under which no account may advance, or a gas limit that is too low for a
/// withdrawal. Here a change is announced, and made after a delay that is longer than the slowest
/// exit: a forced transaction becomes due and must be included, another account than the operator
/// advances, and the claim depends on nobody. The delay is required of every configuration, so none
/// can be deployed that breaks this guarantee.
contract UpgradeInExitWindowTest is RealRollup {
    using L2 for L2.Chain;

    address internal owner = makeAddr("owner");

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.owner = owner;
    }

    function hostilePolicy() internal returns (uint256) {
        return uint160(address(new ClosedPolicy()));
    }

    function test_users_can_exit_before_announced_hostile_change() public {
        send(alice, 5 ether, 0, "");
        nextL1Block();
        bringOver();
        uint256 policy = hostilePolicy();
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, policy);
        uint256 ready = rollup.readyAt(IRollup.Change.Policy, policy);

        // Alice notices it later; nobody includes the transactions that she sends on the L2.
        skip(1 hours);
        IL2.Transaction memory t = L2.transaction(
            "alice", MESSENGER, 5 ether, abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""))
        );
        t.gasLimit = 300_000;
        bytes memory raw = l2.sign(t);
        IRollup.ForcedTransaction memory forced = submit(raw);
        skip(FORCED_DELAY + FORCED_GRACE + OPEN_AFTER);
        advanceIncluding(forced, raw);
        uint256 before = bob.balance;
        queue.claim(
            IL1MessageQueue.Message(alice, bob, bob, 5 ether, 0, 0, 0, ""), messageProof(0), bob
        );
        assertEq(bob.balance - before, 5 ether);
        assertLt(vm.getBlockTimestamp(), ready);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotReady.selector, ready));
        rollup.make(IRollup.Change.Policy, policy);
    }

    /// @dev Users who notice an announcement late have the whole delay minus the exit time.
    function test_change_waits_for_exit_submitted_days_later() public {
        send(alice, 5 ether, 0, "");
        nextL1Block();
        bringOver();
        uint256 policy = hostilePolicy();
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, policy);
        uint256 ready = rollup.readyAt(IRollup.Change.Policy, policy);
        uint256 wayOut = FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days;
        uint256 until = ready - wayOut;

        vm.warp(until);
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory forced = submit(raw);
        skip(FORCED_DELAY + FORCED_GRACE);
        vm.expectRevert(abi.encodeWithSelector(IRollup.StillPending.selector, until));
        rollup.clear(IRollup.Change.Policy, policy);

        // Once a block includes it, the change is cleared, and made a day later.
        advanceIncluding(forced, raw);
        nextL1Block();
        advance();
        rollup.clear(IRollup.Change.Policy, policy);
        assertLe(vm.getBlockTimestamp() + 1 days, ready);
        vm.warp(ready);
        vm.prank(owner);
        rollup.make(IRollup.Change.Policy, policy);
    }

    /// @dev Counterpart: later submissions delay nothing.
    function test_change_does_not_wait_for_late_submissions() public {
        uint256 policy = hostilePolicy();
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, policy);
        uint256 ready = rollup.readyAt(IRollup.Change.Policy, policy);
        uint256 wayOut = FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days;
        vm.warp(ready - wayOut + 1);
        vm.roll(vm.getBlockNumber() + 1);
        advance();
        submit(signedTransfer("alice", 0, 100 gwei));
        skip(1);
        rollup.clear(IRollup.Change.Policy, policy);
    }
}
