// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Commitments} from "../../contracts/libraries/Commitments.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {PrefixFixture} from "../utils/PrefixFixture.sol";

/// @title Attack: an input that omits part of its block
/// @notice The verifier of the rollup receives the witness as a proof. The caller posts a part of a
/// valid block as the input, and the rest as the proof. If the rollup accepted it, nodes could not
/// execute the block from the inputs of the rollup, and only the caller would have the L2's state.
contract ShortPrefixesTest is PrefixFixture {
    function expectEndsElsewhere(bytes memory input, bytes memory proof, uint256 expected) private {
        vm.expectRevert(
            abi.encodeWithSelector(Execute.PrefixEndsElsewhere.selector, input.length, expected)
        );
        verifier.verify("", input, proof);
    }

    /// @dev Every cut but the right one is refused, although both parts together are a valid input.
    function test_prefix_must_end_at_witness() public {
        bytes memory input = sealOne();
        (bytes memory prefix,) = cut(input);
        uint256 end = prefix.length;
        uint256[4] memory ends = [end - 1, end + 1, Execute.MIN_LENGTH, input.length];
        for (uint256 i = 0; i < ends.length; ++i) {
            expectEndsElsewhere(
                BlobInputs.slice(input, 0, ends[i]),
                BlobInputs.slice(input, ends[i], input.length - ends[i]),
                end
            );
        }
        bytes memory short = BlobInputs.slice(input, 0, Execute.MIN_LENGTH - 1);
        bytes memory rest = BlobInputs.slice(input, short.length, input.length - short.length);
        vm.expectRevert(
            abi.encodeWithSelector(Execute.InputTooShort.selector, short.length, Execute.MIN_LENGTH)
        );
        verifier.verify("", short, rest);
        assertValid(input);
    }

    /// @dev With an offset inside the list of transactions, the input ends there; but then the
    /// request does too, and EXECUTE decodes no such request.
    function test_offset_inside_list_is_rejected() public {
        bytes memory input = sealOne();
        (bytes memory prefix,) = cut(input);
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 inside = uint32(prefix.length - 2 - 40);
        bytes memory moved = withWitnessAt(input, inside);
        (bytes memory head, bytes memory tail) = cut(moved);
        assertEq(head.length, prefix.length - 40);
        expectFailure(head, tail);
        assertValid(input);
    }

    function test_offset_beyond_end_is_rejected() public {
        bytes memory input = sealOne();
        (bytes memory prefix, bytes memory witness) = cut(input);
        uint32[2] memory offsets = [uint32(input.length - 1), type(uint32).max];
        for (uint256 i = 0; i < offsets.length; ++i) {
            uint256 end = uint256(offsets[i]) + 2;
            bytes memory moved = withWitnessAt(input, offsets[i]);
            expectEndsElsewhere(moved, "", end);
            expectEndsElsewhere(BlobInputs.slice(moved, 0, prefix.length), witness, end);
        }
        assertValid(input);
    }

    /// @dev Codes are part of the witness, so a prefix has nothing that L1 could keep.
    function test_code_references_are_no_prefix() public {
        (bytes memory prefix, bytes memory witness) = cut(sealOne());
        bytes memory references =
            bytes.concat(hex"c0de", BlobInputs.slice(prefix, 2, prefix.length - 2));
        expectFailure(references, witness);
    }

    /// @dev Head and trailer of an input in blobs, in a transaction without blobs.
    function test_head_of_blobs_is_no_prefix() public {
        bytes memory input = sealOne();
        (bytes memory prefix, bytes memory witness) = cut(input);
        bytes memory head =
            bytes.concat(BlobInputs.slice(input, 0, 602), BlobInputs.trailer(1, 0, 1));
        expectEndsElsewhere(head, "", prefix.length);
        expectEndsElsewhere(head, witness, prefix.length);
    }

    /// @dev The preimages of the two kinds begin with different bytes.
    function testFuzz_commitments_of_different_kinds_differ(
        bytes32 hash,
        uint32 tail,
        bytes32[] calldata hashes
    ) public pure {
        bytes32 plain = Commitments.plain(hash);
        bytes32 inBlobs = Commitments.inBlobs(hash, tail, hashes);
        assertNotEq(plain, inBlobs);
        // As long as the preimage of a plain input.
        assertEq(plain, keccak256(bytes.concat(hex"01", hash)));
        assertEq(
            inBlobs, keccak256(bytes.concat(hex"02", hash, bytes4(tail), abi.encodePacked(hashes)))
        );
    }
}
