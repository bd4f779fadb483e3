// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {HybridSequencing} from "../../contracts/sequencing/HybridSequencing.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {RotatingSequencing} from "../../contracts/sequencing/RotatingSequencing.sol";
import {RollupExit} from "../../contracts/exit/RollupExit.sol";
import {HybridFixture} from "../sequencing/preconf/HybridFixture.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Configured delays are bounded, or no sum with them wraps. If one wrapped, a delay that a
/// deployer sets to "never" would end at once. `Guard` bounds its pause, and `SendQueue` its ring.
contract DelayBoundsTest is RealRollup {
    using L2 for L2.Chain;

    uint64 private constant MOST = type(uint32).max;

    /// @dev Delays of the rollup and of the forced queue.
    enum Delay {
        MaxLag,
        OpenAfter,
        RelayDeadline,
        Upgrade,
        Forced,
        Grace,
        Expiry
    }

    /// @dev Values other than the usual ones; zero for the usual one.
    mapping(Delay => uint64) private values;
    address private owner = makeAddr("owner");

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.owner = owner;
        // The longest delays need many checkpoints or long slots.
        c.l1SlotMillis = type(uint64).max;
        c.maxLag = valueOf(Delay.MaxLag, c.maxLag);
        c.openAfter = valueOf(Delay.OpenAfter, c.openAfter);
        c.relayDeadline = valueOf(Delay.RelayDeadline, c.relayDeadline);
        c.upgradeDelay = valueOf(Delay.Upgrade, MOST);
    }

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.delay = valueOf(Delay.Forced, c.delay);
        c.grace = valueOf(Delay.Grace, c.grace);
        c.expiry = valueOf(Delay.Expiry, c.expiry);
    }

    function valueOf(Delay kind, uint64 usual) private view returns (uint64) {
        return values[kind] == 0 ? usual : values[kind];
    }

    function redeploy() external {
        deploy();
    }

    function expectTooLong(Delay kind, uint64 value) private {
        values[kind] = value;
        vm.expectPartialRevert(IRollup.DelaysInconsistent.selector);
        this.redeploy();
        values[kind] = 0;
    }

    function test_every_delay_has_upper_bound() public {
        for (uint8 kind = 0; kind <= uint8(type(Delay).max); ++kind) {
            expectTooLong(Delay(kind), type(uint64).max);
            expectTooLong(Delay(kind), 1 << 48);
            expectTooLong(Delay(kind), MOST + 1);
        }
    }

    function test_sum_of_delays_fits_32_bits() public {
        uint64[4] memory usual = [RELAY_DEADLINE, FORCED_DELAY, FORCED_GRACE, FORCED_EXPIRY];
        Delay[4] memory kinds = [Delay.RelayDeadline, Delay.Forced, Delay.Grace, Delay.Expiry];
        uint64 spare = MOST - usual[0] - usual[1] - usual[2] - usual[3];
        for (uint256 i = 0; i < kinds.length; ++i) {
            expectTooLong(kinds[i], usual[i] + spare + 1);
            values[kinds[i]] = usual[i] + spare;
            deploy();
            IRollup.Duties memory d = rollup.duties();
            assertEq(d.relayDue, vm.getBlockTimestamp() + rollup.RELAY_DEADLINE());
            assertEq(d.forcedDue, vm.getBlockTimestamp() + inbox.DELAY());
            values[kinds[i]] = 0;
        }
    }

    /// @dev With 2^64 - 1 seconds, the change would be ready at once, and nothing pending would
    /// delay it.
    function test_longest_upgrade_delay_is_waited_for() public {
        expectTooLong(Delay.Upgrade, MOST + 1);
        values[Delay.Upgrade] = MOST;
        deploy();
        uint256 time = vm.getBlockTimestamp();
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, 1);
        IRollup.Announcement memory a = rollup.announcements()[0];
        assertEq(a.readyAt, time + MOST);
        assertGt(a.clearUntil, time + 1 days);
    }

    function test_longest_time_of_lost_rollup_never_ends() public {
        RollupExit exit_ = new RollupExit(address(queue), type(uint64).max);
        uint256 from = vm.getBlockTimestamp() + type(uint64).max;
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        vm.expectRevert(abi.encodeWithSelector(IRollupExit.NotLost.selector, from));
        exit_.close(p.nodes, p.slots[0].nodes);
        vm.warp(from);
        exit_.close(p.nodes, p.slots[0].nodes);
    }

    function test_longest_timeout_of_policy_never_ends() public {
        uint64 maximum = type(uint64).max;
        PermissionedSequencing policy = new PermissionedSequencing(bob, address(0), maximum);
        uint64 head = l2.head.timestamp;
        assertEq(policy.opensAt(head), uint256(head) + maximum);
        vm.expectRevert(
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector, alice, bob, uint256(head) + maximum
            )
        );
        policy.authorize(alice, head);
        policy.authorize(bob, head);
    }

    function test_longest_slot_of_sequencer_never_ends() public {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (alice, bob);
        uint64 maximum = type(uint64).max;
        uint64 start = uint64(vm.getBlockTimestamp());
        RotatingSequencing policy = new RotatingSequencing(list, start, maximum, maximum);
        assertEq(policy.slotEnd(start), uint256(start) + maximum);
        assertEq(policy.memberAt(uint256(start) + maximum - 1), alice);
        assertEq(policy.memberAt(uint256(start) + maximum), bob);
    }
}

/// @dev Policy under which no block is ever old enough to be posted by any account.
contract EndlessPostDelayTest is HybridFixture {
    function makePolicy() internal override returns (HybridSequencing) {
        return
            new HybridSequencing(
                sequencer, L2.account("fees"), TIMEOUT, type(uint64).max, bonds, BOND
            );
    }

    function test_longest_post_delay_never_ends() public {
        bytes[] memory inputs = seal(1);
        uint256 from = uint256(l2.head.timestamp) + type(uint64).max;
        expectPostRefused(
            inputs, abi.encodeWithSelector(HybridSequencing.PostTooSoon.selector, from)
        );
        advanceBy(sequencer, inputs);
        assertHead();
    }
}
