// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {StateProof} from "../../../contracts/libraries/StateProof.sol";
import {IRollup} from "../../../contracts/interfaces/IRollup.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {SmallTries} from "../../utils/SmallTries.sol";
import {TransactionTries} from "../../utils/TransactionTries.sol";
import {LieFixture} from "./LieFixture.sol";

/// @title Another block than the signed one is posted
/// @notice The rollup's own block is known by its hash: at the head from the contract, later from
/// the history contract of the L2. A promise ends; before that, nobody but the signer can break it.
contract BrokenPromisesTest is LieFixture {
    using L2 for L2.Chain;

    IL2.Head internal start;
    bytes[] internal all;
    bytes internal oneHeader;
    bytes internal twoHeader;

    function setUp() public override {
        super.setUp();
        start = l2.head;
        all.push(l2.sign(L2.transaction("alice", bob, 1, "")));
        all.push(l2.sign(L2.transaction("bob", alice, 2, "")));
        oneHeader = headerWith(1);
        twoHeader = headerWith(2);
    }

    /// @dev Returns the header of a block of the first transactions after the genesis.
    function headerWith(uint256 count) internal returns (bytes memory header) {
        l2.head = start;
        for (uint256 i = 0; i < count; ++i) {
            l2.raw(all[i]);
        }
        (, header) = sealed_();
    }

    /// @dev Posts a block of the first transactions.
    function post(uint256 count) internal {
        headerWith(count);
        rollup.advance(one(L2.inputOf(l2.head.hash)), none());
        nextL1Block();
    }

    function atHead(bytes memory header) internal pure returns (IPreconfBonds.Canonical memory c) {
        c.header = header;
    }

    /// @dev Proves a block by the state of the head.
    function proven(bytes memory header, uint64 number)
        internal
        returns (IPreconfBonds.Canonical memory c)
    {
        IL2.AccountProof memory p = l2.prove(HISTORY, bytes32(uint256(number % 8191)));
        c = IPreconfBonds.Canonical(header, l2.head.number, p.nodes, p.slots[0].nodes);
    }

    function prefix(bytes memory header) internal view returns (IPreconfBonds.Signed memory) {
        return signed(address(rollup), header, false);
    }

    function accuseBroken(
        IPreconfBonds.Signed memory s,
        IPreconfBonds.Canonical memory c,
        IPreconfBonds.TxProof memory proof
    ) internal {
        vm.prank(reporter);
        bonds.accuseBroken(s, c, proof, SALT);
    }

    function assertBroken(
        IPreconfBonds.Signed memory s,
        IPreconfBonds.Canonical memory c,
        IPreconfBonds.TxProof memory proof
    ) internal {
        uint256 snapshot = vm.snapshotState();
        accuseBroken(s, c, proof);
        assertEq(amountOf(sequencer), 0);
        vm.revertToState(snapshot);
    }

    /// @dev Requires that an accusation is refused with exactly this error, or with this selector.
    function expectRefused(
        IPreconfBonds.Signed memory s,
        IPreconfBonds.Canonical memory c,
        bytes memory error_
    ) internal {
        vm.prank(reporter);
        // The length is four.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (error_.length == 4) vm.expectPartialRevert(bytes4(error_));
        else vm.expectRevert(error_);
        bonds.accuseBroken(s, c, noProof(), SALT);
    }

    function expectRefused(
        IPreconfBonds.Signed memory s,
        IPreconfBonds.Canonical memory c,
        bytes4 selector
    ) internal {
        expectRefused(s, c, abi.encodePacked(selector));
    }

    function expectKept(
        IPreconfBonds.Signed memory s,
        IPreconfBonds.Canonical memory c,
        IPreconfBonds.TxProof memory proof
    ) internal {
        vm.prank(reporter);
        vm.expectRevert(IPreconfBonds.NotInConflict.selector);
        bonds.accuseBroken(s, c, proof, SALT);
    }

    /// @dev Proves what blocks of `ours` and `theirs` transactions have at an index below `ours`.
    function proofOf(uint256 index, uint256 ours, uint256 theirs)
        internal
        view
        returns (IPreconfBonds.TxProof memory proof)
    {
        // An index of a transaction in one block.
        // forge-lint: disable-next-line(unsafe-typecast)
        proof.index = uint32(index);
        (, proof.ours) = TransactionTries.prove(first(ours), index);
        if (index < theirs) (, proof.theirs) = TransactionTries.prove(first(theirs), index);
        // One transaction: the leaf is the root, and proves that there is no other.
        else (, proof.theirs) = TransactionTries.prove(first(theirs), 0);
    }

    function first(uint256 count) internal view returns (bytes[] memory part) {
        part = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            part[i] = all[i];
        }
    }

    function test_sealed_block_is_replaced() public {
        post(1);
        assertBroken(promised(twoHeader), atHead(oneHeader), noProof());
        expectKept(promised(oneHeader), atHead(oneHeader), noProof());
    }

    function test_prefix_may_only_be_extended() public {
        uint256 snapshot = vm.snapshotState();
        post(2);
        expectKept(prefix(oneHeader), atHead(twoHeader), proofOf(0, 1, 2));
        vm.revertToState(snapshot);
        post(1);
        assertBroken(prefix(twoHeader), atHead(oneHeader), proofOf(1, 2, 1));
        expectKept(prefix(twoHeader), atHead(oneHeader), proofOf(0, 2, 1));
    }

    function test_another_environment_breaks_prefix() public {
        skip(1);
        post(1);
        bytes memory later = l2.prove(alice).header;
        assertTrue(keccak256(later) != keccak256(oneHeader));
        assertBroken(prefix(oneHeader), atHead(later), noProof());
    }

    function test_promise_ends_after_half_of_lag() public {
        uint64 timestamp = l2.head.timestamp;
        uint256 snapshot = vm.snapshotState();
        skip(timestamp + MAX_LAG / 2 - vm.getBlockTimestamp());
        post(1);
        bytes memory later = l2.prove(alice).header;
        expectRefused(
            promised(twoHeader),
            atHead(later),
            abi.encodeWithSelector(
                IPreconfBonds.PromiseEnded.selector, timestamp + 1800, timestamp + 1800
            )
        );

        vm.revertToState(snapshot);
        skip(timestamp + MAX_LAG / 2 - 1 - vm.getBlockTimestamp());
        post(1);
        later = l2.prove(alice).header;
        assertBroken(promised(twoHeader), atHead(later), noProof());
    }

    function test_older_blocks_are_proven_by_history() public {
        post(1);
        uint64 number = rollup.head().number;
        advance();
        advance();
        IPreconfBonds.Canonical memory c = proven(oneHeader, number);
        assertBroken(promised(twoHeader), c, noProof());

        // It is not the head.
        expectRefused(promised(twoHeader), atHead(oneHeader), IPreconfBonds.NotCanonical.selector);
        // The slot of another block.
        IPreconfBonds.Canonical memory other = proven(oneHeader, number);
        other.slotProof = proven(oneHeader, number + 1).slotProof;
        expectRefused(promised(twoHeader), other, StateProof.NodeHashMismatch.selector);
        // Another account.
        other = proven(oneHeader, number);
        other.accountProof = l2.prove(alice).nodes;
        expectRefused(promised(twoHeader), other, StateProof.NodeHashMismatch.selector);
        assertBroken(promised(twoHeader), proven(oneHeader, number), noProof());
    }

    function test_witness_must_have_hash() public {
        post(1);
        uint64 number = rollup.head().number;
        advance();
        IPreconfBonds.Canonical memory c = proven(oneHeader, number);
        uint64[2] memory witnesses = [number, number + 8192];
        for (uint256 i = 0; i < 2; ++i) {
            c.witnessBlock = witnesses[i];
            expectRefused(
                promised(twoHeader),
                c,
                abi.encodeWithSelector(
                    IPreconfBonds.WitnessOutOfRange.selector, witnesses[i], number
                )
            );
        }
        c.witnessBlock = number + 1;
        assertBroken(promised(twoHeader), c, noProof());
    }

    /// @dev The last block whose state has the hash is 8,191 blocks later, and the rollup stores
    /// its state root for 8,190 more.
    function test_posted_block_is_provable_for_16381_blocks() public {
        post(1);
        uint64 number = rollup.head().number;
        uint64 witness = number + 8191;
        IPreconfBonds.Canonical memory c =
            IPreconfBonds.Canonical(oneHeader, witness, new bytes[](0), new bytes[](0));
        bytes32 root;
        (root, c.slotProof) =
            SmallTries.storageTrie(bytes32(uint256(number % 8191)), keccak256(oneHeader));
        (root, c.accountProof) = SmallTries.stateTrie(HISTORY, root);
        vm.store(address(rollup), bytes32(5 + uint256(witness % 8191)), root);
        setHeadNumber(number + 16_382);
        expectRefused(
            promised(twoHeader),
            c,
            abi.encodeWithSelector(IRollup.StateRootUnavailable.selector, witness, number + 16_382)
        );
        setHeadNumber(number + 16_381);
        assertBroken(promised(twoHeader), c, noProof());
    }

    function setHeadNumber(uint64 number) internal {
        uint256 word = uint256(vm.load(address(rollup), 0)) >> 48 << 48;
        vm.store(address(rollup), 0, bytes32(word | number));
    }

    /// @dev Not evidence: the sequencer was overtaken, and the promise has another parent.
    function test_another_parent_is_no_broken_promise() public {
        l2.head = start;
        advance();
        IL2.Head memory parent = l2.head;
        l2.raw(all[0]);
        (, bytes memory ours) = sealed_();
        l2.head = parent;
        advance();
        IPreconfBonds.Signed memory s = promised(withItem(ours, 0, abi.encode(bytes32(uint256(1)))));
        bytes memory theirs = l2.prove(alice).header;
        expectRefused(s, atHead(theirs), IPreconfBonds.ParentDiffers.selector);
        assertBroken(promised(ours), atHead(theirs), noProof());
    }

    /// @dev An L1 reorg removed the block on which the promise depended, and the sequencer built
    /// another one. Without the reorg, it would be slashed.
    function test_void_promise_cannot_be_broken() public {
        post(1);
        IPreconfBonds.Signed memory s = promised(twoHeader);
        uint64 number = uint64(vm.getBlockNumber()) - 3;
        (s.message.l1Block, s.message.l1Hash) = (number, blockhash(number));
        s = signed(s.message, s.header, key);
        assertBroken(s, atHead(oneHeader), noProof());
        bytes32 other = keccak256("another branch");
        vm.setBlockhash(number, other);
        expectRefused(
            s,
            atHead(oneHeader),
            abi.encodeWithSelector(
                IPreconfBonds.ConditionVoid.selector, number, other, s.message.l1Hash
            )
        );
    }
}
