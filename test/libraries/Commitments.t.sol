// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Commitments} from "../../contracts/libraries/Commitments.sol";

/// @dev The library, called with calldata.
contract Committer {
    function ofCall(bytes calldata input) external view returns (bytes32) {
        return Commitments.ofCall(input);
    }
}

/// @dev Commitments as in `test/vectors/commitments.json`, which the Rust implementation reads as
/// well (`crates/contracts/src/commitment.rs`).
contract CommitmentsTest is Test {
    Committer internal committer = new Committer();
    string internal json = vm.readFile("test/vectors/commitments.json");

    function place(string memory kind, uint256 index) internal pure returns (string memory) {
        return string.concat(".", kind, "[", vm.toString(index), "]");
    }

    function has(string memory entry) internal view returns (bool) {
        return vm.keyExistsJson(json, entry);
    }

    function word(string memory entry, string memory key) internal view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(entry, key));
    }

    function input(string memory entry) internal view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(entry, ".input"));
    }

    function setBlobs(string memory entry) internal {
        vm.blobhashes(vm.parseJsonBytes32Array(json, string.concat(entry, ".blobs")));
    }

    function test_commitments_match_vectors() public {
        uint256 i;
        for (; has(place("plain", i)); ++i) {
            string memory entry = place("plain", i);
            assertEq(committer.ofCall(input(entry)), word(entry, ".commitment"), entry);
        }
        assertGe(i, 3);
        bytes32 all;
        for (i = 0; has(place("extended", i)); ++i) {
            string memory entry = place("extended", i);
            assertEq(all, word(entry, ".all"), entry);
            all = Commitments.extend(all, word(entry, ".one"));
            assertEq(all, word(entry, ".result"), entry);
        }
        assertGe(i, 3);
        for (i = 0; has(place("inBlobs", i)); ++i) {
            string memory entry = place("inBlobs", i);
            setBlobs(entry);
            assertEq(committer.ofCall(input(entry)), word(entry, ".commitment"), entry);
        }
        assertGe(i, 3);
    }

    function test_malformed_inputs_have_no_commitment() public {
        uint256 i;
        for (; has(place("rejected", i)); ++i) {
            string memory entry = place("rejected", i);
            setBlobs(entry);
            (bool ok, bytes memory reason) =
                address(committer).staticcall(abi.encodeCall(Committer.ofCall, (input(entry))));
            assertFalse(ok, entry);
            assertGt(reason.length, 4, entry);
        }
        assertGe(i, 10);
    }

    function test_rejections_carry_expected_errors() public {
        bytes memory valid = input(place("inBlobs", 3));
        setBlobs(place("inBlobs", 3));
        bytes32[] memory few = new bytes32[](2);
        (few[0], few[1]) = (blobhash(0), blobhash(1));
        vm.blobhashes(few);
        vm.expectRevert(abi.encodeWithSelector(Commitments.BlobHashAbsent.selector, 2));
        committer.ofCall(valid);

        valid[valid.length - 1] = 0x0c;
        vm.expectPartialRevert(Commitments.TrailerInvalid.selector);
        committer.ofCall(valid);
        bytes memory short = new bytes(609);
        vm.expectRevert(abi.encodeWithSelector(Commitments.HeadTooShort.selector, 609, 610));
        committer.ofCall(short);
    }

    /// @dev The position of a blob belongs to the transaction, its hash to the commitment.
    function test_commitment_contains_blob_hashes() public {
        string memory entry = place("inBlobs", 1);
        bytes memory head = input(entry);
        bytes32[] memory hashes = vm.parseJsonBytes32Array(json, string.concat(entry, ".blobs"));
        (hashes[0], hashes[2]) = (hashes[2], hashes[0]);
        vm.blobhashes(hashes);
        assertNotEq(committer.ofCall(head), word(entry, ".commitment"));
        head[head.length - 4] = 0x02;
        assertEq(committer.ofCall(head), word(entry, ".commitment"));
    }
}
