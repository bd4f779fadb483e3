// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {L2} from "../utils/L2.sol";
import {TokenExitFixture} from "./TokenExitFixture.sol";

/// @dev Deposits tokens, and accepts no ETH unless told to.
contract Depositor {
    bool public open;

    function setOpen(bool yes) external {
        open = yes;
    }

    receive() external payable {
        require(open, "no ETH");
    }
}

/// @dev Exit with deposits that did not arrive.
contract DepositExitTest is TokenExitFixture {
    using L2 for L2.Chain;

    bytes[] internal bridgeProof;

    function end() internal {
        close();
        bridgeProof = proveCode(l2Bridge);
    }

    function refused(address caller, bytes memory error_, IL2TokenBridge.Deposit memory d)
        internal
    {
        vm.startPrank(caller);
        expectRefused(error_);
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
    }

    function returned(address caller, IL2TokenBridge.Deposit memory d) internal {
        vm.startPrank(caller);
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
    }

    function refusedKept(address caller, bytes memory error_, IL2TokenBridge.Deposit memory d)
        internal
    {
        bytes[] memory kept = keptProofOf(d);
        vm.startPrank(caller);
        expectRefused(error_);
        bridge.returnKeptDeposit(d, kept, bridgeProof);
        vm.stopPrank();
    }

    function returnedKept(address caller, IL2TokenBridge.Deposit memory d) internal {
        bytes[] memory kept = keptProofOf(d);
        vm.startPrank(caller);
        bridge.returnKeptDeposit(d, kept, bridgeProof);
        vm.stopPrank();
    }

    function again(IL2TokenBridge.Deposit memory d) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, d.index);
    }

    function notRefundable(address caller, address to) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IL1TokenBridge.NotRefundable.selector, caller, to);
    }

    // ------------------------------------------------------------------ no bridge on the L2

    /// @dev Replaces the bridge by one whose L2 side is never deployed.
    function withoutL2Bridge() internal {
        l2Bridge = makeAddr("an address without code");
        bridge = new L1TokenBridge(address(queue), l2Bridge);
        bridge.register(address(token), 700_000);
        record(
            0,
            700_000,
            abi.encodeCall(
                IL2TokenBridge.makeToken,
                (address(token), token.name(), token.symbol(), token.decimals())
            )
        );
    }

    function test_deposits_to_undeployed_bridge_are_returned_once() public {
        withoutL2Bridge();
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, carol, 100, 3, GAS);
        end();
        assertEq(bridgeProof[bridgeProof.length - 1].length, 0);
        refused(bob, notRefundable(bob, carol), d);
        bytes[] memory right = bridgeProof;
        bridgeProof = withCode(l2.prove(l2Bridge).nodes, hex"00");
        vm.startPrank(carol);
        vm.expectPartialRevert(IRollupExit.AccountCodeMismatch.selector);
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
        bridgeProof = right;
        returned(carol, d);
        assertEq(token.balanceOf(carol), 100);
        // The fee stays with the refund account of the message, the L2 bridge.
        assertEq(carol.balance, 0);
        assertFalse(exit_.isReturned(d.index));
        refused(carol, again(d), d);
        refused(alice, again(d), d);
        assertOwed(token, 0);
    }

    function test_stored_deposits_to_undeployed_bridge_are_returned_once() public {
        withoutL2Bridge();
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, carol, 100, 3, GAS);
        arrive();
        end();
        returnedKept(carol, d);
        assertEq(token.balanceOf(carol), 100);
        refusedKept(carol, again(d), d);
        assertOwed(token, 0);
    }

    // ------------------------------------------------------------------ never relayed

    function test_unrelayed_deposits_are_returned_once() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, carol, 100, 3, GAS);
        bridgeProof = proveCode(l2Bridge);
        refused(carol, abi.encodeWithSelector(IRollupExit.NotClosed.selector), d);
        end();
        refused(bob, notRefundable(bob, carol), d);
        vm.expectEmit(address(exit_));
        emit IRollupExit.MessageReturned(d.index, carol, 3);
        vm.expectEmit(address(bridge));
        emit IL1TokenBridge.Released(address(token), alice, carol, 100);
        returned(carol, d);
        assertEq(token.balanceOf(carol), 100);
        assertEq(carol.balance, 3);
        assertEq(address(bridge).balance, 0);
        assertOwed(token, 0);
        refused(carol, again(d), d);
        refused(alice, again(d), d);
        assertOwed(token, 0);
    }

    function test_paid_account_follows_from_deposit() public {
        address account = AliasAddresses.account(alice);
        address[4] memory refundTo = [carol, account, address(0), alice];
        uint128[4] memory fees_ = [uint128(1), 2, 3, 4];
        IL2TokenBridge.Deposit[4] memory list;
        for (uint256 i = 0; i < 4; ++i) {
            list[i] = deposit(token, alice, bob, refundTo[i], 10 ** i, fees_[i], GAS);
        }
        end();
        vm.deal(alice, 0);
        uint256 tokens = 0;
        uint256 fees = 0;
        for (uint256 i = 0; i < 4; ++i) {
            address to = i == 0 ? carol : alice;
            refused(address(this), notRefundable(address(this), to), list[i]);
            // Not the accounts of the L2.
            refused(bob, notRefundable(bob, to), list[i]);
            if (i > 0) {
                refused(account, notRefundable(account, to), list[i]);
                (tokens, fees) = (tokens + 10 ** i, fees + fees_[i]);
            }
            // By the depositor, whoever is paid.
            returned(alice, list[i]);
            assertEq(token.balanceOf(carol), 1);
            assertEq(carol.balance, 1);
            assertEq(token.balanceOf(alice), tokens);
            assertEq(alice.balance, fees);
        }
        assertOwed(token, 0);
    }

    function test_only_unmodified_deposit_is_returned() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, carol, 100, 3, GAS);
        IL2TokenBridge.Deposit memory other = deposit(token, alice, bob, carol, 70, 3, GAS);
        // A registration is a message of the bridge too.
        uint64 index = bridge.register(address(token), 700_000);
        record(0, 700_000, abi.encodeCall(IL2TokenBridge.makeToken, (address(token), "", "", 6)));
        sent[index].data = abi.encodeCall(
            IL2TokenBridge.makeToken,
            (address(token), token.name(), token.symbol(), token.decimals())
        );
        end();
        for (uint256 field = 0; field < 9; ++field) {
            IL2TokenBridge.Deposit memory e = clone(d);
            if (field == 0) e.l1Token = address(rollup);
            if (field == 1) e.from = carol;
            if (field == 2) e.to = carol;
            if (field == 3) (e.from, e.refundTo) = (carol, alice);
            if (field == 4) e.amount += 1;
            if (field == 5) e.fee += 1;
            if (field == 6) e.gasLimit += 1;
            if (field == 7) e.index = other.index;
            if (field == 8) e.index = index;
            vm.startPrank(carol);
            vm.expectPartialRevert(IRollupExit.MessageMismatch.selector);
            returnDeposit(e, bridgeProof);
            vm.stopPrank();
        }
        // The code of the bridge has to follow the proof.
        bytes[] memory nodes = l2.prove(l2Bridge).nodes;
        vm.startPrank(carol);
        vm.expectPartialRevert(StateProof.ProofIncomplete.selector);
        returnDeposit(d, nodes);
        returnDeposit(d, bridgeProof);
        returnDeposit(other, bridgeProof);
        vm.stopPrank();
        assertEq(token.balanceOf(carol), 170);
        assertOwed(token, 0);
    }

    function clone(IL2TokenBridge.Deposit memory d)
        internal
        pure
        returns (IL2TokenBridge.Deposit memory)
    {
        return IL2TokenBridge.Deposit(
            d.l1Token, d.from, d.to, d.refundTo, d.amount, d.fee, d.gasLimit, d.index
        );
    }

    /// @dev The deployer of the bridge on the L2 may own its address on L1.
    function test_owner_of_bridge_address_takes_only_fees() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, alice, 100, 3, GAS);
        IL2TokenBridge.Deposit memory other = deposit(token, alice, bob, alice, 50, 5, GAS);
        end();
        IL1MessageQueue.Message memory m = message(d.index);
        vm.prank(l2Bridge);
        exit_.returnMessage(m, states[0], states[states.length - 1], hashes(0, sent.length));
        assertEq(l2Bridge.balance, 3);
        vm.deal(alice, 0);
        returned(alice, d);
        assertEq(token.balanceOf(alice), 100);
        assertEq(alice.balance, 0);
        refused(alice, again(d), d);
        returned(alice, other);
        assertEq(token.balanceOf(alice), 150);
        assertEq(alice.balance, 5);
        assertOwed(token, 0);
    }

    /// @dev It only harms itself, and only with a fee.
    function test_recipient_without_eth_gets_deposits_without_fee() public {
        Depositor rejecting = new Depositor();
        address account = address(rejecting);
        IL2TokenBridge.Deposit memory free = deposit(token, alice, bob, account, 1, 0, GAS);
        IL2TokenBridge.Deposit memory paid = deposit(token, alice, bob, account, 2, 5, GAS);
        IL2TokenBridge.Deposit memory other = deposit(token, alice, bob, carol, 4, 6, GAS);
        end();
        refused(
            alice, abi.encodeWithSelector(IL1MessageQueue.ReleaseFailed.selector, account, 5), paid
        );
        returned(alice, free);
        returned(alice, other);
        assertEq(token.balanceOf(account), 1);
        assertEq(token.balanceOf(carol), 4);
        rejecting.setOpen(true);
        returned(alice, paid);
        assertEq(token.balanceOf(account), 3);
        assertEq(account.balance, 5);
    }

    function test_rejected_deposit_recipient_is_paid_later() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, carol, 100, 3, GAS);
        IL2TokenBridge.Deposit memory lost = deposit(token, alice, bob, address(queue), 100, 0, GAS);
        end();
        refused(
            alice,
            abi.encodeWithSelector(IL1TokenBridge.RecipientForbidden.selector, address(queue)),
            lost
        );
        token.list(carol, true);
        vm.startPrank(carol);
        vm.expectRevert();
        returnDeposit(d, bridgeProof);
        token.list(carol, false);
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
        assertEq(token.balanceOf(carol), 100);
        assertEq(carol.balance, 3);
        assertOwed(token, 100);
    }

    /// @dev A withdrawal that was sent back is a deposit of the account that sent it back.
    function test_withdrawal_that_was_sent_back_is_returned() public {
        deposit(token, bob, 100);
        arrive();
        IL1TokenBridge.Withdrawal memory w = withdraw("bob", wallet, carol, 100);
        advanceSends();
        token.list(wallet, true);
        IL1MessageQueue.MessageProof memory p = messageProof(w.index);
        IL1TokenBridge.MessageProof memory proof =
            IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof);
        hoax(carol, 9);
        uint256 readyAt = bridge.announceRefund(w, proof, carol);
        skip(readyAt - vm.getBlockTimestamp());
        vm.prank(carol);
        assertFalse(bridge.refund{value: 9}(w, proof, carol, GAS));
        IL2TokenBridge.Deposit memory d = IL2TokenBridge.Deposit(
            address(token), carol, bob, bob, 100, 9, GAS, uint64(sent.length)
        );
        record(9, GAS, abi.encodeCall(IL2TokenBridge.mint, (address(token), carol, bob, bob, 100)));
        end();
        assertOwed(token, 100);
        uint256 before = bob.balance;
        returned(bob, d);
        assertEq(token.balanceOf(bob), 100);
        assertEq(bob.balance, before + 9);
        assertOwed(token, 0);
        token.list(wallet, false);
        IL1MessageQueue.Message memory m = messageOf(w);
        p = messageProof(w.index);
        expectRefused(abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, w.index));
        queue.claim(m, p, carol);
    }

    // ------------------------------------------------------------------ kept by the L2

    function test_stored_deposits_are_returned_once() public {
        // Failed, parked, and delivered.
        IL2TokenBridge.Deposit[3] memory list;
        list[0] = deposit(token, alice, bob, AliasAddresses.account(alice), 1, 3, 1000);
        arrive();
        list[1] = deposit(token, alice, bob, carol, 2, 5, GAS);
        parkAll();
        list[2] = deposit(token, alice, bob, carol, 4, 7, GAS);
        arrive();
        bridgeProof = proveCode(l2Bridge);
        refusedKept(alice, abi.encodeWithSelector(IRollupExit.NotClosed.selector), list[0]);
        end();
        vm.deal(alice, 0);
        for (uint256 i = 0; i < 3; ++i) {
            address to = i == 0 ? alice : carol;
            refusedKept(bob, notRefundable(bob, to), list[i]);
            if (i == 2) {
                refusedKept(
                    to,
                    abi.encodeWithSelector(
                        IRollupExit.MessageNotKept.selector, hashOf(message(list[i].index))
                    ),
                    list[i]
                );
            } else {
                // By the depositor, whoever is paid.
                returnedKept(alice, list[i]);
                assertEq(token.balanceOf(to), 1 + i);
                assertEq(to.balance, i == 0 ? 0 : 5);
                refusedKept(to, again(list[i]), list[i]);
            }
            refused(
                to,
                abi.encodeWithSelector(
                    IRollupExit.MessageRelayed.selector, list[i].index, sent.length
                ),
                list[i]
            );
        }
        exitToken(token, bob);
        assertEq(token.balanceOf(bob), 4);
        assertOwed(token, 0);
    }

    /// @dev It has left the messenger as a withdrawal.
    function test_cancelled_deposit_is_not_returned() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, bob, 8, 0, 1000);
        IL2TokenBridge.Deposit memory other = deposit(token, alice, bob, bob, 1, 0, 1000);
        arrive();
        l2.callFrom("bob", l2Bridge, abi.encodeCall(IL2TokenBridge.refund, (d, bob, bob, GAS)));
        advance();
        end();
        refusedKept(
            bob,
            abi.encodeWithSelector(IRollupExit.MessageNotKept.selector, hashOf(message(d.index))),
            d
        );
        returnedKept(bob, other);
        claim(IL1TokenBridge.Withdrawal(address(token), bob, bob, bob, 8, 0, GAS, 1));
        assertEq(token.balanceOf(bob), 9);
        assertOwed(token, 0);
    }
}
