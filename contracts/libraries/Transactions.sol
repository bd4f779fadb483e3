// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Rlp} from "./Rlp.sol";

/// @title Decoder of signed transactions
/// @notice Decodes transactions of the types 0 (with a chain id, EIP-155), 1 (EIP-2930), 2
/// (EIP-1559) and 4 (EIP-7702), recovers their sender, and rejects everything that no block could
/// include in any state: malformed encoding, another chain id, fields out of bounds, an invalid
/// signature, insufficient gas. Type 3 carries blobs, which an L2 does not have.
///
/// @dev The rules are at least as strict as every L2 node under every fork from Prague to
/// Amsterdam: an L2 could be required to include a transaction that is accepted here and rejected
/// there. Where forks differ, the strictest rule applies.
library Transactions {
    /// @notice Decoded transaction.
    struct Transaction {
        /// Type of the transaction.
        uint8 kind;
        /// `true` if it creates a contract.
        bool creates;
        /// Recovered signer.
        address sender;
        /// Target; zero for a creation.
        address to;
        uint64 nonce;
        uint64 gasLimit;
        /// Maximum price per unit of gas, in wei.
        uint128 maxFee;
        uint128 value;
        /// First four bytes of the data, padded with zeros.
        bytes4 selector;
        /// Word after the selector; zero if the data is shorter.
        bytes32 argument;
        uint256 dataLength;
        /// Number of addresses in the access list.
        uint256 addresses;
        /// Number of storage keys in the access list.
        uint256 keys;
        /// Number of tuples in the authorization list.
        uint256 authorizations;
    }

    /// @notice The type is not 0, 1, 2 or 4.
    error TypeNotSupported(uint8 kind);
    /// @notice The transaction has another chain id or none.
    error TransactionChainIdMismatch(uint256 got, uint256 expected);
    /// @notice The nonce is the maximum, with which no account can send (EIP-2681).
    error NonceTooHigh(uint256 nonce);
    /// @notice The priority fee exceeds the fee cap.
    error TipAboveFee(uint256 tip, uint256 maxFee);
    /// @notice The target is neither empty nor an address, or is empty in a transaction of type 4
    /// (EIP-7702).
    error TargetMalformed(uint256 length);
    /// @notice A transaction of type 4 has an empty authorization list.
    error NoAuthorization();
    /// @notice The signature is invalid, or has a high `s` value (EIP-2).
    error SignatureInvalid(uint256 v, uint256 r, uint256 s);
    /// @notice The gas limit is below the intrinsic gas or the calldata floor.
    error GasBelowIntrinsic(uint256 got, uint256 minimum);

    /// @dev Half the order of secp256k1, the maximum of `s`.
    uint256 internal constant MAX_S =
        0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    // Intrinsic gas: for each item, the cost under the fork in which it is highest.
    uint256 internal constant GAS_BASE = 21_000;
    uint256 internal constant GAS_CREATE = 32_000;
    uint256 internal constant GAS_INITCODE_WORD = 2;
    uint256 internal constant GAS_BYTE = 16;
    /// @notice Gas per address and per storage key of an access list (EIP-8038, EIP-7981).
    uint256 internal constant GAS_ADDRESS = 4180;
    uint256 internal constant GAS_KEY = 4048;
    /// @notice Gas per authorization before Amsterdam (EIP-7702).
    uint256 internal constant GAS_AUTHORIZATION = 25_000;
    /// @notice Gas floor per byte (EIP-7976, EIP-7981).
    uint256 internal constant FLOOR_BYTE = 64;

    /// @notice Decodes and checks a transaction.
    /// @param raw EIP-2718 encoding of the transaction: a list for type 0, otherwise the type and a
    /// list.
    /// @param chainId Required chain id.
    /// @return t The transaction.
    function decode(bytes calldata raw, uint64 chainId)
        internal
        pure
        returns (Transaction memory t)
    {
        uint256 pos;
        assembly ("memory-safe") {
            pos := raw.offset
        }
        uint256 end = pos + raw.length;
        uint8 kind = raw.length == 0 ? 0 : uint8(raw[0]);
        // A list starts at 0xc0 or above, a type below.
        if (kind >= 0xc0) kind = 0;
        else if (kind != 1 && kind != 2 && kind != 4) revert TypeNotSupported(kind);
        else ++pos;
        t.kind = kind;

        (uint256 start, uint256 stop) = Rlp.list(pos, end);
        Rlp.requireEnd(stop, end);
        pos = _fields(t, start, stop, chainId);
        bytes32 digest = _digest(kind, start, pos, chainId);
        pos = _signature(t, pos, stop, chainId, digest);
        Rlp.requireEnd(pos, stop);
        uint256 minimum = intrinsicGas(t);
        if (t.gasLimit < minimum) revert GasBelowIntrinsic(t.gasLimit, minimum);
    }

    /// @notice Returns the gas that a transaction needs in order to be valid.
    function intrinsicGas(Transaction memory t) internal pure returns (uint256) {
        uint256 standard = GAS_BASE + GAS_BYTE * t.dataLength + GAS_ADDRESS * t.addresses + GAS_KEY
            * t.keys + GAS_AUTHORIZATION * t.authorizations;
        if (t.creates) standard += GAS_CREATE + GAS_INITCODE_WORD * ((t.dataLength + 31) / 32);
        uint256 minimum = GAS_BASE + FLOOR_BYTE * (t.dataLength + 20 * t.addresses + 32 * t.keys);
        if (t.creates) minimum += GAS_CREATE;
        return standard > minimum ? standard : minimum;
    }

    // The bounds of the casts below are checked by the reads before them.
    // forge-lint: disable-start(unsafe-typecast)

    /// @dev Reads the signed fields; returns the start of the signature.
    function _fields(Transaction memory t, uint256 pos, uint256 end, uint64 chainId)
        private
        pure
        returns (uint256)
    {
        uint256 value;
        if (t.kind != 0) {
            (value, pos) = Rlp.integer(pos, end, 32);
            if (value != chainId) revert TransactionChainIdMismatch(value, chainId);
        }
        (value, pos) = Rlp.integer(pos, end, 8);
        if (value == type(uint64).max) revert NonceTooHigh(value);
        t.nonce = uint64(value);

        uint256 tip;
        if (t.kind == 2 || t.kind == 4) (tip, pos) = Rlp.integer(pos, end, 16);
        (value, pos) = Rlp.integer(pos, end, 16);
        if (tip > value) revert TipAboveFee(tip, value);
        t.maxFee = uint128(value);

        (value, pos) = Rlp.integer(pos, end, 8);
        t.gasLimit = uint64(value);
        pos = _target(t, pos, end);
        (value, pos) = Rlp.integer(pos, end, 16);
        t.value = uint128(value);
        pos = _data(t, pos, end);
        if (t.kind != 0) pos = _accessList(t, pos, end);
        if (t.kind == 4) pos = _authorizationList(t, pos, end);
        return pos;
    }

    function _target(Transaction memory t, uint256 pos, uint256 end)
        private
        pure
        returns (uint256)
    {
        (uint256 start, uint256 stop) = Rlp.str(pos, end);
        uint256 length = stop - start;
        t.creates = length == 0;
        if (length != 20 && (length != 0 || t.kind == 4)) revert TargetMalformed(length);
        if (length == 20) t.to = address(uint160(uint256(_word(start)) >> 96));
        return stop;
    }

    function _data(Transaction memory t, uint256 pos, uint256 end) private pure returns (uint256) {
        (uint256 start, uint256 stop) = Rlp.str(pos, end);
        uint256 length = stop - start;
        t.dataLength = length;
        if (length >= 4) t.selector = bytes4(_word(start));
        if (length >= 36) t.argument = _word(start + 4);
        return stop;
    }

    /// @dev A list of `[address, [key, ...]]`.
    function _accessList(Transaction memory t, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 stop)
    {
        (pos, stop) = Rlp.list(pos, end);
        while (pos != stop) {
            (uint256 tuple, uint256 tupleEnd) = Rlp.list(pos, stop);
            (, tuple) = Rlp.fixedString(tuple, tupleEnd, 20);
            (uint256 key, uint256 keysEnd) = Rlp.list(tuple, tupleEnd);
            Rlp.requireEnd(keysEnd, tupleEnd);
            while (key != keysEnd) {
                (, key) = Rlp.fixedString(key, keysEnd, 32);
                ++t.keys;
            }
            ++t.addresses;
            pos = tupleEnd;
        }
    }

    /// @dev A list of `[chain id, address, nonce, y parity, r, s]`. A tuple without effect does not
    /// make a transaction invalid, but fields out of bounds do.
    function _authorizationList(Transaction memory t, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 stop)
    {
        (pos, stop) = Rlp.list(pos, end);
        while (pos != stop) {
            (uint256 field, uint256 tupleEnd) = Rlp.list(pos, stop);
            (, field) = Rlp.integer(field, tupleEnd, 32);
            (, field) = Rlp.fixedString(field, tupleEnd, 20);
            (, field) = Rlp.integer(field, tupleEnd, 8);
            (, field) = Rlp.integer(field, tupleEnd, 1);
            (, field) = Rlp.integer(field, tupleEnd, 32);
            (, field) = Rlp.integer(field, tupleEnd, 32);
            Rlp.requireEnd(field, tupleEnd);
            ++t.authorizations;
            pos = tupleEnd;
        }
        if (t.authorizations == 0) revert NoAuthorization();
    }

    /// @dev Reads the signature and recovers the sender; returns the end of the signature.
    function _signature(
        Transaction memory t,
        uint256 pos,
        uint256 end,
        uint64 chainId,
        bytes32 digest
    ) private pure returns (uint256) {
        uint256 v;
        uint256 r;
        uint256 s;
        // Sufficient for 36 plus twice a chain id of 64 bits.
        (v, pos) = Rlp.integer(pos, end, 9);
        (r, pos) = Rlp.integer(pos, end, 32);
        (s, pos) = Rlp.integer(pos, end, 32);
        uint256 parity = v;
        if (t.kind == 0) {
            // 35 or 36 plus twice the chain id (EIP-155). Without a chain id it is 27 or 28.
            if (v < 35 || (v - 35) / 2 != chainId) {
                revert TransactionChainIdMismatch(v < 35 ? 0 : (v - 35) / 2, chainId);
            }
            parity = (v - 35) % 2;
        }
        if (parity > 1 || s > MAX_S) revert SignatureInvalid(v, r, s);
        t.sender = ecrecover(digest, uint8(27 + parity), bytes32(r), bytes32(s));
        if (t.sender == address(0)) revert SignatureInvalid(v, r, s);
        return pos;
    }

    // forge-lint: disable-end(unsafe-typecast)

    /// @dev Returns the signing hash: of a list of the same fields without the signature, after the
    /// type. For type 0, chain id and two zeros replace the signature.
    function _digest(uint8 kind, uint256 start, uint256 stop, uint64 chainId)
        private
        pure
        returns (bytes32 digest)
    {
        uint256 length = stop - start;
        uint256 tail;
        uint256 tailLength;
        if (kind == 0) {
            // Two empty strings after the chain id.
            (tail, tailLength) = _encoded(chainId);
            (tail, tailLength) = (tail << 16 | 0x8080, tailLength + 2);
        }
        (uint256 head, uint256 headLength) = _listHeader(length + tailLength);
        if (kind != 0) {
            head |= uint256(kind) << (8 * headLength);
            ++headLength;
        }
        assembly ("memory-safe") {
            let memoryEnd := mload(0x40)
            mstore(memoryEnd, shl(sub(256, mul(8, headLength)), head))
            let fields := add(memoryEnd, headLength)
            calldatacopy(fields, start, length)
            mstore(add(fields, length), shl(sub(256, mul(8, tailLength)), tail))
            digest := keccak256(memoryEnd, add(add(headLength, length), tailLength))
        }
    }

    /// @dev Returns the RLP of an integer, at the low end of a word, and its length.
    function _encoded(uint64 number) private pure returns (uint256, uint256) {
        if (number == 0) return (0x80, 1);
        if (number < 0x80) return (number, 1);
        uint256 size = _size(number);
        return ((0x80 + size) << (8 * size) | number, 1 + size);
    }

    /// @dev Returns the header of a list with a payload of this length, at the low end of a word,
    /// and its length.
    function _listHeader(uint256 length) private pure returns (uint256, uint256) {
        if (length < 56) return (0xc0 + length, 1);
        uint256 size = _size(length);
        return ((0xf7 + size) << (8 * size) | length, 1 + size);
    }

    /// @dev Returns the number of bytes of a non-zero number.
    function _size(uint256 number) private pure returns (uint256 size) {
        while (number != 0) {
            ++size;
            number >>= 8;
        }
    }

    function _word(uint256 pos) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(pos)
        }
    }
}
