// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../../contracts/interfaces/INativeRollup.sol";
import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../../contracts/interfaces/IRollup.sol";
import {HybridSequencing} from "../../../contracts/sequencing/HybridSequencing.sol";
import {PermissionedSequencing} from "../../../contracts/sequencing/PermissionedSequencing.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {HybridFixture} from "../../sequencing/preconf/HybridFixture.sol";

/// @dev Calls other contracts when it is advanced, and names any block as its head.
contract HostileRollup {
    bytes32 public blockHash;
    IRollup.Head private _head;
    address[] private _targets;
    bytes[] private _calls;
    bool[] public succeeded;
    bytes[] public answers;

    constructor(bytes32 hash) {
        blockHash = hash;
    }

    function prepare(address target, bytes calldata call_) external {
        _targets.push(target);
        _calls.push(call_);
    }

    function advance(bytes[] calldata, INativeRollup.Evidence calldata) external {
        for (uint256 i = 0; i < _calls.length; ++i) {
            (bool ok, bytes memory answer) = _targets[i].call(_calls[i]);
            succeeded.push(ok);
            answers.push(answer);
        }
    }

    function head() external view returns (IRollup.Head memory) {
        return _head;
    }
}

/// @title Stranger posts the blocks of the sequencer
/// @notice `post` makes the policy the caller of the rollup in the message. A stranger could try to
/// advance by blocks that the sequencer did not sign, to make the sequencer's batches fail, or to
/// get an honest sequencer slashed. And a sequencer could try to prevent a post.
contract PostedByAnyoneTest is HybridFixture {
    using L2 for L2.Chain;

    bytes32 internal genesisHash;

    function setUp() public override {
        super.setUp();
        genesisHash = l2.head.hash;
    }

    // ------------------------------------------------------------------ another rollup

    /// @dev Even if the sequencer signs for a hostile contract, nothing but that contract is opened
    /// to strangers.
    function test_hostile_rollup_cannot_open_real_one() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = sign(m);
        uint64 time = rollup.head().timestamp;
        HostileRollup hostile = new HostileRollup(m.blockHash);
        hostile.prepare(
            address(policy), abi.encodeCall(policy.post, (m, signature, inputs, none()))
        );
        hostile.prepare(address(rollup), advanceCall(inputs));
        hostile.prepare(address(policy), abi.encodeCall(policy.authorize, (address(policy), time)));

        m.rollup = address(hostile);
        post(m, sign(m), inputs);
        assertFalse(hostile.succeeded(0));
        assertEq(hostile.answers(0), abi.encodeWithSelector(HybridSequencing.Reentrancy.selector));
        assertFalse(hostile.succeeded(1));
        assertEq(hostile.answers(1), notSequencer(address(hostile), time));
        assertTrue(hostile.succeeded(2), "on its own behalf it is open");
        assertEq(rollup.head().number, 0);

        // Nothing remains open.
        vm.prank(address(hostile));
        vm.expectRevert(notSequencer(address(policy), time));
        policy.authorize(address(policy), time);
        vm.prank(address(rollup));
        vm.expectRevert(notSequencer(address(policy), time));
        policy.authorize(address(policy), time);
        post(inputs);
        assertHead();
    }

    function advanceCall(bytes[] memory inputs) internal view returns (bytes memory) {
        return abi.encodeCall(rollup.advance, (inputs, none()));
    }

    function notSequencer(address caller, uint64 headTimestamp)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeWithSelector(
            PermissionedSequencing.NotSequencer.selector,
            caller,
            sequencer,
            policy.opensAt(headTimestamp)
        );
    }

    /// @dev The message names the rollup: another rollup under the same policy is not advanced.
    function test_message_about_another_rollup_is_rejected() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        m.rollup = address(new HostileRollup(m.blockHash));
        bytes memory signature = sign(m);
        m.rollup = address(rollup);
        vm.prank(stranger);
        vm.expectPartialRevert(HybridSequencing.NotSignedBySequencer.selector);
        policy.post(m, signature, inputs, none());
        post(inputs);
        assertHead();
    }

    // ------------------------------------------------------------------ the sequencer's batches

    /// @dev The sequencer's transaction fails before it pays for EXECUTE, and its next blocks build
    /// on the same parent: no block is lost.
    function test_post_does_not_replace_same_blocks() public {
        bytes[] memory inputs = seal(2);
        bytes32 posted = l2.head.hash;
        skip(POST_DELAY + 1);
        uint256 snapshot = vm.snapshotState();
        post(inputs);
        assertPostedOnce(inputs, sequencer, posted);

        vm.revertToState(snapshot);
        advanceBy(sequencer, inputs);
        assertEq(rollup.blockHash(), posted);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = sign(m);
        expectPostRefused(m, signature, inputs, parentMismatch(posted));
        advanceBy(sequencer, seal(1));
        assertHead();
    }

    /// @dev Error of a block on the genesis, if the rollup has this head.
    function parentMismatch(bytes32 head) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IRollup.ParentHashMismatch.selector, genesisHash, head);
    }

    function assertPostedOnce(bytes[] memory inputs, address account, bytes32 posted) internal {
        assertEq(rollup.blockHash(), posted);
        expectAdvanceRefused(account, inputs, parentMismatch(posted));
        vm.prank(account);
        uint256 used = gasleft();
        (bool ok,) = address(rollup).call(advanceCall(inputs));
        used -= gasleft();
        assertFalse(ok);
        (,, uint64 charge) = L2.verify(inputs[0], "");
        assertLt(used, charge / 2);
        advanceBy(account, seal(1));
        assertHead();
    }

    // ------------------------------------------------------------------ withholding

    /// @dev A sequencer that posts nothing for 31 minutes and then another block pays for a delay
    /// only. A post at minute 5 makes that impossible.
    function test_withheld_blocks_are_posted_by_others() public {
        IL2.Head memory start = l2.head;
        bytes[] memory inputs = seal(1);
        IPreconfBonds.Signed memory s = signedHead();
        uint64 time = l2.head.timestamp;
        uint256 snapshot = vm.snapshotState();

        vm.warp(time + MAX_LAG / 2 + 1);
        accuseLate(s);
        assertEq(amountOf(sequencer), BOND - BOND / 20);
        vm.deal(sequencer, BOND);
        vm.prank(sequencer);
        bonds.deposit{value: BOND}(sequencer);
        l2.head = start;
        advanceBy(sequencer, one(l2.seal()));
        expectNotBroken(s, headerOfHead(), IPreconfBonds.PromiseEnded.selector);

        vm.revertToState(snapshot);
        vm.warp(time + POST_DELAY);
        post(inputs);
        l2.head = start;
        bytes[] memory other = one(l2.seal());
        vm.warp(time + MAX_LAG / 2 + 1);
        expectAdvanceRefused(sequencer, other, parentMismatch(s.message.blockHash));
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.HeadReached.selector, 1, 1));
        bonds.accuseLate(s, SALT);
    }

    // ------------------------------------------------------------------ blocks that are gone

    /// @dev An L1 reorg removed the L1 block of the anchor.
    function test_block_with_removed_anchor_is_rejected() public {
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        bytes[] memory inputs = one(l2.seal(anchor));
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = sign(m);
        skip(POST_DELAY);
        uint256 snapshot = vm.snapshotState();
        vm.setBlockhash(e.updates[0].l1BlockNumber, keccak256("another branch"));
        vm.prank(stranger);
        vm.expectPartialRevert(IRollup.AnchorMismatch.selector);
        policy.post(m, signature, inputs, e);
        vm.revertToState(snapshot);
        vm.prank(stranger);
        policy.post(m, signature, inputs, e);
        assertHead();
    }

    /// @dev After an outage, a sequencer signs another block for the same parent. Its promise about
    /// the first one has ended, but while the rollup still accepts that block, a stranger can post
    /// it, and breaks the second promise. Therefore a sequencer must wait until the first block is
    /// more than `MAX_LAG` old.
    function test_signer_waits_until_its_old_block_expires() public {
        IL2.Head memory start = l2.head;
        bytes[] memory old = seal(1);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = sign(m);
        bytes memory oldHeader = headerOfHead();
        uint64 time = l2.head.timestamp;
        uint256 snapshot = vm.snapshotState();

        l2.head = start;
        vm.warp(time + MAX_LAG - 12);
        seal(1);
        IPreconfBonds.Signed memory second = signedHead();
        vm.warp(time + MAX_LAG);
        post(m, signature, old);
        accuseBroken(second, oldHeader);
        assertEq(amountOf(sequencer), 0, "broken by a stranger");

        vm.revertToState(snapshot);
        l2.head = start;
        vm.warp(time + MAX_LAG + 1);
        bytes[] memory inputs = seal(1);
        second = signedHead();
        expectPostRefused(
            m,
            signature,
            old,
            abi.encodeWithSelector(IRollup.TimestampTooOld.selector, time, time + 1)
        );
        advanceBy(sequencer, inputs);
        assertHead();
    }

    // ------------------------------------------------------------------ handover

    /// @dev A successor is not bound by the promises of its predecessor, who has to stop signing
    /// before it offers its role.
    function test_successor_can_break_promises_of_its_predecessor() public {
        IL2.Head memory start = l2.head;
        seal(1);
        IPreconfBonds.Signed memory s = signedHead();
        uint64 time = l2.head.timestamp;
        address successor = vm.addr(uint256(keccak256("successor")));
        vm.deal(successor, BOND);
        vm.startPrank(successor);
        bonds.deposit{value: BOND}(successor);
        vm.stopPrank();
        vm.prank(sequencer);
        policy.offer(successor);
        vm.prank(successor);
        policy.take();
        l2.head = start;
        uint256 snapshot = vm.snapshotState();

        vm.warp(time + MAX_LAG / 2);
        advanceBy(successor, one(l2.seal()));
        expectNotBroken(s, headerOfHead(), IPreconfBonds.PromiseEnded.selector);
        vm.revertToState(snapshot);
        vm.warp(time + MAX_LAG / 2 - 1);
        advanceBy(successor, one(l2.seal()));
        accuseBroken(s, headerOfHead());
        assertEq(amountOf(sequencer), 0);
        assertEq(amountOf(successor), BOND);
    }
}
