// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {LibraryHarness} from "../utils/LibraryHarness.sol";

/// @dev Handcrafted nodes of every shape; keys are chosen, not hashed.
contract StateProofNodesTest is Test {
    address private constant TARGET = address(0xacc0);
    LibraryHarness private harness = new LibraryHarness();

    /// @dev Returns a branch with `children` from position 0 on, and nothing else.
    function branch(bytes memory children, uint256 places) internal pure returns (bytes memory) {
        bytes memory payload = children;
        for (uint256 i = places; i < 17; ++i) {
            payload = bytes.concat(payload, hex"80");
        }
        return list(payload);
    }

    function list(bytes memory payload) internal pure returns (bytes memory) {
        uint256 length = payload.length;
        // forge-lint: disable-next-line(unsafe-typecast)
        if (length < 56) return bytes.concat(bytes1(uint8(0xc0 + length)), payload);
        // forge-lint: disable-next-line(unsafe-typecast)
        if (length < 256) return bytes.concat(hex"f8", bytes1(uint8(length)), payload);
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes.concat(hex"f9", bytes2(uint16(length)), payload);
    }

    function one(bytes memory node) internal pure returns (bytes[] memory proof) {
        proof = new bytes[](1);
        proof[0] = node;
    }

    function value(bytes memory node, bytes32 key) internal view returns (bytes memory) {
        return harness.get(keccak256(node), key, one(node));
    }

    /// @dev Short nodes exist only in tries with keys of a few nibbles, and at the end of long
    /// extensions: here an extension covers all but two nibbles, and a branch with its leaves is
    /// embedded in it.
    function embedded(bytes memory inner) internal pure returns (bytes memory) {
        // 62 zero nibbles, an even number: a flag byte and 31 bytes.
        return list(bytes.concat(hex"a0", new bytes(32), inner));
    }

    function test_values_in_embedded_nodes_are_found() public view {
        // Leaves with one nibble each: flag 3, and the nibble in the same byte.
        bytes memory leaves = bytes.concat(hex"c23705", hex"c23106");
        bytes memory node = embedded(branch(leaves, 2));
        assertEq(value(node, bytes32(uint256(0x07))), hex"05");
        assertEq(value(node, bytes32(uint256(0x11))), hex"06");
        // Another leaf, an empty child, another path.
        assertEq(value(node, bytes32(uint256(0x06))), "");
        assertEq(value(node, bytes32(uint256(0x21))), "");
        assertEq(value(node, bytes32(uint256(0x0107))), "");
        // After embedded and empty children.
        leaves = bytes.concat(hex"c23705", hex"80", hex"c23106");
        assertEq(value(embedded(branch(leaves, 3)), bytes32(uint256(0x21))), hex"06");
    }

    function expectMalformed(bytes memory node, bytes32 key) internal {
        bytes[] memory proof = one(node);
        vm.expectRevert(abi.encodeWithSelector(StateProof.NodeMalformed.selector, 0));
        harness.get(keccak256(node), key, proof);
    }

    function test_malformed_children_revert() public {
        // A string that is not a hash; a list that is too long to be embedded; a truncated hash.
        expectMalformed(branch(hex"8105", 1), 0);
        expectMalformed(branch(bytes.concat(hex"e0", new bytes(32)), 1), 0);
        expectMalformed(list(bytes.concat(new bytes(20), hex"a000")), bytes32(uint256(1) << 254));
        // On the path to another child.
        expectMalformed(branch(bytes.concat(hex"8105", hex"80"), 2), bytes32(uint256(0x10) << 248));
        expectMalformed(
            branch(bytes.concat(hex"c105", hex"8105", hex"80"), 3), bytes32(uint256(0x20) << 248)
        );
    }

    function test_embedded_node_beyond_parent_reverts() public {
        bytes memory payload = new bytes(16);
        for (uint256 i = 0; i < 16; ++i) {
            payload[i] = 0x80;
        }
        bytes memory cut = bytes.concat(payload, hex"80", hex"80");
        cut[15] = 0xc8;
        expectMalformed(list(cut), bytes32(uint256(0xf0) << 248));
    }

    function test_path_longer_than_key_reverts() public {
        // All 64 nibbles are used, and a branch follows.
        bytes memory node = list(
            bytes.concat(hex"a0", new bytes(32), branch(hex"d180808080808080808080808080808080", 1))
        );
        bytes[] memory proof = one(node);
        vm.expectRevert();
        harness.get(keccak256(node), 0, proof);
        // An extension of the whole key.
        expectMalformed(list(bytes.concat(hex"a1", new bytes(33), hex"c20501")), 0);
        // An extension to an empty child.
        expectMalformed(list(bytes.concat(hex"1080")), 0);
        // A path with an invalid flag.
        expectMalformed(list(abi.encodePacked(hex"824000a0", keccak256("child"))), 0);
        // A path that is a list, and one that is too long.
        expectMalformed(list(bytes.concat(hex"a2", new bytes(34), hex"05")), 0);
    }

    /// @dev A leaf with a path of 32 bytes begins like a branch, and an account that can choose a
    /// value of 31 bytes can choose one that, with its header, is the hash of a node of its own.
    function test_leaf_value_is_not_child() public {
        bytes32 key = bytes32(uint256(1) << 248);
        bytes memory forged;
        bytes32 hash;
        for (uint256 i = 1 << 240; hash[0] != 0x9f; ++i) {
            forged = list(abi.encodePacked(hex"a020", bytes31(0), hex"9f", bytes31(bytes32(i))));
            hash = keccak256(forged);
        }
        // The honest leaf: another key, and the value.
        bytes memory leaf = list(abi.encodePacked(hex"a03f", ~bytes31(0), hex"a0", hash));
        bytes memory root = branch(
            abi.encodePacked(
                hex"a0", keccak256(leaf), hex"a0", keccak256("another"), hex"a0", keccak256("third")
            ),
            3
        );
        bytes[] memory proof = new bytes[](2);
        (proof[0], proof[1]) = (root, leaf);
        assertEq(harness.get(keccak256(root), key, proof), "");
        assertEq(harness.get(keccak256(root), bytes32(type(uint256).max >> 4), proof).length, 32);

        proof = new bytes[](3);
        (proof[0], proof[1], proof[2]) = (root, leaf, forged);
        vm.expectRevert(abi.encodeWithSelector(StateProof.ProofTooLong.selector, 2, 3));
        harness.get(keccak256(root), key, proof);
    }

    function test_full_branch_after_extension_is_walked() public view {
        // 61 nibbles: 3, and zeros.
        bytes memory leaf = list(abi.encodePacked(hex"9f30", bytes30(0), hex"820102"));
        bytes memory children;
        for (uint256 i = 0; i < 16; ++i) {
            bytes32 child = i == 5 ? keccak256(leaf) : keccak256(abi.encode(i));
            children = abi.encodePacked(children, hex"a0", child);
        }
        bytes memory full = branch(children, 16);
        bytes[] memory proof = new bytes[](3);
        proof[0] = list(abi.encodePacked(hex"820000a0", keccak256(full)));
        (proof[1], proof[2]) = (full, leaf);
        assertEq(harness.get(keccak256(proof[0]), bytes32(uint256(0x50) << 240), proof), hex"0102");
    }

    /// @dev Nodes as near the root, where branches are read in memory.
    function test_child_after_empty_and_embedded_is_found() public view {
        bytes memory leaf = list(abi.encodePacked(hex"a030", bytes31(0), hex"820102"));
        bytes memory node =
            branch(abi.encodePacked(hex"80", hex"c23106", hex"a0", keccak256(leaf)), 3);
        bytes[] memory proof = new bytes[](2);
        (proof[0], proof[1]) = (node, leaf);
        assertEq(harness.get(keccak256(node), bytes32(uint256(0x20) << 248), proof), hex"0102");
    }

    /// @dev A reader that skips an embedded node by a wrong length reads inside of it, where others
    /// may choose the content.
    function test_content_of_embedded_node_is_not_child() public {
        bytes memory forged;
        bytes32 hash;
        for (uint32 i = 1 << 24; hash[30] != 0xa0; ++i) {
            forged = list(abi.encodePacked(hex"a030", bytes31(0), hex"84", i));
            hash = keccak256(forged);
        }
        // The hash begins inside the list of 31 bytes, and ends in the child after it.
        bytes32 child = bytes32(hash[31]);
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes memory inner = abi.encodePacked(hex"dfa0", bytes30(hash));
        bytes memory node = branch(abi.encodePacked(hex"80", inner, hex"a0", child), 3);
        bytes[] memory proof = new bytes[](2);
        (proof[0], proof[1]) = (node, forged);
        vm.expectRevert(
            abi.encodeWithSelector(StateProof.NodeHashMismatch.selector, 1, hash, child)
        );
        harness.get(keccak256(node), bytes32(uint256(0x20) << 248), proof);
        // If it really is a child, it is accepted.
        proof[0] = branch(abi.encodePacked(hex"80", hex"c23106", hex"a0", hash), 3);
        assertEq(harness.get(keccak256(proof[0]), bytes32(uint256(0x20) << 248), proof).length, 4);
    }

    function test_branch_with_missing_children_reverts() public {
        bytes memory some = abi.encodePacked(
            hex"a0", keccak256("1"), hex"a0", keccak256("2"), hex"a0", keccak256("3")
        );
        expectMalformed(list(some), bytes32(uint256(0x50) << 248));
        // Longer than any branch.
        expectMalformed(list(bytes.concat(some, new bytes(500))), bytes32(uint256(0x50) << 248));
    }

    /// @dev Returns the leaf of an account with this body, and the key of the account.
    function accountLeaf(bytes memory body) internal pure returns (bytes memory) {
        bytes32 key = keccak256(abi.encodePacked(TARGET));
        bytes memory value_ = body.length < 56
            ? abi.encodePacked(bytes1(uint8(0x80 + body.length)), body)
            : abi.encodePacked(hex"b8", bytes1(uint8(body.length)), body);
        return list(abi.encodePacked(hex"a120", key, value_));
    }

    function expectNoAccount(bytes memory body) internal {
        bytes[] memory proof = one(accountLeaf(body));
        bytes32 root = keccak256(proof[0]);
        vm.expectPartialRevert(Rlp.RlpLengthMismatch.selector);
        harness.accountOf(root, TARGET, proof);
        vm.expectPartialRevert(Rlp.RlpLengthMismatch.selector);
        harness.rootOf(root, TARGET, proof);
    }

    function test_malformed_account_reverts() public {
        bytes32 root = keccak256("storage");
        bytes32 code = keccak256("code");
        bytes memory good = list(abi.encodePacked(hex"0105", hex"a0", root, hex"a0", code));
        bytes[] memory proof = one(accountLeaf(good));
        assertEq(harness.rootOf(keccak256(proof[0]), TARGET, proof), root);
        (bool exists, StateProof.Account memory a) =
            harness.account(keccak256(proof[0]), TARGET, proof);
        assertTrue(exists);
        assertEq(a.nonce, 1);
        assertEq(a.balance, 5);
        assertEq(a.storageRoot, root);
        assertEq(a.codeHash, code);
        // Hashes that are too short, and items that are no hashes.
        expectNoAccount(list(abi.encodePacked(hex"0105", hex"a0", root)));
        expectNoAccount(list(abi.encodePacked(hex"0105", hex"9f", root, hex"a0", code)));
        // A reader of the storage root alone does not read the code hash.
        proof = one(accountLeaf(list(abi.encodePacked(hex"0105", hex"a0", root, hex"9f", code))));
        assertEq(harness.rootOf(keccak256(proof[0]), TARGET, proof), root);
        vm.expectPartialRevert(Rlp.RlpLengthMismatch.selector);
        harness.accountOf(keccak256(proof[0]), TARGET, proof);
    }

    function test_balance_may_have_32_bytes() public view {
        bytes32 maximum = bytes32(type(uint256).max);
        bytes memory body = list(
            abi.encodePacked(hex"01a0", maximum, hex"a0", keccak256("a"), hex"a0", keccak256("b"))
        );
        bytes[] memory proof = one(accountLeaf(body));
        StateProof.Account memory a = harness.accountOf(keccak256(proof[0]), TARGET, proof);
        assertEq(a.balance, type(uint256).max);
    }

    function test_account_with_one_number_reverts() public {
        bytes32 root = keccak256("storage");
        expectNoAccount(list(abi.encodePacked(hex"01", hex"a0", root, hex"a0", keccak256("code"))));
    }

    /// @dev Such a node has to be referenced by its hash.
    function test_embedded_node_of_33_bytes_reverts() public {
        // A branch with a single leaf of 16 bytes.
        bytes memory inner = branch(bytes.concat(hex"cf378d", new bytes(13)), 1);
        assertEq(inner.length, 33);
        expectMalformed(branch(inner, 1), bytes32(uint256(0x01) << 248));
        // The valid counterpart.
        inner = branch(bytes.concat(hex"ce378c", new bytes(12)), 1);
        assertEq(value(branch(inner, 1), bytes32(uint256(0x01) << 248)), "");
    }

    /// @dev It would lead to a node after the end of the key.
    function test_extension_through_whole_key_reverts() public {
        bytes32 key = keccak256("key");
        expectMalformed(list(abi.encodePacked(hex"a100", key, hex"a0", keccak256("node"))), key);
    }

    /// @dev The end of a path may look like the start of a value, here one of exactly the remaining
    /// length.
    function test_end_of_path_is_not_value() public view {
        bytes32 key = bytes32(uint256(0x8433));
        bytes memory leaf = list(abi.encodePacked(hex"a120", key, hex"820102"));
        assertEq(value(leaf, key), hex"0102");
    }
}
