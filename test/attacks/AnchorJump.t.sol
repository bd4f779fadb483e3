// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L2Chain} from "../utils/L2Chain.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Anchor that covers more messages than one block can relay
/// @notice A rolling hash can be verified only at its end. An account that advances may choose an
/// anchor that covers any number of additional messages (after an outage it has to), and then no
/// batch up to its end fits into a block. If a partial relay required the hashes of all remaining
/// messages, these would soon not fit either, and the queue would be stuck permanently with all its
/// ETH. Waypoints are added backwards from the anchor, each with the hashes of its own segment
/// only: the total data grow with the number of messages, and the data of a single waypoint can be
/// as small as desired.
contract AnchorJumpTest is L2Chain {
    uint256 internal constant MESSAGES = 600;
    uint256 internal constant PIECE = 50;

    function test_any_number_of_messages_is_relayed_in_pieces() public {
        for (uint256 i = 0; i < MESSAGES; ++i) {
            send(address(0xaaaa), 1, "");
        }
        anchorQueue();

        uint256 largest = 0;
        for (uint256 end = MESSAGES; end > PIECE; end -= PIECE) {
            bytes memory call = abi.encodeCall(
                messenger.addWaypoint,
                (SafeCastLib.toUint64(end), rootAt(end - PIECE), hashes(end - PIECE, end))
            );
            largest = call.length > largest ? call.length : largest;
            (bool ok,) = address(messenger).call(call);
            assertTrue(ok);
        }
        for (uint256 start = 0; start < MESSAGES; start += PIECE) {
            messenger.relay(packed(start, start + PIECE), relayer);
        }
        assertRelayed(MESSAGES);
        assertEq(address(0xaaaa).balance, MESSAGES);
        assertLe(largest, 32 * PIECE + 200);
    }
}
