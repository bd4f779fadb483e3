// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Rollup with pinned forks whose owner changes its rules
abstract contract OwnedRollup is RealRollup {
    IRollup.Change internal constant POLICY = IRollup.Change.Policy;
    IRollup.Change internal constant GAS = IRollup.Change.GasLimit;
    IRollup.Change internal constant FORK = IRollup.Change.Fork;

    address internal owner = makeAddr("owner");

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        (c.owner, c.forkMode) = (owner, IRollup.ForkMode.Pinned);
    }

    function announce(IRollup.Change change, uint256 value) internal {
        vm.prank(owner);
        rollup.announce(change, value);
    }

    function make(IRollup.Change change, uint256 value) internal {
        announce(change, value);
        untilReady(change, value);
        vm.prank(owner);
        rollup.make(change, value);
    }
}
