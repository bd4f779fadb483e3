// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {ISequencing} from "../../contracts/interfaces/ISequencing.sol";
import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Lets one account advance, with the fees going to one account.
contract OnePolicy is ISequencing {
    address internal immutable WHO;
    address internal immutable FEES;

    error NotYou(address caller, uint64 headTimestamp);

    constructor(address who, address fees) {
        WHO = who;
        FEES = fees;
    }

    function authorize(address caller, uint64 headTimestamp) external view returns (address) {
        if (caller != WHO) revert NotYou(caller, headTimestamp);
        return FEES;
    }
}

contract RollupRulesTest is RealRollup {
    using L2 for L2.Chain;

    INativeRollup.Change internal constant POLICY = INativeRollup.Change.Policy;
    INativeRollup.Change internal constant GAS = INativeRollup.Change.GasLimit;
    INativeRollup.Change internal constant FORK = INativeRollup.Change.Fork;

    address internal owner = makeAddr("owner");
    INativeRollup.Config internal altered;
    bool internal isAltered;
    uint64 internal pauseOfGuardian;

    function guardian() internal view override returns (IL1MessageQueue.Guardian memory g) {
        if (pauseOfGuardian != 0) (g.account, g.pause) = (address(1), pauseOfGuardian);
    }

    function config() internal view override returns (INativeRollup.Config memory c) {
        c = isAltered ? altered : super.config();
        c.messageQueue = address(queue);
        c.forced = address(inbox);
        if (isAltered) return c;
        (c.owner, c.forkMode) = (owner, INativeRollup.ForkMode.Pinned);
    }

    function announce(INativeRollup.Change change, uint256 value) internal {
        vm.prank(owner);
        rollup.announce(change, value);
    }

    function make(INativeRollup.Change change, uint256 value) internal {
        announce(change, value);
        untilReady(change, value);
        vm.prank(owner);
        rollup.make(change, value);
    }

    // ------------------------------------------------------------------ the timelock

    function testFuzz_a_change_takes_as_long_as_the_way_out(uint256 early) public {
        early = bound(early, 1, UPGRADE_DELAY);
        uint256 policy = uint160(makeAddr("policy"));
        uint256 ready = vm.getBlockTimestamp() + UPGRADE_DELAY;
        vm.expectEmit(address(rollup));
        emit INativeRollup.ChangeAnnounced(POLICY, policy, ready);
        announce(POLICY, policy);
        assertEq(rollup.readyAt(POLICY, policy), ready);

        vm.warp(ready - 1 days);
        rollup.clear(POLICY, policy);
        assertEq(rollup.readyAt(POLICY, policy), ready);
        vm.warp(ready - early);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.NotReady.selector, ready));
        rollup.make(POLICY, policy);
        assertEq(rollup.policy(), address(0));

        vm.warp(ready);
        vm.expectEmit(address(rollup));
        emit INativeRollup.ChangeMade(POLICY, policy);
        vm.prank(owner);
        rollup.make(POLICY, policy);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.policy(), address(uint160(policy)));
        assertEq(rollup.readyAt(POLICY, policy), 0);
    }

    function test_a_change_is_made_once_and_not_for_ever() public {
        make(GAS, 13_000_000);
        vm.startPrank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.NotAnnounced.selector, GAS, 13_000_000)
        );
        rollup.make(GAS, 13_000_000);
        rollup.announce(GAS, 12_000_000);
        untilReady(GAS, 12_000_000);
        skip(14 days);
        uint256 state = vm.snapshotState();
        rollup.make(GAS, 12_000_000);
        vm.revertToState(state);
        skip(1);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.Stale.selector, vm.getBlockTimestamp() - 1)
        );
        rollup.make(GAS, 12_000_000);
        // Withdrawn, it can be announced anew.
        rollup.withdraw(GAS, 12_000_000);
        rollup.announce(GAS, 12_000_000);
        vm.stopPrank();
    }

    function test_what_was_announced_can_be_withdrawn() public {
        announce(GAS, 13_000_000);
        vm.startPrank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.AlreadyAnnounced.selector, GAS, 13_000_000)
        );
        rollup.announce(GAS, 13_000_000);
        vm.expectEmit(address(rollup));
        emit INativeRollup.ChangeWithdrawn(GAS, 13_000_000);
        rollup.withdraw(GAS, 13_000_000);
        skip(UPGRADE_DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.NotAnnounced.selector, GAS, 13_000_000)
        );
        rollup.make(GAS, 13_000_000);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.NotAnnounced.selector, GAS, 13_000_000)
        );
        rollup.withdraw(GAS, 13_000_000);
        vm.stopPrank();
    }

    /// @dev Else an announcement would find itself cleared, and be ready before what is on L1 then is done.
    function test_only_what_is_announced_can_be_cleared_and_only_once() public {
        bytes memory error_ =
            abi.encodeWithSelector(INativeRollup.NotAnnounced.selector, GAS, 13_000_000);
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
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.AlreadyCleared.selector, GAS, 13_000_000)
        );
        rollup.clear(GAS, 13_000_000);
    }

    /// @dev Seconds from an announcement to the change, less those of the way out.
    function window() internal view returns (uint256) {
        return UPGRADE_DELAY - (FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days);
    }

    /// @dev From the announcement on, what is on L1 within the window holds it up, to the second, and nothing
    /// later.
    function test_a_message_within_the_window_of_a_change_holds_it_up() public {
        uint256 until = vm.getBlockTimestamp() + window();
        sentAfterAnnouncement(until);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.StillPending.selector, until));
        rollup.clear(GAS, 13_000_000);
        bringOver();
        bytes memory input = l2.seal();
        rollup.advance(one(input), relayProof());
        rollup.clear(GAS, 13_000_000);
    }

    function test_a_message_a_second_later_does_not() public {
        sentAfterAnnouncement(vm.getBlockTimestamp() + window() + 1);
        rollup.clear(GAS, 13_000_000);
    }

    /// @dev And a block has shown when it was sent.
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

    function test_a_forced_transaction_within_the_window_of_a_change_holds_it_up() public {
        uint256 until = vm.getBlockTimestamp() + window();
        (INativeRollup.ForcedTransaction memory t, bytes memory raw) =
            submittedAfterAnnouncement(until);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.StillPending.selector, until));
        rollup.clear(GAS, 13_000_000);
        l2.raw(raw);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, INativeRollup.Outcome.Included)));
        rollup.clear(GAS, 13_000_000);
    }

    function test_a_forced_transaction_a_second_later_does_not() public {
        submittedAfterAnnouncement(vm.getBlockTimestamp() + window() + 1);
        rollup.clear(GAS, 13_000_000);
    }

    /// @dev Submits it as the second of two, so that a block shows when it was submitted.
    function submittedAfterAnnouncement(uint256 time)
        internal
        returns (INativeRollup.ForcedTransaction memory t, bytes memory raw)
    {
        announce(GAS, 13_000_000);
        bytes memory first = signedTransfer("alice", 0, 100 gwei);
        INativeRollup.ForcedTransaction memory before = submit(first);
        skip(time - vm.getBlockTimestamp());
        raw = signedTransfer("alice", 1, 100 gwei);
        t = submit(raw);
        nextL1Block();
        l2.raw(first);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(before, INativeRollup.Outcome.Included), t));
        assertEq(rollup.duties().forcedDue, time + FORCED_DELAY);
        nextL1Block();
    }

    // ------------------------------------------------------------------ the owner

    function testFuzz_only_the_owner_changes_anything(address who) public {
        vm.assume(who != owner && who != address(0));
        announce(GAS, 13_000_000);
        untilReady(GAS, 13_000_000);
        bytes memory error_ = abi.encodeWithSelector(INativeRollup.NotOwner.selector, who);
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
        emit INativeRollup.OwnershipOffered(owner, next);
        vm.prank(owner);
        rollup.offerOwnership(next);
        assertEq(rollup.owner(), owner);
        assertEq(rollup.pendingOwner(), next);
        vm.expectEmit(address(rollup));
        emit INativeRollup.OwnershipTransferred(owner, next);
        vm.prank(next);
        rollup.takeOwnership();
        assertEq(rollup.owner(), next);
        assertEq(rollup.pendingOwner(), address(0));
    }

    function test_without_an_owner_nothing_ever_changes() public {
        announce(GAS, 13_000_000);
        vm.startPrank(owner);
        rollup.offerOwnership(makeAddr("next"));
        rollup.renounceOwnership();
        assertEq(rollup.owner(), address(0));
        assertEq(rollup.pendingOwner(), address(0));
        skip(UPGRADE_DELAY);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.NotOwner.selector, owner));
        rollup.make(GAS, 13_000_000);
        vm.stopPrank();
        vm.prank(makeAddr("next"));
        vm.expectPartialRevert(INativeRollup.NotOwner.selector);
        rollup.takeOwnership();
    }

    // ------------------------------------------------------------------ policy

    function test_a_policy_says_who_advances_and_who_gets_the_fees() public {
        address sequencer = makeAddr("sequencer");
        make(POLICY, uint160(address(new OnePolicy(sequencer, bob))));
        advance(); // silent for so long that anyone may
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(
                OnePolicy.NotYou.selector, address(this), rollup.head().timestamp
            )
        );
        rollup.advance(inputs, none());
        vm.expectRevert(
            abi.encodeWithSelector(
                INativeRollup.FeeRecipientMismatch.selector, l2.head.feeRecipient, bob
            )
        );
        vm.prank(sequencer);
        rollup.advance(inputs, none());

        l2.head = parent;
        l2.feeRecipient = bob;
        inputs = one(l2.seal());
        vm.prank(sequencer);
        rollup.advance(inputs, none());
        assertHead();
    }

    function testFuzz_a_silent_sequencer_keeps_no_account_from_advancing(uint256 silence) public {
        silence = bound(silence, 0, 3 * OPEN_AFTER);
        make(POLICY, uint160(address(new OnePolicy(bob, address(0)))));
        advance();
        uint256 age = vm.getBlockTimestamp() + silence - rollup.head().timestamp;
        skip(silence);
        bytes[] memory inputs = one(l2.seal());
        if (age < OPEN_AFTER) vm.expectPartialRevert(OnePolicy.NotYou.selector);
        rollup.advance(inputs, none());
    }

    function test_a_broken_policy_stops_the_rollup_for_a_while_only() public {
        make(POLICY, uint160(makeAddr("no contract")));
        advance();
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert();
        rollup.advance(inputs, none());
        skip(OPEN_AFTER);
        l2.head = parent;
        advance();
        assertHead();
    }

    // ------------------------------------------------------------------ gas limit

    function test_the_gas_limit_moves_as_fast_as_ethereum_lets_it() public {
        make(GAS, 12_020_000);
        uint64 first = 12_000_000 + 11_717;
        assertEq(rollup.nextGasLimit(), first);
        uint256 blocks = 0;
        while (rollup.nextGasLimit() != 12_020_000 || l2.head.gasLimit != 12_020_000) {
            IL2.Block memory b = l2.next();
            b.gasLimit = rollup.nextGasLimit();
            rollup.advance(one(l2.seal(b)), none());
            nextL1Block();
            ++blocks;
        }
        assertEq(blocks, 2);
        (uint64 latest, uint64 target) = rollup.gasLimits();
        assertEq(latest, 12_020_000);
        assertEq(target, 12_020_000);
        make(GAS, 11_990_000);
        assertEq(rollup.nextGasLimit(), 12_020_000 - 11_737);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(
                INativeRollup.GasLimitMismatch.selector, 12_020_000, rollup.nextGasLimit()
            )
        );
        rollup.advance(inputs, none());
    }

    /// @dev A 1024th of 12,000,000 is 11,718.75, and a block must stay below that of its parent.
    function test_a_target_within_one_step_is_reached_by_one_block() public {
        uint24[4] memory near = [12_011_717, 11_988_283, 12_000_001, 11_999_999];
        for (uint256 i = 0; i < 4; ++i) {
            make(GAS, near[i]);
            assertEq(rollup.nextGasLimit(), near[i]);
        }
        make(GAS, 12_011_718);
        assertEq(rollup.nextGasLimit(), 12_011_717);
        make(GAS, 11_988_282);
        assertEq(rollup.nextGasLimit(), 11_988_283);
        // EXECUTE takes such a block, and none that goes further.
        IL2.Block memory b = l2.next();
        b.gasLimit = rollup.nextGasLimit();
        rollup.advance(one(l2.seal(b)), none());
        assertHead();
        bytes32 further = bytes32(uint256(b.gasLimit - 1));
        bytes memory input = L2.inputOf(l2.head.hash);
        (bool valid, string memory reason) =
            L2.verify(L2.broken(input, IL2.Field.GasLimit, further, true));
        assertFalse(valid, reason);
        (valid, reason) = L2.verify(input);
        assertTrue(valid, reason);
    }

    function test_a_gas_limit_that_could_not_hold_a_message_is_none() public {
        uint256 least = Messages.relayGas(1_000_000, 16_384);
        announce(GAS, least - 1);
        announce(GAS, 1 << 32);
        announce(GAS, 4999);
        announce(GAS, least);
        skip(UPGRADE_DELAY - 1 days);
        rollup.clear(GAS, least - 1);
        rollup.clear(GAS, 1 << 32);
        rollup.clear(GAS, 4999);
        rollup.clear(GAS, least);
        skip(1 days);
        vm.startPrank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.MessageCapsTooHigh.selector, least, least - 1)
        );
        rollup.make(GAS, least - 1);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.ChangeInvalid.selector, GAS, uint256(1) << 32)
        );
        rollup.make(GAS, 1 << 32);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.ChangeInvalid.selector, GAS, 4999));
        rollup.make(GAS, 4999);
        rollup.make(GAS, least);
        vm.stopPrank();
    }

    // ------------------------------------------------------------------ forks

    function fork(uint256 from, uint16 schema) internal pure returns (uint256) {
        return from << 16 | schema;
    }

    function test_a_fork_holds_from_its_time_on() public {
        uint256 from = vm.getBlockTimestamp() + UPGRADE_DELAY + 100;
        make(FORK, fork(from, L2.AMSTERDAM));
        assertEq(rollup.forkCount(), 2);
        assertEq(rollup.forks(0).schema, L2.OSAKA);
        assertEq(rollup.forks(1).schema, L2.AMSTERDAM);
        assertEq(rollup.forks(1).from, from);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from - 1)), L2.OSAKA);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from)), L2.AMSTERDAM);

        vm.warp(from - 1);
        rollup.advance(one(l2.seal()), none());
        vm.warp(from + 1);
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.SchemaMismatch.selector, L2.OSAKA, L2.AMSTERDAM)
        );
        rollup.advance(inputs, none());
        l2.head = parent;
        l2.schema = L2.AMSTERDAM;
        rollup.advance(one(l2.seal()), none());
        assertHead();
        assertEq(uint256(vm.load(address(rollup), bytes32(uint256(3)))) >> 240 & 0xff, 2);
        nextL1Block();
        advance();
        assertHead();
    }

    function test_a_fork_is_neither_in_the_past_nor_before_another_nor_of_an_older_schema_or_other_revision()
        public
    {
        uint256 time = vm.getBlockTimestamp() + UPGRADE_DELAY;
        make(FORK, fork(time + 1000, L2.AMSTERDAM));
        time += UPGRADE_DELAY;
        uint256[6] memory bad = [
            fork(time, L2.AMSTERDAM),
            fork(time - UPGRADE_DELAY + 1000, L2.AMSTERDAM),
            fork(time - 1, L2.AMSTERDAM),
            fork(1 << 48, L2.AMSTERDAM),
            fork(time + 1, L2.OSAKA),
            fork(time + 1, L2.AMSTERDAM + 1)
        ];
        for (uint256 i = 0; i < 6; ++i) {
            announce(FORK, bad[i]);
        }
        announce(FORK, fork(time + 1, L2.AMSTERDAM));
        vm.warp(time - 1 days);
        for (uint256 i = 0; i < 6; ++i) {
            rollup.clear(FORK, bad[i]);
        }
        rollup.clear(FORK, fork(time + 1, L2.AMSTERDAM));
        vm.warp(time);
        vm.startPrank(owner);
        for (uint256 i = 0; i < 6; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(INativeRollup.ChangeInvalid.selector, FORK, bad[i])
            );
            rollup.make(FORK, bad[i]);
        }
        rollup.make(FORK, fork(time + 1, L2.AMSTERDAM));
        vm.stopPrank();
    }

    /// @dev The schedule is counted in eight bits.
    function test_there_are_255_forks_and_no_256th() public {
        uint256 from = vm.getBlockTimestamp() + UPGRADE_DELAY;
        for (uint256 i = 1; i <= 255; ++i) {
            announce(FORK, fork(from + i, L2.AMSTERDAM));
        }
        skip(UPGRADE_DELAY - 1 days);
        for (uint256 i = 1; i <= 255; ++i) {
            rollup.clear(FORK, fork(from + i, L2.AMSTERDAM));
        }
        skip(1 days);
        vm.startPrank(owner);
        for (uint256 i = 1; i <= 254; ++i) {
            rollup.make(FORK, fork(from + i, L2.AMSTERDAM));
        }
        assertEq(rollup.forkCount(), 255);
        uint256 last = fork(from + 255, L2.AMSTERDAM);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.ChangeInvalid.selector, FORK, last));
        rollup.make(FORK, last);
        vm.stopPrank();
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from)), L2.OSAKA);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from + 255)), L2.AMSTERDAM);
    }

    function test_no_fork_has_an_older_schema_than_the_one_before() public {
        uint256 time = vm.getBlockTimestamp() + UPGRADE_DELAY;
        uint256 newer = fork(time + 1, L2.AMSTERDAM);
        uint256 older = fork(time + 2, L2.AMSTERDAM - 256);
        announce(FORK, older);
        announce(FORK, newer);
        skip(UPGRADE_DELAY - 1 days);
        rollup.clear(FORK, older);
        rollup.clear(FORK, newer);
        skip(1 days);
        vm.startPrank(owner);
        rollup.make(FORK, newer);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.ChangeInvalid.selector, FORK, older));
        rollup.make(FORK, older);
        vm.stopPrank();
        make(FORK, fork(time + UPGRADE_DELAY + 1, L2.AMSTERDAM));
    }

    function test_a_policy_is_an_address() public {
        announce(POLICY, 1 << 160);
        untilReady(POLICY, 1 << 160);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.ChangeInvalid.selector, POLICY, uint256(1) << 160)
        );
        rollup.make(POLICY, 1 << 160);
        make(POLICY, uint160(makeAddr("policy")));
        (uint64 latest, uint64 target) = rollup.gasLimits();
        assertEq(latest, 12_000_000);
        assertEq(target, 12_000_000);
        assertEq(rollup.schemaAt(uint64(vm.getBlockTimestamp())), L2.OSAKA);
        make(POLICY, 0);
        assertEq(rollup.policy(), address(0));
    }

    // ------------------------------------------------------------------ what a rollup is made with

    function expectNot(INativeRollup.Config memory c, bytes4 selector) internal {
        altered = c;
        isAltered = true;
        vm.expectPartialRevert(selector);
        this.redeploy();
    }

    function redeploy() external {
        deploy();
    }

    function test_delays_must_leave_room_for_one_another() public {
        INativeRollup.Config memory c = super.config();
        bytes4 selector = INativeRollup.DelaysInconsistent.selector;
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
        // A day to the expiry is left when anyone may advance.
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

    /// @dev An exit may have to wait for the end of a pause.
    function test_the_longest_pause_of_a_guardian_counts_for_the_way_out() public {
        pauseOfGuardian = 3 days;
        INativeRollup.Config memory c = super.config();
        uint64 exit = 1 days + FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days;
        c.upgradeDelay = exit + 3 days - 1;
        expectNot(c, INativeRollup.DelaysInconsistent.selector);
        c.upgradeDelay = exit + 3 days;
        c.owner = owner;
        altered = c;
        deploy();

        // A day to see it, and what is cleared late is made a day and a pause later.
        vm.prank(owner);
        rollup.announce(INativeRollup.Change.Policy, 1);
        uint256 announcedAt = vm.getBlockTimestamp();
        skip(1 days);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.StillPending.selector, announcedAt + 1 days)
        );
        rollup.clear(INativeRollup.Change.Policy, 1);
        skip(exit);
        rollup.clear(INativeRollup.Change.Policy, 1);
        assertEq(rollup.readyAt(INativeRollup.Change.Policy, 1), vm.getBlockTimestamp() + 4 days);
    }

    function test_queues_of_another_rollup_are_refused() public {
        bytes memory header = GenesisHeaders.encode(l2.head);
        INativeRollup.Config memory c = super.config();
        c.messageQueue = address(queue);
        c.forced = address(inbox);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.QueueMismatch.selector, address(queue))
        );
        new NativeRollup(header, c);
    }

    function test_a_forced_queue_of_another_chain_is_refused() public {
        INativeRollup.Config memory c = super.config();
        c.chainId = 1;
        expectNot(c, INativeRollup.QueueMismatch.selector);
    }
}
