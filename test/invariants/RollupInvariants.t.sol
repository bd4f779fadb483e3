// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {RollupHandler} from "./RollupHandler.sol";

/// @dev Every call of the handler builds or uses real L2 blocks with the real EXECUTE. The handler
/// itself checks the invariants after each block: a call that reverts fails the run.
contract RollupInvariants is Test {
    RollupHandler internal handler;

    function setUp() public {
        handler = new RollupHandler();
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = handler.tick.selector;
        selectors[1] = handler.tick.selector;
        selectors[2] = handler.tick.selector;
        selectors[3] = handler.deposit.selector;
        selectors[4] = handler.withdraw.selector;
        selectors[5] = handler.claim.selector;
        selectors[6] = handler.force.selector;
        selectors[7] = handler.ownTransfer.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
        targetContract(address(handler));
        targetSender(makeAddr("fuzzer"));
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_the_chain_moves_and_owes_no_more_than_it_holds() public view {
        assertEq(handler.number(), 1 + handler.blocks());
    }

    /// @dev At the end of each run only, because it reads much state of the L2.
    function afterInvariant() public {
        handler.assertSolvent();
        handler.assertDelivered();
    }
}
