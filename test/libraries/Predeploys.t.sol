// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";

contract PredeploysTest is Test {
    function test_no_message_goes_to_the_messenger_or_the_anchor() public pure {
        assertTrue(Predeploys.isForbiddenTarget(Predeploys.L1_ANCHOR));
        assertTrue(Predeploys.isForbiddenTarget(Predeploys.L2_MESSENGER));
        assertFalse(Predeploys.isForbiddenTarget(Predeploys.L2_ACCOUNTS));
    }

    function testFuzz_messages_go_to_all_other_accounts(address account) public pure {
        vm.assume(account != Predeploys.L1_ANCHOR && account != Predeploys.L2_MESSENGER);
        assertFalse(Predeploys.isForbiddenTarget(account));
    }
}
