// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {BondsHandler} from "./BondsHandler.sol";

/// @dev The ether of the registry: what is burned remains in it, and every bond is covered.
contract BondsInvariants is Test {
    BondsHandler internal handler;

    function setUp() public {
        handler = new BondsHandler();
        targetContract(address(handler));
        targetSender(makeAddr("fuzzer"));
    }

    /// forge-config: default.invariant.runs = 64
    /// forge-config: default.invariant.depth = 128
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_bonds_and_burned_ether_are_the_balance() public view {
        assertEq(handler.bondsOfAll() + handler.burned(), handler.balance());
        assertEq(handler.deposited(), handler.balance() + handler.withdrawn() + handler.rewarded());
    }

    /// @dev Each action of the handler can succeed.
    function test_handler_reaches_each_action() public {
        handler.register(0, 1);
        assertEq(handler.registered(), 1);
        handler.deposit(2, 2, 4 ether);
        handler.wait(3600);
        handler.late(1, 5, 3, true);
        assertEq(handler.delays(), 1);
        assertEq(handler.burned(), 0.45 ether);
        assertEq(handler.rewarded(), 0.05 ether);
        handler.equivocate(0, 1, 5, 2, false);
        assertEq(handler.slashes(), 1);
        assertEq(handler.burned(), 9.95 ether);
        handler.request(2);
        handler.cancel(2);
        handler.request(2);
        handler.wait(7 days);
        handler.withdraw(2, 3);
        assertEq(handler.withdrawn(), 4 ether);
        invariant_bonds_and_burned_ether_are_the_balance();
    }
}
