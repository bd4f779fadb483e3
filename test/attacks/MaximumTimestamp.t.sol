// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L2} from "../utils/L2.sol";
import {TimestampAttack} from "./TimestampAttack.sol";

/// @title Last possible block
/// @notice Each block must be later than its parent. After a block with the maximum timestamp there
/// can be none, and after one that is years ahead there can be none for years: a single valid block
/// would halt the rollup, with everything in its escrow. Such a block is rejected like any other
/// from the future; the latest accepted timestamp is that of L1, and a successor is possible a
/// second later.
contract MaximumTimestampTest is TimestampAttack {
    using L2 for L2.Chain;

    function test_largest_timestamp_is_rejected() public {
        expectRefused(
            type(uint64).max,
            abi.encodeWithSelector(
                IRollup.TimestampInFuture.selector, type(uint64).max, vm.getBlockTimestamp()
            )
        );
        expectAccepted(vm.getBlockTimestamp());
    }
}
