// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Delivery} from "../../contracts/libraries/Delivery.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Burner, Moody, Recorder} from "../utils/Targets.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

contract L2MessengerDeliveryTest is L2Chain {
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

    // ---------------------------------------------------------------- failure

    function test_failing_target_delays_no_other_message() public {
        send(alice, address(moody), 5, 3, 100_000, "");
        send(address(0xaaaa), 1, "");
        anchorQueue();

        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageFailed(0, MessageCodec.hash(queue[0]), "not in the mood");
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageDelivered(1);
        messenger.relay(packed(0, 2), relayer);

        assertTrue(isFailed(0));
        assertFalse(isFailed(1));
        assertEq(address(moody).balance, 0);
        assertEq(relayer.balance, 3, "the work was done");
        assertEq(address(messenger).balance, PREMINT - 4);
    }

    function test_target_that_consumes_all_gas_blocks_no_other() public {
        send(address(new Burner()), 5, "");
        send(address(0xaaaa), 1, "");
        relayAll();
        assertTrue(isFailed(0));
        assertEq(address(0xaaaa).balance, 1);
    }

    function testFuzz_long_revert_reason_is_truncated(bytes calldata reason) public {
        bytes memory long = bytes.concat(reason, new bytes(Delivery.MAX_REASON));
        send(alice, address(new Moody(long)), 0, 0, 1_000_000, "");
        anchorQueue();
        bytes memory kept = new bytes(Delivery.MAX_REASON);
        for (uint256 i = 0; i < kept.length; ++i) {
            kept[i] = long[i];
        }
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageFailed(0, MessageCodec.hash(queue[0]), kept);
        messenger.relay(packed(0, 1), relayer);
    }

    // ---------------------------------------------------------------- retry

    function test_failed_message_can_be_retried_by_anyone() public {
        send(address(moody), 5, hex"c0ffee");
        relayAll();
        moody.accept(true);

        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageDelivered(0);
        vm.prank(makeAddr("anyone"));
        messenger.retry(queue[0]);
        assertEq(address(moody).balance, 5);
        assertEq(moody.taken(), 1);
        assertFalse(isFailed(0));
    }

    function test_retry_sets_l1_sender_and_forwards_all_gas() public {
        Recorder recorder = new Recorder();
        send(alice, address(recorder), 5, 0, 0, hex"c0ffee");
        relayAll();
        assertTrue(isFailed(0), "no gas was paid for");

        messenger.retry{gas: 3_000_000}(queue[0]);
        (uint256 gas, address caller, address l1Sender, uint256 value, bytes memory data) =
            recorder.calls(0);
        assertGt(gas, 2_800_000);
        assertEq(caller, address(messenger));
        assertEq(l1Sender, alice);
        assertEq(value, 5);
        assertEq(data, hex"c0ffee");
    }

    function test_retry_that_fails_changes_nothing() public {
        send(address(moody), 5, "");
        relayAll();
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, "not in the mood")
        );
        messenger.retry(queue[0]);
        assertTrue(isFailed(0));
        moody.accept(true);
        messenger.retry(queue[0]);
    }

    function testFuzz_only_message_that_failed_can_be_retried(IL2Messenger.Message calldata other)
        public
    {
        send(address(moody), 5, "");
        relayAll();
        vm.assume(MessageCodec.hash(other) != MessageCodec.hash(queue[0]));
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.NotFailed.selector, MessageCodec.hash(other))
        );
        messenger.retry(other);
        moody.accept(true);
        messenger.retry(queue[0]);
    }

    /// @dev Tokens that arrived before the bridge was deployed were lost in this way.
    function test_data_for_account_without_code_waits_for_code() public {
        address late = makeAddr("late");
        send(alice, late, 5, 0, 100_000, hex"01");
        // Counterexamples: no data, and a target with code.
        send(alice, late, 5, 0, 100_000, "");
        send(alice, address(moody), 0, 0, 100_000, hex"01");
        moody.accept(true);
        relayAll();
        assertTrue(isFailed(0));
        assertFalse(isFailed(1));
        assertFalse(isFailed(2));
        assertEq(late.balance, 5);

        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, ""));
        messenger.retry(queue[0]);
        vm.etch(late, hex"00");
        messenger.retry(queue[0]);
        assertEq(late.balance, 10);
    }

    // ---------------------------------------------------------------- refund

    function test_refund_account_receives_value_of_failed_message() public {
        address owner = makeAddr("owner");
        send(alice, address(moody), 5, 1, 100_000, "");
        queue[0].refundTo = owner;
        relayAll();

        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageRefunded(0, address(0xaaaa), 5);
        vm.prank(owner);
        messenger.refund(queue[0], address(0xaaaa));
        assertEq(address(0xaaaa).balance, 5);
        assertFalse(isFailed(0));

        moody.accept(true);
        expectNotFailed(0);
        messenger.retry(queue[0]);
        expectNotFailed(0);
        vm.prank(owner);
        messenger.refund(queue[0], address(0xaaaa));
    }

    function testFuzz_only_refund_account_cancels_message(address caller, address owner) public {
        vm.assume(caller != owner);
        send(address(moody), 5, "");
        queue[0].refundTo = owner;
        relayAll();
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.NotRefundable.selector, caller, owner));
        vm.prank(caller);
        messenger.refund(queue[0], caller);
        vm.prank(owner);
        messenger.refund(queue[0], address(0xaaaa));
    }

    function test_rejected_refund_changes_nothing() public {
        send(address(moody), 5, "");
        queue[0].refundTo = address(this);
        relayAll();
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.RefundFailed.selector, address(moody), 5)
        );
        messenger.refund(queue[0], address(moody));
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.RefundFailed.selector, address(messenger), 5)
        );
        messenger.refund(queue[0], address(messenger));
        messenger.refund(queue[0], address(0xaaaa));
        assertEq(address(0xaaaa).balance, 5);
    }

    function test_refund_before_relay_is_rejected() public {
        send(address(moody), 5, "");
        queue[0].refundTo = address(this);
        expectNotFailed(0);
        messenger.refund(queue[0], address(this));
        relayAll();
        messenger.refund(queue[0], address(0xaaaa));
    }

    // ---------------------------------------------------------------- sender

    function test_l1_sender_is_unset_outside_delivery() public {
        vm.expectRevert(IL2Messenger.NoDelivery.selector);
        messenger.l1Sender();

        // The recipient of fees is called while no message is being delivered.
        Recorder recorder = new Recorder();
        send(alice, address(0xaaaa), 0, 1, 0, "");
        anchorQueue();
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.FeeTransferFailed.selector, recorder, 1)
        );
        messenger.relay(packed(0, 1), address(recorder));
        messenger.relay(packed(0, 1), relayer);
        vm.expectRevert(IL2Messenger.NoDelivery.selector);
        messenger.l1Sender();
    }

    // ---------------------------------------------------------------- eth

    function test_plain_eth_transfer_is_rejected() public {
        vm.deal(address(this), 1);
        (bool ok,) = address(messenger).call{value: 1}("");
        assertFalse(ok);
    }

    function test_value_above_premint_fails_and_can_be_retried() public {
        send(address(0xaaaa), SafeCastLib.toUint128(PREMINT + 1), "");
        send(address(0xbbbb), 1, "");
        relayAll();
        assertTrue(isFailed(0));
        assertEq(address(0xbbbb).balance, 1);
        vm.deal(address(messenger), PREMINT + 1);
        messenger.retry(queue[0]);
        assertEq(address(0xaaaa).balance, PREMINT + 1);
    }

    // ---------------------------------------------------------------- gas

    function testFuzz_any_message_is_relayed_within_documented_gas(
        uint256 gasLimit,
        uint256 dataLength
    ) public {
        gasLimit = bound(gasLimit, 0, 12_000_000);
        dataLength = bound(dataLength, 0, 32_768);
        bytes memory data = new bytes(dataLength);
        for (uint256 i = 0; i < dataLength; ++i) {
            data[i] = 0xff;
        }
        send(alice, address(new Burner()), 1, 1, SafeCastLib.toUint64(gasLimit), data);
        anchorQueue();
        bytes memory call = abi.encodeCall(messenger.relay, (packed(0, 1), relayer));
        // Excluding the intrinsic gas, with EIP-7976's price of 64 per byte.
        uint256 gas = Messages.relayGas(gasLimit, dataLength) - 21_000 - 64 * call.length;
        vm.cool(address(messenger));
        vm.cool(address(anchor));
        (bool ok,) = address(messenger).call{gas: gas}(call);
        assertTrue(ok);
        assertTrue(isFailed(0), "the target has used all that it got");
    }
}
