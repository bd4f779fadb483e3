// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {L1History} from "../contracts/libraries/L1History.sol";
import {AnchorFixture} from "./utils/AnchorFixture.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";

contract NativeRollupAnchorTest is AnchorFixture {
    using L2 for L2.Chain;

    function setUp() public override {
        super.setUp();
        queue.send(address(3), address(0), 0, 0, "");
        queue.send(address(3), address(0), 0, 0, "");
        nextL1Block();
    }

    function latest() internal view returns (uint64) {
        return uint64(vm.getBlockNumber() - 1);
    }

    /// @dev Returns the next block with this anchor, without making it the head of the L2.
    function blockWith(bytes32 anchor) internal returns (bytes[] memory inputs) {
        IL2.Head memory parent = l2.head;
        l2.transfer("alice", bob, 1);
        inputs = one(l2.seal(anchor));
        l2.head = parent;
    }

    /// @dev Asserts that a block with the anchor of the update becomes the head, and reverts that.
    function expectAccepted(IRollup.AnchorUpdate memory update, bytes32 l1Hash) internal {
        bytes[] memory inputs = blockWith(anchorOf(update, l1Hash));
        uint256 state = vm.snapshotState();
        rollup.advance(inputs, one(update));
        assertEq(rollup.anchor(), anchorOf(update, l1Hash));
        assertEq(rollup.head().anchorNumber, update.l1BlockNumber);
        vm.revertToState(state);
    }

    function expectRefused(IRollup.AnchorUpdate memory update, bytes memory error_) internal {
        bytes[] memory inputs = blockWith(l2.head.anchor);
        vm.expectRevert(error_);
        rollup.advance(inputs, one(update));
    }

    function expectUnavailable(uint64 number) internal {
        IRollup.AnchorUpdate memory update =
            updateTo(number, IL1MessageQueue.Checkpoint(0, 0, 0, 0, 0));
        expectRefused(
            update,
            abi.encodeWithSelector(
                L1History.L1BlockUnavailable.selector, number, vm.getBlockNumber()
            )
        );
    }

    /// @dev Sets an anchor in force that names this block and covers this many messages.
    function setInForce(uint64 anchorNumber, uint64 messageCount) internal {
        uint256 mask = ((1 << 88) - 1) << 88;
        uint256 head = uint256(vm.load(address(rollup), 0)) & ~mask;
        head |= uint256(anchorNumber) << 88 | uint256(messageCount) << 128;
        vm.store(address(rollup), 0, bytes32(head));
        assertEq(rollup.head().anchorNumber, anchorNumber);
        assertEq(rollup.head().messageCount, messageCount);
    }

    // ---------------------------------------------------------------- the block

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_any_of_last_256_blocks_can_be_anchored(uint64 back, bytes32 hash) public {
        vm.assume(hash != 0);
        vm.roll(21_000);
        uint64 number = 21_000 - uint64(bound(back, 1, 256));
        vm.setBlockhash(number, hash);
        vm.etch(HISTORY, "");
        expectAccepted(updateTo(number), hash);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_any_of_last_8191_blocks_can_be_anchored(uint64 back, bytes32 hash) public {
        vm.assume(hash != 0);
        vm.roll(40_000);
        uint64 number = 40_000 - uint64(bound(back, 257, 8191));
        recordBlockHash(number, hash);
        expectAccepted(updateTo(number), hash);
    }

    function test_older_blocks_cannot_be_named() public {
        vm.roll(40_000);
        recordBlockHash(40_000 - 8191, keccak256("hash"));
        expectAccepted(updateTo(40_000 - 8191), keccak256("hash"));
        recordBlockHash(40_000 - 8192, keccak256("hash"));
        expectUnavailable(40_000 - 8192);
        expectUnavailable(40_000 - 8000); // never recorded, as before the fork

        vm.etch(HISTORY, "");
        expectUnavailable(40_000 - 257);
        vm.setBlockhash(40_000 - 256, keccak256("hash"));
        expectAccepted(updateTo(40_000 - 256), keccak256("hash"));
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_current_and_future_blocks_cannot_be_anchored(uint64 number) public {
        number = uint64(bound(number, vm.getBlockNumber(), type(uint64).max));
        expectUnavailable(number);
        expectAccepted(updateTo(latest()), blockhash(latest()));
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_anchored_block_number_never_decreases(uint64 inForce, uint64 number) public {
        inForce = uint64(bound(inForce, vm.getBlockNumber() - 200, latest()));
        number = uint64(bound(number, 0, inForce - 1));
        setInForce(inForce, 0);
        expectRefused(
            updateTo(number),
            abi.encodeWithSelector(IRollup.AnchorNumberWentBack.selector, number, inForce)
        );
        setInForce(latest(), 0);
        expectAccepted(updateTo(latest()), blockhash(latest()));
    }

    // ---------------------------------------------------------------- the messages

    function test_message_count_never_goes_back() public {
        setInForce(0, 3);
        expectRefused(
            updateTo(latest()), abi.encodeWithSelector(IRollup.MessageCountWentBack.selector, 2, 3)
        );
        setInForce(0, 2);
        expectAccepted(updateTo(latest()), blockhash(latest()));
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_messages_that_were_not_sent_cannot_be_anchored(uint8 field, uint64 other)
        public
    {
        IRollup.AnchorUpdate memory u = updateTo(latest());
        expectAccepted(u, blockhash(latest()));
        field = field % 5;
        if (field == 0) {
            vm.assume(other % 256 != u.messageCount);
            u.messageCount = other % 256;
        } else if (field == 1) {
            u.messageRoot = keccak256(abi.encode(other));
        } else if (field == 2) {
            vm.assume(other != u.checkpointId);
            u.checkpointId = other;
        } else if (field == 3) {
            vm.assume(other < u.checkpointBlock);
            u.checkpointBlock = other;
        } else {
            vm.assume(other != u.checkpointTimestamp);
            u.checkpointTimestamp = other;
        }
        expectRefused(
            u,
            abi.encodeWithSelector(
                IRollup.CheckpointUnknown.selector, u.checkpointId, u.messageCount, u.messageRoot
            )
        );
    }

    function test_messages_after_named_block_cannot_be_anchored() public {
        uint64 sentIn = queue.checkpoint().l1Block;
        expectRefused(
            updateTo(sentIn - 1),
            abi.encodeWithSelector(IRollup.CheckpointAfterAnchor.selector, sentIn, sentIn - 1)
        );
        expectAccepted(updateTo(sentIn), blockhash(sentIn));
    }

    function test_queue_state_of_current_block_cannot_be_anchored() public {
        queue.send(address(3), address(0), 0, 0, "");
        expectRefused(
            updateTo(latest()),
            abi.encodeWithSelector(
                IRollup.CheckpointAfterAnchor.selector, vm.getBlockNumber(), latest()
            )
        );
    }

    /// @dev Otherwise anyone could make an `advance` fail by sending a message ahead of it.
    function test_messages_before_advance_do_not_invalidate_anchor() public {
        IRollup.AnchorUpdate memory u = updateTo(latest());
        expectAccepted(u, blockhash(latest()));
        queue.send(address(3), address(0), 0, 0, "");
        queue.send(address(3), address(0), 0, 0, "");
        expectAccepted(u, blockhash(latest()));
    }

    function test_earlier_messages_than_latest_may_be_anchored() public {
        IL1MessageQueue.Checkpoint memory old = queue.checkpoint();
        for (uint256 i = 0; i < 5; ++i) {
            queue.send(address(3), address(0), 0, 0, "");
            nextL1Block();
        }
        expectAccepted(updateTo(latest(), old), blockhash(latest()));
    }

    function test_empty_queue_may_be_anchored() public {
        IL1MessageQueue.Checkpoint memory empty;
        expectAccepted(updateTo(latest(), empty), blockhash(latest()));
    }

    // ---------------------------------------------------------------- when

    function test_block_with_new_anchor_contains_it() public {
        IRollup.AnchorUpdate memory u = updateTo(latest());
        bytes32 next = anchorOf(u, blockhash(latest()));
        expectRefused(
            u, abi.encodeWithSelector(IRollup.AnchorMismatch.selector, l2.head.anchor, next)
        );
        expectAccepted(u, blockhash(latest()));
    }
}
