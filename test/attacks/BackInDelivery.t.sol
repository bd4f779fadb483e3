// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {Target} from "../utils/Targets.sol";

/// @dev Returns what it receives to the escrow, in the middle of the claim.
contract BackingTarget is Target {
    IL1MessageQueue internal immutable QUEUE;

    constructor(IL1MessageQueue queue) {
        QUEUE = queue;
    }

    function take() internal override {
        if (msg.value != 0) QUEUE.back{value: msg.value}();
    }
}

/// @title Attack: backing the escrow from within a delivery
/// @notice The target of a message returns the ETH to the escrow while the claim is executed, so
/// that the claim appears to have paid nothing, and claims or refunds the message once more.
contract BackInDeliveryTest is RealRollup {
    using L2 for L2.Chain;

    function test_delivery_that_backs_escrow_is_claimed_once() public {
        BackingTarget target = new BackingTarget(queue);
        hoax(alice, 10 ether);
        queue.back{value: 10 ether}();
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), alice, 4 ether, 1, 100_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        address fees = makeAddr("fees");
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.Backed(address(target), 4 ether);
        queue.claim(m, proof, fees);
        // Only the fee has left.
        assertEq(address(queue).balance, 10 ether - 1);
        assertEq(address(target).balance, 0);
        assertEq(fees.balance, 1);

        bytes memory claimed =
            abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, m.index);
        vm.expectRevert(claimed);
        queue.claim(m, proof, fees);
        vm.prank(alice);
        vm.expectRevert(claimed);
        queue.refund(m, proof, alice);
    }
}
