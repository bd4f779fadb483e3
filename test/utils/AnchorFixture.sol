// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {RealRollup} from "./RealRollup.sol";

/// @title Rollup with its L2, and anchor updates for it
abstract contract AnchorFixture is RealRollup {
    /// @dev Returns an update to an L1 block and the current state of the queue.
    function updateTo(uint64 l1BlockNumber) internal view returns (IRollup.AnchorUpdate memory) {
        return updateTo(l1BlockNumber, queue.checkpoint());
    }

    function updateTo(uint64 l1BlockNumber, IL1MessageQueue.Checkpoint memory c)
        internal
        pure
        returns (IRollup.AnchorUpdate memory)
    {
        return IRollup.AnchorUpdate({
            index: 0,
            l1BlockNumber: l1BlockNumber,
            messageCount: c.count,
            messageRoot: c.root,
            checkpointId: c.id,
            checkpointBlock: c.l1Block,
            checkpointTimestamp: c.timestamp
        });
    }

    function anchorOf(IRollup.AnchorUpdate memory u) internal view returns (bytes32) {
        return anchorOf(u, blockhash(u.l1BlockNumber));
    }

    function anchorOf(IRollup.AnchorUpdate memory u, bytes32 l1Hash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(u.l1BlockNumber, l1Hash, u.messageCount, u.messageRoot));
    }

    function all(IRollup.AnchorUpdate[] memory updates)
        internal
        pure
        returns (IRollup.Evidence memory evidence)
    {
        evidence.updates = updates;
    }

    function one(IRollup.AnchorUpdate memory update)
        internal
        pure
        returns (IRollup.Evidence memory evidence)
    {
        evidence.updates = new IRollup.AnchorUpdate[](1);
        evidence.updates[0] = update;
    }
}
