// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Moody} from "../utils/Targets.sol";

/// @title Messages to the L2 that are delivered twice
/// @notice All messages that were ever sent are public, and so are their proofs. If one could be
/// relayed again, or retried after its target had accepted it, or refunded after that, the sender
/// of a deposit would receive it several times, from the ETH of all users. The rolling hash has one
/// position for each message; a message that is stored for a retry is deleted before its target is
/// called, and is restored only if that fails.
contract ReplayedMessagesTest is L2Chain {
    Moody internal moody;

    function setUp() public override {
        super.setUp();
        moody = new Moody("not in the mood");
    }

    function expectNotFailed(uint256 index) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.NotFailed.selector, MessageCodec.hash(queue[index]))
        );
    }

    function test_message_cannot_be_relayed_twice() public {
        send(address(0xaaaa), 1, "");
        relayAll();
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.CountUnknown.selector, 2, 1));
        messenger.relay(packed(0, 1), relayer);

        // Nor if an equal one has been sent since: the index is part of the hash.
        send(address(0xaaaa), 1, "");
        relayAll();
        assertEq(address(0xaaaa).balance, 2);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.CountUnknown.selector, 3, 2));
        messenger.relay(packed(1, 2), relayer);
    }

    function test_success_is_final() public {
        moody.accept(true);
        send(address(moody), 5, "");
        moody.accept(false);
        send(address(moody), 5, "");
        queue[0].refundTo = address(this);
        queue[1].refundTo = address(this);
        moody.accept(true);
        relayAll();
        expectNotFailed(0);
        messenger.retry(queue[0]);
        expectNotFailed(0);
        messenger.refund(queue[0], address(this));
        assertEq(moody.taken(), 2);
    }

    function test_delivered_retry_is_final() public {
        send(address(moody), 5, "");
        queue[0].refundTo = address(this);
        relayAll();
        moody.accept(true);
        messenger.retry(queue[0]);
        expectNotFailed(0);
        messenger.retry(queue[0]);
        expectNotFailed(0);
        messenger.refund(queue[0], address(0xaaaa));
        assertEq(moody.taken(), 1);
    }
}
