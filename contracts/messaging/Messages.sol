// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Delivery} from "../libraries/Delivery.sol";

/// @title Messages, on which L1 and L2 must agree
/// @notice Messages have the same fields and the same hash in both directions. From L1 to L2 the
/// hashes are chained, from L2 to L1 each is kept in a slot of its own; so none can pass for one of
/// the other direction.
library Messages {
    /// @notice A message, with its data as a hash.
    /// @dev Static types only, so that in memory it looks as `abi.encode` would write it.
    struct Header {
        address sender;
        address to;
        address refundTo;
        uint128 value;
        uint128 fee;
        uint64 gasLimit;
        uint64 index;
        bytes32 dataHash;
    }

    /// @notice The bytes at `position` are not a whole message.
    error MessageTruncated(uint256 position, uint256 length);
    /// @notice A message that is parked has a length besides the bit that says so.
    error ParkedLengthInvalid(uint256 position, uint256 length);

    /// @notice Length of a packed message without its data.
    uint256 internal constant PACKED_HEADER = 100;

    /// @notice The most gas that a packed message can ask for.
    uint64 internal constant MAX_GAS = type(uint32).max;

    /// @notice The most data that a packed message can carry.
    uint64 internal constant MAX_DATA = type(uint32).max >> 1;

    /// @notice Slot of `L2Messenger` that holds how many messages have been relayed (low 64 bits).
    bytes32 internal constant RELAYED_SLOT = 0;

    /// @notice Slot of `L2Messenger` in which the mapping `index → hash of a message to L1` starts.
    uint256 internal constant SENT_SLOT = 4;

    /// @dev Bit of the length of a packed message that says that it is parked.
    uint256 private constant PARKED = 1 << 31;

    /// @notice Gas of relaying one message without what its gas limit and its data cost: the base
    /// cost of the transaction, state of the messenger, accounts that come into being by being
    /// paid, the record of a failure. About 200,000 under Osaka; EIP-8037 makes new state dearer.
    uint256 internal constant RELAY_BASE = 1_000_000;

    /// @notice Gas of relaying one byte of data: what calldata costs at most (EIP-7976).
    uint256 internal constant RELAY_PER_BYTE = 64;

    /// @notice Hash of a message: `keccak256(abi.encode(sender, to, refundTo, value, fee, gasLimit,
    /// index, keccak256(data)))`.
    function hash(Header memory header) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(header, 0x100)
        }
    }

    /// @notice Hashes a message of the caller, and emits the event that both messengers declare:
    /// `MessageSent(uint64 indexed index, address indexed sender, address indexed to, address refundTo, uint128 value, uint128 fee, uint64 gasLimit, bytes data)`.
    /// @dev The hashed and the logged form have the middle of the header in common, so both are
    /// made in one place of memory.
    /// @param selector Topic of the event.
    /// @param to Target, as a word.
    /// @param refundTo Account for refunds, as a word.
    /// @return messageHash Result of `hash`.
    function post(
        bytes32 selector,
        uint256 to,
        uint256 refundTo,
        uint256 value,
        uint256 fee,
        uint256 gasLimit,
        uint256 index,
        bytes calldata data
    ) internal returns (bytes32 messageHash) {
        assembly ("memory-safe") {
            let header := mload(0x40)
            let copy := add(header, 0x100)
            calldatacopy(copy, data.offset, data.length)
            mstore(header, caller())
            mstore(add(header, 0x20), to)
            mstore(add(header, 0x40), refundTo)
            mstore(add(header, 0x60), value)
            mstore(add(header, 0x80), fee)
            mstore(add(header, 0xa0), gasLimit)
            mstore(add(header, 0xc0), index)
            mstore(add(header, 0xe0), keccak256(copy, data.length))
            messageHash := keccak256(header, 0x100)

            // The log starts at `refundTo`; then come the offset of the data, their length,
            // themselves, and zeros up to a whole word.
            mstore(add(header, 0xc0), 0xa0)
            mstore(add(header, 0xe0), data.length)
            mstore(add(copy, data.length), 0)
        }
        assembly ("memory-safe") {
            let start := add(mload(0x40), 0x40)
            log4(start, and(add(data.length, 0xdf), not(0x1f)), selector, index, caller(), to)
        }
    }

    /// @notice Rolling hash after one more message: `keccak256(root ‖ messageHash)`; it starts at
    /// zero.
    function extend(bytes32 root, bytes32 messageHash) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, root)
            mstore(0x20, messageHash)
            result := keccak256(0x00, 0x40)
        }
    }

    /// @notice Slot of `L2Messenger` that holds the hash of a message to L1.
    function sentSlot(uint256 index) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, index)
            mstore(0x20, SENT_SLOT)
            result := keccak256(0x00, 0x40)
        }
    }

    /// @notice Reads one message of a batch in the format in which it is relayed. All integers are
    /// big endian, and messages follow one another without padding:
    ///
    ///    0   sender, 20 bytes         60  value, 16 bytes        96  length of the data, 4 bytes
    ///    20  to, 20 bytes             76  fee, 16 bytes          100 data
    ///    40  refundTo, 20 bytes       92  gas limit, 4 bytes
    ///
    /// The index is not part of it: it follows from the order. If the highest bit of the length is
    /// set, the message is to be parked: the other bits are zero, and instead of its data the hash
    /// of them follows, 32 bytes.
    /// @param batch The messages.
    /// @param position Offset of the message.
    /// @param header Filled with all but `index`; with `dataHash` for a message that is parked
    /// only.
    /// @return data The message's data; empty for one that is parked.
    /// @return next End of the message.
    /// @return parked `true` if the message is to be parked.
    function unpack(bytes calldata batch, uint256 position, Header memory header)
        internal
        pure
        returns (bytes calldata data, uint256 next, bool parked)
    {
        // Words that overlap, so that each field lies at an end of one of them. The part of a word
        // that lies outside the message is shifted out or cut off.
        uint256 a;
        uint256 b;
        uint256 c;
        uint256 d;
        uint256 e;
        assembly ("memory-safe") {
            let first := add(batch.offset, position)
            a := calldataload(first)
            b := calldataload(add(first, 20))
            c := calldataload(add(first, 40))
            d := calldataload(add(first, 60))
            e := calldataload(add(first, 92))
        }
        // forge-lint: disable-start(unsafe-typecast)
        header.sender = address(uint160(a >> 96));
        header.to = address(uint160(b >> 96));
        header.refundTo = address(uint160(c >> 96));
        header.value = uint128(d >> 128);
        header.fee = uint128(d);
        header.gasLimit = uint32(e >> 224);

        uint256 start = position + PACKED_HEADER;
        uint256 length = uint32(e >> 192);
        // forge-lint: disable-end(unsafe-typecast)
        parked = length & PARKED != 0;
        if (parked) {
            if (length != PARKED) revert ParkedLengthInvalid(position, length);
            next = start + 32;
        } else {
            next = start + length;
        }
        // If even the header is cut off, this is beyond the end, wherever the length was read from.
        if (next > batch.length) revert MessageTruncated(position, batch.length);
        if (parked) {
            header.dataHash = bytes32(batch[start:next]);
            data = batch[next:next];
        } else {
            data = batch[start:next];
        }
    }

    /// @notice Gas limit of an L2 transaction that is enough to relay one message, for any
    /// behaviour of its target.
    function relayGas(uint256 gasLimit, uint256 dataLength) internal pure returns (uint256) {
        return RELAY_BASE + Delivery.required(gasLimit) + RELAY_PER_BYTE * dataLength;
    }
}
