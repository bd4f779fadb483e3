// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title How much of an L2 block one transaction on L1 can carry
/// @notice A block that cannot be advanced halts its rollup, so nothing may be demanded of a block
/// that could make it too large. Gas does not bound the size: the input of EXECUTE holds a witness of
/// all that a block reads, and a call that costs 2,500 gas can read a contract of 64 KiB. What decides
/// is how L1 limits a transaction: 2^24 gas (EIP-7825), and 40 gas for a byte of calldata that is not
/// zero (EIP-7623). That is 418,000 bytes in all.
///
/// The worst that a transaction or a message can do with its gas (all figures are upper bounds under
/// the forks from Prague to Amsterdam, for keys and codes that an attacker chooses):
///
///   each cold account   2,500 gas (EIP-2930; 2,600 without an access list)
///                       65,536 bytes of code (EIP-7954), 5,000 of trie nodes
///   BLOCKHASH           20 gas, and up to 256 headers of 700 bytes, once per block
///   a cold slot         1,900 gas or more, 5,000 bytes of trie nodes: less per gas than an account
///   the target          free of extra gas: its code, and if it delegates (EIP-7702), its delegate's
library Capacity {
    /// @notice The most gas that a transaction can have (EIP-7825).
    uint256 internal constant TRANSACTION_GAS = 1 << 24;

    /// @notice Bytes of a block that has nothing in it but one anchor, one relay or one forced
    /// transaction (without what that reads): request, headers, system contracts, predeploys, and what
    /// goes with them in the calldata of `advance`.
    uint256 internal constant BLOCK_BYTES = 40_000;
    /// @notice Bytes of the largest code, and of the nodes that prove its account.
    uint256 internal constant ACCOUNT_BYTES = 65_536 + 5000;
    /// @notice The least gas for which another account can be read.
    uint256 internal constant ACCOUNT_GAS = 2500;
    /// @notice Bytes of all headers that BLOCKHASH can ask for.
    uint256 internal constant HEADER_BYTES = 256 * 700;
    /// @notice Bytes that a call of a bounded target reads, see `IForcedInbox`.
    uint256 internal constant BOUNDED_BYTES = 131_072;
    /// @notice Gas that a transaction pays before it can execute anything.
    uint256 internal constant INTRINSIC_GAS = 21_000;
    /// @notice Gas that a call gets for free with value.
    uint256 internal constant STIPEND = 2300;

    /// @notice Bytes that a forced transaction adds to the witness at most.
    /// @param gasLimit Its gas limit.
    /// @param bounded Whether it calls a target of which it is known what it reads.
    function ofTransaction(uint256 gasLimit, bool bounded) internal pure returns (uint256) {
        if (bounded) return BOUNDED_BYTES;
        if (gasLimit <= INTRINSIC_GAS) return 2 * ACCOUNT_BYTES;
        return 2 * ACCOUNT_BYTES + HEADER_BYTES + _read(gasLimit - INTRINSIC_GAS);
    }

    /// @notice Bytes that the delivery of a message adds at most.
    function ofMessage(uint256 gasLimit, uint256 dataLength) internal pure returns (uint256) {
        return 2 * ACCOUNT_BYTES + HEADER_BYTES + _read(gasLimit + STIPEND) + dataLength;
    }

    /// @notice Whether one transaction on L1 can advance a block.
    /// @param length Bytes of the input of EXECUTE.
    /// @param gas Gas of the block.
    function fits(uint256 length, uint256 gas) internal pure returns (bool) {
        return advanceGas(length, gas) <= TRANSACTION_GAS;
    }

    /// @notice What advancing a block costs on L1, if no byte of its input is zero.
    function advanceGas(uint256 length, uint256 gas) internal pure returns (uint256) {
        uint256 words = (length + 31) / 32;
        uint256 memoryGas = 3 * words + words * words / 512;
        // EXECUTE: 25,000, 16 for a byte, the gas of the block, and a 63rd of it that must be left over.
        uint256 execute = (25_000 + 16 * length + gas) * 64 / 63;
        // 300,000 for the rollup, its queues, and proofs.
        uint256 standard = 321_000 + 16 * length + memoryGas + 3 * words + execute;
        uint256 least = 21_000 + 40 * length;
        return standard > least ? standard : least;
    }

    /// @dev Bytes that `gas` can read of accounts.
    function _read(uint256 gas) private pure returns (uint256) {
        return gas / ACCOUNT_GAS * ACCOUNT_BYTES;
    }
}
