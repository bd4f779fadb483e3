// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Rlp} from "./Rlp.sol";

/// @title Proofs of accounts and storage slots against a state root
/// @notice A proof is the list of trie nodes from the root to the leaf, as returned by
/// `eth_getProof`. It may also prove exclusion: the path then ends at an empty child, at the leaf
/// of another key, or at an extension with another path. Nodes that are embedded in their parent
/// are read there. Every node of the proof must be used.
///
/// @dev Every node is identified by its hash, so everything that is read is part of the trie with
/// that root. Keys of account and storage tries have 32 bytes and are hashed by this library: no
/// branch has a value, and no key is a prefix of another.
library StateProof {
    /// @notice An account in the state trie.
    struct Account {
        uint64 nonce;
        uint256 balance;
        bytes32 storageRoot;
        bytes32 codeHash;
    }

    /// @notice The path continues beyond the last node of the proof.
    error ProofIncomplete(uint256 nodes);
    /// @notice The path ends before the last node of the proof.
    error ProofTooLong(uint256 used, uint256 nodes);
    /// @notice The hash of a node is not the one in its parent, or not the root.
    error NodeHashMismatch(uint256 index, bytes32 got, bytes32 expected);
    /// @notice The node cannot be part of a valid trie.
    error NodeMalformed(uint256 index);

    /// @notice Root of an empty trie.
    bytes32 internal constant EMPTY_ROOT =
        0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;
    /// @notice Code hash of an account without code.
    bytes32 internal constant EMPTY_CODE_HASH =
        0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470;

    /// @dev Payload length of a branch whose children are all hashes: 16 items of 33 bytes, and an
    /// empty value.
    uint256 private constant FULL_BRANCH = 16 * 33 + 1;

    /// @notice Returns the account at `target`, or proves that there is none.
    /// @return exists `true` if the account exists.
    /// @return result The account; an empty account if it does not exist.
    function account(bytes32 stateRoot, address target, bytes[] calldata nodes)
        internal
        pure
        returns (bool exists, Account memory result)
    {
        (uint256 start, uint256 stop) = get(stateRoot, _key(target), nodes);
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
        // At most 8 bytes, checked above.
        // forge-lint: disable-next-line(unsafe-typecast)
        result.nonce = uint64(value);
        (result.balance, start) = Rlp.integer(start, end, 32);
        // Exactly two hashes, each with the header 0xa0.
        if (end - start != 66) revert Rlp.RlpLengthMismatch(start, end - start, 66);
        if (_word(start) >> 248 != 0xa0 || _word(start + 33) >> 248 != 0xa0) {
            revert Rlp.RlpLengthMismatch(start, _word(start) >> 248, 0xa0);
        }
        result.storageRoot = bytes32(_word(start + 1));
        result.codeHash = bytes32(_word(start + 34));
        return (true, result);
    }

    /// @notice Returns the storage root of the account at `target`; the empty root if there is no
    /// account.
    /// @dev Reads only the end of the value, which contains the two hashes of the account.
    function storageRoot(bytes32 stateRoot, address target, bytes[] calldata nodes)
        internal
        pure
        returns (bytes32)
    {
        (uint256 start, uint256 stop) = get(stateRoot, _key(target), nodes);
        if (stop == 0) return EMPTY_ROOT;
        unchecked {
            // The shortest account: a list header of two bytes, two zero integers and two hashes.
            uint256 got = stop - start;
            if (got < 70) revert Rlp.RlpLengthMismatch(start, got, 70);
            got = _word(stop - 66) >> 248;
            if (got != 0xa0) revert Rlp.RlpLengthMismatch(stop - 66, got, 0xa0);
            return bytes32(_word(stop - 65));
        }
    }

    /// @notice Returns the value of a storage slot; 0 if the proof shows that it is empty.
    function slot(bytes32 root, bytes32 position, bytes[] calldata nodes)
        internal
        pure
        returns (uint256 value)
    {
        (uint256 start, uint256 stop) = get(root, _hash(position), nodes);
        if (stop == 0) return 0;
        uint256 next;
        (value, next) = Rlp.integer(start, stop, 32);
        Rlp.requireEnd(next, stop);
    }

    /// @notice Returns the range of the value of `key` in calldata; two zeros if the trie has no
    /// such key.
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
        root = _branches(root, nodes, path);
        unchecked {
            for (; path.node < count; ++path.node) {
                (start, stop) = _node(nodes, path.node, root);
                (uint256 first, uint256 last) = _leaf(start, stop, path);
                if (last != 0) {
                    _requireAllUsed(path.node + 1, count);
                    return (first, last);
                }
                // This node, and nodes that are embedded in it.
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

    /// @dev Result of a step along the path: the value, nothing, the hash of another node, or an
    /// embedded node.
    enum Next {
        Value,
        Nothing,
        Hash,
        Node
    }

    /// @dev Remaining nibbles of a key.
    struct Path {
        /// Remaining nibbles, at the high end.
        uint256 nibbles;
        /// Number of remaining nibbles.
        uint256 remaining;
        /// Index of the current node of the proof.
        uint256 node;
    }

    /// @dev Follows the path through branches as long as their children are hashes or empty, as
    /// near the root of a large trie. Any other node, and any invalid one, is left to `_step`.
    ///
    /// A node is read in memory, where it was copied for hashing. Once its hash matches, it is part
    /// of the trie, so it is inspected only as far as is necessary to distinguish branches from
    /// other nodes.
    /// @return next Hash of the node at which it stopped.
    function _branches(bytes32 root, bytes[] calldata nodes, Path memory path)
        private
        pure
        returns (bytes32 next)
    {
        uint256 index = 0;
        uint256 nibbles = path.nibbles;
        next = root;
        assembly ("memory-safe") {
            let copy := mload(0x40)
            for { let count := nodes.length } lt(index, count) { index := add(index, 1) } {
                let node := add(nodes.offset, calldataload(add(nodes.offset, shl(5, index))))
                let length := calldataload(node)
                // Length of a full branch.
                if gt(length, 532) { break }
                calldatacopy(copy, add(node, 0x20), length)
                if iszero(eq(keccak256(copy, length), next)) { break }

                let child
                switch eq(shr(232, mload(copy)), 0xf90211)
                case 1 { child := add(add(copy, 3), mul(33, shr(252, nibbles))) }
                default {
                    // Header: 0xc0 plus the length, or 0xf7 plus the length of the length.
                    let head := byte(0, mload(copy))
                    let size := 1
                    let payload := sub(head, 0xc0)
                    if gt(head, 0xf7) {
                        size := sub(head, 0xf6)
                        payload := shr(sub(264, shl(3, size)), shl(8, mload(copy)))
                    }
                    if iszero(eq(add(size, payload), length)) { break }

                    child := add(copy, size)
                    head := byte(0, mload(child))
                    let second := byte(0, mload(add(child, 33)))
                    // A 32-byte item may be the path of a leaf as well as a child. In a leaf, a
                    // non-empty string follows and ends the node, which has at most 66 bytes of
                    // payload if that string also has 32 bytes. A branch with two children has 81.
                    if iszero(
                        or(
                            and(eq(head, 0x80), gt(payload, 16)),
                            and(
                                and(eq(head, 0xa0), gt(payload, 80)),
                                or(eq(second, 0x80), eq(second, 0xa0))
                            )
                        )
                    ) { break }
                    // Each previous child is empty, 0x80, or a hash with the header 0xa0. The two
                    // headers differ in one bit, which stands for the additional 32 bytes; any
                    // other header sets other bits in `rest`. The loop handles two children at a
                    // time, because the loop itself is the most expensive part.
                    let rest := 0
                    let skip := shr(252, nibbles)
                    if and(skip, 1) {
                        rest := xor(head, 0x80)
                        child := add(child, add(1, and(head, 0x20)))
                    }
                    for { skip := shr(1, skip) } skip { skip := sub(skip, 1) } {
                        head := byte(0, mload(child))
                        rest := or(rest, xor(head, 0x80))
                        child := add(child, add(1, and(head, 0x20)))
                        head := byte(0, mload(child))
                        rest := or(rest, xor(head, 0x80))
                        child := add(child, add(1, and(head, 0x20)))
                    }
                    if and(rest, not(0x20)) { break }
                    if iszero(lt(sub(child, copy), length)) { break }
                }
                if iszero(eq(byte(0, mload(child)), 0xa0)) { break }
                next := mload(add(child, 1))
                nibbles := shl(4, nibbles)
            }
        }
        // A key has 64 nibbles, and no proof contains the hashes of more branches than that.
        path.node = index;
        path.remaining -= index;
        path.nibbles = nibbles;
    }

    /// @dev Returns the value if the node with this payload is the leaf of the key and has a path
    /// and a value of at least two bytes, as nearly all leaves do. Returns two zeros for any other
    /// node.
    function _leaf(uint256 start, uint256 end, Path memory path)
        private
        pure
        returns (uint256 first, uint256 last)
    {
        uint256 remaining = path.remaining;
        uint256 nibbles = path.nibbles;
        assembly ("memory-safe") {
            let word := calldataload(start)
            let size := sub(byte(0, word), 0x80)
            // Hex prefix: 2 and a zero nibble for an even number of nibbles, 3 for an odd one.
            let flags := byte(1, word)
            let odd := and(shr(4, flags), 1)
            if and(
                and(lt(size, 34), eq(add(shl(1, sub(size, 1)), odd), remaining)),
                or(eq(shr(4, flags), 3), eq(flags, 0x20))
            ) {
                let found := calldataload(sub(add(start, 2), odd))
                if odd { found := shl(4, found) }
                if iszero(shr(sub(256, shl(2, remaining)), xor(found, nibbles))) {
                    start := add(add(start, 1), size)
                    word := calldataload(start)
                    let head := byte(0, word)
                    size := sub(head, 0x80)
                    first := add(start, 1)
                    if eq(head, 0xb8) {
                        size := byte(1, word)
                        first := add(start, 2)
                        if lt(size, 56) { head := 0 }
                    }
                    last := add(first, size)
                    if or(or(lt(head, 0x82), gt(head, 0xb8)), iszero(eq(last, end))) {
                        first := 0
                        last := 0
                    }
                }
            }
        }
    }

    /// @dev Follows the path through one node.
    /// @param start Start of the node's payload.
    /// @param stop End of the node's payload.
    /// @return next Kind of the result.
    /// @return first Start of the value, of the hash or of the embedded node's payload.
    /// @return last Its end.
    function _step(uint256 start, uint256 stop, Path memory path)
        private
        pure
        returns (Next next, uint256 first, uint256 last)
    {
        unchecked {
            uint256 child;
            uint256 consumed = 1;
            bool isBranch = true;
            // In a full branch every child has a fixed position. No other node has this length:
            // only hashes take 33 bytes, and an embedded node is shorter.
            if (stop - start == FULL_BRANCH) {
                child = start + 33 * (path.nibbles >> 252);
            } else {
                child = _after(start);
                if (_after(child) == stop) {
                    isBranch = false;
                    (next, consumed) = _short(start, child, path);
                    if (next == Next.Nothing) return (next, 0, 0);
                    if (next == Next.Value) {
                        (first, last) = Rlp.str(child, stop);
                        return (next, first, last);
                    }
                } else {
                    // Shorter than 17 empty items.
                    if (stop - start < 17) revert NodeMalformed(path.node);
                    child = _skip(start, path.nibbles >> 252);
                }
            }
            if (consumed > path.remaining || child >= stop) revert NodeMalformed(path.node);
            path.remaining -= consumed;
            path.nibbles <<= 4 * consumed;

            uint256 head = _word(child) >> 248;
            first = child + 1;
            if (head == 0xa0) (next, last) = (Next.Hash, first + 32);
            else if (head == 0x80 && isBranch) return (Next.Nothing, 0, 0);
            else if (head >= 0xc0 && head <= 0xdf) (next, last) = (Next.Node, child + head - 0xbf);
            else revert NodeMalformed(path.node);
            if (last > stop) revert NodeMalformed(path.node);
        }
    }

    /// @dev Follows the path through a node with two items, given the first of them. Returns
    /// `Value` if the node is the leaf of this key and `Node` if it is an extension on the path,
    /// and the number of nibbles that it has.
    function _short(uint256 start, uint256 stop, Path memory path)
        private
        pure
        returns (Next next, uint256 consumed)
    {
        unchecked {
            // A string of at most 33 bytes; a single byte below 0x80 has no header.
            uint256 head = _word(start) >> 248;
            if (head > 0xa1) revert NodeMalformed(path.node);
            if (head >= 0x80) ++start;
            if (start == stop) revert NodeMalformed(path.node);

            // Hex prefix: 0 and 1 are extensions, 2 and 3 are leaves; for odd numbers the first
            // nibble is in the same byte.
            uint256 word = _word(start);
            uint256 flags = word >> 252;
            uint256 nibbles = flags & 1 == 0 ? _word(start + 1) : word << 4;
            consumed = 2 * (stop - start - 1) + (flags & 1);
            bool isLeaf = flags & 2 != 0;
            if (
                flags > 3
                    || (isLeaf
                            ? consumed != path.remaining
                            : consumed == 0 || consumed >= path.remaining)
            ) {
                revert NodeMalformed(path.node);
            }
            if (consumed != 0 && (nibbles ^ path.nibbles) >> (256 - 4 * consumed) != 0) {
                return (Next.Nothing, consumed);
            }
            return (isLeaf ? Next.Value : Next.Node, consumed);
        }
    }

    /// @dev Returns the end of an item. The result is arbitrary if the item is malformed.
    function _after(uint256 pos) private pure returns (uint256 result) {
        assembly ("memory-safe") {
            let word := calldataload(pos)
            let head := shr(248, word)
            result := add(pos, 1)
            if gt(head, 0x7f) {
                // The length of a string or a list is in the header or follows it.
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

    /// @dev Returns the offset of the branch child `count` positions after the one at `pos`. A
    /// child is empty (one byte), a hash (33 bytes), or an embedded node of at most 32 bytes
    /// including its header. For any other child, returns an offset beyond every end.
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

    /// @dev Returns the payload of a node of the proof, after checking its hash.
    ///
    /// The position of the node in calldata is not checked: bytes beyond the end are zero, and the
    /// content must have the right hash.
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

    /// @dev Returns the key of an account in the state trie: the hash of the 20 bytes of its
    /// address.
    function _key(address target) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, shl(96, target))
            result := keccak256(0x00, 0x14)
        }
    }

    function _hash(bytes32 word) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, word)
            result := keccak256(0x00, 0x20)
        }
    }

    function _requireAllUsed(uint256 used, uint256 nodes) private pure {
        if (used != nodes) revert ProofTooLong(used, nodes);
    }
}
