// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {ClaimAttack} from "./ClaimAttack.sol";

/// @title More ETH on the L2 than in the escrow
/// @notice If a genesis gives ETH to accounts, or a bug mints ETH, the escrow cannot pay all
/// claims. Claims must not be paid from ETH that others have deposited beyond what the escrow
/// holds: a claim that exceeds the balance is rejected, can be made again later, and affects no
/// other claim.
contract OverMintTest is ClaimAttack {
    using L2 for L2.Chain;

    /// @dev Bob's ETH on this L2 comes from its genesis and is not backed.
    function test_unbacked_withdrawals_are_paid_up_to_escrow() public {
        IL1MessageQueue.Message memory m = queueSend("bob", TO, TO, 9 ether, 0, 0, "");
        IL1MessageQueue.Message memory n = queueSend("bob", TO, TO, 2 ether, 0, 0, "");
        advanceSends();
        queue.claim(m, messageProof(0), TO);
        IL1MessageQueue.MessageProof memory proof = messageProof(1);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.DeliveryFailed.selector, ""));
        queue.claim(n, proof, TO);
        assertFalse(queue.isClaimed(1));
        assertEq(address(queue).balance, 1 ether);
        send(alice, 1 ether, 0, "");
        queue.claim(n, proof, TO);
        assertEq(TO.balance, 11 ether);
    }
}
