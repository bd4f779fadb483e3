// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {HybridSequencing} from "../../contracts/sequencing/HybridSequencing.sol";
import {LivenessTimeout} from "../../contracts/sequencing/LivenessTimeout.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {BondRequirement} from "../../contracts/sequencing/preconf/BondRequirement.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {HybridFixture} from "./preconf/HybridFixture.sol";

/// @dev The sequencer advances, and any account posts blocks that the sequencer signed.
contract HybridSequencingTest is HybridFixture {
    using L2 for L2.Chain;

    function test_sequencer_advances_and_strangers_do_not() public {
        bytes[] memory inputs = seal(1);
        expectNotSequencer(stranger, inputs);
        advanceBy(sequencer, inputs);
        assertHead();
    }

    // ------------------------------------------------------------------ posts

    function test_stranger_posts_what_sequencer_sealed() public {
        bytes[] memory inputs = seal(3);
        skip(POST_DELAY + 2);
        expectNotSequencer(stranger, inputs);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = sign(m);
        vm.expectEmit(true, true, true, false, address(rollup));
        emit IRollup.Advanced(1, 3, address(policy), 0, 0);
        post(m, signature, inputs);
        assertHead();
        // The policy is as before.
        inputs = seal(1);
        expectNotSequencer(stranger, inputs);
        advanceBy(sequencer, inputs);
        assertHead();
    }

    function test_batch_is_posted_in_calldata_or_blobs() public {
        bytes[] memory inputs = one(L2.batchOf(seal(3)));
        skip(POST_DELAY + 2);
        uint256 snapshot = vm.snapshotState();
        post(inputs);
        assertHead();
        vm.revertToState(snapshot);
        BlobInputs.install();
        bytes[] memory posted = BlobInputs.post(inputs, 0);
        assertLt(posted[0].length, inputs[0].length);
        post(posted);
        assertHead();
    }

    function test_posted_blocks_have_required_fee_recipient() public {
        IL2.Head memory start = l2.head;
        l2.feeRecipient = stranger;
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        expectPostRefused(
            inputs,
            abi.encodeWithSelector(
                IRollup.FeeRecipientMismatch.selector, stranger, L2.account("fees")
            )
        );
        (l2.feeRecipient, l2.head) = (L2.account("fees"), start);
        inputs = seal(1);
        skip(POST_DELAY);
        post(inputs);
        assertHead();
    }

    function test_prefix_is_not_posted() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        m.isSealed = false;
        expectPostRefused(
            m, sign(m), inputs, abi.encodeWithSelector(HybridSequencing.NotSealed.selector)
        );
        // The signature covers this field.
        bytes memory signature = sign(m);
        m.isSealed = true;
        vm.prank(stranger);
        vm.expectPartialRevert(HybridSequencing.NotSignedBySequencer.selector);
        policy.post(m, signature, inputs, none());
        post(inputs);
        assertHead();
    }

    function test_post_waits_for_its_delay() public {
        bytes[] memory inputs = seal(2);
        uint256 from = l2.head.timestamp + POST_DELAY;
        vm.warp(from - 1);
        expectPostRefused(
            inputs, abi.encodeWithSelector(HybridSequencing.PostTooSoon.selector, from)
        );
        vm.warp(from);
        post(inputs);
        assertHead();
    }

    /// @dev Blocks that the sequencer did not sign, after a signed one; or a part of the signed
    /// ones.
    function test_last_block_is_signed_one() public {
        bytes[] memory inputs = new bytes[](2);
        inputs[0] = sealOne();
        bytes32 first = l2.head.hash;
        inputs[1] = sealOne();
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = sign(m);
        bytes[] memory more = new bytes[](3);
        (more[0], more[1], more[2]) = (inputs[0], inputs[1], sealOne());
        skip(POST_DELAY + 2);
        expectPostRefused(m, signature, more, otherBlock(l2.head.hash, m.blockHash));
        expectPostRefused(m, signature, one(inputs[0]), otherBlock(first, m.blockHash));
        post(m, signature, inputs);
        assertEq(rollup.blockHash(), m.blockHash);
    }

    function otherBlock(bytes32 got, bytes32 expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(HybridSequencing.OtherBlock.selector, got, expected);
    }

    function test_void_message_posts_nothing() public {
        bytes[] memory inputs = seal(1);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        uint64 number = uint64(vm.getBlockNumber()) - 2;
        (m.l1Block, m.l1Hash) = (number, blockhash(number));
        bytes memory signature = sign(m);
        skip(POST_DELAY);
        bytes32 other = keccak256("another branch");
        uint256 snapshot = vm.snapshotState();
        vm.setBlockhash(number, other);
        expectPostRefused(
            m,
            signature,
            inputs,
            abi.encodeWithSelector(IPreconfBonds.ConditionVoid.selector, number, other, m.l1Hash)
        );
        vm.revertToState(snapshot);
        post(m, signature, inputs);
        assertHead();
    }

    // ------------------------------------------------------------------ signers

    function notSigned(address signer) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            HybridSequencing.NotSignedBySequencer.selector, signer, policy.sequencer()
        );
    }

    function test_only_signatures_of_sequencer_count() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        uint256 other = uint256(keccak256("stranger"));
        expectPostRefused(m, signatureOf(bonds.hashOf(m), other), inputs, notSigned(vm.addr(other)));
        bytes memory invalid = abi.encodeWithSelector(IPreconfBonds.SignatureInvalid.selector);
        expectPostRefused(m, "", inputs, invalid);
        expectPostRefused(m, new bytes(65), inputs, invalid);
        post(m, sign(m), inputs);
        assertHead();
    }

    function test_registered_signer_signs_for_sequencer() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        uint256 hot = uint256(keccak256("hot key"));
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory signature = signatureOf(bonds.hashOf(m), hot);
        expectPostRefused(m, signature, inputs, notSigned(vm.addr(hot)));
        setSigner(hot, stranger);
        expectPostRefused(m, signature, inputs, notSigned(vm.addr(hot)));

        hot = uint256(keccak256("another hot key"));
        setSigner(hot, sequencer);
        post(m, signatureOf(bonds.hashOf(m), hot), inputs);
        assertHead();
    }

    /// @dev After a handover, the signatures of the predecessor post nothing.
    function test_signature_of_predecessor_does_not_count() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        uint256 snapshot = vm.snapshotState();
        vm.prank(sequencer);
        policy.offer(stranger);
        vm.prank(stranger);
        policy.take();
        expectPostRefused(inputs, notSigned(sequencer));
        vm.revertToState(snapshot);
        post(inputs);
        assertHead();
    }

    function test_domain_is_that_of_bonds() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        assertEq(this.hashIn(m, address(bonds)), bonds.hashOf(m));
        bytes memory signature = signatureOf(this.hashIn(m, address(rollup)), key);
        vm.prank(stranger);
        vm.expectPartialRevert(HybridSequencing.NotSignedBySequencer.selector);
        policy.post(m, signature, inputs, none());
        post(m, sign(m), inputs);
        assertHead();
    }

    // ------------------------------------------------------------------ outages

    /// @dev After `TIMEOUT` any account may advance, and sealed blocks can still be posted.
    function test_after_outage_anyone_advances_or_posts() public {
        skip(rollup.head().timestamp + TIMEOUT - MAX_LAG - vm.getBlockTimestamp());
        bytes[] memory inputs = seal(1);
        skip(rollup.head().timestamp + TIMEOUT - 1 - vm.getBlockTimestamp());
        expectNotSequencer(stranger, inputs);
        skip(1);
        uint256 snapshot = vm.snapshotState();
        post(inputs);
        assertHead();
        vm.revertToState(snapshot);
        advanceBy(stranger, inputs);
        assertHead();
    }

    // ------------------------------------------------------------------ bonds

    function test_sequencer_needs_its_bond() public {
        IL2.Head memory start = l2.head;
        bytes[] memory inputs = seal(1);
        requestWithdrawal();
        uint256 snapshot = vm.snapshotState();
        expectAdvanceRefused(sequencer, inputs, bondTooSmall(0, BOND));
        vm.prank(sequencer);
        bonds.cancelWithdrawal();
        advanceBy(sequencer, inputs);
        assertHead();

        vm.revertToState(snapshot);
        slash();
        expectAdvanceRefused(sequencer, inputs, bondTooSmall(0, BOND));
        // Open after the timeout, to the sequencer too.
        l2.head = start;
        skip(rollup.head().timestamp + TIMEOUT - vm.getBlockTimestamp());
        inputs = seal(1);
        snapshot = vm.snapshotState();
        advanceBy(sequencer, inputs);
        assertHead();
        vm.revertToState(snapshot);
        advanceBy(stranger, inputs);
        assertHead();
    }

    /// @dev Otherwise a request of a withdrawal would end all promises, and cost nothing.
    function test_blocks_are_posted_despite_withdrawal_request() public {
        bytes[] memory inputs = seal(1);
        requestWithdrawal();
        skip(POST_DELAY);
        expectAdvanceRefused(sequencer, inputs, bondTooSmall(0, BOND));
        post(inputs);
        assertHead();
    }

    /// @dev The bond was slashed, and the sequencer deposits again.
    /// forge-config: default.fuzz.runs = 16
    function testFuzz_posting_needs_tenth_of_bond(uint256 left) public {
        left = bound(left, 0, BOND / 5);
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        slash();
        vm.deal(sequencer, left);
        vm.prank(sequencer);
        bonds.deposit{value: left}(sequencer);
        if (left < BOND / 10) {
            expectPostRefused(inputs, bondTooSmall(left, BOND / 10));
        } else {
            post(inputs);
            assertHead();
        }
    }

    // ------------------------------------------------------------------ deployment

    function test_bonds_have_minimum() public {
        IPreconfBonds none_ = IPreconfBonds(address(0));
        vm.expectRevert(abi.encodeWithSelector(BondRequirement.BondInconsistent.selector, bonds, 0));
        new HybridSequencing(sequencer, address(0), TIMEOUT, POST_DELAY, bonds, 0);
        vm.expectRevert(
            abi.encodeWithSelector(BondRequirement.BondInconsistent.selector, address(0), 1)
        );
        new HybridSequencing(sequencer, address(0), TIMEOUT, POST_DELAY, none_, 1);
        vm.expectRevert(LivenessTimeout.TimeoutZero.selector);
        new HybridSequencing(sequencer, address(0), 0, POST_DELAY, bonds, 1);
        vm.expectRevert(PermissionedSequencing.SequencerZero.selector);
        new HybridSequencing(address(0), address(0), TIMEOUT, POST_DELAY, bonds, 1);
        policy = new HybridSequencing(sequencer, address(1), TIMEOUT, POST_DELAY, bonds, 1);
        assertEq(address(policy.BONDS()), address(bonds));
        assertEq(policy.MIN_BOND(), 1);
        assertEq(policy.POST_DELAY(), POST_DELAY);
        assertEq(policy.FEE_RECIPIENT(), address(1));
    }
}

/// @dev Without a registry of bonds.
contract HybridWithoutBondsTest is HybridFixture {
    using L2 for L2.Chain;

    function makePolicy() internal override returns (HybridSequencing) {
        return new HybridSequencing(
            sequencer, address(0), TIMEOUT, POST_DELAY, IPreconfBonds(address(0)), 0
        );
    }

    function test_domain_is_that_of_rollup() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes memory other = sign(m);
        vm.prank(stranger);
        vm.expectPartialRevert(HybridSequencing.NotSignedBySequencer.selector);
        policy.post(m, other, inputs, none());
        post(m, signatureOf(this.hashIn(m, address(rollup)), key), inputs);
        assertHead();
    }

    function test_sequencer_needs_no_bond() public {
        requestWithdrawal();
        advanceBy(sequencer, seal(1));
        assertHead();
    }

    /// @dev A signer that is registered in some registry is not the sequencer here.
    function test_registered_signers_do_not_count() public {
        bytes[] memory inputs = seal(1);
        skip(POST_DELAY);
        uint256 hot = uint256(keccak256("hot key"));
        setSigner(hot, sequencer);
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        bytes32 digest = this.hashIn(m, address(rollup));
        expectPostRefused(
            m,
            signatureOf(digest, hot),
            inputs,
            abi.encodeWithSelector(
                HybridSequencing.NotSignedBySequencer.selector, vm.addr(hot), sequencer
            )
        );
        post(m, signatureOf(digest, key), inputs);
        assertHead();
    }
}
