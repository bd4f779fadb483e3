// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {proofOf} from "./SentMessage.sol";
import {SVM} from "./Svm.sol";

/// @dev Arithmetic of the guardian's pauses, for an arbitrary state of the real queue: their
/// duration, the time between them, and the amount claimed during one.
contract GuardBoundsProof is Test {
    address private constant GUARDIAN = address(0x6a);
    address private constant TARGET = address(0xbeef);
    uint64 private constant PAUSE = 3 days;
    uint64 private constant REST = 4 * PAUSE;
    uint128 private constant LIMIT = 10 ether;

    /// @dev Later than any block.
    uint64 private constant NEVER = 1 << 40;

    L1MessageQueue private queue;

    function setUp() public {
        IL1MessageQueue.Guardian memory guardian = IL1MessageQueue.Guardian(GUARDIAN, PAUSE, LIMIT);
        queue =
            new L1MessageQueue(address(0xabcd), address(0), 1_000_000, 10_000, 0, 16_382, guardian);
    }

    /// @dev Returns `true` if the guardian's call at this time succeeds.
    function calls(bytes4 selector, uint64 time) private returns (bool ok) {
        vm.warp(time);
        vm.prank(GUARDIAN);
        (ok,) = address(queue).call(abi.encodeWithSelector(selector));
    }

    function check_a_pause_ends_by_itself_and_the_next_begins_after_the_rest(
        uint64 first,
        uint64 second
    ) external {
        SVM.enableSymbolicStorage(address(queue));
        vm.assume(first < NEVER && second < NEVER && first <= second);
        vm.assume(calls(IL1MessageQueue.pause.selector, first));
        (uint64 until, uint128 claimed) = queue.paused();
        assert(until == first + PAUSE && claimed == 0);
        assert(calls(IL1MessageQueue.pause.selector, second) == (second >= until + REST));
    }

    function check_after_an_early_end_the_rest_is_as_long(uint64[3] calldata times) external {
        SVM.enableSymbolicStorage(address(queue));
        vm.assume(0 < times[0] && times[0] <= times[1] && times[1] <= times[2] && times[2] < NEVER);
        vm.assume(calls(IL1MessageQueue.pause.selector, times[0]));
        vm.assume(calls(IL1MessageQueue.resume.selector, times[1]));
        assert(times[1] < times[0] + PAUSE);
        (uint64 until,) = queue.paused();
        assert(until == times[1]);
        assert(calls(IL1MessageQueue.pause.selector, times[2]) == (times[2] >= until + REST));
    }

    /// @dev Arbitrary message of the L2, with or without data.
    function check_claims_of_a_pause_call_nothing_and_take_no_more_than_the_limit(
        address sender,
        uint128 value,
        uint64 index,
        bool withData,
        uint64 time
    ) external {
        SVM.enableSymbolicStorage(address(queue));
        vm.deal(address(queue), type(uint96).max);
        vm.warp(time);
        (uint64 until, uint128 before) = queue.paused();
        vm.assume(time < until);
        vm.assume(claims(sender, value, index, withData));
        (, uint128 claimed) = queue.paused();
        assert(!withData);
        assert(claimed == uint256(before) + value && claimed <= LIMIT);
    }

    /// @dev Counterexample: claims like those above can succeed, otherwise the proof would be
    /// vacuous. This check must fail.
    function check_must_fail_no_claim_succeeds_in_a_pause(uint128 value, uint64 time) external {
        SVM.enableSymbolicStorage(address(queue));
        vm.deal(address(queue), type(uint96).max);
        vm.warp(time);
        (uint64 until,) = queue.paused();
        vm.assume(time < until);
        assert(!claims(TARGET, value, 5, false));
    }

    function claims(address sender, uint128 value, uint64 index, bool withData)
        private
        returns (bool ok)
    {
        IL1MessageQueue.Message memory message = IL1MessageQueue.Message({
            sender: sender,
            to: TARGET,
            refundTo: sender,
            value: value,
            fee: 0,
            gasLimit: 21_000,
            index: index,
            data: withData ? bytes("anything") : bytes("")
        });
        IL1MessageQueue.MessageProof memory proof = proofOf(message);
        (ok,) = address(queue).call(abi.encodeCall(IL1MessageQueue.claim, (message, proof, TARGET)));
    }
}
