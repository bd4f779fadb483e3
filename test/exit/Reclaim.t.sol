// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {L2} from "../utils/L2.sol";
import {ExitFixture} from "./ExitFixture.sol";

/// @dev Messages whose refund account is a contract of the L2, and whose sender reclaims them.
contract ReclaimTest is ExitFixture {
    using L2 for L2.Chain;

    /// @dev Without a call, so that it can stand between an expected error and its call.
    function last() internal view returns (IL1MessageQueue.Checkpoint memory) {
        return states[states.length - 1];
    }

    function reclaim(uint256 index, address to, bytes[] memory proof) internal {
        exit_.reclaimMessage(message(index), states[0], last(), hashes(0, sent.length), to, proof);
    }

    function giveBack(uint256 index) internal {
        exit_.returnMessage(message(index), states[0], last(), hashes(0, sent.length));
    }

    function test_sender_reclaims_message_to_contract() public {
        send(wallet, holder, 2 ether, 3, 100_000, "data");
        bytes[] memory proof = proveCode(holder);
        vm.startPrank(alice);
        expectRefused(abi.encodeWithSelector(IRollupExit.NotClosed.selector));
        reclaim(0, wallet, proof);
        vm.stopPrank();
        close();
        // Not even the account that the sender names.
        address[3] memory strangers = [bob, holder, wallet];
        for (uint256 i = 0; i < strangers.length; ++i) {
            vm.startPrank(strangers[i]);
            expectRefused(
                abi.encodeWithSelector(IRollupExit.NotRefundable.selector, strangers[i], holder)
            );
            reclaim(0, wallet, proof);
            vm.stopPrank();
        }
        vm.startPrank(alice);
        IL1MessageQueue.Message memory other = message(0);
        other.value += 1;
        vm.expectPartialRevert(IRollupExit.MessageMismatch.selector);
        exit_.reclaimMessage(other, states[0], last(), hashes(0, 1), wallet, proof);
        vm.expectEmit(address(exit_));
        emit IRollupExit.MessageReturned(0, wallet, 2 ether + 3);
        reclaim(0, wallet, proof);
        assertEq(wallet.balance, 2 ether + 3);
        assertTrue(exit_.isReturned(0));
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, 0));
        reclaim(0, wallet, proof);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, 0));
        giveBack(0);
        vm.stopPrank();
        assertEq(wallet.balance, 2 ether + 3);
    }

    /// @dev The refund account is paid, so the call of the sender pays nothing.
    function test_refunds_of_accounts_without_code_are_not_reclaimed() public {
        address absent = makeAddr("absent");
        address[3] memory accounts = [bob, delegating, absent];
        for (uint256 i = 0; i < accounts.length; ++i) {
            send(wallet, accounts[i], 1 ether, 0, 0, "");
        }
        send(wallet, holder, 1 ether, 0, 0, "");
        close();
        vm.startPrank(alice);
        for (uint256 i = 0; i < accounts.length; ++i) {
            bytes[] memory nodes = l2.prove(accounts[i]).nodes;
            // The code of a contract, and the proof of a contract.
            bytes[2] memory codes = [bytes(hex"00"), hex"60"];
            for (uint256 j = 0; j < codes.length; ++j) {
                vm.expectPartialRevert(IRollupExit.AccountCodeMismatch.selector);
                reclaim(i, alice, withCode(nodes, codes[j]));
            }
            vm.expectPartialRevert(StateProof.ProofIncomplete.selector);
            reclaim(i, alice, nodes);
            vm.expectRevert();
            reclaim(i, alice, proveCode(holder));
            bytes memory code = l2.codeOf(accounts[i]);
            assertEq(code.length, i == 1 ? 23 : 0);
            vm.expectEmit(address(exit_));
            emit IRollupExit.MessageReturned(message(i).index, alice, 0);
            reclaim(i, alice, withCode(nodes, code));
            assertFalse(exit_.isReturned(message(i).index));
            expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, i));
            reclaim(i, alice, withCode(nodes, code));
        }
        bytes[] memory proof = proveCode(holder);
        expectRefused(abi.encodeWithSelector(StateProof.ProofIncomplete.selector, 0));
        reclaim(3, alice, new bytes[](0));
        vm.expectPartialRevert(IRollupExit.AccountCodeMismatch.selector);
        reclaim(3, alice, withCode(l2.prove(holder).nodes, hex"0000"));
        vm.deal(alice, 0);
        reclaim(3, alice, proof);
        assertEq(alice.balance, 1 ether);
        vm.stopPrank();
        // They get it themselves.
        vm.deal(bob, 0);
        vm.prank(bob);
        giveBack(0);
        assertEq(bob.balance, 1 ether);
    }

    /// @dev Somebody may control the address of the contract on L1. The sender may hold more for the
    /// message than its ETH, so its own call must not depend on that account.
    function test_paid_refund_account_does_not_block_sender() public {
        send(wallet, holder, 2 ether, 3, 100_000, "data");
        send(wallet, holder, 4 ether, 0, 100_000, "data");
        close();
        vm.prank(holder);
        giveBack(0);
        assertEq(holder.balance, 2 ether + 3);
        uint256 escrow = address(queue).balance;
        bytes[] memory proof = proveCode(holder);
        vm.startPrank(alice);
        vm.expectEmit(address(exit_));
        emit IRollupExit.MessageReturned(0, wallet, 0);
        reclaim(0, wallet, proof);
        assertEq(address(queue).balance, escrow);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, 0));
        reclaim(0, wallet, proof);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, 0));
        giveBack(0);
        reclaim(1, wallet, proof);
        assertEq(wallet.balance, 4 ether);
        vm.stopPrank();
        vm.prank(holder);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, 1));
        giveBack(1);
    }

    function test_stored_messages_are_reclaimed_once() public {
        // Fails: an account without code is called. Its fee was paid to the relayer.
        send(makeAddr("no code"), holder, 2 ether, 5, 100_000, "data");
        arrive();
        // Parked, and delivered.
        send(wallet, holder, 4 ether, 7, 100_000, "");
        parkAll();
        send(wallet, holder, 8 ether, 9, 0, "");
        arrive();
        bytes[] memory proof = proveCode(holder);
        bytes[] memory kept = keptProof(message(0));
        IL1MessageQueue.Message memory m = message(0);
        vm.prank(alice);
        expectRefused(abi.encodeWithSelector(IRollupExit.NotClosed.selector));
        exit_.reclaimKept(m, kept, bob, proof);
        close();
        uint256 paid = bob.balance;
        for (uint256 i = 0; i < 3; ++i) {
            m = message(i);
            kept = keptProof(m);
            expectRefused(
                i == 2
                    ? abi.encodeWithSelector(IRollupExit.MessageNotKept.selector, hashOf(m))
                    : abi.encodeWithSelector(
                        IRollupExit.NotRefundable.selector, address(this), holder
                    )
            );
            exit_.reclaimKept(m, kept, bob, proof);
            if (i == 2) break;
            vm.startPrank(alice);
            exit_.reclaimKept(m, kept, bob, proof);
            paid += i == 0 ? 2 ether : 4 ether + 7;
            assertEq(bob.balance, paid);
            expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, i));
            exit_.reclaimKept(m, kept, bob, proof);
            expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, i));
            exit_.returnKept(m, kept);
            // The other way to the same message.
            expectRefused(abi.encodeWithSelector(IRollupExit.MessageRelayed.selector, i, 3));
            reclaim(i, bob, proof);
            vm.stopPrank();
        }
    }
}
