// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title Fork registry as specified by EIP-8357, with an entry that a test sets
contract ForkRegistry {
    /// @dev Address at which rollups expect the registry.
    address internal constant PLACE = 0x00005e9c1447C1A05A642ec9eB76D9C125468357;

    uint256 public schema;

    function set(uint256 schema_) external {
        schema = schema_;
    }

    /// @dev Returns verification key hash and schema id, one word each, if the input is a zero
    /// word.
    fallback(bytes calldata input) external returns (bytes memory) {
        require(keccak256(input) == keccak256(new bytes(32)), "a word of zero was expected");
        return abi.encode(keccak256(abi.encode(schema)), schema);
    }
}
