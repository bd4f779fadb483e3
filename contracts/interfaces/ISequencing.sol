// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Sequencing policy: which accounts may advance a rollup, and who receives the fees
/// @notice A rollup calls its policy in every `advance`, unless its head, or a duty that the head
/// has not fulfilled, is so old that any account may advance. A policy cannot make a rollup accept
/// an invalid block, and cannot stop it for longer than that.
interface ISequencing {
    /// @notice Reverts unless `caller` may advance the rollup at this time.
    /// @param caller Account that calls `advance`.
    /// @param headTimestamp Timestamp of the rollup's head, in seconds. This is L2 time, which is
    /// never ahead of L1 time.
    /// @return feeRecipient Required fee recipient of the blocks; zero if any is allowed.
    function authorize(address caller, uint64 headTimestamp)
        external
        view
        returns (address feeRecipient);
}
