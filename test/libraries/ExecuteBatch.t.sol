// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {BatchBytes} from "../utils/BatchBytes.sol";
import {StatelessInputs} from "../utils/StatelessInputs.sol";

/// @dev Reads every block of an input, valid or not.
contract BlockReader {
    struct Found {
        uint16 schema;
        uint64 chainId;
        bytes32 anchor;
        bytes32 parentHash;
        bytes32 stateRoot;
        uint64 number;
        uint64 gasLimit;
        uint64 timestamp;
        uint256 baseFee;
        bytes32 blockHash;
    }

    function read(bytes calldata input) external view returns (Found[] memory found) {
        bytes memory buffer = new bytes(input.length);
        uint256 count = Execute.load(buffer, input);
        found = new Found[](count == 0 ? 1 : count);
        for (uint256 i = 0; i < found.length; ++i) {
            bytes memory b = count == 0 ? buffer : Execute.blockAt(buffer, count, i);
            (uint64 number, uint64 limit, uint64 time) = Execute.numbers(b);
            found[i] = Found(
                Execute.schema(buffer),
                Execute.chainId(buffer),
                Execute.parentBeaconBlockRoot(b),
                Execute.parentHash(b),
                Execute.stateRoot(b),
                number,
                limit,
                time,
                Execute.baseFee(b),
                Execute.blockHash(b)
            );
        }
    }
}

/// @dev Offsets of the blocks of a batch.
contract ExecuteBatchTest is Test {
    using BatchBytes for bytes;

    BlockReader internal reader = new BlockReader();

    function blocksOf(uint256 count, uint256 seed)
        internal
        pure
        returns (StatelessInputs.Block[] memory blocks)
    {
        blocks = new StatelessInputs.Block[](count);
        for (uint256 i = 0; i < count; ++i) {
            bytes32 random = keccak256(abi.encode(seed, i));
            uint64 low = uint64(uint256(random) >> 192);
            blocks[i] = StatelessInputs.Block({
                schema: [0x1101, 0x1201, 0x1301, 0x1401, 0x1501][seed % 5],
                // Any bits of the seed will do.
                // forge-lint: disable-next-line(unsafe-typecast)
                chainId: uint64(seed >> 64),
                anchor: keccak256(abi.encode(random, 1)),
                parentHash: keccak256(abi.encode(random, 2)),
                stateRoot: keccak256(abi.encode(random, 3)),
                number: low,
                gasLimit: low ^ 1,
                timestamp: low ^ 2,
                baseFee: uint256(random),
                blockHash: keccak256(abi.encode(random, 4)),
                // Blocks of different lengths.
                transactions: new bytes(uint256(random) % 300)
            });
        }
    }

    function testFuzz_batch_fields_match_single_blocks(uint256 seed, uint256 size) public view {
        StatelessInputs.Block[] memory blocks = blocksOf(1 + size % 6, seed);
        BlockReader.Found[] memory found = reader.read(StatelessInputs.encode(blocks));
        assertEq(found.length, blocks.length);
        for (uint256 i = 0; i < blocks.length; ++i) {
            BlockReader.Found memory expected = reader.read(StatelessInputs.encode(blocks[i]))[0];
            assertEq(expected.schema, blocks[i].schema);
            expected.schema += Execute.BATCH_REVISION - Execute.REVISION;
            assertEq(keccak256(abi.encode(found[i])), keccak256(abi.encode(expected)));
            assertEq(found[i].blockHash, blocks[i].blockHash);
            assertEq(found[i].baseFee, blocks[i].baseFee);
        }
    }

    /// @dev Returns a batch of 256 or 257 identical blocks.
    function repeated(uint256 count) internal pure returns (bytes memory) {
        bytes memory one = StatelessInputs.encode(blocksOf(1, 1));
        uint256 witness = 2 + one.little(6, 4);
        bytes memory request = one.slice(22, witness);
        bytes memory requests = request;
        // Doubled instead of appended, because memory is never freed.
        for (uint256 i = 0; i < 8; ++i) {
            requests = bytes.concat(requests, requests);
        }
        if (count == 257) requests = bytes.concat(requests, request);
        bytes memory starts;
        for (uint256 i = 0; i < count; ++i) {
            uint256 start = 4 * count + request.length * i;
            starts = bytes.concat(starts, StatelessInputs.little(start, 4));
        }
        return bytes.concat(
            one.slice(0, 6),
            StatelessInputs.little(16 + starts.length + requests.length, 4),
            one.slice(10, 18),
            starts,
            requests,
            one.slice(witness, one.length)
        );
    }

    function test_batch_has_at_most_256_blocks() public {
        assertEq(reader.read(repeated(256)).length, 256);
        bytes memory more = repeated(257);
        vm.expectRevert(abi.encodeWithSelector(Execute.BatchSizeInvalid.selector, 257, 256));
        reader.read(more);
    }

    /// @dev A later block starts after the minimum length of the previous one, and early enough for
    /// its own minimum length.
    function test_request_offsets_out_of_range_revert() public {
        bytes memory input = StatelessInputs.encode(blocksOf(3, 0));
        uint256 maximum = input.length - 18 - Execute.MIN_REQUEST;
        for (uint256 i = 1; i < 3; ++i) {
            uint256 minimum = input.offset(i - 1) + Execute.MIN_REQUEST;
            uint256[3] memory outside = [minimum - 1, maximum + 1, type(uint32).max];
            for (uint256 j = 0; j < 3; ++j) {
                bytes memory bad = input.withOffset(i, outside[j]);
                vm.expectRevert(
                    abi.encodeWithSelector(
                        Execute.RequestOutOfPlace.selector, outside[j], minimum, maximum
                    )
                );
                reader.read(bad);
            }
            // Within the input, but at no request's start.
            bytes memory moved = input.withOffset(i, input.offset(i) + 1);
            vm.expectPartialRevert(Execute.OffsetNotCanonical.selector);
            reader.read(moved);
        }
        reader.read(input);
    }

    /// @dev For arbitrary offsets, only the input is read: memory does not grow.
    function testFuzz_offsets_do_not_read_beyond_input(uint256 seed, uint32[3] memory offsets)
        public
        view
    {
        bytes memory input = StatelessInputs.encode(blocksOf(3, seed));
        for (uint256 i = 0; i < 3; ++i) {
            uint256 honest = input.offset(i);
            uint256 offset = offsets[i] % 2 == 0 ? honest : offsets[i] % (2 * input.length);
            input = input.withOffset(i, offset);
        }
        try reader.read{gas: 2_000_000}(input) {}
        catch (bytes memory reason) {
            // A revert with a reason, so gas did not run out.
            assertGt(reason.length, 0);
        }
    }
}
