// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {ClaimAttack} from "./ClaimAttack.sol";

/// @title Message to L1 whose target is the queue or the rollup
/// @notice A claim calls the target that the sender on L2 chose, with the queue as the caller. A
/// message to the queue itself would make it call itself: a message "sent" that way would have the
/// queue as its sender on L2, which bridges there may trust. And the rollup trusts the queue.
/// Neither is ever called; the value of such a message is not lost, because it can be refunded like
/// any message that its target rejects.
contract SelfTargetOnL1Test is ClaimAttack {
    using L2 for L2.Chain;

    address internal owner = makeAddr("owner of what is refused");

    function test_messages_to_queue_or_rollup_are_only_refunded() public {
        address[2] memory forbidden = [address(queue), address(rollup)];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory data = abi.encodeCall(queue.send, (TO, TO, 0, 0, ""));
            IL1MessageQueue.Message memory m =
                queueSend("bob", forbidden[i], owner, 5, 0, 100_000, data);
            advanceSends();
            IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
            vm.expectRevert(
                abi.encodeWithSelector(IL1MessageQueue.TargetForbidden.selector, forbidden[i])
            );
            queue.claim(m, proof, TO);
            vm.expectCall(forbidden[i], data, 0);
            vm.prank(owner);
            assertFalse(queue.refund(m, proof, TO));
        }
        assertEq(TO.balance, 10);
        assertEq(queue.checkpoint().count, 1);
    }

    function test_any_other_target_is_called() public {
        address other = address(uint160(address(queue)) + 1);
        vm.etch(other, hex"00");
        bytes memory data = abi.encodeCall(queue.send, (TO, TO, 0, 0, ""));
        IL1MessageQueue.Message memory m = queueSend("bob", other, owner, 5, 0, 100_000, data);
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        vm.expectCall(other, data, 1);
        queue.claim(m, proof, TO);
        assertEq(other.balance, 5);
    }
}
