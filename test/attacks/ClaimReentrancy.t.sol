// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {Reentrant} from "../utils/Targets.sol";
import {ClaimAttack} from "./ClaimAttack.sol";

/// @title Targets and recipients on L1 that call the queue back
/// @notice A claim calls the account that the sender chose, and pays a fee to an account that the
/// claimer chooses, in the middle of its execution. From there, the same message could be claimed
/// again, or another message, whose target would then see the first message's sender, or whose
/// sender would remain visible afterwards. All of these calls are rejected; reading is allowed, and
/// so is sending.
contract ClaimReentrancyTest is ClaimAttack {
    using L2 for L2.Chain;

    function test_reentrant_claims_and_refunds_during_delivery_are_rejected() public {
        Reentrant target = new Reentrant();
        IL1MessageQueue.Message memory outer =
            queueSend("bob", address(target), address(target), 1 ether, 0, 2_000_000, "");
        IL1MessageQueue.Message memory other =
            queueSend("alice", TO, address(target), 1 ether, 0, 0, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        bytes[3] memory inner = [
            abi.encodeCall(queue.claim, (outer, proof, TO)),
            abi.encodeCall(queue.claim, (other, messageProof(1), TO)),
            abi.encodeCall(queue.refund, (other, messageProof(1), TO))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            target.prepare(address(queue), inner[i]);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IL1MessageQueue.DeliveryFailed.selector,
                    abi.encodeWithSelector(IL1MessageQueue.Reentrancy.selector)
                )
            );
            queue.claim(outer, proof, TO);
        }
        // Reading and sending are allowed.
        target.prepare(address(queue), abi.encodeCall(queue.send, (TO, TO, 0, 0, "")));
        queue.claim(outer, proof, TO);
        assertEq(queue.checkpoint().count, 2);
        queue.claim(other, messageProof(1), TO);
        assertEq(address(queue).balance, 8 ether);
    }

    function test_fee_recipient_cannot_claim_during_payment() public {
        Reentrant claimer = new Reentrant();
        IL1MessageQueue.Message memory m = queueSend("bob", TO, TO, 1 ether, 1, 0, "");
        IL1MessageQueue.Message memory n = queueSend("bob", TO, TO, 1 ether, 1, 0, "");
        advanceSends();
        claimer.prepare(address(queue), abi.encodeCall(queue.claim, (n, messageProof(1), TO)));
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.ReleaseFailed.selector, address(claimer), 1)
        );
        queue.claim(m, proof, address(claimer));
        queue.claim(m, proof, TO);
    }
}
