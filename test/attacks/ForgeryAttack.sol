// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Honest block, and forgeries of its bytes
abstract contract ForgeryAttack is RealRollup {
    using L2 for L2.Chain;

    bytes internal honest;

    function setUp() public override {
        super.setUp();
        l2.transfer("alice", bob, 1 ether);
        l2.transfer("alice", bob, 2 ether);
        honest = l2.seal();
    }

    /// @dev Asserts that the rollup does not move, and accepts the honest block afterwards.
    function expectRefused(bytes memory input, bytes4 error_) internal {
        bytes[] memory inputs = one(input);
        vm.expectPartialRevert(error_);
        // If EXECUTE fails, it uses all the gas that it receives.
        rollup.advance{gas: 16_000_000}(inputs, none());
        assertEq(rollup.head().number, 0);
        rollup.advance(one(honest), none());
    }
}
