// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Blocks with timestamps that their builder chooses
/// @dev EXECUTE accepts each of them, except those that are not later than their parent, which
/// cannot be built.
abstract contract TimestampAttack is RealRollup {
    using L2 for L2.Chain;

    uint64 internal lag = MAX_LAG;

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.maxLag = lag;
    }

    /// @dev Returns a block with this timestamp that could be the next one.
    function blockAt(uint256 timestamp) internal returns (bytes memory input) {
        IL2.Head memory parent = l2.head;
        IL2.Block memory b = l2.next();
        b.timestamp = SafeCastLib.toUint64(timestamp);
        l2.transfer("alice", bob, 1);
        input = l2.seal(b);
        l2.head = parent;
    }

    /// @dev Reverts the change, so that other blocks can be tested after it.
    function expectAccepted(uint256 timestamp) internal {
        bytes[] memory inputs = one(blockAt(timestamp));
        uint256 state = vm.snapshotState();
        rollup.advance(inputs, none());
        assertEq(rollup.head().timestamp, timestamp);
        vm.revertToState(state);
    }

    function expectRefused(uint256 timestamp, bytes memory error_) internal {
        expectRefused(blockAt(timestamp), error_);
    }

    function expectRefused(bytes memory input, bytes memory error_) internal {
        bytes[] memory inputs = one(input);
        vm.expectRevert(error_);
        rollup.advance(inputs, none());
    }
}
