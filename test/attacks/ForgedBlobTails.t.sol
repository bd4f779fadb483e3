// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Inputs whose tails the contract cannot read
/// @notice In a transaction with blobs, the contract's memory contains the head of each input,
/// followed by a trailer and stale bytes. Everything that it reads must be in the head: the fields
/// of each block, which therefore must not extend beyond it, and the transactions that are claimed
/// to be forced ones.
contract ForgedBlobTailsTest is RealRollup {
    using L2 for L2.Chain;

    uint256 internal constant HEAD = 602;

    function setUp() public virtual override {
        super.setUp();
        BlobInputs.install();
    }

    function blocks(uint256 count) internal returns (bytes[] memory inputs) {
        skip(60);
        inputs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            l2.transfer("alice", bob, 1 ether);
            IL2.Block memory b = l2.next();
            b.timestamp = l2.head.timestamp + 10;
            inputs[i] = l2.seal(b);
        }
    }

    function assertRefused(bytes[] memory inputs, IRollup.Evidence memory e, bytes4 error_)
        internal
    {
        uint64 head = rollup.head().number;
        vm.expectPartialRevert(error_);
        rollup.advance{gas: 16_000_000}(inputs, e);
        assertEq(rollup.head().number, head);
    }

    // ------------------------------------------------------------------ counterparts

    function test_blocks_in_blobs_equal_blocks_in_calldata() public {
        bytes[] memory inputs = blocks(2);
        rollup.advance(BlobInputs.post(inputs, HEAD), none());
        assertHead();
        // The next call has no blobs and no trailers.
        vm.blobhashes(new bytes32[](0));
        rollup.advance(blocks(1), none());
        assertHead();
    }

    // ------------------------------------------------------------------ attacks

    function test_blob_transaction_requires_trailer() public {
        bytes[] memory inputs = blocks(2);
        bytes[] memory posted = BlobInputs.post(inputs, HEAD);
        assertRefused(inputs, none(), Execute.ExecuteFailed.selector);
        (bytes memory first, bytes memory second) = (posted[0], posted[1]);
        posted[1] = inputs[1];
        assertRefused(posted, none(), Execute.ExecuteFailed.selector);
        // With a trailer for an empty tail, it is accepted.
        posted[1] = bytes.concat(inputs[1], BlobInputs.trailer(0, 0, 0));
        uint256 state = vm.snapshotState();
        rollup.advance(posted, none());
        assertHead();
        vm.revertToState(state);
        (posted[0], posted[1]) = (first, second);
        bytes32 hash = keccak256(abi.encodePacked(bytes32(0), keccak256(first)));
        hash = keccak256(abi.encodePacked(hash, keccak256(second)));
        vm.expectEmit(address(rollup));
        emit IRollup.Advanced(1, 2, address(this), hash, vm.getBlobhashes().length);
        rollup.advance(posted, none());
        assertHead();
    }

    function test_trailer_without_blobs_is_not_part_of_input() public {
        bytes[] memory inputs = blocks(1);
        bytes[] memory posted = BlobInputs.post(inputs, HEAD);
        vm.blobhashes(new bytes32[](0));
        assertRefused(posted, none(), Execute.ExecuteFailed.selector);
        posted[0] = bytes.concat(inputs[0], BlobInputs.trailer(0, 0, 0));
        assertRefused(posted, none(), Execute.ExecuteFailed.selector);
        rollup.advance(inputs, none());
        assertHead();
    }

    function test_blobs_of_another_transaction_are_no_tail() public {
        bytes[] memory posted = BlobInputs.post(blocks(1), HEAD);
        bytes32[] memory other = new bytes32[](1);
        other[0] = bytes32(uint256(1) << 248 | 7);
        bytes32[] memory own = vm.getBlobhashes();
        vm.blobhashes(other);
        assertRefused(posted, none(), Execute.ExecuteFailed.selector);
        vm.blobhashes(own);
        rollup.advance(posted, none());
        assertHead();
    }

    function test_chain_without_precompile_rejects_blob_inputs() public {
        bytes[] memory inputs = blocks(1);
        bytes[] memory posted = BlobInputs.post(inputs, HEAD);
        vm.etch(Execute.BLOB_PRECOMPILE, "");
        assertRefused(posted, none(), Execute.ExecuteAbsent.selector);
        vm.blobhashes(new bytes32[](0));
        rollup.advance(inputs, none());
        assertHead();
    }

    /// @dev The head contains offsets of transactions beyond its end, where memory contains stale
    /// bytes of an earlier input: a forced transaction that is in no block.
    function test_forced_transaction_beyond_head_is_not_found() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, 10 gwei));
        skip(1);
        // The block really includes it, so that nothing else is wrong.
        l2.raw(signedTransfer("alice", 0, 10 gwei));
        bytes[] memory inputs = one(l2.seal());
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Included));
        uint256 state = vm.snapshotState();
        assertRefused(BlobInputs.post(inputs, HEAD), e, Execute.TransactionsInBlobs.selector);
        vm.revertToState(state);
        // One byte too few, and all bytes.
        uint256 end = transactionsEnd(inputs[0]);
        assertRefused(BlobInputs.post(inputs, end - 1), e, Execute.TransactionsInBlobs.selector);
        vm.revertToState(state);
        rollup.advance(BlobInputs.post(inputs, end), e);
        assertHead();
    }

    /// @dev Returns the offset at which the transactions of a single input end.
    function transactionsEnd(bytes memory input) internal pure returns (uint256) {
        bytes memory b = BlobInputs.slice(input, Execute.WITHDRAWALS_OFFSET_AT, 4);
        return Execute.PAYLOAD_AT + (uint256(uint8(b[0])) | uint256(uint8(b[1])) << 8);
    }
}
