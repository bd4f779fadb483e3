// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

contract L2Test is ExecuteTest {
    using L2 for L2.Chain;

    L2.Chain internal l2;

    function setUp() public override {
        super.setUp();
        l2.start();
    }

    function test_a_sealed_block_is_one_that_execute_accepts() public {
        l2.transfer("alice", address(0xb0b), 1 ether);
        bytes memory input = l2.seal();
        (bool ok, bytes memory result) = EXECUTE.staticcall(input);
        assertTrue(ok);
        assertEq(result.length, 43);
        assertEq(l2.balanceOf(address(0xb0b)), 1 ether);
    }

    function test_blocks_follow_each_other() public {
        for (uint256 i = 1; i <= 64; ++i) {
            l2.transfer("alice", address(0xb0b), 1 ether);
            l2.transfer("bob", address(0xb0b), 1 ether);
            (bool ok,) = EXECUTE.staticcall(l2.seal());
            assertTrue(ok);
            assertEq(l2.head.number, i);
        }
        assertEq(l2.balanceOf(address(0xb0b)), 128 ether);
    }
}
