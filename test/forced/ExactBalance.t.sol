// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev An account that owns just what its transaction may cost can send it, so there is no excuse for
/// leaving it out.
contract ExactBalanceTest is RealRollup {
    using L2 for L2.Chain;

    uint128 private constant FEE = 1 ether / 21_000;
    /// @dev Of a transfer of one wei.
    uint256 private constant COST = 21_000 * uint256(FEE) + 1;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.fund(g, "rich enough", COST);
        L2.fund(g, "too poor", COST - 1);
    }

    function leaveOut(string memory sender) private returns (bytes[] memory, bytes memory) {
        INativeRollup.ForcedTransaction memory t = submit(signedTransfer(sender, 0, FEE));
        assertEq(t.cost, COST);
        skip(FORCED_DELAY);
        bytes[] memory inputs = one(l2.seal());
        return (inputs, abi.encode(one(discharge(t, INativeRollup.Outcome.Invalid))));
    }

    function test_who_owns_just_what_it_costs_can_send_it() public {
        (bytes[] memory inputs, bytes memory evidence) = leaveOut("rich enough");
        vm.expectPartialRevert(INativeRollup.StillValid.selector);
        rollup.advance(inputs, abi.decode(evidence, (INativeRollup.Evidence)));
    }

    function test_who_owns_a_wei_less_cannot() public {
        (bytes[] memory inputs, bytes memory evidence) = leaveOut("too poor");
        rollup.advance(inputs, abi.decode(evidence, (INativeRollup.Evidence)));
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
    }
}
