// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev An account whose balance equals the maximum cost of its transaction can send it, so there
/// is no excuse for omitting it.
contract ExactBalanceTest is RealRollup {
    using L2 for L2.Chain;

    uint128 private constant FEE = 100 gwei;
    /// @dev Cost of a transfer of one wei.
    uint256 private constant COST = uint256(FORCED_GAS) * FEE + 1;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.fund(g, "rich enough", COST);
        L2.fund(g, "too poor", COST - 1);
    }

    /// @dev Submits a transfer, and waits until it is due.
    function submitted(string memory sender) private returns (IRollup.ForcedTransaction memory t) {
        t = submit(signedTransfer(sender, 0, FEE));
        assertEq(t.cost, COST);
        skip(FORCED_DELAY);
    }

    function test_sender_with_exact_cost_can_submit() public {
        IRollup.ForcedTransaction memory t = submitted("rich enough");
        bytes[] memory inputs = one(l2.seal());
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Invalid));
        vm.expectPartialRevert(IRollup.StillValid.selector);
        rollup.advance(inputs, e);
    }

    function test_sender_lacking_one_wei_cannot_submit() public {
        IRollup.ForcedTransaction memory t = submitted("too poor");
        bytes[] memory inputs = one(l2.seal());
        rollup.advance(inputs, one(discharge(t, IRollup.Outcome.Invalid)));
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
    }
}
