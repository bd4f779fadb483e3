// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {INativeRollup} from "./INativeRollup.sol";

/// @title Questions of a rollup to its queue of forced transactions about their resolution
/// @notice The rollup says what it knows of a block that EXECUTE has accepted, the queue judges the
/// evidence.
interface IForcedSettlement {
    /// @notice Facts about a block by which its evidence is judged.
    struct BlockFacts {
        /// Timestamp of the block.
        uint64 timestamp;
        /// Its gas limit.
        uint64 gasLimit;
        /// Gas that it uses.
        uint64 gasUsed;
        /// Its base fee, in wei.
        uint256 baseFee;
        /// The state root after it.
        bytes32 stateRoot;
        /// Number of the first transaction that is not discharged.
        uint64 first;
        /// It is due no earlier than this.
        uint64 firstDue;
        /// The L2 time since when each block owes that transaction, if it is due.
        uint64 firstSince;
        /// `true` if the block owes all that is due.
        bool demanded;
    }

    /// @notice Judges what a block does about the first transactions of the queue, and forgets
    /// those that are discharged. Only for the rollup. Reverts with the errors of `INativeRollup`
    /// if the evidence is not that of what it says, or not enough.
    /// @param facts The block, and what it owes.
    /// @param batch The evidence.
    /// @param found For each transaction that is said to be included, the hash of what stands
    /// there.
    /// @return next Number of the first transaction that is not discharged now.
    /// @return due From this L2 time on it may be due.
    function discharge(
        BlockFacts calldata facts,
        INativeRollup.ForcedBatch calldata batch,
        bytes32[] calldata found
    ) external returns (uint64 next, uint64 due);

    /// @notice Number of transactions that were submitted before this L1 block.
    function countBefore() external view returns (uint64);
}
