// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ForkedL1} from "../utils/ForkedL1.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

/// @dev A rollup with pinned forks whose owner is too late: L1 has forked. Pending entries can
/// never be included, so the change must not wait for them; and no account may use that to change
/// the rules of a rollup that still moves.
contract LostToForkTest is ForkedL1 {
    using L2 for L2.Chain;

    IRollup.Change internal constant FORK = IRollup.Change.Fork;
    IRollup.Change internal constant POLICY = IRollup.Change.Policy;

    function setUp() public override {
        mode = IRollup.ForkMode.Pinned;
        owner = makeAddr("owner");
        super.setUp();
        // The fork after Osaka is later than the end of the owner's delay.
        installExecute("l1=prague,osaka@1700010000,amsterdam@1710000000");
    }

    function genesisOf(uint16 schema) internal view returns (IL2.Genesis memory g) {
        g = genesis();
        g.schema = schema;
    }

    function value(uint16 schema, uint256 from) internal pure returns (uint256) {
        return from << 16 | schema;
    }

    function announce(IRollup.Change change, uint256 v) internal {
        vm.prank(owner);
        rollup.announce(change, v);
    }

    function make(IRollup.Change change, uint256 v) internal {
        vm.prank(owner);
        rollup.make(change, v);
    }

    function expectNotCleared(IRollup.Change change, uint256 v) internal {
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotCleared.selector, change, v));
        make(change, v);
    }

    /// @dev Returns the next block under a fork that is not in the schedule, without making it the
    /// head.
    function reportable(uint16 schema) internal returns (bytes[] memory inputs) {
        IL2.Head memory before = l2.head;
        uint16 schemaBefore = l2.schema;
        l2.schema = schema;
        inputs = one(sealNow());
        (l2.head, l2.schema) = (before, schemaBefore);
    }

    function report(uint16 schema) internal {
        bytes[] memory inputs = reportable(schema);
        vm.expectEmit(address(rollup));
        emit IRollup.ForkReported(schema, rollup.head().number);
        rollup.reportFork(inputs);
    }

    // ------------------------------------------------------------------ the way back

    /// @dev A message of 1 wei is pending, and can never be relayed.
    function test_late_owner_adds_fork_after_full_delay() public {
        advance();
        send(alice, 1, 0, "");
        hardfork(L2.OSAKA, OSAKA_AT);
        IL2.Head memory parent = l2.head;
        bytes[] memory old = one(sealNow());
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 16_000_000}(old, none());
        l2.head = parent;
        report(L2.OSAKA);
        uint256 from = vm.getBlockTimestamp() + UPGRADE_DELAY + 60;
        uint256 v = value(L2.OSAKA, from);
        announce(FORK, v);
        skip(UPGRADE_DELAY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.StillPending.selector, OSAKA_AT + 4 days + 17 hours)
        );
        rollup.clear(FORK, v);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NotReady.selector, OSAKA_AT + UPGRADE_DELAY));
        rollup.make(FORK, v);
        skip(1);
        make(FORK, v);
        skip(60);
        l2.schema = L2.OSAKA;
        bringOver();
        assertHead();
        // A timestamp of the test, far below 2^64.
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from)), L2.OSAKA);
    }

    /// @dev Exact to the second, from the report on.
    function test_delay_begins_with_report() public {
        send(alice, 1, 0, "");
        hardfork(L2.OSAKA, OSAKA_AT);
        uint256 v = value(L2.OSAKA, OSAKA_AT + 10 days);
        announce(FORK, v);
        skip(2 days);
        report(L2.OSAKA);
        skip(UPGRADE_DELAY - 1);
        expectNotCleared(FORK, v);
        skip(1);
        make(FORK, v);
    }

    // ------------------------------------------------------------------ what a report needs

    function test_report_requires_block_accepted_by_execute() public {
        uint256 state = vm.snapshotState();
        // One second before the fork of L1.
        hardfork(L2.PRAGUE, OSAKA_AT - 1);
        bytes[] memory inputs = reportable(L2.OSAKA);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.reportFork{gas: 16_000_000}(inputs);
        vm.revertToState(state);
        hardfork(L2.OSAKA, OSAKA_AT);
        inputs = reportable(L2.OSAKA);
        bytes[] memory forged =
            one(L2.broken(inputs[0], IL2.Field.StateRoot, keccak256("forged"), true));
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.reportFork{gas: 16_000_000}(forged);
        rollup.reportFork(inputs);
    }

    function test_reported_block_differs_from_head_only_in_fork() public {
        hardfork(L2.OSAKA, OSAKA_AT);
        bytes[] memory inputs = reportable(L2.OSAKA);
        IL2.Field[6] memory fields = [
            IL2.Field.ChainId,
            IL2.Field.ParentHash,
            IL2.Field.Number,
            IL2.Field.GasLimit,
            IL2.Field.Timestamp,
            IL2.Field.Anchor
        ];
        bytes4[6] memory errors = [
            IRollup.ChainIdMismatch.selector,
            IRollup.ParentHashMismatch.selector,
            IRollup.BlockNumberMismatch.selector,
            IRollup.GasLimitMismatch.selector,
            IRollup.TimestampNotAfterParent.selector,
            IRollup.AnchorMismatch.selector
        ];
        for (uint256 i = 0; i < 6; ++i) {
            bytes[] memory bad = one(L2.broken(inputs[0], fields[i], bytes32(uint256(7)), false));
            vm.expectPartialRevert(errors[i]);
            rollup.reportFork(bad);
        }
        vm.expectRevert(IRollup.NothingToAdvance.selector);
        rollup.reportFork(new bytes[](0));
        skip(MAX_LAG);
        uint256 state = vm.snapshotState();
        rollup.reportFork(inputs);
        vm.revertToState(state);
        skip(1);
        vm.expectPartialRevert(IRollup.TimestampTooOld.selector);
        rollup.reportFork(inputs);
    }

    function test_scheduled_or_unknown_fork_cannot_be_reported() public {
        hardfork(L2.OSAKA, OSAKA_AT);
        bytes[] memory good = reportable(L2.OSAKA);
        uint16[2] memory others = [L2.PRAGUE, 0x1601];
        bytes[] memory bad =
            one(L2.broken(good[0], IL2.Field.Schema, bytes32(uint256(others[0])), false));
        vm.expectRevert(abi.encodeWithSelector(IRollup.ForkNotLater.selector, L2.PRAGUE, L2.PRAGUE));
        rollup.reportFork(bad);
        bad = one(L2.broken(good[0], IL2.Field.Schema, bytes32(uint256(others[1])), false));
        vm.expectRevert(
            abi.encodeWithSelector(
                IRollup.SchemaNotSupported.selector, 0x1601, L2.PRAGUE, L2.AMSTERDAM
            )
        );
        rollup.reportFork(bad);
        rollup.reportFork(one(L2.batchOf(good)));
    }

    /// @dev Also for a batch: the schedule identifies forks by single inputs.
    function test_report_event_names_fork_and_head() public {
        advance();
        advance();
        hardfork(L2.OSAKA, OSAKA_AT);
        bytes[] memory batch = one(L2.batchOf(reportable(L2.OSAKA)));
        vm.expectEmit(address(rollup));
        emit IRollup.ForkReported(L2.OSAKA, 2);
        rollup.reportFork(batch);
    }

    /// @dev A repeated report would delay the change. After another block, or for a later fork, a
    /// report is new.
    function test_fork_is_reported_once_for_head() public {
        hardfork(L2.OSAKA, OSAKA_AT);
        bytes[] memory again = reportable(L2.OSAKA);
        report(L2.OSAKA);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ForkNotLater.selector, L2.OSAKA, L2.PRAGUE));
        rollup.reportFork(again);
        hardfork(L2.AMSTERDAM, 1_710_000_000);
        report(L2.AMSTERDAM);
        skip(UPGRADE_DELAY);
        installExecute("");
        advance();
        report(L2.OSAKA);
    }

    /// @dev Any account can post a block of Osaka under BPO1 and BPO2, where EXECUTE accepts it
    /// too.
    function test_report_under_same_rules_replaces_none() public {
        installExecute("l1=prague,osaka@1700010000,bpo1@1700010012,bpo2@1700010024");
        send(alice, 1, 0, "");
        hardfork(L2.OSAKA, OSAKA_AT);
        uint256 v = value(L2.OSAKA, OSAKA_AT + 8 days);
        announce(FORK, v);
        report(L2.OSAKA);
        for (uint16 schema = BPO1; schema <= BPO2; schema += 0x100) {
            skip(12);
            bytes[] memory inputs = reportable(schema);
            vm.expectRevert(
                abi.encodeWithSelector(IRollup.ForkNotLater.selector, schema, L2.PRAGUE)
            );
            rollup.reportFork(inputs);
        }
        skip(UPGRADE_DELAY - 24);
        make(FORK, v);
    }

    /// @dev The owner has announced Osaka, and L1 was at BPO2 when the first block was reported.
    function test_report_covers_only_forks_with_same_rules() public {
        installExecute("l1=prague,bpo2@1700010000,amsterdam@1710000000");
        send(alice, 1, 0, "");
        hardfork(BPO2, OSAKA_AT);
        uint256 from = OSAKA_AT + 8 days;
        announce(FORK, value(L2.OSAKA, from));
        announce(FORK, value(L2.AMSTERDAM, from));
        report(BPO2);
        skip(UPGRADE_DELAY);
        expectNotCleared(FORK, value(L2.AMSTERDAM, from));
        make(FORK, value(L2.OSAKA, from));
    }

    /// @dev A rollup with Osaka continues under BPO2.
    function test_fork_with_same_rules_is_not_reported() public {
        l2.create(genesisOf(L2.OSAKA));
        deploy();
        nextL1Block();
        installExecute("l1=bpo2");
        bytes[] memory inputs = reportable(BPO2);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ForkNotLater.selector, BPO2, L2.OSAKA));
        rollup.reportFork(inputs);
        rollup.advance(one(sealNow()), none());
    }

    // ------------------------------------------------------------------ what a report does not do

    /// @dev On an L1 that accepts both forks. The block shows that the rollup still moves.
    function test_block_after_report_voids_it() public {
        installExecute("");
        send(alice, 1, 0, "");
        skip(12);
        uint256 v = value(L2.OSAKA, vm.getBlockTimestamp() + 8 days);
        announce(FORK, v);
        report(L2.OSAKA);
        skip(UPGRADE_DELAY);
        uint256 state = vm.snapshotState();
        make(FORK, v);
        vm.revertToState(state);
        bringOver();
        expectNotCleared(FORK, v);
    }

    function test_report_clears_only_its_fork() public {
        send(alice, 1, 0, "");
        hardfork(L2.OSAKA, OSAKA_AT);
        report(L2.OSAKA);
        uint256 from = OSAKA_AT + 8 days;
        // An address with the same low bits.
        announce(POLICY, value(L2.OSAKA, from));
        announce(FORK, value(L2.AMSTERDAM, from));
        announce(FORK, value(L2.OSAKA, from));
        skip(UPGRADE_DELAY);
        expectNotCleared(POLICY, value(L2.OSAKA, from));
        expectNotCleared(FORK, value(L2.AMSTERDAM, from));
        make(FORK, value(L2.OSAKA, from));
    }

    function test_unreported_fork_waits_for_pending_entries() public {
        send(alice, 1, 0, "");
        hardfork(L2.OSAKA, OSAKA_AT);
        uint256 v = value(L2.OSAKA, OSAKA_AT + 20 days);
        announce(FORK, v);
        skip(10 days);
        expectNotCleared(FORK, v);
        report(L2.OSAKA);
        skip(UPGRADE_DELAY);
        make(FORK, v);
    }
}
