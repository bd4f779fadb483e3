// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title Tries with one leaf, and their proofs
library SmallTries {
    bytes32 internal constant EMPTY_CODE_HASH = keccak256("");

    /// @dev Returns a storage trie with one non-zero slot.
    function storageTrie(bytes32 slot, bytes32 value)
        internal
        pure
        returns (bytes32 root, bytes[] memory proof)
    {
        uint256 size = 0;
        while (size < 32 && uint256(value) >> (8 * size) != 0) ++size;
        bytes memory integer = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            integer[i] = value[32 - size + i];
        }
        return _leaf(keccak256(abi.encode(slot)), _string(integer));
    }

    /// @dev Returns a state trie with one account that has nonce 1 and no balance.
    function stateTrie(address account, bytes32 storageRoot)
        internal
        pure
        returns (bytes32 root, bytes[] memory proof)
    {
        bytes memory fields = abi.encodePacked(
            uint16(0x0180), uint8(0xa0), storageRoot, uint8(0xa0), EMPTY_CODE_HASH
        );
        // The payload has 68 bytes.
        return _leaf(keccak256(abi.encodePacked(account)), abi.encodePacked(uint16(0xf844), fields));
    }

    /// @dev Returns a trie with a single value.
    function _leaf(bytes32 key, bytes memory value)
        private
        pure
        returns (bytes32 root, bytes[] memory proof)
    {
        bytes memory payload = abi.encodePacked(uint16(0xa120), key, _string(value));
        proof = new bytes[](1);
        proof[0] = payload.length < 56
            ? abi.encodePacked(uint8(0xc0 + payload.length), payload)
            : abi.encodePacked(uint8(0xf8), uint8(payload.length), payload);
        root = keccak256(proof[0]);
    }

    function _string(bytes memory value) private pure returns (bytes memory) {
        if (value.length == 1 && uint8(value[0]) < 0x80) return value;
        return value.length < 56
            ? abi.encodePacked(uint8(0x80 + value.length), value)
            : abi.encodePacked(uint8(0xb8), uint8(value.length), value);
    }
}
