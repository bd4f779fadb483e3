// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title RLP reader for calldata
/// @notice Accepts canonical encodings only: a longer form where a shorter one exists, or an
/// integer with leading zeros, is an error. For transactions this is essential: every L2 node must
/// accept what is accepted here.
/// @dev Positions are absolute offsets in `msg.data`, like the `offset` of a `bytes calldata`.
/// Nothing is copied.
library Rlp {
    /// @notice An item, or its header, exceeds the end of its container.
    error RlpTruncated(uint256 pos, uint256 end);
    /// @notice A shorter encoding of the item exists.
    error RlpNotCanonical(uint256 pos);
    /// @notice A list was expected, but the item is a string.
    error RlpNotList(uint256 pos);
    /// @notice A string was expected, but the item is a list.
    error RlpNotString(uint256 pos);
    /// @notice A string has an unexpected length.
    error RlpLengthMismatch(uint256 pos, uint256 got, uint256 expected);
    /// @notice An integer has more bytes than allowed.
    error RlpIntegerTooLarge(uint256 pos, uint256 got, uint256 max);
    /// @notice Bytes follow the last item.
    error RlpTrailingBytes(uint256 pos, uint256 end);

    /// @notice Reads the item at `pos`, which must not extend beyond `end`.
    /// @return start Offset of its payload.
    /// @return stop End of its payload and of the item.
    /// @return isList `true` if it is a list.
    function item(uint256 pos, uint256 end)
        internal
        pure
        returns (uint256 start, uint256 stop, bool isList)
    {
        if (pos >= end) revert RlpTruncated(pos, end);
        uint256 word = _word(pos);
        uint256 first = word >> 248;
        unchecked {
            if (first < 0x80) return (pos, pos + 1, false);
            isList = first >= 0xc0;
            uint256 short = first - (isList ? 0xc0 : 0x80);
            if (short < 56) {
                start = pos + 1;
                stop = start + short;
                if (stop > end) revert RlpTruncated(pos, end);
                // A byte below 0x80 is its own encoding.
                bool plain = short == 1 && !isList && (word >> 240) & 0xff < 0x80;
                if (plain) revert RlpNotCanonical(pos);
            } else {
                // The length has 1 to 8 bytes.
                uint256 size = short - 55;
                uint256 length = (word << 8) >> (256 - 8 * size);
                start = pos + 1 + size;
                stop = start + length;
                if (stop > end) revert RlpTruncated(pos, end);
                if (length < 56 || length >> (8 * (size - 1)) == 0) revert RlpNotCanonical(pos);
            }
        }
    }

    /// @notice Reads the list at `pos`.
    function list(uint256 pos, uint256 end) internal pure returns (uint256 start, uint256 stop) {
        bool isList;
        (start, stop, isList) = item(pos, end);
        if (!isList) revert RlpNotList(pos);
    }

    /// @notice Reads the string at `pos`.
    function str(uint256 pos, uint256 end) internal pure returns (uint256 start, uint256 stop) {
        bool isList;
        (start, stop, isList) = item(pos, end);
        if (isList) revert RlpNotString(pos);
    }

    /// @notice Reads the integer at `pos`, which has at most `maxBytes` bytes (32 or fewer).
    /// @return value The integer.
    /// @return next Offset of the next item.
    function integer(uint256 pos, uint256 end, uint256 maxBytes)
        internal
        pure
        returns (uint256 value, uint256 next)
    {
        uint256 start;
        unchecked {
            // Common case: 2 to 32 bytes, with the length in the first byte.
            uint256 word = _word(pos);
            uint256 first = word >> 248;
            uint256 size = first - 0x80;
            if (first > 0x81 && size <= maxBytes && pos + 1 + size <= end) {
                value = (word << 8) >> (256 - 8 * size);
                if (size == 32) value |= _word(pos + 32) >> 248;
                if (value >> (8 * (size - 1)) != 0) return (value, pos + 1 + size);
            }
        }
        (start, next) = str(pos, end);
        uint256 length = next - start;
        if (length > maxBytes) revert RlpIntegerTooLarge(pos, length, maxBytes);
        if (length == 0) return (0, next);
        value = _word(start) >> (256 - 8 * length);
        if (value >> (8 * (length - 1)) == 0) revert RlpNotCanonical(pos);
    }

    /// @notice Reads the string of exactly `length` bytes (32 or fewer) at `pos`, into the low end
    /// of a word.
    function fixedString(uint256 pos, uint256 end, uint256 length)
        internal
        pure
        returns (uint256 value, uint256 next)
    {
        uint256 start;
        unchecked {
            // Common case: the length in the first byte, which is not that of a single byte.
            uint256 word = _word(pos);
            next = pos + 1 + length;
            if (length > 1 && word >> 248 == 0x80 + length && next <= end) {
                value = (word << 8) >> (256 - 8 * length);
                if (length == 32) value |= _word(pos + 32) >> 248;
                return (value, next);
            }
        }
        (start, next) = str(pos, end);
        if (next - start != length) revert RlpLengthMismatch(pos, next - start, length);
        value = _word(start) >> (256 - 8 * length);
    }

    /// @notice Reverts unless `pos` is the end of the list.
    function requireEnd(uint256 pos, uint256 end) internal pure {
        if (pos != end) revert RlpTrailingBytes(pos, end);
    }

    /// @dev Returns 32 bytes of calldata; bytes beyond its end are zero.
    function _word(uint256 pos) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(pos)
        }
    }
}
