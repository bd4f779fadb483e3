// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";

/// @title EXECUTE for inputs that end in blobs, inside forge
/// @notice forge has no blobs, only their hashes (`vm.blobhashes`). This contract stands where EXECUTE takes such
/// inputs, knows what each hash stands for, and hands head and tail together to the real EXECUTE. The encoding of
/// blobs and what a node does without one are the precompile's own, and tested there.
contract ExecuteWithBlobs {
    /// @dev Bytes of a tail that a blob holds.
    uint256 private constant CAPACITY = 126_976;
    /// @dev Bytes of a head at least.
    uint256 private constant MIN_HEAD = 602;

    /// @dev What the blob behind a hash holds.
    mapping(bytes32 hash => bytes) private _held;

    /// @notice Says what a hash stands for.
    function hold(bytes32 hash, bytes calldata data) external {
        _held[hash] = data;
    }

    fallback(bytes calldata data) external returns (bytes memory) {
        // All gas goes with a failure, as it does with the precompile's.
        if (data.length < MIN_HEAD + 8) _fail();
        uint256 end = data.length - 8;
        uint256 trailer = uint64(bytes8(data[end:]));
        uint256 left = trailer >> 32;
        uint256 first = (trailer >> 24) & 0xff;
        uint256 count = (trailer >> 16) & 0xff;
        if (trailer & 0xffff != 0xb10b || count != (left + CAPACITY - 1) / CAPACITY) _fail();
        if (count == 0 && first != 0) _fail();
        bytes memory input = data[:end];
        for (uint256 i = 0; i < count; ++i) {
            bytes32 hash = blobhash(first + i);
            if (hash == 0) _fail();
            bytes memory tail = _held[hash];
            if (tail.length != (left < CAPACITY ? left : CAPACITY)) _fail();
            left -= tail.length;
            input = bytes.concat(input, tail);
        }
        (bool ok, bytes memory answer) = Execute.PRECOMPILE.staticcall(input);
        if (!ok) _fail();
        return answer;
    }

    function _fail() private pure {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @title What goes into `advance` through blobs
library BlobInputs {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant CAPACITY = 126_976;

    /// @notice Puts the stand-in where EXECUTE takes such inputs.
    function install() internal {
        VM.etch(Execute.BLOB_PRECOMPILE, type(ExecuteWithBlobs).runtimeCode);
        VM.label(Execute.BLOB_PRECOMPILE, "EXECUTE (blobs)");
    }

    /// @notice The transaction has the blobs that the tails of these inputs take from byte `cut` on; the inputs
    /// as calldata has them.
    function post(bytes[] memory inputs, uint256 cut) internal returns (bytes[] memory posted) {
        posted = new bytes[](inputs.length);
        bytes32[] memory hashes = new bytes32[](64);
        uint256 used = 0;
        for (uint256 i = 0; i < inputs.length; ++i) {
            uint256 tail = inputs[i].length - cut;
            uint256 first = tail == 0 ? 0 : used;
            uint256 end = used;
            for (uint256 from = 0; from < tail; from += CAPACITY) {
                uint256 length = tail - from < CAPACITY ? tail - from : CAPACITY;
                bytes memory data = slice(inputs[i], cut + from, length);
                // forge knows no commitments: any hash does, if nothing else has it.
                hashes[end] = bytes32(uint256(keccak256(data)) >> 8 | 1 << 248);
                ExecuteWithBlobs(Execute.BLOB_PRECOMPILE).hold(hashes[end], data);
                ++end;
            }
            posted[i] = bytes.concat(slice(inputs[i], 0, cut), trailer(tail, first, end - used));
            used = end;
        }
        assembly ("memory-safe") {
            mstore(hashes, used)
        }
        VM.blobhashes(hashes);
    }

    /// @notice What stands behind a head.
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
