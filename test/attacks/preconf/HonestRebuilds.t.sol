// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {IL2} from "../../utils/IL2.sol";
import {BondsFixture} from "../../sequencing/preconf/BondsFixture.sol";

/// @dev What the registry reads from a rollup.
contract LagOnly {
    uint64 public constant MAX_LAG = 3600;
}

/// @title Somebody tries to slash a sequencer that had to sign a height twice
/// @notice After an L1 reorg, after an outage, or after it was overtaken, an honest sequencer signs
/// another block of the same height. Two such messages look like an equivocation. Each refusal has
/// a neighbour in which the sequencer had no reason, and is slashed.
contract HonestRebuildsTest is Test, BondsFixture {
    uint64 internal constant TIME = 1_700_000_000;
    address internal rollup = address(new LagOnly());

    function setUp() public {
        vm.roll(1000);
        vm.warp(TIME);
        makeBonds();
    }

    /// @dev Signs a sealed block with the condition that L1 block `l1Block` has this hash.
    function block_(uint64 time, address coinbase, uint64 l1Block, bytes32 l1Hash)
        internal
        view
        returns (IPreconfBonds.Signed memory)
    {
        IL2.Head memory head;
        (head.number, head.timestamp, head.feeRecipient) = (7, time, coinbase);
        bytes memory header = headerOf(head);
        IPreconfBonds.Preconfirmation memory m = messageOf(rollup, header, true);
        (m.l1Block, m.l1Hash) = (l1Block, l1Hash);
        return signed(m, header, key);
    }

    function expectVoid(
        IPreconfBonds.Signed memory a,
        IPreconfBonds.Signed memory b,
        IPreconfBonds.Signed memory void_
    ) internal {
        bytes32 got = blockhash(void_.message.l1Block);
        bytes memory error_ = abi.encodeWithSelector(
            IPreconfBonds.ConditionVoid.selector, void_.message.l1Block, got, void_.message.l1Hash
        );
        vm.prank(reporter);
        vm.expectRevert(error_);
        bonds.accuseEquivocation(a, b, noProof(), SALT);
    }

    /// @dev In each history of L1, one of the two is void, also if L1 returns to the first branch.
    function test_rebuild_after_reorg_is_no_fault() public {
        bytes32 first = keccak256("first branch");
        bytes32 second = keccak256("second branch");
        vm.setBlockhash(996, first);
        IPreconfBonds.Signed memory a = block_(TIME, address(1), 996, first);
        vm.setBlockhash(996, second);
        vm.setBlockhash(998, keccak256("on the second branch"));
        IPreconfBonds.Signed memory b =
            block_(TIME, address(2), 998, keccak256("on the second branch"));
        expectVoid(a, b, a);
        expectVoid(b, a, a);

        uint256 snapshot = vm.snapshotState();
        vm.setBlockhash(996, first);
        vm.setBlockhash(998, keccak256("on the first branch"));
        expectVoid(a, b, b);

        // Neighbour: no reorg, so both are in force.
        vm.revertToState(snapshot);
        vm.setBlockhash(996, first);
        vm.setBlockhash(998, keccak256("on the second branch"));
        accuse(a, b, reporter);
        assertEq(amountOf(sequencer), 0);
    }

    function test_rebuild_after_outage_is_no_fault() public {
        IPreconfBonds.Signed memory a = block_(TIME, address(1), 0, 0);
        IPreconfBonds.Signed memory b = block_(TIME + 1800, address(1), 0, 0);
        bytes memory ended =
            abi.encodeWithSelector(IPreconfBonds.PromiseEnded.selector, TIME + 1800, TIME + 1800);
        vm.startPrank(reporter);
        vm.expectRevert(ended);
        bonds.accuseEquivocation(a, b, noProof(), SALT);
        vm.expectRevert(ended);
        bonds.accuseEquivocation(b, a, noProof(), SALT);
        vm.stopPrank();

        b = block_(TIME + 1799, address(1), 0, 0);
        accuse(b, a, reporter);
        assertEq(amountOf(sequencer), 0);
    }

    function test_block_on_another_parent_is_no_fault() public {
        IPreconfBonds.Signed memory a = block_(TIME, address(1), 0, 0);
        IL2.Head memory head;
        (head.number, head.timestamp) = (7, TIME);
        head.parentHash = keccak256("overtaken");
        IPreconfBonds.Signed memory b = signed(rollup, headerOf(head), true);
        vm.prank(reporter);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPreconfBonds.ParentDiffers.selector, bytes32(0), head.parentHash
            )
        );
        bonds.accuseEquivocation(a, b, noProof(), SALT);

        head.parentHash = 0;
        accuse(a, signed(rollup, headerOf(head), true), reporter);
        assertEq(amountOf(sequencer), 0);
    }

    /// @dev The same promise under another condition, e.g. after a restart.
    function test_same_block_twice_is_no_fault() public {
        IPreconfBonds.Signed memory a = block_(TIME, address(1), 0, 0);
        IPreconfBonds.Signed memory b = block_(TIME, address(1), 998, blockhash(998));
        vm.prank(reporter);
        vm.expectRevert(IPreconfBonds.NotInConflict.selector);
        bonds.accuseEquivocation(a, b, noProof(), SALT);
        accuse(b, block_(TIME, address(2), 0, 0), reporter);
        assertEq(amountOf(sequencer), 0);
    }
}
