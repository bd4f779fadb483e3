// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {ITokenExit} from "../../contracts/interfaces/ITokenExit.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TokenExitFixture} from "./TokenExitFixture.sol";

/// @dev After a random history, everything that can be paid is paid to the unit, and nothing twice.
contract TokenConservationTest is TokenExitFixture {
    using L2 for L2.Chain;

    uint256 internal constant STEPS = 6;

    IL2TokenBridge.Deposit[] internal deposits;
    IL1TokenBridge.Withdrawal[] internal open;
    uint256 internal random;

    /// @dev Returns a number below `most`.
    function draw(uint256 maximum) internal returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % maximum;
    }

    /// @dev The accounts that hold tokens; the last one is a contract.
    function accounts() internal view returns (address[6] memory) {
        return [alice, bob, carol, delegating, AliasAddresses.account(wallet), holder];
    }

    function depositSome(bool starved) internal {
        address[4] memory refunds = [carol, alice, address(0), AliasAddresses.account(alice)];
        deposits.push(
            deposit(
                token,
                alice,
                accounts()[draw(6)],
                refunds[draw(4)],
                1 + draw(1e9),
                uint128(draw(3)),
                starved ? 1000 : GAS
            )
        );
    }

    function step() internal {
        uint256 kind = draw(7);
        uint256 held = balanceOnL2(token, bob);
        if (kind <= 1) {
            depositSome(kind == 0);
        } else if (kind == 2) {
            if (relayedCount() < sent.length) arrive();
        } else if (kind == 3) {
            if (relayedCount() < sent.length) parkAll();
        } else if (kind == 4) {
            bytes memory call = abi.encodeCall(token.transfer, (accounts()[draw(6)], draw(held)));
            l2.callFrom("bob", bridge.l2TokenOf(address(token)), call);
            advance();
        } else if (kind == 5) {
            open.push(withdraw("bob", carol, carol, 1 + draw(held / 2)));
            advanceSends();
        } else if (open.length != 0) {
            claimLast();
        }
        assertEq(token.balanceOf(address(bridge)), bridge.owed(address(token)));
    }

    function claimLast() internal {
        IL1TokenBridge.Withdrawal memory w = open[open.length - 1];
        uint256 before = token.balanceOf(w.to);
        claim(w);
        assertEq(token.balanceOf(w.to), before + w.amount);
        open.pop();
    }

    /// @dev Pays the balance of an account, in the way of its kind.
    function pay(uint256 which, ITokenExit.TokenProof memory proof) external {
        address account = accounts()[which];
        if (which == 4) {
            bridge.exitTokenAlias(address(token), wallet, proof);
        } else {
            vm.prank(account);
            bridge.exitToken(address(token), account, which == 3 ? delegate : address(0), proof);
        }
    }

    /// forge-config: default.fuzz.runs = 48
    function testFuzz_tokens_are_paid_once_and_rest_stays_escrowed(uint256 seed) public {
        random = seed;
        deposits.push(deposit(token, alice, bob, bob, 1e12, 0, GAS));
        arrive();
        for (uint256 i = 0; i < STEPS; ++i) {
            step();
        }
        uint64 relayed_ = relayedCount();
        bytes[] memory code = proveCode(l2Bridge);
        close();
        assertEq(exit_.relayed(), relayed_);

        while (open.length != 0) {
            claimLast();
        }
        for (uint256 i = 0; i < deposits.length; ++i) {
            giveBack(deposits[i], code, deposits[i].index >= relayed_);
        }
        address[6] memory list = accounts();
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 amount = balanceOnL2(token, list[i]);
            address to = i == 4 ? wallet : list[i];
            uint256 before = token.balanceOf(to);
            ITokenExit.TokenProof memory proof = proofOf(token, list[i]);
            if (amount == 0 || i == 5) {
                vm.expectRevert();
                this.pay(i, proof);
                continue;
            }
            this.pay(i, proof);
            assertEq(token.balanceOf(to), before + amount);
            vm.expectRevert();
            this.pay(i, proof);
        }
        assertOwed(token, balanceOnL2(token, holder));
        assertEq(token.balanceOf(address(bridge)), balanceOnL2(token, holder));
    }

    /// @dev Returns a deposit if it was not delivered, and never twice.
    function giveBack(IL2TokenBridge.Deposit memory d, bytes[] memory code, bool pending) internal {
        bytes[] memory kept = keptProofOf(d);
        bytes32 slot = keccak256(abi.encode(hashOf(message(d.index)), 2));
        bool isKept = l2.slotOf(MESSENGER, slot) != 0;
        assertFalse(pending && isKept);
        address to = d.refundTo;
        if (to != carol && to != bob) to = alice;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 before = token.balanceOf(to);
            uint256 due = 0;
            try this.returnOne(d, kept, code, (i == 0) == pending) {
                due = d.amount;
            } catch {
                assertTrue(i > 0 || !(pending || isKept), "a deposit is not returned");
            }
            assertTrue(due == 0 || (i == 0 && (pending || isKept)), "returned twice, or delivered");
            assertEq(token.balanceOf(to), before + due);
        }
    }

    function returnOne(
        IL2TokenBridge.Deposit memory d,
        bytes[] memory kept,
        bytes[] memory code,
        bool pending
    ) external {
        vm.prank(alice);
        if (pending) returnDeposit(d, code);
        else bridge.returnKeptDeposit(d, kept, code);
    }
}
