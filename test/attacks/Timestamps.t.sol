// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {RollupFixture} from "../utils/RollupFixture.sol";
import {StatelessInputs} from "../utils/StatelessInputs.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Whoever advances lies about the time
/// @notice Validity bounds the timestamp of a block by its parent's only. A block from the far future
/// would be the last one for as long, and one with the largest number the last for ever. Stale blocks
/// let their builder stop the clock of the L2, and with it oracles, auctions and deadlines. So a block
/// is neither later than L1 nor further behind it than the agreed lag.
contract TimestampsTest is RollupFixture {
    function expectReachesExecute(uint256 timestamp) internal {
        StatelessInputs.Block memory b = nextBlock();
        b.timestamp = SafeCastLib.toUint64(timestamp);
        bytes[] memory inputs = one(b);
        vm.expectRevert(Execute.ExecuteAbsent.selector);
        rollup.advance(inputs, none());
    }

    function expectRefused(uint256 timestamp, bytes memory error_) internal {
        StatelessInputs.Block memory b = nextBlock();
        b.timestamp = SafeCastLib.toUint64(timestamp);
        bytes[] memory inputs = one(b);
        vm.expectRevert(error_);
        rollup.advance(inputs, none());
    }

    function testFuzz_a_block_from_the_future_is_refused(uint64 ahead) public {
        uint256 present = vm.getBlockTimestamp();
        ahead = uint64(bound(ahead, 1, type(uint64).max - present));
        expectReachesExecute(present);
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
        expectReachesExecute(vm.getBlockTimestamp());
    }

    function testFuzz_a_block_that_is_too_far_behind_is_refused(uint256 behind) public {
        skip(30 days);
        uint256 earliest = vm.getBlockTimestamp() - MAX_LAG;
        behind = bound(behind, 1, earliest - genesis().timestamp - 1);
        expectReachesExecute(earliest);
        expectRefused(
            earliest - behind,
            abi.encodeWithSelector(
                INativeRollup.TimestampTooOld.selector, earliest - behind, earliest
            )
        );
    }

    function testFuzz_a_block_that_is_not_later_than_its_parent_is_refused(uint64 time) public {
        uint64 parent = genesis().timestamp;
        time = uint64(bound(time, 0, parent));
        expectReachesExecute(parent + 1);
        expectRefused(
            time,
            abi.encodeWithSelector(INativeRollup.TimestampNotAfterParent.selector, time, parent)
        );
    }

    function test_every_bound_is_met_exactly() public {
        skip(30 days);
        uint256 present = vm.getBlockTimestamp();
        expectReachesExecute(present);
        expectRefused(
            present + 1,
            abi.encodeWithSelector(INativeRollup.TimestampInFuture.selector, present + 1, present)
        );
        uint256 earliest = present - MAX_LAG;
        expectReachesExecute(earliest);
        expectRefused(
            earliest - 1,
            abi.encodeWithSelector(INativeRollup.TimestampTooOld.selector, earliest - 1, earliest)
        );
        uint256 parent = genesis().timestamp;
        vm.warp(parent + 1);
        expectReachesExecute(parent + 1);
        expectRefused(
            parent,
            abi.encodeWithSelector(INativeRollup.TimestampNotAfterParent.selector, parent, parent)
        );
    }

    function test_a_lag_beyond_the_beginning_of_time_is_no_bound() public {
        INativeRollup.Config memory c = config(StatelessInputs.OSAKA);
        c.maxLag = 1000;
        INativeRollup.Genesis memory g = genesis();
        g.timestamp = 0;
        vm.warp(999);
        rollup = deploy(g, c);
        expectReachesExecute(1);
    }
}
