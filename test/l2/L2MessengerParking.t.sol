// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Moody, Reentrant} from "../utils/Targets.sol";

contract L2MessengerParkingTest is L2Chain {
    address internal constant TO = address(0xaaaa);
    address internal owner = makeAddr("owner");

    function sendOne(uint128 value, uint128 fee, uint64 gasLimit, bytes memory data) internal {
        uint256 index = send(alice, TO, value, fee, gasLimit, data);
        queue[index].refundTo = owner;
    }

    function parked(uint256 index) internal view returns (bytes memory) {
        IL2Messenger.Message memory m = queue[index];
        return bytes.concat(
            abi.encodePacked(m.sender, m.to, m.refundTo, m.value, m.fee, uint32(m.gasLimit)),
            abi.encodePacked(uint32(1 << 31), keccak256(m.data))
        );
    }

    function isParked(uint256 index) internal view returns (bool) {
        return messenger.isParked(MessageCodec.hash(queue[index]));
    }

    function header(uint256 index) internal view returns (IL2Messenger.Header memory) {
        return MessageCodec.header(queue[index]);
    }

    function testFuzz_parked_message_is_stored_undelivered_with_fee(
        uint96 value,
        uint96 fee,
        uint32 gasLimit,
        bytes calldata data
    ) public {
        vm.assume(gasLimit != 0);
        sendOne(value, fee, gasLimit, data);
        sendOne(1, 2, 0, "");
        anchorQueue();
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageParked(0, MessageCodec.hash(queue[0]));
        messenger.relay(bytes.concat(parked(0), packed(1, 2)), relayer);
        assertRelayed(2);
        assertTrue(isParked(0));
        assertFalse(isFailed(0));
        assertFalse(isParked(1));
        assertEq(TO.balance, 1);
        assertEq(relayer.balance, 2, "only what was delivered is paid for");
    }

    function test_message_without_gas_cannot_be_parked() public {
        sendOne(5, 1, 0, "");
        anchorQueue();
        bytes memory batch = parked(0);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.NotParkable.selector, 0));
        messenger.relay(batch, relayer);
        messenger.relay(packed(0, 1), relayer);
        assertEq(TO.balance, 5);
    }

    function test_malformed_parked_message_is_rejected() public {
        sendOne(5, 1, 1, "data");
        anchorQueue();
        bytes memory batch = parked(0);
        batch[99] = 0x01;
        uint256 length = (1 << 31) + 1;
        vm.expectRevert(abi.encodeWithSelector(Messages.ParkedLengthInvalid.selector, 0, length));
        messenger.relay(batch, relayer);
        batch[99] = 0x00;
        batch[131] ^= 0x01;
        vm.expectPartialRevert(IL2Messenger.RootMismatch.selector);
        messenger.relay(batch, relayer);
        batch[131] ^= 0x01;
        messenger.relay(batch, relayer);
    }

    function park(uint128 value, uint128 fee) internal {
        sendOne(value, fee, 100_000, "");
        anchorQueue();
        messenger.relay(parked(0), relayer);
    }

    function test_delivering_account_receives_fee() public {
        park(5, 7);
        address anyone = makeAddr("anyone");
        vm.prank(anyone);
        messenger.retry(queue[0]);
        assertEq(TO.balance, 5);
        assertEq(anyone.balance, 7);
        assertFalse(isParked(0));
    }

    function test_owner_withdraws_value_and_fee() public {
        park(5, 7);
        vm.prank(owner);
        messenger.refund(queue[0], address(0xbbbb));
        assertEq(address(0xbbbb).balance, 12);
    }

    function test_owner_returns_value_and_fee_to_l1() public {
        park(5, 7);
        IL2Messenger.Header memory h = header(0);
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.NotRefundable.selector, address(this), owner)
        );
        messenger.refundToL1(h, address(0xbbbb));
        vm.prank(owner);
        assertEq(messenger.refundToL1(h, address(0xbbbb)), 0);
        assertEq(messenger.sentCount(), 1);
        bytes32 expected = keccak256(
            abi.encode(owner, address(0xbbbb), address(0xbbbb), 12, 0, 0, 0, keccak256(""))
        );
        assertEq(messenger.sent(0), expected);
        assertEq(address(messenger).balance, PREMINT);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.NotFailed.selector, MessageCodec.hash(queue[0]))
        );
        messenger.refundToL1(h, address(0xbbbb));
    }

    function test_failed_message_returns_to_l1_without_fee() public {
        queue.push();
        queue.pop();
        uint256 index = send(alice, address(new Moody("")), 5, 7, 100_000, "");
        queue[index].refundTo = owner;
        relayAll();
        vm.prank(owner);
        messenger.refundToL1(header(index), TO);
        bytes32 expected = keccak256(abi.encode(owner, TO, TO, 5, 0, 0, 0, keccak256("")));
        assertEq(messenger.sent(0), expected);
    }

    function test_refund_above_message_value_limit_reverts() public {
        park(type(uint128).max, 1);
        IL2Messenger.Header memory h = header(0);
        uint256 sum = uint256(type(uint128).max) + 1;
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.ValueTooLarge.selector, sum, type(uint128).max)
        );
        messenger.refundToL1(h, TO);
        assertTrue(isParked(0));
    }

    /// @dev By the designated account only, and once; a message that is being delivered is not
    /// stored.
    function test_messages_refund_to_l1_once_during_delivery() public {
        Reentrant target = new Reentrant();
        uint256 first = send(alice, TO, 5, 2, 100_000, "");
        queue[first].refundTo = address(target);
        for (uint256 i = 0; i < 3; ++i) {
            queue[send(alice, address(target), 0, 0, 1_000_000, "")].refundTo = address(target);
        }
        anchorQueue();
        target.prepare(
            address(messenger), abi.encodeCall(messenger.refundToL1, (header(first), TO))
        );
        messenger.relay(bytes.concat(parked(0), packed(1, 4)), relayer);
        assertFalse(isParked(0));
        assertFalse(isFailed(1));
        assertTrue(isFailed(2) && isFailed(3), "there is nothing more to take back");
        assertEq(messenger.sentCount(), 1);
        bytes32 expected = keccak256(abi.encode(address(target), TO, TO, 7, 0, 0, 0, keccak256("")));
        assertEq(messenger.sent(0), expected, "value and the unearned fee");
        assertEq(relayer.balance, 0);

        target.prepare(address(messenger), abi.encodeCall(messenger.refundToL1, (header(2), TO)));
        vm.expectPartialRevert(IL2Messenger.RetryFailed.selector);
        messenger.retry(queue[2]);
        messenger.retry(queue[3]);
        assertFalse(isFailed(2));
    }
}

contract L2MessengerSendTest is L2Chain {
    function testFuzz_messages_to_l1_are_kept_by_hash(
        address to,
        address refundTo,
        uint96 value,
        uint96 fee,
        uint32 gasLimit,
        bytes calldata data
    ) public {
        gasLimit = uint32(bound(gasLimit, 0, messenger.MAX_CLAIM_GAS()));
        for (uint64 i = 0; i < 2; ++i) {
            hoax(alice, uint256(value) + fee);
            vm.expectEmit(address(messenger));
            emit IL2Messenger.MessageSent(i, alice, to, refundTo, value, fee, gasLimit, data);
            uint64 index =
                messenger.send{value: uint256(value) + fee}(to, refundTo, gasLimit, fee, data);
            assertEq(index, i);
            bytes32 expected = keccak256(
                abi.encode(alice, to, refundTo, value, fee, gasLimit, i, keccak256(data))
            );
            assertEq(messenger.sent(i), expected);
            bytes32 slot = keccak256(abi.encode(i, 4));
            assertEq(vm.load(address(messenger), slot), expected, "slot 4");
            assertEq(messenger.sentCount(), i + 1);
        }
        assertEq(uint256(vm.load(address(messenger), 0)), 2 << 64, "slot 0");
        assertEq(address(messenger).balance, PREMINT + 2 * (uint256(value) + fee));
        assertEq(messenger.sent(2), 0);
    }

    function test_messages_up_to_caps_are_accepted() public {
        // Gas that an L1 transaction has in addition to that of the proof.
        uint64 gas = 8_000_000;
        uint64 data = messenger.MAX_CLAIM_DATA();
        messenger.send(address(1), address(0), gas, 0, new bytes(data));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.GasLimitTooHigh.selector, gas + 1, gas));
        messenger.send(address(1), address(0), gas + 1, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.DataTooLong.selector, data + 1, data));
        messenger.send(address(1), address(0), 0, 0, new bytes(data + 1));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.FeeAboveValue.selector, 1, 0));
        messenger.send(address(1), address(0), 0, 1, "");
        uint256 maximum = type(uint128).max;
        vm.deal(address(this), maximum + 1);
        vm.deal(address(messenger), 0);
        vm.expectRevert(
            abi.encodeWithSelector(IL2Messenger.ValueTooLarge.selector, maximum + 1, maximum)
        );
        messenger.send{value: maximum + 1}(address(1), address(0), 0, 0, "");
        messenger.send{value: maximum}(address(1), address(0), 0, 0, "");
    }
}
