// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Calldata of `advance` that ABI decoders reject
/// @notice Solidity compares the offset of an array's element as a signed number, so an input may
/// precede the list that points to it. The rollup accepts such calldata, and nodes have to read it
/// in the same way (`advance_inputs` in crates/contracts), or one transaction stops all of them.
contract InputsBeforeTheirListTest is RealRollup {
    using L2 for L2.Chain;

    /// @dev Returns calldata with an input at its beginning, whose offset points to `back` bytes
    /// before it.
    function calldataWith(bytes memory input, uint256 back) private pure returns (bytes memory) {
        uint256 padding = (32 - input.length % 32) % 32;
        uint256 list = 0x60 + input.length + padding;
        INativeRollup.Evidence memory none;
        bytes memory evidence = abi.encode(none);
        bytes memory head = abi.encodePacked(
            INativeRollup.advance.selector, list, list + 0x40, input.length, input
        );
        uint256 offset;
        unchecked {
            offset = 0x40 - (list + 0x20) - back;
        }
        bytes memory encoded =
            abi.encodePacked(head, new bytes(padding), uint256(1), offset, evidence);
        // Without the offset of an only argument.
        uint256 kept = head.length + padding + 0x40;
        bytes memory tail = new bytes(evidence.length - 0x20);
        for (uint256 i = 0; i < tail.length; ++i) {
            tail[i] = evidence[i + 0x20];
        }
        assembly ("memory-safe") {
            mstore(encoded, kept)
        }
        return abi.encodePacked(encoded, tail);
    }

    function test_advance_accepts_input_before_its_list() public {
        (bool ok,) = address(rollup).call(calldataWith(l2.seal(), 0));
        assertTrue(ok);
        assertHead();
        assertEq(rollup.head().number, 1);
    }

    function test_advance_rejects_input_at_wrong_offset() public {
        bytes memory input = l2.seal();
        (bool ok,) = address(rollup).call(calldataWith(input, 0x20));
        assertFalse(ok);
        assertEq(rollup.head().number, 0);
        (ok,) = address(rollup).call(calldataWith(input, 0));
        assertTrue(ok);
    }
}
