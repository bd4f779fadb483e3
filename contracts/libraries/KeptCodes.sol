// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Inputs of EXECUTE of which a part is kept as code on L1
/// @notice Codes of L2 contracts are bytes that many witnesses have in common. Anyone can keep
/// bytes on L1 once, as code of an account, and inputs of `advance` then name that account in their
/// place. What EXECUTE sees is the standard input, put together here: such an input is
///
///   byte 0 0xc0de, which begins no schema id byte 2 length of what it stands for, 4 bytes byte 6
///   number of references, at least one byte 7 references, 24 bytes each: where the kept bytes
///   begin in what the input stands for (4), and the account that keeps them (20); in order, none
///   before the end of the one before it then all that is not kept, in its order
///
/// with numbers big endian. It has one length, and is filled to the last byte: a reference that has
/// no place, an account that keeps nothing and bytes too few or too many each have an error.
///
/// @dev Accounts that keep bytes: the account that the common CREATE2 proxy makes with salt zero of
///
///   INIT_HEAD ‖ bytes
///
/// which is a loader of 11 bytes that returns what stands behind it, and a zero byte. So its code
/// is STOP and the bytes, and follows from its address: the address commits to the init code, and
/// the init code asks nothing of its environment. Here the address is computed again from what the
/// code says. An account that passes can have no other code, ever: STOP is all that can be executed
/// of it, so it cannot destroy itself; hence who follows L1 finds the same bytes there at any later
/// time. Code that begins with STOP would not do by itself: init code may destroy its own account,
/// whose code is then there until the end of the transaction, and who came later could not derive
/// the L2.
library KeptCodes {
    /// @notice An input with references ends within them.
    error ReferencesTooShort(uint256 got, uint256 minimum);
    /// @notice An input has the form for references, and has none.
    error NoReferences();
    /// @notice A reference begins before what stands in front of it ends, or so late that the
    /// calldata does not have what must stand in front of it.
    error ReferenceOutOfPlace(uint256 index, uint256 got, uint256 minimum, uint256 maximum);
    /// @notice The account has no code.
    error NothingKept(uint256 index, address account);
    /// @notice The code of the account could be another one at another time: one that keeps the
    /// same bytes for good has another address.
    error NotKept(uint256 index, address got, address expected);
    /// @notice The parts of an input are not as long together as it says.
    error AssembledLengthMismatch(uint256 got, uint256 expected);

    /// @notice First bytes of such an input.
    uint256 internal constant MAGIC = 0xc0de;
    /// @notice Bytes before the references.
    uint256 internal constant REFERENCES_AT = 7;
    /// @notice Bytes of a reference.
    uint256 internal constant REFERENCE_LENGTH = 24;

    /// @notice Deployer of the accounts that keep bytes: it deploys by CREATE2 on most chains.
    address internal constant PROXY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    /// @notice Prefix of the bytes in the init code: PUSH1 11, MSIZE, DUP2, CODESIZE, SUB, DUP1,
    /// SWAP3, MSIZE, CODECOPY, RETURN, and the byte with which the code begins: STOP.
    uint256 internal constant INIT_HEAD = 0x600b5981380380925939f300;
    /// @notice Its length.
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

    /// @notice Length of what an input stands for, as it says itself: of one without references,
    /// its own.
    function lengthOf(bytes calldata input) internal pure returns (uint256) {
        if (!refers(input)) return input.length;
        return uint32(bytes4(input[2:6]));
    }

    /// @notice Writes what an input with references stands for.
    /// @param buffer With room for `lengthOf(input)` bytes.
    function assemble(bytes memory buffer, bytes calldata input) internal view {
        // All numbers are lengths of calldata or of code, or have 32 bits: no sum of theirs
        // overflows.
        unchecked {
            uint256 length = lengthOf(input);
            assembly ("memory-safe") {
                mstore(buffer, length)
            }
            uint256 count = uint8(input[REFERENCES_AT - 1]);
            if (count == 0) revert NoReferences();
            // Where the rest of the calldata starts, and how much is written.
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
            uint256 left = input.length - next;
            if (filled + left != buffer.length) {
                revert AssembledLengthMismatch(filled + left, buffer.length);
            }
            _copy(buffer, filled, input, next, left);
        }
    }

    /// @dev Position and account of a reference, in the lower bits of a word.
    function _reference(bytes calldata input, uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            let at := add(REFERENCES_AT, mul(index, REFERENCE_LENGTH))
            word := shr(64, calldataload(add(input.offset, at)))
        }
    }

    /// @dev Number of bytes between a reference and the one before, if that many are left of the
    /// calldata.
    function _pieceBefore(uint256 index, uint256 position, uint256 filled, uint256 left)
        private
        pure
        returns (uint256)
    {
        unchecked {
            if (position < filled || position > filled + left) {
                revert ReferenceOutOfPlace(index, position, filled, filled + left);
            }
            return position - filled;
        }
    }

    /// @dev Within the buffer, and within the calldata.
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

    /// @dev Writes what the account of a reference keeps, and returns where it ends.
    function _place(bytes memory buffer, uint256 index, uint256 word)
        private
        view
        returns (uint256 end)
    {
        uint256 position = word >> 160;
        // The lower 160 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        address account = address(uint160(word));
        uint256 size = account.code.length;
        if (size == 0) revert NothingKept(index, account);
        unchecked {
            // Without the STOP.
            end = position + size - 1;
            if (end > buffer.length) revert AssembledLengthMismatch(end, buffer.length);
            address expected = _copyKept(buffer, position, account, size - 1);
            if (account != expected) revert NotKept(index, account, expected);
        }
    }

    /// @dev Writes code but for its first byte, and returns where it stands if it is kept. Within
    /// the buffer.
    function _copyKept(bytes memory buffer, uint256 position, address account, uint256 length)
        private
        view
        returns (address place)
    {
        assembly ("memory-safe") {
            let at := add(add(buffer, 0x20), position)
            extcodecopy(account, at, 1, length)
            // The init code stands in memory once its head is in front of the bytes; what is there
            // comes back.
            let before := mload(sub(at, 0x20))
            mstore(sub(at, 0x20), INIT_HEAD)
            let hash := keccak256(sub(at, INIT_HEAD_LENGTH), add(length, INIT_HEAD_LENGTH))
            mstore(sub(at, 0x20), before)
            // 0xff ‖ proxy ‖ salt ‖ hash, over the scratch space and the free memory pointer.
            let free := mload(0x40)
            mstore(0x00, or(shl(160, 0xff), PROXY))
            mstore(0x20, 0)
            mstore(0x40, hash)
            place := and(keccak256(0x0b, 0x55), 0xffffffffffffffffffffffffffffffffffffffff)
            mstore(0x40, free)
        }
    }
}
