// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title New queue entries just before `advance`
/// @notice An account that advances has built the block, and its evidence, from the state of L1 at
/// that time. It cannot know a message or a forced transaction that is ordered before `advance` in
/// the same L1 block. If the evidence were compared with the current state of the queues, anyone
/// could make an honest `advance` revert after it has paid for EXECUTE, in every L1 block, for the
/// price of a submission. So entries of the same L1 block are left to later blocks.
contract SameBlockSubmissionsTest is RealRollup {
    using L2 for L2.Chain;

    uint128 internal constant GENEROUS = 100 gwei;

    function frontRun(uint256 messages, uint256 transactions) internal {
        for (uint256 i = 0; i < messages; ++i) {
            send(address(0xbad), 1, 0, "");
        }
        for (uint256 i = 0; i < transactions; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            submit(signedTransfer("bob", uint64(i), GENEROUS));
        }
    }

    function test_message_before_block_without_messages_does_not_disturb() public {
        skip(RELAY_DEADLINE);
        bytes memory input = l2.seal();
        frontRun(1, 0);
        rollup.advance(one(input), none());
        assertHead();
        assertEq(rollup.duties().relayDue, vm.getBlockTimestamp() + RELAY_DEADLINE);
        // Later blocks must relay it.
        skip(RELAY_DEADLINE);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(abi.encodeWithSelector(IRollup.RelayProofMissing.selector, 0));
        rollup.advance(inputs, none());
    }

    /// @dev However many checkpoints the messages make.
    function testFuzz_messages_before_full_relay_proof_do_not_disturb(uint16 first, uint16 many)
        public
    {
        first = uint16(bound(first, 1, 300));
        many = uint16(bound(many, 1, 600));
        for (uint256 i = 0; i < first; ++i) {
            if (i % 100 == 99) nextL1Block();
            queue.send(address(1), address(0), 0, 0, "");
        }
        IL1MessageQueue.Checkpoint memory end = queue.checkpoint();
        nextL1Block();
        for (uint256 i = 0; i < many; ++i) {
            queue.send(address(1), address(0), 0, 0, "");
        }
        assertEq(queue.countBefore(), first);
        IL1MessageQueue.Checkpoint memory nothing;
        uint256 state = vm.snapshotState();
        vm.startPrank(address(rollup));
        assertEq(queue.settle(first, end, nothing), vm.getBlockTimestamp());
        vm.revertToState(state);
        vm.startPrank(address(rollup));
        assertEq(queue.settleIfIdle(first), vm.getBlockTimestamp());
        vm.stopPrank();
        // The oldest needed checkpoint is the one that was the newest before.
        assertEq(
            uint256(vm.load(address(queue), bytes32(uint256(1)))) >> 176 & 0xffffffffff, end.id
        );
        nextL1Block();
        assertEq(queue.countBefore(), uint256(first) + many);
        vm.prank(address(rollup));
        assertEq(queue.settleIfIdle(first), 0);
    }

    function test_message_before_relay_proof_does_not_disturb() public {
        send(bob, 1, 0, "");
        skip(RELAY_DEADLINE);
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        frontRun(1, 0);
        rollup.advance(one(input), e);
        assertHead();
        assertEq(rollup.duties().relayed, 1);
    }

    function test_transaction_before_block_without_forced_does_not_disturb() public {
        skip(FORCED_DELAY);
        bytes memory input = l2.seal();
        frontRun(0, 2);
        rollup.advance(one(input), none());
        assertHead();
        assertEq(rollup.duties().forcedDue, vm.getBlockTimestamp() + FORCED_DELAY);
        skip(FORCED_DELAY);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 0));
        rollup.advance(inputs, none());
    }

    function test_transaction_before_complete_batch_does_not_disturb() public {
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        skip(FORCED_DELAY);
        l2.raw(raw);
        bytes memory input = l2.seal();
        frontRun(0, 1);
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
        assertEq(rollup.duties().forcedDue, vm.getBlockTimestamp() + FORCED_DELAY);
    }
}
