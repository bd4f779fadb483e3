// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {RealRollup} from "../utils/RealRollup.sol";

contract RelayDutyTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant TO = address(0xaaaa);

    function assertDuties(uint64 relayed, uint256 due) internal view {
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.relayed, relayed);
        assertEq(d.relayDue, due);
    }

    function test_eth_sent_on_l1_arrives_on_l2() public {
        send(TO, 5 ether, 0, "");
        nextL1Block();
        bringOver();
        assertHead();
        assertEq(l2.balanceOf(TO), 5 ether);
        assertEq(l2.balanceOf(MESSENGER), PREMINT - 5 ether);
        assertEq(address(queue).balance, 5 ether);
        assertEq(rollup.head().messageCount, 1);
    }

    function test_nothing_is_required_before_deadline() public {
        send(TO, 1, 0, "");
        skip(RELAY_DEADLINE - 2 * MAX_LAG);
        advance();
        advance();
        assertHead();
    }

    function test_overdue_message_stops_chain_until_relayed() public {
        send(TO, 1, 0, "");
        skip(RELAY_DEADLINE);

        IL2.Head memory parent = l2.head;
        bytes memory late = l2.seal();
        expectRefused(late, none(), abi.encodeWithSelector(IRollup.RelayProofMissing.selector, 0));
        uint64 due = states[1].timestamp + RELAY_DEADLINE;
        expectRefused(
            late, relayProof(), abi.encodeWithSelector(IRollup.MessagesOverdue.selector, 0, due)
        );

        // The same block including the message.
        l2.head = parent;
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        rollup.advance(one(input), e);
        assertHead();
        assertDuties(1, vm.getBlockTimestamp() + RELAY_DEADLINE);
        assertEq(l2.balanceOf(TO), 1);
    }

    function test_idle_queue_extends_relay_deadline_without_proof() public {
        skip(RELAY_DEADLINE);
        assertDuties(0, 1_700_000_000 + RELAY_DEADLINE);
        advance();
        assertDuties(0, vm.getBlockTimestamp() - 12 + RELAY_DEADLINE);
        assertHead();
    }

    function test_queue_is_not_called_before_due_time() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        nextL1Block();
        l2.raw(raw);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        assertDuties(0, 1_700_000_000 + RELAY_DEADLINE);
    }

    /// @dev Messages come first by the known lower bounds; but the proof shows that none is due, so
    /// nothing was done for them.
    function test_proof_without_progress_does_not_excuse() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        nextL1Block();
        l2.raw(raw);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        nextL1Block();
        raw = signedTransfer("alice", 1, 100 gwei);
        t = submit(raw);
        nextL1Block();
        skip(6 hours);
        send(TO, 1, 0, "");
        skip(FORCED_DELAY - 6 hours - 12);
        assertLt(rollup.duties().relayDue, rollup.duties().forcedDue);

        IL2.Head memory parent = l2.head;
        input = l2.seal();
        expectRefused(
            input,
            relayProof(),
            abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 1)
        );
        l2.head = parent;
        l2.raw(raw);
        input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Included));
        e.relays = relayProof().relays;
        rollup.advance(one(input), e);
        assertDuties(0, states[1].timestamp + RELAY_DEADLINE);
    }

    function test_unknown_queue_state_cannot_be_anchored() public {
        send(TO, 1, 0, "");
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        bytes memory input = l2.seal(anchor);
        e.updates[0].messageRoot = keccak256("another message");
        expectRefused(
            input,
            e,
            abi.encodeWithSelector(
                IRollup.CheckpointUnknown.selector, states[1].id, 1, e.updates[0].messageRoot
            )
        );
        e.updates[0].messageRoot = states[1].root;
        e.updates[0].l1BlockNumber = states[1].l1Block - 1;
        expectRefused(
            input,
            e,
            abi.encodeWithSelector(
                IRollup.CheckpointAfterAnchor.selector, states[1].l1Block, states[1].l1Block - 1
            )
        );
        e.updates[0].l1BlockNumber = states[1].l1Block;
        rollup.advance(one(input), e);
        assertHead();
    }

    function test_proof_shows_due_time_of_next_message() public {
        send(TO, 1, 0, "");
        nextL1Block();
        bringOver();
        skip(1000);
        send(TO, 2, 0, "");
        uint64 second = states[2].timestamp;
        skip(1000);
        send(TO, 3, 0, "");
        nextL1Block();
        // A proof may accompany any block.
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = relayProof();
        vm.expectEmit(address(rollup));
        emit IRollup.RelayProven(1, second);
        rollup.advance(one(input), e);
        assertDuties(1, second + RELAY_DEADLINE);
    }

    function test_only_checkpoints_around_count_are_accepted() public {
        for (uint256 i = 0; i < 3; ++i) {
            send(TO, 1, 0, "");
            nextL1Block();
        }
        bringOver();
        send(TO, 1, 0, "");
        send(TO, 1, 0, "");
        nextL1Block();
        send(TO, 1, 0, "");
        nextL1Block();
        bytes memory input = l2.seal();
        bytes memory error_ =
            abi.encodeWithSelector(IL1MessageQueue.CheckpointsDoNotEnclose.selector, 3);
        expectRefused(input, relayProof(2), error_);
        expectRefused(input, relayProof(5), error_);
        expectRefused(input, relayProof(6), error_);
        IRollup.Evidence memory e = relayProof(3);
        e.relays[0].next = e.relays[0].before;
        expectRefused(input, e, error_);
        e = relayProof(3);
        ++e.relays[0].next.timestamp;
        expectRefused(input, e, error_);
        rollup.advance(one(input), relayProof(3));
        assertDuties(3, states[5].timestamp + RELAY_DEADLINE);
    }

    function test_count_without_proof_is_rejected() public {
        send(TO, 1, 0, "");
        nextL1Block();
        bringOver();
        bytes memory input = l2.seal();
        // The previous state.
        IRollup.Evidence memory e = relayProof();
        l2.transfer("bob", TO, 1);
        l2.seal();
        IRollup.Evidence memory later = relayProof();
        bytes[] memory inputs = one(input);
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        rollup.advance(inputs, later);
        e.relays[0].storageProof = new bytes[](0);
        vm.expectPartialRevert(StateProof.ProofIncomplete.selector);
        rollup.advance(inputs, e);
    }

    /// @dev This cannot happen; if it did, the rollup would not rely on it.
    function test_count_below_known_is_rejected() public {
        uint256 duties = uint256(vm.load(address(rollup), bytes32(uint256(4)))) | 5;
        vm.store(address(rollup), bytes32(uint256(4)), bytes32(duties));
        bytes memory input = l2.seal();
        expectRefused(
            input, relayProof(), abi.encodeWithSelector(IRollup.RelayedWentBack.selector, 0, 5)
        );
    }

    function test_evidence_for_missing_block_is_rejected() public {
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = relayProof();
        e.relays[0].index = 1;
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RelayProofUnused.selector, 0, 1));
        e.relays[0].index = 0;
        rollup.advance(one(input), e);
    }

    /// @dev Relays the first of the messages, with the hashes of the others.
    function relaySome(uint256 count) internal returns (IRollup.Evidence memory e) {
        bytes32 anchor;
        (e, anchor) = newAnchor();
        uint64 known = relayedCount();
        uint64 all = uint64(sent.length);
        if (known + count < all) {
            bytes32[] memory rest =
                MessageCodec.hashes(MessageCodec.slice(sent, known + count, all));
            bytes32 root = MessageCodec.fold(0, MessageCodec.slice(sent, 0, known + count));
            l2.callFrom(
                "operator", MESSENGER, abi.encodeCall(IL2Messenger.addWaypoint, (all, root, rest))
            );
        }
        bytes memory batch = MessageCodec.pack(MessageCodec.slice(sent, known, known + count));
        l2.callFrom("operator", MESSENGER, abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        l2.seal(anchor);
        assertEq(relayedCount(), known + count);
        e.relays = relayProof().relays;
    }

    /// @dev A late operator has to catch up by at least this many messages per block.
    function test_block_relays_at_least_four_overdue_messages() public {
        for (uint256 i = 0; i < 9; ++i) {
            send(TO, 1, 0, "");
            nextL1Block();
        }
        skip(RELAY_DEADLINE);
        IL2.Head memory parent = l2.head;
        IRollup.Evidence memory e = relaySome(3);
        bytes memory error_ = abi.encodeWithSelector(
            IRollup.MessagesOverdue.selector, 3, states[4].timestamp + RELAY_DEADLINE
        );
        expectRefused(L2.inputOf(l2.head.hash), e, error_);

        l2.head = parent;
        e = relaySome(4);
        rollup.advance(one(L2.inputOf(l2.head.hash)), e);
        assertDuties(4, states[5].timestamp + RELAY_DEADLINE);
        nextL1Block();
        e = relaySome(4);
        rollup.advance(one(L2.inputOf(l2.head.hash)), e);
        nextL1Block();
        // Fewer are sufficient if no more are pending.
        e = relaySome(1);
        rollup.advance(one(L2.inputOf(l2.head.hash)), e);
        assertDuties(9, vm.getBlockTimestamp() + RELAY_DEADLINE);
    }

    function test_anchor_is_limited_by_relayed_messages() public {
        for (uint256 i = 0; i < 256; ++i) {
            queue.send(TO, address(0), 0, 0, "");
        }
        assertFurthestAnchor();
    }

    /// @dev Asserts that an anchor with all messages is accepted, and refused with one more.
    function assertFurthestAnchor() private {
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        uint256 state = vm.snapshotState();
        rollup.advance(one(l2.seal(anchor)), e);
        vm.revertToState(state);

        queue.send(TO, address(0), 0, 0, "");
        nextL1Block();
        (e, anchor) = newAnchor();
        expectRefused(
            l2.seal(anchor), e, abi.encodeWithSelector(IRollup.AnchorTooFarAhead.selector, 257, 256)
        );
    }

    /// @dev Anchors do not raise the limit themselves: only messages proven to be relayed do.
    function test_second_anchor_is_limited_by_relayed_messages() public {
        for (uint256 i = 0; i < 200; ++i) {
            queue.send(TO, address(0), 0, 0, "");
        }
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        rollup.advance(one(l2.seal(anchor)), e);
        for (uint256 i = 0; i < 56; ++i) {
            queue.send(TO, address(0), 0, 0, "");
        }
        assertFurthestAnchor();
    }

    /// @dev The L2 knows of two messages, and has relayed one.
    function test_proof_event_names_relayed_messages_alone() public {
        send(TO, 1, 0, "");
        nextL1Block();
        bringOver();
        send(TO, 2, 0, "");
        uint64 second = uint64(vm.getBlockTimestamp());
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        vm.expectEmit(address(rollup));
        emit IRollup.RelayProven(1, second);
        rollup.advance(one(input), e);
        assertEq(rollup.head().messageCount, 2);
        assertDuties(1, second + RELAY_DEADLINE);
    }
}
