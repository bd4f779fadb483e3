// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ForkedL1} from "../utils/ForkedL1.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

/// @title Fork of L1 that freezes a rollup, or forks that a caller could choose
/// @notice A rollup that pins the schema of its blocks is frozen by the next fork of L1: EXECUTE
/// rejects the old schema, and the rollup rejects the new one. Deposits are still accepted, but
/// nothing can be withdrawn. A rollup that accepts any schema would let its callers choose the
/// rules. Here a rollup without an owner accepts what EXECUTE accepts at the timestamp of the
/// block, which is the fork that L1 had then.
contract ForksOfL1Test is ForkedL1 {
    using L2 for L2.Chain;

    /// @dev Returns the schemas of L1, and the times from which L1 has them.
    function schedule() internal pure returns (uint16[4] memory schemas, uint64[4] memory times) {
        schemas = [L2.PRAGUE, L2.OSAKA, BPO2, L2.AMSTERDAM];
        times = [0, OSAKA_AT, BPO2_AT, AMSTERDAM_AT];
    }

    function test_ownerless_rollup_passes_all_forks_of_l1() public {
        send(alice, 5 ether, 0, "");
        nextL1Block();
        bringOver();
        (uint16[4] memory schemas, uint64[4] memory times) = schedule();
        for (uint256 i = 1; i < 4; ++i) {
            hardfork(schemas[i], times[i]);
            l2.schema = schemas[i];
            rollup.advance(one(sealNow()), none());
            assertHead();
            assertEq(rollup.schemaAt(times[i]), schemas[i]);
            nextL1Block();
            // Messages continue as well.
            send(alice, 1 ether, 0, "");
            nextL1Block();
            bringOver();
        }
        assertEq(rollup.owner(), address(0));
    }

    /// @dev The first block of a fork has the timestamp from which L1 has it; earlier blocks have
    /// earlier forks.
    function test_fork_activates_at_l1_timestamp() public {
        (uint16[4] memory schemas, uint64[4] memory times) = schedule();
        for (uint256 i = 1; i < 4; ++i) {
            hardfork(schemas[i], times[i]);
            IL2.Head memory before = l2.head;
            l2.schema = schemas[i];
            expectRefusedByExecute(sealAt(times[i] - 1));
            l2.head = before;
            rollup.advance(one(sealAt(times[i])), none());
            assertHead();
        }
    }

    /// @dev Neither for other rules nor for another layout.
    function test_block_after_l1_fork_cannot_use_earlier_rules() public {
        uint16[2] memory old = [L2.PRAGUE, BPO2];
        uint16[2] memory new_ = [L2.OSAKA, L2.AMSTERDAM];
        uint64[2] memory times = [OSAKA_AT, AMSTERDAM_AT];
        for (uint256 i = 0; i < 2; ++i) {
            hardfork(new_[i], times[i]);
            IL2.Head memory before = l2.head;
            l2.schema = old[i];
            expectRefusedByExecute(sealNow());
            l2.head = before;
            l2.schema = new_[i];
            rollup.advance(one(sealNow()), none());
            assertHead();
            if (i == 0) {
                hardfork(BPO2, BPO2_AT);
                l2.schema = BPO2;
                rollup.advance(one(sealNow()), none());
            }
        }
    }

    /// @dev A transaction with blocks from before and after a fork, as one batch for each.
    function test_blocks_from_before_fork_verify_after_it() public {
        bytes[] memory before = new bytes[](2);
        before[0] = sealAt(OSAKA_AT - 10);
        before[1] = sealAt(OSAKA_AT - 1);
        l2.schema = L2.OSAKA;
        bytes[] memory later = new bytes[](2);
        later[0] = sealAt(OSAKA_AT);
        later[1] = sealAt(OSAKA_AT + 1);
        bytes[] memory inputs = new bytes[](2);
        inputs[0] = L2.batchOf(before);
        inputs[1] = L2.batchOf(later);
        hardfork(L2.OSAKA, OSAKA_AT + MAX_LAG - 10);
        rollup.advance(inputs, none());
        assertHead();
        assertEq(rollup.schemaAt(OSAKA_AT), L2.OSAKA);
    }

    /// @dev The same blocks and the same fork of L1: a rollup that uses the registry loses the
    /// blocks, and accepts new ones.
    function test_registry_switch_invalidates_blocks_built_before() public {
        IRollup.ForkMode[2] memory modes = [IRollup.ForkMode.Follow, IRollup.ForkMode.Registry];
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 2; ++i) {
            restart(modes[i]);
            IL2.Head memory start = l2.head;
            bytes[] memory inputs = one(sealAt(OSAKA_AT - 1));
            hardfork(L2.OSAKA, OSAKA_AT);
            if (modes[i] == IRollup.ForkMode.Registry) {
                vm.expectRevert(
                    abi.encodeWithSelector(IRollup.SchemaMismatch.selector, L2.PRAGUE, L2.OSAKA)
                );
                rollup.advance(inputs, none());
                l2.head = start;
                l2.schema = L2.OSAKA;
                inputs = one(sealNow());
            }
            rollup.advance(inputs, none());
            assertHead();
            vm.revertToState(state);
        }
    }

    /// @dev On an L1 that accepts several forks at any timestamp, the callers choose: a later fork
    /// is accepted, an earlier one is not.
    function test_rollup_cannot_return_to_earlier_fork() public {
        installExecute("");
        uint16[3] memory schemas = [L2.PRAGUE, L2.OSAKA, L2.AMSTERDAM];
        for (uint256 i = 1; i < 3; ++i) {
            l2.schema = schemas[i];
            advance();
            for (uint256 j = 0; j < i; ++j) {
                IL2.Head memory head = l2.head;
                l2.schema = schemas[j];
                bytes[] memory inputs = one(sealNow());
                (bool valid, string memory reason) = L2.verify(inputs[0]);
                assertTrue(valid, reason);
                vm.expectRevert(
                    abi.encodeWithSelector(IRollup.ForkWentBack.selector, schemas[j], schemas[i])
                );
                rollup.advance(inputs, none());
                l2.head = head;
            }
            l2.schema = schemas[i];
            advance();
            assertHead();
        }
    }

    /// @dev Also within one call; a batch has one fork, like a single input.
    function test_later_input_cannot_return_to_earlier_fork() public {
        installExecute("");
        bytes[] memory inputs = new bytes[](2);
        l2.schema = L2.OSAKA;
        inputs[0] = sealNow();
        skip(12);
        IL2.Head memory middle = l2.head;
        l2.schema = L2.PRAGUE;
        bytes[] memory last = one(sealNow());
        inputs[1] = L2.batchOf(last);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ForkWentBack.selector, 0x11ba, L2.OSAKA));
        rollup.advance(inputs, none());
        l2.head = middle;
        l2.schema = L2.OSAKA;
        last[0] = sealNow();
        inputs[1] = L2.batchOf(last);
        rollup.advance(inputs, none());
        assertHead();
    }

    /// @dev BPO2 changes only blob parameters. A caller that uses BPO2 in one block must not stop
    /// an L2 that continues with Osaka.
    function test_bpo_block_does_not_stop_rollup_on_osaka() public {
        hardfork(L2.OSAKA, OSAKA_AT);
        hardfork(BPO2, BPO2_AT);
        uint16[4] memory schemas = [L2.OSAKA, BPO2, L2.OSAKA, BPO1];
        for (uint256 i = 0; i < 4; ++i) {
            l2.schema = schemas[i];
            advance();
            assertHead();
        }
        hardfork(L2.AMSTERDAM, AMSTERDAM_AT);
        l2.schema = L2.AMSTERDAM;
        advance();
        assertHead();
    }

    function test_only_fork_with_unknown_layout_is_rejected() public {
        installExecute("");
        bytes[] memory honest = new bytes[](1);
        honest[0] = sealNow();
        bytes memory batch = L2.batchOf(honest);
        uint256 state = vm.snapshotState();
        // Cancun, the fork after Amsterdam, another revision; as single inputs and as batches.
        uint16[4] memory unknown = [0x1001, 0x1601, 0x1103, 0x1200];
        for (uint256 i = 0; i < 4; ++i) {
            expectUnsupported(
                L2.broken(honest[0], IL2.Field.Schema, bytes32(uint256(unknown[i])), false),
                unknown[i]
            );
        }
        bytes memory bad = bytes.concat(batch);
        bad[0] = 0x10;
        expectUnsupported(bad, 0x1001);
        bad[0] = 0x16;
        expectUnsupported(bad, 0x1601);
        rollup.advance(one(batch), none());
        assertHead();
        vm.revertToState(state);
        rollup.advance(honest, none());
        nextL1Block();
        l2.schema = L2.AMSTERDAM;
        advance();
        assertHead();
    }

    function expectUnsupported(bytes memory input, uint16 fork) internal {
        expectRefused(
            input,
            none(),
            abi.encodeWithSelector(
                IRollup.SchemaNotSupported.selector, fork, L2.PRAGUE, L2.AMSTERDAM
            )
        );
    }

    /// @dev If EXECUTE fails, it uses all the gas that it receives.
    function expectRefusedByExecute(bytes memory input) internal {
        bytes[] memory inputs = one(input);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 16_000_000}(inputs, none());
    }
}
