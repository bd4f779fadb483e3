// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Requests that no L2 may have
/// @notice From Prague on a block lists requests to the consensus layer, and any account causes one
/// by paying a system contract. A rollup that refused blocks with requests could be halted by
/// anyone: the call is valid, so a forced one would have to be included, and the block with it
/// refused. Requests are verified, and mean nothing.
contract RequestHaltTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant WITHDRAWAL_REQUESTS = 0x00000961Ef480Eb55e80D19ad83579A64c007002;

    function test_a_block_that_causes_a_request_is_a_block_like_any_other() public {
        l2.callFrom("bob", WITHDRAWAL_REQUESTS, 1 ether, new bytes(56));
        advance();
        assertHead();
        assertTrue(l2.receipts()[0].success);
        assertEq(l2.receipts()[0].logs.length, 1);
        advance();
        assertHead();
    }
}
