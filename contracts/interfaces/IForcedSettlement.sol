// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRollup} from "./IRollup.sol";

/// @title Settlement of forced transactions, called by the rollup
/// @notice The rollup passes facts about a block that EXECUTE has accepted; the queue of forced
/// transactions checks the evidence against them.
interface IForcedSettlement {
    /// @notice Facts about a block against which its evidence is checked.
    struct BlockFacts {
        /// Block timestamp, in seconds.
        uint64 timestamp;
        /// Gas limit of the block.
        uint64 gasLimit;
        /// Gas used by the block.
        uint64 gasUsed;
        /// Base fee of the block, in wei.
        uint256 baseFee;
        /// State root after the block.
        bytes32 stateRoot;
        /// Number of the first transaction that has not been discharged.
        uint64 first;
        /// Earliest L2 timestamp at which that transaction can be due.
        uint64 firstDue;
        /// L2 timestamp since which every block has had to include that transaction, if it is due.
        uint64 firstSince;
        /// `true` if the block must include all transactions that are due.
        bool demanded;
    }

    /// @notice Checks how a block resolves the first transactions of the queue, and deletes those
    /// that are discharged. Only the rollup may call. Reverts with the errors of `IRollup` if
    /// the evidence does not prove an outcome, or if a required transaction is missing.
    /// @param facts The block and its duties.
    /// @param batch Evidence for the outcomes.
    /// @param hashes For each transaction with the outcome `Included`, the hash of the transaction
    /// at that position of the block; the block hash, if the evidence has a proof.
    /// @return next Number of the first transaction that has not been discharged afterwards.
    /// @return due L2 timestamp from which that transaction may be due.
    function discharge(
        BlockFacts calldata facts,
        IRollup.ForcedBatch calldata batch,
        bytes32[] calldata hashes
    ) external returns (uint64 next, uint64 due);

    /// @notice Returns the number of transactions that were submitted before this L1 block.
    function countBefore() external view returns (uint64);
}
