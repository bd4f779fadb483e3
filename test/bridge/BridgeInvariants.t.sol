// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {ListingToken} from "../utils/Tokens.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

/// @dev Whatever users, relayers and an unreliable token do, no token is lost and none is created.
contract BridgeInvariantsTest is BridgeFixture {
    ListingToken private moody;

    /// @dev Failed deposits, and unclaimed withdrawals.
    IL2TokenBridge.Deposit[] private stuck;
    IL1TokenBridge.Withdrawal[] private open;

    IL2TokenBridge.Deposit[] private sent;
    uint256 private supplied;

    function setUp() public override {
        super.setUp();
        moody = new ListingToken();
        register(address(moody));
        vm.prank(alice);
        moody.approve(address(l1Bridge), type(uint256).max);
        bytes4[] memory selectors = new bytes4[](7);
        selectors[0] = this.depositSome.selector;
        selectors[1] = this.relaySome.selector;
        selectors[2] = this.withdrawSome.selector;
        selectors[3] = this.claimSome.selector;
        selectors[4] = this.retryOrReturn.selector;
        selectors[5] = this.returnWithdrawal.selector;
        selectors[6] = this.changeMood.selector;
        targetSelector(FuzzSelector(address(this), selectors));
        targetContract(address(this));
    }

    function depositSome(uint64 amount, bool starved) external {
        amount = uint64(bound(amount, 1, type(uint64).max));
        moody.give(alice, amount);
        supplied += amount;
        uint64 gas = starved ? 1000 : GAS;
        vm.prank(alice);
        uint64 index = l1Bridge.deposit(address(moody), bob, bob, amount, gas);
        sent.push(IL2TokenBridge.Deposit(address(moody), alice, bob, bob, amount, 0, gas, index));
    }

    function relaySome() external {
        collect();
        (uint64 done,) = messenger.relayed();
        if (done < queue.length) toL2();
        for (uint256 i = 0; i < sent.length; ++i) {
            if (isFailed(sent[i].index)) stuck.push(sent[i]);
        }
        delete sent;
    }

    function withdrawSome(uint64 amount) external {
        uint256 held = l2Token(address(moody)).balanceOf(bob);
        if (held == 0) return;
        amount = uint64(bound(amount, 1, held < type(uint64).max ? held : type(uint64).max));
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw(address(moody), carol, alice, amount, GAS);
        collect();
        open.push(
            IL1TokenBridge.Withdrawal(address(moody), bob, carol, alice, amount, 0, GAS, index)
        );
    }

    function claimSome(uint256 which) external {
        if (open.length == 0 || moody.listed(carol)) return;
        which = bound(which, 0, open.length - 1);
        toL1(open[which].index);
        drop(which);
    }

    /// @dev Sends a withdrawal back if the token rejects the payment; otherwise pays it.
    function returnWithdrawal(uint256 which) external {
        if (open.length == 0) return;
        which = bound(which, 0, open.length - 1);
        bool refused = moody.listed(carol) && open[which].to == carol;
        IL1TokenBridge.Withdrawal memory w = open[which];
        IL1MessageQueue.MessageProof memory p = proofOf(w.index);
        IL1TokenBridge.MessageProof memory proof =
            IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof);
        announce(w);
        vm.prank(w.refundTo);
        assertEq(l1Bridge.refund(w, proof, relayer, GAS), !refused);
        drop(which);
    }

    function retryOrReturn(uint256 which, bool back) external {
        if (stuck.length == 0) return;
        which = bound(which, 0, stuck.length - 1);
        IL2TokenBridge.Deposit memory d = stuck[which];
        if (back) {
            vm.prank(bob);
            uint64 index = l2Bridge.refund(d, alice, alice, GAS);
            collect();
            open.push(
                IL1TokenBridge.Withdrawal(
                    address(moody), bob, alice, alice, d.amount, 0, GAS, index
                )
            );
        } else {
            assertTrue(messenger.isFailed(MessageCodec.hash(queue[d.index])));
            messenger.retry(queue[d.index]);
        }
        stuck[which] = stuck[stuck.length - 1];
        stuck.pop();
    }

    function changeMood(bool refuses) external {
        moody.list(carol, refuses);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_the_escrow_holds_what_it_owes_and_owes_what_is_on_the_l2_or_on_its_way()
        external
        view
    {
        uint256 onTheWay = 0;
        for (uint256 i = 0; i < open.length; ++i) {
            onTheWay += open[i].amount;
        }
        for (uint256 i = 0; i < stuck.length; ++i) {
            onTheWay += stuck[i].amount;
        }
        for (uint256 i = 0; i < sent.length; ++i) {
            onTheWay += sent[i].amount;
        }
        // Returned withdrawals that have not been relayed.
        assertGe(l1Bridge.owed(address(moody)), l2Token(address(moody)).totalSupply() + onTheWay);
        assertEq(moody.balanceOf(address(l1Bridge)), l1Bridge.owed(address(moody)));
        assertEq(moody.totalSupply(), supplied);
    }

    function afterInvariant() external {
        // Once everything is delivered, the amounts match exactly.
        collect();
        (uint64 done,) = messenger.relayed();
        if (done < queue.length) toL2();
        uint256 there = l2Token(address(moody)).totalSupply();
        for (uint256 i = 0; i < open.length; ++i) {
            there += open[i].amount;
        }
        for (uint256 i = 0; i < stuck.length; ++i) {
            there += stuck[i].amount;
        }
        for (uint256 i = 0; i < sent.length; ++i) {
            if (isFailed(sent[i].index)) there += sent[i].amount;
        }
        assertEq(l1Bridge.owed(address(moody)), there);
    }

    function drop(uint256 which) private {
        open[which] = open[open.length - 1];
        open.pop();
    }
}
