// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Execute} from "./Execute.sol";

/// @title Commitments to the inputs of a rollup
/// @notice A commitment identifies an input to a verifier or to a later call. The preimages of the
/// two kinds begin with different bytes, so no input has the commitment of the other kind.
library Commitments {
    /// @notice The input is too short for a head and a trailer.
    error HeadTooShort(uint256 got, uint256 minimum);
    /// @notice The trailer is not the one of a tail with this length: another number of blobs, a
    /// first blob although there is none, or other last bytes.
    error TrailerInvalid(uint64 trailer);
    /// @notice The transaction has no blob with this index.
    error BlobHashAbsent(uint256 index);

    /// @dev First byte of the preimage of an input that is completely in the calldata.
    uint8 private constant PLAIN = 0x01;
    /// @dev First byte of the preimage of an input whose tail is in blobs.
    uint8 private constant IN_BLOBS = 0x02;

    /// @dev Minimum length of a head with its trailer: the fields of a block are in the head.
    uint256 private constant MIN_LENGTH =
        Execute.REQUEST_AT + Execute.REQUEST_HEAD + Execute.TRAILER_LENGTH;
    /// @dev Bytes of a tail in one blob.
    uint256 private constant BLOB_CAPACITY = 31 * 4096;
    /// @dev Last two bytes of a trailer.
    uint256 private constant MAGIC = 0xb10b;

    /// @notice Returns the commitment to an input in the calldata: `keccak256(0x01 ‖ hash)`.
    /// @param inputHash Keccak-256 of the input.
    function plain(bytes32 inputHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(PLAIN, inputHash));
    }

    /// @notice Returns the commitment to an input whose tail is in blobs: `keccak256(0x02 ‖ hash of
    /// the head ‖ length of the tail (4 bytes, big-endian) ‖ versioned hashes)`.
    /// @dev The positions of the blobs belong to a transaction, and are not part of it.
    /// @param headHash Keccak-256 of the head, without the trailer.
    /// @param tail Length of the tail, in bytes.
    /// @param hashes Versioned hashes of the tail's blobs, in order.
    function inBlobs(bytes32 headHash, uint32 tail, bytes32[] memory hashes)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(IN_BLOBS, headHash, tail, hashes));
    }

    /// @notice Returns the commitment to an input in the calldata of this call. In a transaction with
    /// blobs, the input is a head and its trailer.
    function ofCall(bytes calldata input) internal view returns (bytes32) {
        if (!Execute.hasTrailer()) return plain(keccak256(input));
        if (input.length < MIN_LENGTH) revert HeadTooShort(input.length, MIN_LENGTH);
        uint256 end = input.length - Execute.TRAILER_LENGTH;
        // The casts extract fields from the word.
        // forge-lint: disable-start(unsafe-typecast)
        uint64 trailer = uint64(bytes8(input[end:]));
        uint32 tail = uint32(trailer >> 32);
        uint256 first = uint8(trailer >> 24);
        uint256 count = uint8(trailer >> 16);
        bool canonical = count == 0
            ? trailer == MAGIC
            : uint16(trailer) == MAGIC && count == (tail + BLOB_CAPACITY - 1) / BLOB_CAPACITY;
        // forge-lint: disable-end(unsafe-typecast)
        if (!canonical) revert TrailerInvalid(trailer);
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = blobhash(first + i);
            if (hashes[i] == 0) revert BlobHashAbsent(first + i);
        }
        return inBlobs(keccak256(input[:end]), tail, hashes);
    }

    /// @notice Returns the rolling hash over commitments after one more: `keccak256(all ‖ one)`. It
    /// starts at zero.
    function extend(bytes32 all, bytes32 one) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(all, one));
    }
}
