// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Sanitizer for UTF-8 text of untrusted contracts (RFC 3629)
library Utf8 {
    /// @notice Returns the text truncated to at most `limit` bytes at a character boundary. Each
    /// byte that is not part of a valid character is replaced by a question mark, so that any
    /// decoder accepts the result.
    /// @dev Changes `text` in place. A character that crosses the limit is recognised only if
    /// `text` contains all of it, so `text` should be 3 bytes longer than `limit` if it is
    /// truncated.
    function sanitize(string memory text, uint256 limit) internal pure returns (string memory) {
        bytes memory b = bytes(text);
        uint256 i = 0;
        while (i < b.length && i < limit) {
            uint256 length = _characterLength(b, i);
            if (length == 0) (b[i], length) = ("?", 1);
            if (i + length > limit) break;
            i += length;
        }
        assembly ("memory-safe") {
            mstore(b, i)
        }
        return text;
    }

    /// @dev Returns the length in bytes of the character at `i`, or 0 if it is not valid: overlong,
    /// a surrogate, above U+10FFFF, truncated, or not the start of a character.
    function _characterLength(bytes memory b, uint256 i) private pure returns (uint256 length) {
        uint256 lead = uint8(b[i]);
        if (lead < 0x80) return 1;
        if (lead < 0xc2 || lead > 0xf4) return 0;
        length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (i + length > b.length) return 0;
        // The second byte excludes overlong forms, surrogates and code points above U+10FFFF.
        uint256 next = uint8(b[i + 1]);
        if (next < (lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80)) return 0;
        if (next > (lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf)) return 0;
        for (uint256 k = i + 2; k < i + length; ++k) {
            if (uint8(b[k]) >> 6 != 2) return 0;
        }
    }
}
