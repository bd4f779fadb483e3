// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {BridgeFixture} from "../bridge/BridgeFixture.sol";
import {OnceCallingToken} from "../utils/Tokens.sol";

/// @title Withdrawal that is cancelled although it can be paid
/// @notice A seller delivers goods for a withdrawal to an L1 account: the message is in an L2 block
/// that L1 has accepted, and its payment cannot fail. The buyer, who withdrew, chose a contract of
/// its own as the account that may send the tokens back. That contract is a token with a hook.
/// During a deposit of this token the bridge is locked, so a payment from within the hook fails.
/// `refund` attempts the payment and cancels the withdrawal if it fails: called from the hook, it
/// would cancel a withdrawal that any claim could pay. So `refund` reverts during a token transfer.
contract RefundInTransferTest is BridgeFixture {
    function test_payable_withdrawal_cannot_be_cancelled_during_transfer() public {
        OnceCallingToken attacker = new OnceCallingToken();
        depositFor(attacker, 100);
        give(attacker, alice, 10);

        IL1TokenBridge.Withdrawal memory w = withdrawFor(address(attacker));
        uint64 index = w.index;
        attacker.prepare(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.refund, (w, bridgeProofOf(index), relayer, GAS))
        );
        deposit(address(attacker), 10);
        assertFalse(attacker.succeeded(), "the withdrawal was cancelled");
        assertEq(attacker.answer(), abi.encodeWithSelector(IL1TokenBridge.Reentrancy.selector));
        assertFalse(l1Queue.isClaimed(index));

        toL1(index);
        assertEq(token.balanceOf(carol), 30);
    }

    /// @dev Counterpart: outside of a transfer the same call pays the withdrawal.
    function test_same_call_outside_transfer_is_paid() public {
        IL1TokenBridge.Withdrawal memory w = withdrawFor(alice);
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        announce(w);
        vm.prank(alice);
        assertTrue(l1Bridge.refund(w, proof, relayer, GAS));
        assertEq(token.balanceOf(carol), 30);
    }
}
