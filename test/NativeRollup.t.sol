// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../contracts/NativeRollup.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {KeptCodes} from "../contracts/libraries/KeptCodes.sol";
import {Messages} from "../contracts/messaging/Messages.sol";
import {GenesisHeaders} from "./utils/GenesisHeaders.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";
import {RealRollup} from "./utils/RealRollup.sol";
import {RollupFixture} from "./utils/RollupFixture.sol";
import {StatelessInputs} from "./utils/StatelessInputs.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @dev Offsets of the fields of an input.
contract NativeRollupLayoutTest is RollupFixture {
    function test_layout_is_that_of_reference_encoder() public pure {
        StatelessInputs.Block memory b;
        b.schema = StatelessInputs.AMSTERDAM;
        b.chainId = 1;
        b.number = 1;
        b.gasLimit = 15_000_000;
        b.timestamp = 1;
        b.baseFee = 7;
        bytes memory encoded = StatelessInputs.encode(b);
        assertEq(encoded.length, 634);
        assertEq(
            sha256(encoded), 0xaf012cace55e39a641349bf6816d16166e9d6abbaaadb4fa29bd99897a4305b3
        );
    }

    function testFuzz_fields_are_read_where_they_stand(
        StatelessInputs.Block memory b,
        uint256 which
    ) public {
        uint16[5] memory schemas = [0x1101, 0x1201, 0x1301, 0x1401, 0x1501];
        b.schema = schemas[which % 5];
        FieldReader reader = new FieldReader();
        bytes memory got = reader.read(one(b));
        assertEq(
            keccak256(got),
            keccak256(
                abi.encode(
                    b.schema,
                    b.chainId,
                    b.anchor,
                    b.parentHash,
                    b.stateRoot,
                    b.number,
                    b.gasLimit,
                    b.timestamp,
                    b.blockHash
                )
            )
        );
    }

    function test_rollup_without_execute_accepts_nothing() public {
        bytes[] memory inputs = one(nextBlock());
        vm.expectRevert(Execute.ExecuteAbsent.selector);
        rollup.advance(inputs, none());
    }
}

/// @dev Inputs that are valid except for one field that the rollup governs.
contract NativeRollupFieldsTest is RealRollup {
    using L2 for L2.Chain;

    bytes internal input;
    IRollup.ForkMode internal mode;

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.forkMode = mode;
    }

    function setUp() public override {
        super.setUp();
        l2.transfer("alice", bob, 1);
        input = l2.seal();
    }

    /// @dev Asserts that the input becomes the head, and reverts that.
    function expectAccepted() internal {
        uint256 state = vm.snapshotState();
        rollup.advance(one(input), none());
        assertHead();
        vm.revertToState(state);
    }

    function expectRefused(IL2.Field field, bytes32 value, bytes4 selector, bytes32 expected)
        internal
    {
        expectAccepted();
        expectRefused(
            L2.broken(input, field, value, true), abi.encodeWithSelector(selector, value, expected)
        );
    }

    function expectRefused(bytes memory bad, bytes memory error_) internal {
        bytes[] memory inputs = one(bad);
        vm.expectRevert(error_);
        rollup.advance(inputs, none());
    }

    function word(uint256 v) internal pure returns (bytes32) {
        return bytes32(v);
    }

    function test_amsterdam_blocks_are_accepted_where_expected() public {
        expectAccepted();
        IL2.Genesis memory g = genesis();
        g.schema = L2.AMSTERDAM;
        l2.create(g);
        deploy();
        nextL1Block();
        input = l2.seal();
        expectAccepted();
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_another_schema_is_rejected(uint16 schema) public {
        // Inputs with the revision of batches are read as batches.
        vm.assume(schema != L2.OSAKA && schema & 0xff != Execute.BATCH_REVISION);
        // Inputs that begin like this contain references to code on L1.
        vm.assume(schema != 0xc0de);
        mode = IRollup.ForkMode.Pinned;
        setUp();
        expectRefused(
            IL2.Field.Schema, word(schema), IRollup.SchemaMismatch.selector, word(L2.OSAKA)
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_schema_of_unknown_fork_is_rejected(uint16 schema) public {
        // This value marks an input with references, whose length follows.
        vm.assume(schema != KeptCodes.MAGIC);
        vm.assume(schema & 0xff != Execute.BATCH_REVISION);
        vm.assume(!Execute.isFork(schema));
        expectAccepted();
        // This L1 has no reader of headers, which later forks need.
        bool later = schema >> 8 > L2.AMSTERDAM >> 8 && schema & 0xff != Execute.REVISION;
        expectRefused(
            L2.broken(input, IL2.Field.Schema, word(schema), true),
            later
                ? abi.encodeWithSelector(IRollup.SchemaMismatch.selector, schema, L2.OSAKA)
                : abi.encodeWithSelector(
                    IRollup.SchemaNotSupported.selector, schema, L2.PRAGUE, L2.AMSTERDAM
                )
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_another_chain_is_rejected(uint64 chainId) public {
        vm.assume(chainId != CHAIN_ID);
        expectRefused(
            IL2.Field.ChainId, word(chainId), IRollup.ChainIdMismatch.selector, word(CHAIN_ID)
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_another_parent_is_rejected(bytes32 parent) public {
        vm.assume(parent != l2.head.parentHash);
        expectRefused(
            IL2.Field.ParentHash, parent, IRollup.ParentHashMismatch.selector, l2.head.parentHash
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_another_number_than_next_is_rejected(uint64 number) public {
        vm.assume(number != 1);
        expectRefused(IL2.Field.Number, word(number), IRollup.BlockNumberMismatch.selector, word(1));
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_another_gas_limit_is_rejected(uint64 gasLimit) public {
        vm.assume(gasLimit != l2.head.gasLimit);
        expectRefused(
            IL2.Field.GasLimit,
            word(gasLimit),
            IRollup.GasLimitMismatch.selector,
            word(l2.head.gasLimit)
        );
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_anchor_other_than_current_is_rejected(bytes32 anchor) public {
        bytes32 inForce = keccak256("in force");
        l2.create(genesis());
        deploy();
        setAnchor(inForce);
        nextL1Block();
        input = l2.seal();
        vm.assume(anchor != inForce);
        expectRefused(IL2.Field.Anchor, anchor, IRollup.AnchorMismatch.selector, inForce);
    }

    function test_rollup_starts_without_anchor() public {
        assertEq(rollup.anchor(), 0);
        expectAccepted();
    }

    function testFuzz_offsets_that_are_not_canonical_are_rejected(uint32 offset) public {
        uint32 little = SafeCastLib.toUint32(
            (uint256(offset) & 0xff) << 24 | (uint256(offset) & 0xff00) << 8
                | (uint256(offset) & 0xff0000) >> 8 | uint256(offset) >> 24
        );
        uint8[2] memory positions = [2, 18];
        uint8[2] memory canonical = [16, 44];
        for (uint256 i = 0; i < 2; ++i) {
            vm.assume(offset != canonical[i]);
            bytes memory bad = input;
            for (uint256 j = 0; j < 4; ++j) {
                bad[positions[i] + j] = bytes4(little)[j];
            }
            expectRefused(
                bad,
                abi.encodeWithSelector(
                    Execute.OffsetNotCanonical.selector, positions[i], offset, canonical[i]
                )
            );
        }
    }

    function test_canonical_offsets_are_accepted() public {
        expectAccepted();
    }

    function testFuzz_input_with_truncated_payload_is_rejected(uint256 length) public {
        length = bound(length, 0, 589);
        bytes memory cut = input;
        assembly ("memory-safe") {
            mstore(cut, length)
        }
        expectRefused(cut, abi.encodeWithSelector(Execute.InputTooShort.selector, length, 590));
    }

    function test_full_payload_is_accepted_by_execute() public {
        bytes memory shortest = input;
        assembly ("memory-safe") {
            mstore(shortest, 590)
        }
        bytes[] memory inputs = one(shortest);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 10_000_000}(inputs, none());
        expectAccepted();
    }

    function test_call_without_blocks_is_rejected() public {
        vm.expectRevert(IRollup.NothingToAdvance.selector);
        rollup.advance(new bytes[](0), none());
    }
}

/// @dev Reads all fields with the functions of the library.
contract FieldReader {
    function read(bytes[] calldata inputs) external view returns (bytes memory) {
        bytes memory input = Execute.allocate(inputs);
        Execute.load(input, inputs[0]);
        (uint64 number, uint64 limit, uint64 time) = Execute.numbers(input);
        return abi.encode(
            Execute.schema(input),
            Execute.chainId(input),
            Execute.parentBeaconBlockRoot(input),
            Execute.parentHash(input),
            Execute.stateRoot(input),
            number,
            limit,
            time,
            Execute.blockHash(input)
        );
    }
}

contract NativeRollupConstructorTest is RollupFixture {
    function test_genesis_becomes_head() public {
        IL2.Head memory g = genesis();
        g.number = 9000;
        g.hash = hashOf(g);
        IRollup.Config memory c = withQueues(configOf(g.schema), 1_000_000, 1000);
        vm.expectEmit();
        emit IRollup.BlockAdded(9000, g.hash, g.stateRoot);
        rollup = create(g, c);
        IRollup.Head memory head = rollup.head();
        assertEq(head.number, 9000);
        assertEq(head.timestamp, g.timestamp);
        assertEq(head.anchorNumber, 0);
        assertEq(head.messageCount, 0);
        assertEq(rollup.blockHash(), g.hash);
        assertEq(rollup.anchor(), 0);
        assertEq(rollup.stateRoot(), g.stateRoot);
        assertEq(rollup.stateRootAt(9000), g.stateRoot);
        assertEq(rollup.CHAIN_ID(), CHAIN_ID);
        assertEq(rollup.schemaAt(g.timestamp), StatelessInputs.OSAKA);
        assertEq(rollup.nextGasLimit(), GAS_LIMIT);
        assertEq(rollup.MAX_LAG(), MAX_LAG);
        assertEq(rollup.OPEN_AFTER(), OPEN_AFTER);
        assertEq(rollup.RELAY_DEADLINE(), RELAY_DEADLINE);
        assertEq(rollup.UPGRADE_DELAY(), UPGRADE_DELAY);
        assertEq(rollup.MESSAGE_QUEUE(), address(queue));
        assertEq(rollup.FORCED(), address(inbox));
        assertEq(rollup.policy(), address(0));
        assertEq(rollup.owner(), address(0));
        IRollup.Duties memory duties = rollup.duties();
        assertEq(duties.relayed, 0);
        assertEq(duties.relayDue, vm.getBlockTimestamp() + RELAY_DEADLINE);
        assertEq(duties.forcedNext, 0);
        assertEq(duties.forcedDue, vm.getBlockTimestamp() + FORCED_DELAY);
        assertEq(duties.forcedFirstSince, g.timestamp);

        vm.expectRevert(abi.encodeWithSelector(IRollup.StateRootUnavailable.selector, 8999, 9000));
        rollup.stateRootAt(8999);
    }

    function slotOf(uint256 slot) internal view returns (uint256) {
        return uint256(vm.load(address(rollup), bytes32(slot)));
    }

    /// @dev Whichever of the two deadlines is shorter.
    function testFuzz_first_duty_is_earlier_of_both(uint64 deadline) public {
        IRollup.Config memory c = configOf(genesis().schema);
        uint256 maximum = 16_382 * 6 - MAX_LAG - OPEN_AFTER;
        c.relayDeadline = uint64(bound(deadline, MAX_LAG + 1, maximum));
        rollup = deploy(genesis(), c);
        uint256 first = c.relayDeadline < FORCED_DELAY ? c.relayDeadline : FORCED_DELAY;
        assertEq(slotOf(0) >> 176 & type(uint40).max, vm.getBlockTimestamp() + first);
    }

    /// @dev Each field with all its bits set, and its neighbours zero.
    function test_fields_of_head_and_duties_have_their_widths() public {
        uint256 fields = (uint256(1) << 48) - 1 | (uint256(1) << 40) - 1 << 88;
        vm.store(address(rollup), 0, bytes32(fields | (uint256(1) << 40) - 1 << 176));
        IRollup.Head memory head = rollup.head();
        assertEq(head.number, type(uint48).max);
        assertEq(head.timestamp, 0);
        assertEq(head.anchorNumber, type(uint40).max);
        assertEq(head.messageCount, 0);
        assertEq(rollup.baseFee(), 0);
        fields = (uint256(1) << 40) - 1 << 48 | (uint256(1) << 48) - 1 << 128;
        vm.store(address(rollup), 0, bytes32(fields | (uint256(1) << 40) - 1 << 216));
        head = rollup.head();
        assertEq(head.number, 0);
        assertEq(head.timestamp, type(uint40).max);
        assertEq(head.anchorNumber, 0);
        assertEq(head.messageCount, type(uint48).max);
        assertEq(rollup.baseFee(), uint256(type(uint40).max) << 24);

        fields = (uint256(1) << 56) - 1 | (uint256(1) << 56) - 1 << 104;
        vm.store(
            address(rollup), bytes32(uint256(4)), bytes32(fields | (uint256(1) << 48) - 1 << 208)
        );
        IRollup.Duties memory duties = rollup.duties();
        assertEq(duties.relayed, type(uint56).max);
        assertEq(duties.relayDue, 0);
        assertEq(duties.forcedNext, type(uint56).max);
        assertEq(duties.forcedDue, 0);
        assertEq(duties.forcedFirstSince, type(uint48).max);
        fields = (uint256(1) << 48) - 1 << 56 | (uint256(1) << 48) - 1 << 160;
        vm.store(address(rollup), bytes32(uint256(4)), bytes32(fields));
        duties = rollup.duties();
        assertEq(duties.relayed, 0);
        assertEq(duties.relayDue, type(uint48).max);
        assertEq(duties.forcedNext, 0);
        assertEq(duties.forcedDue, type(uint48).max);
        assertEq(duties.forcedFirstSince, 0);
    }

    function test_storage_layout_is_pinned() public {
        IL2.Head memory g = genesis();
        g.number = 2 * RING + 5;
        IRollup.Config memory c = configOf(g.schema);
        c.policy = makeAddr("policy");
        c.owner = makeAddr("owner");
        rollup = deploy(g, c);
        uint256 due = vm.getBlockTimestamp() + FORCED_DELAY;
        // The earlier of the two.
        uint256 firstDue = vm.getBlockTimestamp() + RELAY_DEADLINE;
        assertEq(slotOf(0), uint256(g.number) | uint256(g.timestamp) << 48 | firstDue << 176);
        assertEq(slotOf(1), uint256(hashOf(g)));
        assertEq(slotOf(2), 0);
        uint256 limits = uint256(GAS_LIMIT) << 160 | uint256(GAS_LIMIT) << 192;
        uint256 forks = uint256(StatelessInputs.OSAKA) << 224 | 1 << 240 | 1 << 248;
        assertEq(slotOf(3), uint256(uint160(c.policy)) | limits | forks);
        uint256 relay = (vm.getBlockTimestamp() + RELAY_DEADLINE) << 56;
        assertEq(slotOf(4), relay | due << 160 | uint256(g.timestamp) << 208);
        assertEq(slotOf(5 + 5), uint256(g.stateRoot));
        assertEq(slotOf(8196), uint256(uint160(c.owner)));
        assertEq(slotOf(8197), 0);
        assertEq(slotOf(8198), 1);

        uint256 packedHead = uint256(1) | 2 << 48 | 3 << 88 | 4 << 128 | 5 << 176 | 6 << 216;
        vm.store(address(rollup), 0, bytes32(packedHead));
        IRollup.Head memory head = rollup.head();
        assertEq(head.number, 1);
        assertEq(head.timestamp, 2);
        assertEq(head.anchorNumber, 3);
        assertEq(head.messageCount, 4);
        assertEq(rollup.baseFee(), 6 << 24);

        uint256 packed = uint256(1) | 2 << 56 | 3 << 104 | 4 << 160 | 5 << 208;
        vm.store(address(rollup), bytes32(uint256(4)), bytes32(packed));
        IRollup.Duties memory duties = rollup.duties();
        assertEq(duties.relayed, 1);
        assertEq(duties.relayDue, 2);
        assertEq(duties.forcedNext, 3);
        assertEq(duties.forcedDue, 4);
        assertEq(duties.forcedFirstSince, 5);
    }

    /// @dev Queues belong to the contract that is deployed next, so a failed attempt uses them up
    /// unless the nonce is reset.
    function expectRefused(IL2.Head memory g, IRollup.Config memory c, bytes memory error_)
        internal
    {
        uint64 nonce = vm.getNonce(address(this));
        bytes memory header = GenesisHeaders.encode(g);
        vm.expectRevert(error_);
        new NativeRollup(header, c);
        vm.setNonceUnsafe(address(this), nonce);
    }

    function test_genesis_without_state_root_is_rejected() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        g.stateRoot = 0;
        expectRefused(g, c, abi.encodeWithSelector(IRollup.GenesisIncomplete.selector));
        g.stateRoot = bytes32(uint256(1));
        create(g, c);
    }

    /// @dev With such an anchor in force, a block could relay messages that were never sent.
    function test_genesis_with_anchor_is_rejected() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        g.anchor = bytes32(uint256(1));
        expectRefused(g, c, abi.encodeWithSelector(IRollup.GenesisAnchored.selector, g.anchor));
        g.anchor = 0;
        create(g, c);
    }

    /// @dev One block per second until the last timestamp that fits into the head.
    function test_numbers_after_genesis_fit_into_48_bits() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        g.number = (1 << 48) - (1 << 40) + 1;
        bytes4 selector = IRollup.GenesisOutOfBounds.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, g.number, g.number - 1));
        g.number -= 1;
        assertEq(create(g, c).head().number, g.number);
    }

    function test_genesis_gas_limit_fits_into_32_bits() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        g.gasLimit = 1 << 32;
        bytes4 selector = IRollup.GenesisOutOfBounds.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, g.gasLimit, g.gasLimit - 1));
        g.gasLimit -= 1;
        (uint64 latest, uint64 target) = create(g, c).gasLimits();
        assertEq(latest, g.gasLimit);
        assertEq(target, g.gasLimit);
    }

    function test_genesis_is_not_later_than_l1() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        g.timestamp = uint64(vm.getBlockTimestamp()) + 1;
        bytes4 selector = IRollup.GenesisInFuture.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, g.timestamp, g.timestamp - 1));
        g.timestamp -= 1;
        assertEq(create(g, c).head().timestamp, g.timestamp);
    }

    function test_schema_with_another_layout_is_rejected() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(0x1100), 0, 0);
        bytes4 selector = IRollup.SchemaNotSupported.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, 0x1100, 0x1101, 0x1501));
        c.schema = StatelessInputs.PRAGUE;
        create(g, c);
    }

    function test_largest_message_must_fit_block() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 8_000_000, 16_384);
        uint256 gas = Messages.relayGas(8_000_000, 16_384);
        g.gasLimit = SafeCastLib.toUint64(gas - 1);
        bytes4 selector = IRollup.MessageCapsTooHigh.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, gas, gas - 1));
        g.gasLimit += 1;
        create(g, c);

        // A transaction has at most the gas of EIP-7825, for any gas limit of the block.
        g.gasLimit = 100_000_000;
        c = withQueues(c, 16_000_000, 0);
        gas = Messages.relayGas(16_000_000, 0);
        expectRefused(g, c, abi.encodeWithSelector(selector, gas, 1 << 24));
        create(g, withQueues(c, 15_000_000, 0));
    }

    /// @dev If each L1 block contains a message, the ring of 16,382 checkpoints lasts for 98,292
    /// seconds. Within that time an account must have had to relay.
    function test_messages_are_due_before_checkpoint_ring_is_full() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        c.relayDeadline = 98_292 - MAX_LAG - OPEN_AFTER + 1;
        bytes4 selector = IRollup.DelaysInconsistent.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, 98_292, 98_293));
        c.relayDeadline -= 1;
        assertEq(create(g, c).RELAY_DEADLINE(), c.relayDeadline);
    }

    /// @dev On an L1 with faster blocks, the same ring is full earlier.
    function test_ring_must_outlast_delays_on_any_l1() public {
        IL2.Head memory g = genesis();
        IRollup.Config memory c = withQueues(configOf(g.schema), 0, 0);
        uint256 idle = uint256(c.relayDeadline) + MAX_LAG + OPEN_AFTER;
        // Rounded up.
        uint64 minimum = uint64((1000 * idle + 16_381) / 16_382);
        c.l1SlotMillis = minimum - 1;
        uint256 lasts = 16_382 * uint256(minimum - 1) / 1000;
        bytes4 selector = IRollup.DelaysInconsistent.selector;
        expectRefused(g, c, abi.encodeWithSelector(selector, lasts, idle));
        c.l1SlotMillis = minimum;
        create(g, c);

        c = withQueues(c, 0, 0);
        c.l1SlotMillis = 99;
        expectRefused(g, c, abi.encodeWithSelector(IRollup.L1SlotTooShort.selector, 99, 100));
        places = 1 << 20;
        c = withQueues(c, 0, 0);
        c.l1SlotMillis = 100;
        create(g, c);
    }

    uint64 private places = 16_382;

    function checkpoints() internal view override returns (uint64) {
        return places;
    }
}
