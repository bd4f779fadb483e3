// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Delivery} from "../libraries/Delivery.sol";

/// @title Format of messages between L1 and L2
/// @notice Messages have the same fields and the same hash in both directions. From L1 to L2 the
/// hashes are chained, from L2 to L1 each hash has a storage slot of its own, so a message cannot
/// be replayed in the other direction.
library Messages {
    /// @notice Message with the hash of its data.
    /// @dev Static types only, so the memory layout equals the result of `abi.encode`.
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

    /// @notice The batch ends within the message at `position`.
    error MessageTruncated(uint256 position, uint256 length);
    /// @notice The length of a parked message has other bits set than the parked bit.
    error ParkedLengthInvalid(uint256 position, uint256 length);

    /// @notice Length of a packed message without its data, in bytes.
    uint256 internal constant PACKED_HEADER = 100;

    /// @notice Maximum gas limit of a packed message.
    uint64 internal constant MAX_GAS = type(uint32).max;

    /// @notice Maximum length of the data of a packed message, in bytes.
    uint64 internal constant MAX_DATA = type(uint32).max >> 1;

    /// @notice Slot of `L2Messenger` with the number of relayed messages (low 64 bits).
    bytes32 internal constant RELAYED_SLOT = 0;

    /// @notice Slot of the mapping in `L2Messenger` from index to hash of a message to L1.
    uint256 internal constant SENT_SLOT = 4;

    /// @notice Slot of the mapping in `L2Messenger` from message hash to status of a relayed message
    /// that was not delivered: one whose delivery failed, or one that was not attempted. Zero for
    /// all others.
    uint256 internal constant KEPT_SLOT = 2;
    uint256 internal constant STATUS_FAILED = 1;
    uint256 internal constant STATUS_PARKED = 2;

    /// @dev Bit in the length of a packed message that marks it as parked.
    uint256 private constant PARKED = 1 << 31;

    /// @notice Gas for relaying one message, excluding its gas limit and its data: the base cost of
    /// the transaction, state of the messenger, creation of accounts by payment, the stored hash of
    /// a failed message. About 200,000 under Osaka; EIP-8037 makes new state more expensive.
    uint256 internal constant RELAY_BASE = 1_000_000;

    /// @notice Gas for relaying one byte of data: the maximum cost of calldata (EIP-7976).
    uint256 internal constant RELAY_PER_BYTE = 64;

    /// @notice Returns the hash of a message: `keccak256(abi.encode(sender, to, refundTo, value,
    /// fee, gasLimit, index, keccak256(data)))`.
    function hash(Header memory header) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(header, 0x100)
        }
    }

    /// @notice Hashes a message of the caller, and emits the event that both messengers declare:
    /// `MessageSent(uint64 indexed index, address indexed sender, address indexed to,
    /// address refundTo, uint128 value, uint128 fee, uint64 gasLimit, bytes data)`.
    /// @dev The hashed and the logged form share the middle of the header, so both are built in the
    /// same memory.
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

            // The log data start at `refundTo`. After the static fields follow the offset of the
            // message data, their length, the data and zero padding to a whole word.
            mstore(add(header, 0xc0), 0xa0)
            mstore(add(header, 0xe0), data.length)
            mstore(add(copy, data.length), 0)
        }
        assembly ("memory-safe") {
            let start := add(mload(0x40), 0x40)
            log4(start, and(add(data.length, 0xdf), not(0x1f)), selector, index, caller(), to)
        }
    }

    /// @notice Returns the rolling hash after one more message: `keccak256(root ‖ messageHash)`. It
    /// starts at zero.
    function extend(bytes32 root, bytes32 messageHash) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, root)
            mstore(0x20, messageHash)
            result := keccak256(0x00, 0x40)
        }
    }

    /// @notice Returns the slot of `L2Messenger` with the hash of a message to L1.
    function sentSlot(uint256 index) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, index)
            mstore(0x20, SENT_SLOT)
            result := keccak256(0x00, 0x40)
        }
    }

    /// @notice Reads one message of a batch in the packed format of relays. All integers are
    /// big-endian, and messages follow one another without padding:
    ///
    ///    0   sender, 20 bytes         60  value, 16 bytes        96  length of the data, 4 bytes
    ///    20  to, 20 bytes             76  fee, 16 bytes          100 data
    ///    40  refundTo, 20 bytes       92  gas limit, 4 bytes
    ///
    /// The index is not included: it follows from the order. If the highest bit of the length is
    /// set, the message is to be parked: the other bits are zero, and the hash of the data (32
    /// bytes) follows instead of the data.
    /// @param batch Packed messages.
    /// @param position Offset of the message.
    /// @param header Receives all fields but `index`; `dataHash` only if the message is to be
    /// parked.
    /// @return data Data of the message; empty if it is to be parked.
    /// @return next End of the message.
    /// @return parked `true` if the message is to be parked.
    function unpack(bytes calldata batch, uint256 position, Header memory header)
        internal
        pure
        returns (bytes calldata data, uint256 next, bool parked)
    {
        // The words overlap, so that each field is at an end of one of them. Bytes outside of the
        // message are shifted out or cut off.
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
        // If the header itself is truncated, `next` is beyond the end, whatever length was read.
        if (next > batch.length) revert MessageTruncated(position, batch.length);
        if (parked) {
            header.dataHash = bytes32(batch[start:next]);
            data = batch[next:next];
        } else {
            data = batch[start:next];
        }
    }

    /// @notice Returns an L2 gas limit that is sufficient to relay one message, whatever its target
    /// does.
    function relayGas(uint256 gasLimit, uint256 dataLength) internal pure returns (uint256) {
        return RELAY_BASE + Delivery.required(gasLimit) + RELAY_PER_BYTE * dataLength;
    }
}
