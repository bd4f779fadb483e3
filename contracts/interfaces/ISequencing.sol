// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Policy on the accounts that may advance a rollup, and on the fees of its blocks
/// @notice A rollup asks its policy at each `advance`, unless its head, or something that the head
/// has left undone, has become so old that anyone may. A policy can neither make a rollup accept
/// anything nor stop it for longer than that.
interface ISequencing {
    /// @notice Reverts unless `caller` may advance the rollup now.
    /// @param caller Account that calls `advance`.
    /// @param headTimestamp Timestamp of the rollup's head, in seconds; L2 time, which does not run
    /// ahead of L1's.
    /// @return feeRecipient The fee recipient that the blocks must have; zero if any will do.
    function authorize(address caller, uint64 headTimestamp)
        external
        view
        returns (address feeRecipient);
}
