// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {L2Chain} from "../utils/L2Chain.sol";

/// @title Message whose target is a messenger
/// @notice If the messenger called itself on behalf of an account, that account would act in its
/// name. Messages to the L2 that the messenger "sends" to itself could have the messenger as their
/// sender, and a contract that trusts calls of the messenger would trust the content written by a
/// stranger. The queue rejects such targets; if one arrived nevertheless, the messenger would make
/// no call, neither on delivery nor on a retry.
contract SelfTargetTest is L2Chain {
    function test_queue_rejects_messages_to_predeploys() public {
        L1MessageQueue l1 = new L1MessageQueue(
            address(this), address(0), 1_000_000, 1000, 0, 16_382, Guardians.none()
        );
        address[2] memory predeploys = [Predeploys.L1_ANCHOR, Predeploys.L2_MESSENGER];
        for (uint256 i = 0; i < predeploys.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IL1MessageQueue.TargetForbidden.selector, predeploys[i])
            );
            l1.send(predeploys[i], address(0), 0, 0, "");
        }
        l1.send(address(uint160(Predeploys.L2_MESSENGER) + 1), address(0), 0, 0, "");
    }

    function test_message_to_predeploy_is_never_delivered() public {
        bytes memory harmless = abi.encodeCall(messenger.isFailed, ("no call asks this"));
        send(address(messenger), 0, harmless);
        send(address(anchor), 0, abi.encodeCall(anchor.latest, ()));
        vm.etch(address(0xaaaa), hex"00");
        send(address(0xaaaa), 0, harmless);
        queue[0].refundTo = address(this);
        vm.expectCall(address(messenger), harmless, 0);
        vm.expectCall(address(anchor), abi.encodeCall(anchor.latest, ()), 1); // by anchorQueue
        relayAll();
        assertTrue(isFailed(0));
        assertTrue(isFailed(1));
        assertFalse(isFailed(2));

        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, ""));
        messenger.retry(queue[0]);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, ""));
        messenger.retry(queue[1]);
    }

    function test_value_of_such_message_is_not_lost() public {
        send(address(messenger), 5, "");
        queue[0].refundTo = address(this);
        relayAll();
        messenger.refund(queue[0], address(0xaaaa));
        assertEq(address(0xaaaa).balance, 5);
    }
}
