// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Execute} from "./Execute.sol";

/// @title Call of EXECUTE in the form of the EIP-8079 draft, and the fields of its input
/// @notice The input is a stateless input of one block under the revision 0x79, with two fields
/// more: an anchor of 32 bytes behind the chain id, and the burned fees, 8 bytes, behind the fixed
/// part of the payload. The answer is the result of EXECUTE with this revision and, behind it, the
/// burned fees: the base fees that the block has taken from the accounts of its chain.
///
/// @dev Fields are read at constant offsets, for the reasons in `Execute`, and from calldata: the
/// bytes that are compared are the ones that EXECUTE gets. Everything that is read stands before
/// the burned fees, so only the anchor moves it, by 32 bytes. The place of the burned fees depends
/// on the fork (byte 622 from Prague to BPO2, 634 in Amsterdam); they are taken from the answer,
/// which has the ones that EXECUTE has compared with the execution.
///
///   byte 0 schema id, 2 bytes big endian byte 2 StatelessInput: offset of the request at 0 (48),
///   offset of the witness at 4, chain id at 8, anchor at 16 byte 50 NewPayloadRequest: offset of
///   the payload at 0 (44) byte 94 ExecutionPayload: parent hash at 0, block hash at 472
///
/// The answer has 51 bytes: root of the request at 0, flag at 32, chain id at 33 (8 bytes), schema
/// id at 41 (2 bytes), burned fees at 43 (8 bytes). All numbers but the schema id of the input are
/// little endian.
library DraftExecute {
    /// @notice The schema id is not one of the draft's form whose fields have these offsets.
    error SchemaNotSupported(uint16 got, uint16 earliest, uint16 latest);

    /// @notice Address of EXECUTE in the draft's form, unless a chain has it elsewhere.
    address internal constant PRECOMPILE = 0x0000000000000000000000000000000000000104;
    /// @notice Lower byte of the schema ids.
    uint16 internal constant REVISION = 0x79;
    /// @notice Schema ids of the first and the last fork with these offsets: Prague and Amsterdam.
    uint16 internal constant FIRST_SCHEMA = 0x1179;
    uint16 internal constant LAST_SCHEMA = 0x1579;

    /// @notice Length of the fixed part of the input's container: the canonical offset of the
    /// request.
    uint256 internal constant INPUT_FIXED = 16 + 32;
    /// @notice Offset of the request.
    uint256 internal constant REQUEST_AT = 2 + 48;
    /// @notice No input is shorter: the fixed part of the shortest payload ends with the burned
    /// fees.
    uint256 internal constant MIN_LENGTH = 94 + 528 + 8;
    uint256 internal constant CHAIN_ID_AT = 2 + 8;
    uint256 internal constant PARENT_HASH_AT = 94;
    uint256 internal constant BLOCK_HASH_AT = 94 + 472;

    /// @notice Length of the answer.
    uint256 internal constant ANSWER_LENGTH = 43 + 8;

    /// @notice Returns the fields of a block that bind it to its chain. Reverts if they are not at
    /// these offsets.
    function read(bytes calldata input)
        internal
        pure
        returns (uint64 chainId, bytes32 parentHash, bytes32 blockHash)
    {
        if (input.length < MIN_LENGTH) revert Execute.InputTooShort(input.length, MIN_LENGTH);
        // The first two bytes of more than 600.
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

    /// @notice Calls EXECUTE with an input that `read` has taken, and all gas. Returns the burned
    /// fees of the block, in wei, if it is valid by the rules of the schema and on the chain that
    /// it names; reverts otherwise.
    /// @param precompile Address of EXECUTE in this form. An account there that is no precompile
    /// could answer anything.
    function execute(address precompile, bytes calldata input) internal view returns (uint64) {
        (bool done, bytes memory answer) = precompile.staticcall(input);
        if (!done) revert Execute.ExecuteFailed();
        // A chain without it has an empty account there, and a call of that succeeds.
        if (answer.length == 0) revert Execute.ExecuteAbsent();
        if (answer.length != ANSWER_LENGTH) {
            revert Execute.ResultLengthMismatch(answer.length, ANSWER_LENGTH);
        }
        // Flag, chain id, schema id and burned fees, one behind the other.
        uint256 tail;
        assembly ("memory-safe") {
            tail := mload(add(answer, 0x40))
        }
        // Casts cut fields out of the word.
        // forge-lint: disable-start(unsafe-typecast)
        uint256 flag = tail >> 248;
        if (flag != Execute.VALID) revert Execute.ResultNotValid(flag, Execute.VALID);
        // Both write the chain id alike, but not the schema.
        bytes8 named = bytes8(input[CHAIN_ID_AT:]);
        bytes8 got = bytes8(uint64(tail >> 184));
        if (got != named) revert Execute.ResultChainIdMismatch(_uint64(got), _uint64(named));
        uint16 schema = uint16(tail >> 168);
        schema = schema << 8 | schema >> 8;
        uint16 asked = uint16(bytes2(input));
        if (schema != asked) revert Execute.ResultSchemaMismatch(schema, asked);
        return _uint64(bytes8(uint64(tail >> 104)));
        // forge-lint: disable-end(unsafe-typecast)
    }

    // ------------------------------------------------------------------ leaves

    function _requireOffset(bytes calldata input, uint256 position, uint256 expected) private pure {
        uint256 got = _uint64(bytes8(bytes4(input[position:])));
        if (got != expected) revert Execute.OffsetNotCanonical(position, got, expected);
    }

    /// @dev Number that stands here in little endian.
    function _uint64(bytes8 little) private pure returns (uint64 v) {
        v = uint64(little);
        v = v >> 8 & 0x00ff00ff00ff00ff | (v & 0x00ff00ff00ff00ff) << 8;
        v = v >> 16 & 0x0000ffff0000ffff | (v & 0x0000ffff0000ffff) << 16;
        v = v >> 32 | v << 32;
    }
}
