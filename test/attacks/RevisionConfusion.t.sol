// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L2} from "../utils/L2.sol";
import {ForkedL1} from "../utils/ForkedL1.sol";

/// @title Blocks under the revision of another kind of L2
/// @notice There are L2s with EXECUTE and L2s without. An L1 whose EXECUTE verifies both accepts a
/// block that does not call EXECUTE under either revision, and a block that calls it has two
/// results: the address is a precompile, or an empty account. The caller chooses the revision in
/// the input. So the rollup fixes it at deployment, and every fork keeps it.
contract RevisionConfusionTest is ForkedL1 {
    using L2 for L2.Chain;

    uint16 internal constant PRAGUE_NESTED = 0x1102;
    uint16 internal constant OSAKA_NESTED = 0x1202;

    bool internal isNested;

    function setUp() public override {
        super.setUp();
        installExecute(
            "dialect=nested,l1=prague,osaka@1700010000,bpo2@1700020000,amsterdam@1700030000"
        );
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        if (isNested) c.schema = PRAGUE_NESTED;
    }

    /// @dev Returns the input under the revision of an L2 with EXECUTE.
    function nested(bytes memory input) internal pure returns (bytes[] memory) {
        input[1] = 0x02;
        return one(input);
    }

    function expectMismatch(bytes[] memory inputs, uint16 got, uint16 expected) internal {
        vm.expectRevert(abi.encodeWithSelector(IRollup.SchemaMismatch.selector, got, expected));
        rollup.advance(inputs, none());
    }

    function test_rollup_without_execute_rejects_nested_inputs() public {
        uint8 modes = uint8(type(IRollup.ForkMode).max);
        for (uint8 m = 0; m <= modes; ++m) {
            restart(IRollup.ForkMode(m));
            bytes memory input = sealNow();
            expectMismatch(nested(bytes.concat(input)), PRAGUE_NESTED, L2.PRAGUE);
            rollup.advance(one(input), none());
            assertHead();
        }
    }

    function test_nested_rollup_rejects_inputs_without_execute() public {
        isNested = true;
        uint8 modes = uint8(type(IRollup.ForkMode).max);
        for (uint8 m = 0; m <= modes; ++m) {
            restart(IRollup.ForkMode(m));
            assertEq(rollup.schemaAt(0), PRAGUE_NESTED);
            bytes memory input = sealNow();
            expectMismatch(one(input), L2.PRAGUE, PRAGUE_NESTED);
            bytes[] memory batch = one(L2.batchOf(one(input)));
            expectMismatch(batch, 0x11ba, PRAGUE_NESTED);
            rollup.advance(nested(input), none());
            assertHead();
        }
    }

    function test_forks_of_l1_keep_revision() public {
        isNested = true;
        for (uint8 m = 0; m < 2; ++m) {
            IRollup.ForkMode following =
                m == 0 ? IRollup.ForkMode.Follow : IRollup.ForkMode.Registry;
            restart(following);
            rollup.advance(nested(sealNow()), none());
            nextL1Block();
            uint256 snapshot = vm.snapshotState();
            hardfork(L2.OSAKA, OSAKA_AT);
            l2.schema = L2.OSAKA;
            bytes memory input = sealNow();
            uint16 expected = m == 0 ? PRAGUE_NESTED : OSAKA_NESTED;
            expectMismatch(one(input), L2.OSAKA, expected);
            rollup.advance(nested(input), none());
            assertEq(rollup.schemaAt(uint64(OSAKA_AT)), OSAKA_NESTED);
            assertHead();
            vm.revertToState(snapshot);
            registry.set(L2.PRAGUE);
        }
    }

    /// @dev A report with the other revision would prevent the right one, whose schema id is lower.
    function test_fork_report_has_revision_of_rollup() public {
        restart(IRollup.ForkMode.Pinned);
        hardfork(L2.OSAKA, OSAKA_AT);
        l2.schema = L2.OSAKA;
        bytes memory input = sealNow();
        bytes[] memory other = nested(bytes.concat(input));
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.SchemaMismatch.selector, OSAKA_NESTED, L2.PRAGUE)
        );
        rollup.reportFork(other);
        rollup.reportFork(one(input));
    }
}
