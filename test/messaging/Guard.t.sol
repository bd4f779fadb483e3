// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {BridgeFixture} from "../bridge/BridgeFixture.sol";
import {Guardians} from "../utils/Guardians.sol";

/// @dev Accepts ETH.
contract Purse {
    receive() external payable {}
}

contract GuardTest is BridgeFixture {
    address internal guardian = makeAddr("guardian");
    uint64 internal constant PAUSE = 3 days;
    address internal constant KZG = address(0x0a);
    uint128 internal constant LIMIT = 10 ether;

    function guardianOf() internal view override returns (IL1MessageQueue.Guardian memory) {
        return IL1MessageQueue.Guardian(guardian, PAUSE, LIMIT);
    }

    function setUp() public override {
        super.setUp();
        vm.deal(address(l1Queue), 1000 ether);
    }

    function pausedUntil() internal view returns (uint64 until) {
        (until,) = l1Queue.paused();
    }

    function claimedInPause() internal view returns (uint128 claimed) {
        (, claimed) = l1Queue.paused();
    }

    function pause() internal returns (uint64 until) {
        until = uint64(vm.getBlockTimestamp()) + PAUSE;
        vm.expectEmit(address(l1Queue));
        emit IL1MessageQueue.QueuePaused(until);
        vm.prank(guardian);
        l1Queue.pause();
        assertEq(pausedUntil(), until);
    }

    /// @dev Sends a message from bob on the L2.
    function sendToL1(address to, uint128 value, uint128 fee, bytes memory data)
        internal
        returns (uint64 index)
    {
        vm.deal(bob, uint256(value) + fee);
        vm.prank(bob);
        index = messenger.send{value: uint256(value) + fee}(to, bob, 100_000, fee, data);
        collect();
    }

    function expectDelayed(uint64 index, uint64 until, uint256 amount) internal {
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.ClaimDelayed.selector, until, amount)
        );
        l1Queue.claim(toL1Messages[index], proof, relayer);
    }

    // ------------------------------------------------------------------ powers and bounds

    function test_only_guardian_pauses_and_resumes() public {
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.NotGuardian.selector, address(this)));
        l1Queue.pause();
        pause();
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.NotGuardian.selector, address(this)));
        l1Queue.resume();
        vm.expectEmit(address(l1Queue));
        emit IL1MessageQueue.QueueResumed();
        vm.prank(guardian);
        l1Queue.resume();
        l1Queue.send{value: 1}(carol, carol, 0, 0, "");
    }

    function test_pause_ends_and_cannot_be_renewed_at_once() public {
        uint64 until = pause();
        uint256 earliest = until + 4 * PAUSE;
        uint256[3] memory early = [uint256(until) - 1, until, earliest - 1];
        for (uint256 i = 0; i < early.length; ++i) {
            vm.warp(early[i]);
            vm.prank(guardian);
            vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.PauseTooSoon.selector, earliest));
            l1Queue.pause();
        }
        l1Queue.send{value: 1}(carol, carol, 0, 0, "");
        vm.warp(earliest);
        pause();
    }

    function test_early_ended_pause_is_followed_by_full_rest() public {
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.NotPaused.selector, 0));
        l1Queue.resume();
        pause();
        skip(1 hours);
        vm.prank(guardian);
        l1Queue.resume();
        uint256 ended = vm.getBlockTimestamp();
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.NotPaused.selector, ended));
        l1Queue.resume();
        vm.warp(ended + 4 * PAUSE - 1);
        vm.prank(guardian);
        vm.expectPartialRevert(IL1MessageQueue.PauseTooSoon.selector);
        l1Queue.pause();
        skip(1);
        pause();
    }

    /// @dev A guardian that tries at arbitrary times, and ends some pauses early.
    function testFuzz_pauses_are_separated_by_rest_period(uint32[24] calldata waits, uint24 early)
        public
    {
        uint256 ended = 0;
        for (uint256 i = 0; i < waits.length; ++i) {
            skip(waits[i] % 10 days);
            uint256 time = vm.getBlockTimestamp();
            vm.prank(guardian);
            try l1Queue.pause() {
                if (ended != 0) assertGe(time, ended + 4 * PAUSE);
                ended = time + PAUSE;
                assertEq(pausedUntil(), ended);
                if (early >> i & 1 == 0) continue;
                skip(waits[i] % PAUSE);
                vm.prank(guardian);
                l1Queue.resume();
                ended = vm.getBlockTimestamp();
            } catch {
                assertLt(time, ended + 4 * PAUSE);
            }
        }
    }

    // ------------------------------------------------------------------ effects of a pause

    function test_paused_queue_rejects_value() public {
        uint64 until = pause();
        bytes memory error_ = abi.encodeWithSelector(IL1MessageQueue.SendPaused.selector, until);
        vm.expectRevert(error_);
        l1Queue.send{value: 1}(carol, carol, 0, 0, "");
        vm.expectRevert(error_);
        l1Queue.send(carol, carol, 0, 0, "");
        vm.expectRevert(error_);
        l1Queue.send{value: 1}(Predeploys.L2_ACCOUNTS, carol, 0, 0, "");
        vm.expectRevert(error_);
        l1Bridge.register(address(token), GAS);
        vm.warp(until - 1);
        vm.expectRevert(error_);
        l1Queue.send{value: 1}(carol, carol, 0, 0, "");
        vm.warp(until);
        l1Queue.send{value: 1}(carol, carol, 0, 0, "");
    }

    function test_paused_queue_rejects_backing() public {
        l1Queue.back{value: 1}();
        uint64 until = pause();
        bytes memory error_ = abi.encodeWithSelector(IL1MessageQueue.SendPaused.selector, until);
        vm.expectRevert(error_);
        l1Queue.back{value: 1}();
        vm.expectRevert(error_);
        l1Queue.back();
        vm.warp(until);
        l1Queue.back{value: 1}();
        assertEq(address(l1Queue).balance, 1000 ether + 2);
    }

    /// @dev Contract wallets exit by such messages. The fee is not part of the value.
    function test_calls_of_alias_accounts_continue_during_pause() public {
        pause();
        assertEq(l1Queue.send(Predeploys.L2_ACCOUNTS, carol, 100_000, 0, "calls"), 0);
        assertEq(l1Queue.send{value: 5}(Predeploys.L2_ACCOUNTS, carol, 100_000, 5, "calls"), 1);
    }

    function test_payments_during_pause_share_one_limit() public {
        uint64 first = sendToL1(carol, 6 ether, 1 ether, "");
        uint64 second = sendToL1(carol, 3 ether, 1, "");
        uint64 third = sendToL1(carol, 3 ether, 0, "");
        uint64 large = sendToL1(carol, LIMIT, 1, "");
        uint64 until = pause();
        toL1(first);
        assertEq(carol.balance, 6 ether);
        assertEq(claimedInPause(), 7 ether, "with its fee");
        expectDelayed(second, until, 3 ether + 1);
        toL1(third);
        assertEq(claimedInPause(), LIMIT);
        expectDelayed(large, until, LIMIT + 1);
        // An empty message withdraws nothing.
        toL1(sendToL1(carol, 0, 0, ""));

        vm.warp(until);
        toL1(second);
        toL1(large);
        assertEq(claimedInPause(), LIMIT, "counted during pauses only");
        vm.warp(until + 4 * PAUSE);
        pause();
        assertEq(claimedInPause(), 0);
        toL1(sendToL1(carol, LIMIT, 0, ""));
    }

    function test_claim_with_call_waits_for_any_amount() public {
        depositFor(token, 100);
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw(address(token), carol, carol, 100, GAS);
        collect();
        uint64 call = sendToL1(carol, 0, 0, "x");
        uint64 until = pause();
        expectDelayed(index, until, 0);
        expectDelayed(call, until, 0);
        assertEq(token.balanceOf(carol), 0);
        vm.warp(until);
        toL1(index);
        vm.etch(carol, hex"00");
        toL1(call);
        assertEq(token.balanceOf(carol), 100);
    }

    function test_paying_contract_is_call() public {
        uint64 index = sendToL1(address(new Purse()), 1, 0, "");
        uint64 plain = sendToL1(carol, 1, 0, "");
        uint64 until = pause();
        expectDelayed(index, until, 1);
        toL1(plain);
        assertEq(carol.balance, 1);
        vm.warp(until);
        toL1(index);
    }

    function test_delegation_makes_payment_call() public {
        uint64 index = sendToL1(carol, 1, 0, "");
        uint64 plain = sendToL1(bob, 1, 0, "");
        uint64 until = pause();
        vm.etch(carol, abi.encodePacked(hex"ef0100", address(new Purse())));
        expectDelayed(index, until, 1);
        toL1(plain);
        vm.warp(until);
        toL1(index);
        assertEq(carol.balance, 1);
    }

    /// @dev The target has no code and fails: a precompile that verifies a proof, without a proof.
    function test_refunds_are_claims() public {
        uint64 index = sendToL1(KZG, LIMIT + 1, 0, "");
        uint64 small = sendToL1(KZG, LIMIT, 0, "");
        uint64 until = pause();
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.prank(bob);
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.ClaimDelayed.selector, until, LIMIT + 1)
        );
        l1Queue.refund(toL1Messages[index], proof, carol);
        proof = proofOf(small);
        vm.prank(bob);
        l1Queue.refund(toL1Messages[small], proof, carol);
        assertEq(carol.balance, LIMIT);
    }

    /// @dev A claim that reverts does not reduce the limit.
    function test_claim_that_is_rejected_does_not_count() public {
        uint64 index = sendToL1(KZG, LIMIT, 0, "");
        pause();
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectPartialRevert(IL1MessageQueue.DeliveryFailed.selector);
        l1Queue.claim(toL1Messages[index], proof, relayer);
        assertEq(claimedInPause(), 0);
    }

    // ------------------------------------------------------------------ parameters

    function test_queue_without_guardian_cannot_be_paused() public {
        L1MessageQueue q =
            new L1MessageQueue(ROLLUP, address(0), 1_000_000, 10_000, 0, 16_382, Guardians.none());
        assertEq(q.guardian().account, address(0));
        assertEq(q.guardian().pause, 0);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.NotGuardian.selector, guardian));
        vm.prank(guardian);
        q.pause();
        // Not even for a moment, if the zero address could call.
        vm.prank(address(0));
        q.pause();
        q.send{value: 1}(carol, carol, 0, 0, "");
    }

    function test_guardian_must_be_complete_and_within_bounds() public {
        expectInvalid(IL1MessageQueue.Guardian(address(0), PAUSE, 0));
        expectInvalid(IL1MessageQueue.Guardian(address(0), 0, 1));
        expectInvalid(IL1MessageQueue.Guardian(guardian, 0, LIMIT));
        expectInvalid(IL1MessageQueue.Guardian(guardian, 6 hours - 1, LIMIT));
        expectInvalid(IL1MessageQueue.Guardian(guardian, 14 days + 1, LIMIT));
        uint64[2] memory ends = [uint64(6 hours), 14 days];
        for (uint256 i = 0; i < 2; ++i) {
            IL1MessageQueue.Guardian memory g = IL1MessageQueue.Guardian(guardian, ends[i], 0);
            L1MessageQueue q =
                new L1MessageQueue(ROLLUP, address(0), 1_000_000, 10_000, 0, 16_382, g);
            assertEq(q.guardian().pause, ends[i]);
            assertEq(q.guardian().limit, 0);
            // Between two pauses there is a day for claims.
            assertGe(4 * q.guardian().pause, 1 days);
        }
    }

    function expectInvalid(IL1MessageQueue.Guardian memory g) internal {
        vm.expectPartialRevert(IL1MessageQueue.GuardianInvalid.selector);
        new L1MessageQueue(ROLLUP, address(0), 1_000_000, 10_000, 0, 16_382, g);
    }

    /// @dev After the storage of the other parts, whose slots do not move.
    function test_last_message_uses_last_slot() public {
        uint64 until = pause();
        toL1(sendToL1(carol, 5, 0, ""));
        uint256 slot = uint256(vm.load(address(l1Queue), bytes32(uint256(1_056_770))));
        assertEq(slot, uint256(until) | 5 << 64);
    }
}
