// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {ISequencing} from "../../contracts/interfaces/ISequencing.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Lets nobody advance.
contract NobodyPolicy is ISequencing {
    error Nobody();

    function authorize(address, uint64) external pure returns (address) {
        revert Nobody();
    }
}

/// @title Operators that are lost, or hostile, or bought
/// @notice Where one account alone can advance, its loss freezes all funds, and its will starves whomever
/// it likes: deposits that are never relayed, withdrawals that are never included. Where an owner can
/// change the rules at once, nobody can leave before rules that let nobody leave. Here silence opens the
/// rollup to anyone; who advances must relay what is overdue and include what is forced; and rules change
/// only after a delay in which all of this can be done, including the claim, which needs no operator.
contract OperatorsTest is RealRollup {
    using L2 for L2.Chain;

    address internal owner = makeAddr("owner");

    function config() internal view override returns (INativeRollup.Config memory c) {
        c = super.config();
        c.owner = owner;
    }

    function hostilePolicy() internal returns (uint256) {
        return uint160(address(new NobodyPolicy()));
    }

    function test_after_a_hostile_change_is_announced_everyone_can_leave_before_it_is_made()
        public
    {
        send(alice, 5 ether, 0, "");
        nextL1Block();
        bringOver();
        uint256 policy = hostilePolicy();
        vm.prank(owner);
        rollup.announce(INativeRollup.Change.Policy, policy);
        uint256 ready = rollup.readyAt(INativeRollup.Change.Policy, policy);

        // Alice sees it a while later; nobody includes what she sends on L2.
        skip(1 hours);
        IL2.Transaction memory t = L2.transaction(
            "alice", MESSENGER, 5 ether, abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""))
        );
        t.gasLimit = 300_000;
        bytes memory raw = l2.sign(t);
        INativeRollup.ForcedTransaction memory forced = submit(raw);
        untilNextIs(1);
        skip(FORCED_DELAY + FORCED_GRACE + OPEN_AFTER);
        l2.raw(raw);
        rollup.advance(one(l2.seal()), one(discharge(forced, INativeRollup.Outcome.Included)));
        uint256 before = bob.balance;
        queue.claim(
            IL1MessageQueue.Message(alice, bob, bob, 5 ether, 0, 0, 0, ""), messageProof(0), bob
        );
        assertEq(bob.balance - before, 5 ether);
        assertLt(vm.getBlockTimestamp(), ready);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.NotReady.selector, ready));
        rollup.make(INativeRollup.Change.Policy, policy);
    }

    function test_a_rollup_that_nobody_may_advance_is_anyones_after_a_while() public {
        uint256 policy = hostilePolicy();
        vm.prank(owner);
        rollup.announce(INativeRollup.Change.Policy, policy);
        skip(UPGRADE_DELAY);
        vm.prank(owner);
        rollup.make(INativeRollup.Change.Policy, policy);
        send(bob, 1 ether, 0, "");
        nextL1Block();
        uint256 before = l2.balanceOf(bob);
        // The head is days old.
        bringOver();
        assertEq(l2.balanceOf(bob), before + 1 ether);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(NobodyPolicy.Nobody.selector);
        rollup.advance(inputs, none());
    }

    function test_deposits_are_not_starved_by_anchors_that_stand_still() public {
        send(bob, 1 ether, 0, "");
        uint64 sentAt = states[1].timestamp;
        // Blocks with the old anchor for as long as they are taken.
        uint256 taken = 0;
        for (uint256 i = 0; i < 40; ++i) {
            IL2.Head memory parent = l2.head;
            bytes memory input = l2.seal();
            try rollup.advance(one(input), none()) {
                ++taken;
            } catch {
                l2.head = parent;
                break;
            }
            skip(50 minutes);
        }
        assertGt(taken, 0);
        assertLe(l2.head.timestamp, sentAt + RELAY_DEADLINE + 50 minutes);
        assertEq((l2.head.number + 1) % 2, 0);
        nextL1Block();
        (INativeRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory relaying = l2.seal(anchor);
        e.relays = relayProof().relays;
        rollup.advance(one(relaying), e);
        assertHead();
    }
}
