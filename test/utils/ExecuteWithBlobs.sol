// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {BatchBytes} from "./BatchBytes.sol";

/// @title EXECUTE for inputs in blobs, inside forge
/// @notice forge supports only the hashes of blobs (`vm.blobhashes`), not their content. This
/// contract replaces the precompile for such inputs: it stores the content for each hash, and
/// passes head and tail together to the real EXECUTE. The precompile's own tests cover the encoding
/// of blobs and a node without a blob.
contract ExecuteWithBlobs {
    using BatchBytes for bytes;

    /// @dev Bytes of a tail per blob.
    uint256 private constant CAPACITY = 126_976;
    /// @dev Minimum length of a head.
    uint256 private constant MIN_HEAD = 602;
    /// @dev Offset of the list of requests in a batch, and the bytes of each request in the head.
    uint256 private constant LIST = 18;
    uint256 private constant REQUEST_HEAD = 584;

    /// @dev Content of the blob with this hash.
    mapping(bytes32 hash => bytes) private _held;

    /// @notice Sets the content of the blob with this hash.
    function hold(bytes32 hash, bytes calldata data) external {
        _held[hash] = data;
    }

    fallback(bytes calldata data) external returns (bytes memory) {
        // On a failure all gas is used, as by the precompile.
        if (data.length < MIN_HEAD + 8) _fail();
        uint256 end = data.length - 8;
        uint256 trailer = uint64(bytes8(data[end:]));
        uint256 left = trailer >> 32;
        uint256 first = (trailer >> 24) & 0xff;
        uint256 count = (trailer >> 16) & 0xff;
        if (trailer & 0xffff != 0xb10b || count != (left + CAPACITY - 1) / CAPACITY) _fail();
        if (count == 0 && first != 0) _fail();
        bytes memory whole;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 hash = blobhash(first + i);
            if (hash == 0) _fail();
            bytes memory tail = _held[hash];
            if (tail.length != (left < CAPACITY ? left : CAPACITY)) _fail();
            left -= tail.length;
            whole = bytes.concat(whole, tail);
        }
        bool isHeaders = address(this) == Execute.BLOB_HEADERS_PRECOMPILE;
        address real = isHeaders ? Execute.HEADERS_PRECOMPILE : Execute.PRECOMPILE;
        (bool ok, bytes memory answer) = real.staticcall(_joined(data[:end], whole));
        if (!ok) _fail();
        return answer;
    }

    /// @dev In a batch, the head's part of each request is copied to the offset of the request.
    function _joined(bytes memory head, bytes memory tail)
        private
        pure
        returns (bytes memory input)
    {
        if (head[1] != 0xba) return bytes.concat(head, tail);
        uint256 first = head.offset(0);
        uint256 blocks = first / 4;
        if (first % 4 != 0 || blocks == 0 || blocks > 256) _fail();
        if (head.length != LIST + blocks * (4 + REQUEST_HEAD)) _fail();
        input = BatchBytes.slice(head, 0, LIST + first);
        uint256 used = 0;
        for (uint256 i = 0; i < blocks; ++i) {
            uint256 start = LIST + head.offset(i);
            if (start < input.length || start - input.length > tail.length - used) _fail();
            uint256 between = start - input.length;
            uint256 part = LIST + first + REQUEST_HEAD * i;
            input = bytes.concat(
                input,
                BatchBytes.slice(tail, used, used + between),
                BatchBytes.slice(head, part, part + REQUEST_HEAD)
            );
            used += between;
        }
        input = bytes.concat(input, BatchBytes.slice(tail, used, tail.length));
    }

    function _fail() private pure {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @title Inputs of `advance` that are in blobs
library BlobInputs {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant CAPACITY = 126_976;

    /// @notice Deploys the replacement at the address of the precompile for such inputs.
    function install() internal {
        VM.etch(Execute.BLOB_PRECOMPILE, type(ExecuteWithBlobs).runtimeCode);
        VM.label(Execute.BLOB_PRECOMPILE, "EXECUTE (blobs)");
    }

    /// @notice Deploys the replacement at the address that answers with headers.
    function installHeaders() internal {
        VM.etch(Execute.BLOB_HEADERS_PRECOMPILE, type(ExecuteWithBlobs).runtimeCode);
        VM.label(Execute.BLOB_HEADERS_PRECOMPILE, "EXECUTE (headers, blobs)");
    }

    /// @notice Sets the blobs of the transaction to the tails of these inputs; that of a single
    /// input starts at byte `cut`. Returns the inputs for the calldata.
    function post(bytes[] memory inputs, uint256 cut) internal returns (bytes[] memory) {
        bytes[] memory heads = new bytes[](inputs.length);
        bytes[] memory tails = new bytes[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) {
            (heads[i], tails[i]) = parts(inputs[i], cut);
        }
        return post(heads, tails);
    }

    /// @notice Sets the blobs of the transaction to these tails. Returns the inputs for the
    /// calldata.
    function post(bytes[] memory heads, bytes[] memory tails)
        internal
        returns (bytes[] memory posted)
    {
        posted = new bytes[](heads.length);
        bytes32[] memory hashes = new bytes32[](64);
        uint256 used = 0;
        for (uint256 i = 0; i < heads.length; ++i) {
            uint256 tail = tails[i].length;
            uint256 first = tail == 0 ? 0 : used;
            uint256 end = used;
            for (uint256 from = 0; from < tail; from += CAPACITY) {
                uint256 length = tail - from < CAPACITY ? tail - from : CAPACITY;
                bytes memory data = slice(tails[i], from, length);
                // forge does not check commitments, so any unique hash will do.
                hashes[end] = bytes32(uint256(keccak256(data)) >> 8 | 1 << 248);
                _hold(Execute.BLOB_PRECOMPILE, hashes[end], data);
                _hold(Execute.BLOB_HEADERS_PRECOMPILE, hashes[end], data);
                ++end;
            }
            posted[i] = bytes.concat(heads[i], trailer(tail, first, end - used));
            used = end;
        }
        assembly ("memory-safe") {
            mstore(hashes, used)
        }
        VM.blobhashes(hashes);
    }

    /// @dev Sets the content of a blob for the replacement at this address, if there is one.
    function _hold(address place, bytes32 hash, bytes memory data) private {
        if (place.code.length != 0) ExecuteWithBlobs(place).hold(hash, data);
    }

    /// @notice Returns head and tail of an input; a single input is cut at `cut`.
    function parts(bytes memory input, uint256 cut)
        internal
        pure
        returns (bytes memory head, bytes memory tail)
    {
        if (input[1] != 0xba) {
            return (slice(input, 0, cut), slice(input, cut, input.length - cut));
        }
        uint256 blocks = BatchBytes.count(input);
        uint256 used = 18 + 4 * blocks;
        head = slice(input, 0, used);
        for (uint256 i = 0; i < blocks; ++i) {
            uint256 start = 18 + BatchBytes.offset(input, i);
            head = bytes.concat(head, slice(input, start, 584));
            tail = bytes.concat(tail, slice(input, used, start - used));
            used = start + 584;
        }
        tail = bytes.concat(tail, slice(input, used, input.length - used));
    }

    /// @notice Returns the trailer of a head.
    function trailer(uint256 tail, uint256 first, uint256 count)
        internal
        pure
        returns (bytes memory)
    {
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(uint32(tail), uint8(first), uint8(count), bytes2(0xb10b));
    }

    function slice(bytes memory data, uint256 cut, uint256 length)
        internal
        pure
        returns (bytes memory part)
    {
        part = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(data, 0x20), cut), length)
        }
    }
}
