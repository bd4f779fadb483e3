// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {NativeRollup} from "../contracts/NativeRollup.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {AnchorFixture} from "./utils/AnchorFixture.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";
import {Parrot} from "./utils/Parrot.sol";
import {RollupFixture} from "./utils/RollupFixture.sol";
import {StatelessInputs} from "./utils/StatelessInputs.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @dev State of the rollup after EXECUTE has accepted blocks.
abstract contract RollupStateTest is AnchorFixture {
    using L2 for L2.Chain;

    uint64 internal constant RING = 8191;

    /// @dev Returns the slot of a block's state root.
    function ringSlot(uint256 number) internal pure returns (bytes32) {
        return bytes32(5 + number % RING);
    }

    /// @dev Returns the next `count` blocks, each a second after its parent and with a transfer.
    function chain(uint256 count) internal returns (bytes[] memory inputs) {
        return chain(new bytes32[](count));
    }

    /// @dev Returns the same blocks with these anchors; zero keeps the previous one.
    function chain(bytes32[] memory anchors) internal returns (bytes[] memory inputs) {
        inputs = new bytes[](anchors.length);
        uint256 last = vm.getBlockTimestamp();
        for (uint256 i = 0; i < inputs.length; ++i) {
            IL2.Block memory b = l2.next();
            b.timestamp = SafeCastLib.toUint64(last + 1 + i - inputs.length);
            if (b.timestamp <= l2.head.timestamp) b.timestamp = l2.head.timestamp + 1;
            if (anchors[i] != 0) b.anchor = anchors[i];
            l2.transfer("alice", address(0xb0b), i + 1);
            inputs[i] = l2.seal(b);
        }
    }

    function advanceBy(uint256 count) internal {
        rollup.advance(chain(count), none());
        nextL1Block();
    }
}

contract NativeRollupStateTest is RollupStateTest {
    using L2 for L2.Chain;

    function test_valid_block_becomes_head() public {
        bytes32 genesisRoot = l2.head.stateRoot;
        bytes[] memory inputs = chain(1);
        vm.expectEmit(address(rollup));
        emit IRollup.BlockAdded(1, l2.head.hash, l2.head.stateRoot);
        rollup.advance(inputs, none());
        assertHead();
        assertEq(rollup.head().timestamp, l2.head.timestamp);
        assertEq(rollup.anchor(), l2.head.anchor);
        assertEq(rollup.stateRootAt(1), l2.head.stateRoot);
        assertEq(rollup.stateRootAt(0), genesisRoot);
    }

    function test_block_that_execute_rejects_is_rejected() public {
        bytes memory good = chain(1)[0];
        bytes[] memory bad = one(L2.broken(good, IL2.Field.StateRoot, keccak256("forged"), true));
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 10_000_000}(bad, none());
        assertEq(rollup.head().number, 0);
        rollup.advance(one(good), none());
    }

    function test_execute_receives_each_input_unchanged() public {
        // The longest first, so that stale bytes of it would remain in the buffer.
        skip(3);
        bytes[] memory inputs = new bytes[](3);
        l2.callFrom("alice", address(0xb0b), new bytes(1000));
        for (uint256 i = 0; i < 3; ++i) {
            IL2.Block memory b = l2.next();
            b.timestamp = l2.head.timestamp + 1;
            inputs[i] = l2.seal(b);
        }
        assertGt(inputs[0].length, inputs[1].length + 1000);
        vm.startStateDiffRecording();
        rollup.advance(inputs, none());
        VmSafe.AccountAccess[] memory accesses = vm.stopAndReturnStateDiff();
        uint256 count = 0;
        for (uint256 i = 0; i < accesses.length; ++i) {
            if (accesses[i].account != EXECUTE) continue;
            assertEq(accesses[i].data, inputs[count]);
            ++count;
        }
        assertEq(count, 3);
        assertHead();
    }

    function test_one_call_and_many_calls_have_same_state() public {
        skip(8);
        bytes[] memory inputs = chain(8);
        uint256 state = vm.snapshotState();
        rollup.advance(inputs, none());
        bytes32[16] memory expected;
        for (uint256 slot = 0; slot < 16; ++slot) {
            expected[slot] = vm.load(address(rollup), bytes32(slot));
        }
        for (uint256 split = 1; split < 8; ++split) {
            vm.revertToState(state);
            bytes[] memory first = new bytes[](split);
            bytes[] memory second = new bytes[](8 - split);
            for (uint256 i = 0; i < 8; ++i) {
                if (i < split) first[i] = inputs[i];
                else second[i - split] = inputs[i];
            }
            rollup.advance(first, none());
            rollup.advance(second, none());
            for (uint256 slot = 0; slot < 16; ++slot) {
                assertEq(vm.load(address(rollup), bytes32(slot)), expected[slot]);
            }
            assertHead();
        }
    }

    function test_advance_event_names_caller_and_policy() public {
        skip(5);
        bytes[] memory inputs = chain(5);
        bytes[] memory rest = new bytes[](3);
        bytes32 hash = 0;
        for (uint256 i = 0; i < 3; ++i) {
            rest[i] = inputs[i + 2];
            hash = keccak256(abi.encodePacked(hash, keccak256(rest[i])));
        }
        bytes[] memory first = new bytes[](2);
        (first[0], first[1]) = (inputs[0], inputs[1]);
        rollup.advance(first, none());
        vm.expectEmit(address(rollup));
        emit IRollup.Advanced(3, 5, alice, hash, 0);
        vm.prank(alice);
        rollup.advance(rest, none());
    }

    function test_one_invalid_block_reverts_whole_call() public {
        bytes32 genesisHash = l2.head.hash;
        skip(4);
        bytes[] memory inputs = chain(4);
        for (uint256 i = 0; i < 4; ++i) {
            bytes memory good = inputs[i];
            // One that the rollup rejects, and one that only EXECUTE rejects.
            inputs[i] = L2.broken(good, IL2.Field.ParentHash, keccak256("another"), true);
            vm.expectPartialRevert(IRollup.ParentHashMismatch.selector);
            rollup.advance{gas: 50_000_000}(inputs, none());
            inputs[i] = L2.broken(good, IL2.Field.StateRoot, keccak256("another"), false);
            vm.expectRevert(Execute.ExecuteFailed.selector);
            rollup.advance{gas: 50_000_000}(inputs, none());
            inputs[i] = good;
            assertEq(rollup.head().number, 0);
            assertEq(rollup.blockHash(), genesisHash);
            assertEq(vm.load(address(rollup), ringSlot(1)), 0);
        }
        rollup.advance(inputs, none());
        assertHead();
    }

    function test_block_cannot_be_added_twice() public {
        bytes[] memory inputs = chain(1);
        rollup.advance(inputs, none());
        vm.expectPartialRevert(IRollup.ParentHashMismatch.selector);
        rollup.advance(inputs, none());
        nextL1Block();
        advanceBy(1);
        assertHead();
    }

    function test_latest_8191_state_roots_are_held() public {
        // A chain far from its genesis: the ring contains the roots of the previous blocks.
        IL2.Genesis memory g = genesis();
        uint64 start = 3 * RING - 4;
        g.number = start;
        l2.create(g);
        deploy();
        for (uint256 number = start - RING + 1; number < start; ++number) {
            vm.store(address(rollup), ringSlot(number), keccak256(abi.encode(number)));
        }
        bytes32 startRoot = l2.head.stateRoot;
        nextL1Block();
        // Across the end of the ring.
        advanceBy(10);
        uint64 head = rollup.head().number;
        assertEq(head, start + 10);
        assertEq(rollup.stateRootAt(head), l2.head.stateRoot);
        assertEq(rollup.stateRootAt(start), startRoot);
        assertEq(rollup.stateRootAt(start - 1), keccak256(abi.encode(start - 1)));
        uint64 oldest = head - RING + 1;
        assertEq(rollup.stateRootAt(oldest), keccak256(abi.encode(oldest)));
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.StateRootUnavailable.selector, oldest - 1, head)
        );
        rollup.stateRootAt(oldest - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.StateRootUnavailable.selector, head + 1, head)
        );
        rollup.stateRootAt(head + 1);
    }

    // ---------------------------------------------------------------- anchors

    /// @dev Returns the number of slots of the rollup that these blocks change from zero.
    function newSlots(bytes[] memory inputs) internal returns (uint256 count) {
        vm.startStateDiffRecording();
        rollup.advance(inputs, none());
        VmSafe.AccountAccess[] memory accesses = vm.stopAndReturnStateDiff();
        for (uint256 i = 0; i < accesses.length; ++i) {
            VmSafe.StorageAccess[] memory slots = accesses[i].storageAccesses;
            for (uint256 j = 0; j < slots.length; ++j) {
                bool made = slots[j].isWrite && slots[j].previousValue == 0;
                if (made && slots[j].newValue != 0) ++count;
            }
        }
        nextL1Block();
    }

    function test_full_ring_allocates_no_new_storage() public {
        skip(10);
        assertEq(newSlots(chain(4)), 4, "one each while it fills");
        for (uint256 i = 0; i < RING; ++i) {
            if (vm.load(address(rollup), ringSlot(i)) == 0) {
                vm.store(address(rollup), ringSlot(i), bytes32(uint256(1)));
            }
        }
        skip(10);
        assertEq(newSlots(chain(4)), 0);
    }

    function test_new_anchors_apply_from_their_block() public {
        IRollup.AnchorUpdate[] memory updates = new IRollup.AnchorUpdate[](2);
        nextL1Block();
        updates[0] = updateTo(uint64(vm.getBlockNumber() - 2));
        queue.send(address(3), address(0), 0, 0, "");
        nextL1Block();
        uint64 number = uint64(vm.getBlockNumber() - 1);
        updates[0].index = 1;
        updates[1] = updateTo(number);
        updates[1].index = 3;
        bytes32[] memory anchors = new bytes32[](5);
        anchors[1] = anchorOf(updates[0]);
        anchors[3] = anchorOf(updates[1]);
        bytes[] memory inputs = chain(anchors);

        uint64 before = updates[0].l1BlockNumber;
        vm.expectEmit(address(rollup));
        emit IRollup.AnchorUpdated(before, blockhash(before), 0, 0);
        vm.expectEmit(address(rollup));
        emit IRollup.AnchorUpdated(number, blockhash(number), 1, queue.checkpoint().root);
        rollup.advance(inputs, all(updates));

        assertHead();
        assertEq(rollup.anchor(), anchors[3]);
        assertEq(rollup.head().anchorNumber, number);
        assertEq(rollup.head().messageCount, 1);

        nextL1Block();
        advanceBy(1);
        assertEq(rollup.anchor(), anchors[3]);
    }

    function test_update_that_is_not_used_is_rejected() public {
        skip(2);
        uint64 number = uint64(vm.getBlockNumber() - 1);
        IRollup.AnchorUpdate memory u = updateTo(number);
        IL2.Head memory parent = l2.head;
        bytes[] memory unchanged = chain(2);
        u.index = 2;
        vm.expectRevert(abi.encodeWithSelector(IRollup.AnchorUpdateUnused.selector, 0, 2));
        rollup.advance(unchanged, one(u));

        // Two updates for one block, and two in the wrong order.
        IRollup.AnchorUpdate[] memory two = new IRollup.AnchorUpdate[](2);
        (two[0], two[1]) = (updateTo(number), updateTo(number));
        two[0].index = 1;
        two[1].index = 1;
        l2.head = parent;
        bytes32[] memory anchors = new bytes32[](2);
        anchors[1] = anchorOf(u);
        bytes[] memory inputs = chain(anchors);
        vm.expectRevert(abi.encodeWithSelector(IRollup.AnchorUpdateUnused.selector, 1, 1));
        rollup.advance(inputs, all(two));
        two[1].index = 0;
        vm.expectRevert(abi.encodeWithSelector(IRollup.AnchorUpdateUnused.selector, 1, 0));
        rollup.advance(inputs, all(two));

        u.index = 1;
        rollup.advance(inputs, one(u));
        assertEq(rollup.anchor(), anchors[1]);
    }

    function test_anchors_within_one_call_do_not_go_back() public {
        skip(2);
        uint64 number = uint64(vm.getBlockNumber() - 1);
        IRollup.AnchorUpdate[] memory two = new IRollup.AnchorUpdate[](2);
        (two[0], two[1]) = (updateTo(number), updateTo(number - 1));
        two[1].index = 1;
        bytes32[] memory anchors = new bytes32[](2);
        anchors[0] = anchorOf(two[0]);
        anchors[1] = anchorOf(two[1]);
        bytes[] memory inputs = chain(anchors);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.AnchorNumberWentBack.selector, number - 1, number)
        );
        rollup.advance(inputs, all(two));
    }
}

/// @dev Results that EXECUTE never returns. The rollup does not rely on that.
contract NativeRollupResultTest is RollupFixture {
    function result(uint8 flag, uint64 chainId, uint16 schema)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(
            keccak256("root"),
            bytes1(flag),
            StatelessInputs.little(chainId, 8),
            StatelessInputs.little(schema, 2)
        );
    }

    function answer(bytes memory a) internal {
        vm.etch(EXECUTE, address(new Parrot()).code);
        Parrot(EXECUTE).teach(a);
    }

    function expectRefused(bytes memory a, bytes memory error_) internal {
        answer(a);
        bytes[] memory inputs = one(nextBlock());
        vm.expectRevert(error_);
        rollup.advance(inputs, none());
    }

    function good() internal pure returns (bytes memory) {
        return result(1, CHAIN_ID, StatelessInputs.OSAKA);
    }

    function test_exact_result_is_accepted() public {
        answer(good());
        rollup.advance(one(nextBlock()), none());
        assertEq(rollup.head().number, 1);
    }

    function testFuzz_result_of_another_length_is_rejected(uint256 length) public {
        length = bound(length, 1, 100);
        vm.assume(length != 43);
        bytes memory a = bytes.concat(good(), new bytes(64));
        assembly ("memory-safe") {
            mstore(a, length)
        }
        expectRefused(a, abi.encodeWithSelector(Execute.ResultLengthMismatch.selector, length, 43));
    }

    function test_empty_result_is_rejected() public {
        expectRefused("", abi.encodeWithSelector(Execute.ExecuteAbsent.selector));
    }

    function testFuzz_another_flag_than_one_is_rejected(uint8 flag) public {
        vm.assume(flag != 1);
        expectRefused(
            result(flag, CHAIN_ID, StatelessInputs.OSAKA),
            abi.encodeWithSelector(Execute.ResultNotValid.selector, flag, 1)
        );
    }

    function testFuzz_result_for_another_chain_is_rejected(uint64 chainId) public {
        vm.assume(chainId != CHAIN_ID);
        expectRefused(
            result(1, chainId, StatelessInputs.OSAKA),
            abi.encodeWithSelector(Execute.ResultChainIdMismatch.selector, chainId, CHAIN_ID)
        );
    }

    function testFuzz_result_for_another_schema_is_rejected(uint16 schema) public {
        vm.assume(schema != StatelessInputs.OSAKA);
        expectRefused(
            result(1, CHAIN_ID, schema),
            abi.encodeWithSelector(
                Execute.ResultSchemaMismatch.selector, schema, StatelessInputs.OSAKA
            )
        );
    }
}
