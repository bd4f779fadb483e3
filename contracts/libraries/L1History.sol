// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Hashes of past L1 blocks
library L1History {
    /// @notice History contract of EIP-2935; it serves the last 8191 blocks.
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    /// @notice Number of blocks that `BLOCKHASH` serves.
    uint256 internal constant BLOCKHASH_WINDOW = 256;

    /// @notice The block is too old, or not in the past.
    error L1BlockUnavailable(uint256 number, uint256 current);

    /// @notice Returns the hash of a block of this chain.
    /// @dev On a chain without the history contract, works as far back as `BLOCKHASH` does.
    function hashOf(uint256 number) internal view returns (bytes32 result) {
        if (number >= block.number) revert L1BlockUnavailable(number, block.number);
        if (block.number - number <= BLOCKHASH_WINDOW) {
            result = blockhash(number);
        } else {
            (bool ok, bytes memory answer) = HISTORY.staticcall(abi.encode(number));
            if (ok && answer.length == 32) result = abi.decode(answer, (bytes32));
        }
        if (result == 0) revert L1BlockUnavailable(number, block.number);
    }
}
