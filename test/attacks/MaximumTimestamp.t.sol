// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {L2} from "../utils/L2.sol";
import {TimestampAttack} from "./TimestampAttack.sol";

/// @title A last block
/// @notice Each block must be later than its parent. After one with the largest timestamp there is
/// none, and one that is years ahead is the last for as long: a single valid block would halt the
/// rollup, with all that is in its escrow. It is refused like any other from the future; the
/// largest that is taken is that of L1 itself, and it has a successor a second later.
contract MaximumTimestampTest is TimestampAttack {
    using L2 for L2.Chain;

    function test_the_largest_timestamp_is_refused() public {
        expectRefused(
            type(uint64).max,
            abi.encodeWithSelector(
                INativeRollup.TimestampInFuture.selector, type(uint64).max, vm.getBlockTimestamp()
            )
        );
        expectAccepted(vm.getBlockTimestamp());
    }
}
