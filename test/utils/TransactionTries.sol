// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibRLP} from "solady/utils/LibRLP.sol";

/// @title Tries of transactions, and proofs of their leaves
library TransactionTries {
    using LibRLP for LibRLP.List;

    /// @dev A subtrie being built, and the nodes on the path to the target.
    struct Walk {
        bytes[] transactions;
        bytes[] keys;
        uint256 target;
        /// From the leaf to the root.
        bytes[] nodes;
        uint256 depth;
    }

    /// @notice Returns the root of these transactions, and the proof of the one at `target`.
    function prove(bytes[] memory transactions, uint256 target)
        internal
        pure
        returns (bytes32 root, bytes[] memory proof)
    {
        uint256 count = transactions.length;
        Walk memory walk = Walk(transactions, new bytes[](count), target, new bytes[](8), 0);
        uint256[] memory all = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            all[i] = i;
            walk.keys[i] = nibblesOf(LibRLP.encode(i));
        }
        root = keccak256(_node(walk, all, 0));
        proof = new bytes[](walk.depth);
        for (uint256 i = 0; i < proof.length; ++i) {
            proof[i] = walk.nodes[proof.length - 1 - i];
        }
    }

    function _node(Walk memory walk, uint256[] memory members, uint256 from)
        private
        pure
        returns (bytes memory node)
    {
        bytes memory key = walk.keys[members[0]];
        if (members.length == 1) {
            node = _pair(
                _path(key, from, key.length, true), LibRLP.encode(walk.transactions[members[0]])
            );
            return _record(walk, members, node);
        }
        uint256 to = from;
        while (_agree(walk, members, to)) ++to;
        if (to != from) {
            bytes memory child = _node(walk, members, to);
            node = _pair(
                _path(key, from, to, false), LibRLP.encode(abi.encodePacked(keccak256(child)))
            );
            return _record(walk, members, node);
        }
        bytes memory payload;
        for (uint256 nibble = 0; nibble < 16; ++nibble) {
            uint256[] memory part = _with(walk, members, from, nibble);
            payload = part.length == 0
                ? bytes.concat(payload, hex"80")
                : bytes.concat(payload, hex"a0", bytes32(keccak256(_node(walk, part, from + 1))));
        }
        return _record(walk, members, listOf(bytes.concat(payload, hex"80")));
    }

    /// @dev Remembers a node if it is on the path to the target.
    function _record(Walk memory walk, uint256[] memory members, bytes memory node)
        private
        pure
        returns (bytes memory)
    {
        for (uint256 i = 0; i < members.length; ++i) {
            if (members[i] == walk.target) walk.nodes[walk.depth++] = node;
        }
        return node;
    }

    function _agree(Walk memory walk, uint256[] memory members, uint256 index)
        private
        pure
        returns (bool)
    {
        bytes1 nibble = walk.keys[members[0]][index];
        for (uint256 i = 1; i < members.length; ++i) {
            if (walk.keys[members[i]][index] != nibble) return false;
        }
        return true;
    }

    function _with(Walk memory walk, uint256[] memory members, uint256 index, uint256 nibble)
        private
        pure
        returns (uint256[] memory part)
    {
        part = new uint256[](members.length);
        uint256 count;
        for (uint256 i = 0; i < members.length; ++i) {
            if (uint8(walk.keys[members[i]][index]) == nibble) part[count++] = members[i];
        }
        assembly ("memory-safe") {
            mstore(part, count)
        }
    }

    function nibblesOf(bytes memory key) internal pure returns (bytes memory nibbles) {
        nibbles = new bytes(2 * key.length);
        for (uint256 i = 0; i < key.length; ++i) {
            nibbles[2 * i] = key[i] >> 4;
            nibbles[2 * i + 1] = key[i] & 0x0f;
        }
    }

    /// @dev Returns the hex-prefix encoding of a part of a key.
    function _path(bytes memory key, uint256 from, uint256 to, bool isLeaf)
        private
        pure
        returns (bytes memory path)
    {
        uint256 odd = (to - from) % 2;
        uint256 flags = (isLeaf ? 2 : 0) + odd;
        // At most three.
        // forge-lint: disable-next-line(unsafe-typecast)
        path = abi.encodePacked(uint8(flags << 4));
        if (odd == 1) path[0] |= key[from];
        for (uint256 i = from + odd; i < to; i += 2) {
            path = bytes.concat(path, key[i] << 4 | key[i + 1]);
        }
    }

    function _pair(bytes memory path, bytes memory second) private pure returns (bytes memory) {
        return listOf(bytes.concat(LibRLP.encode(path), second));
    }

    /// @notice Returns the RLP list with this payload.
    function listOf(bytes memory payload) internal pure returns (bytes memory) {
        uint256 length = payload.length;
        // A node has fewer than 2^16 bytes.
        // forge-lint: disable-start(unsafe-typecast)
        if (length < 56) return bytes.concat(bytes1(uint8(0xc0 + length)), payload);
        if (length < 256) return bytes.concat(hex"f8", bytes1(uint8(length)), payload);
        return bytes.concat(hex"f9", bytes2(uint16(length)), payload);
        // forge-lint: disable-end(unsafe-typecast)
    }
}
