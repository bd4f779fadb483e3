// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Delivery} from "../../contracts/libraries/Delivery.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";

/// @dev If Keccak has no collisions, a rolling hash identifies one sequence of messages: all of
/// their fields and their order.
contract QueueOrderProof is Test {
    L1MessageQueue private first;
    L1MessageQueue private second;

    function setUp() public {
        first = new L1MessageQueue(
            address(0xabcd), address(0), type(uint32).max, 10_000, 0, 16_382, Guardians.none()
        );
        second = new L1MessageQueue(
            address(0xabcd), address(0), type(uint32).max, 10_000, 0, 16_382, Guardians.none()
        );
    }

    function check_a_message_hash_stands_for_one_message(
        Messages.Header memory a,
        Messages.Header memory b
    ) external pure {
        vm.assume(Messages.hash(a) == Messages.hash(b));
        assert(a.sender == b.sender && a.to == b.to && a.refundTo == b.refundTo);
        assert(a.value == b.value && a.fee == b.fee && a.gasLimit == b.gasLimit);
        assert(a.index == b.index && a.dataHash == b.dataHash);
    }

    function check_a_step_of_the_rolling_hash_stands_for_what_went_in(
        bytes32 rootA,
        bytes32 hashA,
        bytes32 rootB,
        bytes32 hashB
    ) external pure {
        vm.assume(Messages.extend(rootA, hashA) == Messages.extend(rootB, hashB));
        assert(rootA == rootB && hashA == hashB);
    }

    /// @custom:halmos --loop 4
    function check_a_rolling_hash_stands_for_one_order(bytes32[4] memory a, bytes32[4] memory b)
        external
        pure
    {
        bytes32 rootA;
        bytes32 rootB;
        for (uint256 i = 0; i < 4; ++i) {
            rootA = Messages.extend(rootA, a[i]);
            rootB = Messages.extend(rootB, b[i]);
        }
        vm.assume(rootA == rootB);
        for (uint256 i = 0; i < 4; ++i) {
            assert(a[i] == b[i]);
        }
    }

    /// @dev Uses the real queue, with two messages.
    /// @custom:halmos --loop 4
    function check_queues_with_the_same_root_hold_the_same_messages(
        address[4] calldata senders,
        address[4] calldata targets,
        uint64[4] calldata gas,
        uint128[4] calldata values,
        bytes32[4] calldata data
    ) external {
        for (uint256 i = 0; i < 4; ++i) {
            L1MessageQueue queue = i < 2 ? first : second;
            vm.deal(senders[i], values[i]);
            vm.prank(senders[i]);
            queue.send{value: values[i]}(targets[i], senders[i], gas[i], 0, abi.encode(data[i]));
        }
        vm.assume(first.checkpoint().root == second.checkpoint().root);
        for (uint256 i = 0; i < 2; ++i) {
            assert(senders[i] == senders[i + 2] && targets[i] == targets[i + 2]);
            assert(gas[i] == gas[i + 2] && values[i] == values[i + 2]);
            assert(data[i] == data[i + 2]);
        }
    }

    /// @dev Counterexample: there are queues with the same root. This check must fail.
    function check_must_fail_roots_never_agree(bytes32[2] memory a, bytes32[2] memory b)
        external
        pure
    {
        bytes32 rootA = Messages.extend(Messages.extend(0, a[0]), a[1]);
        bytes32 rootB = Messages.extend(Messages.extend(0, b[0]), b[1]);
        assert(rootA != rootB);
    }

    /// @dev The gas that remains after a call has retained its 64th is sufficient.
    function check_the_gas_that_is_demanded_is_what_a_call_can_pass_on(uint32 gasLimit)
        external
        pure
    {
        uint256 left = Delivery.required(gasLimit) - Delivery.OVERHEAD;
        assert(left - left / 64 >= gasLimit);
    }
}
