// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L2Chain} from "../utils/L2Chain.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title An anchor that covers more messages than anyone can relay at once
/// @notice A rolling hash can be compared at its end only. An account that advances may let the
/// anchor jump over any number of messages (after an outage it has to), and then no batch up to its
/// end fits a block. If a relay of a part had to bring the hashes of all the rest, these would soon
/// not fit either, and the queue would stand still for ever with all ETH in it. Waypoints are made
/// backwards from the anchor, a piece at a time, each with only the hashes of its piece: the data
/// of all of them together grow with the number of messages, and that of one is as small as anyone
/// likes.
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
