// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L2} from "../utils/L2.sol";
import {ClosedPolicy} from "../utils/ClosedPolicy.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Sequencer that is lost
/// @notice If only one account can advance, its loss freezes all funds: no withdrawal is included
/// in a block, and no deposit is relayed. The same applies to a policy that is broken or hostile.
/// Here silence opens the rollup: once the head is old enough, any account may advance, under any
/// policy. As soon as the rollup moves again, the policy applies again, so that no account can take
/// over permanently by waiting for one outage.
contract LostSequencerTest is RealRollup {
    using L2 for L2.Chain;

    address internal owner = makeAddr("owner");

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.owner = owner;
    }

    function hostilePolicy() internal returns (uint256) {
        return uint160(address(new ClosedPolicy()));
    }

    function test_rollup_without_sequencer_opens_to_anyone() public {
        uint256 policy = hostilePolicy();
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, policy);
        untilReady(IRollup.Change.Policy, policy);
        vm.prank(owner);
        rollup.make(IRollup.Change.Policy, policy);
        send(bob, 1 ether, 0, "");
        nextL1Block();
        uint256 before = l2.balanceOf(bob);
        // The head is days old.
        bringOver();
        assertEq(l2.balanceOf(bob), before + 1 ether);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(ClosedPolicy.Closed.selector);
        rollup.advance(inputs, none());
    }
}
