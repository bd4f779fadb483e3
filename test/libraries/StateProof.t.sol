// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {LibraryHarness} from "../utils/LibraryHarness.sol";
import {SmallTries} from "../utils/SmallTries.sol";

/// @dev (`crates/contracts/tests/on_chain/libraries` tests tries of all shapes, including real
/// ones.)
contract StateProofTest is Test {
    LibraryHarness private harness = new LibraryHarness();

    function testFuzz_only_proven_slot_has_value(bytes32 slot, bytes32 other, bytes32 value)
        public
        view
    {
        vm.assume(value != 0 && slot != other);
        (bytes32 root, bytes[] memory proof) = SmallTries.storageTrie(slot, value);
        assertEq(harness.slot(root, slot, proof), uint256(value));
        assertEq(harness.slot(root, other, proof), 0);
    }

    function testFuzz_only_proven_account_exists(address target, address other, bytes32 storageRoot)
        public
        view
    {
        vm.assume(target != other);
        (bytes32 root, bytes[] memory proof) = SmallTries.stateTrie(target, storageRoot);
        (bool exists, StateProof.Account memory account) = harness.account(root, target, proof);
        assertTrue(exists);
        assertEq(account.nonce, 1);
        assertEq(account.balance, 0);
        assertEq(account.storageRoot, storageRoot);
        assertEq(account.codeHash, SmallTries.EMPTY_CODE_HASH);

        (exists, account) = harness.account(root, other, proof);
        assertFalse(exists);
        assertEq(account.nonce, 0);
        assertEq(account.storageRoot, StateProof.EMPTY_ROOT);
        assertEq(account.codeHash, StateProof.EMPTY_CODE_HASH);
    }

    function testFuzz_changed_byte_reverts(bytes32 slot, bytes32 value, uint256 index, uint8 bit)
        public
    {
        vm.assume(value != 0);
        (bytes32 root, bytes[] memory proof) = SmallTries.storageTrie(slot, value);
        index = bound(index, 0, proof[0].length - 1);
        proof[0][index] ^= bytes1(uint8(1) << (bit % 8));
        vm.expectRevert(
            abi.encodeWithSelector(
                StateProof.NodeHashMismatch.selector, 0, keccak256(proof[0]), root
            )
        );
        harness.slot(root, slot, proof);
    }

    function testFuzz_empty_trie_has_empty_proof(bytes32 slot, bytes32 root, bytes memory node)
        public
    {
        bytes[] memory none = new bytes[](0);
        assertEq(harness.slot(StateProof.EMPTY_ROOT, slot, none), 0);
        // An empty proof proves nothing for any other trie.
        vm.assume(root != StateProof.EMPTY_ROOT);
        vm.expectRevert(abi.encodeWithSelector(StateProof.ProofIncomplete.selector, 0));
        harness.slot(root, slot, none);
        bytes[] memory one = new bytes[](1);
        one[0] = node;
        vm.expectRevert(abi.encodeWithSelector(StateProof.ProofTooLong.selector, 0, 1));
        harness.slot(StateProof.EMPTY_ROOT, slot, one);
    }

    function testFuzz_string_as_root_node_reverts(bytes32 key, bytes memory node) public {
        vm.assume(node.length != 0 && uint8(node[0]) < 0xc0);
        bytes[] memory proof = new bytes[](1);
        proof[0] = node;
        vm.expectRevert();
        harness.get(keccak256(node), key, proof);
    }

    function test_malformed_nodes_with_correct_hash_revert() public {
        bytes[6] memory nodes = [
            // An empty list, a list of one item, and a list of two items that starts with a list.
            bytes(hex"c0"),
            hex"c180",
            hex"c2c080",
            // An empty path; a path with an invalid flag; an extension of zero nibbles.
            hex"c28080",
            hex"c24080",
            hex"c20080"
        ];
        for (uint256 i = 0; i < nodes.length; ++i) {
            bytes[] memory proof = new bytes[](1);
            proof[0] = nodes[i];
            vm.expectPartialRevert(StateProof.NodeMalformed.selector);
            harness.get(keccak256(nodes[i]), 0, proof);
        }
    }
}
