// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RollupRules} from "../governance/RollupRules.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {Execute} from "../libraries/Execute.sol";
import {L1History} from "../libraries/L1History.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {Messages} from "./Messages.sol";

/// @title What a rollup owes to messages from L1
/// @notice Anchors tell the L2 which messages there are; this contract sees to it that they are relayed.
/// Once the oldest message that is not known to be relayed is older than the deadline, a block has to
/// come with a proof, against its own state root, of how many messages have been relayed (or parked,
/// see `L2Messenger`). As long as messages are overdue after it, each such block must have relayed some,
/// and as many as it had room for.
///
/// A proof is needed when someone is late, and otherwise once per deadline: it says when the first
/// pending message was sent, and until that one is overdue nothing is asked.
///
/// @dev Relays are demanded of blocks with an even number, and forced transactions (see `ForcedDuty`) of
/// blocks with an odd one. Each alone fits into a block that L1 can carry (see `Capacity`), both
/// together might not; and neither can be used to keep off the other.
abstract contract RelayDuty is RollupRules {
    /// @dev Puts the new anchor of a block into force, if there is one.
    ///
    /// The messages must have been sent by the end of the L1 block that is named. So an anchor says
    /// nothing that this one block does not imply: once it is final, all that the L2 has taken from L1
    /// is.
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
        if (number < tip.anchorNumber) revert AnchorNumberWentBack(number, tip.anchorNumber);
        if (count < tip.messageCount) revert MessageCountWentBack(count, tip.messageCount);
        if (count != tip.messageCount) {
            _loadDuties(tip);
            uint64 limit = tip.duties.relayed + MAX_AHEAD;
            if (count > limit) revert AnchorTooFarAhead(count, limit);
        }
        if (update.checkpointBlock > number) {
            revert CheckpointAfterAnchor(update.checkpointBlock, number);
        }
        bytes32 l1Hash = L1History.hashOf(number);
        bool known = IL1MessageQueue(INBOX)
            .isCheckpoint(
                update.checkpointId, count, root, update.checkpointBlock, update.checkpointTimestamp
            );
        if (!known) revert CheckpointUnknown(update.checkpointId, count, root);

        tip.anchorNumber = number;
        tip.messageCount = count;
        tip.anchor = keccak256(abi.encode(number, l1Hash, count, root));
        emit AnchorUpdated(number, l1Hash, count, root);
    }

    /// @dev What the block at the tip shows about relays, and whether that is enough.
    function _requireRelays(
        Tip memory tip,
        bytes memory input,
        RelayProof[] calldata proofs,
        uint256 index
    ) internal {
        bool demanded =
            tip.number % 2 == 0 && tip.timestamp >= tip.dutyDue;
        if (tip.relaysUsed != proofs.length && proofs[tip.relaysUsed].index == index) {
            _settle(tip, input, proofs[tip.relaysUsed++], demanded);
        } else if (demanded) {
            _loadDuties(tip);
            Duties memory d = tip.duties;
            if (tip.timestamp < d.relayDue) return;
            uint64 since = IL1MessageQueue(INBOX).settleIfIdle(d.relayed);
            if (since == 0) revert RelayProofMissing(d.relayed);
            d.relayDue = since + RELAY_DEADLINE;
            emit RelayProven(d.relayed, since);
        }
    }

    /// @dev Takes note of how many messages have been relayed.
    function _settle(Tip memory tip, bytes memory input, RelayProof calldata proof, bool demanded)
        private
    {
        _loadDuties(tip);
        Duties memory d = tip.duties;
        uint64 relayed = _relayedAfter(tip.stateRoot, proof);
        // The messenger never counts back; the comparison below depends on that.
        if (relayed < d.relayed) revert RelayedWentBack(relayed, d.relayed);

        uint64 since =
            IL1MessageQueue(INBOX).settle(relayed, _copy(proof.before), _copy(proof.next));
        uint64 due = since + RELAY_DEADLINE;
        if (demanded && tip.timestamp >= due) {
            if (relayed == d.relayed || _hasRoom(input)) revert MessagesOverdue(relayed, due);
        }
        d.relayed = relayed;
        d.relayDue = due;
        emit RelayProven(relayed, since);
    }

    /// @dev The messenger's own count, by proof.
    function _relayedAfter(bytes32 root, RelayProof calldata proof) private pure returns (uint64) {
        (, StateProof.Account memory messenger) =
            StateProof.account(root, Predeploys.L2_MESSENGER, proof.accountProof);
        uint256 word =
            StateProof.slot(messenger.storageRoot, Messages.RELAYED_SLOT, proof.storageProof);
        // The low 64 bits are the count.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(word);
    }

    /// @dev Whether the block could have relayed one message more: it, and L1, can take what the next
    /// message needs at most to be delivered without gas of its own, or parked.
    function _hasRoom(bytes memory input) private view returns (bool) {
        uint256 data = IL1MessageQueue(INBOX).MAX_DATA();
        uint256 gas = Messages.relayGas(0, data);
        uint256 used = Execute.gasUsed(input);
        return Execute.gasLimit(input) - used >= gas
            && Capacity.fits(input.length + Capacity.ofMessage(0, data), used + gas);
    }

    function _copy(Checkpoint calldata c) private pure returns (IL1MessageQueue.Checkpoint memory) {
        return IL1MessageQueue.Checkpoint({
            id: c.id, count: c.count, l1Block: c.l1Block, timestamp: c.timestamp, root: c.root
        });
    }
}
