// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2} from "../utils/L2.sol";
import {Burner, Catching} from "../utils/Targets.sol";
import {ClaimAttack} from "./ClaimAttack.sol";

/// @title Claimers and targets on L1 that manipulate gas
/// @notice The account that claims chooses the gas. A target that catches its own failures would
/// accept a message with too little gas and give up on it permanently; and a refund could be
/// provoked by giving the target too little gas. Therefore less gas than the message was promised
/// is neither a delivery nor a refund, for any amount. Conversely, a target that burns all gas that
/// it receives loses only its own message.
contract ClaimGasAttackTest is ClaimAttack {
    using L2 for L2.Chain;

    function testFuzz_target_gets_its_gas_for_any_limit(uint256 gas, bool refund) public {
        gas = bound(gas, 50_000, 500_000);
        Catching target = new Catching();
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), address(this), 1 ether, 0, 100_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        bytes memory call = refund
            ? abi.encodeCall(queue.refund, (m, proof, TO))
            : abi.encodeCall(queue.claim, (m, proof, TO));
        (bool ok,) = address(queue).call{gas: gas}(call);
        assertFalse(target.gaveUp());
        assertEq(target.done(), ok);
        assertEq(queue.isClaimed(0), ok);
        assertEq(TO.balance, 0);
    }

    function test_gas_burning_target_loses_only_its_message() public {
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(new Burner()), TO, 1 ether, 0, 100_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(0);
        vm.prank(TO);
        assertFalse(queue.refund{gas: 5_000_000}(m, proof, TO));
        assertEq(TO.balance, 1 ether);
    }
}
