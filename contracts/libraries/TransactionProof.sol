// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Rlp} from "./Rlp.sol";
import {StateProof} from "./StateProof.sol";

/// @title Proofs of transactions against the transactions root of a block
/// @notice A proof is the list of trie nodes from the root to the leaf. The key of a transaction is
/// the RLP of its index, and its value the transaction as it is signed (EIP-2718).
/// @dev Not `StateProof`, which distinguishes nodes by their lengths: whoever signs a transaction
/// chooses what a leaf of this trie contains, and how long it is. No node is embedded in its
/// parent, since every transaction has more than 32 bytes.
library TransactionProof {
    /// @dev Maximum nibbles of a key: the RLP of an index below 2^16.
    uint256 private constant MAX_NIBBLES = 6;

    /// @dev Remaining nibbles of a key.
    struct Path {
        /// Remaining nibbles, at the high end.
        uint256 nibbles;
        /// Number of remaining nibbles.
        uint256 remaining;
        /// Index of the current node of the proof.
        uint256 node;
    }

    /// @notice Returns the hash of the transaction at an index; zero if there is none. No block has
    /// 2^16 or more transactions.
    function hashAt(bytes32 root, uint256 index, bytes[] calldata nodes)
        internal
        pure
        returns (bytes32)
    {
        Path memory path = _key(index);
        if (path.remaining > MAX_NIBBLES) return 0;
        for (uint256 i = 0; i < nodes.length; ++i) {
            path.node = i;
            bool isLeaf;
            (root, isLeaf) = _step(nodes[i], root, path);
            if (root == 0) return 0;
            if (!isLeaf) continue;
            if (i + 1 != nodes.length) revert StateProof.ProofTooLong(i + 1, nodes.length);
            return root;
        }
        revert StateProof.ProofIncomplete(nodes.length);
    }

    /// @dev Follows the path through one node.
    /// @return next Hash of the transaction, if the node is its leaf; of the next node otherwise.
    /// Zero if there is no transaction on the path.
    function _step(bytes calldata node, bytes32 expected, Path memory path)
        private
        pure
        returns (bytes32 next, bool isLeaf)
    {
        (uint256 pos, uint256 stop) = _payload(node, path.node, expected);
        (uint256 start, uint256 end,) = Rlp.item(pos, stop);
        (uint256 second, uint256 secondEnd,) = Rlp.item(end, stop);
        uint256 count = 1;
        if (secondEnd == stop) {
            bool onPath;
            (count, isLeaf, onPath) = _short(start, end, path);
            if (isLeaf && count != path.remaining || !onPath) return (0, isLeaf);
            if (isLeaf) return (_hash(second, secondEnd), true);
            pos = end;
        } else {
            if (path.remaining == 0) revert StateProof.NodeMalformed(path.node);
            for (uint256 i = path.nibbles >> 252; i != 0; --i) {
                (, pos,) = Rlp.item(pos, stop);
            }
        }
        // The hash of the next node, or an empty child.
        (start, end,) = Rlp.item(pos, stop);
        if (end == start) return (0, false);
        if (end != start + 32) revert StateProof.NodeMalformed(path.node);
        path.nibbles <<= 4 * count;
        path.remaining -= count;
        return (_word(start), false);
    }

    /// @dev Reads the hex-prefix path of a leaf or an extension.
    /// @return count Number of its nibbles.
    /// @return isLeaf `true` for a leaf.
    /// @return onPath `true` if the remaining key begins with these nibbles.
    function _short(uint256 start, uint256 end, Path memory path)
        private
        pure
        returns (uint256 count, bool isLeaf, bool onPath)
    {
        uint256 length = end - start;
        if (length == 0 || length > 1 + MAX_NIBBLES / 2) {
            revert StateProof.NodeMalformed(path.node);
        }
        uint256 word = uint256(_word(start));
        uint256 odd = (word >> 252) & 1;
        isLeaf = (word >> 252) & 2 != 0;
        count = 2 * (length - 1) + odd;
        word <<= odd == 0 ? 8 : 4;
        onPath = count <= path.remaining && (word ^ path.nibbles) >> (256 - 4 * count) == 0;
    }

    /// @dev Returns the path of an index.
    function _key(uint256 index) private pure returns (Path memory) {
        if (index == 0) return Path(0x80 << 248, 2, 0);
        if (index < 0x80) return Path(index << 248, 2, 0);
        if (index < 0x100) return Path(0x81 << 248 | index << 240, 4, 0);
        if (index < 0x10000) return Path(0x82 << 248 | index << 232, 6, 0);
        return Path(0, MAX_NIBBLES + 1, 0);
    }

    /// @dev Returns the payload of a node, after checking its hash.
    function _payload(bytes calldata node, uint256 index, bytes32 expected)
        private
        pure
        returns (uint256 start, uint256 stop)
    {
        uint256 pos;
        assembly ("memory-safe") {
            pos := node.offset
        }
        bytes32 got = _hash(pos, pos + node.length);
        if (got != expected) revert StateProof.NodeHashMismatch(index, got, expected);
        (start, stop) = Rlp.list(pos, pos + node.length);
        Rlp.requireEnd(stop, pos + node.length);
    }

    function _hash(uint256 start, uint256 end) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, start, sub(end, start))
            hash := keccak256(free, sub(end, start))
        }
    }

    function _word(uint256 pos) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(pos)
        }
    }
}
