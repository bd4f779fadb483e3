// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Inputs of EXECUTE that reference code on L1
/// @notice Many witnesses contain the same codes of L2 contracts. Anyone can store such bytes on L1
/// once, as an account's code, and inputs of `advance` then reference that account instead of
/// containing the bytes. EXECUTE receives the standard input, which is assembled here. An input
/// with references has this format, in which numbers are big-endian:
///
///   byte 0  0xc0de, with which no schema id begins
///   byte 2  length of the assembled input, 4 bytes
///   byte 6  number of references, at least one
///   byte 7  references, 24 bytes each: position of the stored bytes in the assembled input (4) and
///           the account that stores them (20); in order, none before the end of the previous one
///   then    the remaining bytes of the assembled input, in order
///
/// The assembled input has exactly the given length. A reference that is out of order, an account
/// without code, and missing or excess bytes each have their own error.
///
/// @dev Bytes are stored by the account that the common CREATE2 proxy deploys with salt zero and
/// the init code
///
///   INIT_HEAD ‖ bytes
///
/// which is a loader of 11 bytes that returns everything after it, and a zero byte. So the
/// account's code is STOP followed by the bytes, and the address commits to it: the address is
/// derived from the init code, which does not depend on its environment. This library recomputes
/// the address from the code. An account that passes this check can never have other code: only
/// STOP can be executed, so it cannot destroy itself, and anyone who follows L1 finds the same
/// bytes at any later time. A leading STOP alone would not be sufficient: init code may destroy its
/// own account, whose code then exists until the end of the transaction, and a node that syncs
/// later could not derive the L2.
library KeptCodes {
    /// @notice The input ends within its references.
    error ReferencesTooShort(uint256 got, uint256 minimum);
    /// @notice The input has the format with references, but contains none.
    error NoReferences();
    /// @notice A reference begins before the end of the previous bytes, or after all remaining
    /// bytes of the calldata.
    error ReferenceOutOfPlace(uint256 index, uint256 got, uint256 minimum, uint256 maximum);
    /// @notice The account has no code.
    error NothingKept(uint256 index, address account);
    /// @notice The account is not the one that permanently stores these bytes, so its code could
    /// change.
    error NotKept(uint256 index, address got, address expected);
    /// @notice The total length of the parts differs from the length in the input.
    error AssembledLengthMismatch(uint256 got, uint256 expected);

    /// @notice First two bytes of an input with references.
    uint256 internal constant MAGIC = 0xc0de;
    /// @notice Offset of the references.
    uint256 internal constant REFERENCES_AT = 7;
    /// @notice Length of a reference, in bytes.
    uint256 internal constant REFERENCE_LENGTH = 24;

    /// @notice Deployer of the accounts that store bytes: a CREATE2 proxy that exists on most
    /// chains.
    address internal constant PROXY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    /// @notice Prefix of the bytes in the init code: PUSH1 11, MSIZE, DUP2, CODESIZE, SUB, DUP1,
    /// SWAP3, MSIZE, CODECOPY, RETURN, and the first byte of the code: STOP.
    uint256 internal constant INIT_HEAD = 0x600b5981380380925939f300;
    /// @notice Length of `INIT_HEAD`, in bytes.
    uint256 internal constant INIT_HEAD_LENGTH = 12;

    /// @notice Returns `true` if an input has references.
    function refers(bytes calldata input) internal pure returns (bool found) {
        assembly ("memory-safe") {
            found := and(
                gt(input.length, sub(REFERENCES_AT, 1)),
                eq(shr(240, calldataload(input.offset)), MAGIC)
            )
        }
    }

    /// @notice Returns the length of the assembled input as stated in the input; without
    /// references, the length of the input itself.
    function lengthOf(bytes calldata input) internal pure returns (uint256) {
        if (!refers(input)) return input.length;
        return uint32(bytes4(input[2:6]));
    }

    /// @notice Assembles an input with references.
    /// @param buffer Receives the assembled input; must have room for `lengthOf(input)` bytes.
    function assemble(bytes memory buffer, bytes calldata input) internal view {
        // All numbers are lengths of calldata or of code, or have 32 bits, so no sum overflows.
        unchecked {
            uint256 length = lengthOf(input);
            assembly ("memory-safe") {
                mstore(buffer, length)
            }
            uint256 count = uint8(input[REFERENCES_AT - 1]);
            if (count == 0) revert NoReferences();
            // Start of the remaining calldata, and number of bytes written so far.
            uint256 next = REFERENCES_AT + REFERENCE_LENGTH * count;
            uint256 filled = 0;
            if (input.length < next) revert ReferencesTooShort(input.length, next);
            for (uint256 i = 0; i < count; ++i) {
                uint256 word = _reference(input, i);
                uint256 piece = _pieceBefore(i, word >> 160, filled, input.length - next);
                uint256 end = _place(buffer, i, word);
                _copy(buffer, filled, input, next, piece);
                next += piece;
                filled = end;
            }
            uint256 remaining = input.length - next;
            if (filled + remaining != buffer.length) {
                revert AssembledLengthMismatch(filled + remaining, buffer.length);
            }
            _copy(buffer, filled, input, next, remaining);
        }
    }

    /// @dev Returns position and account of a reference, in the low bits of a word.
    function _reference(bytes calldata input, uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            let at := add(REFERENCES_AT, mul(index, REFERENCE_LENGTH))
            word := shr(64, calldataload(add(input.offset, at)))
        }
    }

    /// @dev Returns the number of bytes between a reference and the previous one; reverts if the
    /// calldata has fewer bytes left.
    function _pieceBefore(uint256 index, uint256 position, uint256 filled, uint256 remaining)
        private
        pure
        returns (uint256)
    {
        unchecked {
            if (position < filled || position > filled + remaining) {
                revert ReferenceOutOfPlace(index, position, filled, filled + remaining);
            }
            return position - filled;
        }
    }

    /// @dev Copies bytes of the calldata to the buffer. The caller checks both bounds.
    function _copy(
        bytes memory buffer,
        uint256 position,
        bytes calldata input,
        uint256 from,
        uint256 length
    ) private pure {
        assembly ("memory-safe") {
            calldatacopy(add(add(buffer, 0x20), position), add(input.offset, from), length)
        }
    }

    /// @dev Copies the bytes that the account of a reference stores, and returns their end.
    function _place(bytes memory buffer, uint256 index, uint256 word)
        private
        view
        returns (uint256 end)
    {
        uint256 position = word >> 160;
        // The low 160 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        address account = address(uint160(word));
        uint256 size = account.code.length;
        if (size == 0) revert NothingKept(index, account);
        unchecked {
            // Excludes the leading STOP.
            end = position + size - 1;
            if (end > buffer.length) revert AssembledLengthMismatch(end, buffer.length);
            address expected = _copyKept(buffer, position, account, size - 1);
            if (account != expected) revert NotKept(index, account, expected);
        }
    }

    /// @dev Copies code without its first byte, and returns the address at which it would be stored
    /// permanently. The caller checks the bounds.
    function _copyKept(bytes memory buffer, uint256 position, address account, uint256 length)
        private
        view
        returns (address place)
    {
        assembly ("memory-safe") {
            let at := add(add(buffer, 0x20), position)
            extcodecopy(account, at, 1, length)
            // Writing the prefix before the bytes completes the init code in memory; the
            // overwritten word is restored afterwards.
            let before := mload(sub(at, 0x20))
            mstore(sub(at, 0x20), INIT_HEAD)
            let hash := keccak256(sub(at, INIT_HEAD_LENGTH), add(length, INIT_HEAD_LENGTH))
            mstore(sub(at, 0x20), before)
            // 0xff ‖ proxy ‖ salt ‖ hash, in the scratch space and over the free memory pointer.
            let free := mload(0x40)
            mstore(0x00, or(shl(160, 0xff), PROXY))
            mstore(0x20, 0)
            mstore(0x40, hash)
            place := and(keccak256(0x0b, 0x55), 0xffffffffffffffffffffffffffffffffffffffff)
            mstore(0x40, free)
        }
    }
}
