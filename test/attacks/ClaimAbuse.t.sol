// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {Burner, Catching, Reentrant} from "../utils/Targets.sol";

/// @title Claimers and targets on L1 that want more than is theirs
/// @notice A claim pays ETH out of an escrow that belongs to everyone, and calls whatever the sender named
/// with the authority of the L2. So: a message could be claimed twice, by the same proof or a later one;
/// a target could call back in the middle of its delivery, to claim again or to be taken for another
/// sender; a claimer could choose its gas so that a target that catches its own failures takes the message
/// and gives up on it for good; a target could burn what the claimer has; a refund could be provoked by
/// giving the target too little. And if more was minted on the L2 than lies in the escrow, the first to
/// claim must not take what others have sent and not yet got.
contract ClaimAbuseTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant TO = address(0xaaaa);

    function setUp() public override {
        super.setUp();
        send(alice, 10 ether, 0, "");
        nextL1Block();
        bringOver();
    }

    function test_a_target_cannot_claim_refund_or_claim_itself_within_its_delivery() public {
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
        // To read is allowed, and so is to send.
        target.prepare(address(queue), abi.encodeCall(queue.send, (TO, TO, 0, 0, "")));
        queue.claim(outer, proof, TO);
        assertEq(queue.checkpoint().count, 2);
        queue.claim(other, messageProof(1), TO);
        assertEq(address(queue).balance, 8 ether);
    }

    function test_a_receiver_of_fees_cannot_claim_within_their_payment() public {
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

    function testFuzz_no_choice_of_gas_starves_a_target(uint256 gas, bool refund) public {
        gas = bound(gas, 50_000, 500_000);
        Catching target = new Catching();
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), address(this), 1 ether, 0, 100_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        bytes memory call = refund
            ? abi.encodeCall(queue.refund, (m, proof, TO))
            : abi.encodeCall(queue.claim, (m, proof, TO));
        (bool ok,) = address(queue).call{gas: gas}(call);
        assertFalse(target.gaveUp());
        assertEq(target.done(), ok);
        assertEq(queue.isClaimed(0), ok);
        assertEq(TO.balance, 0);
    }

    function test_a_target_that_burns_gas_loses_its_own_message_only() public {
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(new Burner()), TO, 1 ether, 0, 100_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        vm.prank(TO);
        assertFalse(queue.refund{gas: 5_000_000}(m, proof, TO));
        assertEq(TO.balance, 1 ether);
    }

    /// @dev Bob's ETH on this L2 is a gift of its genesis, with nothing behind it.
    function test_what_nothing_backs_is_paid_as_far_as_there_is_something_and_never_lost() public {
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

    /// @dev Hashes of messages in both directions have the same form, and each side looks for them where
    /// only its own are.
    function test_a_deposit_is_no_withdrawal() public {
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
