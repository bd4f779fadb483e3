// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {OnceCallingToken} from "../utils/Tokens.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

/// @dev A token's code runs during each of its transfers. A nested deposit would be counted twice
/// or not at all, and so would a payment within a deposit. Each call here would succeed a moment
/// later.
contract BridgeReentrancyTest is BridgeFixture {
    OnceCallingToken private calling;

    function setUp() public override {
        super.setUp();
        calling = new OnceCallingToken();
        depositFor(calling, 100);
        give(calling, alice, 100);
        give(calling, address(calling), 10);
        calling.allow(address(l1Bridge));
    }

    function depositOfTheToken() private view returns (bytes memory) {
        return abi.encodeCall(IL1TokenBridge.deposit, (address(calling), carol, carol, 10, GAS));
    }

    function withdraw(uint256 amount) private returns (uint64 index) {
        vm.prank(bob);
        index = l2Bridge.withdraw(address(calling), carol, carol, amount, GAS);
        collect();
    }

    function assertRefused(bytes memory answer) private view {
        assertFalse(calling.succeeded());
        assertEq(calling.answer(), answer);
    }

    function closed() private pure returns (bytes memory) {
        return abi.encodeWithSelector(IL1TokenBridge.Reentrancy.selector);
    }

    function test_deposit_during_deposit_is_rejected() public {
        calling.prepare(address(l1Bridge), depositOfTheToken());
        deposit(address(calling), 100);
        assertRefused(closed());
        assertEq(l1Bridge.owed(address(calling)), 200);
        assertEq(calling.balanceOf(address(l1Bridge)), 200);
        vm.prank(address(calling));
        (bool ok,) = address(l1Bridge).call(depositOfTheToken());
        assertTrue(ok, "and afterwards there is");
        assertEq(l1Bridge.owed(address(calling)), 210);
    }

    function test_deposit_during_payment_is_rejected() public {
        uint64 index = withdraw(30);
        calling.prepare(address(l1Bridge), depositOfTheToken());
        toL1(index);
        assertRefused(closed());
        assertEq(l1Bridge.owed(address(calling)), 70);
        assertEq(calling.balanceOf(address(l1Bridge)), 70);
    }

    function test_payment_during_deposit_is_rejected() public {
        uint64 index = withdraw(30);
        bytes memory claim =
            abi.encodeCall(IL1MessageQueue.claim, (toL1Messages[index], proofOf(index), relayer));
        calling.prepare(address(l1Queue), claim);
        deposit(address(calling), 100);
        assertRefused(abi.encodeWithSelector(IL1MessageQueue.DeliveryFailed.selector, closed()));
        assertEq(l1Bridge.owed(address(calling)), 200);
        (bool ok,) = address(l1Queue).call(claim);
        assertTrue(ok, "and afterwards there is");
        assertEq(l1Bridge.owed(address(calling)), 170);
        assertEq(calling.balanceOf(carol), 30);
    }

    function test_to_read_is_allowed_meanwhile() public {
        calling.prepare(address(l1Bridge), abi.encodeCall(IL1TokenBridge.owed, (address(calling))));
        deposit(address(calling), 100);
        assertTrue(calling.succeeded());
        assertEq(abi.decode(calling.answer(), (uint256)), 100);
    }
}
