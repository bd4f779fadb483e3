// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TokenExitFixture} from "./TokenExitFixture.sol";

/// @dev Refund accounts that are alias accounts of others than the sender: the L1 account that
/// controls the alias account is paid, in its own call.
contract AliasRefundsTest is TokenExitFixture {
    using L2 for L2.Chain;

    address internal account = AliasAddresses.account(wallet);

    /// @dev On the L2, an unrelated contract has the wallet's address.
    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.add(g, wallet, 0, hex"00");
    }

    function depositEther(uint128 value, uint128 fee, uint64 gasLimit)
        internal
        returns (IL1MessageQueue.Message memory)
    {
        hoax(wallet, uint256(value) + fee);
        uint64 index = bridge.depositEtherToSelf{value: uint256(value) + fee}(gasLimit, fee);
        assertEq(index, sent.length);
        sent.push(
            IL2Messenger.Message(address(bridge), account, account, value, fee, gasLimit, index, "")
        );
        states.push(queue.checkpoint());
        return message(index);
    }

    function giveBack(IL1MessageQueue.Message memory m) internal {
        exit_.returnMessage(m, states[0], states[states.length - 1], hashes(0, sent.length));
    }

    function notRefundable(address caller, address refundTo) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRollupExit.NotRefundable.selector, caller, refundTo);
    }

    /// @dev Neither the owner of the address of an L2 contract nor that of the alias account's alias.
    function others() internal view returns (address[7] memory) {
        return [
            bob,
            holder,
            l2Bridge,
            address(token),
            address(this),
            Predeploys.L2_ACCOUNTS,
            AliasAddresses.account(account)
        ];
    }

    // ------------------------------------------------------------------ ETH

    function test_wallet_receives_its_unrelayed_ether() public {
        IL1MessageQueue.Message memory m = depositEther(5 ether, 3, 50_000);
        close();
        address[7] memory callers = others();
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            expectRefused(notRefundable(callers[i], account));
            giveBack(m);
            vm.stopPrank();
        }
        vm.startPrank(wallet);
        vm.expectEmit(address(exit_));
        emit IRollupExit.MessageReturned(m.index, wallet, 5 ether + 3);
        giveBack(m);
        assertEq(wallet.balance, 5 ether + 3);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, m.index));
        giveBack(m);
        vm.stopPrank();
        vm.startPrank(account);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, m.index));
        giveBack(m);
        vm.stopPrank();
    }

    function test_wallet_receives_its_stored_ether() public {
        IL1MessageQueue.Message memory m = depositEther(5 ether, 3, 50_000);
        parkAll();
        close();
        bytes[] memory kept = keptProof(m);
        vm.prank(bob);
        expectRefused(notRefundable(bob, account));
        exit_.returnKept(m, kept);
        vm.prank(wallet);
        exit_.returnKept(m, kept);
        assertEq(wallet.balance, 5 ether + 3);
    }

    /// @dev Messages by `L2Accounts` give each L1 address an alias account, with code or without.
    function test_eoa_alias_keeps_its_refunds() public {
        address[2] memory owners = [bob, holder];
        for (uint256 i = 0; i < 2; ++i) {
            send(wallet, AliasAddresses.account(owners[i]), 1 ether, 0, 0, "");
        }
        close();
        for (uint256 i = 0; i < 2; ++i) {
            IL1MessageQueue.Message memory m = message(sent.length - 2 + i);
            address other = owners[1 - i];
            vm.startPrank(other);
            expectRefused(notRefundable(other, m.refundTo));
            giveBack(m);
            vm.stopPrank();
            uint256 before = owners[i].balance;
            vm.startPrank(owners[i]);
            giveBack(m);
            vm.stopPrank();
            assertEq(owners[i].balance, before + 1 ether);
        }
    }

    // ------------------------------------------------------------------ tokens

    function test_wallet_receives_tokens_deposited_by_another() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, account, 100, 3, GAS);
        close();
        bytes[] memory bridgeProof = proveCode(l2Bridge);
        address[7] memory callers = others();
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            expectRefused(notRefundable(callers[i], account));
            returnDeposit(d, bridgeProof);
            vm.stopPrank();
        }
        returnedTo(wallet, d, bridgeProof);
        assertEq(wallet.balance, 3);
        vm.startPrank(alice);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, d.index));
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
    }

    function test_wallet_receives_stored_tokens_of_another_depositor() public {
        IL2TokenBridge.Deposit memory d = deposit(token, alice, bob, account, 100, 3, GAS);
        parkAll();
        close();
        bytes[] memory bridgeProof = proveCode(l2Bridge);
        bytes[] memory kept = keptProofOf(d);
        vm.prank(bob);
        expectRefused(notRefundable(bob, account));
        bridge.returnKeptDeposit(d, kept, bridgeProof);
        vm.prank(wallet);
        bridge.returnKeptDeposit(d, kept, bridgeProof);
        assertEq(token.balanceOf(wallet), 100);
        assertOwed(token, 0);
    }

    /// @dev An alias account withdrew, and another account sent the withdrawal back.
    function test_wallet_receives_withdrawal_returned_by_another() public {
        address owner = alice;
        address from = AliasAddresses.account(owner);
        deposit(token, from, 100);
        arrive();
        bytes memory withdrawal =
            abi.encodeCall(IL2TokenBridge.withdraw, (address(token), wallet, carol, 100, GAS));
        bytes memory call = AccountCalls.encode(l2Bridge, 0, withdrawal);
        send(Predeploys.L2_ACCOUNTS, owner, 0, 0, 800_000, call);
        arrive();
        IL1TokenBridge.Withdrawal memory w =
            IL1TokenBridge.Withdrawal(address(token), from, wallet, carol, 100, 0, GAS, 0);
        token.list(wallet, true);
        IL1MessageQueue.MessageProof memory p = messageProof(w.index);
        IL1TokenBridge.MessageProof memory proof =
            IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof);
        vm.startPrank(carol);
        uint256 readyAt = bridge.announceRefund(w, proof, carol);
        skip(readyAt - vm.getBlockTimestamp());
        assertFalse(bridge.refund(w, proof, carol, GAS));
        vm.stopPrank();
        IL2TokenBridge.Deposit memory d = IL2TokenBridge.Deposit(
            address(token), carol, from, from, 100, 0, GAS, uint64(sent.length)
        );
        record(
            0, GAS, abi.encodeCall(IL2TokenBridge.mint, (address(token), carol, from, from, 100))
        );
        close();
        bytes[] memory bridgeProof = proveCode(l2Bridge);
        vm.startPrank(bob);
        expectRefused(notRefundable(bob, from));
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
        returnedTo(owner, d, bridgeProof);
    }

    /// @dev Returns a deposit of 100 tokens to the caller, who then owns all tokens.
    function returnedTo(address owner, IL2TokenBridge.Deposit memory d, bytes[] memory bridgeProof)
        internal
    {
        vm.startPrank(owner);
        returnDeposit(d, bridgeProof);
        vm.stopPrank();
        assertEq(token.balanceOf(owner), 100);
        assertOwed(token, 0);
    }
}
