// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RollupRules} from "../governance/RollupRules.sol";
import {IForcedSettlement} from "../interfaces/IForcedSettlement.sol";
import {Execute} from "../libraries/Execute.sol";

/// @title Forced transactions as a duty of the rollup
/// @notice The rollup passes the outcomes of due transactions to the queue, which checks them (see
/// `ForcedQueue`).
abstract contract ForcedDuty is RollupRules {
    /// @dev Reverts unless the block at the tip resolves enough forced transactions.
    /// @param demanded `true` if the block must resolve all transactions that are due.
    /// @return worked `true` if the block has discharged any transaction.
    function _requireForced(
        Tip memory tip,
        bytes memory block_,
        ForcedBatch[] calldata batches,
        uint256 index,
        bool demanded
    ) internal returns (bool worked) {
        Duties memory d = tip.duties;
        if (tip.batchesUsed != batches.length && batches[tip.batchesUsed].index == index) {
            uint64 first = d.forcedNext;
            (d.forcedNext, d.forcedDue) =
                _discharge(tip, block_, batches[tip.batchesUsed++], demanded);
            worked = d.forcedNext != first;
            if (worked) d.forcedFirstSince = tip.timestamp;
        } else if (tip.timestamp >= d.forcedDue) {
            if (_forcedBefore() <= d.forcedNext) d.forcedDue = _forcedDueOf(block.timestamp);
            else if (demanded) revert ForcedTransactionOmitted(d.forcedNext);
        }
    }

    function _discharge(
        Tip memory tip,
        bytes memory block_,
        ForcedBatch calldata batch,
        bool demanded
    ) private returns (uint64, uint64) {
        bytes32[] memory hashes = new bytes32[](batch.discharges.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            Discharge calldata entry = batch.discharges[i];
            if (entry.outcome == Outcome.Included) {
                // A proof begins at the block hash; the queue checks it.
                hashes[i] = entry.accountProof.length == 0
                    ? Execute.transactionHash(block_, tip.inputEnd, entry.position)
                    : Execute.blockHash(block_);
            }
        }
        IForcedSettlement.BlockFacts memory facts = IForcedSettlement.BlockFacts({
            timestamp: tip.timestamp,
            gasLimit: Execute.gasLimit(block_),
            gasUsed: Execute.gasUsed(block_),
            baseFee: Execute.baseFee(block_),
            stateRoot: tip.stateRoot,
            first: tip.duties.forcedNext,
            firstDue: tip.duties.forcedDue,
            firstSince: tip.duties.forcedFirstSince,
            demanded: demanded
        });
        return IForcedSettlement(FORCED).discharge(facts, batch, hashes);
    }
}
