// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ForcedBuilder} from "../utils/ForcedBuilder.sol";
import {ClosedPolicy} from "../utils/ClosedPolicy.sol";

/// @title Queue that is filled before a change of the rules
/// @notice The queue of forced transactions is first in, first out, and each block resolves a
/// limited number. An operator that wants to prevent exits before a change of rules fills the
/// queue, for instance with hundreds of copies of one transaction, announces the change, and builds
/// no more blocks than it must. If only the delay before a change protected an exit, the length of
/// the queue and the rate of blocks would be decisive.
///
/// The operator does not control the rate of blocks: undone duties open the rollup to all accounts.
/// Copies use almost none of a block's budget. And a change waits for everything that was submitted
/// while its delay still covered the exit, however long that takes.
contract CopiesInTheQueueTest is ForcedBuilder {
    using L2 for L2.Chain;

    uint256 internal constant COPIES = 200;

    address internal owner = makeAddr("owner");
    address internal sequencer = address(this);
    PermissionedSequencing internal permissioned;
    uint256 internal policy;

    function setUp() public override {
        permissioned = new PermissionedSequencing(sequencer, address(0), OPEN_AFTER);
        policy = uint160(address(new ClosedPolicy()));
        super.setUp();
        send(alice, 5 ether, 0, "");
        nextL1Block();
        bringOver();
        bytes memory input = l2.seal();
        rollup.advance(one(input), relayProof());
        nextL1Block();
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        (c.owner, c.policy) = (owner, address(permissioned));
    }

    function exit() internal returns (bytes memory) {
        IL2.Transaction memory t = L2.transaction(
            "alice", MESSENGER, 5 ether, abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""))
        );
        (t.nonce, t.gasLimit) = (0, 300_000);
        return l2.sign(t);
    }

    function fillAndAnnounce() internal {
        bytes memory raw = signedTransfer("bob", 0, 100 gwei);
        for (uint256 i = 0; i < COPIES; ++i) {
            _force(raw);
        }
        _force(exit());
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, policy);
    }

    /// @dev Advances by a block that resolves the forced transactions that it must; the first of
    /// the copies are included, the others refer to them.
    function advanceForced(address who) internal {
        uint64 first = rollup.duties().forcedNext;
        uint256 end = first + 64 < forced.length ? first + 64 : forced.length;
        if (first == 0) l2.raw(forcedRaw[0]);
        if (end == forced.length) l2.raw(forcedRaw[end - 1]);
        IL2.Sealed memory b = l2.sealBlock(l2.next());
        IRollup.Evidence memory e;
        e.forced = new IRollup.ForcedBatch[](1);
        e.forced[0].discharges = new IRollup.Discharge[](end - first);
        for (uint256 i = 0; i < end - first; ++i) {
            IRollup.Discharge memory d = e.forced[0].discharges[i];
            d.transaction = forced[first + i];
            bool isExit = first + i == COPIES;
            bool isIn = isExit || first + i == 0;
            d.outcome = isIn ? IRollup.Outcome.Included : IRollup.Outcome.Invalid;
            if (isExit) d.position = uint64(b.transactionHashes.length - 1);
            else if (i == 0 && !isIn) d.accountProof = l2.prove(bob).nodes;
        }
        vm.prank(who);
        rollup.advance(one(b.input), e);
        nextL1Block();
        assertHead();
    }

    function claimExit() internal {
        uint256 before = bob.balance;
        queue.claim(
            IL1MessageQueue.Message(alice, bob, bob, 5 ether, 0, 0, 0, ""), messageProof(0), bob
        );
        assertEq(bob.balance - before, 5 ether);
    }

    function test_exit_queued_behind_copies_precedes_change() public {
        fillAndAnnounce();
        uint256 ready = rollup.readyAt(IRollup.Change.Policy, policy);
        skip(FORCED_DELAY);
        // One block of the operator at the last moment, then any account may resolve what is
        // overdue.
        advanceForced(sequencer);
        skip(OPEN_AFTER - 12);
        advanceForced(sequencer);
        assertEq(rollup.duties().forcedNext, 128);
        for (uint256 i = 0; i < 2; ++i) {
            advanceForced(makeAddr("anyone"));
        }
        assertEq(rollup.duties().forcedNext, COPIES + 1);
        claimExit();
        assertLt(vm.getBlockTimestamp(), ready - 4 days);
    }

    /// @dev A block that fulfils relay duties does not have to include forced transactions. Built
    /// at the last moment, it delays an exit once, and does not gain a second turn.
    function test_messages_postpone_exit_by_one_block_only() public {
        // The lower bound for messages is earlier than the one for forced transactions, so messages
        // come first.
        skip(rollup.duties().forcedDue - vm.getBlockTimestamp());
        advance();
        assertLt(rollup.duties().relayDue, rollup.duties().forcedDue);

        send(address(0xaaaa), 1, 0, "");
        nextL1Block();
        bytes memory raw = exit();
        IRollup.ForcedTransaction memory t = submit(raw);
        skip(FORCED_DELAY + OPEN_AFTER - 24);
        bringOver();
        assertEq(rollup.duties().forcedNext, 0);
        uint256 last = rollup.head().timestamp;

        // The operator again, just in time.
        send(address(0xaaaa), 1, 0, "");
        skip(OPEN_AFTER - 48);
        IL2.Head memory parent = l2.head;
        expectRefused(
            l2.seal(), none(), abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 0)
        );
        l2.head = parent;

        // By the end of that turn, any account may advance.
        skip(last + OPEN_AFTER - vm.getBlockTimestamp());
        l2.raw(raw);
        bytes memory input = l2.seal();
        vm.prank(makeAddr("anyone"));
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        assertLe(vm.getBlockTimestamp(), t.submittedAt + FORCED_DELAY + 2 * OPEN_AFTER);
        claimExit();
    }

    function test_overdue_duty_opens_rollup_until_done() public {
        fillAndAnnounce();
        skip(FORCED_DELAY);
        advanceForced(sequencer);
        // Not yet.
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.prank(bob);
        vm.expectPartialRevert(PermissionedSequencing.NotSequencer.selector);
        rollup.advance(inputs, none());
        l2.head = parent;
        skip(OPEN_AFTER - 12);
        advanceForced(sequencer);
        advanceForced(bob);
        advanceForced(bob);
        // The duty is done, and the policy applies again.
        inputs = one(l2.seal());
        vm.prank(bob);
        vm.expectPartialRevert(PermissionedSequencing.NotSequencer.selector);
        rollup.advance(inputs, none());
        rollup.advance(inputs, none());
    }

    function test_change_waits_for_entries_from_before_it() public {
        fillAndAnnounce();
        IRollup.Change change = IRollup.Change.Policy;
        uint256 until = vm.getBlockTimestamp() + UPGRADE_DELAY
            - (FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days);
        skip(FORCED_DELAY);
        advanceForced(sequencer);
        skip(UPGRADE_DELAY);
        bytes memory error_ = abi.encodeWithSelector(IRollup.StillPending.selector, until);
        vm.expectRevert(error_);
        rollup.clear(change, policy);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotCleared.selector, change, policy));
        rollup.make(change, policy);

        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(error_);
            rollup.clear(change, policy);
            advanceForced(bob);
        }
        uint256 ready = vm.getBlockTimestamp() + 1 days;
        vm.expectEmit(address(rollup));
        emit IRollup.ChangeCleared(change, policy, ready);
        rollup.clear(change, policy);
        vm.expectRevert(abi.encodeWithSelector(IRollup.AlreadyCleared.selector, change, policy));
        rollup.clear(change, policy);
        // And a day to claim.
        vm.warp(ready - 1);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotReady.selector, ready));
        rollup.make(change, policy);
        claimExit();
        vm.warp(ready);
        vm.prank(owner);
        rollup.make(change, policy);
    }

    /// @dev A third party cannot delay a change: later submissions do not count.
    function test_submission_after_exit_time_delays_nothing() public {
        IRollup.Change change = IRollup.Change.Policy;
        vm.prank(owner);
        rollup.announce(change, policy);
        skip(UPGRADE_DELAY - 1 days);
        vm.prank(sequencer);
        rollup.advance(one(l2.seal()), none());
        nextL1Block();
        _force(signedTransfer("bob", 0, 100 gwei));
        send(bob, 1, 0, "");
        skip(1 hours);
        rollup.clear(change, policy);
    }

    function test_message_before_announcement_also_blocks_change() public {
        IRollup.Change change = IRollup.Change.Policy;
        vm.prank(owner);
        rollup.announce(change, policy);
        send(bob, 1, 0, "");
        skip(UPGRADE_DELAY);
        vm.expectPartialRevert(IRollup.StillPending.selector);
        rollup.clear(change, policy);
        bringOver();
        rollup.clear(change, policy);
    }

    /// @dev If no account can advance, waiting helps no user.
    function test_lost_rollup_can_be_changed_despite_pending_entries() public {
        IRollup.Change change = IRollup.Change.Policy;
        vm.prank(owner);
        rollup.announce(change, policy);
        _force(exit());
        skip(rollup.head().timestamp + 60 days - 1 - vm.getBlockTimestamp());
        vm.expectPartialRevert(IRollup.StillPending.selector);
        rollup.clear(change, policy);
        skip(1);
        rollup.clear(change, policy);
    }
}
