// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title Inputs of EXECUTE, encoded according to the specification of the format
/// @notice Fields that are not in `Block` are empty or zero. Such an input is well-formed and is
/// used for checks before EXECUTE, which would reject the block.
library StatelessInputs {
    uint16 internal constant PRAGUE = 0x1101;
    uint16 internal constant OSAKA = 0x1201;
    uint16 internal constant AMSTERDAM = 0x1501;

    struct Block {
        uint16 schema;
        uint64 chainId;
        bytes32 anchor;
        bytes32 parentHash;
        bytes32 stateRoot;
        uint64 number;
        uint64 gasLimit;
        uint64 timestamp;
        uint256 baseFee;
        bytes32 blockHash;
        bytes transactions;
    }

    /// @dev Schema id and SSZ `StatelessInput`.
    function encode(Block memory b) internal pure returns (bytes memory) {
        return withWitness(b.schema, b.chainId, encodeRequest(b));
    }

    /// @dev Schema id of a batch and SSZ `StatelessBatch`, of blocks with one schema and chain id.
    function encode(Block[] memory blocks) internal pure returns (bytes memory) {
        bytes memory starts;
        bytes memory requests;
        for (uint256 i = 0; i < blocks.length; ++i) {
            starts = bytes.concat(starts, u32(4 * blocks.length + requests.length));
            requests = bytes.concat(requests, encodeRequest(blocks[i]));
        }
        uint16 schema = blocks[0].schema & 0xff00 | 0xba;
        return withWitness(schema, blocks[0].chainId, bytes.concat(starts, requests));
    }

    function withWitness(uint16 schema, uint64 chainId, bytes memory requests)
        private
        pure
        returns (bytes memory)
    {
        return bytes.concat(
            bytes2(schema), u32(16), u32(16 + requests.length), u64(chainId), requests, offsets(3)
        );
    }

    function encodeRequest(Block memory b) private pure returns (bytes memory) {
        bytes memory payload = encodePayload(b);
        bool amsterdam = b.schema >= AMSTERDAM;
        return bytes.concat(
            u32(44),
            u32(44 + payload.length),
            b.anchor,
            u32(44 + payload.length),
            payload,
            amsterdam ? offsets(5) : offsets(3)
        );
    }

    function encodePayload(Block memory b) private pure returns (bytes memory) {
        bool amsterdam = b.schema >= AMSTERDAM;
        uint256 fixedLength = amsterdam ? 540 : 528;
        uint256 end = fixedLength + b.transactions.length;
        bytes memory head = bytes.concat(
            b.parentHash, new bytes(20), b.stateRoot, new bytes(32), new bytes(256), new bytes(32)
        );
        bytes memory numbers = bytes.concat(
            u64(b.number),
            u64(b.gasLimit),
            u64(0),
            u64(b.timestamp),
            u32(fixedLength),
            u256(b.baseFee)
        );
        bytes memory tail = bytes.concat(b.blockHash, u32(fixedLength), u32(end), u64(0), u64(0));
        if (amsterdam) tail = bytes.concat(tail, u32(end), u64(0));
        return bytes.concat(head, numbers, tail, b.transactions);
    }

    /// @dev Encodes a container of empty lists.
    function offsets(uint256 count) private pure returns (bytes memory out) {
        for (uint256 i = 0; i < count; ++i) {
            out = bytes.concat(out, u32(4 * count));
        }
    }

    function u32(uint256 v) private pure returns (bytes memory) {
        return little(v, 4);
    }

    function u64(uint256 v) private pure returns (bytes memory) {
        return little(v, 8);
    }

    function u256(uint256 v) private pure returns (bytes memory) {
        return little(v, 32);
    }

    /// @dev Returns the lowest `size` bytes in little-endian order.
    function little(uint256 v, uint256 size) internal pure returns (bytes memory out) {
        out = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            out[i] = bytes32(v)[31 - i];
        }
    }
}
