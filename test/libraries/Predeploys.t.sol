// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";

contract PredeploysTest is Test {
    function test_messenger_and_anchor_are_forbidden_targets() public pure {
        assertTrue(Predeploys.isForbiddenTarget(Predeploys.L1_ANCHOR));
        assertTrue(Predeploys.isForbiddenTarget(Predeploys.L2_MESSENGER));
        assertFalse(Predeploys.isForbiddenTarget(Predeploys.L2_ACCOUNTS));
    }

    function test_precompiles_are_lost_accounts() public pure {
        address[4] memory precompiles = [address(0), address(1), address(0x0101), address(0x01ff)];
        for (uint256 i = 0; i < precompiles.length; ++i) {
            assertTrue(Predeploys.isPrecompile(precompiles[i]));
            assertTrue(Predeploys.isLost(precompiles[i]));
        }
        assertFalse(Predeploys.isPrecompile(address(0x0200)));
    }

    function test_predeploys_are_lost_accounts() public pure {
        assertTrue(Predeploys.isLost(Predeploys.L1_ANCHOR));
        assertTrue(Predeploys.isLost(Predeploys.L2_MESSENGER));
        assertTrue(Predeploys.isLost(Predeploys.L2_ACCOUNTS));
        assertFalse(Predeploys.isLost(address(uint160(Predeploys.L2_ACCOUNTS) + 1)));
    }

    function testFuzz_other_accounts_are_allowed_targets(address account) public pure {
        vm.assume(account != Predeploys.L1_ANCHOR && account != Predeploys.L2_MESSENGER);
        assertFalse(Predeploys.isForbiddenTarget(account));
    }
}
