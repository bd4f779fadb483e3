// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {ExitHandler} from "./ExitHandler.sol";

/// @dev No change of rules takes effect before earlier exits: the handler checks that at each
/// change.
contract ExitInvariants is Test {
    ExitHandler internal handler;

    function setUp() public {
        handler = new ExitHandler();
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = handler.exit.selector;
        selectors[1] = handler.help.selector;
        selectors[2] = handler.help.selector;
        selectors[3] = handler.stuff.selector;
        selectors[4] = handler.operate.selector;
        selectors[5] = handler.operate.selector;
        selectors[6] = handler.announce.selector;
        selectors[7] = handler.change.selector;
        selectors[8] = handler.change.selector;
        selectors[9] = handler.deposit.selector;
        selectors[10] = handler.pause.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
        targetContract(address(handler));
        targetSender(makeAddr("fuzzer"));
    }

    /// forge-config: default.invariant.runs = 32
    /// forge-config: default.invariant.depth = 96
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_every_exit_before_a_change_is_claimed_before_it_is_made() public view {
        assertLe(handler.made(), handler.blocks() + 96);
    }

    function afterInvariant() public {
        handler.assertEveryoneLeaves();
    }
}
