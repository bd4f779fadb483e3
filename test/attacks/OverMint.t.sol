// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {ClaimAttack} from "./ClaimAttack.sol";

/// @title More ETH on the L2 than there is behind it
/// @notice A genesis that gives ETH to accounts, or any fault that mints, makes claims that the
/// escrow cannot pay all of. They must not be paid with what others have sent and not yet got,
/// beyond what is there: what nothing backs is refused as it is claimed, stays claimable, and takes
/// nothing with it.
contract OverMintTest is ClaimAttack {
    using L2 for L2.Chain;

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
}
