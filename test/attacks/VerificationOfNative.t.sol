// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {OwnedRollup} from "../governance/OwnedRollup.sol";

/// @title Attack: replacing what verifies the blocks of a native rollup
/// @notice The owner of a native rollup announces another verifier. If it came into force, the owner
/// could add blocks that EXECUTE rejects, and take all ETH of the escrow.
contract VerificationOfNativeTest is OwnedRollup {
    IRollup.Change private constant VERIFICATION = IRollup.Change.Verification;

    function testFuzz_invalid_values_cannot_be_announced(uint256 value) public {
        bytes memory invalid =
            abi.encodeWithSelector(IRollup.ChangeInvalid.selector, VERIFICATION, value);
        vm.prank(owner);
        vm.expectRevert(invalid);
        rollup.announce(VERIFICATION, value);
        assertEq(rollup.announcements().length, 0);
        bytes memory unknown =
            abi.encodeWithSelector(IRollup.NotAnnounced.selector, VERIFICATION, value);
        vm.expectRevert(unknown);
        rollup.clear(VERIFICATION, value);
        vm.prank(owner);
        vm.expectRevert(unknown);
        rollup.make(VERIFICATION, value);
        // Another kind of change with the same number.
        announce(GAS, value);
    }

    /// @dev Not even if an announcement stood in storage.
    function test_announcement_alone_changes_nothing() public {
        announce(POLICY, 1);
        untilReady(POLICY, 1);
        bytes32 first = keccak256(abi.encode(uint256(8199)));
        uint256 word = uint256(vm.load(address(rollup), first));
        assertEq(word & 0xff, uint8(POLICY));
        vm.store(address(rollup), first, bytes32(word | uint8(VERIFICATION)));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, VERIFICATION, 1));
        rollup.make(VERIFICATION, 1);
    }
}
