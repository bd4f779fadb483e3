// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {ExitFixture} from "./ExitFixture.sol";

/// @dev No attacker closes a rollup that a single account keeps alive.
contract CloseAttacksTest is ExitFixture {
    using L2 for L2.Chain;

    address internal guard = makeAddr("guardian");
    address internal sequencer = makeAddr("sequencer");
    address internal policy;

    function guardian() internal view override returns (IL1MessageQueue.Guardian memory) {
        return IL1MessageQueue.Guardian(guard, 3 days, 0);
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.policy = policy;
    }

    function expectNotLost() internal {
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        vm.expectPartialRevert(IRollupExit.NotLost.selector);
        exit_.close(p.nodes, p.slots[0].nodes);
    }

    /// @dev Anyone saves the rollup by a block in the last second, and may do so again.
    function save() internal {
        vm.prank(makeAddr("anyone"));
        rollup.advance(one(l2.seal()), none());
        assertHead();
        skip(LOST_AFTER - 1);
        expectNotLost();
        vm.prank(makeAddr("anyone"));
        rollup.advance(one(l2.seal()), none());
        skip(1);
        expectNotLost();
    }

    /// @dev The only sequencer, or the builders of L1, include nothing of others until then.
    function test_censoring_sequencer_cannot_close() public {
        policy = address(new PermissionedSequencing(sequencer, address(0), OPEN_AFTER - 1));
        setUp();
        skip(LOST_AFTER - 1);
        expectNotLost();
        save();
    }

    /// @dev The blocks of the sequencer are on L1, or they are no blocks of the rollup: those who
    /// withhold its blobs withhold nothing that the next block needs, since `advance` verifies the
    /// input that its caller passes.
    function test_withheld_data_cannot_close() public {
        BlobInputs.install();
        bytes[] memory posted = BlobInputs.post(one(l2.seal()), 602);
        rollup.advance(posted, none());
        vm.blobhashes(new bytes32[](0));
        skip(LOST_AFTER - 1);
        expectNotLost();
        save();
    }

    /// @dev A pause stops messages and large claims, and no block.
    function test_pausing_guardian_cannot_close() public {
        advance();
        vm.startPrank(guard);
        queue.pause();
        vm.stopPrank();
        skip(1 days);
        vm.expectPartialRevert(IL1MessageQueue.SendPaused.selector);
        queue.send{value: 1}(bob, bob, 0, 0, "");
        advance();
        skip(LOST_AFTER - 13);
        expectNotLost();
        save();
    }

    /// @dev Nor does it stop the exit.
    function test_pausing_guardian_cannot_stop_exits() public {
        l2.transfer("alice", bob, 1);
        advance();
        close();
        uint256 paid = l2.balanceOf(alice);
        vm.prank(guard);
        queue.pause();
        uint256 before = alice.balance;
        exitOf(alice);
        assertEq(alice.balance - before, paid);
    }

    /// @dev A message in each L1 block fills the ring of checkpoints, so that `send` accepts no
    /// more. The next block has to relay four of them, and no more.
    function test_full_ring_cannot_close() public {
        advance();
        for (uint256 i = 0; i < 5; ++i) {
            send(bob, 1, 0, "");
            nextL1Block();
        }
        while (tryToSend()) nextL1Block();
        skip(LOST_AFTER - 1 - (vm.getBlockTimestamp() - rollup.head().timestamp));
        expectNotLost();

        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor(states[4]);
        bytes memory batch = MessageCodec.pack(MessageCodec.slice(sent, 0, 4));
        l2.callFrom("operator", MESSENGER, abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        bytes[] memory inputs = one(l2.seal(anchor));
        e.relays = relayProof().relays;
        vm.prank(makeAddr("anyone"));
        rollup.advance(inputs, e);
        assertHead();
        skip(LOST_AFTER - 1);
        expectNotLost();
    }

    function tryToSend() internal returns (bool ok) {
        try queue.send(bob, bob, 0, 0, "") {
            ok = true;
        } catch (bytes memory reason) {
            // forge-lint: disable-next-line(unsafe-typecast)
            assertEq(bytes4(reason), IL1MessageQueue.CheckpointsExhausted.selector);
        }
    }
}
