// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibRLP} from "solady/utils/LibRLP.sol";
import {HeaderReader} from "../contracts/HeaderReader.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {BlockFields} from "../contracts/libraries/HeaderFields.sol";
import {Rlp} from "../contracts/libraries/Rlp.sol";
import {ExecuteTest} from "./utils/ExecuteTest.sol";
import {BlobInputs} from "./utils/ExecuteWithBlobs.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";
import {Parrot} from "./utils/Parrot.sol";

/// @dev Reads the fields of blocks as a rollup does.
contract FieldsInPlace {
    struct Found {
        uint16 schema;
        uint64 chainId;
        BlockFields[] blocks;
    }

    /// @notice Reads an input in place.
    function ofInput(bytes calldata input) external view returns (Found memory) {
        bytes memory buffer = new bytes(input.length);
        return _found(buffer, Execute.load(buffer, input));
    }

    /// @notice Reads the result of `HeaderReader.read`.
    function ofBlocks(bytes memory blocks) external view returns (Found memory) {
        return _found(blocks, (blocks.length - 18) / 588);
    }

    /// @notice Reads a transaction of the first block of such a result.
    function transactionOf(bytes memory blocks) external view returns (bytes32) {
        uint256 count = (blocks.length - 18) / 588;
        bytes memory first = Execute.blockAt(blocks, count, 0);
        return Execute.transactionHash(first, Execute.endOf(blocks, count), 0);
    }

    function _found(bytes memory buffer, uint256 count) private view returns (Found memory found) {
        found.schema = Execute.schema(buffer);
        found.chainId = Execute.chainId(buffer);
        found.blocks = new BlockFields[](count == 0 ? 1 : count);
        for (uint256 i = 0; i < found.blocks.length; ++i) {
            bytes memory b = count == 0 ? buffer : Execute.blockAt(buffer, count, i);
            (uint64 number, uint64 limit, uint64 time) = Execute.numbers(b);
            found.blocks[i] = BlockFields({
                blockHash: Execute.blockHash(b),
                parentHash: Execute.parentHash(b),
                feeRecipient: Execute.feeRecipient(b),
                stateRoot: Execute.stateRoot(b),
                transactionsRoot: 0,
                number: number,
                gasLimit: limit,
                gasUsed: Execute.gasUsed(b),
                timestamp: time,
                baseFee: Execute.baseFee(b),
                parentBeaconBlockRoot: Execute.parentBeaconBlockRoot(b)
            });
        }
    }
}

/// @dev The fields of headers are those of the payloads, on the real EXECUTE.
contract HeaderReaderTest is ExecuteTest {
    using L2 for L2.Chain;
    using LibRLP for LibRLP.List;

    L2.Chain internal l2;
    HeaderReader internal reader;
    FieldsInPlace internal inPlace;

    function setUp() public override {
        super.setUp();
        vm.warp(1_700_000_000);
        installDialect(Execute.HEADERS_PRECOMPILE, "dialect=headers");
        (reader, inPlace) = (new HeaderReader(), new FieldsInPlace());
    }

    function schemas() internal pure returns (uint16[5] memory) {
        return [L2.PRAGUE, L2.OSAKA, 0x1301, 0x1401, L2.AMSTERDAM];
    }

    /// @dev Starts a chain of this fork and returns the inputs of three blocks.
    function blocksOf(uint16 schema) internal returns (bytes[] memory inputs) {
        IL2.Genesis memory g = L2.defaults();
        g.schema = schema;
        L2.fund(g, "alice", 1000 ether);
        l2.create(g);
        inputs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            skip(12);
            l2.feeRecipient = address(uint160(uint256(keccak256(abi.encode(schema, i)))));
            // The second block is empty.
            for (uint256 j = 0; j < 2 && i != 1; ++j) {
                l2.transfer("alice", address(0xb0b), 1 + i);
            }
            IL2.Block memory b = l2.next();
            b.anchor = keccak256(abi.encode("anchor", i));
            inputs[i] = l2.seal(b);
        }
    }

    /// @dev Compares all fields but the root that an input does not contain.
    function assertSame(bytes memory input) internal view {
        FieldsInPlace.Found memory expected = inPlace.ofInput(input);
        bytes memory blocks = reader.read(input);
        assertEq(abi.encode(inPlace.ofBlocks(blocks)), abi.encode(expected));
        BlockFields[] memory fields = reader.fieldsOf(input);
        assertEq(fields.length, expected.blocks.length);
        for (uint256 i = 0; i < fields.length; ++i) {
            assertNotEq(fields[i].transactionsRoot, 0);
            fields[i].transactionsRoot = 0;
        }
        assertEq(abi.encode(fields), abi.encode(expected.blocks));
    }

    function test_both_sources_agree_for_every_known_fork() public {
        for (uint256 i = 0; i < schemas().length; ++i) {
            bytes[] memory inputs = blocksOf(schemas()[i]);
            for (uint256 j = 0; j < 3; ++j) {
                assertSame(inputs[j]);
            }
            assertSame(L2.batchOf(inputs));
            bytes[] memory one = new bytes[](1);
            one[0] = inputs[2];
            assertSame(L2.batchOf(one));
        }
    }

    function test_inputs_in_blobs_give_same_fields() public {
        BlobInputs.install();
        BlobInputs.installHeaders();
        bytes[] memory blocks = blocksOf(L2.AMSTERDAM);
        bytes[] memory inputs = new bytes[](2);
        (inputs[0], inputs[1]) = (blocks[0], L2.batchOf(blocks));
        inputs = BlobInputs.post(inputs, 602);
        assertSame(inputs[0]);
        assertSame(inputs[1]);
    }

    function test_invalid_block_returns_no_fields() public {
        bytes[] memory inputs = blocksOf(L2.OSAKA);
        bytes memory forged = bytes.concat(inputs[0]);
        forged[Execute.STATE_ROOT_AT] ^= 0x01;
        vm.expectRevert(Execute.ExecuteFailed.selector);
        reader.read{gas: 16_000_000}(forged);
        // The first block of the batch is valid.
        bytes memory batch = L2.batchOf(inputs);
        batch[batch.length - 1] ^= 0x01;
        vm.expectRevert(Execute.ExecuteFailed.selector);
        reader.read{gas: 16_000_000}(batch);
        reader.read(inputs[0]);
    }

    function test_chain_without_execute_accepts_no_block() public {
        bytes memory input = blocksOf(L2.OSAKA)[0];
        vm.etch(Execute.HEADERS_PRECOMPILE, "");
        vm.expectRevert(Execute.ExecuteAbsent.selector);
        reader.read(input);
    }

    function test_transactions_are_out_of_reach() public {
        bytes memory blocks = reader.read(blocksOf(L2.OSAKA)[0]);
        vm.expectRevert(Execute.TransactionsInBlobs.selector);
        inPlace.transactionOf(blocks);
    }

    // ------------------------------------------------------------------ answers

    /// @dev Fields of a header, and further items.
    struct Made {
        BlockFields fields;
        bytes[] further;
    }

    /// @dev Index of each item that is read.
    function indexes() internal pure returns (uint8[10] memory) {
        return [0, 2, 3, 4, 8, 9, 10, 11, 15, 19];
    }

    /// @dev Returns the items of a header as RLP. The others are as the seed wants.
    function itemsOf(Made memory made, bytes32 seed) internal pure returns (bytes[] memory items) {
        items = new bytes[](20 + made.further.length);
        for (uint256 i = 0; i < 20; ++i) {
            uint256 kind = uint8(seed[i]) % 3;
            LibRLP.List memory list;
            if (kind == 0) items[i] = LibRLP.encode(abi.encodePacked(seed, seed));
            else if (kind == 1) items[i] = list.p(uint256(seed)).encode();
            else items[i] = LibRLP.encode(uint256(uint8(seed[i])));
        }
        BlockFields memory f = made.fields;
        items[0] = LibRLP.encode(abi.encodePacked(f.parentHash));
        items[2] = LibRLP.encode(abi.encodePacked(f.feeRecipient));
        items[3] = LibRLP.encode(abi.encodePacked(f.stateRoot));
        items[4] = LibRLP.encode(abi.encodePacked(f.transactionsRoot));
        items[8] = LibRLP.encode(f.number);
        items[9] = LibRLP.encode(f.gasLimit);
        items[10] = LibRLP.encode(f.gasUsed);
        items[11] = LibRLP.encode(f.timestamp);
        items[15] = LibRLP.encode(f.baseFee);
        items[19] = LibRLP.encode(abi.encodePacked(f.parentBeaconBlockRoot));
        for (uint256 i = 0; i < made.further.length; ++i) {
            items[20 + i] = LibRLP.encode(made.further[i]);
        }
    }

    /// @dev Returns the RLP list of encoded items.
    function listOf(bytes[] memory items) internal pure returns (bytes memory) {
        bytes memory payload;
        for (uint256 i = 0; i < items.length; ++i) {
            payload = bytes.concat(payload, items[i]);
        }
        uint256 length = payload.length;
        // A header has fewer than 2^16 bytes.
        // forge-lint: disable-start(unsafe-typecast)
        if (length < 56) return bytes.concat(bytes1(uint8(0xc0 + length)), payload);
        if (length < 256) return bytes.concat(hex"f8", bytes1(uint8(length)), payload);
        return bytes.concat(hex"f9", bytes2(uint16(length)), payload);
        // forge-lint: disable-end(unsafe-typecast)
    }

    /// @dev Returns an answer with these headers: schema 0x1601 on chain 0x0807060504030201.
    function answerOf(bytes[] memory headers) internal pure returns (bytes memory answer) {
        answer = abi.encodePacked(bytes32(0), hex"01", hex"0102030405060708", hex"0116");
        for (uint256 i = 0; i < headers.length; ++i) {
            answer = bytes.concat(answer, bytes4(uint32(headers[i].length)), headers[i]);
        }
    }

    function answerOf(bytes memory header) internal pure returns (bytes memory) {
        bytes[] memory headers = new bytes[](1);
        headers[0] = header;
        return answerOf(headers);
    }

    function bounded(Made memory made) internal pure {
        made.fields.baseFee = uint64(made.fields.baseFee);
        if (made.further.length > 8) {
            bytes[] memory further = made.further;
            assembly ("memory-safe") {
                mstore(further, 8)
            }
        }
        for (uint256 i = 0; i < made.further.length; ++i) {
            bytes memory item = made.further[i];
            if (item.length > 256) {
                assembly ("memory-safe") {
                    mstore(item, 256)
                }
            }
        }
    }

    function testFuzz_fields_are_read_by_index(Made memory made, bytes32 seed) public view {
        bounded(made);
        bytes[] memory headers = new bytes[](2);
        headers[0] = listOf(itemsOf(made, seed));
        headers[1] = listOf(itemsOf(made, keccak256(abi.encode(seed))));
        (uint16 schema, uint64 chainId, BlockFields[] memory fields) =
            reader.decode(answerOf(headers));
        assertEq(schema, 0x1601);
        assertEq(chainId, 0x0807060504030201);
        for (uint256 i = 0; i < 2; ++i) {
            made.fields.blockHash = keccak256(headers[i]);
            assertEq(abi.encode(fields[i]), abi.encode(made.fields));
        }
    }

    /// @dev An item that is read has another length, a leading zero, or is a list.
    function testFuzz_wrong_item_is_rejected(Made memory made, bytes32 seed, uint256 which) public {
        bounded(made);
        bytes[] memory items = itemsOf(made, seed);
        uint256 index = indexes()[which % 10];
        bool isNumber = index >= 8 && index <= 15;
        bytes memory good = bytes.concat(items[index]);
        bytes[4] memory bad = [
            isNumber ? bytes(hex"00") : bytes(hex"9f00000000000000000000000000000000000000"),
            isNumber
                ? bytes(hex"89ffffffffffffffffff")
                : bytes.concat(hex"a1", bytes32(seed), hex"01"),
            bytes(hex"c0"),
            isNumber ? bytes(hex"8200ff") : bytes(hex"80")
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            items[index] = bad[i];
            expectUnreadable(listOf(items));
        }
        items[index] = good;
        reader.decode(answerOf(listOf(items)));
    }

    function testFuzz_list_with_fewer_items_is_rejected(Made memory made, bytes32 seed, uint8 left)
        public
    {
        bounded(made);
        bytes[] memory items = itemsOf(made, seed);
        assembly ("memory-safe") {
            mstore(items, mod(left, 20))
        }
        expectUnreadable(listOf(items));
        assembly ("memory-safe") {
            mstore(items, 20)
        }
        reader.decode(answerOf(listOf(items)));
    }

    /// @dev After any change, the returned hash is that of the changed bytes.
    function testFuzz_changed_byte_changes_hash(
        Made memory made,
        bytes32 seed,
        uint256 position,
        uint8 value
    ) public view {
        bounded(made);
        bytes memory header = listOf(itemsOf(made, seed));
        header[position % header.length] = bytes1(value);
        try reader.decode(answerOf(header)) returns (uint16, uint64, BlockFields[] memory fields) {
            assertEq(fields[0].blockHash, keccak256(header));
        } catch {}
    }

    function test_result_with_another_layout_is_rejected() public {
        Made memory made;
        bytes memory header = listOf(itemsOf(made, 0));
        bytes memory good = answerOf(header);
        reader.decode(good);
        // A byte more or less in the header, behind it, and in its length.
        expectUnreadable(bytes.concat(header, hex"00"));
        bytes memory changed = bytes.concat(good, hex"00");
        expectRefused(changed);
        changed = bytes.concat(good);
        assembly ("memory-safe") {
            mstore(changed, sub(mload(changed), 1))
        }
        expectRefused(changed);
        changed = bytes.concat(good);
        changed[46] = bytes1(uint8(changed[46]) ^ 1);
        expectRefused(changed);
        // Not valid.
        changed = bytes.concat(good);
        changed[32] = 0x02;
        vm.expectRevert(abi.encodeWithSelector(Execute.ResultNotValid.selector, 2, 1));
        reader.decode(changed);
        // Without headers, and shorter than a result.
        changed = answerOf(new bytes[](0));
        vm.expectRevert(HeaderReader.NoHeaders.selector);
        reader.decode(changed);
        vm.expectRevert(abi.encodeWithSelector(Execute.ResultLengthMismatch.selector, 42, 43));
        reader.decode(new bytes(42));
        bytes[] memory many = new bytes[](257);
        for (uint256 i = 0; i < 257; ++i) {
            many[i] = hex"c0";
        }
        changed = answerOf(many);
        vm.expectRevert(abi.encodeWithSelector(HeaderReader.TooManyHeaders.selector, 257, 256));
        reader.decode(changed);
    }

    /// @dev The schema id in the answer is that of the input.
    function test_result_for_another_schema_is_rejected() public {
        Made memory made;
        bytes memory answer = answerOf(listOf(itemsOf(made, 0)));
        vm.etch(Execute.HEADERS_PRECOMPILE, type(Parrot).runtimeCode);
        Parrot(Execute.HEADERS_PRECOMPILE).teach(answer);
        bytes memory input = hex"1701";
        vm.expectRevert(
            abi.encodeWithSelector(Execute.ResultSchemaMismatch.selector, 0x1601, 0x1701)
        );
        reader.read(input);
        reader.read(hex"1601");
    }

    function expectUnreadable(bytes memory header) internal {
        expectRefused(answerOf(header));
    }

    function expectRefused(bytes memory answer) internal {
        vm.expectRevert();
        reader.decode(answer);
    }
}
