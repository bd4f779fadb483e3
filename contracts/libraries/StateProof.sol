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
        if (root == EMPTY_ROOT) {
            _requireAllUsed(0, nodes.length);
            return (0, 0);
        }
        uint256 path = uint256(key);
        uint256 left = 64;
        for (uint256 i = 0; i < nodes.length; ++i) {
            (start, stop) = _node(nodes, i, root);
            // This node, and those that are embedded in it.
            while (true) {
                uint256 taken;
                Next next;
                (next, start, stop, taken) = _step(start, stop, path, left, i);
                if (next == Next.Value || next == Next.Nothing) {
                    _requireAllUsed(i + 1, nodes.length);
                    return (start, stop);
                }
                unchecked {
                    left -= taken;
                }
                path <<= 4 * taken;
                if (next == Next.Hash) break;
            }
            assembly ("memory-safe") {
                root := calldataload(start)
            }
        }
        revert ProofIncomplete(nodes.length);
    }

    /// @dev What a path finds behind a node: the value, nothing, another node of the proof, or a node
    /// that is embedded.
    enum Next {
        Value,
        Nothing,
        Hash,
        Node
    }

    /// @dev Goes from a node, of which `start` and `stop` are the payload, to what follows on the path,
    /// of which `left` nibbles are left at the high end of `path`.
    /// @return next What follows.
    /// @return first Where its payload starts.
    /// @return last Where its payload ends.
    /// @return taken How many nibbles lead there.
    function _step(uint256 start, uint256 stop, uint256 path, uint256 left, uint256 index)
        private
        pure
        returns (Next next, uint256 first, uint256 last, uint256 taken)
    {
        unchecked {
            uint256 nibble = path >> 252;
            bool isList;
            // In a full branch every child has its place. No other node has this length: a child takes
            // 33 bytes as a hash only, and an embedded node is shorter.
            if (stop - start == FULL_BRANCH) {
                first = start + 33 * nibble;
                (first, last, isList) = Rlp.item(first, stop);
            } else {
                (first, last, isList) = Rlp.item(start, stop);
                (uint256 a, uint256 b, bool isNode) = Rlp.item(last, stop);
                if (b == stop) {
                    if (isList) revert NodeMalformed(index);
                    (next, taken) = _short(first, last, path, left, index);
                    if (next == Next.Nothing) return (next, 0, 0, 0);
                    if (next == Next.Value) {
                        if (isNode) revert NodeMalformed(index);
                        return (next, a, b, taken);
                    }
                    return (_child(a, b, isNode, index), a, b, taken);
                }
                if (nibble == 1) {
                    (first, last, isList) = (a, b, isNode);
                } else if (nibble != 0) {
                    (first, last, isList) = Rlp.item(_skip(last, nibble - 1), stop);
                }
            }
            if (left == 0) revert NodeMalformed(index);
            if (first == last && !isList) return (Next.Nothing, 0, 0, 0);
            return (_child(first, last, isList, index), first, last, 1);
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

    /// @dev What a node with two items does with the path, by the first of them: `Value` if it is the
    /// leaf of this key, `Node` if it is an extension on the way.
    function _short(uint256 start, uint256 stop, uint256 path, uint256 left, uint256 index)
        private
        pure
        returns (Next next, uint256 taken)
    {
        if (start == stop) revert NodeMalformed(index);
        unchecked {
            // Hex prefix: 0 and 1 are extensions, 2 and 3 leaves; with odd numbers a first nibble
            // follows in the same byte.
            uint256 flags;
            uint256 nibbles;
            assembly ("memory-safe") {
                let word := calldataload(start)
                flags := shr(252, word)
                switch and(flags, 1)
                case 0 { nibbles := calldataload(add(start, 1)) }
                default { nibbles := shl(4, word) }
            }
            taken = 2 * (stop - start - 1) + (flags & 1);
            bool isLeaf = flags & 2 != 0;
            if (flags > 3 || (isLeaf ? taken != left : taken == 0 || taken >= left)) {
                revert NodeMalformed(index);
            }
            if (taken != 0 && (nibbles ^ path) >> (256 - 4 * taken) != 0) return (Next.Nothing, 0);
            return (isLeaf ? Next.Value : Next.Node, taken);
        }
    }

    /// @dev What stands for a child: a hash, or the child itself if it is short.
    function _child(uint256 first, uint256 last, bool isList, uint256 index)
        private
        pure
        returns (Next)
    {
        if (isList) return Next.Node;
        unchecked {
            if (last - first != 32) revert NodeMalformed(index);
        }
        return Next.Hash;
    }

    /// @dev Payload of a node of the proof, after comparing its hash.
    function _node(bytes[] calldata nodes, uint256 index, bytes32 expected)
        private
        pure
        returns (uint256 start, uint256 stop)
    {
        bytes calldata node = nodes[index];
        bytes32 got;
        uint256 pos;
        assembly ("memory-safe") {
            pos := node.offset
            let memoryEnd := mload(0x40)
            calldatacopy(memoryEnd, pos, node.length)
            got := keccak256(memoryEnd, node.length)
        }
        if (got != expected) revert NodeHashMismatch(index, got, expected);
        (start, stop) = Rlp.list(pos, pos + node.length);
        Rlp.requireEnd(stop, pos + node.length);
    }

    function _requireAllUsed(uint256 used, uint256 nodes) private pure {
        if (used != nodes) revert ProofTooLong(used, nodes);
    }
}
