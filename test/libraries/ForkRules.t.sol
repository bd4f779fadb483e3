// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";

/// @dev Properties of the fork of a schema id, for single inputs of L2s with and without EXECUTE,
/// and for batches.
contract ForkRulesTest is Test {
    /// @dev Prague to Amsterdam, and the fork whose rules each of them has.
    uint16[5] private forks = [0x1100, 0x1200, 0x1300, 0x1400, 0x1500];

    function test_blob_forks_have_rules_of_osaka() public view {
        for (uint16 revision = 1; revision <= 2; ++revision) {
            for (uint256 i = 1; i < 4; ++i) {
                assertEq(Execute.rulesOf(forks[i] + revision), 0x1201);
            }
            assertEq(Execute.rulesOf(forks[0] + revision), forks[0] + revision);
            assertEq(Execute.rulesOf(forks[4] + revision), forks[4] + revision);
        }
    }

    function test_only_single_inputs_name_forks() public view {
        for (uint256 i = 0; i < 5; ++i) {
            assertTrue(Execute.isFork(forks[i] + 1));
            assertTrue(Execute.isFork(forks[i] + 2));
            assertFalse(Execute.isFork(forks[i]));
            assertFalse(Execute.isFork(forks[i] + 3));
            assertFalse(Execute.isFork(forks[i] + 0xba));
            assertEq(Execute.singleOf(forks[i] + 0xba), forks[i] + 1);
            assertEq(Execute.singleOf(forks[i] + 2), forks[i] + 2);
        }
        for (uint16 revision = 1; revision <= 2; ++revision) {
            assertFalse(Execute.isFork(0x1000 + revision));
            assertFalse(Execute.isFork(0x1600 + revision));
        }
    }

    function testFuzz_same_revision_ignores_fork(uint16 a, uint16 b) public pure {
        assertEq(Execute.sameRevision(a, b), a % 256 == b % 256);
        assertTrue(Execute.sameRevision(a, a ^ 0x1700));
    }
}
