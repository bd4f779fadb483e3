// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TimestampAttack} from "./TimestampAttack.sol";

/// @title Blocks that stop the clock
/// @notice Validity requires a block to be later than its parent, by a second at least. An account
/// that advances could let the L2 fall behind indefinitely, and with it oracles, auctions and
/// deadlines, including those of this rollup. So no block is further behind L1 than `MAX_LAG`.
contract StaleTimestampsTest is TimestampAttack {
    using L2 for L2.Chain;

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_block_too_far_behind_is_rejected(uint256 behind) public {
        skip(30 days);
        uint256 earliest = vm.getBlockTimestamp() - MAX_LAG;
        behind = bound(behind, 1, earliest - l2.head.timestamp - 1);
        expectAccepted(earliest);
        expectRefused(
            earliest - behind,
            abi.encodeWithSelector(IRollup.TimestampTooOld.selector, earliest - behind, earliest)
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_block_not_later_than_parent_is_rejected(uint64 time) public {
        uint64 parent = l2.head.timestamp;
        time = uint64(bound(time, 0, parent));
        expectAccepted(parent + 1);
        bytes memory input = blockAt(parent + 1);
        expectRefused(
            L2.broken(input, IL2.Field.Timestamp, bytes32(uint256(time)), true),
            abi.encodeWithSelector(IRollup.TimestampNotAfterParent.selector, time, parent)
        );
    }

    function test_every_bound_is_met_exactly() public {
        skip(30 days);
        uint256 present = vm.getBlockTimestamp();
        expectAccepted(present);
        expectRefused(
            present + 1,
            abi.encodeWithSelector(IRollup.TimestampInFuture.selector, present + 1, present)
        );
        uint256 earliest = present - MAX_LAG;
        expectAccepted(earliest);
        expectRefused(
            earliest - 1,
            abi.encodeWithSelector(IRollup.TimestampTooOld.selector, earliest - 1, earliest)
        );
    }

    function test_lag_longer_than_timestamp_is_no_bound() public {
        lag = 1000;
        vm.warp(999);
        IL2.Genesis memory g = genesis();
        g.timestamp = 0;
        l2.create(g);
        deploy();
        expectAccepted(1);
    }
}
