// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Rlp} from "./Rlp.sol";

/// @title Headers of preconfirmations, and two fingerprints of each
/// @notice Reads a header from its RLP. Unlike `HeaderFields`, which reads what EXECUTE has
/// verified, it accepts only one canonical list of 17 to 23 strings. Items that are not part of the
/// summary are not interpreted.
///
/// The outcomes of execution are the items 3 (state root), 5 (receipts root), 6 (logs bloom), 10
/// (gas used), 20 (requests hash) and 21 (hash of the block access list). A fingerprint is
/// `keccak256(uint8(number of items) ‖ RLP of each item that it covers)`:
///
///   inputs       all items except the outcomes
///   environment  all items except the outcomes and the transactions root, item 4
///
/// @dev Execution is a function of the schema id, the chain id and the items that `inputs` covers:
/// of two headers with equal `inputs` and different hashes, at most one is that of a valid block.
library Headers {
    /// @notice Fields of a header that the proof of a fault depends on.
    struct Summary {
        /// Hash of the header.
        bytes32 hash;
        /// Hash of the parent.
        bytes32 parent;
        /// Root of the trie of transactions.
        bytes32 transactionsRoot;
        /// Block number.
        uint64 number;
        /// In seconds.
        uint64 timestamp;
        /// Fingerprint of everything except the outcomes.
        bytes32 inputs;
        /// The same without the transactions root, which is equal for all prefixes of a block.
        bytes32 environment;
    }

    /// @notice The header is longer than any that can be signed.
    error HeaderTooLong(uint256 got, uint256 max);
    /// @notice The list has too few or too many items.
    error HeaderItemsInvalid(uint256 got, uint256 min, uint256 max);

    /// @notice Maximum length of a header, in bytes.
    uint256 internal constant MAX_LENGTH = 1024;
    /// @notice Minimum number of items: up to the withdrawals root of Shanghai.
    uint256 internal constant MIN_ITEMS = 17;
    /// @notice Maximum number of items: up to the slot number of Amsterdam.
    uint256 internal constant MAX_ITEMS = 23;

    /// @notice Reads a header.
    function read(bytes calldata header) internal pure returns (Summary memory s) {
        if (header.length > MAX_LENGTH) revert HeaderTooLong(header.length, MAX_LENGTH);
        // Start of each item, and the end of the last one.
        uint256[MAX_ITEMS + 1] memory starts;
        (uint256 count, uint256 stop) = _split(header, starts);
        s.hash = keccak256(header);
        uint256 word;
        (word,) = Rlp.fixedString(starts[0], stop, 32);
        s.parent = bytes32(word);
        (word,) = Rlp.fixedString(starts[4], stop, 32);
        s.transactionsRoot = bytes32(word);
        // At most eight bytes each.
        // forge-lint: disable-start(unsafe-typecast)
        (word,) = Rlp.integer(starts[8], stop, 8);
        s.number = uint64(word);
        (word,) = Rlp.integer(starts[11], stop, 8);
        s.timestamp = uint64(word);
        // forge-lint: disable-end(unsafe-typecast)
        s.inputs = _fingerprint(starts, count, true);
        s.environment = _fingerprint(starts, count, false);
    }

    /// @dev Returns the number of items and the end of the list.
    function _split(bytes calldata header, uint256[MAX_ITEMS + 1] memory starts)
        private
        pure
        returns (uint256 count, uint256 stop)
    {
        uint256 next;
        assembly ("memory-safe") {
            next := header.offset
        }
        uint256 end = next + header.length;
        (next, stop) = Rlp.list(next, end);
        Rlp.requireEnd(stop, end);
        for (; next != stop; ++count) {
            if (count == MAX_ITEMS) revert HeaderItemsInvalid(count + 1, MIN_ITEMS, MAX_ITEMS);
            starts[count] = next;
            (, next) = Rlp.str(next, stop);
        }
        starts[count] = stop;
        if (count < MIN_ITEMS) revert HeaderItemsInvalid(count, MIN_ITEMS, MAX_ITEMS);
    }

    function _fingerprint(
        uint256[MAX_ITEMS + 1] memory starts,
        uint256 count,
        bool withTransactions
    ) private pure returns (bytes32 result) {
        uint256 buffer;
        assembly ("memory-safe") {
            buffer := mload(0x40)
            mstore8(buffer, count)
        }
        uint256 end = _append(buffer + 1, starts[0], starts[3]);
        if (withTransactions) end = _append(end, starts[4], starts[5]);
        end = _append(end, starts[7], starts[10]);
        end = _append(end, starts[11], starts[count < 20 ? count : 20]);
        if (count == MAX_ITEMS) end = _append(end, starts[22], starts[23]);
        assembly ("memory-safe") {
            result := keccak256(buffer, sub(end, buffer))
        }
    }

    /// @dev Copies a part of the calldata beyond the allocated memory; returns its end there.
    function _append(uint256 place, uint256 start, uint256 last)
        private
        pure
        returns (uint256 end)
    {
        assembly ("memory-safe") {
            calldatacopy(place, start, sub(last, start))
            end := add(place, sub(last, start))
        }
    }
}
