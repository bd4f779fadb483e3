// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Whoever advances lies about the time
/// @notice Validity bounds the timestamp of a block by its parent's only. A block from the far future
/// would be the last one for as long, and one with the largest number the last for ever. Stale blocks
/// let their builder stop the clock of the L2, and with it oracles, auctions and deadlines. So a block
/// is neither later than L1 nor further behind it than the agreed lag. Every block here is one that
/// EXECUTE accepts, but for those that are not later than their parent, which nobody can build.
contract TimestampsTest is RealRollup {
    using L2 for L2.Chain;

    uint64 internal lag = MAX_LAG;

    function config() internal view override returns (INativeRollup.Config memory c) {
        c = super.config();
        c.maxLag = lag;
    }

    /// @dev A block with this timestamp that could be next.
    function blockAt(uint256 timestamp) internal returns (bytes memory input) {
        IL2.Head memory parent = l2.head;
        IL2.Block memory b = l2.next();
        b.timestamp = SafeCastLib.toUint64(timestamp);
        l2.transfer("alice", bob, 1);
        input = l2.seal(b);
        l2.head = parent;
    }

    /// @dev It leaves no trace: other blocks are tried after it.
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

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_a_block_from_the_future_is_refused(uint64 ahead) public {
        uint256 present = vm.getBlockTimestamp();
        ahead = uint64(bound(ahead, 1, type(uint64).max - present));
        expectAccepted(present);
        expectRefused(
            present + ahead,
            abi.encodeWithSelector(
                INativeRollup.TimestampInFuture.selector, present + ahead, present
            )
        );
    }

    function test_the_largest_timestamp_is_refused() public {
        expectRefused(
            type(uint64).max,
            abi.encodeWithSelector(
                INativeRollup.TimestampInFuture.selector, type(uint64).max, vm.getBlockTimestamp()
            )
        );
        expectAccepted(vm.getBlockTimestamp());
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_a_block_that_is_too_far_behind_is_refused(uint256 behind) public {
        skip(30 days);
        uint256 earliest = vm.getBlockTimestamp() - MAX_LAG;
        behind = bound(behind, 1, earliest - l2.head.timestamp - 1);
        expectAccepted(earliest);
        expectRefused(
            earliest - behind,
            abi.encodeWithSelector(
                INativeRollup.TimestampTooOld.selector, earliest - behind, earliest
            )
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_a_block_that_is_not_later_than_its_parent_is_refused(uint64 time) public {
        uint64 parent = l2.head.timestamp;
        time = uint64(bound(time, 0, parent));
        expectAccepted(parent + 1);
        bytes memory input = blockAt(parent + 1);
        expectRefused(
            L2.broken(input, IL2.Field.Timestamp, bytes32(uint256(time)), true),
            abi.encodeWithSelector(INativeRollup.TimestampNotAfterParent.selector, time, parent)
        );
    }

    function test_every_bound_is_met_exactly() public {
        skip(30 days);
        uint256 present = vm.getBlockTimestamp();
        expectAccepted(present);
        expectRefused(
            present + 1,
            abi.encodeWithSelector(INativeRollup.TimestampInFuture.selector, present + 1, present)
        );
        uint256 earliest = present - MAX_LAG;
        expectAccepted(earliest);
        expectRefused(
            earliest - 1,
            abi.encodeWithSelector(INativeRollup.TimestampTooOld.selector, earliest - 1, earliest)
        );
    }

    function test_a_lag_beyond_the_beginning_of_time_is_no_bound() public {
        lag = 1000;
        vm.warp(999);
        IL2.Genesis memory g = genesis();
        g.timestamp = 0;
        l2.create(g);
        deploy();
        expectAccepted(1);
    }
}
