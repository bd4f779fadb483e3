// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {BondedSequencing} from "../../contracts/sequencing/BondedSequencing.sol";
import {LivenessTimeout} from "../../contracts/sequencing/LivenessTimeout.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {RotatingSequencing} from "../../contracts/sequencing/RotatingSequencing.sol";
import {BondRequirement} from "../../contracts/sequencing/preconf/BondRequirement.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {BondsFixture} from "./preconf/BondsFixture.sol";

/// @dev A real rollup whose sequencer needs a bond.
contract BondedSequencingTest is RealRollup, BondsFixture {
    using L2 for L2.Chain;

    uint64 internal constant TIMEOUT = MAX_LAG / 4 * 7;

    PermissionedSequencing internal inner;
    BondedSequencing internal policy;

    function setUp() public override {
        makeBonds();
        inner = new PermissionedSequencing(sequencer, L2.account("fees"), TIMEOUT);
        policy = new BondedSequencing(inner, TIMEOUT, bonds, BOND);
        super.setUp();
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.policy = address(policy);
    }

    function expectRefused(address account, bytes[] memory inputs, bytes memory error_) internal {
        vm.prank(account);
        vm.expectRevert(error_);
        rollup.advance(inputs, none());
    }

    function tooSmall(uint256 got) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(BondRequirement.BondTooSmall.selector, got, BOND);
    }

    function slash() internal {
        IPreconfBonds.Signed memory a = signed(address(rollup), headerOf(l2.head), true);
        l2.head.gasUsed += 1;
        accuse(a, signed(address(rollup), headerOf(l2.head), true), reporter);
        l2.head.gasUsed -= 1;
    }

    /// @dev Any account advances once the head is as old as the timeout, and not a second before.
    function assertOpensAfterTimeout(bytes memory before) internal {
        skip(rollup.head().timestamp + TIMEOUT - 1 - vm.getBlockTimestamp());
        bytes[] memory inputs = one(l2.seal());
        expectRefused(sequencer, inputs, before);
        skip(1);
        uint256 snapshot = vm.snapshotState();
        vm.prank(alice);
        rollup.advance(inputs, none());
        assertHead();
        vm.revertToState(snapshot);
        vm.prank(sequencer);
        rollup.advance(inputs, none());
        assertHead();
    }

    function test_sequencer_with_bond_advances() public {
        bytes[] memory inputs = one(l2.seal());
        expectRefused(
            alice,
            inputs,
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector,
                alice,
                sequencer,
                policy.opensAt(rollup.head().timestamp)
            )
        );
        vm.prank(sequencer);
        rollup.advance(inputs, none());
        assertHead();
        assertEq(policy.authorize(sequencer, uint64(vm.getBlockTimestamp())), L2.account("fees"));
    }

    function test_requested_bond_does_not_count() public {
        bytes[] memory inputs = one(l2.seal());
        vm.prank(sequencer);
        bonds.requestWithdrawal();
        expectRefused(sequencer, inputs, tooSmall(0));
        vm.prank(sequencer);
        bonds.cancelWithdrawal();
        vm.prank(sequencer);
        rollup.advance(inputs, none());
        assertHead();
        vm.prank(sequencer);
        bonds.requestWithdrawal();
        assertOpensAfterTimeout(tooSmall(0));
    }

    function test_withdrawn_bond_does_not_count() public {
        vm.prank(sequencer);
        bonds.requestWithdrawal();
        skip(bonds.WITHDRAWAL_DELAY());
        vm.prank(sequencer);
        bonds.withdraw(payable(sequencer));
        uint64 head = uint64(vm.getBlockTimestamp());
        vm.expectRevert(tooSmall(0));
        policy.authorize(sequencer, head);
        vm.prank(sequencer);
        bonds.deposit{value: BOND}(sequencer);
        assertEq(policy.authorize(sequencer, head), L2.account("fees"));
    }

    function test_slashed_sequencer_loses_its_role() public {
        slash();
        assertOpensAfterTimeout(tooSmall(0));
    }

    function testFuzz_bond_has_minimum(uint128 missing) public {
        missing = uint128(bound(missing, 0, BOND));
        policy = new BondedSequencing(inner, TIMEOUT, bonds, BOND + missing);
        uint64 head = uint64(vm.getBlockTimestamp());
        if (missing != 0) {
            vm.expectRevert(
                abi.encodeWithSelector(BondRequirement.BondTooSmall.selector, BOND, BOND + missing)
            );
        }
        policy.authorize(sequencer, head);
    }

    /// @dev Each member needs a bond of its own.
    function test_members_who_take_turns_need_bonds() public {
        address[] memory members = new address[](2);
        (members[0], members[1]) = (sequencer, alice);
        uint64 start = uint64(vm.getBlockTimestamp());
        RotatingSequencing rotating = new RotatingSequencing(members, start, 60, TIMEOUT);
        policy = new BondedSequencing(rotating, TIMEOUT, bonds, BOND);
        assertEq(policy.authorize(sequencer, start), address(0));
        skip(60);
        vm.expectRevert(tooSmall(0));
        policy.authorize(alice, start);
        vm.deal(alice, BOND);
        vm.prank(alice);
        bonds.deposit{value: BOND}(alice);
        assertEq(policy.authorize(alice, start), address(0));
    }

    function test_timeout_equals_inner_policy() public {
        vm.expectRevert(
            abi.encodeWithSelector(BondedSequencing.TimeoutDiffers.selector, TIMEOUT + 1, TIMEOUT)
        );
        new BondedSequencing(inner, TIMEOUT + 1, bonds, BOND);
        vm.expectRevert(LivenessTimeout.TimeoutZero.selector);
        new BondedSequencing(inner, 0, bonds, BOND);
        vm.expectRevert(BondedSequencing.BondsZero.selector);
        new BondedSequencing(inner, TIMEOUT, IPreconfBonds(address(0)), 0);
        vm.expectRevert(abi.encodeWithSelector(BondRequirement.BondInconsistent.selector, bonds, 0));
        new BondedSequencing(inner, TIMEOUT, bonds, 0);
        policy = new BondedSequencing(inner, TIMEOUT, bonds, 1);
        assertEq(address(policy.INNER()), address(inner));
        assertEq(policy.TIMEOUT(), TIMEOUT);
    }
}
