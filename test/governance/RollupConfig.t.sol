// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Configuration of a rollup: the delays are consistent, and the queues belong to the rollup.
contract RollupConfigTest is RealRollup {
    address internal owner = makeAddr("owner");
    IRollup.Config internal altered;
    bool internal isAltered;
    uint64 internal pauseOfGuardian;

    function guardian() internal view override returns (IL1MessageQueue.Guardian memory g) {
        if (pauseOfGuardian != 0) (g.account, g.pause) = (address(1), pauseOfGuardian);
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = isAltered ? altered : super.config();
        c.messageQueue = address(queue);
        c.forced = address(inbox);
    }

    function expectNot(IRollup.Config memory c, bytes4 selector) internal {
        altered = c;
        isAltered = true;
        vm.expectPartialRevert(selector);
        this.redeploy();
    }

    function redeploy() external {
        deploy();
    }

    function test_delays_must_leave_room_for_one_another() public {
        IRollup.Config memory c = super.config();
        bytes4 selector = IRollup.DelaysInconsistent.selector;
        c.openAfter = MAX_LAG;
        expectNot(c, selector);
        c = super.config();
        c.relayDeadline = MAX_LAG;
        expectNot(c, selector);
        c = super.config();
        c.maxLag = FORCED_DELAY;
        c.openAfter = FORCED_DELAY + 1;
        c.relayDeadline = FORCED_DELAY + 1;
        expectNot(c, selector);
        c = super.config();
        // One second less than a day is left until the expiry when any account may advance.
        c.openAfter = FORCED_EXPIRY - MAX_LAG - 1 days + 1;
        expectNot(c, selector);
        c = super.config();
        c.relayDeadline = type(uint32).max;
        expectNot(c, selector);
        c = super.config();
        uint64 exit = 1 days + FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days;
        c.upgradeDelay = exit - 1;
        expectNot(c, selector);
        c.upgradeDelay = exit;
        altered = c;
        deploy();
        assertEq(rollup.UPGRADE_DELAY(), exit);
    }

    /// @dev An exit may have to wait until a pause ends.
    function test_longest_guardian_pause_counts_toward_exit_time() public {
        pauseOfGuardian = 3 days;
        IRollup.Config memory c = super.config();
        uint64 exit = 1 days + FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days;
        c.upgradeDelay = exit + 3 days - 1;
        expectNot(c, IRollup.DelaysInconsistent.selector);
        c.upgradeDelay = exit + 3 days;
        c.owner = owner;
        altered = c;
        deploy();

        // A day to notice it; if it is cleared late, it is made a day and a pause later.
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, 1);
        uint256 announcedAt = vm.getBlockTimestamp();
        skip(1 days);
        vm.expectRevert(abi.encodeWithSelector(IRollup.StillPending.selector, announcedAt + 1 days));
        rollup.clear(IRollup.Change.Policy, 1);
        skip(exit);
        rollup.clear(IRollup.Change.Policy, 1);
        assertEq(rollup.readyAt(IRollup.Change.Policy, 1), vm.getBlockTimestamp() + 4 days);
    }

    function test_queues_of_another_rollup_are_rejected() public {
        bytes memory header = GenesisHeaders.encode(l2.head);
        IRollup.Config memory c = super.config();
        c.messageQueue = address(queue);
        c.forced = address(inbox);
        vm.expectRevert(abi.encodeWithSelector(IRollup.QueueMismatch.selector, address(queue)));
        new NativeRollup(header, c);
    }

    function test_forced_queue_of_another_chain_is_rejected() public {
        IRollup.Config memory c = super.config();
        c.chainId = 1;
        expectNot(c, IRollup.QueueMismatch.selector);
    }
}
