// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {ClaimAttack} from "./ClaimAttack.sol";

/// @title Messages to L1 that are claimed twice
/// @notice A proof is valid for as long as the rollup stores the state root, and a later block
/// proves the same slot again: if a message could be claimed with each of them, the escrow could be
/// drained. A message could also be claimed and then refunded, or a deposit be used as a
/// withdrawal, since message hashes have the same format in both directions. A bitmap has one bit
/// per message, which a refund sets as well; and each side looks up hashes only where it stores its
/// own.
contract ReplayedClaimsTest is ClaimAttack {
    using L2 for L2.Chain;

    function expectRefused(
        IL1MessageQueue.Message memory m,
        IL1MessageQueue.MessageProof memory proof,
        bytes memory error_
    ) internal {
        vm.expectRevert(error_);
        queue.claim(m, proof, TO);
    }

    function test_message_is_claimed_once() public {
        IL1MessageQueue.Message memory m = queueSend("bob", TO, TO, 1 ether, 0, 0, "");
        // An equal message with another index.
        IL1MessageQueue.Message memory n = queueSend("bob", TO, TO, 1 ether, 0, 0, "");
        advanceSends();
        queue.claim(m, messageProof(m.index), TO);
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        bytes memory error_ =
            abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, m.index);
        expectRefused(m, proof, error_);
        // Neither with a later block, nor as a refund.
        advance();
        expectRefused(m, messageProof(m.index), error_);
        vm.expectRevert(error_);
        vm.prank(TO);
        queue.refund(m, proof, TO);
        queue.claim(n, messageProof(n.index), TO);
        assertEq(TO.balance, 2 ether);
    }

    /// @dev Message hashes have the same format in both directions, and each side looks them up
    /// only where it stores its own.
    function test_deposit_is_no_withdrawal() public {
        IL1MessageQueue.Message memory m =
            IL1MessageQueue.Message(alice, alice, alice, 10 ether, 0, 0, 0, "");
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        queue.claim(m, proof, TO);
        IL1MessageQueue.Message memory real = queueSend("bob", TO, TO, 1, 0, 0, "");
        advanceSends();
        queue.claim(real, messageProof(0), TO);
    }
}
