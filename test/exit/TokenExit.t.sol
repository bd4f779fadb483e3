// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {ITokenExit} from "../../contracts/interfaces/ITokenExit.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {FeeToken, ListingToken, OnceCallingToken, Token, ToppingToken} from "../utils/Tokens.sol";
import {TokenExitFixture} from "./TokenExitFixture.sol";

/// @dev Exit with balances of tokens.
contract TokenExitTest is TokenExitFixture {
    using L2 for L2.Chain;

    function test_slot_contains_token_balance() public {
        deposit(token, bob, 100);
        arrive();
        assertEq(balanceOnL2(token, bob), 100);
        address l2Token = bridge.l2TokenOf(address(token));
        assertEq(uint256(l2.slotOf(l2Token, slotOf(bob))), 100);
        assertEq(l2.slotOf(l2Token, slotOf(alice)), 0);
    }

    function test_accounts_get_their_last_balance_once() public {
        deposit(token, bob, 100);
        deposit(token, carol, 20);
        arrive();
        ITokenExit.TokenProof memory ofBob = proofOf(token, bob);
        ITokenExit.TokenProof memory ofCarol = proofOf(token, carol);
        expectRefused(abi.encodeWithSelector(IRollupExit.NotClosed.selector));
        bridge.exitToken(address(token), bob, address(0), ofBob);
        close();
        // By a stranger, since bob has signed a transaction on the L2.
        vm.expectEmit(address(bridge));
        emit IL1TokenBridge.Released(address(token), bob, bob, 100);
        bridge.exitToken(address(token), bob, address(0), ofBob);
        assertEq(token.balanceOf(bob), 100);
        assertOwed(token, 20);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, bob));
        bridge.exitToken(address(token), bob, address(0), ofBob);

        expectRefused(
            abi.encodeWithSelector(IRollupExit.CallerNotAccount.selector, address(this), carol)
        );
        bridge.exitToken(address(token), carol, address(0), ofCarol);
        vm.prank(carol);
        bridge.exitToken(address(token), carol, address(0), ofCarol);
        assertEq(token.balanceOf(carol), 20);
        assertOwed(token, 0);
    }

    function test_each_token_is_paid_on_its_own() public {
        ListingToken other = new ListingToken();
        register(other);
        deposit(token, bob, 100);
        deposit(other, bob, 7);
        arrive();
        close();
        ITokenExit.TokenProof memory proof = proofOf(token, bob);
        ITokenExit.TokenProof memory wrong = proofOf(other, bob);
        // Account or slot of the other token.
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        bridge.exitToken(
            address(token),
            bob,
            address(0),
            ITokenExit.TokenProof(proof.accountProof, proof.tokenProof, wrong.storageProof)
        );
        vm.expectRevert();
        bridge.exitToken(address(token), bob, address(0), wrong);
        bridge.exitToken(address(token), bob, address(0), proof);
        bridge.exitToken(address(other), bob, address(0), wrong);
        assertEq(token.balanceOf(bob), 100);
        assertEq(other.balanceOf(bob), 7);
        assertOwed(token, 0);
        assertOwed(other, 0);
    }

    /// @dev A contract of the L2 that looks like the token of a token on L1, and one of no token.
    function test_only_registered_clone_represents_token() public {
        deposit(token, carol, 100);
        arrive();
        address fake = l2.deploy("bob", type(Token).creationCode);
        l2.callFrom("bob", fake, abi.encodeCall(Token.give, (bob, 100)));
        advance();
        close();
        IL2.AccountProof memory p = L2.proveAt(l2.head.hash, fake, slots(bob));
        assertEq(uint256(p.slots[0].value), 100);
        bytes[] memory account = l2.prove(bob).nodes;
        vm.expectRevert();
        bridge.exitToken(
            address(token),
            bob,
            address(0),
            ITokenExit.TokenProof(account, p.nodes, p.slots[0].nodes)
        );
        // Without code at its address on the L2, a token has no balances.
        Token unregistered = new Token();
        bytes[] memory absence = l2.prove(bridge.l2TokenOf(address(unregistered))).nodes;
        expectRefused(abi.encodeWithSelector(IRollupExit.NothingOwed.selector, bob));
        bridge.exitToken(
            address(unregistered),
            bob,
            address(0),
            ITokenExit.TokenProof(account, absence, new bytes[](0))
        );
        exitToken(token, carol);
        assertEq(token.balanceOf(carol), 100);
    }

    function test_only_last_state_counts() public {
        deposit(token, bob, 100);
        arrive();
        ITokenExit.TokenProof memory old = proofOf(token, bob);
        l2.callFrom(
            "bob", bridge.l2TokenOf(address(token)), abi.encodeCall(token.transfer, (alice, 60))
        );
        advance();
        close();
        ITokenExit.TokenProof memory proof = proofOf(token, bob);
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        bridge.exitToken(address(token), bob, address(0), old);
        // Each part of it.
        for (uint256 i = 0; i < 3; ++i) {
            ITokenExit.TokenProof memory mixed = ITokenExit.TokenProof(
                i == 0 ? old.accountProof : proof.accountProof,
                i == 1 ? old.tokenProof : proof.tokenProof,
                i == 2 ? old.storageProof : proof.storageProof
            );
            vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
            bridge.exitToken(address(token), bob, address(0), mixed);
        }
        bridge.exitToken(address(token), bob, address(0), proof);
        exitToken(token, alice);
        assertEq(token.balanceOf(bob), 40);
        assertEq(token.balanceOf(alice), 60);
    }

    function test_token_proof_is_shared_by_exits() public {
        ListingToken other = new ListingToken();
        register(other);
        deposit(token, bob, 100);
        deposit(token, carol, 20);
        deposit(other, carol, 3);
        arrive();
        close();
        ITokenExit.TokenProof memory proof = proofOf(token, carol);
        proof.tokenProof = new bytes[](0);
        vm.startPrank(carol);
        expectRefused(abi.encodeWithSelector(ITokenExit.TokenRootUnknown.selector, address(token)));
        bridge.exitToken(address(token), carol, address(0), proof);
        vm.stopPrank();
        exitToken(token, bob);
        vm.startPrank(carol);
        expectRefused(abi.encodeWithSelector(ITokenExit.TokenRootUnknown.selector, address(other)));
        bridge.exitToken(address(other), carol, address(0), proof);
        bridge.exitToken(address(token), carol, address(0), proof);
        vm.stopPrank();
        assertEq(token.balanceOf(carol), 20);
        exitToken(other, carol);
        assertEq(other.balanceOf(carol), 3);
    }

    function test_l2_contracts_are_not_paid() public {
        deposit(token, holder, 100);
        deposit(token, delegating, 30);
        arrive();
        close();
        for (uint256 i = 0; i < 2; ++i) {
            address account = i == 0 ? holder : delegating;
            ITokenExit.TokenProof memory p = proofOf(token, account);
            vm.startPrank(account);
            for (uint256 j = 0; j < 2; ++j) {
                vm.expectPartialRevert(IRollupExit.AccountHasCode.selector);
                bridge.exitToken(
                    address(token), account, j == 0 ? address(0) : makeAddr("another"), p
                );
            }
            vm.stopPrank();
        }
        ITokenExit.TokenProof memory proof = proofOf(token, delegating);
        bridge.exitToken(address(token), delegating, delegate, proof);
        assertEq(token.balanceOf(delegating), 30);
        // One that delegates nowhere, and one without tokens.
        proof = proofOf(token, bob);
        vm.expectPartialRevert(IRollupExit.AccountHasCode.selector);
        bridge.exitToken(address(token), bob, delegate, proof);
        expectRefused(abi.encodeWithSelector(IRollupExit.NothingOwed.selector, bob));
        bridge.exitToken(address(token), bob, address(0), proof);
        assertOwed(token, 100);
    }

    function test_alias_accounts_pay_their_l1_contract() public {
        address account = AliasAddresses.account(wallet);
        deposit(token, account, 100);
        arrive();
        ITokenExit.TokenProof memory proof = proofOf(token, account);
        expectRefused(abi.encodeWithSelector(IRollupExit.NotClosed.selector));
        bridge.exitTokenAlias(address(token), wallet, proof);
        close();
        expectRefused(
            abi.encodeWithSelector(IRollupExit.CallerNotAccount.selector, address(this), account)
        );
        bridge.exitToken(address(token), account, address(0), proof);
        address empty = AliasAddresses.account(bob);
        ITokenExit.TokenProof memory none_ = proofOf(token, empty);
        expectRefused(abi.encodeWithSelector(IRollupExit.NothingOwed.selector, empty));
        bridge.exitTokenAlias(address(token), bob, none_);
        vm.expectEmit(address(bridge));
        emit IL1TokenBridge.Released(address(token), account, wallet, 100);
        // The account itself is not read.
        none_ = ITokenExit.TokenProof(new bytes[](0), proof.tokenProof, proof.storageProof);
        bridge.exitTokenAlias(address(token), wallet, none_);
        assertEq(token.balanceOf(wallet), 100);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, account));
        bridge.exitTokenAlias(address(token), wallet, proof);
        vm.prank(account);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, account));
        bridge.exitToken(address(token), account, address(0), proof);
    }

    /// @dev The reverse order, though nobody owns the address of an alias account.
    function test_alias_account_is_paid_once_by_either_path() public {
        address account = AliasAddresses.account(wallet);
        deposit(token, account, 100);
        deposit(token, bob, 100);
        arrive();
        close();
        exitToken(token, account);
        ITokenExit.TokenProof memory proof = proofOf(token, account);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, account));
        bridge.exitTokenAlias(address(token), wallet, proof);
        assertOwed(token, 100);
    }

    function test_recipients_that_never_spend_tokens_are_not_paid() public {
        address[5] memory recipients =
            [address(token), address(queue), address(rollup), address(bridge), wallet];
        for (uint256 i = 0; i < 5; ++i) {
            deposit(token, AliasAddresses.account(recipients[i]), 10);
        }
        arrive();
        close();
        for (uint256 i = 0; i < 4; ++i) {
            ITokenExit.TokenProof memory proof =
                proofOf(token, AliasAddresses.account(recipients[i]));
            expectRefused(
                abi.encodeWithSelector(IL1TokenBridge.RecipientForbidden.selector, recipients[i])
            );
            bridge.exitTokenAlias(address(token), recipients[i], proof);
        }
        exitAlias(token, wallet, AliasAddresses.account(wallet));
        assertEq(token.balanceOf(wallet), 10);
        assertOwed(token, 40);
    }

    // ------------------------------------------------------------------ hostile tokens

    function test_token_that_rejects_recipient_is_paid_later() public {
        deposit(token, bob, 100);
        arrive();
        close();
        token.list(bob, true);
        ITokenExit.TokenProof memory proof = proofOf(token, bob);
        vm.expectRevert();
        bridge.exitToken(address(token), bob, address(0), proof);
        assertOwed(token, 100);
        token.list(bob, false);
        bridge.exitToken(address(token), bob, address(0), proof);
        assertEq(token.balanceOf(bob), 100);
        assertOwed(token, 0);
    }

    function test_token_that_calls_back_is_rejected() public {
        OnceCallingToken calling = new OnceCallingToken();
        register(calling);
        deposit(calling, bob, 100);
        deposit(calling, alice, 30);
        arrive();
        close();
        ITokenExit.TokenProof memory proof = proofOf(calling, alice);
        IL2TokenBridge.Deposit memory d;
        IL1MessageQueue.Checkpoint memory c;
        bytes[4] memory calls = [
            abi.encodeCall(bridge.exitToken, (address(calling), alice, address(0), proof)),
            abi.encodeCall(bridge.exitTokenAlias, (address(calling), alice, proof)),
            abi.encodeCall(bridge.returnDeposit, (d, c, c, new bytes32[](0), new bytes[](0))),
            abi.encodeCall(bridge.returnKeptDeposit, (d, new bytes[](0), new bytes[](0)))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 state = vm.snapshotState();
            calling.prepare(address(bridge), calls[i]);
            exitToken(calling, bob);
            assertFalse(calling.succeeded());
            assertEq(calling.answer(), abi.encodeWithSelector(IL1TokenBridge.Reentrancy.selector));
            assertEq(calling.balanceOf(bob), 100);
            vm.revertToState(state);
        }
        bridge.exitToken(address(calling), alice, address(0), proof);
        assertEq(calling.balanceOf(alice), 30);
    }

    function test_transfer_fees_are_paid_by_recipient() public {
        FeeToken taxed = new FeeToken(10);
        register(taxed);
        deposit(taxed, bob, 100);
        arrive();
        close();
        assertEq(balanceOnL2(taxed, bob), 90);
        exitToken(taxed, bob);
        assertEq(taxed.balanceOf(bob), 81);
        assertOwed(taxed, 0);
    }

    function test_payment_debits_at_most_its_amount() public {
        ToppingToken topping = new ToppingToken();
        register(topping);
        topping.give(alice, 1000);
        deposit(topping, bob, 100);
        deposit(topping, carol, 5);
        arrive();
        close();
        ITokenExit.TokenProof memory proof = proofOf(topping, bob);
        topping.give(address(bridge), 1000);
        expectRefused(
            abi.encodeWithSelector(IL1TokenBridge.Overcharged.selector, address(topping), 110, 100)
        );
        bridge.exitToken(address(topping), bob, address(0), proof);
        // A tenth of it is nothing.
        exitToken(topping, carol);
        assertEq(topping.balanceOf(carol), 5);
    }

    /// @dev If the state were false, no more than what was deposited could be taken.
    function test_more_than_is_owed_is_not_paid() public {
        deposit(token, bob, 100);
        arrive();
        close();
        token.give(address(bridge), 1000);
        ITokenExit.TokenProof memory proof = proofOf(token, bob);
        bytes32 slot = keccak256(abi.encode(token, uint256(0)));
        assertEq(uint256(vm.load(address(bridge), slot)), 100);
        vm.store(address(bridge), slot, bytes32(uint256(99)));
        expectRefused(
            abi.encodeWithSelector(IL1TokenBridge.EscrowExceeded.selector, address(token), 100, 99)
        );
        bridge.exitToken(address(token), bob, address(0), proof);
        vm.store(address(bridge), slot, bytes32(uint256(100)));
        bridge.exitToken(address(token), bob, address(0), proof);
        assertEq(token.balanceOf(bob), 100);
    }

    // ------------------------------------------------------------------ withdrawals

    function test_withdrawals_are_paid_apart_from_exits() public {
        deposit(token, bob, 100);
        arrive();
        IL1TokenBridge.Withdrawal memory first = withdraw("bob", carol, carol, 10);
        IL1TokenBridge.Withdrawal memory second = withdraw("bob", carol, carol, 30);
        advanceSends();
        claim(first);
        close();
        skip(1000 days);
        claim(second);
        exitToken(token, bob);
        assertEq(token.balanceOf(carol), 40);
        assertEq(token.balanceOf(bob), 60);
        assertOwed(token, 0);
        IL1MessageQueue.Message memory m = messageOf(second);
        IL1MessageQueue.MessageProof memory proof = messageProof(second.index);
        expectRefused(abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, m.index));
        queue.claim(m, proof, carol);
    }

    function test_withdrawal_is_not_returned_to_closed_rollup() public {
        deposit(token, bob, 100);
        arrive();
        IL1TokenBridge.Withdrawal memory w = withdraw("bob", carol, carol, 100);
        advanceSends();
        close();
        token.list(carol, true);
        IL1MessageQueue.MessageProof memory p = messageProof(w.index);
        IL1TokenBridge.MessageProof memory proof =
            IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof);
        vm.startPrank(carol);
        vm.warp(bridge.announceRefund(w, proof, carol));
        vm.expectPartialRevert(IL1MessageQueue.CheckpointsExhausted.selector);
        bridge.refund(w, proof, carol, GAS);
        vm.stopPrank();
        token.list(carol, false);
        claim(w);
        assertEq(token.balanceOf(carol), 100);
    }
}
