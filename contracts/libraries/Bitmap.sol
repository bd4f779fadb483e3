// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A set of numbers that only grows, 256 to a storage slot
library Bitmap {
    /// @notice The set.
    struct Bits {
        mapping(uint256 word => uint256) words;
    }

    /// @notice Whether `index` is in the set.
    function get(Bits storage bits, uint256 index) internal view returns (bool) {
        return bits.words[index >> 8] & _mask(index) != 0;
    }

    /// @notice Adds `index` to the set.
    /// @return added Whether it was not in the set before.
    function add(Bits storage bits, uint256 index) internal returns (bool added) {
        uint256 word = bits.words[index >> 8];
        uint256 mask = _mask(index);
        added = word & mask == 0;
        bits.words[index >> 8] = word | mask;
    }

    function _mask(uint256 index) private pure returns (uint256) {
        // forge-lint: disable-next-line(incorrect-shift)
        return 1 << (index & 0xff);
    }
}
