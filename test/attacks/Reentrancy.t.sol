// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {Moody, Reentrant} from "../utils/Targets.sol";

/// @title Targets that call the messenger back
/// @notice A target runs in the middle of the messenger's execution. If it could relay, it would
/// deliver messages out of order; if it could retry or refund, a message could be paid twice, or be
/// delivered with the wrong L1 sender. All of these calls are rejected within a delivery, within
/// the payment of fees, and within a refund. Reading is allowed, and so are functions that any L2
/// account may call anyway.
contract ReentrancyTest is L2Chain {
    Reentrant internal target;

    function setUp() public override {
        super.setUp();
        target = new Reentrant();
        // A failed message that the target may refund.
        send(address(new Moody("")), 7, "");
        queue[0].refundTo = address(target);
        relayAll();
    }

    function calls() internal view returns (bytes[3] memory) {
        return [
            abi.encodeCall(messenger.relay, (packed(2, 3), relayer)),
            abi.encodeCall(messenger.retry, (queue[0])),
            abi.encodeCall(messenger.refund, (queue[0], address(0xaaaa)))
        ];
    }

    function testFuzz_reentrant_calls_during_delivery_deliver_and_pay_nothing(uint256 which)
        public
    {
        send(alice, address(target), 0, 0, 1_000_000, "");
        send(address(0xbbbb), 1, "");
        target.prepare(address(messenger), calls()[which % 3]);
        anchorQueue();
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageFailed(
            1,
            keccak256(
                abi.encode(alice, target, address(0), 0, 0, 1_000_000, 1, keccak256(queue[1].data))
            ),
            abi.encodeWithSelector(IL2Messenger.Reentrancy.selector)
        );
        messenger.relay(packed(1, 3), relayer);
        assertRelayed(3);
        assertTrue(isFailed(0));
        assertEq(address(0xaaaa).balance, 0);
        assertEq(address(0xbbbb).balance, 1);
    }

    function testFuzz_reentrant_calls_during_fee_payment_deliver_nothing(uint256 which) public {
        send(alice, address(0xbbbb), 0, 1, 0, "");
        send(alice, address(0xbbbb), 0, 1, 0, "");
        target.prepare(address(messenger), calls()[which % 3]);
        anchorQueue();
        messenger.addWaypoint(3, rootAt(2), hashes(2, 3));
        bytes memory batch = packed(1, 2);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.FeeTransferFailed.selector, target, 1));
        messenger.relay(batch, address(target));
        messenger.relay(batch, relayer);
    }

    function test_reentrant_calls_during_refund_deliver_nothing() public {
        send(address(0xbbbb), 0, "");
        anchorQueue();
        target.prepare(address(messenger), abi.encodeCall(messenger.relay, (packed(1, 2), relayer)));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RefundFailed.selector, target, 7));
        vm.prank(address(target));
        messenger.refund(queue[0], address(target));
        vm.prank(address(target));
        messenger.refund(queue[0], address(0xaaaa));
    }

    function test_lock_is_released_after_each_call() public {
        target.prepare(address(messenger), abi.encodeCall(messenger.relayed, ()));
        send(alice, address(target), 0, 0, 1_000_000, "");
        relayAll();
        assertFalse(isFailed(1), "reading is allowed");
        send(address(0xbbbb), 1, "");
        relayAll();
        assertRelayed(3);
    }
}
