// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "solady/tokens/ERC20.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {
    CallingToken,
    FeeToken,
    ListingToken,
    OldToken,
    RebasingToken,
    ToppingToken,
    Token
} from "../utils/Tokens.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

contract WithdrawalsTest is BridgeFixture {
    function withdraw(address l1Token, uint256 amount) internal returns (uint64 index) {
        vm.prank(bob);
        index = l2Bridge.withdraw(l1Token, carol, alice, amount, GAS);
        collect();
    }

    function withdrawal(address l1Token, uint256 amount, uint64 index)
        internal
        view
        returns (IL1TokenBridge.Withdrawal memory)
    {
        return IL1TokenBridge.Withdrawal({
            l1Token: l1Token,
            from: bob,
            to: carol,
            refundTo: alice,
            amount: amount,
            fee: 0,
            gasLimit: GAS,
            index: index
        });
    }

    function testFuzz_tokens_burned_on_l2_are_paid_on_l1(uint256 total, uint256 part) public {
        total = bound(total, 1, type(uint256).max);
        part = bound(part, 1, total);
        depositFor(token, total);
        uint64 index = withdraw(address(token), part);
        assertEq(l2Token(address(token)).totalSupply(), total - part);
        assertOwed(address(token), part);
        toL1(index);
        assertEq(token.balanceOf(carol), part);
        assertEq(token.balanceOf(address(l1Bridge)), total - part);
        assertOwed(address(token), 0);
    }

    function test_withdrawal_event_names_its_message() public {
        depositFor(token, 10);
        vm.deal(bob, 1 ether);
        vm.expectEmit(address(l2Bridge));
        emit IL2TokenBridge.Withdrawn(address(token), bob, carol, alice, 4, 0.5 ether, GAS, 0);
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw{value: 0.5 ether}(address(token), carol, alice, 4, GAS);
        assertEq(index, 0);
        collect();
    }

    function test_fee_goes_to_claimant() public {
        depositFor(token, 10);
        vm.deal(bob, 1 ether);
        vm.deal(address(l1Queue), 1 ether);
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw{value: 0.5 ether}(address(token), carol, alice, 4, GAS);
        toL1(index);
        assertEq(relayer.balance, 0.5 ether);
        assertEq(token.balanceOf(carol), 4);
        assertEq(address(l2Bridge).balance, 0);
    }

    function testFuzz_no_account_withdraws_more_than_it_has(uint128 have, uint256 more) public {
        vm.assume(have != 0);
        more = bound(more, uint256(have) + 1, type(uint256).max);
        depositFor(token, have);
        vm.prank(bob);
        vm.expectRevert(ERC20.InsufficientBalance.selector);
        l2Bridge.withdraw(address(token), carol, alice, more, GAS);
        withdraw(address(token), have);
    }

    function test_invalid_values_are_rejected() public {
        depositFor(token, 10);
        vm.startPrank(bob);
        vm.expectRevert(IL2TokenBridge.AmountZero.selector);
        l2Bridge.withdraw(address(token), carol, alice, 0, GAS);
        vm.expectRevert(
            abi.encodeWithSelector(IL2TokenBridge.RecipientForbidden.selector, address(0))
        );
        l2Bridge.withdraw(address(token), address(0), alice, 1, GAS);
        vm.expectRevert(
            abi.encodeWithSelector(IL2TokenBridge.RecipientForbidden.selector, address(l1Bridge))
        );
        l2Bridge.withdraw(address(token), address(l1Bridge), alice, 1, GAS);
        vm.expectRevert(
            abi.encodeWithSelector(IL2TokenBridge.TokenUnknown.selector, address(messenger))
        );
        l2Bridge.withdraw(address(messenger), carol, alice, 1, GAS);
    }

    function testFuzz_only_queue_releases(address caller) public {
        vm.assume(caller != address(l1Queue));
        depositFor(token, 10);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.NotPeer.selector, caller));
        l1Bridge.release(address(token), caller, caller, caller, 1);
    }

    function test_only_l2_bridge_can_release() public {
        depositFor(token, 10);
        vm.prank(bob);
        uint64 index = messenger.send(
            address(l1Bridge),
            bob,
            GAS,
            0,
            abi.encodeCall(IL1TokenBridge.release, (address(token), bob, bob, bob, 10))
        );
        collect();
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectRevert(
            abi.encodeWithSelector(
                IL1MessageQueue.DeliveryFailed.selector,
                abi.encodeWithSelector(IL1TokenBridge.NotPeer.selector, address(l1Queue))
            )
        );
        l1Queue.claim(toL1Messages[index], proof, relayer);
    }

    function test_withdrawal_is_paid_once() public {
        depositFor(token, 10);
        uint64 index = withdraw(address(token), 4);
        toL1(index);
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, index));
        l1Queue.claim(toL1Messages[index], proof, relayer);
        IL1TokenBridge.Withdrawal memory w = withdrawal(address(token), 4, index);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, index));
        this.sendBackAs(alice, w);
    }

    function test_tokens_without_return_values_are_paid() public {
        OldToken old = new OldToken();
        register(address(old));
        old.give(alice, 10);
        deposit(address(old), 10);
        toL2();
        toL1(withdraw(address(old), 10));
        assertEq(old.balanceOf(carol), 10);
    }

    function test_fee_on_transfer_token_does_not_overcharge_escrow() public {
        FeeToken taxed = new FeeToken(10);
        depositFor(taxed, 1000);
        toL1(withdraw(address(taxed), 900));
        assertEq(taxed.balanceOf(carol), 810);
        assertEq(taxed.balanceOf(address(l1Bridge)), 0);
        assertOwed(address(taxed), 0);
    }

    function test_token_that_overcharges_escrow_is_not_paid() public {
        ToppingToken topping = new ToppingToken();
        // The fee that alice pays on top is not charged to the bridge.
        topping.give(alice, 1000);
        depositFor(topping, 1000);
        uint64 index = withdraw(address(topping), 100);
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectRevert(
            abi.encodeWithSelector(
                IL1MessageQueue.DeliveryFailed.selector,
                abi.encodeWithSelector(
                    IL1TokenBridge.Overcharged.selector, address(topping), 110, 100
                )
            )
        );
        l1Queue.claim(toL1Messages[index], proof, relayer);
        assertEq(l1Bridge.owed(address(topping)), 1000);
    }

    function test_short_escrow_pays_in_full_while_it_lasts() public {
        RebasingToken rebasing = new RebasingToken();
        depositFor(rebasing, 100);
        rebasing.take(address(l1Bridge), 30);
        toL1(withdraw(address(rebasing), 60));
        assertEq(rebasing.balanceOf(carol), 60);
        uint64 index = withdraw(address(rebasing), 40);
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectPartialRevert(IL1MessageQueue.DeliveryFailed.selector);
        l1Queue.claim(toL1Messages[index], proof, relayer);
        // The missing tokens are returned, and the remainder is paid.
        rebasing.give(address(l1Bridge), 30);
        toL1(index);
        assertEq(rebasing.balanceOf(carol), 100);
    }

    function test_reentrant_token_finds_bridge_locked() public {
        CallingToken calling = new CallingToken();
        depositFor(calling, 100);
        give(calling, address(calling), 10);
        uint64 index = withdraw(address(calling), 100);
        calling.prepare(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.deposit, (address(calling), bob, bob, 10, GAS))
        );
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectPartialRevert(IL1MessageQueue.DeliveryFailed.selector);
        l1Queue.claim(toL1Messages[index], proof, relayer);
        calling.prepare(address(0), "");
        toL1(index);
        assertEq(calling.balanceOf(carol), 100);
    }

    // ------------------------------------------------------------------ failed payments

    function sendBackAs(address caller, IL1TokenBridge.Withdrawal memory w)
        external
        returns (bool)
    {
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.prank(caller);
        uint256 readyAt = l1Bridge.announceRefund(w, proof, relayer);
        if (readyAt == 0) return true;
        vm.warp(readyAt);
        vm.prank(caller);
        return l1Bridge.refund(w, proof, relayer, GAS);
    }

    function refusedWithdrawal()
        internal
        returns (ListingToken listing, IL1TokenBridge.Withdrawal memory w)
    {
        listing = new ListingToken();
        depositFor(listing, 100);
        listing.list(carol, true);
        w = withdrawal(address(listing), 60, withdraw(address(listing), 60));
    }

    function test_payment_that_fails_can_be_claimed_later() public {
        (ListingToken listing, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        IL1MessageQueue.MessageProof memory proof = proofOf(w.index);
        vm.expectPartialRevert(IL1MessageQueue.DeliveryFailed.selector);
        l1Queue.claim(toL1Messages[w.index], proof, relayer);
        listing.list(carol, false);
        toL1(w.index);
        assertEq(listing.balanceOf(carol), 60);
    }

    function test_failed_payment_can_be_returned_to_sender() public {
        (ListingToken listing, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        assertFalse(this.sendBackAs(alice, w));
        assertOwed(address(listing), 60);
        toL2();
        assertEq(l2Token(address(listing)).balanceOf(bob), 100);
        assertOwed(address(listing), 0);
        // It can no longer be claimed.
        listing.list(carol, false);
        IL1MessageQueue.MessageProof memory proof = proofOf(w.index);
        vm.expectRevert(abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, w.index));
        l1Queue.claim(toL1Messages[w.index], proof, relayer);
    }

    /// @dev Within the token's own lock a payment fails although it is possible otherwise. A single
    /// call must not cancel the withdrawal.
    function test_refund_waits_one_day_for_claims() public {
        (ListingToken listing, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.RefundNotReady.selector, 0));
        l1Bridge.refund(w, proof, relayer, GAS);

        uint256 readyAt = block.timestamp + 1 days;
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.RefundAnnounced(address(listing), w.index, readyAt);
        vm.prank(alice);
        assertEq(l1Bridge.announceRefund(w, proof, relayer), readyAt);
        vm.warp(readyAt - 1);
        // A second announcement neither delays nor permits the refund.
        vm.prank(alice);
        assertEq(l1Bridge.announceRefund(w, proof, relayer), readyAt);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.RefundNotReady.selector, readyAt));
        l1Bridge.refund(w, proof, relayer, GAS);
        uint256 snapshot = vm.snapshotState();

        // The token's lock is released, and anyone can claim.
        listing.list(carol, false);
        toL1(w.index);
        assertEq(listing.balanceOf(carol), 60);

        // Counterpart: nobody claims.
        vm.revertToState(snapshot);
        vm.warp(readyAt);
        vm.prank(alice);
        assertFalse(l1Bridge.refund(w, proof, relayer, GAS));
    }

    function testFuzz_only_named_account_announces_refund(address caller) public {
        vm.assume(caller != alice);
        (, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.NotRefundable.selector, caller, alice)
        );
        l1Bridge.announceRefund(w, proof, relayer);
    }

    /// @dev If a withdrawal could be announced before it is sent, it would never be open to claims.
    function test_only_withdrawal_that_was_sent_is_announced() public {
        (, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        w.amount += 1;
        vm.prank(alice);
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        l1Bridge.announceRefund(w, proof, relayer);
        // Counterpart: it was sent, and the token rejects the payment.
        w.amount -= 1;
        vm.prank(alice);
        assertEq(l1Bridge.announceRefund(w, proof, relayer), block.timestamp + 1 days);
    }

    function test_payable_withdrawal_is_paid_instead_of_announced() public {
        (ListingToken listing, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        listing.list(carol, false);
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.prank(alice);
        assertEq(l1Bridge.announceRefund(w, proof, relayer), 0);
        assertEq(listing.balanceOf(carol), 60);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.RefundNotReady.selector, 0));
        l1Bridge.refund(w, proof, relayer, GAS);
    }

    function test_tokens_are_not_released_to_protocol_contracts() public {
        depositFor(token, 100);
        address[2] memory lost = [address(l1Queue), ROLLUP];
        for (uint256 i = 0; i < lost.length; ++i) {
            vm.prank(bob);
            uint64 index = l2Bridge.withdraw(address(token), lost[i], alice, 4, GAS);
            collect();
            IL1MessageQueue.MessageProof memory proof = proofOf(index);
            vm.expectPartialRevert(IL1MessageQueue.DeliveryFailed.selector);
            l1Queue.claim(toL1Messages[index], proof, relayer);
            IL1TokenBridge.Withdrawal memory w = withdrawal(address(token), 4, index);
            w.to = lost[i];
            assertFalse(this.sendBackAs(alice, w));
            toL2();
        }
        assertEq(l2Token(address(token)).balanceOf(bob), 100);
        address[3] memory forbidden = [address(0), address(l1Bridge), address(token)];
        for (uint256 i = 0; i < forbidden.length; ++i) {
            vm.prank(bob);
            vm.expectRevert(
                abi.encodeWithSelector(IL2TokenBridge.RecipientForbidden.selector, forbidden[i])
            );
            l2Bridge.withdraw(address(token), forbidden[i], alice, 4, GAS);
        }
    }

    function test_payable_withdrawal_is_paid_instead_of_returned() public {
        (ListingToken listing, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        listing.list(carol, false);
        IL1MessageQueue.MessageProof memory p = proofOf(w.index);
        announce(w);
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        bool released = l1Bridge.refund{value: 1 ether}(
            w,
            IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof),
            relayer,
            GAS
        );
        assertTrue(released);
        assertEq(listing.balanceOf(carol), 60);
        // The fee of a message that was not needed.
        assertEq(alice.balance, 1 ether);
        assertOwed(address(listing), 0);
    }

    function test_payable_withdrawal_is_paid_without_return_fee() public {
        (ListingToken listing, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        listing.list(carol, false);
        assertTrue(this.sendBackAs(alice, w));
        assertEq(listing.balanceOf(carol), 60);
        assertEq(l1Queue.checkpoint().count, 2);
    }

    function test_caller_must_accept_unneeded_fee() public {
        depositFor(token, 10);
        // The token does not accept ETH.
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw(address(token), carol, address(token), 4, GAS);
        collect();
        IL1TokenBridge.Withdrawal memory w = withdrawal(address(token), 4, index);
        w.refundTo = address(token);
        IL1MessageQueue.MessageProof memory p = proofOf(index);
        IL1TokenBridge.MessageProof memory proof =
            IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof);
        announce(w);
        vm.deal(address(token), 1);
        vm.prank(address(token));
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.ChangeRefused.selector, address(token), 1)
        );
        l1Bridge.refund{value: 1}(w, proof, relayer, GAS);
        vm.prank(address(token));
        assertTrue(l1Bridge.refund(w, proof, relayer, GAS));
    }

    /// @dev The L2 cannot withdraw more than was deposited. Even if it could, other tokens would be
    /// safe, and of this one no more would be paid than was deposited.
    function test_releases_never_exceed_deposits() public {
        depositFor(token, 10);
        token.give(address(l1Bridge), 5);
        vm.mockCall(
            address(l1Queue),
            abi.encodeCall(IL1MessageQueue.l2Sender, ()),
            abi.encode(address(l2Bridge))
        );
        vm.startPrank(address(l1Queue));
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.EscrowExceeded.selector, address(token), 11, 10)
        );
        l1Bridge.release(address(token), bob, carol, bob, 11);
        l1Bridge.release(address(token), bob, carol, bob, 10);
        assertEq(token.balanceOf(carol), 10);
    }

    function testFuzz_only_refund_account_returns_withdrawal(address caller) public {
        vm.assume(caller != alice);
        (, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.NotRefundable.selector, caller, alice)
        );
        this.sendBackAs(caller, w);
        // Nor by a withdrawal in their name, because it was never sent.
        w.refundTo = caller;
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        this.sendBackAs(caller, w);
    }

    function testFuzz_modified_withdrawal_was_not_sent(uint8 field) public {
        (, IL1TokenBridge.Withdrawal memory w) = refusedWithdrawal();
        field = uint8(bound(field, 0, 5));
        if (field == 0) w.l1Token = address(token);
        else if (field == 1) w.from = alice;
        else if (field == 2) w.to = bob;
        else if (field == 3) w.amount += 1;
        else if (field == 4) w.fee += 1;
        else w.gasLimit += 1;
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        this.sendBackAs(alice, w);
    }
}
