// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {FeeToken, ToppingToken} from "../utils/Tokens.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

/// @dev Every field of the events of both bridges, and the accounts in their messages. No two
/// fields of an event have the same value, so that no field can be mistaken for another.
contract BridgeEventsTest is BridgeFixture {
    address internal dave = makeAddr("dave, who takes back");
    address internal erin = makeAddr("erin");
    FeeToken internal taxed;

    function setUp() public override {
        super.setUp();
        vm.deal(address(this), 100 ether);
        vm.deal(address(l1Queue), 100 ether);
        // No index below is zero, and those of the two directions differ.
        for (uint256 i = 0; i < 3; ++i) {
            l1Queue.send(erin, erin, 0, 0, "");
        }
        vm.deal(bob, 100 ether);
        vm.prank(bob);
        messenger.send(erin, erin, 0, 0, "");
        // It charges a tenth of each transfer.
        taxed = new FeeToken(10);
    }

    /// @dev Relays all messages of L1 in one call.
    function deliver() external {
        toL2();
    }

    /// @dev Gives bob 900 on the L2, of the 1000 that alice has deposited.
    function fund() internal {
        register(address(taxed));
        give(taxed, alice, 1000);
        vm.prank(alice);
        l1Bridge.deposit(address(taxed), bob, dave, 1000, GAS);
        toL2();
    }

    /// @dev Withdraws 500 from bob to carol, which dave may send back.
    function withdrawn() internal returns (IL1TokenBridge.Withdrawal memory w) {
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw{value: 7}(address(taxed), carol, dave, 500, GAS);
        collect();
        w = IL1TokenBridge.Withdrawal(address(taxed), bob, carol, dave, 500, 7, GAS, index);
    }

    /// @dev Deposits 900 from alice to bob, which dave may send back.
    function failedDeposit() internal returns (IL2TokenBridge.Deposit memory d) {
        register(address(taxed));
        give(taxed, alice, 1000);
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        uint64 index = l1Bridge.deposit{value: 5}(address(taxed), bob, dave, 1000, 1000);
        toL2();
        assertTrue(isFailed(index));
        d = IL2TokenBridge.Deposit(address(taxed), alice, bob, dave, 900, 5, 1000, index);
    }

    // ------------------------------------------------------------------ events

    function test_registration_events_name_both_tokens() public {
        address predicted = l1Bridge.l2TokenOf(address(taxed));
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.TokenRegistered(address(taxed), predicted, 3);
        l1Bridge.register(address(taxed), GAS);
        vm.expectEmit(address(l2Bridge));
        emit IL2TokenBridge.TokenMade(address(taxed), predicted);
        this.deliver();
    }

    function test_deposit_events_name_received_amount() public {
        register(address(taxed));
        give(taxed, alice, 1000);
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.Deposited(address(taxed), alice, bob, 900, 4);
        vm.prank(alice);
        l1Bridge.deposit(address(taxed), bob, dave, 1000, GAS);
        vm.expectEmit(address(l2Bridge));
        emit IL2TokenBridge.Minted(address(taxed), alice, bob, 900);
        this.deliver();
    }

    function test_withdrawal_events_name_all_accounts() public {
        fund();
        vm.expectEmit(address(l2Bridge));
        emit IL2TokenBridge.Withdrawn(address(taxed), bob, carol, dave, 500, 7, GAS, 1);
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1MessageQueue.MessageProof memory proof = proofOf(w.index);
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.Released(address(taxed), bob, carol, 500);
        l1Queue.claim(toL1Messages[w.index], proof, relayer);
        assertEq(taxed.balanceOf(carol), 450);
    }

    function test_refund_events_name_withdrawal_and_message() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.mockCallRevert(address(taxed), abi.encodeWithSelector(taxed.transfer.selector), "");
        uint256 readyAt = block.timestamp + 1 days;
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.RefundAnnounced(address(taxed), 1, readyAt);
        vm.prank(dave);
        l1Bridge.announceRefund(w, proof, relayer);

        vm.warp(readyAt);
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.SentBack(address(taxed), bob, 500, 5);
        vm.prank(dave);
        l1Bridge.refund(w, proof, relayer, GAS);
        vm.expectEmit(address(l2Bridge));
        emit IL2TokenBridge.Minted(address(taxed), dave, bob, 500);
        this.deliver();
    }

    function test_returned_deposit_events_name_recipient_and_message() public {
        IL2TokenBridge.Deposit memory d = failedDeposit();
        vm.deal(dave, 1 ether);
        vm.expectEmit(address(l2Bridge));
        // Index 1 is the message of the messenger that refunds the deposit.
        emit IL2TokenBridge.Withdrawn(address(taxed), dave, carol, erin, 900, 9, GAS, 2);
        vm.expectEmit(address(l2Bridge));
        emit IL2TokenBridge.SentBack(address(taxed), carol, 900, 2);
        vm.prank(dave);
        l2Bridge.refund{value: 9}(d, carol, erin, GAS);
    }

    // ------------------------------------------------------------------ refundable messages

    /// @dev A withdrawal that L1 sends back can fail on the L2 too. Its tokens belong to the
    /// account that burned them.
    function test_returned_withdrawal_is_refundable_by_its_sender() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        announceAs(dave, w);
        vm.prank(dave);
        assertFalse(l1Bridge.refund(w, proof, relayer, 1000));
        vm.clearMockedCalls();
        toL2();
        assertTrue(isFailed(5));

        IL2TokenBridge.Deposit memory d =
            IL2TokenBridge.Deposit(address(taxed), dave, bob, bob, 500, 0, 1000, 5);
        vm.prank(bob);
        uint64 index = l2Bridge.refund(d, erin, bob, GAS);
        toL1(index);
        assertEq(taxed.balanceOf(erin), 450);
    }

    /// @dev The account that sends a deposit back designates one that may have it minted again if
    /// the payment on L1 fails.
    function test_returned_deposit_is_refundable_by_named_account() public {
        IL2TokenBridge.Deposit memory d = failedDeposit();
        vm.prank(dave);
        uint64 index = l2Bridge.refund(d, carol, erin, GAS);
        collect();
        IL1TokenBridge.Withdrawal memory w =
            IL1TokenBridge.Withdrawal(address(taxed), dave, carol, erin, 900, 0, GAS, index);
        address[3] memory others = [bob, carol, dave];
        for (uint256 i = 0; i < others.length; ++i) {
            IL1TokenBridge.MessageProof memory proof = bridgeProofOf(index);
            vm.prank(others[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IL1TokenBridge.NotRefundable.selector, others[i], erin)
            );
            l1Bridge.announceRefund(w, proof, relayer);
        }
        announceAs(erin, w);
        IL1TokenBridge.MessageProof memory last = bridgeProofOf(index);
        vm.prank(erin);
        assertFalse(l1Bridge.refund(w, last, relayer, GAS));
        toL2();
        assertEq(l2Token(address(taxed)).balanceOf(dave), 900);
    }

    function test_refund_is_announced_anew_after_use() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        announceAs(dave, w);
        vm.startPrank(dave);
        l1Bridge.refund(w, proof, relayer, GAS);
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.RefundNotReady.selector, 0));
        l1Bridge.refund(w, proof, relayer, GAS);
    }

    // ------------------------------------------------------------------ dishonest tokens

    /// @dev The event has the amount that was burned on the L2.
    function test_release_event_names_withdrawn_amount() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1MessageQueue.MessageProof memory proof = proofOf(w.index);
        // The token transfers nothing, but returns success.
        vm.mockCall(
            address(taxed), abi.encodeWithSelector(taxed.transfer.selector), abi.encode(true)
        );
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.Released(address(taxed), bob, carol, 500);
        l1Queue.claim(toL1Messages[w.index], proof, relayer);
    }

    function test_one_token_more_than_payment_is_overcharged() public {
        ToppingToken topping = new ToppingToken();
        topping.give(alice, 10);
        depositFor(topping, 100);
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw(address(topping), carol, dave, 10, GAS);
        collect();
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        vm.expectRevert(
            abi.encodeWithSelector(
                IL1MessageQueue.DeliveryFailed.selector,
                abi.encodeWithSelector(
                    IL1TokenBridge.Overcharged.selector, address(topping), 11, 10
                )
            )
        );
        l1Queue.claim(toL1Messages[index], proof, relayer);
    }

    // ------------------------------------------------------------------ ETH

    function test_refund_pays_fee_to_named_account() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        announceAs(dave, w);
        vm.prank(dave);
        assertFalse(l1Bridge.refund(w, proof, erin, GAS));
        assertEq(erin.balance, 7);
        assertEq(dave.balance, 0);
    }

    function test_paid_withdrawal_pays_fee_to_named_account() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.prank(dave);
        assertEq(l1Bridge.announceRefund(w, proof, erin), 0);
        assertEq(erin.balance, 7);
        assertEq(dave.balance, 0);
    }

    /// @dev Other ETH of the bridge is not part of the refund.
    function test_refund_returns_its_own_change_alone() public {
        fund();
        IL1TokenBridge.Withdrawal memory w = withdrawn();
        announceAs(dave, w);
        vm.clearMockedCalls();
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.deal(address(l1Bridge), 100);
        vm.deal(dave, 9);
        vm.prank(dave);
        assertTrue(l1Bridge.refund{value: 9}(w, proof, erin, GAS));
        assertEq(dave.balance, 9);
        assertEq(address(l1Bridge).balance, 100);
    }

    /// @dev Only its alias account may cancel what a contract wallet deposits to itself.
    function test_wallet_deposits_are_refundable_by_its_alias() public {
        register(address(taxed));
        address wallet = makeAddr("wallet");
        address account = accounts.accountOf(wallet);
        vm.etch(wallet, hex"00");
        give(taxed, wallet, 1000);
        vm.deal(wallet, 5);
        bytes memory data =
            abi.encodeCall(IL2TokenBridge.mint, (address(taxed), wallet, account, account, 900));
        vm.expectEmit(address(l1Queue));
        emit IL1MessageQueue.MessageSent(
            4, address(l1Bridge), address(l2Bridge), address(l2Bridge), 0, 0, GAS, data
        );
        vm.prank(wallet, carol);
        l1Bridge.depositToSelf(address(taxed), 1000, GAS);
        vm.expectEmit(address(l1Queue));
        emit IL1MessageQueue.MessageSent(5, address(l1Bridge), account, account, 3, 2, 50_000, "");
        vm.prank(wallet, carol);
        l1Bridge.depositEtherToSelf{value: 5}(50_000, 2);
    }

    /// @dev The fee of a parked deposit is paid to the recipient of its tokens.
    function test_returned_deposit_pays_its_fee_to_recipient() public {
        register(address(taxed));
        give(taxed, alice, 1000);
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        uint64 index = l1Bridge.deposit{value: 5}(address(taxed), bob, dave, 1000, GAS);
        collect();
        anchorQueue();
        messenger.relay(AccountCalls.packParked(queue[index]), relayer);
        IL2TokenBridge.Deposit memory d =
            IL2TokenBridge.Deposit(address(taxed), alice, bob, dave, 900, 5, GAS, index);
        vm.expectEmit(address(messenger));
        emit IL2Messenger.MessageSent(1, address(l2Bridge), carol, carol, 5, 0, 0, "");
        vm.prank(dave);
        l2Bridge.refund(d, carol, erin, GAS);
    }

    /// @dev Announces a refund while the token rejects payments; it continues to reject them.
    function announceAs(address caller, IL1TokenBridge.Withdrawal memory w) internal {
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.mockCallRevert(address(taxed), abi.encodeWithSelector(taxed.transfer.selector), "");
        vm.prank(caller);
        vm.warp(l1Bridge.announceRefund(w, proof, relayer));
    }
}
