// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Rlp} from "./Rlp.sol";

/// @title Proofs of accounts and storage slots against a state root
/// @notice A proof is the list of trie nodes from the root down, as `eth_getProof` gives them. It may
/// prove that something is there, or that nothing is (exclusion): the path then ends at an empty place,
/// at a leaf of another key, or at an extension that leads elsewhere. Nodes that are so short that they
/// are embedded in their parent are read there. Every node must be used.
///
/// @dev Each node is found by its hash, so what is read is part of the trie with that root. Tries of
/// accounts and slots have keys of 32 bytes, hashed beforehand by whoever makes the proof checked: no
/// branch holds a value, and no key is the beginning of another.
library StateProof {
    /// @notice An account, as the state trie holds it.
    struct Account {
        uint64 nonce;
        uint256 balance;
        bytes32 storageRoot;
        bytes32 codeHash;
    }

    /// @notice The path goes on behind the last node.
    error ProofIncomplete(uint256 nodes);
    /// @notice The path ends before the last node.
    error ProofTooLong(uint256 used, uint256 nodes);
    /// @notice A node is not the one that its parent, or the root, names.
    error NodeHashMismatch(uint256 index, bytes32 got, bytes32 expected);
    /// @notice No trie has such a node.
    error NodeMalformed(uint256 index);

    /// @notice Root of a trie that holds nothing.
    bytes32 internal constant EMPTY_ROOT =
        0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;
    /// @notice Code hash of an account without code.
    bytes32 internal constant EMPTY_CODE_HASH =
        0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470;

    /// @dev Payload of a branch whose children are all hashes: 16 items of 33 bytes, and no value.
    uint256 private constant FULL_BRANCH = 16 * 33 + 1;

    /// @notice The account at `target`, or that there is none.
    /// @return exists Whether there is an account. If not, the other value is that of an account that
    /// has never been touched.
    function account(bytes32 stateRoot, address target, bytes[] calldata nodes)
        internal
        pure
        returns (bool exists, Account memory result)
    {
        bytes32 key = keccak256(abi.encodePacked(target));
        (uint256 start, uint256 stop) = get(stateRoot, key, nodes);
        if (stop == 0) {
            result.storageRoot = EMPTY_ROOT;
            result.codeHash = EMPTY_CODE_HASH;
            return (false, result);
        }
        uint256 end;
        (start, end) = Rlp.list(start, stop);
        Rlp.requireEnd(end, stop);
        uint256 value;
        (value, start) = Rlp.integer(start, end, 8);
        // At most 8 bytes, as just required.
        // forge-lint: disable-next-line(unsafe-typecast)
        result.nonce = uint64(value);
        (result.balance, start) = Rlp.integer(start, end, 32);
        (value, start) = Rlp.fixedString(start, end, 32);
        result.storageRoot = bytes32(value);
        (value, start) = Rlp.fixedString(start, end, 32);
        result.codeHash = bytes32(value);
        Rlp.requireEnd(start, end);
        return (true, result);
    }

    /// @notice The value of a storage slot; 0 if it is proven to be empty.
    function slot(bytes32 storageRoot, bytes32 position, bytes[] calldata nodes)
        internal
        pure
        returns (uint256 value)
    {
        (uint256 start, uint256 stop) = get(storageRoot, keccak256(abi.encode(position)), nodes);
        if (stop == 0) return 0;
        uint256 next;
        (value, next) = Rlp.integer(start, stop, 32);
        Rlp.requireEnd(next, stop);
    }

    /// @notice Where in calldata the value of `key` lies; two zeros if the trie holds none.
    function get(bytes32 root, bytes32 key, bytes[] calldata nodes)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        uint256 count = nodes.length;
        if (root == EMPTY_ROOT) {
            _requireAllUsed(0, count);
            return (0, 0);
        }
        Path memory path = Path(uint256(key), 64, 0);
        unchecked {
            for (; path.node < count; ++path.node) {
                (start, stop) = _node(nodes, path.node, root);
                // This node, and those that are embedded in it.
                while (true) {
                    Next next;
                    (next, start, stop) = _step(start, stop, path);
                    if (next == Next.Hash) break;
                    if (next != Next.Node) {
                        _requireAllUsed(path.node + 1, count);
                        return (start, stop);
                    }
                }
                root = bytes32(_word(start));
            }
        }
        revert ProofIncomplete(count);
    }

    /// @dev What a path finds behind a node: the value, nothing, another node of the proof, or a node
    /// that is embedded.
    enum Next {
        Value,
        Nothing,
        Hash,
        Node
    }

    /// @dev What is left of a key.
    struct Path {
        /// The nibbles that are left, at the high end.
        uint256 nibbles;
        /// How many these are.
        uint256 left;
        /// The node of the proof at hand.
        uint256 node;
    }

    /// @dev Goes from a node, of which `start` and `stop` are the payload, to what follows on the path.
    /// @return next What follows.
    /// @return first Where its payload starts.
    /// @return last Where its payload ends.
    function _step(uint256 start, uint256 stop, Path memory path)
        private
        pure
        returns (Next next, uint256 first, uint256 last)
    {
        unchecked {
            uint256 child;
            uint256 taken = 1;
            bool isBranch = true;
            // In a full branch every child has its place. No other node has this length: a child takes
            // 33 bytes as a hash only, and an embedded node is shorter.
            if (stop - start == FULL_BRANCH) {
                child = start + 33 * (path.nibbles >> 252);
            } else {
                child = _after(start);
                if (_after(child) == stop) {
                    isBranch = false;
                    (next, taken) = _short(start, child, path);
                    if (next == Next.Nothing) return (next, 0, 0);
                    if (next == Next.Value) {
                        (first, last) = Rlp.str(child, stop);
                        return (next, first, last);
                    }
                } else {
                    // Not even 17 times nothing.
                    if (stop - start < 17) revert NodeMalformed(path.node);
                    child = _skip(start, path.nibbles >> 252);
                }
            }
            if (taken > path.left || child >= stop) revert NodeMalformed(path.node);
            path.left -= taken;
            path.nibbles <<= 4 * taken;

            uint256 head = _word(child) >> 248;
            first = child + 1;
            if (head == 0xa0) (next, last) = (Next.Hash, first + 32);
            else if (head == 0x80 && isBranch) return (Next.Nothing, 0, 0);
            else if (head >= 0xc0 && head <= 0xdf) (next, last) = (Next.Node, child + head - 0xbf);
            else revert NodeMalformed(path.node);
            if (last > stop) revert NodeMalformed(path.node);
        }
    }

    /// @dev What a node with two items does with the path, by the first of them: `Value` if it is the
    /// leaf of this key, `Node` if it is an extension on the way. Also how many nibbles it has.
    function _short(uint256 start, uint256 stop, Path memory path)
        private
        pure
        returns (Next next, uint256 taken)
    {
        unchecked {
            // A string of 33 bytes at most; one of a single byte below 0x80 has no header.
            uint256 head = _word(start) >> 248;
            if (head > 0xa1) revert NodeMalformed(path.node);
            if (head >= 0x80) ++start;
            if (start == stop) revert NodeMalformed(path.node);

            // Hex prefix: 0 and 1 are extensions, 2 and 3 leaves; with odd numbers a first nibble
            // follows in the same byte.
            uint256 word = _word(start);
            uint256 flags = word >> 252;
            uint256 nibbles = flags & 1 == 0 ? _word(start + 1) : word << 4;
            taken = 2 * (stop - start - 1) + (flags & 1);
            bool isLeaf = flags & 2 != 0;
            if (flags > 3 || (isLeaf ? taken != path.left : taken == 0 || taken >= path.left)) {
                revert NodeMalformed(path.node);
            }
            if (taken != 0 && (nibbles ^ path.nibbles) >> (256 - 4 * taken) != 0) {
                return (Next.Nothing, taken);
            }
            return (isLeaf ? Next.Value : Next.Node, taken);
        }
    }

    /// @dev Where an item ends. Of an item that is malformed the answer is anything.
    function _after(uint256 pos) private pure returns (uint256 result) {
        assembly ("memory-safe") {
            let word := calldataload(pos)
            let head := shr(248, word)
            result := add(pos, 1)
            if gt(head, 0x7f) {
                // The length stands in the header, of a string or of a list; or behind it.
                let length := and(sub(head, 0x80), 0x3f)
                if gt(length, 55) {
                    let size := sub(length, 55)
                    result := add(result, size)
                    length := shr(sub(256, mul(8, size)), shl(8, word))
                }
                result := add(result, length)
            }
        }
    }

    /// @dev Where a child of a branch starts that stands `count` places after the one at `pos`. A child
    /// is nothing (one byte), a hash (33), or an embedded node of 32 bytes with its header at most. Of
    /// any other the answer is a place behind all ends.
    function _skip(uint256 pos, uint256 count) private pure returns (uint256 result) {
        assembly ("memory-safe") {
            result := pos
            for {} count { count := sub(count, 1) } {
                let head := byte(0, calldataload(result))
                switch head
                case 0x80 { result := add(result, 1) }
                case 0xa0 { result := add(result, 33) }
                default {
                    if or(lt(head, 0xc0), gt(head, 0xdf)) {
                        result := not(0)
                        break
                    }
                    result := add(result, sub(head, 0xbf))
                }
            }
        }
    }

    /// @dev Payload of a node of the proof, after comparing its hash.
    ///
    /// Where calldata says that the node lies is not checked: a place beyond the end holds zeros,
    /// and whatever it holds must have the right hash.
    function _node(bytes[] calldata nodes, uint256 index, bytes32 expected)
        private
        pure
        returns (uint256 start, uint256 end)
    {
        bytes32 got;
        uint256 head;
        assembly ("memory-safe") {
            let node := add(nodes.offset, calldataload(add(nodes.offset, shl(5, index))))
            let length := calldataload(node)
            start := add(node, 0x20)
            end := add(start, length)
            let memoryEnd := mload(0x40)
            calldatacopy(memoryEnd, start, length)
            got := keccak256(memoryEnd, length)
            head := shr(248, calldataload(start))
        }
        if (got != expected) revert NodeHashMismatch(index, got, expected);
        if (head < 0xc0 || _after(start) != end) revert NodeMalformed(index);
        unchecked {
            start += head < 0xf8 ? 1 : head - 0xf6;
        }
    }

    function _word(uint256 pos) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(pos)
        }
    }

    function _requireAllUsed(uint256 used, uint256 nodes) private pure {
        if (used != nodes) revert ProofTooLong(used, nodes);
    }
}
