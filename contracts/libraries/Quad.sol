// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Four numbers of 64 bits in one word
/// @notice A storage slot that is read and written at once, and laid out as a struct of four `uint64`
/// is: the first number in the lowest bits. (For a struct the compiler may go to storage four times.)
library Quad {
    /// @notice Puts four numbers into a word.
    function pack(uint64 a, uint64 b, uint64 c, uint64 d) internal pure returns (uint256) {
        return uint256(a) | uint256(b) << 64 | uint256(c) << 128 | uint256(d) << 192;
    }

    /// @notice Takes the four numbers out of a word.
    function unpack(uint256 word) internal pure returns (uint64 a, uint64 b, uint64 c, uint64 d) {
        // forge-lint: disable-next-item(unsafe-typecast)
        return (uint64(word), uint64(word >> 64), uint64(word >> 128), uint64(word >> 192));
    }
}
