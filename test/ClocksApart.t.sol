// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {PermissionedSequencing} from "../contracts/sequencing/PermissionedSequencing.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";
import {RealRollup} from "./utils/RealRollup.sol";

/// @dev Blocks that are advanced later than they are sealed, so that the clocks of L1 and L2
/// differ. The duties of a block, and how long they have been due, are determined by the timestamp
/// of the block; the time at which something was sent or submitted is that of L1.
contract ClocksApartTest is RealRollup {
    using L2 for L2.Chain;

    /// @dev Seconds between sealing a block and advancing it.
    uint64 private constant LAG = 1000;
    uint128 private constant GENEROUS = 100 gwei;

    /// @dev Advances by a sealed block, `LAG` seconds later.
    function advanceLate(bytes memory input, IRollup.Evidence memory e) private {
        skip(LAG);
        rollup.advance(one(input), e);
        assertHead();
        assertEq(rollup.head().timestamp + LAG, vm.getBlockTimestamp());
    }

    /// @dev Waits until the last second before forced transactions are due, plus `more`.
    function untilForced(uint256 more) private {
        skip(rollup.duties().forcedDue + more - 1 - vm.getBlockTimestamp());
    }

    function expectRefusedLate(bytes memory input, IRollup.Evidence memory e, bytes memory error_)
        private
    {
        skip(LAG);
        expectRefused(input, e, error_);
    }

    // ------------------------------------------------------------------ forced transactions

    function test_discharge_times_are_those_of_their_clocks() public {
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        skip(FORCED_DELAY);
        uint64 sealedAt = uint64(vm.getBlockTimestamp());
        l2.raw(raw);
        advanceLate(l2.seal(), one(discharge(t, IRollup.Outcome.Included)));
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.forcedFirstSince, sealedAt);
        assertEq(d.forcedDue, sealedAt + LAG + FORCED_DELAY);
    }

    function test_empty_queues_are_due_from_l1_time_on() public {
        skip(FORCED_DELAY);
        uint64 sealedAt = uint64(vm.getBlockTimestamp());
        bytes memory input = l2.seal();
        vm.expectEmit(address(rollup));
        emit IRollup.RelayProven(0, sealedAt + LAG);
        advanceLate(input, none());
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.forcedDue, sealedAt + LAG + FORCED_DELAY);
        assertEq(d.relayDue, sealedAt + LAG + RELAY_DEADLINE);
    }

    /// @dev A second before they are due on the L2; when advanced, they are due on L1.
    function test_blocks_before_duties_owe_nothing() public {
        submit(signedTransfer("alice", 0, GENEROUS));
        untilForced(0);
        advanceLate(l2.seal(), none());
        assertEq(rollup.duties().forcedNext, 0);
    }

    function test_removal_before_l2_due_time_is_rejected() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 7, GENEROUS));
        skip(FORCED_DELAY - 1);
        IL2.Head memory parent = l2.head;
        expectRefusedLate(
            l2.seal(),
            one(discharge(t, IRollup.Outcome.Invalid)),
            abi.encodeWithSelector(IRollup.NotDue.selector, 0, t.submittedAt + FORCED_DELAY)
        );
        l2.head = parent;
        advanceLate(l2.seal(), one(discharge(t, IRollup.Outcome.Invalid)));
    }

    /// @dev A block that includes a transaction early does not have to include another, so it need
    /// not prove when that one is due.
    function test_early_inclusion_requires_no_second_transaction() public {
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        submit(signedTransfer("alice", 1, GENEROUS));
        untilForced(0);
        l2.raw(raw);
        advanceLate(l2.seal(), one(discharge(t, IRollup.Outcome.Included)));
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.forcedNext, 1);
        assertEq(d.forcedDue, t.submittedAt + FORCED_DELAY);
    }

    /// @dev The grace period ends by the clock of the L2; afterwards the gas of other transactions
    /// is no excuse.
    function test_grace_ends_by_l2_time() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, GENEROUS));
        skip(FORCED_DELAY + FORCED_GRACE - 1);
        IL2.Head memory parent = l2.head;
        IL2.Block memory b = fullBlock();
        bytes memory input = l2.seal(b);
        uint256 state = vm.snapshotState();
        advanceLate(input, one(discharge(t, IRollup.Outcome.NoRoom)));
        vm.revertToState(state);
        l2.head = parent;
        skip(1);
        expectRefusedLate(
            l2.seal(fullBlock()),
            one(discharge(t, IRollup.Outcome.NoRoom)),
            abi.encodeWithSelector(IRollup.RoomLeft.selector, 0)
        );
    }

    /// @dev Returns a block that leaves less gas than a transfer needs.
    function fullBlock() private returns (IL2.Block memory b) {
        // A creation that runs INVALID uses all its gas.
        IL2.Transaction memory t = L2.transaction("bob", address(0), 0, hex"fe");
        t.create = true;
        t.gasLimit = l2.head.gasLimit - 10_000;
        l2.send(t);
        return l2.next();
    }

    // ------------------------------------------------------------------ relays

    /// @dev A block that relays is excused from due forced transactions; their expiry is counted
    /// from its timestamp.
    function test_relaying_block_postpones_forced_duty_by_l2_time() public {
        send(bob, 1, 0, "");
        submit(signedTransfer("alice", 0, GENEROUS));
        skip(FORCED_DELAY);
        uint64 sealedAt = uint64(vm.getBlockTimestamp());
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        advanceLate(input, e);
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.relayed, 1);
        assertEq(d.forcedFirstSince, sealedAt);
        assertEq(d.relayDue, sealedAt + LAG + RELAY_DEADLINE);
    }

    /// @dev The second message is due on L1 when the block is advanced, but was not when it was
    /// sealed.
    function test_second_message_is_overdue_by_l2_time() public {
        send(bob, 1, 0, "");
        skip(LAG / 2);
        send(bob, 2, 0, "");
        uint64 second = uint64(vm.getBlockTimestamp());
        skip(RELAY_DEADLINE - 1);
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor(states[1]);
        sent.pop();
        queueRelay(false);
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        advanceLate(input, e);
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.relayed, 1);
        assertEq(d.relayDue, second + RELAY_DEADLINE);
    }

    // ------------------------------------------------------------------ who may advance

    /// @dev The head has left a forced transaction undone for less than `OPEN_AFTER` by its own
    /// timestamp. A longer time by the clock of L1 does not open the rollup.
    function test_overdue_duties_open_by_time_of_head() public {
        send(bob, 1, 0, "");
        submit(signedTransfer("alice", 0, GENEROUS));
        untilForced(OPEN_AFTER);
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        advanceLate(input, e);

        PermissionedSequencing policy = new PermissionedSequencing(alice, bob, OPEN_AFTER);
        bytes32 rules = vm.load(address(rollup), bytes32(uint256(3)));
        vm.store(
            address(rollup), bytes32(uint256(3)), rules | bytes32(uint256(uint160(address(policy))))
        );
        uint64 head = rollup.head().timestamp;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector,
                address(this),
                alice,
                head + OPEN_AFTER
            )
        );
        rollup.advance(inputs, none());
    }

    /// @dev The policy receives the timestamp of the head and the calling account.
    function test_policy_is_called_with_head_timestamp() public {
        advanceLate(l2.seal(), none());
        PermissionedSequencing policy = new PermissionedSequencing(alice, address(0), OPEN_AFTER);
        bytes32 rules = vm.load(address(rollup), bytes32(uint256(3)));
        vm.store(
            address(rollup), bytes32(uint256(3)), rules | bytes32(uint256(uint160(address(policy))))
        );
        bytes memory call_ =
            abi.encodeCall(PermissionedSequencing.authorize, (alice, rollup.head().timestamp));
        skip(12);
        bytes[] memory inputs = one(l2.seal());
        vm.expectCall(address(policy), call_);
        vm.prank(alice);
        rollup.advance(inputs, none());
    }
}
