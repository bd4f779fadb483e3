// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Execution requests on an L2
/// @notice From Prague on, a block lists requests to the consensus layer, and any account can
/// create one by paying a system contract. If a rollup rejected blocks with requests, anyone could
/// halt it: the call is valid, so a forced one would have to be included, and the block with it
/// would be rejected. Requests are verified, and have no effect.
contract RequestHaltTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant WITHDRAWAL_REQUESTS = 0x00000961Ef480Eb55e80D19ad83579A64c007002;

    function test_block_with_execution_requests_is_accepted() public {
        l2.callFrom("bob", WITHDRAWAL_REQUESTS, 1 ether, new bytes(56));
        advance();
        assertHead();
        assertTrue(l2.receipts()[0].success);
        assertEq(l2.receipts()[0].logs.length, 1);
        advance();
        assertHead();
    }
}
