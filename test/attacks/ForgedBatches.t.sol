// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {OpenSequencing} from "../../contracts/sequencing/OpenSequencing.sol";
import {BatchBytes} from "../utils/BatchBytes.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Batch whose later blocks are not what the rollup takes them for
/// @notice The contract has to find each of several blocks in one input, by offsets that are chosen
/// by the account that advances. A contract that checked only the first block, or read other
/// positions than EXECUTE does, would accept any later block without checks. Here every block of a
/// batch must pass all checks for a single block; its position is checked before it is read; and
/// nothing takes effect unless EXECUTE accepts the whole input.
contract ForgedBatchesTest is RealRollup {
    using L2 for L2.Chain;
    using BatchBytes for bytes;

    bytes[] internal honest;
    bytes internal batch;
    IL2.Head internal start;

    event BlockAdded(uint64 indexed number, bytes32 indexed blockHash, bytes32 stateRoot);

    /// @dev The schedule determines the fork of each block of a batch.
    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.forkMode = IRollup.ForkMode.Pinned;
    }

    function setUp() public virtual override {
        super.setUp();
        skip(60);
        start = l2.head;
        for (uint256 i = 0; i < 3; ++i) {
            l2.transfer("alice", bob, 1 ether);
            honest.push(l2.seal(nextAt(10)));
        }
        batch = L2.batchOf(honest);
    }

    /// @dev Returns the next block, this many seconds after the last one.
    function nextAt(uint64 secondsLater) internal view returns (IL2.Block memory b) {
        b = l2.next();
        b.timestamp = l2.head.timestamp + secondsLater;
    }

    /// @dev Asserts that the rollup does not move, and accepts the honest batch afterwards.
    function assertRefused(bytes memory bad, bytes4 selector) internal {
        bytes[] memory inputs = one(bad);
        vm.expectPartialRevert(selector);
        // If EXECUTE fails, it uses all the gas that it receives.
        rollup.advance{gas: 16_000_000}(inputs, none());
        assertEq(rollup.head().number, 0);
    }

    /// @dev Asserts the same for a batch of the first blocks and another block that is sealed on
    /// them.
    function assertRefused(uint256 first, IL2.Block memory last, bytes4 selector) internal {
        bytes[] memory inputs = new bytes[](first + 1);
        for (uint256 i = 0; i < first; ++i) {
            inputs[i] = honest[i];
        }
        inputs[first] = l2.seal(last);
        bytes memory bad = L2.batchOf(inputs);
        (bool valid, string memory reason) = L2.verify(bad);
        assertTrue(valid, reason);
        assertRefused(bad, selector);
    }

    /// @dev Returns to the parent of the last honest block.
    function backToSecond() internal returns (IL2.Block memory b) {
        IL2.Head memory third = l2.head;
        l2.head.hash = third.parentHash;
        b = nextAt(0);
        b.parentHash = third.parentHash;
        b.timestamp = third.timestamp;
    }

    // ------------------------------------------------------------------ counterparts

    function test_each_block_of_batch_is_added_individually() public {
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(rollup));
            emit BlockAdded(
                batch.number(i),
                batch.word(i, Execute.BLOCK_HASH_AT),
                batch.word(i, Execute.STATE_ROOT_AT)
            );
        }
        rollup.advance(one(batch), none());
        assertHead();
        for (uint64 i = 0; i < 3; ++i) {
            assertEq(rollup.stateRootAt(i + 1), batch.word(i, Execute.STATE_ROOT_AT));
        }
    }

    /// @dev The hash in the event is over inputs, so it also shows that each is executed once.
    function test_batch_is_executed_once() public {
        bytes[] memory inputs = new bytes[](2);
        (inputs[0], inputs[1]) = (honest[0], L2.batchOf(tail()));
        bytes32 hash = keccak256(abi.encodePacked(bytes32(0), keccak256(inputs[0])));
        hash = keccak256(abi.encodePacked(hash, keccak256(inputs[1])));
        vm.expectCall(Execute.PRECOMPILE, inputs[1], 1);
        vm.expectEmit(address(rollup));
        emit IRollup.Advanced(1, 3, address(this), hash, 0);
        rollup.advance(inputs, none());
        assertHead();
    }

    function test_batches_and_single_inputs_mix_in_one_call() public {
        bytes[] memory two = new bytes[](2);
        (two[0], two[1]) = (honest[1], honest[2]);
        bytes[] memory inputs = new bytes[](2);
        (inputs[0], inputs[1]) = (honest[0], L2.batchOf(two));
        uint256 state = vm.snapshotState();
        rollup.advance(inputs, none());
        assertHead();
        vm.revertToState(state);
        (two[0], two[1]) = (honest[0], honest[1]);
        (inputs[0], inputs[1]) = (L2.batchOf(two), honest[2]);
        rollup.advance(inputs, none());
        assertHead();
        vm.revertToState(state);
        (inputs[0], inputs[1]) = (L2.batchOf(one(honest[0])), L2.batchOf(tail()));
        rollup.advance(inputs, none());
        assertHead();
    }

    function tail() internal view returns (bytes[] memory inputs) {
        inputs = new bytes[](2);
        (inputs[0], inputs[1]) = (honest[1], honest[2]);
    }

    // ------------------------------------------------------------------ fields

    /// @dev No byte that a rollup reads or stores can be changed, in any block.
    function test_fields_of_all_blocks_are_checked() public {
        uint256[8] memory fields = BatchBytes.fields();
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = 0; j < fields.length; ++j) {
                bytes memory bad = bytes.concat(batch);
                uint256 place = bad.place(i) + fields[j];
                bad[place] = bytes1(uint8(bad[place]) ^ 1);
                bytes[] memory inputs = one(bad);
                vm.expectRevert();
                rollup.advance{gas: 16_000_000}(inputs, none());
                vm.revertToState(state);
            }
        }
        rollup.advance(one(batch), none());
        assertHead();
    }

    function test_later_block_with_another_anchor_is_rejected() public {
        IL2.Block memory b = backToSecond();
        b.anchor = keccak256("another");
        assertRefused(2, b, IRollup.AnchorMismatch.selector);
    }

    function test_later_block_with_another_gas_limit_is_rejected() public {
        IL2.Block memory b = backToSecond();
        b.gasLimit = l2.head.gasLimit + 1;
        assertRefused(2, b, IRollup.GasLimitMismatch.selector);
    }

    function test_later_block_of_future_is_rejected() public {
        IL2.Block memory b = backToSecond();
        b.timestamp = uint64(vm.getBlockTimestamp()) + 1;
        uint256 state = vm.snapshotState();
        assertRefused(2, b, IRollup.TimestampInFuture.selector);
        vm.revertToState(state);
        b.timestamp -= 1;
        honest[2] = l2.seal(b);
        rollup.advance(one(L2.batchOf(honest)), none());
        assertHead();
    }

    function test_stale_first_block_rejects_its_batch() public {
        uint64 lag = rollup.MAX_LAG();
        uint64 first = batch.timestamp(0);
        vm.warp(first + lag + 1);
        assertRefused(batch, IRollup.TimestampTooOld.selector);
        vm.warp(first + lag);
        rollup.advance(one(batch), none());
        assertHead();
    }

    function test_later_block_under_previous_fork_is_rejected() public {
        uint64 from = batch.timestamp(2);
        bytes[] memory inputs = one(batch);
        // In force from the third block on, or a second later.
        scheduleFork(0x1301, from);
        vm.expectPartialRevert(IRollup.SchemaMismatch.selector);
        rollup.advance(inputs, none());
        scheduleFork(0x1301, from + 1);
        rollup.advance(inputs, none());
        assertHead();
    }

    /// @dev Writes a fork as a change would: `_forks` and the count in `_rules`.
    function scheduleFork(uint16 schema, uint64 from) internal {
        bytes32 forks = bytes32(uint256(8198));
        vm.store(address(rollup), forks, bytes32(uint256(2)));
        bytes32 second = bytes32(uint256(keccak256(abi.encode(forks))) + 1);
        vm.store(address(rollup), second, bytes32(uint256(from) << 16 | schema));
        uint256 rules = uint256(vm.load(address(rollup), bytes32(uint256(3))));
        vm.store(address(rollup), bytes32(uint256(3)), bytes32(rules << 8 >> 8 | 2 << 248));
        assertEq(rollup.schemaAt(from), schema);
        assertEq(rollup.schemaAt(from - 1), L2.OSAKA);
    }

    function test_fees_of_later_block_follow_policy() public {
        OpenSequencing policy = new OpenSequencing(OpenSequencing.Fees.Caller, address(0));
        bytes32 rules = vm.load(address(rollup), bytes32(uint256(3)));
        rules = bytes32(uint256(rules) >> 160 << 160 | uint160(address(policy)));
        vm.store(address(rollup), bytes32(uint256(3)), rules);
        address[2] memory recipients = [address(this), address(0xbad)];
        for (uint256 i = 0; i < 2; ++i) {
            l2.head = start;
            bytes[] memory inputs = new bytes[](2);
            for (uint256 j = 0; j < 2; ++j) {
                IL2.Block memory b = nextAt(10);
                b.feeRecipient = j == 0 ? address(this) : recipients[1 - i];
                inputs[j] = l2.seal(b);
            }
            inputs = one(L2.batchOf(inputs));
            if (i == 0) vm.expectPartialRevert(IRollup.FeeRecipientMismatch.selector);
            rollup.advance(inputs, none());
        }
        assertHead();
    }

    // ------------------------------------------------------------------ blocks

    function test_blocks_of_another_chain_are_rejected() public {
        IL2.Genesis memory g = genesis();
        g.chainId = CHAIN_ID + 1;
        l2.create(g);
        bytes[] memory inputs = new bytes[](2);
        inputs[0] = l2.seal(nextAt(10));
        inputs[1] = l2.seal(nextAt(10));
        assertRefused(L2.batchOf(inputs), IRollup.ChainIdMismatch.selector);
        // With the schema id of a batch, they are invalid too.
        bytes memory renamed = L2.batchOf(inputs);
        renamed[Execute.CHAIN_ID_AT] = batch[Execute.CHAIN_ID_AT];
        assertRefused(renamed, IRollup.ParentHashMismatch.selector);
        rollup.advance(one(batch), none());
    }

    function test_block_cannot_be_repeated() public {
        bytes[] memory twice = new bytes[](2);
        (twice[0], twice[1]) = (batch, honest[2]);
        vm.expectPartialRevert(IRollup.ParentHashMismatch.selector);
        rollup.advance(twice, none());
        twice[1] = batch;
        vm.expectPartialRevert(IRollup.ParentHashMismatch.selector);
        rollup.advance(twice, none());
        // Within a batch, EXECUTE detects it.
        assertRefused(batch.rearranged(indices(0, 0, 1)), Execute.ExecuteFailed.selector);
        rollup.advance(one(batch), none());
        bytes[] memory again = one(batch);
        vm.expectPartialRevert(IRollup.ParentHashMismatch.selector);
        rollup.advance(again, none());
        assertHead();
    }

    function test_blocks_come_in_their_order() public {
        assertRefused(batch.rearranged(indices(0, 2, 1)), Execute.ExecuteFailed.selector);
        assertRefused(batch.rearranged(indices(1, 0, 2)), IRollup.ParentHashMismatch.selector);
        rollup.advance(one(batch.rearranged(indices(0, 1, 2))), none());
        assertHead();
    }

    function indices(uint256 a, uint256 b, uint256 c) internal pure returns (uint256[] memory all) {
        all = new uint256[](3);
        (all[0], all[1], all[2]) = (a, b, c);
    }

    // ------------------------------------------------------------------ offsets

    function test_batch_without_blocks_is_rejected() public {
        assertRefused(batch.withOffset(0, 0), Execute.BatchSizeInvalid.selector);
        assertRefused(batch.withOffset(0, 3), Execute.BatchSizeInvalid.selector);
        // The bytes at the position of the list are then the witness.
        bytes memory empty = batch.rearranged(new uint256[](0));
        assertRefused(empty, Execute.OffsetNotCanonical.selector);
    }

    function test_batch_above_maximum_block_count_is_rejected() public {
        assertRefused(batch.withOffset(0, 4 * 257), Execute.BatchSizeInvalid.selector);
        assertRefused(batch.withOffset(0, type(uint32).max), Execute.BatchSizeInvalid.selector);
        // At the limit, the error is detected by later checks.
        bytes memory maximum = batch.withOffset(0, 4 * 256);
        assertRefused(maximum, Execute.OffsetNotCanonical.selector);
    }

    function test_forged_offsets_are_rejected() public {
        assertRefused(batch.withOffset(0, 13), Execute.OffsetNotCanonical.selector);
        // One block less, and the bytes after it do not form a request.
        assertRefused(batch.withOffset(0, 8), Execute.OffsetNotCanonical.selector);
        for (uint256 i = 1; i < 3; ++i) {
            uint256 honestOffset = batch.offset(i);
            assertRefused(batch.withOffset(i, honestOffset + 1), Execute.ExecuteFailed.selector);
            assertRefused(batch.withOffset(i, honestOffset - 1), Execute.ExecuteFailed.selector);
            assertRefused(batch.withOffset(i, batch.offset(i - 1)), Execute.ExecuteFailed.selector);
            assertRefused(batch.withOffset(i, type(uint32).max), Execute.ExecuteFailed.selector);
        }
        rollup.advance(one(batch), none());
    }

    function test_schema_id_of_other_input_kind_is_rejected() public {
        bytes memory disguised = bytes.concat(batch);
        disguised[1] = 0x01;
        assertRefused(disguised, Execute.OffsetNotCanonical.selector);
        disguised = bytes.concat(honest[0]);
        disguised[1] = 0xba;
        assertRefused(disguised, Execute.OffsetNotCanonical.selector);
        // Batches of other forks, and unknown revisions.
        disguised = bytes.concat(batch);
        disguised[0] = 0x11;
        assertRefused(disguised, IRollup.SchemaMismatch.selector);
        disguised = bytes.concat(honest[0]);
        disguised[1] = 0x79;
        assertRefused(disguised, IRollup.SchemaMismatch.selector);
    }
}
