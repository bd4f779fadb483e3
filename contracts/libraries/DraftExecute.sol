// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Execute} from "./Execute.sol";

/// @title Calls of EXECUTE in the form of the EIP-8079 draft, and the fields of its input
/// @notice The input is a stateless input of one block with the revision 0x79 and two additional
/// fields: an anchor of 32 bytes after the chain id, and the burned fees, 8 bytes, after the fixed
/// part of the payload. The result is that of EXECUTE with this revision, followed by the burned
/// fees: the base fees that the block has taken from the accounts of its chain.
///
/// @dev Fields are read at constant offsets, for the reasons given in `Execute`, and from calldata:
/// the bytes that are compared are those that EXECUTE receives. All fields that are read precede
/// the burned fees, so only the anchor moves them, by 32 bytes. The position of the burned fees
/// depends on the fork (byte 622 from Prague to BPO2, 634 in Amsterdam); they are taken from the
/// result, which contains the value that EXECUTE has compared with the execution.
///
///   byte 0    schema id, 2 bytes big-endian
///   byte 2    StatelessInput: offset of the request at 0 (48), offset of the witness at 4, chain
///             id at 8, anchor at 16
///   byte 50   NewPayloadRequest: offset of the payload at 0 (44)
///   byte 94   ExecutionPayload: parent hash at 0, block hash at 472
///
/// The result has 51 bytes: root of the request at 0, flag at 32, chain id at 33 (8 bytes), schema
/// id at 41 (2 bytes), burned fees at 43 (8 bytes). All numbers except the schema id of the input
/// are little-endian.
library DraftExecute {
    /// @notice The schema id is not one of the draft's form with these offsets.
    error SchemaNotSupported(uint16 got, uint16 earliest, uint16 latest);

    /// @notice Address of EXECUTE in the draft's form on most chains.
    address internal constant PRECOMPILE = 0x0000000000000000000000000000000000000104;
    /// @notice Low byte of the schema ids.
    uint16 internal constant REVISION = 0x79;
    /// @notice Schema ids of the first and the last fork with these offsets: Prague and Amsterdam.
    uint16 internal constant FIRST_SCHEMA = 0x1179;
    uint16 internal constant LAST_SCHEMA = 0x1579;

    /// @notice Length of the fixed part of the input's container, which is the canonical offset of
    /// the request.
    uint256 internal constant INPUT_FIXED = 16 + 32;
    /// @notice Offset of the request.
    uint256 internal constant REQUEST_AT = 2 + 48;
    /// @notice Minimum length of an input: the fixed part of the shortest payload ends with the
    /// burned fees.
    uint256 internal constant MIN_LENGTH = 94 + 528 + 8;
    uint256 internal constant CHAIN_ID_AT = 2 + 8;
    uint256 internal constant PARENT_HASH_AT = 94;
    uint256 internal constant BLOCK_HASH_AT = 94 + 472;

    /// @notice Length of the result.
    uint256 internal constant ANSWER_LENGTH = 43 + 8;

    /// @notice Returns the fields of a block that bind it to its chain. Reverts if they are not at
    /// these offsets.
    /// @param input Input of EXECUTE in the draft's form.
    /// @return chainId Chain id of the block.
    /// @return parentHash Hash of the parent block.
    /// @return blockHash Hash of the block.
    function read(bytes calldata input)
        internal
        pure
        returns (uint64 chainId, bytes32 parentHash, bytes32 blockHash)
    {
        if (input.length < MIN_LENGTH) revert Execute.InputTooShort(input.length, MIN_LENGTH);
        // The input has more than 600 bytes; the cast takes the first two.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint16 schema = uint16(bytes2(input));
        bool isDraft = schema & 0xff == REVISION;
        if (!isDraft || schema < FIRST_SCHEMA || schema > LAST_SCHEMA) {
            revert SchemaNotSupported(schema, FIRST_SCHEMA, LAST_SCHEMA);
        }
        _requireOffset(input, Execute.INPUT_AT, INPUT_FIXED);
        _requireOffset(input, REQUEST_AT, Execute.REQUEST_FIXED);
        chainId = _uint64(bytes8(input[CHAIN_ID_AT:]));
        parentHash = bytes32(input[PARENT_HASH_AT:]);
        blockHash = bytes32(input[BLOCK_HASH_AT:]);
    }

    /// @notice Calls EXECUTE with all gas. Returns the burned fees of the block, in wei, if the
    /// block is valid under the rules of its schema and on its chain; reverts otherwise.
    /// @param precompile Address of EXECUTE in this form. It must be a precompile: another account
    /// could return anything.
    /// @param input An input that `read` has accepted.
    function execute(address precompile, bytes calldata input) internal view returns (uint64) {
        (bool done, bytes memory answer) = precompile.staticcall(input);
        if (!done) revert Execute.ExecuteFailed();
        // On a chain without EXECUTE the account is empty, and a call of it succeeds.
        if (answer.length == 0) revert Execute.ExecuteAbsent();
        if (answer.length != ANSWER_LENGTH) {
            revert Execute.ResultLengthMismatch(answer.length, ANSWER_LENGTH);
        }
        // Flag, chain id, schema id and burned fees, in this order.
        uint256 tail;
        assembly ("memory-safe") {
            tail := mload(add(answer, 0x40))
        }
        // The casts extract fields from the word.
        // forge-lint: disable-start(unsafe-typecast)
        uint256 flag = tail >> 248;
        if (flag != Execute.VALID) revert Execute.ResultNotValid(flag, Execute.VALID);
        // The chain id has the same byte order in input and result; the schema id does not.
        bytes8 named = bytes8(input[CHAIN_ID_AT:]);
        bytes8 got = bytes8(uint64(tail >> 184));
        if (got != named) revert Execute.ResultChainIdMismatch(_uint64(got), _uint64(named));
        uint16 schema = uint16(tail >> 168);
        schema = schema << 8 | schema >> 8;
        uint16 expected = uint16(bytes2(input));
        if (schema != expected) revert Execute.ResultSchemaMismatch(schema, expected);
        return _uint64(bytes8(uint64(tail >> 104)));
        // forge-lint: disable-end(unsafe-typecast)
    }

    // ------------------------------------------------------------------ leaves

    function _requireOffset(bytes calldata input, uint256 position, uint256 expected) private pure {
        uint256 got = _uint64(bytes8(bytes4(input[position:])));
        if (got != expected) revert Execute.OffsetNotCanonical(position, got, expected);
    }

    /// @dev Converts a little-endian number.
    function _uint64(bytes8 little) private pure returns (uint64 v) {
        v = uint64(little);
        v = v >> 8 & 0x00ff00ff00ff00ff | (v & 0x00ff00ff00ff00ff) << 8;
        v = v >> 16 & 0x0000ffff0000ffff | (v & 0x0000ffff0000ffff) << 16;
        v = v >> 32 | v << 32;
    }
}
