// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Rollup with pinned forks whose owner changes its rules
abstract contract OwnedRollup is RealRollup {
    INativeRollup.Change internal constant POLICY = INativeRollup.Change.Policy;
    INativeRollup.Change internal constant GAS = INativeRollup.Change.GasLimit;
    INativeRollup.Change internal constant FORK = INativeRollup.Change.Fork;

    address internal owner = makeAddr("owner");

    function config() internal view override returns (INativeRollup.Config memory c) {
        c = super.config();
        (c.owner, c.forkMode) = (owner, INativeRollup.ForkMode.Pinned);
    }

    function announce(INativeRollup.Change change, uint256 value) internal {
        vm.prank(owner);
        rollup.announce(change, value);
    }

    function make(INativeRollup.Change change, uint256 value) internal {
        announce(change, value);
        untilReady(change, value);
        vm.prank(owner);
        rollup.make(change, value);
    }
}
