// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RollupRules} from "../governance/RollupRules.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {L1History} from "../libraries/L1History.sol";
import {Mismatch} from "../libraries/Mismatch.sol";

/// @title Relaying messages from L1 as a duty of the rollup
/// @notice Anchors commit to the messages that were sent; this contract enforces that the L2 relays
/// them. Once the oldest message that is not proven to be relayed is older than the deadline, a
/// block needs a proof, against its own state root, of the number of messages that have been
/// relayed (or parked, see `L2Messenger`). If messages are still overdue after it, such a block
/// must have relayed at least `Capacity.RELAYS` more than were proven before. That many always fit
/// into a block, whatever else it contains.
///
/// If no message is overdue, one proof per deadline is sufficient: it proves when the first pending
/// message was sent, and the next proof is required only when that message is overdue.
abstract contract RelayDuty is RollupRules {
    /// @dev Applies the new anchor of a block, if there is one.
    ///
    /// The messages must have been sent by the end of the L1 block in the anchor. So an anchor
    /// contains nothing that this L1 block does not imply: once that block is final, so is
    /// everything that the L2 has read from L1.
    function _updateAnchor(Tip memory tip, AnchorUpdate[] calldata updates, uint256 index)
        internal
    {
        if (tip.updatesUsed == updates.length || updates[tip.updatesUsed].index != index) {
            return;
        }
        AnchorUpdate calldata update = updates[tip.updatesUsed++];
        uint64 number = update.l1BlockNumber;
        uint64 count = update.messageCount;
        bytes32 root = update.messageRoot;
        if (number < tip.anchorNumber) {
            Mismatch.fail(AnchorNumberWentBack.selector, number, tip.anchorNumber);
        }
        if (count < tip.messageCount) {
            Mismatch.fail(MessageCountWentBack.selector, count, tip.messageCount);
        }
        if (count != tip.messageCount) {
            _loadDuties(tip);
            // Both are far below 2^64.
            // forge-lint: disable-next-line(unsafe-typecast)
            uint64 limit = tip.duties.relayed + uint64(Capacity.AHEAD);
            if (count > limit) Mismatch.fail(AnchorTooFarAhead.selector, count, limit);
        }
        if (update.checkpointBlock > number) {
            Mismatch.fail(CheckpointAfterAnchor.selector, update.checkpointBlock, number);
        }
        bytes32 l1Hash = L1History.hashOf(number);
        bool known = IL1MessageQueue(MESSAGE_QUEUE)
            .isCheckpoint(
                update.checkpointId, count, root, update.checkpointBlock, update.checkpointTimestamp
            );
        if (!known) revert CheckpointUnknown(update.checkpointId, count, root);

        tip.anchorNumber = number;
        tip.messageCount = count;
        tip.anchor = keccak256(abi.encode(number, l1Hash, count, root));
        emit AnchorUpdated(number, l1Hash, count, root);
    }

    /// @dev Reverts unless the block at the tip proves enough relayed messages.
    /// @param demanded `true` if the block must relay messages that are overdue.
    /// @return worked `true` if the block proves that more messages have been relayed.
    function _requireRelays(
        Tip memory tip,
        RelayProof[] calldata proofs,
        uint256 index,
        bool demanded
    ) internal returns (bool worked) {
        Duties memory d = tip.duties;
        if (tip.relaysUsed != proofs.length && proofs[tip.relaysUsed].index == index) {
            return _settle(tip, proofs[tip.relaysUsed++], demanded);
        }
        if (tip.timestamp < d.relayDue) return false;
        uint64 since = IL1MessageQueue(MESSAGE_QUEUE).settleIfIdle(d.relayed);
        if (since != 0) {
            d.relayDue = since + RELAY_DEADLINE;
            emit RelayProven(d.relayed, since);
        } else if (demanded) {
            revert RelayProofMissing(d.relayed);
        }
    }

    /// @dev Checks a relay proof and records the number of relayed messages.
    function _settle(Tip memory tip, RelayProof calldata proof, bool demanded)
        private
        returns (bool worked)
    {
        Duties memory d = tip.duties;
        IL1MessageQueue queue = IL1MessageQueue(MESSAGE_QUEUE);
        uint64 relayed = queue.relayedAfter(tip.stateRoot, proof.accountProof, proof.storageProof);
        // The messenger's counter never decreases; the subtraction below relies on that.
        if (relayed < d.relayed) Mismatch.fail(RelayedWentBack.selector, relayed, d.relayed);

        uint64 since = queue.settle(relayed, _copy(proof.before), _copy(proof.next));
        uint64 due = since + RELAY_DEADLINE;
        if (demanded && tip.timestamp >= due && relayed - d.relayed < Capacity.RELAYS) {
            Mismatch.fail(MessagesOverdue.selector, relayed, due);
        }
        worked = relayed != d.relayed;
        d.relayed = relayed;
        d.relayDue = due;
        emit RelayProven(relayed, since);
    }

    function _copy(Checkpoint calldata c) private pure returns (IL1MessageQueue.Checkpoint memory) {
        return IL1MessageQueue.Checkpoint({
            id: c.id, count: c.count, l1Block: c.l1Block, timestamp: c.timestamp, root: c.root
        });
    }
}
