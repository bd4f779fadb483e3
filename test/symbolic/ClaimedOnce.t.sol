// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {proofOf} from "./SentMessage.sol";
import {SVM} from "./Svm.sol";

/// @dev No message of the L2 is claimed twice. Uses the real queue in an arbitrary state: after a
/// successful claim, no claim or refund with the same number succeeds.
contract ClaimedOnceProof is Test {
    address private constant TARGET = address(0xbeef);

    L1MessageQueue private queue;

    function setUp() public {
        queue = new L1MessageQueue(
            address(0xabcd), address(0), 1_000_000, 10_000, 0, 16_382, Guardians.none()
        );
    }

    /// @dev Arbitrary state of the queue; an arbitrary message of the L2 to an account without
    /// code, proven by a trie with one leaf, whose root the queue knows; and then any other message
    /// with the same number and such a proof.
    function check_after_a_claim_the_number_is_claimed_and_no_claim_or_refund_of_it_succeeds(
        address[3] calldata accounts,
        uint128[2] calldata amounts,
        uint64 index
    ) external {
        SVM.enableSymbolicStorage(address(queue));
        vm.deal(address(queue), type(uint96).max);
        IL1MessageQueue.Message memory message = IL1MessageQueue.Message({
            sender: accounts[0],
            to: TARGET,
            refundTo: accounts[1],
            value: amounts[0],
            fee: 0,
            gasLimit: 21_000,
            index: index,
            data: "anything"
        });
        IL1MessageQueue.MessageProof memory proof = proofOf(message);
        (bool claimed,) =
            address(queue).call(abi.encodeCall(IL1MessageQueue.claim, (message, proof, TARGET)));
        vm.assume(claimed);
        assert(queue.isClaimed(message.index));

        message.sender = accounts[2];
        message.value = amounts[1];
        proof = proofOf(message);
        (claimed,) =
            address(queue).call(abi.encodeCall(IL1MessageQueue.claim, (message, proof, TARGET)));
        assert(!claimed);
        vm.prank(accounts[1]);
        (bool refunded,) =
            address(queue).call(abi.encodeCall(IL1MessageQueue.refund, (message, proof, TARGET)));
        assert(!refunded);
    }

    /// @dev Counterexample: claims like those above can succeed, otherwise the proof would be
    /// vacuous. This check must fail.
    function check_must_fail_no_claim_succeeds(address sender, uint64 index) external {
        SVM.enableSymbolicStorage(address(queue));
        IL1MessageQueue.Message memory message = IL1MessageQueue.Message({
            sender: sender,
            to: TARGET,
            refundTo: sender,
            value: 0,
            fee: 0,
            gasLimit: 21_000,
            index: index,
            data: "anything"
        });
        IL1MessageQueue.MessageProof memory proof = proofOf(message);
        (bool claimed,) =
            address(queue).call(abi.encodeCall(IL1MessageQueue.claim, (message, proof, TARGET)));
        assert(!claimed);
    }
}
