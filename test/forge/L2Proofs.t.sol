// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {Counter, L2TestBase} from "./L2.t.sol";

contract L2ProofsTest is L2TestBase {
    using L2 for L2.Chain;

    address internal counter;

    function setUp() public override {
        super.setUp();
        counter = l2.deploy("alice", abi.encodePacked(type(Counter).creationCode, uint256(7)));
        l2.seal();
    }

    function test_header_matches_block_and_state() public {
        IL2.AccountProof memory proof = l2.prove(counter);
        assertEq(keccak256(proof.header), l2.head.hash);
        assertTrue(proof.exists);
        assertEq(keccak256(proof.nodes[0]), l2.head.stateRoot);
        assertEq(proof.codeHash, keccak256(type(Counter).runtimeCode));
        assertEq(proof.nonce, 1);
    }

    function test_each_node_is_referenced_by_its_parent() public {
        IL2.AccountProof memory proof = l2.prove(counter, 0);
        assertChain(proof.nodes);
        assertEq(uint256(proof.slots[0].value), 7);
        assertEq(keccak256(proof.slots[0].nodes[0]), proof.storageRoot);
        assertChain(proof.slots[0].nodes);
        // The leaf contains nonce and balance before the two hashes.
        bytes memory leaf = proof.nodes[proof.nodes.length - 1];
        assertTrue(vm.contains(vm.toString(leaf), tail(proof.storageRoot)));
        assertTrue(vm.contains(vm.toString(leaf), tail(proof.codeHash)));
    }

    function test_absent_account_is_proven() public {
        IL2.AccountProof memory proof = l2.prove(address(0xdead));
        assertFalse(proof.exists);
        assertGt(proof.nodes.length, 0);
        assertEq(keccak256(proof.nodes[0]), l2.head.stateRoot);
        assertChain(proof.nodes);
        proof = l2.prove(counter, bytes32(uint256(1)));
        assertEq(proof.slots[0].value, 0);
        assertGt(proof.slots[0].nodes.length, 0);
        assertEq(keccak256(proof.slots[0].nodes[0]), proof.storageRoot);
    }

    function test_proof_matches_requested_block() public {
        bytes32 before = l2.head.hash;
        bytes32[] memory slots = new bytes32[](2);
        slots[1] = keccak256("never set");
        l2.callFrom("bob", counter, abi.encodeCall(Counter.set, (8)));
        l2.seal();
        IL2.AccountProof memory then = L2.proveAt(before, counter, slots);
        IL2.AccountProof memory now_ = L2.proveAt(l2.head.hash, counter, slots);
        assertEq(uint256(then.slots[0].value), 7);
        assertEq(uint256(now_.slots[0].value), 8);
        assertEq(then.slots[1].value, 0);
        assertEq(keccak256(then.header), before);
        assertEq(then.head.stateRoot, keccak256(then.nodes[0]));
        assertNotEq(then.storageRoot, now_.storageRoot);
    }

    function assertChain(bytes[] memory nodes) internal {
        for (uint256 i = 1; i < nodes.length; ++i) {
            string memory above = vm.toString(nodes[i - 1]);
            assertTrue(vm.contains(above, tail(keccak256(nodes[i]))));
        }
    }

    /// @dev Returns the digits of a hash without the prefix.
    function tail(bytes32 hash) internal pure returns (string memory) {
        return vm.replace(vm.toString(hash), "0x", "");
    }
}
