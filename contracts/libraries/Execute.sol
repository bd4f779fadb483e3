// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {KeptCodes} from "./KeptCodes.sol";

/// @title Call of the EXECUTE precompile, and the fields of its input
/// @notice The input of EXECUTE is a schema id (two bytes, big endian) and an SSZ `StatelessInput`.
/// It is copied to memory once, as it came, with what L1 keeps of it (`KeptCodes`); the fields that
/// a rollup governs are read in place, and the same bytes go to EXECUTE. Nothing is encoded again,
/// so what was compared is what was executed.
///
/// @dev Fields may be read at constant offsets, because an SSZ container begins with a fixed part,
/// in which a field of variable size is only an offset from the container's start. `StatelessInput`
/// holds the request this way, and the request the payload; all that is read here has a fixed size
/// and stands in the fixed part of one of the three. So the place of each field depends on those
/// two offsets and on the shapes of the containers alone. EXECUTE refuses an offset that is not
/// canonical (the first must be the length of the fixed part), and `load` compares both with the
/// same values: no decoder, however lenient, can see other fields than this one. The shapes follow
/// from the schema id, which the caller compares: from Prague on the fixed part of a request has 44
/// bytes, and Amsterdam extends the payload only behind what is read here.
///
///   byte 0   schema id, 2 bytes big endian
///   byte 2   StatelessInput: offset of the request at 0 (16), offset of the witness at 4, chain id
///            at 8
///   byte 18  NewPayloadRequest: offset of the payload at 0 (44), offset of the versioned hashes at
///            4, parent beacon block root at 8, offset of the execution requests at 40
///   byte 62  ExecutionPayload
///
/// A batch has another revision in its schema id, and a list of requests where a single input has
/// one:
///
///   byte 18 offsets of the requests from here, 4 bytes each; the first is the length of all of
///   them byte 18 + offset of a request: NewPayloadRequest, as above
///
/// So each block of a batch is laid out from its request on as the block of a single input is from
/// byte 18 on. `blockAt` therefore returns memory in which that byte is where the block's request
/// starts, and all that is read behind byte 18 is read of that; before it stands something else,
/// and it has no length. `blockAt` compares again what a strict decoder does: the first offset is
/// canonical, each request starts behind the fixed part of the one before it and ends no sooner
/// than its own does, within the input, and its payload is where it must be.
///
/// In a transaction with blobs, each input may lie in them but for its head. What is loaded is then
/// the head and a trailer of eight bytes, and `run` calls another address, where EXECUTE puts the
/// tail from the blobs to the head. That of a single input stands behind the head, of which EXECUTE
/// demands 602 bytes, and a head that is the whole input has a trailer that says so. Of a batch the
/// head is what stands before its requests, and then the first 584 bytes of each request, without
/// what is between them:
///
///   byte 18                     offsets of the requests, as above
///   byte 18 + 4 · n + 584 · i   the first bytes of request i
///
/// EXECUTE puts these bytes where the batch says that request i starts, and reads the request
/// there. For any offsets, the fields that stand here are those of block i; that nothing else
/// stands here is the length of the head alone, which `load` compares, as EXECUTE does. Every field
/// at a constant offset is in the head. What lies behind them may be in the blobs, and is refused
/// then (`transactionHash`).
///
/// Integers inside SSZ are little endian. The result has 43 bytes: root of the request (or of the
/// list of them) at 0, flag at 32, chain id at 33 (8 bytes), schema id at 41 (2 bytes, little
/// endian here).
library Execute {
    /// @notice The input ends within the fixed part of the payload.
    error InputTooShort(uint256 got, uint256 minimum);
    /// @notice The offset at `position` of the input does not point right behind its fixed part.
    error OffsetNotCanonical(uint256 position, uint256 got, uint256 expected);
    /// @notice A batch has this many blocks: none, or too many.
    error BatchSizeInvalid(uint256 got, uint256 maximum);
    /// @notice A request of a batch starts here, and not between these places.
    error RequestOutOfPlace(uint256 got, uint256 minimum, uint256 maximum);
    /// @notice The head of a batch in blobs, with its trailer, is not as long as that of so many
    /// blocks.
    error HeadLengthMismatch(uint256 got, uint256 expected);
    /// @notice This chain has no EXECUTE.
    error ExecuteAbsent();
    /// @notice EXECUTE refused: the input is malformed, the block is invalid, the witness is too
    /// small, or there was too little gas. It does not say which.
    error ExecuteFailed();
    /// @notice The answer is not a result of EXECUTE.
    error ResultLengthMismatch(uint256 got, uint256 expected);
    /// @notice The result does not say that the payload is valid.
    error ResultNotValid(uint256 got, uint256 expected);
    /// @notice The result speaks of another chain.
    error ResultChainIdMismatch(uint64 got, uint64 expected);
    /// @notice The result speaks of another schema.
    error ResultSchemaMismatch(uint16 got, uint16 expected);
    /// @notice The transactions of the block do not lie in the calldata as a whole, but in blobs.
    error TransactionsInBlobs();
    /// @notice The block has fewer transactions.
    error TransactionOutOfRange(uint256 position, uint256 count);

    // ------------------------------------------------------------------ constants

    /// @notice Address of EXECUTE.
    address internal constant PRECOMPILE = 0x0000000000000000000000000000000000000101;
    /// @notice Its address for inputs that lie in blobs of the transaction, but for their heads.
    address internal constant BLOB_PRECOMPILE = 0x0000000000000000000000000000000000000103;
    /// @notice Bytes behind the head of such an input that say where its tail lies.
    uint256 internal constant TRAILER_LENGTH = 8;
    /// @notice Bytes of each request in the head of such a batch: the fixed part of the longest
    /// payload ends there.
    uint256 internal constant REQUEST_HEAD = 44 + 540;

    /// @notice The first and the last schema whose single inputs are laid out as above: Prague and
    /// Amsterdam.
    uint16 internal constant FIRST_SCHEMA = 0x1101;
    uint16 internal constant LAST_SCHEMA = 0x1501;
    /// @dev The only one between them whose rules the next schemas share.
    uint16 private constant OSAKA = 0x1201;

    // Sums of literals only: the compiler adds those up itself, and constants at each use.

    /// @notice Offset of `StatelessInput`: behind the schema id.
    uint256 internal constant INPUT_AT = 2;
    /// @notice Length of the fixed part of `StatelessInput`: the canonical offset of the request.
    uint256 internal constant INPUT_FIXED = 16;
    /// @notice Offset of the request.
    uint256 internal constant REQUEST_AT = 2 + 16;
    /// @notice Length of the fixed part of `NewPayloadRequest`: the canonical offset of the
    /// payload.
    uint256 internal constant REQUEST_FIXED = 44;
    /// @notice Offset of the payload.
    uint256 internal constant PAYLOAD_AT = 18 + 44;
    /// @notice No input is shorter: the fixed part of the shortest payload (Prague to BPO2) has 528
    /// bytes.
    uint256 internal constant MIN_LENGTH = 62 + 528;

    /// @notice Lower byte of the schema id of a batch, and of a single input.
    uint16 internal constant BATCH_REVISION = 0xba;
    uint16 internal constant REVISION = 0x01;
    /// @notice Lower byte of the schema id of a single input on an L2 that has EXECUTE itself. It
    /// has no batches.
    uint16 internal constant NESTED_REVISION = 0x02;
    /// @notice The most blocks of a batch.
    uint256 internal constant MAX_BLOCKS = 256;
    /// @notice No request is shorter.
    uint256 internal constant MIN_REQUEST = 44 + 528;

    uint256 internal constant CHAIN_ID_AT = 2 + 8;
    uint256 internal constant PARENT_BEACON_BLOCK_ROOT_AT = 18 + 8;
    uint256 internal constant PARENT_HASH_AT = 62;
    uint256 internal constant FEE_RECIPIENT_AT = 62 + 32;
    uint256 internal constant STATE_ROOT_AT = 62 + 52;
    uint256 internal constant BLOCK_NUMBER_AT = 62 + 404;
    uint256 internal constant GAS_LIMIT_AT = 62 + 412;
    uint256 internal constant GAS_USED_AT = 62 + 420;
    uint256 internal constant BASE_FEE_AT = 62 + 440;
    uint256 internal constant BLOCK_HASH_AT = 62 + 472;
    /// @notice Offset of the payload's offset of its transactions.
    uint256 internal constant TRANSACTIONS_OFFSET_AT = 62 + 504;
    /// @notice Offset of the payload's offset of their end, at which the withdrawals start.
    uint256 internal constant WITHDRAWALS_OFFSET_AT = 62 + 508;

    /// @notice Length of the result.
    uint256 internal constant RESULT_LENGTH = 43;
    /// @notice The flag of a valid payload.
    uint256 internal constant VALID = 1;

    // Casts below cut fields out of words.
    // forge-lint: disable-start(unsafe-typecast)

    // ------------------------------------------------------------------ input

    /// @notice Memory for the largest of the inputs, to be filled by `load`.
    /// @dev One buffer for all, because memory costs more the more of it there is.
    function allocate(bytes[] calldata inputs) internal pure returns (bytes memory buffer) {
        uint256 capacity = MIN_LENGTH;
        for (uint256 i = 0; i < inputs.length; ++i) {
            uint256 length = KeptCodes.lengthOf(inputs[i]);
            if (length > capacity) capacity = length;
        }
        // Unlike `new bytes`, this neither clears the memory nor pays for that.
        assembly ("memory-safe") {
            buffer := mload(0x40)
            mstore(0x40, add(buffer, and(add(capacity, 0x3f), not(0x1f))))
            mstore(buffer, 0)
        }
    }

    /// @notice Copies one of the inputs for which `buffer` was allocated, and checks that it may be
    /// read.
    /// @return count Number of blocks a batch has, which `blockAt` finds; zero if the input is
    /// none, and is read as its block.
    function load(bytes memory buffer, bytes calldata input) internal view returns (uint256 count) {
        if (KeptCodes.refers(input)) {
            KeptCodes.assemble(buffer, input);
        } else {
            assembly ("memory-safe") {
                mstore(buffer, input.length)
                calldatacopy(add(buffer, 0x20), input.offset, input.length)
            }
        }
        uint256 length = buffer.length;
        if (length < MIN_LENGTH) revert InputTooShort(length, MIN_LENGTH);
        // Schema id at byte 0 and both offsets, at bytes 2 and 18, stand in one word.
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
        if (count == 0 || count > MAX_BLOCKS) revert BatchSizeInvalid(count, MAX_BLOCKS);
        if (first != 4 * count) revert OffsetNotCanonical(REQUEST_AT, first, 4 * count);
        if (!hasTrailer()) return count;
        uint256 expected = REQUEST_AT + (4 + REQUEST_HEAD) * count + TRAILER_LENGTH;
        if (length != expected) revert HeadLengthMismatch(length, expected);
    }

    /// @notice A block of a loaded batch, for the functions that read of blocks, and for no others.
    /// @dev A batch of any content is read within its bounds.
    /// @param count Result of `load`.
    /// @param index Index of the block: below `count`.
    function blockAt(bytes memory input, uint256 count, uint256 index)
        internal
        view
        returns (bytes memory block_)
    {
        uint256 offset;
        if (hasTrailer()) {
            offset = 4 * count + REQUEST_HEAD * index;
        } else {
            offset = _uint32(input, REQUEST_AT + 4 * index);
            uint256 least = 4 * count;
            if (index != 0) least = _uint32(input, REQUEST_AT + 4 * index - 4) + MIN_REQUEST;
            // No input is shorter than this.
            uint256 most = input.length - (18 + 44 + 528);
            if (offset < least || offset > most) revert RequestOutOfPlace(offset, least, most);
        }
        assembly ("memory-safe") {
            block_ := add(input, offset)
        }
        _requireOffset(block_, REQUEST_AT, REQUEST_FIXED);
    }

    /// @notice Schema id of a loaded input.
    function schema(bytes memory input) internal pure returns (uint16) {
        return uint16(uint256(_word(input, 0)) >> 240);
    }

    /// @notice Schema id of the single inputs of the same fork: that of a batch differs in the
    /// revision alone.
    function singleOf(uint16 schema_) internal pure returns (uint16) {
        if (schema_ & 0xff != BATCH_REVISION) return schema_;
        return schema_ - BATCH_REVISION + REVISION;
    }

    /// @notice `true` if a schema id names a fork by its single inputs, and they are laid out as
    /// above.
    function isFork(uint16 schema_) internal pure returns (bool) {
        uint16 revision = schema_ & 0xff;
        uint16 first = schema_ - revision + REVISION;
        return (revision == REVISION || revision == NESTED_REVISION) && first >= FIRST_SCHEMA
            && first <= LAST_SCHEMA;
    }

    /// @notice `true` if both schema ids are of L2s that have EXECUTE themselves, or both of L2s
    /// that do not. The two give different results for one block: a rollup never goes from the one
    /// to the other.
    function sameRevision(uint16 a, uint16 b) internal pure returns (bool) {
        return (a ^ b) & 0xff == 0;
    }

    /// @notice Schema id of the first fork that executes blocks without blobs as this fork does:
    /// Osaka for BPO1 and BPO2, which change blob parameters alone.
    function rulesOf(uint16 fork) internal pure returns (uint16) {
        return fork > OSAKA && fork < LAST_SCHEMA ? OSAKA : fork;
    }

    /// @notice Chain id of a loaded input.
    function chainId(bytes memory input) internal pure returns (uint64) {
        return _uint64(input, CHAIN_ID_AT);
    }

    /// @notice Parent beacon block root of the block, which is the anchor.
    function parentBeaconBlockRoot(bytes memory input) internal pure returns (bytes32) {
        return _word(input, PARENT_BEACON_BLOCK_ROOT_AT);
    }

    /// @notice Hash of the block's parent.
    function parentHash(bytes memory input) internal pure returns (bytes32) {
        return _word(input, PARENT_HASH_AT);
    }

    /// @notice State root after the block.
    function stateRoot(bytes memory input) internal pure returns (bytes32) {
        return _word(input, STATE_ROOT_AT);
    }

    /// @notice Gas limit of the block.
    function gasLimit(bytes memory input) internal pure returns (uint64) {
        return _uint64(input, GAS_LIMIT_AT);
    }

    /// @notice Number, gas limit and timestamp of a loaded input's block, in one step: they stand
    /// in one word, with the gas used before the last.
    function numbers(bytes memory input)
        internal
        pure
        returns (uint64 number, uint64 limit, uint64 time)
    {
        uint256 lanes = _reversed(uint256(_word(input, BLOCK_NUMBER_AT)));
        number = uint64(lanes >> 192);
        limit = uint64(lanes >> 128);
        time = uint64(lanes);
    }

    /// @notice Fee recipient of the block.
    function feeRecipient(bytes memory input) internal pure returns (address) {
        return address(bytes20(_word(input, FEE_RECIPIENT_AT)));
    }

    /// @notice Gas that the block uses.
    function gasUsed(bytes memory input) internal pure returns (uint64) {
        return _uint64(input, GAS_USED_AT);
    }

    /// @notice Base fee of the block, in wei.
    function baseFee(bytes memory input) internal pure returns (uint256) {
        uint256 lanes = _reversed(uint256(_word(input, BASE_FEE_AT)));
        return lanes >> 192 | uint256(uint64(lanes >> 128)) << 64 | uint256(uint64(lanes >> 64))
            << 128 | lanes << 192;
    }

    /// @notice End of a loaded input in memory, as far as the calldata has brought it behind the
    /// fields of each block: of a batch in blobs, nothing.
    /// @param count Result of `load`.
    function endOf(bytes memory input, uint256 count) internal view returns (uint256 end) {
        bool trailer = hasTrailer();
        if (trailer && count != 0) return 0;
        assembly ("memory-safe") {
            end := add(add(input, 0x20), mload(input))
        }
        if (trailer) end -= TRAILER_LENGTH;
    }

    /// @notice Hash of one of the block's transactions. Only for an input that EXECUTE has
    /// accepted.
    /// @param inputEnd Result of `endOf`: EXECUTE has not seen the memory behind it.
    /// @dev The offset of the transactions stands in the fixed part of the payload. They start with
    /// their own offsets, four bytes each; each transaction ends where the next starts, and the
    /// last where the withdrawals do. EXECUTE decodes strictly: the first offset is the length of
    /// all of them, none is less than the one before, and none lies beyond the end.
    function transactionHash(bytes memory input, uint256 inputEnd, uint256 position)
        internal
        pure
        returns (bytes32 hash)
    {
        uint256 list = PAYLOAD_AT + _uint32(input, TRANSACTIONS_OFFSET_AT);
        uint256 end = PAYLOAD_AT + _uint32(input, WITHDRAWALS_OFFSET_AT);
        bool whole;
        assembly ("memory-safe") {
            whole := iszero(gt(add(add(input, 0x20), end), inputEnd))
        }
        if (!whole) revert TransactionsInBlobs();
        uint256 count = list == end ? 0 : _uint32(input, list) / 4;
        if (position >= count) revert TransactionOutOfRange(position, count);
        uint256 start = list + _uint32(input, list + 4 * position);
        if (position + 1 < count) end = list + _uint32(input, list + 4 * position + 4);
        assembly ("memory-safe") {
            hash := keccak256(add(add(input, 0x20), start), sub(end, start))
        }
    }

    /// @notice Hash of the block.
    function blockHash(bytes memory input) internal pure returns (bytes32) {
        return _word(input, BLOCK_HASH_AT);
    }

    // ------------------------------------------------------------------ call

    /// @notice Returns `true` if the transaction has blobs, and therefore each input a trailer.
    function hasTrailer() internal view returns (bool) {
        return blobhash(0) != 0;
    }

    /// @notice Number of blobs of the transaction.
    function blobs() internal view returns (uint256 count) {
        while (blobhash(count) != 0) {
            ++count;
        }
    }

    /// @notice Rolling hash over inputs after one more: `keccak256(hash ‖ keccak256(input))`; it
    /// starts at zero. An input that refers to bytes that L1 keeps counts as what was put together.
    function extend(bytes32 hash, bytes memory input) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, hash)
            mstore(0x20, keccak256(add(input, 0x20), mload(input)))
            result := keccak256(0x00, 0x40)
        }
    }

    /// @notice Calls EXECUTE with a loaded input and all gas; returns only if the block is valid,
    /// by the rules of the input's schema and on the chain that it names.
    /// @dev A chain without EXECUTE has an empty account at its address, and a call of that
    /// succeeds with an empty answer: success alone means nothing.
    function run(bytes memory input) internal view {
        address precompile = hasTrailer() ? BLOB_PRECOMPILE : PRECOMPILE;
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
        if (size != RESULT_LENGTH) revert ResultLengthMismatch(size, RESULT_LENGTH);

        uint256 flag = tail >> 248;
        if (flag != VALID) revert ResultNotValid(flag, VALID);
        // Both write the chain id alike, but not the schema.
        uint256 named = uint256(_word(input, CHAIN_ID_AT)) >> 192;
        if ((tail >> 184) & type(uint64).max != named) {
            revert ResultChainIdMismatch(uint64(_reversed(uint64(tail >> 184))), chainId(input));
        }
        uint16 got = uint16(tail >> 168);
        got = got << 8 | got >> 8;
        if (got != schema(input)) revert ResultSchemaMismatch(got, schema(input));
    }

    // ------------------------------------------------------------------ leaves

    function _requireOffset(bytes memory input, uint256 position, uint256 expected) private pure {
        // The canonical ones are below 256, and little endian.
        if (uint256(_word(input, position)) >> 224 != expected << 24) {
            revert OffsetNotCanonical(position, _uint32(input, position), expected);
        }
    }

    function _uint32(bytes memory input, uint256 position) private pure returns (uint256) {
        return _reversed(uint256(_word(input, position)) >> 224) >> 32;
    }

    function _uint64(bytes memory input, uint256 position) private pure returns (uint64) {
        return uint64(_reversed(uint256(_word(input, position)) >> 192));
    }

    function _word(bytes memory input, uint256 position) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(input, 0x20), position))
        }
    }

    /// @dev Each eight bytes of `v` in the opposite order.
    function _reversed(uint256 v) private pure returns (uint256) {
        uint256 mask = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        v = ((v & mask) << 8) | ((v >> 8) & mask);
        mask = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
        v = ((v & mask) << 16) | ((v >> 16) & mask);
        mask = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
        return ((v & mask) << 32) | ((v >> 32) & mask);
    }

    // forge-lint: disable-end(unsafe-typecast)
}
