// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Evidence for one block that is applied to another block of a batch
/// @notice Anchors, relay proofs and outcomes of forced transactions contain the index of their
/// block. A contract that counted inputs, or the blocks of one input, would apply evidence to the
/// duties of the wrong block, or check no duties of the later blocks of a batch. Here the three
/// blocks have different duties: none, a forced transaction together with a new anchor, and a
/// relay; evidence counts the blocks of the call, regardless of how they are grouped into inputs.
contract MisplacedEvidenceTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant TO = address(0xaaaa);

    bytes[] internal blocks;
    IRollup.AnchorUpdate internal update;
    IRollup.ForcedTransaction internal owed;
    IRollup.RelayProof internal relayed;
    /// @dev Anchors of the first block, and of the two later ones.
    bytes32 internal anchorBefore;
    bytes32 internal anchorAfter;

    /// @dev The message is due after the transaction, and both before the second block.
    function _relayDeadline() internal pure override returns (uint64) {
        return 1 days + 6;
    }

    function setUp() public override {
        super.setUp();
        send(TO, 1 ether, 0, "");
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        owed = submit(raw);
        uint64 due = rollup.duties().forcedDue;
        assertEq(rollup.duties().relayDue, due + 6);
        skip(FORCED_DELAY + 60);

        anchorBefore = l2.head.anchor;
        blocks.push(l2.seal(blockAt(due - 1)));

        IRollup.Evidence memory e;
        (e, anchorAfter) = newAnchor();
        update = e.updates[0];
        l2.raw(raw);
        IL2.Block memory b = blockAt(due + 12);
        b.anchor = anchorAfter;
        blocks.push(l2.seal(b));

        queueRelay(false);
        blocks.push(l2.seal(blockAt(due + 24)));
        relayed = relayProof(1).relays[0];
    }

    function blockAt(uint64 timestamp) internal view returns (IL2.Block memory b) {
        b = l2.next();
        b.timestamp = timestamp;
    }

    /// @dev Returns the evidence of the three blocks as a template.
    function evidence() internal view returns (IRollup.Evidence memory e) {
        e.updates = new IRollup.AnchorUpdate[](1);
        e.updates[0] = update;
        e.updates[0].index = 1;
        IRollup.Discharge memory d;
        d.transaction = owed;
        // After the proof of the anchor.
        d.position = 1;
        e.forced = one(d).forced;
        e.forced[0].index = 1;
        e.relays = new IRollup.RelayProof[](1);
        e.relays[0] = relayed;
        e.relays[0].index = 2;
    }

    /// @dev Returns a batch of some of the blocks.
    function batchOf(uint256 first, uint256 count) internal returns (bytes memory) {
        bytes[] memory some = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            some[i] = blocks[first + i];
        }
        return L2.batchOf(some);
    }

    function assertAllDone() internal {
        assertHead();
        assertEq(rollup.head().number, 3);
        assertEq(rollup.anchor(), anchorAfter);
        assertEq(rollup.head().messageCount, 1);
        assertEq(rollup.duties().relayed, 1);
        assertEq(rollup.duties().forcedNext, 1);
        assertEq(inbox.commitment(0), 0);
        assertEq(l2.balanceOf(TO), 1 ether);
    }

    function test_each_block_of_batch_proves_its_own_duties() public {
        bytes[] memory inputs = one(batchOf(0, 3));
        IRollup.Evidence memory e = evidence();
        uint64 number = e.updates[0].l1BlockNumber;
        uint64 time = uint64(vm.getBlockTimestamp());
        vm.expectEmit(address(rollup));
        emit IRollup.AnchorUpdated(number, blockhash(number), 1, states[1].root);
        vm.expectEmit(address(inbox));
        emit IForcedInbox.ForcedDischarged(
            0, e.forced[0].discharges[0].transaction.hash, uint8(IRollup.Outcome.Included)
        );
        vm.expectEmit(address(rollup));
        emit IRollup.RelayProven(1, time);
        rollup.advance(inputs, e);
        assertAllDone();
    }

    /// @dev The index in the call is neither the index of the input nor the index in a batch.
    function test_evidence_counts_blocks_however_they_come() public {
        uint256 state = vm.snapshotState();
        bytes[] memory inputs = blocks;
        rollup.advance(inputs, evidence());
        assertAllDone();
        vm.revertToState(state);
        inputs = new bytes[](2);
        (inputs[0], inputs[1]) = (blocks[0], batchOf(1, 2));
        rollup.advance(inputs, evidence());
        assertAllDone();
        vm.revertToState(state);
        (inputs[0], inputs[1]) = (batchOf(0, 2), blocks[2]);
        rollup.advance(inputs, evidence());
        assertAllDone();
    }

    function test_new_anchor_applies_to_its_block_only() public {
        bytes memory batch = batchOf(0, 3);
        IRollup.Evidence memory e = evidence();
        e.updates[0].index = 0;
        expectRefused(batch, e, anchorMismatch(anchorBefore, anchorAfter));
        for (uint64 index = 2; index < 4; ++index) {
            e.updates[0].index = index;
            expectRefused(batch, e, anchorMismatch(anchorAfter, anchorBefore));
        }
        rollup.advance(one(batch), evidence());
        assertAllDone();
    }

    function anchorMismatch(bytes32 got, bytes32 expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRollup.AnchorMismatch.selector, got, expected);
    }

    function test_forced_transaction_of_another_batch_block_is_rejected() public {
        bytes memory batch = batchOf(0, 3);
        IRollup.Evidence memory e = evidence();
        e.forced[0].index = 0;
        expectRefused(
            batch, e, abi.encodeWithSelector(Execute.TransactionOutOfRange.selector, 1, 0)
        );
        for (uint64 index = 2; index < 4; ++index) {
            e.forced[0].index = index;
            expectRefused(
                batch, e, abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 0)
            );
        }
        rollup.advance(one(batch), evidence());
        assertAllDone();
    }

    function test_relay_of_another_batch_block_is_rejected() public {
        bytes[] memory inputs = one(batchOf(0, 3));
        IRollup.Evidence memory e = evidence();
        for (uint64 index = 0; index < 2; ++index) {
            e.relays[0].index = index;
            vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
            rollup.advance(inputs, e);
        }
        e.relays[0].index = 3;
        expectRefused(inputs[0], e, abi.encodeWithSelector(IRollup.RelayProofMissing.selector, 0));
        rollup.advance(inputs, evidence());
        assertAllDone();
    }
}
