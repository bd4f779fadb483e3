// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {TimestampAttack} from "./TimestampAttack.sol";

/// @title Blocks from the future
/// @notice Validity bounds the timestamp of a block only by its parent's. With a block ahead of L1,
/// its builder could open time locks, end auctions and let debts mature early, and all later blocks
/// would have to be later still. So no block is later than the L1 block in which it is advanced.
contract FutureTimestampsTest is TimestampAttack {
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_block_from_future_is_rejected(uint64 ahead) public {
        uint256 present = vm.getBlockTimestamp();
        ahead = uint64(bound(ahead, 1, type(uint64).max - present));
        expectAccepted(present);
        expectRefused(
            present + ahead,
            abi.encodeWithSelector(IRollup.TimestampInFuture.selector, present + ahead, present)
        );
    }
}
