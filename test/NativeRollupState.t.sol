// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {NativeRollup} from "../contracts/NativeRollup.sol";
import {INativeRollup} from "../contracts/interfaces/INativeRollup.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {AlwaysValid, Parrot} from "./utils/Answers.sol";
import {RollupFixture} from "./utils/RollupFixture.sol";
import {StatelessInputs} from "./utils/StatelessInputs.sol";
import {Burner} from "./utils/Targets.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @dev What becomes of the state once EXECUTE has said yes; see `AlwaysValid`.
abstract contract RollupStateTest is RollupFixture {
    function setUp() public virtual override {
        super.setUp();
        vm.etch(EXECUTE, address(new AlwaysValid()).code);
    }

    /// @dev `count` blocks on top of the head, each a second after the one before.
    function chain(uint256 count) internal view returns (StatelessInputs.Block[] memory blocks) {
        blocks = new StatelessInputs.Block[](count);
        for (uint256 i = 0; i < count; ++i) {
            if (i == 0) {
                blocks[i] = nextBlock();
                blocks[i].timestamp -= SafeCastLib.toUint64(count);
                if (blocks[i].timestamp <= rollup.head().timestamp) {
                    blocks[i].timestamp = rollup.head().timestamp + 1;
                }
            } else {
                blocks[i] = blockAfter(blocks[i - 1]);
            }
        }
    }

    function encode(StatelessInputs.Block[] memory blocks)
        internal
        pure
        returns (bytes[] memory inputs)
    {
        inputs = new bytes[](blocks.length);
        for (uint256 i = 0; i < blocks.length; ++i) {
            inputs[i] = StatelessInputs.encode(blocks[i]);
        }
    }

    function assertHead(StatelessInputs.Block memory b) internal view {
        assertEq(rollup.head().number, b.number);
        assertEq(rollup.head().timestamp, b.timestamp);
        assertEq(rollup.blockHash(), b.blockHash);
        assertEq(rollup.stateRoot(), b.stateRoot);
        assertEq(rollup.anchor(), b.anchor);
    }
}

contract NativeRollupStateTest is RollupStateTest {
    function test_a_valid_block_becomes_the_head() public {
        StatelessInputs.Block memory b = nextBlock();
        bytes[] memory inputs = one(b);
        vm.expectEmit(address(rollup));
        emit INativeRollup.BlockAdded(1, b.blockHash, b.stateRoot);
        rollup.advance(inputs, none());
        assertHead(b);
        assertEq(rollup.stateRootAt(1), b.stateRoot);
        assertEq(rollup.stateRootAt(0), genesis().stateRoot);
    }

    function test_execute_gets_each_input_as_it_came() public {
        StatelessInputs.Block[] memory blocks = chain(3);
        // The longest first, so that something would be left over from it.
        blocks[0].transactions = bytes("0123456789012345678901234567890123456789");
        blocks[2].transactions = bytes("x");
        bytes[] memory inputs = encode(blocks);
        vm.startStateDiffRecording();
        rollup.advance(inputs, none());
        VmSafe.AccountAccess[] memory accesses = vm.stopAndReturnStateDiff();
        uint256 seen = 0;
        for (uint256 i = 0; i < accesses.length; ++i) {
            if (accesses[i].account != EXECUTE) continue;
            assertEq(accesses[i].data, inputs[seen]);
            ++seen;
        }
        assertEq(seen, 3);
        assertHead(blocks[2]);
    }

    function testFuzz_blocks_in_one_call_or_in_many_make_the_same_state(uint256 split) public {
        StatelessInputs.Block[] memory blocks = chain(8);
        split = bound(split, 1, 7);
        INativeRollup.Genesis memory g = genesis();
        NativeRollup other = deploy(g, config(StatelessInputs.OSAKA));
        bytes[] memory all = encode(blocks);
        rollup.advance(all, none());

        bytes[] memory first = new bytes[](split);
        bytes[] memory second = new bytes[](8 - split);
        for (uint256 i = 0; i < 8; ++i) {
            if (i < split) first[i] = all[i];
            else second[i - split] = all[i];
        }
        other.advance(first, none());
        other.advance(second, none());

        for (uint256 slot = 0; slot < 16; ++slot) {
            bytes32 s = bytes32(slot);
            assertEq(vm.load(address(rollup), s), vm.load(address(other), s));
        }
        assertHead(blocks[7]);
    }

    function testFuzz_one_bad_block_undoes_the_whole_call(uint256 which) public {
        StatelessInputs.Block[] memory blocks = chain(4);
        bytes[] memory good = encode(blocks);
        which = bound(which, 0, 3);
        blocks[which].parentHash = keccak256("another");
        bytes[] memory bad = encode(blocks);
        vm.expectPartialRevert(INativeRollup.ParentHashMismatch.selector);
        rollup.advance(bad, none());
        assertEq(rollup.head().number, 0);
        assertEq(rollup.blockHash(), genesis().blockHash);
        assertEq(vm.load(address(rollup), bytes32(uint256(6))), 0);
        rollup.advance(good, none());
    }

    function test_a_block_cannot_be_added_twice() public {
        bytes[] memory inputs = one(nextBlock());
        rollup.advance(inputs, none());
        vm.expectPartialRevert(INativeRollup.ParentHashMismatch.selector);
        rollup.advance(inputs, none());
        nextL1Block();
        rollup.advance(one(nextBlock()), none());
    }

    /// @dev A call of its own, so that its memory is given back.
    function advanceBy(uint256 count) external {
        skip(count);
        rollup.advance(encode(chain(count)), none());
    }

    function test_the_latest_8191_state_roots_are_held() public {
        uint256 done = 0;
        while (done < RING + 100) {
            this.advanceBy(91);
            done += 91;
        }
        uint64 head = rollup.head().number;
        assertEq(head, done);
        for (uint64 n = head; n > head - 3; --n) {
            assertEq(rollup.stateRootAt(n), keccak256(abi.encode("state", n)));
        }
        uint64 oldest = head - RING + 1;
        assertEq(rollup.stateRootAt(oldest), keccak256(abi.encode("state", oldest)));
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.StateRootUnavailable.selector, oldest - 1, head)
        );
        rollup.stateRootAt(oldest - 1);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.StateRootUnavailable.selector, head + 1, head)
        );
        rollup.stateRootAt(head + 1);
    }

    // ---------------------------------------------------------------- anchors

    function test_new_anchors_hold_from_their_block_on() public {
        queue.send(address(3), address(0), 0, 0, "");
        nextL1Block();
        uint64 number = uint64(vm.getBlockNumber() - 1);
        INativeRollup.AnchorUpdate[] memory updates = new INativeRollup.AnchorUpdate[](2);
        updates[0] = updateTo(number - 1);
        updates[0].messageCount = 0;
        updates[0].messageRoot = 0;
        updates[0].checkpointId = 0;
        updates[0].checkpointBlock = 0;
        updates[0].checkpointTimestamp = 0;
        updates[0].index = 1;
        updates[1] = updateTo(number);
        updates[1].index = 3;
        bytes32 first = anchorOf(updates[0], blockhash(number - 1));
        bytes32 second = anchorOf(updates[1], blockhash(number));

        StatelessInputs.Block[] memory blocks = chain(5);
        blocks[1].anchor = first;
        blocks[2].anchor = first;
        blocks[3].anchor = second;
        blocks[4].anchor = second;
        bytes[] memory inputs = encode(blocks);
        vm.expectEmit(address(rollup));
        emit INativeRollup.AnchorUpdated(number - 1, blockhash(number - 1), 0, 0);
        vm.expectEmit(address(rollup));
        emit INativeRollup.AnchorUpdated(number, blockhash(number), 1, queue.checkpoint().root);
        rollup.advance(inputs, all(updates));

        assertHead(blocks[4]);
        assertEq(rollup.anchor(), second);
        assertEq(rollup.head().anchorNumber, number);
        assertEq(rollup.head().messageCount, 1);

        blocks = chain(1);
        assertEq(blocks[0].anchor, second);
        nextL1Block();
        rollup.advance(one(nextBlock()), none());
        assertEq(rollup.anchor(), second);
    }

    function test_an_update_that_is_not_used_is_refused() public {
        uint64 number = uint64(vm.getBlockNumber() - 1);
        INativeRollup.AnchorUpdate memory u = updateTo(number);
        bytes32 hash = anchorOf(u, blockhash(number));
        StatelessInputs.Block[] memory blocks = chain(2);
        bytes[] memory unchanged = encode(blocks);
        u.index = 2;
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.AnchorUpdateUnused.selector, 0, 2));
        rollup.advance(unchanged, one(u));

        // Two for one block, and two in the wrong order.
        INativeRollup.AnchorUpdate[] memory two = new INativeRollup.AnchorUpdate[](2);
        (two[0], two[1]) = (updateTo(number), updateTo(number));
        two[0].index = 1;
        two[1].index = 1;
        blocks[1].anchor = hash;
        bytes[] memory inputs = encode(blocks);
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.AnchorUpdateUnused.selector, 1, 1));
        rollup.advance(inputs, all(two));
        two[1].index = 0;
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.AnchorUpdateUnused.selector, 1, 0));
        rollup.advance(inputs, all(two));

        u.index = 1;
        rollup.advance(inputs, one(u));
        assertEq(rollup.anchor(), hash);
    }

    function test_within_one_call_anchors_do_not_go_back_either() public {
        uint64 number = uint64(vm.getBlockNumber() - 1);
        INativeRollup.AnchorUpdate[] memory two = new INativeRollup.AnchorUpdate[](2);
        (two[0], two[1]) = (updateTo(number), updateTo(number - 1));
        two[1].index = 1;
        StatelessInputs.Block[] memory blocks = chain(2);
        blocks[0].anchor = anchorOf(two[0], blockhash(number));
        blocks[1].anchor = anchorOf(two[1], blockhash(number - 1));
        bytes[] memory inputs = encode(blocks);
        vm.expectRevert(
            abi.encodeWithSelector(INativeRollup.AnchorNumberWentBack.selector, number - 1, number)
        );
        rollup.advance(inputs, all(two));
    }
}

/// @dev What else an address can answer than EXECUTE does for a valid input.
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

    function test_the_exact_result_is_accepted() public {
        answer(good());
        rollup.advance(one(nextBlock()), none());
        assertEq(rollup.head().number, 1);
    }

    function testFuzz_a_result_of_another_length_is_refused(uint256 length) public {
        length = bound(length, 1, 100);
        vm.assume(length != 43);
        bytes memory a = bytes.concat(good(), new bytes(64));
        assembly ("memory-safe") {
            mstore(a, length)
        }
        expectRefused(a, abi.encodeWithSelector(Execute.ResultLengthMismatch.selector, length, 43));
    }

    function test_an_empty_result_is_refused() public {
        expectRefused("", abi.encodeWithSelector(Execute.ExecuteAbsent.selector));
    }

    function testFuzz_another_flag_than_one_is_refused(uint8 flag) public {
        vm.assume(flag != 1);
        expectRefused(
            result(flag, CHAIN_ID, StatelessInputs.OSAKA),
            abi.encodeWithSelector(Execute.ResultNotValid.selector, flag, 1)
        );
    }

    function testFuzz_a_result_for_another_chain_is_refused(uint64 chainId) public {
        vm.assume(chainId != CHAIN_ID);
        expectRefused(
            result(1, chainId, StatelessInputs.OSAKA),
            abi.encodeWithSelector(Execute.ResultChainIdMismatch.selector, chainId, CHAIN_ID)
        );
    }

    function testFuzz_a_result_for_another_schema_is_refused(uint16 schema) public {
        vm.assume(schema != StatelessInputs.OSAKA);
        expectRefused(
            result(1, CHAIN_ID, schema),
            abi.encodeWithSelector(
                Execute.ResultSchemaMismatch.selector, schema, StatelessInputs.OSAKA
            )
        );
    }

    function test_a_call_that_fails_as_a_precompile_does_is_refused() public {
        vm.etch(EXECUTE, address(new Burner()).code);
        bytes[] memory inputs = one(nextBlock());
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 1_000_000}(inputs, none());
    }
}

/// @dev What `advance` costs besides its calldata and EXECUTE, as if each call were a transaction.
contract NativeRollupGasTest is RollupStateTest {
    uint256 internal constant BASE = 21_000;
    uint256 internal constant ONE_BLOCK_BOUND = 60_000;
    uint256 internal constant FURTHER_BLOCK_BOUND = 25_000;
    uint256 internal constant INPUT_LENGTH = 20_000;

    function setUp() public override {
        super.setUp();
        rollup.advance(one(nextBlock()), none());
        nextL1Block();
    }

    function fillRing() internal {
        for (uint256 i = 0; i < RING; ++i) {
            vm.store(address(rollup), bytes32(5 + i), bytes32(uint256(1)));
        }
    }

    function inputsOf(uint256 count) internal view returns (bytes[] memory inputs) {
        StatelessInputs.Block[] memory blocks = chain(count);
        for (uint256 i = 0; i < count; ++i) {
            blocks[i].transactions = new bytes(INPUT_LENGTH - 614);
        }
        inputs = encode(blocks);
        assertEq(inputs[0].length, INPUT_LENGTH);
    }

    /// @dev Gas of an advance, and what the stand-in for EXECUTE takes of it.
    function cost(uint256 count, INativeRollup.Evidence memory evidence)
        internal
        returns (uint256)
    {
        bytes[] memory inputs = inputsOf(count);
        if (evidence.updates.length != 0) {
            StatelessInputs.Block memory b = nextBlock();
            INativeRollup.AnchorUpdate memory update = evidence.updates[0];
            b.anchor = anchorOf(update, blockhash(update.l1BlockNumber));
            b.transactions = new bytes(INPUT_LENGTH - 614);
            inputs[0] = StatelessInputs.encode(b);
        }
        // EXECUTE is a precompile, hence warm.
        (bool ok,) = EXECUTE.staticcall(inputs[0]);
        uint256 execute = vm.lastCallGas().gasTotalUsed;
        assertTrue(ok);
        vm.cool(address(rollup));
        vm.cool(address(queue));
        rollup.advance(inputs, evidence);
        return BASE + vm.lastCallGas().gasTotalUsed - count * execute;
    }

    function test_gas_of_one_block_and_of_further_ones() public {
        uint256 state = vm.snapshotState();
        uint256 fresh = cost(1, none());
        vm.revertToState(state);
        uint256 freshFive = cost(5, none());
        vm.revertToState(state);
        fillRing();
        state = vm.snapshotState();
        uint256 first = cost(1, none());
        vm.revertToState(state);
        uint256 five = cost(5, none());

        emit log_named_uint("one block, ring not yet full", fresh);
        emit log_named_uint("each further block, ring not yet full", (freshFive - fresh) / 4);
        emit log_named_uint("one block", first);
        emit log_named_uint("each further block", (five - first) / 4);
        assertLe(first, ONE_BLOCK_BOUND);
        assertLe((five - first) / 4, FURTHER_BLOCK_BOUND);
        // A slot that is written for the first time costs 17,100 more.
        assertLe(fresh, ONE_BLOCK_BOUND + 17_100);
        assertLe((freshFive - fresh) / 4, FURTHER_BLOCK_BOUND + 17_100);
    }

    function test_gas_of_a_new_anchor() public {
        fillRing();
        queue.send(address(3), address(0), 0, 0, "");
        nextL1Block();
        uint256 state = vm.snapshotState();
        uint256 without = cost(1, none());
        vm.revertToState(state);
        uint256 with = cost(1, one(updateTo(uint64(vm.getBlockNumber() - 1))));
        emit log_named_uint("a new anchor", with - without);
        assertLe(with - without, 20_000);
    }
}
