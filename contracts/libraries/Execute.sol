// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {KeptCodes} from "./KeptCodes.sol";
import {Mismatch} from "./Mismatch.sol";

/// @title Calls of the EXECUTE precompile, and the fields of its input
/// @notice The EXECUTE input is a schema id (two bytes, big-endian) and an SSZ `StatelessInput`. It
/// is copied to memory once, unchanged except that references to code on L1 are resolved
/// (`KeptCodes`). The fields that a rollup governs are read in place, and the same bytes are passed
/// to EXECUTE. Nothing is encoded again, so the fields that were compared are those that were
/// executed.
///
/// @dev Fields can be read at constant offsets, because an SSZ container begins with a fixed part,
/// in which a field of variable size is only an offset from the container's start. `StatelessInput`
/// contains the request this way, and the request the payload; every field that is read here has a
/// fixed size and is in the fixed part of one of the three. So the position of each field depends
/// only on those two offsets and on the layout of the containers. EXECUTE rejects an offset that is
/// not canonical (the first must be the length of the fixed part), and `load` compares both with
/// the same values: no decoder, however lenient, can read other fields than this one. The layouts
/// follow from the schema id, which the caller compares: since Prague, the fixed part of a request
/// has 44 bytes, and Amsterdam extends the payload only after the fields that are read here.
///
///   byte 0   schema id, 2 bytes big-endian
///   byte 2   StatelessInput: offset of the request at 0 (16), offset of the witness at 4, chain id
///            at 8
///   byte 18  NewPayloadRequest: offset of the payload at 0 (44), offset of the versioned hashes at
///            4, parent beacon block root at 8, offset of the execution requests at 40
///   byte 62  ExecutionPayload
///
/// A batch has another revision in its schema id, and a list of requests instead of one:
///
///   byte 18                        offsets of the requests from here, 4 bytes each; the first is
///                                  the length of all of them
///   byte 18 + offset of a request  NewPayloadRequest, as above
///
/// So the layout of each block of a batch, from its request on, is that of a single input from byte
/// 18 on. `blockAt` therefore returns a pointer for which byte 18 is the start of the block's
/// request, and all fields after byte 18 are read relative to it; the bytes before byte 18 belong
/// to something else, including the length word. `blockAt` repeats the checks of a strict decoder:
/// the first offset is canonical, each request starts after the fixed part of the previous one and
/// ends no earlier than its own fixed part, within the input, and its payload is at the canonical
/// offset.
///
/// In a transaction with blobs, each input may be in the blobs except for its head. `load` then
/// receives the head and a trailer of eight bytes, and `run` calls another address, where EXECUTE
/// appends the tail from the blobs to the head. The tail of a single input follows the head, which
/// must have at least 602 bytes; the trailer has a flag for a head that is the whole input. The
/// head of a batch consists of the bytes before its requests, followed by the first 584 bytes of
/// each request, without the bytes between them:
///
///   byte 18                     offsets of the requests, as above
///   byte 18 + 4 · n + 584 · i   first bytes of request i
///
/// EXECUTE copies these bytes to the offset of request i in the batch, and reads the request there.
/// For any offsets, the fields at these positions are those of block i; nothing else can be there,
/// because `load` compares the length of the head, as EXECUTE does. Every field at a constant
/// offset is in the head. Transactions may be in the blobs, and are rejected in that case
/// (`transactionHash`).
///
/// Integers inside SSZ are little-endian. The result has 43 bytes: root of the request (or of the
/// list of them) at 0, flag at 32, chain id at 33 (8 bytes), schema id at 41 (2 bytes,
/// little-endian here).
library Execute {
    /// @notice The input ends within the fixed part of the payload.
    error InputTooShort(uint256 got, uint256 minimum);
    /// @notice The offset at `position` of the input does not point to the end of the fixed part.
    error OffsetNotCanonical(uint256 position, uint256 got, uint256 expected);
    /// @notice The number of blocks of the batch is zero or exceeds the maximum.
    error BatchSizeInvalid(uint256 got, uint256 maximum);
    /// @notice The offset of a request of the batch is out of bounds.
    error RequestOutOfPlace(uint256 got, uint256 minimum, uint256 maximum);
    /// @notice The length of a batch's head in blobs, including the trailer, does not match the
    /// number of blocks.
    error HeadLengthMismatch(uint256 got, uint256 expected);
    /// @notice The input does not end where its witness starts.
    error PrefixEndsElsewhere(uint256 got, uint256 expected);
    /// @notice This chain has no EXECUTE.
    error ExecuteAbsent();
    /// @notice The EXECUTE call failed: the input is malformed, the block is invalid, the witness
    /// is incomplete, or the gas was insufficient. EXECUTE does not return which.
    error ExecuteFailed();
    /// @notice The return data is not an EXECUTE result.
    error ResultLengthMismatch(uint256 got, uint256 expected);
    /// @notice The result does not have the flag of a valid payload.
    error ResultNotValid(uint256 got, uint256 expected);
    /// @notice The result is for another chain id.
    error ResultChainIdMismatch(uint64 got, uint64 expected);
    /// @notice The result is for another schema id.
    error ResultSchemaMismatch(uint16 got, uint16 expected);
    /// @notice The transactions of the block are not completely in the calldata, but in blobs.
    error TransactionsInBlobs();
    /// @notice The block has fewer transactions.
    error TransactionOutOfRange(uint256 position, uint256 count);

    // ------------------------------------------------------------------ constants

    /// @notice Address of EXECUTE.
    address internal constant PRECOMPILE = 0x0000000000000000000000000000000000000101;
    /// @notice Address of EXECUTE for inputs whose tails are in blobs of the transaction.
    address internal constant BLOB_PRECOMPILE = 0x0000000000000000000000000000000000000103;
    /// @notice Address of EXECUTE for inputs in calldata, with the block headers in the return data
    /// (`HeaderReader`).
    address internal constant HEADERS_PRECOMPILE = 0x0000000000000000000000000000000000000105;
    /// @notice The same for inputs whose tails are in blobs of the transaction.
    address internal constant BLOB_HEADERS_PRECOMPILE = 0x0000000000000000000000000000000000000106;
    /// @notice Length of the trailer of such an input, which describes the position of its tail.
    uint256 internal constant TRAILER_LENGTH = 8;
    /// @notice Bytes of each request in the head of such a batch, up to the end of the fixed part
    /// of the longest payload.
    uint256 internal constant REQUEST_HEAD = 44 + 540;

    /// @notice First and last schema of single inputs with this layout: Prague and Amsterdam.
    uint16 internal constant FIRST_SCHEMA = 0x1101;
    uint16 internal constant LAST_SCHEMA = 0x1501;
    /// @notice Result of `load` for an input whose fork is later than `LAST_SCHEMA`.
    uint256 internal constant LATER = 0xffff;
    /// @dev The only schema in this range that shares its rules with later schemas.
    uint16 private constant OSAKA = 0x1201;

    // Sums of literals only, because the compiler folds those; it would add constants at each use.

    /// @notice Offset of `StatelessInput`, after the schema id.
    uint256 internal constant INPUT_AT = 2;
    /// @notice Length of the fixed part of `StatelessInput`, which is the canonical offset of the
    /// request.
    uint256 internal constant INPUT_FIXED = 16;
    /// @notice Offset of the request.
    uint256 internal constant REQUEST_AT = 2 + 16;
    /// @notice Length of the fixed part of `NewPayloadRequest`, which is the canonical offset of
    /// the payload.
    uint256 internal constant REQUEST_FIXED = 44;
    /// @notice Offset of the payload.
    uint256 internal constant PAYLOAD_AT = 18 + 44;
    /// @notice Minimum length of an input: the fixed part of the shortest payload (Prague to BPO2)
    /// has 528 bytes.
    uint256 internal constant MIN_LENGTH = 62 + 528;

    /// @notice Low byte of the schema id of a batch, and of a single input.
    uint16 internal constant BATCH_REVISION = 0xba;
    uint16 internal constant REVISION = 0x01;
    /// @notice Low byte of the schema id of a single input on an L2 that has EXECUTE itself. It
    /// does not support batches.
    uint16 internal constant NESTED_REVISION = 0x02;
    /// @notice Maximum number of blocks in a batch.
    uint256 internal constant MAX_BLOCKS = 256;
    /// @notice Minimum length of a request.
    uint256 internal constant MIN_REQUEST = 44 + 528;

    /// @notice Position of the offset of the witness, at which the requests end.
    uint256 internal constant WITNESS_OFFSET_AT = 2 + 4;
    uint256 internal constant CHAIN_ID_AT = 2 + 8;
    uint256 internal constant PARENT_BEACON_BLOCK_ROOT_AT = 18 + 8;
    uint256 internal constant PARENT_HASH_AT = 62;
    uint256 internal constant FEE_RECIPIENT_AT = 62 + 32;
    uint256 internal constant STATE_ROOT_AT = 62 + 52;
    uint256 internal constant RECEIPTS_ROOT_AT = 62 + 84;
    uint256 internal constant BLOCK_NUMBER_AT = 62 + 404;
    uint256 internal constant GAS_LIMIT_AT = 62 + 412;
    uint256 internal constant GAS_USED_AT = 62 + 420;
    uint256 internal constant BASE_FEE_AT = 62 + 440;
    uint256 internal constant BLOCK_HASH_AT = 62 + 472;
    /// @notice Position of the offset of the transactions in the payload.
    uint256 internal constant TRANSACTIONS_OFFSET_AT = 62 + 504;
    /// @notice Position of the offset of the withdrawals, at which the transactions end.
    uint256 internal constant WITHDRAWALS_OFFSET_AT = 62 + 508;

    /// @notice Length of the result, in bytes.
    uint256 internal constant RESULT_LENGTH = 43;
    /// @notice Flag of a valid payload.
    uint256 internal constant VALID = 1;

    // The casts below extract fields from words.
    // forge-lint: disable-start(unsafe-typecast)

    // ------------------------------------------------------------------ input

    /// @notice Allocates memory for the largest of the inputs, to be filled by `load`.
    /// @dev One buffer for all inputs, because the cost of memory is superlinear.
    function allocate(bytes[] calldata inputs) internal pure returns (bytes memory buffer) {
        uint256 capacity = MIN_LENGTH;
        uint256 magic = KeptCodes.MAGIC;
        // Unlike `new bytes`, this does not clear the memory. The lengths are checked when each
        // input is loaded; here it is enough that none overflows.
        assembly ("memory-safe") {
            let end := add(inputs.offset, shl(5, inputs.length))
            for { let p := inputs.offset } lt(p, end) { p := add(p, 0x20) } {
                let input := add(inputs.offset, calldataload(p))
                let length := calldataload(input)
                if gt(length, calldatasize()) { revert(0, 0) }
                let word := calldataload(add(input, 0x20))
                if eq(shr(240, word), magic) { length := and(shr(208, word), 0xffffffff) }
                if gt(length, capacity) { capacity := length }
            }
            buffer := mload(0x40)
            mstore(0x40, add(buffer, and(add(capacity, 0x3f), not(0x1f))))
            mstore(buffer, 0)
        }
    }

    /// @notice Copies one of the inputs for which `buffer` was allocated, and checks the offsets at
    /// which its fields are read.
    /// @return count Number of blocks if the input is a batch, which `blockAt` returns; zero for a
    /// single input, which is itself read as its block; `LATER` if the layout is not known.
    function load(bytes memory buffer, bytes calldata input) internal view returns (uint256 count) {
        if (KeptCodes.refers(input)) {
            KeptCodes.assemble(buffer, input);
        } else {
            assembly ("memory-safe") {
                mstore(buffer, input.length)
                calldatacopy(add(buffer, 0x20), input.offset, input.length)
            }
        }
        if (isLater(buffer)) return LATER;
        uint256 length = buffer.length;
        if (length < MIN_LENGTH) Mismatch.fail(InputTooShort.selector, length, MIN_LENGTH);
        // Schema id at byte 0 and both offsets, at bytes 2 and 18, are in one word.
        uint256 head = uint256(_word(buffer, 0));
        if (uint32(head >> 208) != INPUT_FIXED << 24) {
            revert OffsetNotCanonical(INPUT_AT, _uint32(buffer, INPUT_AT), INPUT_FIXED);
        }
        if (uint8(head >> 240) != BATCH_REVISION) {
            if (uint32(head >> 80) == REQUEST_FIXED << 24) return 0;
            revert OffsetNotCanonical(REQUEST_AT, _uint32(buffer, REQUEST_AT), REQUEST_FIXED);
        }
        uint256 first = _uint32(buffer, REQUEST_AT);
        count = first / 4;
        if (count == 0 || count > MAX_BLOCKS) {
            Mismatch.fail(BatchSizeInvalid.selector, count, MAX_BLOCKS);
        }
        if (first != 4 * count) revert OffsetNotCanonical(REQUEST_AT, first, 4 * count);
        if (!hasTrailer()) return count;
        uint256 expected = REQUEST_AT + (4 + REQUEST_HEAD) * count + TRAILER_LENGTH;
        if (length != expected) Mismatch.fail(HeadLengthMismatch.selector, length, expected);
    }

    /// @notice Returns a block of a loaded batch, for use with the functions that read fields of
    /// blocks only.
    /// @dev Never reads out of bounds, whatever the batch contains.
    /// @param count Result of `load`.
    /// @param index Index of the block, below `count`.
    function blockAt(bytes memory input, uint256 count, uint256 index)
        internal
        view
        returns (bytes memory block_)
    {
        uint256 offset;
        // The count is at most `MAX_BLOCKS`, and offsets have 32 bits.
        unchecked {
            if (hasTrailer()) {
                offset = 4 * count + REQUEST_HEAD * index;
            } else {
                offset = _uint32(input, REQUEST_AT + 4 * index);
                uint256 minimum = 4 * count;
                if (index != 0) minimum = _uint32(input, REQUEST_AT + 4 * index - 4) + MIN_REQUEST;
                // `load` has checked that the input is not shorter.
                uint256 maximum = input.length - (18 + 44 + 528);
                if (offset < minimum || offset > maximum) {
                    revert RequestOutOfPlace(offset, minimum, maximum);
                }
            }
        }
        assembly ("memory-safe") {
            block_ := add(input, offset)
        }
        _requireOffset(block_, REQUEST_AT, REQUEST_FIXED);
    }

    /// @notice Returns `true` if the fork of a loaded input is later than those whose layout is
    /// known.
    function isLater(bytes memory input) internal pure returns (bool) {
        return uint256(_word(input, 0)) >> 248 > LAST_SCHEMA >> 8;
    }

    /// @notice Returns the schema id of a loaded input.
    function schema(bytes memory input) internal pure returns (uint16) {
        return uint16(uint256(_word(input, 0)) >> 240);
    }

    /// @notice Returns the schema id of single inputs of the same fork. That of a batch differs
    /// only in the revision.
    function singleOf(uint16 schema_) internal pure returns (uint16) {
        if (schema_ & 0xff != BATCH_REVISION) return schema_;
        return schema_ - BATCH_REVISION + REVISION;
    }

    /// @notice Returns `true` if the schema id is for single inputs of a fork with the layout
    /// above.
    function isFork(uint16 schema_) internal pure returns (bool) {
        uint16 revision = schema_ & 0xff;
        uint16 first = schema_ - revision + REVISION;
        return (revision == REVISION || revision == NESTED_REVISION) && first >= FIRST_SCHEMA
            && first <= LAST_SCHEMA;
    }

    /// @notice Returns `true` if both schema ids are for L2s that have EXECUTE themselves, or both
    /// for L2s that do not. The two yield different results for the same block, so a rollup never
    /// switches between them.
    function sameRevision(uint16 a, uint16 b) internal pure returns (bool) {
        return (a ^ b) & 0xff == 0;
    }

    /// @notice Returns the schema id of the first fork that executes blocks without blobs like this
    /// fork: Osaka for BPO1 and BPO2, which change blob parameters only.
    function rulesOf(uint16 fork) internal pure returns (uint16) {
        return fork > OSAKA && fork < LAST_SCHEMA ? OSAKA : fork;
    }

    /// @notice Returns the chain id of a loaded input.
    function chainId(bytes memory input) internal pure returns (uint64) {
        return _uint64(input, CHAIN_ID_AT);
    }

    /// @notice Returns the parent beacon block root of the block, which is the anchor.
    function parentBeaconBlockRoot(bytes memory input) internal pure returns (bytes32) {
        return _word(input, PARENT_BEACON_BLOCK_ROOT_AT);
    }

    /// @notice Returns the parent hash of the block.
    function parentHash(bytes memory input) internal pure returns (bytes32) {
        return _word(input, PARENT_HASH_AT);
    }

    /// @notice Returns the state root after the block.
    function stateRoot(bytes memory input) internal pure returns (bytes32) {
        return _word(input, STATE_ROOT_AT);
    }

    /// @notice Returns the block's gas limit.
    function gasLimit(bytes memory input) internal pure returns (uint64) {
        return _uint64(input, GAS_LIMIT_AT);
    }

    /// @notice Returns number, gas limit and timestamp of the block. One word contains all of them,
    /// with the gas used before the timestamp.
    function numbers(bytes memory input)
        internal
        pure
        returns (uint64 number, uint64 limit, uint64 time)
    {
        uint256 lanes = reversed(uint256(_word(input, BLOCK_NUMBER_AT)));
        number = uint64(lanes >> 192);
        limit = uint64(lanes >> 128);
        time = uint64(lanes);
    }

    /// @notice Returns the fee recipient of the block.
    function feeRecipient(bytes memory input) internal pure returns (address) {
        return address(bytes20(_word(input, FEE_RECIPIENT_AT)));
    }

    /// @notice Returns the gas used by the block.
    function gasUsed(bytes memory input) internal pure returns (uint64) {
        return _uint64(input, GAS_USED_AT);
    }

    /// @notice Returns the block's base fee, in wei.
    function baseFee(bytes memory input) internal pure returns (uint256) {
        uint256 lanes = reversed(uint256(_word(input, BASE_FEE_AT)));
        return lanes >> 192 | uint256(uint64(lanes >> 128)) << 64 | uint256(uint64(lanes >> 64))
            << 128 | lanes << 192;
    }

    /// @notice Returns the end, in memory, of those bytes of a loaded input after the fields of its
    /// blocks that are in the calldata; zero for a batch in blobs, which has none.
    /// @param count Result of `load`.
    function endOf(bytes memory input, uint256 count) internal view returns (uint256 end) {
        bool trailer = hasTrailer();
        if (trailer && count != 0) return 0;
        assembly ("memory-safe") {
            end := add(add(input, 0x20), mload(input))
        }
        if (trailer) end -= TRAILER_LENGTH;
    }

    /// @notice Returns the hash of a transaction of the block. Only for an input that EXECUTE has
    /// accepted.
    /// @param inputEnd Result of `endOf`. EXECUTE has not received the memory after it.
    /// @dev The offset of the transactions is in the fixed part of the payload. The list starts
    /// with the offsets of the transactions, four bytes each; each transaction ends where the next
    /// one starts, and the last one where the withdrawals start. EXECUTE decodes strictly: the
    /// first offset is the length of all offsets, they do not decrease, and none is beyond the end.
    function transactionHash(bytes memory input, uint256 inputEnd, uint256 position)
        internal
        pure
        returns (bytes32 hash)
    {
        uint256 list = PAYLOAD_AT + _uint32(input, TRANSACTIONS_OFFSET_AT);
        uint256 end = PAYLOAD_AT + _uint32(input, WITHDRAWALS_OFFSET_AT);
        bool inBounds;
        assembly ("memory-safe") {
            inBounds := iszero(gt(add(add(input, 0x20), end), inputEnd))
        }
        if (!inBounds) revert TransactionsInBlobs();
        uint256 count = list == end ? 0 : _uint32(input, list) / 4;
        if (position >= count) Mismatch.fail(TransactionOutOfRange.selector, position, count);
        uint256 start;
        // Offsets have 32 bits.
        unchecked {
            start = list + _uint32(input, list + 4 * position);
            if (position + 1 < count) end = list + _uint32(input, list + 4 * position + 4);
        }
        assembly ("memory-safe") {
            hash := keccak256(add(add(input, 0x20), start), sub(end, start))
        }
    }

    /// @notice Returns the block hash.
    function blockHash(bytes memory input) internal pure returns (bytes32) {
        return _word(input, BLOCK_HASH_AT);
    }

    // ------------------------------------------------------------------ call

    /// @notice Returns `true` if the transaction has blobs, in which case each input has a trailer.
    function hasTrailer() internal view returns (bool) {
        return blobhash(0) != 0;
    }

    /// @notice Returns the number of blobs of the transaction.
    function blobs() internal view returns (uint256 count) {
        while (blobhash(count) != 0) {
            ++count;
        }
    }

    /// @notice Returns the rolling hash over inputs after one more:
    /// `keccak256(hash ‖ keccak256(input))`. It starts at zero. An input with references to code on
    /// L1 is hashed in its assembled form.
    function extend(bytes32 hash, bytes memory input) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, hash)
            mstore(0x20, keccak256(add(input, 0x20), mload(input)))
            result := keccak256(0x00, 0x40)
        }
    }

    /// @notice Reverts unless the witness of an input starts at `end`. The bytes before it are the
    /// prefix of the input: they contain all of its blocks, and a node that has the state before
    /// them needs no others.
    function requirePrefix(bytes memory input, uint256 end) internal pure {
        if (end < MIN_LENGTH) Mismatch.fail(InputTooShort.selector, end, MIN_LENGTH);
        uint256 witness = INPUT_AT + _uint32(input, WITNESS_OFFSET_AT);
        if (end != witness) revert PrefixEndsElsewhere(end, witness);
    }

    /// @notice Calls EXECUTE with a loaded input and all gas. Returns only if the block is valid
    /// under the rules of the input's schema and on its chain.
    function run(bytes memory input) internal view {
        runAt(hasTrailer() ? BLOB_PRECOMPILE : PRECOMPILE, input);
    }

    /// @notice Calls EXECUTE as `run` does, at another address.
    /// @dev On a chain without EXECUTE its address is an empty account, and a call of it succeeds
    /// with empty return data, so success alone is not sufficient.
    function runAt(address precompile, bytes memory input) internal view {
        bool ok;
        uint256 size;
        uint256 tail;
        // The result fits into the scratch space, 0x00 to 0x40.
        assembly ("memory-safe") {
            ok := staticcall(gas(), precompile, add(input, 0x20), mload(input), 0x00, RESULT_LENGTH)
            size := returndatasize()
            tail := mload(0x20)
        }
        if (!ok) revert ExecuteFailed();
        if (size == 0) revert ExecuteAbsent();
        if (size != RESULT_LENGTH) {
            Mismatch.fail(ResultLengthMismatch.selector, size, RESULT_LENGTH);
        }

        uint256 flag = tail >> 248;
        if (flag != VALID) Mismatch.fail(ResultNotValid.selector, flag, VALID);
        // The chain id has the same byte order in input and result; the schema id does not.
        uint256 named = uint256(_word(input, CHAIN_ID_AT)) >> 192;
        if ((tail >> 184) & type(uint64).max != named) {
            revert ResultChainIdMismatch(uint64(reversed(uint64(tail >> 184))), chainId(input));
        }
        uint16 got = uint16(tail >> 168);
        got = got << 8 | got >> 8;
        if (got != schema(input)) Mismatch.fail(ResultSchemaMismatch.selector, got, schema(input));
    }

    // ------------------------------------------------------------------ leaves

    function _requireOffset(bytes memory input, uint256 position, uint256 expected) private pure {
        // Canonical offsets are below 256, and little-endian.
        if (uint256(_word(input, position)) >> 224 != expected << 24) {
            revert OffsetNotCanonical(position, _uint32(input, position), expected);
        }
    }

    function _uint32(bytes memory input, uint256 position) private pure returns (uint256) {
        return reversed(uint256(_word(input, position)) >> 224) >> 32;
    }

    function _uint64(bytes memory input, uint256 position) private pure returns (uint64) {
        return uint64(reversed(uint256(_word(input, position)) >> 192));
    }

    function _word(bytes memory input, uint256 position) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(input, 0x20), position))
        }
    }

    /// @notice Reverses the bytes of each 64-bit lane of `v`.
    function reversed(uint256 v) internal pure returns (uint256) {
        uint256 mask = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        v = ((v & mask) << 8) | ((v >> 8) & mask);
        mask = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
        v = ((v & mask) << 16) | ((v >> 16) & mask);
        mask = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
        return ((v & mask) << 32) | ((v >> 32) & mask);
    }

    // forge-lint: disable-end(unsafe-typecast)
}
