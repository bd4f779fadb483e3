// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {Moody} from "../utils/Targets.sol";

/// @dev Sends, relays, retries and refunds in any order.
contract MessengerUser is L2Chain {
    Moody internal moody = new Moody("no");
    address internal constant SAVED = address(0x5afe);

    constructor() {
        setUp();
        // Accepts any data.
        vm.etch(address(0xaaaa), hex"00");
    }

    function sendMessage(uint96 value, uint96 fee, uint8 kind) external {
        if (queue.length == 40) return;
        address to = kind % 3 == 0 ? address(0xaaaa) : address(moody);
        send(alice, to, value, fee, 100_000, abi.encode(kind));
        if (kind % 2 == 0) queue[queue.length - 1].refundTo = address(this);
    }

    function relaySome(uint256 howMany) external {
        (uint64 count,) = messenger.relayed();
        uint256 pending = queue.length - count;
        if (pending == 0) return;
        anchorQueue();
        uint256 end = count + 1 + howMany % pending;
        if (end < queue.length) {
            messenger.addWaypoint(uint64(queue.length), rootAt(end), hashes(end, queue.length));
        }
        messenger.relay(packed(count, end), relayer);
    }

    function retryOne(uint256 which) external {
        if (queue.length == 0) return;
        which %= queue.length;
        if (!isFailed(which)) {
            vm.expectPartialRevert(IL2Messenger.NotFailed.selector);
        } else if (!moody.accepting()) {
            vm.expectPartialRevert(IL2Messenger.RetryFailed.selector);
        }
        messenger.retry(queue[which]);
    }

    function refundOne(uint256 which) external {
        if (queue.length == 0) return;
        which %= queue.length;
        if (queue[which].refundTo != address(this)) {
            vm.expectPartialRevert(IL2Messenger.NotRefundable.selector);
        } else if (!isFailed(which)) {
            vm.expectPartialRevert(IL2Messenger.NotFailed.selector);
        }
        messenger.refund(queue[which], SAVED);
    }

    function setMood(bool accepting) external {
        moody.accept(accepting);
    }

    function assertNothingIsOverReleased() external view {
        (uint64 count, bytes32 root) = messenger.relayed();
        assertEq(root, rootAt(count));
        uint256 fees = 0;
        uint256 values = 0;
        for (uint256 i = 0; i < count; ++i) {
            fees += queue[i].fee;
            if (!isFailed(i)) values += queue[i].value;
        }
        assertEq(address(messenger).balance, PREMINT - fees - values);
        assertEq(relayer.balance, fees);
        assertEq(address(moody).balance + address(0xaaaa).balance + SAVED.balance, values);
    }
}

contract L2MessengerInvariants is Test {
    MessengerUser internal user;

    function setUp() public {
        user = new MessengerUser();
        bytes4[] memory selectors = new bytes4[](5);
        selectors[0] = user.sendMessage.selector;
        selectors[1] = user.relaySome.selector;
        selectors[2] = user.retryOne.selector;
        selectors[3] = user.refundOne.selector;
        selectors[4] = user.setMood.selector;
        targetSelector(FuzzSelector({addr: address(user), selectors: selectors}));
        targetContract(address(user));
        // The fuzzer changes the balances of senders, so those must not be accounts that are
        // checked.
        targetSender(makeAddr("fuzzer"));
    }

    /// @dev All ETH that left the messenger was relayed, and none of it left twice.
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_eth_leaves_only_as_fee_or_value_of_a_message_and_once() public view {
        user.assertNothingIsOverReleased();
    }
}
