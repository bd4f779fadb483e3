// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {BridgeFixture} from "../bridge/BridgeFixture.sol";

/// @title Withdrawal that is cancelled after a pause
/// @notice The account that may send a withdrawal back announces the refund in a moment in which
/// the token rejects payments. Any account can then claim the withdrawal within a day. A guardian
/// who pauses the queue rejects all claims of tokens, and must not use up that day.
contract RefundInPauseTest is BridgeFixture {
    /// @dev The shortest, after which the queue can be paused again a day later.
    uint64 private constant PAUSE = 6 hours;

    address private guardian = makeAddr("guardian");
    IL1TokenBridge.Withdrawal private withdrawal;

    function guardianOf() internal view override returns (IL1MessageQueue.Guardian memory) {
        return IL1MessageQueue.Guardian(guardian, PAUSE, 1 ether);
    }

    function setUp() public override {
        super.setUp();
        withdrawal = withdrawFor(alice);
    }

    /// @dev Announces the refund now. Returns the timestamp from which it can be made.
    function announceNow() private returns (uint256 readyAt) {
        uint256 time = vm.getBlockTimestamp();
        announce(withdrawal);
        readyAt = vm.getBlockTimestamp();
        vm.warp(time);
    }

    function setPaused(bool paused) private {
        vm.prank(guardian);
        if (paused) l1Queue.pause();
        else l1Queue.resume();
    }

    /// @dev Asserts that the refund is rejected until this time.
    function assertRejectedUntil(uint256 readyAt) private {
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(withdrawal.index);
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.RefundNotReady.selector, readyAt));
        vm.prank(alice);
        l1Bridge.refund(withdrawal, proof, relayer, GAS);
    }

    /// @dev Sends the tokens back while the token rejects payments.
    function sendBack() private {
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(withdrawal.index);
        vm.mockCallRevert(address(token), abi.encodeWithSelector(token.transfer.selector), "");
        vm.prank(alice);
        assertFalse(l1Bridge.refund(withdrawal, proof, relayer, GAS));
        vm.clearMockedCalls();
    }

    function test_withdrawal_stays_claimable_for_day_after_pause() public {
        uint256 announced = announceNow();
        vm.warp(announced - 1);
        setPaused(true);
        uint256 end = vm.getBlockTimestamp() + PAUSE;
        vm.warp(announced);
        assertRejectedUntil(end + 1 days);
        vm.warp(end + 1 days - 1);
        assertRejectedUntil(end + 1 days);
        toL1(withdrawal.index);
        assertEq(token.balanceOf(carol), 30);
    }

    function test_refund_is_possible_day_after_pause() public {
        announceNow();
        setPaused(true);
        uint256 end = vm.getBlockTimestamp() + PAUSE;
        vm.warp(end + 1 days);
        sendBack();
    }

    function test_ended_pause_delays_refund_by_a_day() public {
        uint256 announced = announceNow();
        vm.warp(announced - 1);
        setPaused(true);
        vm.warp(announced + 1 hours);
        setPaused(false);
        uint256 end = vm.getBlockTimestamp();
        vm.warp(end + 1 days - 1);
        assertRejectedUntil(end + 1 days);
        vm.warp(end + 1 days);
        sendBack();
    }

    function test_pause_before_announcement_delays_nothing() public {
        setPaused(true);
        vm.warp(vm.getBlockTimestamp() + PAUSE);
        vm.warp(announceNow());
        sendBack();
    }

    /// @dev The day was over when the pause began, so only the pause itself delays the refund.
    function test_pause_after_day_adds_no_day() public {
        vm.warp(announceNow());
        setPaused(true);
        vm.warp(vm.getBlockTimestamp() + PAUSE);
        sendBack();
    }

    /// @dev The guardian pauses directly after the announcement and directly after the day, and ends
    /// both pauses at once. A third pause is too late to delay the refund again.
    function test_pauses_ended_early_delay_refund_twice() public {
        uint256 announced = announceNow();
        vm.warp(announced - 1 days + 1);
        setPaused(true);
        setPaused(false);
        uint256 ready = vm.getBlockTimestamp() + 1 days;
        vm.warp(ready - 1);
        assertRejectedUntil(ready);
        vm.warp(ready);
        setPaused(true);
        setPaused(false);
        vm.warp(ready + 1 days);
        setPaused(true);
        vm.warp(vm.getBlockTimestamp() + PAUSE);
        sendBack();
    }

    function test_repeated_pauses_delay_refund_once() public {
        announceNow();
        setPaused(true);
        uint256 end = vm.getBlockTimestamp() + PAUSE;
        vm.warp(end + 1 days - 1);
        assertRejectedUntil(end + 1 days);
        vm.warp(end + 1 days);
        setPaused(true);
        vm.warp(vm.getBlockTimestamp() + PAUSE);
        sendBack();
    }
}
