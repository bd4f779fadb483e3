// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {BatchBytes} from "../utils/BatchBytes.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Batches of which the contract reads only the fixed parts of the requests
/// @notice In a transaction with blobs, the calldata contains the fixed parts one after another,
/// whereas in the batch each is at the offset of its request. The account that advances chooses
/// these offsets, and the bytes in between. If a batch could be assembled in a second way, or if a
/// head could end too early, the contract would read fields at positions that EXECUTE does not
/// read.
contract ForgedBlobBatchesTest is RealRollup {
    using L2 for L2.Chain;
    using BatchBytes for bytes;

    bytes[] internal honest;
    bytes internal batch;
    bytes internal head;
    bytes internal tail;
    /// @dev Bytes of each request in the head.
    uint256 internal constant PART = 584;

    function setUp() public virtual override {
        super.setUp();
        BlobInputs.install();
        skip(60);
        for (uint256 i = 0; i < 3; ++i) {
            l2.transfer("alice", bob, 1 ether);
            honest.push(l2.seal(nextAt(10)));
        }
        batch = L2.batchOf(honest);
        (head, tail) = BlobInputs.parts(batch, 0);
    }

    function nextAt(uint64 secondsLater) internal view returns (IL2.Block memory b) {
        b = l2.next();
        b.timestamp = l2.head.timestamp + secondsLater;
    }

    /// @dev Returns the offset of a part of the head.
    function partAt(uint256 index) internal pure returns (uint256) {
        return 18 + 4 * 3 + PART * index;
    }

    function post(bytes memory head_, bytes memory tail_) internal returns (bytes[] memory) {
        return BlobInputs.post(one(head_), one(tail_));
    }

    function assertTaken() internal {
        rollup.advance(post(head, tail), none());
        assertHead();
    }

    /// @dev Asserts that the rollup does not move, and accepts the honest input afterwards.
    function assertRefused(bytes[] memory posted, bytes4 error_) internal {
        vm.expectPartialRevert(error_);
        rollup.advance{gas: 16_000_000}(posted, none());
        assertEq(rollup.head().number, 0);
    }

    function assertRefused(bytes memory head_, bytes memory tail_, bytes4 error_) internal {
        assertRefused(post(head_, tail_), error_);
    }

    // ------------------------------------------------------------------ counterparts

    function test_each_block_of_blob_batch_is_added_individually() public {
        assertEq(head.length, 18 + 3 * (4 + PART));
        assertTaken();
        for (uint64 i = 0; i < 3; ++i) {
            assertEq(rollup.stateRootAt(i + 1), batch.word(i, Execute.STATE_ROOT_AT));
        }
    }

    function test_batches_and_single_inputs_mix_in_blobs() public {
        bytes[] memory two = new bytes[](2);
        bytes[] memory inputs = new bytes[](2);
        (two[0], two[1]) = (honest[1], honest[2]);
        (inputs[0], inputs[1]) = (honest[0], L2.batchOf(two));
        uint256 state = vm.snapshotState();
        // The buffer has the required length for any part of the first input in the calldata.
        for (uint256 i = 0; i < 2; ++i) {
            rollup.advance(BlobInputs.post(inputs, i == 0 ? 602 : honest[0].length), none());
            assertHead();
            vm.revertToState(state);
        }
        (two[0], two[1]) = (honest[0], honest[1]);
        (inputs[0], inputs[1]) = (L2.batchOf(two), honest[2]);
        rollup.advance(BlobInputs.post(inputs, 602), none());
        assertHead();
        vm.revertToState(state);
        // A batch may contain one block.
        rollup.advance(BlobInputs.post(one(L2.batchOf(one(honest[0]))), 0), none());
        assertEq(rollup.head().number, 1);
    }

    // ------------------------------------------------------------------ heads

    /// @dev A part that ends before the fields, one that is longer, and none.
    function test_head_of_another_length_is_rejected() public {
        bytes4 error_ = Execute.HeadLengthMismatch.selector;
        uint256 end = head.length;
        assertRefused(head.slice(0, end - 1), bytes.concat(head[end - 1], tail), error_);
        assertRefused(bytes.concat(head, tail[0]), tail.slice(1, tail.length), error_);
        assertRefused(head.slice(0, partAt(2)), tail, error_);
        assertRefused(head.slice(0, partAt(1)), tail, error_);
        // The head of a single input, and a batch that is completely in the calldata.
        assertRefused(batch.slice(0, 602), batch.slice(602, batch.length), error_);
        bytes[] memory heads = new bytes[](2);
        bytes[] memory tails = new bytes[](2);
        (heads[0], heads[1], tails[1]) = (batch, head, tail);
        assertRefused(BlobInputs.post(heads, tails), error_);
        assertTaken();
    }

    /// @dev Blocks without a part in the head, and parts without a block in the batch.
    function test_head_with_another_block_count_is_rejected() public {
        bytes4 length = Execute.HeadLengthMismatch.selector;
        bytes4 size = Execute.BatchSizeInvalid.selector;
        assertRefused(head.withOffset(0, 8), tail, length);
        assertRefused(head.withOffset(0, 16), tail, length);
        assertRefused(head.withOffset(0, 0), tail, size);
        assertRefused(head.withOffset(0, 4 * 257), tail, size);
        assertRefused(head.withOffset(0, 13), tail, Execute.OffsetNotCanonical.selector);
        // The length of a head of two blocks, and still the offsets of three.
        bytes memory two = bytes.concat(head.slice(0, 22), head.slice(26, partAt(2)));
        assertRefused(two.withOffset(0, 8), tail, Execute.ExecuteFailed.selector);
        assertTaken();
    }

    function test_payload_must_follow_fixed_part() public {
        bytes memory bad = bytes.concat(head);
        bad[partAt(0)] = bytes1(uint8(45));
        assertRefused(bad, tail, Execute.OffsetNotCanonical.selector);
        for (uint256 i = 1; i < 3; ++i) {
            bad = bytes.concat(head);
            bad[partAt(i)] = bytes1(uint8(45));
            assertRefused(bad, tail, Execute.ExecuteFailed.selector);
        }
        assertTaken();
    }

    // ------------------------------------------------------------------ offsets

    /// @dev Parts that would overlap, be swapped, or be slightly displaced.
    function test_forged_offsets_are_rejected() public {
        bytes4 error_ = Execute.ExecuteFailed.selector;
        for (uint256 i = 1; i < 3; ++i) {
            uint256 offset = batch.offset(i);
            assertRefused(head.withOffset(i, offset + 1), tail, error_);
            assertRefused(head.withOffset(i, offset - 1), tail, error_);
            assertRefused(head.withOffset(i, batch.offset(i - 1)), tail, error_);
            assertRefused(head.withOffset(i, batch.offset(i - 1) + PART - 1), tail, error_);
            assertRefused(head.withOffset(i, batch.offset(i - 1) + PART), tail, error_);
            assertRefused(head.withOffset(i, batch.length), tail, error_);
            assertRefused(head.withOffset(i, type(uint32).max), tail, error_);
        }
        bytes memory swapped = head.withOffset(1, batch.offset(2));
        assertRefused(swapped.withOffset(2, batch.offset(1)), tail, error_);
        assertTaken();
    }

    // ------------------------------------------------------------------ fields

    /// @dev No byte that a rollup reads or stores can be changed, in any block.
    function test_fields_of_all_blocks_are_checked() public {
        uint256[8] memory fields = BatchBytes.fields();
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = 0; j < fields.length; ++j) {
                bytes memory bad = bytes.concat(head);
                uint256 place = partAt(i) + fields[j] - 18;
                bad[place] = bytes1(uint8(bad[place]) ^ 1);
                bytes[] memory posted = post(bad, tail);
                vm.expectRevert();
                rollup.advance{gas: 16_000_000}(posted, none());
                vm.revertToState(state);
            }
        }
        assertTaken();
    }

    /// @dev The head contains another state root, and the blobs contain the complete honest block:
    /// before the forged part, after it, and at the offset in the batch.
    function test_block_in_blobs_is_not_executed_for_head() public {
        bytes memory forged = bytes.concat(head);
        uint256 root = partAt(1) + Execute.STATE_ROOT_AT - 18;
        forged[root] = bytes1(uint8(forged[root]) ^ 1);
        bytes4 error_ = Execute.ExecuteFailed.selector;
        assertRefused(forged, tail, error_);
        // Bytes after the part of the first block in the tail.
        uint256 first = batch.offset(1) - batch.offset(0) - PART;
        bytes memory behind = tail.slice(first, tail.length);
        bytes memory block_ = head.slice(partAt(1), partAt(2));
        bytes memory with = bytes.concat(tail.slice(0, first), block_, behind);
        // As if the forged part were the end of the first block, or belonged to the second.
        assertRefused(forged, with, error_);
        assertRefused(forged.withOffset(1, batch.offset(1) + PART), with, error_);
        bytes memory later = forged.withOffset(2, batch.offset(2) + PART);
        assertRefused(later, with, error_);
        assertRefused(later.withOffset(1, batch.offset(1) + PART), with, error_);
        // The same bytes presented as another block.
        bytes memory parts = bytes.concat(
            head.slice(0, partAt(0)),
            head.slice(partAt(0), partAt(1)),
            head.slice(partAt(0), partAt(1)),
            head.slice(partAt(2), head.length)
        );
        assertRefused(parts, tail, error_);
        parts = bytes.concat(head.slice(0, partAt(1)), head.slice(partAt(2), head.length), block_);
        assertRefused(parts, tail, error_);
        assertTaken();
    }

    // ------------------------------------------------------------------ blobs

    function test_blobs_of_another_transaction_are_no_tail() public {
        bytes[] memory posted = post(head, tail);
        bytes32[] memory own = vm.getBlobhashes();
        bytes32[] memory other = new bytes32[](1);
        other[0] = bytes32(uint256(1) << 248 | 7);
        vm.blobhashes(other);
        assertRefused(posted, Execute.ExecuteFailed.selector);
        vm.blobhashes(new bytes32[](0));
        assertRefused(posted, Execute.ExecuteFailed.selector);
        vm.blobhashes(own);
        rollup.advance(posted, none());
        assertHead();
    }

    function test_inputs_do_not_share_blob() public {
        bytes[] memory two = new bytes[](2);
        (two[0], two[1]) = (honest[1], honest[2]);
        bytes[] memory inputs = new bytes[](2);
        (inputs[0], inputs[1]) = (L2.batchOf(one(honest[0])), L2.batchOf(two));
        bytes[] memory posted = BlobInputs.post(inputs, 0);
        bytes memory second = posted[1];
        // The second names the blob of the first.
        uint256 first = second.length - 4;
        assertEq(uint8(second[first]), 1);
        second[first] = 0;
        assertRefused(posted, Execute.ExecuteFailed.selector);
        second[first] = bytes1(uint8(2));
        assertRefused(posted, Execute.ExecuteFailed.selector);
        second[first] = bytes1(uint8(1));
        rollup.advance(posted, none());
        assertHead();
    }

    function test_head_without_blobs_is_not_a_batch() public {
        bytes[] memory posted = post(head, tail);
        vm.blobhashes(new bytes32[](0));
        assertRefused(posted, Execute.ExecuteFailed.selector);
        rollup.advance(one(batch), none());
        assertHead();
    }

    // ------------------------------------------------------------------ forced

    /// @dev The fields of a block are followed by those of the next block, not by transactions.
    function test_forced_transaction_is_not_read_from_blob_batch() public {
        rollup.advance(one(batch), none());
        uint64 nonce = 3;
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", nonce, 10 gwei));
        skip(60);
        l2.raw(signedTransfer("alice", nonce, 10 gwei));
        bytes[] memory inputs = new bytes[](2);
        inputs[0] = l2.seal(nextAt(10));
        inputs[1] = l2.seal(nextAt(10));
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Included));
        bytes[] memory posted = BlobInputs.post(one(L2.batchOf(inputs)), 0);
        uint256 state = vm.snapshotState();
        vm.expectPartialRevert(Execute.TransactionsInBlobs.selector);
        rollup.advance{gas: 16_000_000}(posted, e);
        vm.revertToState(state);
        // It is found in the calldata: of the batch, and of a single block next to one in blobs.
        vm.blobhashes(new bytes32[](0));
        rollup.advance(one(L2.batchOf(inputs)), e);
        assertHead();
        vm.revertToState(state);
        bytes[] memory heads = new bytes[](2);
        bytes[] memory tails = new bytes[](2);
        heads[0] = inputs[0];
        (heads[1], tails[1]) = BlobInputs.parts(L2.batchOf(one(inputs[1])), 0);
        rollup.advance(BlobInputs.post(heads, tails), e);
        assertHead();
    }
}
