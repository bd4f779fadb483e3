// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Moody} from "../utils/Targets.sol";

/// @dev Every field of the messenger's events, for messages that are not the first: no two fields
/// of an event have the same value, and no index is zero.
contract L2MessengerEventsTest is L2Chain {
    address internal constant TO = address(0xaaaa);
    address internal constant RECIPIENT = address(0xbbbb);
    address internal owner = makeAddr("owner");
    Moody internal moody = new Moody("not now");

    function setUp() public override {
        super.setUp();
        send(alice, TO, 0, 0, 0, "");
        send(alice, TO, 0, 0, 0, "");
        relayAll();
    }

    /// @dev Sends message 2 or later, which its owner may cancel.
    function sendOwned(address to, uint64 gasLimit) internal returns (uint256 index) {
        index = send(alice, to, 5, 7, gasLimit, "");
        queue[index].refundTo = owner;
    }

    /// @dev Sends two more messages, and parks the second.
    function parkSecond() internal returns (uint256 index) {
        sendOwned(TO, 0);
        index = sendOwned(TO, 100_000);
        anchorQueue();
        bytes memory batch = bytes.concat(packed(2, 3), AccountCalls.packParked(queue[index]));
        messenger.relay(batch, relayer);
    }

    function header(uint256 index) internal view returns (IL2Messenger.Header memory) {
        return MessageCodec.header(queue[index]);
    }

    function test_relay_events_name_index_of_each_message() public {
        sendOwned(TO, 0);
        sendOwned(address(moody), 100_000);
        sendOwned(TO, 100_000);
        anchorQueue();
        bytes memory batch = bytes.concat(packed(2, 4), AccountCalls.packParked(queue[4]));
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageDelivered(2);
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageFailed(3, MessageCodec.hash(queue[3]), "not now");
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageParked(4, MessageCodec.hash(queue[4]));
        messenger.relay(batch, relayer);
    }

    function test_delivery_event_names_second_of_batch() public {
        sendOwned(TO, 0);
        sendOwned(TO, 0);
        anchorQueue();
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageDelivered(3);
        messenger.relay(packed(2, 4), relayer);
    }

    function test_retry_event_names_message() public {
        uint256 index = parkSecond();
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageDelivered(3);
        vm.prank(relayer);
        messenger.retry(queue[index]);
    }

    function test_refund_event_names_recipient_and_whole_amount() public {
        uint256 index = parkSecond();
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageRefunded(3, RECIPIENT, 12);
        vm.prank(owner);
        messenger.refund(queue[index], RECIPIENT);
    }

    function test_refund_to_l1_events_name_recipient_and_amount() public {
        IL2Messenger.Header memory h = header(parkSecond());
        messenger.send(TO, TO, 0, 0, "");
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageRefunded(3, RECIPIENT, 12);
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageSent(1, owner, RECIPIENT, RECIPIENT, 12, 0, 0, "");
        vm.prank(owner);
        messenger.refundToL1(h, RECIPIENT);
    }

    /// @dev Data for an account without code make a delivery fail, so the message is not plain: it
    /// can be parked like others that fail.
    function test_message_with_data_and_without_gas_is_parkable() public {
        uint256 index = send(alice, TO, 5, 7, 0, "data");
        anchorQueue();
        messenger.relay(AccountCalls.packParked(queue[index]), relayer);
        assertTrue(messenger.isParked(MessageCodec.hash(queue[index])));
    }
}
