// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {OwnedRollup} from "./OwnedRollup.sol";

/// @dev A new rollup may start from a genesis so old that its head counts as lost. An owner that
/// announces and clears a change before the first block would later make it despite pending exits.
contract OldGenesisTest is OwnedRollup {
    using L2 for L2.Chain;

    uint256 private constant POLICY_VALUE = 1;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.timestamp -= 61 days;
    }

    function expectPending() private {
        vm.expectPartialRevert(IRollup.StillPending.selector);
        rollup.clear(POLICY, POLICY_VALUE);
    }

    function test_change_before_first_block_waits_for_exits() public {
        announce(POLICY, POLICY_VALUE);
        expectPending();

        // Users come with the first block, and one of them exits.
        advance();
        submit(signedTransfer("alice", 0, 100 gwei));
        skip(UPGRADE_DELAY);
        expectPending();
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotCleared.selector, POLICY, POLICY_VALUE));
        rollup.make(POLICY, POLICY_VALUE);
    }

    function test_change_of_lost_rollup_is_cleared_after_window() public {
        announce(POLICY, POLICY_VALUE);
        submit(signedTransfer("alice", 0, 100 gwei));
        uint256 ready = rollup.readyAt(POLICY, POLICY_VALUE);
        uint256 until = rollup.announcements()[0].clearUntil;
        skip(until - vm.getBlockTimestamp());
        expectPending();
        skip(1);
        rollup.clear(POLICY, POLICY_VALUE);
        // The change is not later than without pending entries.
        assertEq(rollup.readyAt(POLICY, POLICY_VALUE), ready);
    }
}
