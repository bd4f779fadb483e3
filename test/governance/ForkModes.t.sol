// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ForkedL1} from "../utils/ForkedL1.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

/// @dev Modes by which a rollup follows the forks of L1; the attacks are in `ForksOfL1`.
contract ForkModesTest is ForkedL1 {
    using L2 for L2.Chain;

    IRollup.Change internal constant FORK = IRollup.Change.Fork;
    IRollup.Change internal constant POLICY = IRollup.Change.Policy;

    function setUp() public override {
        owner = makeAddr("owner");
        super.setUp();
    }

    // ------------------------------------------------------------------ registry

    function test_registry_rollup_has_fork_of_current_entry() public {
        restart(IRollup.ForkMode.Registry);
        advance();
        uint16[3] memory schemas = [L2.OSAKA, BPO2, L2.AMSTERDAM];
        uint64[3] memory times = [OSAKA_AT, BPO2_AT, AMSTERDAM_AT];
        for (uint256 i = 0; i < 3; ++i) {
            hardfork(schemas[i], times[i]);
            assertEq(rollup.schemaAt(0), schemas[i]);
            l2.schema = schemas[i];
            bytes[] memory blocks = new bytes[](2);
            blocks[0] = sealNow();
            skip(12);
            blocks[1] = sealNow();
            rollup.advance(one(L2.batchOf(blocks)), none());
            nextL1Block();
            advance();
            assertHead();
        }
    }

    /// @dev Not even one that EXECUTE would accept: Osaka under BPO2.
    function test_registry_rollup_has_only_fork_of_entry() public {
        restart(IRollup.ForkMode.Registry);
        hardfork(BPO2, BPO2_AT);
        IL2.Head memory before = l2.head;
        l2.schema = L2.OSAKA;
        bytes[] memory inputs = one(sealNow());
        vm.expectRevert(abi.encodeWithSelector(IRollup.SchemaMismatch.selector, L2.OSAKA, BPO2));
        rollup.advance(inputs, none());
        l2.head = before;
        l2.schema = BPO2;
        advance();
        assertHead();
    }

    /// @dev Blocks of Amsterdam, then a registry entry for Osaka, on an L1 that accepts both.
    function test_registry_entry_of_earlier_fork_is_ignored() public {
        installExecute("");
        restart(IRollup.ForkMode.Registry);
        registry.set(L2.AMSTERDAM);
        l2.schema = L2.AMSTERDAM;
        advance();
        registry.set(L2.OSAKA);
        IL2.Head memory before = l2.head;
        l2.schema = L2.OSAKA;
        bytes[] memory inputs = one(sealNow());
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.ForkWentBack.selector, L2.OSAKA, L2.AMSTERDAM)
        );
        rollup.advance(inputs, none());
        registry.set(L2.AMSTERDAM);
        l2.head = before;
        l2.schema = L2.AMSTERDAM;
        advance();
        assertHead();
    }

    /// @dev No block has the schema of a batch alone, so an entry with it is rejected, and so is a
    /// fork with an unknown layout. An entry of more than two bytes is not truncated to a known
    /// schema.
    function test_entries_of_unknown_forks_are_rejected() public {
        restart(IRollup.ForkMode.Registry);
        IL2.Head memory before = l2.head;
        bytes memory honest = sealNow();
        uint256[3] memory entries = [uint256(0x11ba), 0x1602, 0x10000 | L2.PRAGUE];
        for (uint256 i = 0; i < 3; ++i) {
            registry.set(entries[i]);
            uint256 shown = entries[i] >> 16 == 0 ? entries[i] : 0;
            expectRefused(
                honest,
                none(),
                abi.encodeWithSelector(IRollup.SchemaMismatch.selector, L2.PRAGUE, shown)
            );
        }
        registry.set(0x1601);
        expectRefused(
            L2.broken(honest, IL2.Field.Schema, bytes32(uint256(0x1601)), false),
            none(),
            abi.encodeWithSelector(
                IRollup.SchemaNotSupported.selector, 0x1601, L2.PRAGUE, L2.AMSTERDAM
            )
        );
        registry.set(L2.PRAGUE);
        l2.head = before;
        advance();
        assertHead();
    }

    function test_registry_mode_requires_registry() public {
        bytes memory code = address(registry).code;
        vm.etch(address(registry), "");
        bytes memory error_ = abi.encodeWithSelector(IRollup.RegistryUnavailable.selector, 0, 64);
        vm.expectRevert(error_);
        this.make(IRollup.ForkMode.Registry);
        this.make(IRollup.ForkMode.Follow);
        this.make(IRollup.ForkMode.Pinned);
        // Half an entry is invalid too. This code returns its calldata, which is as long as the
        // request.
        vm.etch(address(registry), hex"365f5f37365ff3");
        vm.expectRevert(abi.encodeWithSelector(IRollup.RegistryUnavailable.selector, 32, 64));
        this.make(IRollup.ForkMode.Registry);
        vm.etch(address(registry), code);
        this.make(IRollup.ForkMode.Registry);
        advance();
        assertHead();
    }

    function make(IRollup.ForkMode mode_) external {
        restart(mode_);
        assertEq(uint256(rollup.FORK_MODE()), uint256(mode_));
    }

    // ------------------------------------------------------------------ who has a schedule

    function test_only_pinned_rollup_has_fork_schedule() public {
        bytes[] memory inputs = new bytes[](1);
        IRollup.ForkMode[2] memory modes = [IRollup.ForkMode.Follow, IRollup.ForkMode.Registry];
        uint256 value = uint256(AMSTERDAM_AT) << 16 | L2.AMSTERDAM;
        for (uint256 i = 0; i < 2; ++i) {
            restart(modes[i]);
            vm.startPrank(owner);
            vm.expectRevert(IRollup.ForksNotPinned.selector);
            rollup.announce(FORK, value);
            rollup.announce(POLICY, value);
            vm.stopPrank();
            inputs[0] = sealNow();
            vm.expectRevert(IRollup.ForksNotPinned.selector);
            rollup.reportFork(inputs);
        }
        restart(IRollup.ForkMode.Pinned);
        vm.prank(owner);
        rollup.announce(FORK, value);
    }

    /// @dev A fork is identified by the schema of single inputs, not by that of batches.
    function test_scheduled_fork_needs_known_single_schema() public {
        restart(IRollup.ForkMode.Pinned);
        uint256 time = vm.getBlockTimestamp() + UPGRADE_DELAY + 100;
        uint16[4] memory schemas = [0x15ba, 0x1601, 0x1502, L2.AMSTERDAM];
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(owner);
            rollup.announce(FORK, time << 16 | schemas[i]);
        }
        skip(UPGRADE_DELAY - 1 days);
        for (uint256 i = 0; i < 4; ++i) {
            rollup.clear(FORK, time << 16 | schemas[i]);
        }
        skip(1 days);
        vm.startPrank(owner);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 value = time << 16 | schemas[i];
            vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, FORK, value));
            rollup.make(FORK, value);
        }
        rollup.make(FORK, time << 16 | L2.AMSTERDAM);
        vm.stopPrank();
        assertEq(rollup.forks(1).schema, L2.AMSTERDAM);
    }

    function test_genesis_fork_needs_known_single_schema() public {
        uint16[6] memory schemas = [0x11ba, 0x1001, 0x1601, 0x1203, 0x1002, 0x1602];
        bytes memory header = GenesisHeaders.encode(l2.head);
        IRollup.Config memory c = config();
        makeQueues(1_000_000, 16_384);
        (c.messageQueue, c.forced) = (address(queue), address(inbox));
        for (uint256 i = 0; i < 6; ++i) {
            c.schema = schemas[i];
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRollup.SchemaNotSupported.selector, c.schema, L2.PRAGUE, L2.AMSTERDAM
                )
            );
            new NativeRollup(header, c);
        }
        deploy();
    }
}
