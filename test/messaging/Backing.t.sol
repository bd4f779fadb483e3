// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev ETH for the escrow that no message brings.
contract BackingTest is RealRollup {
    using L2 for L2.Chain;

    /// @dev Most of what each account of the genesis has; the rest pays for its transaction.
    uint128 internal constant EACH = 999 ether;
    address internal constant TO = address(0xaaaa);

    function back(uint256 amount) internal {
        hoax(alice, amount);
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.Backed(alice, amount);
        queue.back{value: amount}();
    }

    /// @dev Withdraws the ETH of each account of the genesis.
    function withdrawAll() internal returns (IL1MessageQueue.Message[] memory messages) {
        string[3] memory from = ["alice", "bob", "operator"];
        messages = new IL1MessageQueue.Message[](from.length);
        for (uint256 i = 0; i < from.length; ++i) {
            messages[i] = queueSend(from[i], TO, TO, EACH - 1, 1, 100_000, "");
        }
        advanceSends();
    }

    function claim(IL1MessageQueue.Message memory m) internal {
        queue.claim(m, messageProof(m.index), TO);
    }

    function test_backing_pays_genesis_to_last_wei() public {
        IL1MessageQueue.Checkpoint memory before = queue.checkpoint();
        back(2 * uint256(EACH));
        back(uint256(EACH));
        assertEq(address(queue).balance, 3 * uint256(EACH));
        // Nothing is sent to the L2, so no block has to relay anything.
        assertEq(abi.encode(queue.checkpoint()), abi.encode(before));

        IL1MessageQueue.Message[] memory messages = withdrawAll();
        for (uint256 i = 0; i < messages.length; ++i) {
            claim(messages[i]);
        }
        assertEq(TO.balance, 3 * uint256(EACH));
        assertEq(address(queue).balance, 0);
    }

    function test_last_claim_waits_for_missing_wei() public {
        back(3 * uint256(EACH) - 1);
        IL1MessageQueue.Message[] memory messages = withdrawAll();
        claim(messages[0]);
        claim(messages[1]);
        IL1MessageQueue.MessageProof memory proof = messageProof(messages[2].index);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.ReleaseFailed.selector, TO, 1));
        queue.claim(messages[2], proof, TO);
        back(1);
        claim(messages[2]);
        assertEq(address(queue).balance, 0);
    }

    function test_ether_without_call_is_rejected() public {
        hoax(alice, 1);
        (bool ok,) = address(queue).call{value: 1}("");
        assertFalse(ok);
        back(1);
    }
}
