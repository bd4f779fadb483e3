// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Execute} from "../../contracts/libraries/Execute.sol";
import {StatelessInputs} from "./StatelessInputs.sol";

/// @title Bytes of a batch, read and changed according to the specification of the format
library BatchBytes {
    uint256 private constant LIST = 18;

    function little(bytes memory data, uint256 position, uint256 size)
        internal
        pure
        returns (uint256 value)
    {
        for (uint256 i = size; i != 0; --i) {
            value = value << 8 | uint8(data[position + i - 1]);
        }
    }

    function count(bytes memory batch) internal pure returns (uint256) {
        return little(batch, LIST, 4) / 4;
    }

    /// @dev Returns the offset of a block in the list.
    function offset(bytes memory batch, uint256 index) internal pure returns (uint256) {
        return little(batch, LIST + 4 * index, 4);
    }

    /// @dev Returns the difference to the position of a field in a single input.
    function place(bytes memory batch, uint256 index) internal pure returns (uint256) {
        return offset(batch, index);
    }

    function word(bytes memory batch, uint256 index, uint256 field)
        internal
        pure
        returns (bytes32 value)
    {
        uint256 position = 32 + place(batch, index) + field;
        assembly ("memory-safe") {
            value := mload(add(batch, position))
        }
    }

    function number(bytes memory batch, uint256 index) internal pure returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(little(batch, place(batch, index) + 62 + 404, 8));
    }

    function timestamp(bytes memory batch, uint256 index) internal pure returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(little(batch, place(batch, index) + 62 + 428, 8));
    }

    /// @dev Returns the positions, in a single input, of all fields that a rollup reads or stores.
    function fields() internal pure returns (uint256[8] memory) {
        return [
            Execute.PARENT_BEACON_BLOCK_ROOT_AT,
            Execute.PARENT_HASH_AT,
            Execute.FEE_RECIPIENT_AT,
            Execute.STATE_ROOT_AT,
            Execute.BLOCK_NUMBER_AT,
            Execute.GAS_LIMIT_AT,
            Execute.GAS_USED_AT,
            Execute.BLOCK_HASH_AT
        ];
    }

    /// @dev Returns the batch with another offset for a block.
    function withOffset(bytes memory batch, uint256 index, uint256 value)
        internal
        pure
        returns (bytes memory out)
    {
        out = bytes.concat(batch);
        bytes memory encoded = StatelessInputs.little(value, 4);
        for (uint256 i = 0; i < 4; ++i) {
            out[LIST + 4 * index + i] = encoded[i];
        }
    }

    /// @dev Returns a batch of these blocks of the given one, with the same witness.
    function rearranged(bytes memory batch, uint256[] memory indices)
        internal
        pure
        returns (bytes memory)
    {
        uint256 witness = 2 + little(batch, 6, 4);
        bytes memory offsets;
        bytes memory requests;
        for (uint256 i = 0; i < indices.length; ++i) {
            uint256 index = indices[i];
            uint256 start = LIST + offset(batch, index);
            uint256 end = index + 1 < count(batch) ? LIST + offset(batch, index + 1) : witness;
            uint256 position = 4 * indices.length + requests.length;
            offsets = bytes.concat(offsets, StatelessInputs.little(position, 4));
            requests = bytes.concat(requests, slice(batch, start, end));
        }
        return bytes.concat(
            slice(batch, 0, 6),
            StatelessInputs.little(16 + offsets.length + requests.length, 4),
            slice(batch, 10, LIST),
            offsets,
            requests,
            slice(batch, witness, batch.length)
        );
    }

    function slice(bytes memory data, uint256 start, uint256 end)
        internal
        pure
        returns (bytes memory out)
    {
        out = new bytes(end - start);
        for (uint256 i = 0; i < out.length; ++i) {
            out[i] = data[start + i];
        }
    }
}
