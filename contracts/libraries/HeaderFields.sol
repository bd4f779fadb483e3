// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Rlp} from "./Rlp.sol";

/// @notice Fields of a block that the rules of a rollup read.
struct BlockFields {
    bytes32 blockHash;
    bytes32 parentHash;
    address feeRecipient;
    bytes32 stateRoot;
    /// Root of the trie of transactions.
    bytes32 transactionsRoot;
    uint64 number;
    uint64 gasLimit;
    uint64 gasUsed;
    /// In seconds.
    uint64 timestamp;
    /// In wei.
    uint256 baseFee;
    /// The anchor.
    bytes32 parentBeaconBlockRoot;
}

/// @title Fields of a header by their index
/// @notice Reads the RLP list of a header that EXECUTE has verified. Headers have only ever been
/// extended at the end, so an item keeps its index in all later forks, and the items after the
/// parent beacon block root are ignored. Other items need only be well-formed: a later fork may
/// change what they contain.
///
///   index  0 parent hash, 2 fee recipient, 3 state root, 4 transactions root, 8 number, 9 gas
///          limit, 10 gas used, 11 timestamp, 15 base fee, 19 parent beacon block root
library HeaderFields {
    /// @notice Reads the header from `pos` to `end`, both absolute offsets in `msg.data`. Reverts
    /// unless the bytes are exactly one list that begins with these items.
    function read(uint256 pos, uint256 end) internal pure returns (BlockFields memory fields) {
        fields.blockHash = _hash(pos, end);
        (uint256 next, uint256 stop) = Rlp.list(pos, end);
        Rlp.requireEnd(stop, end);
        next = _roots(fields, next, stop);
        // Receipts root, logs bloom, difficulty.
        next = _skip(next, stop, 3);
        next = _numbers(fields, next, stop);
        // Extra data, prev randao, nonce.
        next = _skip(next, stop, 3);
        uint256 word;
        // EXECUTE rejects base fees of more than 64 bits.
        (word, next) = Rlp.integer(next, stop, 8);
        fields.baseFee = word;
        // Withdrawals root, blob gas used, excess blob gas.
        next = _skip(next, stop, 3);
        (word,) = Rlp.fixedString(next, stop, 32);
        fields.parentBeaconBlockRoot = bytes32(word);
    }

    /// @notice Returns the hash of a header, and its transactions root.
    function transactionsRoot(bytes calldata header)
        internal
        pure
        returns (bytes32 blockHash, bytes32 root)
    {
        uint256 pos;
        assembly ("memory-safe") {
            pos := header.offset
        }
        uint256 end = pos + header.length;
        blockHash = _hash(pos, end);
        (uint256 next, uint256 stop) = Rlp.list(pos, end);
        BlockFields memory fields;
        _roots(fields, next, stop);
        root = fields.transactionsRoot;
    }

    /// @dev Reads the items from the parent hash to the transactions root.
    function _roots(BlockFields memory fields, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 next)
    {
        uint256 word;
        (word, next) = Rlp.fixedString(pos, end, 32);
        fields.parentHash = bytes32(word);
        // Ommers hash.
        next = _skip(next, end, 1);
        (word, next) = Rlp.fixedString(next, end, 20);
        // A string of 20 bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        fields.feeRecipient = address(uint160(word));
        (word, next) = Rlp.fixedString(next, end, 32);
        fields.stateRoot = bytes32(word);
        (word, next) = Rlp.fixedString(next, end, 32);
        fields.transactionsRoot = bytes32(word);
    }

    /// @dev Reads the items from the number to the timestamp.
    function _numbers(BlockFields memory fields, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 next)
    {
        (fields.number, next) = _uint64(pos, end);
        (fields.gasLimit, next) = _uint64(next, end);
        (fields.gasUsed, next) = _uint64(next, end);
        (fields.timestamp, next) = _uint64(next, end);
    }

    /// @dev Returns the end of `count` items, of any kind. Their lengths are not checked to be
    /// canonical: EXECUTE has encoded the header.
    function _skip(uint256 pos, uint256 end, uint256 count) private pure returns (uint256 next) {
        next = pos;
        assembly ("memory-safe") {
            for {} count { count := sub(count, 1) } {
                let word := calldataload(next)
                let first := byte(0, word)
                // A single byte; else a string or a list, of up to 55 bytes or longer.
                next := add(next, 1)
                if gt(first, 0x7f) {
                    first := sub(first, 0x80)
                    if gt(first, 0x3f) { first := sub(first, 0x40) }
                    switch gt(first, 55)
                    case 0 { next := add(next, first) }
                    default {
                        // The length of the length is 1 to 8 bytes.
                        let size := sub(first, 55)
                        next := add(add(next, size), shr(sub(256, shl(3, size)), shl(8, word)))
                    }
                }
            }
        }
        // Positions only grow, and by less than 2^65 each.
        if (next > end) revert Rlp.RlpTruncated(pos, end);
    }

    function _hash(uint256 pos, uint256 end) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, pos, sub(end, pos))
            hash := keccak256(free, sub(end, pos))
        }
    }

    function _uint64(uint256 pos, uint256 end) private pure returns (uint64 value, uint256 next) {
        uint256 word;
        (word, next) = Rlp.integer(pos, end, 8);
        // At most eight bytes, checked above.
        // forge-lint: disable-next-line(unsafe-typecast)
        value = uint64(word);
    }
}
