// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Execute} from "./libraries/Execute.sol";
import {BlockFields, HeaderFields} from "./libraries/HeaderFields.sol";
import {Rlp} from "./libraries/Rlp.sol";

/// @title Reader for inputs of forks with an unknown layout
/// @notice Calls EXECUTE at the address that returns the headers of the verified blocks, and reads
/// the block fields from these headers. Only the schema id is read from the input, so this works
/// for forks that did not exist at deployment, as long as their headers begin with today's fields.
/// EXECUTE has verified all returned values.
/// @dev A separate contract, because `Rlp` reads calldata and the code size of a rollup is near the
/// limit of EIP-170. It is stateless and can be shared by all rollups of an L1.
contract HeaderReader {
    /// @notice The return data contains no header.
    error NoHeaders();
    /// @notice The return data contains more headers than a batch may have blocks.
    error TooManyHeaders(uint256 got, uint256 maximum);

    /// @notice Bytes per block in the result of `read`: the offset of its request (4), and the
    /// request as in the head of a batch (584).
    uint256 public constant BLOCK_LENGTH = 4 + 584;

    /// @notice Executes an input and returns its blocks as a batch that `Execute.blockAt` reads.
    /// @dev The batch has the layout of Prague to Amsterdam for any layout of the input, and
    /// the schema id of the input. It contains each field that `Execute` reads at a constant
    /// offset, the transactions root in place of the receipts root, and zeros elsewhere. Its
    /// transactions cannot be read, as if they were in blobs.
    function read(bytes calldata input) external view returns (bytes memory) {
        uint256 size = _execute(input);
        uint32 selector = uint32(this.batchOf.selector);
        // Calls `this.batchOf(schema, answer)` and returns its return data unchanged.
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, selector))
            // The schema id is the first two bytes of the input.
            mstore(add(data, 0x04), shr(240, calldataload(input.offset)))
            mstore(add(data, 0x24), 0x40)
            mstore(add(data, 0x44), size)
            returndatacopy(add(data, 0x64), 0, size)
            let ok := staticcall(gas(), address(), data, add(size, 0x64), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(ok) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    /// @notice Returns the blocks in the return data of EXECUTE with headers, as `read` does.
    /// @param expected Schema id of the input.
    function batchOf(uint16 expected, bytes calldata answer)
        external
        pure
        returns (bytes memory blocks)
    {
        (uint16 schema, uint64 chainId, BlockFields[] memory fields) = _decode(answer);
        if (schema != expected) revert Execute.ResultSchemaMismatch(schema, expected);
        return _laid(schema, chainId, fields);
    }

    /// @notice Executes an input and returns the fields of its blocks.
    function fieldsOf(bytes calldata input) external view returns (BlockFields[] memory fields) {
        (,, fields) = this.decode(_run(input));
    }

    /// @notice Decodes the return data of EXECUTE with headers.
    /// @return schema Schema id of the input.
    /// @return chainId Chain id of the input.
    /// @return fields Fields of each block.
    function decode(bytes calldata answer)
        external
        pure
        returns (uint16 schema, uint64 chainId, BlockFields[] memory fields)
    {
        return _decode(answer);
    }

    function _decode(bytes calldata answer)
        private
        pure
        returns (uint16 schema, uint64 chainId, BlockFields[] memory fields)
    {
        if (answer.length < Execute.RESULT_LENGTH) {
            revert Execute.ResultLengthMismatch(answer.length, Execute.RESULT_LENGTH);
        }
        uint256 flag = uint8(answer[32]);
        if (flag != Execute.VALID) revert Execute.ResultNotValid(flag, Execute.VALID);
        // The casts extract fields, which are little-endian.
        // forge-lint: disable-start(unsafe-typecast)
        chainId = uint64(Execute.reversed(uint64(bytes8(answer[33:41]))));
        schema = uint16(bytes2(answer[41:43]));
        schema = schema << 8 | schema >> 8;
        // forge-lint: disable-end(unsafe-typecast)
        uint256 pos;
        assembly ("memory-safe") {
            pos := add(answer.offset, 43)
        }
        uint256 end = pos + answer.length - Execute.RESULT_LENGTH;
        uint256 count = _count(pos, end);
        fields = new BlockFields[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 start = pos + 4;
            pos = start + _length(pos);
            fields[i] = HeaderFields.read(start, pos);
        }
    }

    /// @dev Returns the number of headers. Reverts unless the last one ends at `end`.
    function _count(uint256 pos, uint256 end) private pure returns (uint256 count) {
        for (; pos != end; ++count) {
            uint256 next = pos + 4 + _length(pos);
            if (next > end) revert Rlp.RlpTruncated(pos, end);
            pos = next;
        }
        if (count == 0) revert NoHeaders();
        if (count > Execute.MAX_BLOCKS) revert TooManyHeaders(count, Execute.MAX_BLOCKS);
    }

    /// @dev Returns the length of a header, four bytes big-endian.
    function _length(uint256 pos) private pure returns (uint256 length) {
        assembly ("memory-safe") {
            length := shr(224, calldataload(pos))
        }
    }

    /// @dev Calls EXECUTE with all gas and returns the return data.
    function _run(bytes calldata input) private view returns (bytes memory answer) {
        answer = new bytes(_execute(input));
        assembly ("memory-safe") {
            returndatacopy(add(answer, 0x20), 0, mload(answer))
        }
    }

    /// @dev Calls EXECUTE with all gas and returns the length of the return data.
    function _execute(bytes calldata input) private view returns (uint256 size) {
        address precompile =
            Execute.hasTrailer() ? Execute.BLOB_HEADERS_PRECOMPILE : Execute.HEADERS_PRECOMPILE;
        bool ok;
        // The memory of the input is not allocated: nothing reads it after the call.
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, input.offset, input.length)
            ok := staticcall(gas(), precompile, data, input.length, 0, 0)
            size := returndatasize()
        }
        if (!ok) revert Execute.ExecuteFailed();
        // On a chain without EXECUTE, its address is an account without code.
        if (size == 0) revert Execute.ExecuteAbsent();
    }

    /// @dev Returns the batch of `read`.
    function _laid(uint16 schema, uint64 chainId, BlockFields[] memory fields)
        private
        pure
        returns (bytes memory blocks)
    {
        uint256 count = fields.length;
        uint256 list = Execute.REQUEST_AT + 4 * count;
        blocks = new bytes(Execute.REQUEST_AT + BLOCK_LENGTH * count);
        // Schema id, offset of the request, offset of the witness, chain id.
        uint256 head =
            uint256(schema) << 240 | Execute.INPUT_FIXED << 232 | Execute.reversed(chainId) << 112;
        _put(blocks, 0, head);
        for (uint256 i = 0; i < count; ++i) {
            uint256 offset = 4 * count + Execute.REQUEST_HEAD * i;
            _put(blocks, Execute.REQUEST_AT + 4 * i, Execute.reversed(offset << 192));
        }
        for (uint256 i = 0; i < count; ++i) {
            _putBlock(blocks, list + Execute.REQUEST_HEAD * i, fields[i]);
        }
    }

    /// @dev Writes the fields of a block into its request at `place`. Each word may extend into the
    /// next field, which is written after it.
    function _putBlock(bytes memory blocks, uint256 place, BlockFields memory fields) private pure {
        unchecked {
            // Positions are those of a single input, whose request begins at byte 18.
            uint256 origin = place - Execute.REQUEST_AT;
            _put(blocks, place, Execute.REQUEST_FIXED << 248);
            _put(
                blocks,
                origin + Execute.PARENT_BEACON_BLOCK_ROOT_AT,
                uint256(fields.parentBeaconBlockRoot)
            );
            _put(blocks, origin + Execute.PARENT_HASH_AT, uint256(fields.parentHash));
            _put(
                blocks,
                origin + Execute.FEE_RECIPIENT_AT,
                uint256(uint160(fields.feeRecipient)) << 96
            );
            _put(blocks, origin + Execute.STATE_ROOT_AT, uint256(fields.stateRoot));
            _put(blocks, origin + Execute.RECEIPTS_ROOT_AT, uint256(fields.transactionsRoot));
            uint256 lanes = uint256(fields.number) << 192 | uint256(fields.gasLimit) << 128
                | uint256(fields.gasUsed) << 64 | fields.timestamp;
            _put(blocks, origin + Execute.BLOCK_NUMBER_AT, Execute.reversed(lanes));
            // Base fees have 64 bits.
            _put(blocks, origin + Execute.BASE_FEE_AT, Execute.reversed(fields.baseFee << 192));
            _put(blocks, origin + Execute.BLOCK_HASH_AT, uint256(fields.blockHash));
            // Places the end of the transactions beyond the end of any input.
            _put(blocks, origin + Execute.WITHDRAWALS_OFFSET_AT, uint256(type(uint32).max) << 224);
        }
    }

    function _put(bytes memory blocks, uint256 position, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(blocks, 0x20), position), word)
        }
    }
}
