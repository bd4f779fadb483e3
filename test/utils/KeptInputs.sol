// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {BatchBytes} from "./BatchBytes.sol";

/// @title Inputs that reference code on L1, built according to the specification of the format
library KeptInputs {
    using BatchBytes for bytes;

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev CREATE2 proxy that exists on most chains, and the loader that its init code contains.
    address internal constant PROXY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    bytes internal constant LOADER = hex"600b5981380380925939f3";

    /// @notice Returns the account that stores bytes, whether or not it is deployed.
    function accountOf(bytes memory data) internal pure returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(LOADER, hex"00", data));
        return VM.computeCreate2Address(0, hash, PROXY);
    }

    /// @notice Stores bytes as code on L1.
    function keep(bytes memory data) internal returns (address account) {
        account = accountOf(data);
        VM.etch(account, abi.encodePacked(hex"00", data));
    }

    /// @notice Replaces each of these ranges of an input by a reference, and stores their bytes on
    /// L1.
    /// @param ranges Start and end of each range, in order.
    function shorten(bytes memory input, uint256[] memory ranges)
        internal
        returns (bytes memory short)
    {
        bytes memory references;
        bytes memory rest;
        uint256 used = 0;
        for (uint256 i = 0; i < ranges.length; i += 2) {
            address account = keep(input.slice(ranges[i], ranges[i + 1]));
            // forge-lint: disable-next-line(unsafe-typecast)
            references = abi.encodePacked(references, uint32(ranges[i]), account);
            rest = bytes.concat(rest, input.slice(used, ranges[i]));
            used = ranges[i + 1];
        }
        rest = bytes.concat(rest, input.slice(used, input.length));
        return compose(input.length, references, rest);
    }

    /// @notice Returns an input that declares this length, with these references of 24 bytes each.
    function compose(uint256 length, bytes memory references, bytes memory rest)
        internal
        pure
        returns (bytes memory)
    {
        // forge-lint: disable-next-line(unsafe-typecast)
        uint8 count = uint8(references.length / 24);
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(hex"c0de", uint32(length), count, references, rest);
    }

    /// @notice Returns start and end of the list of codes in an input.
    function codesOf(bytes memory input) internal pure returns (uint256[] memory range) {
        uint256 witness = 2 + input.little(6, 4);
        range = new uint256[](2);
        range[0] = witness + input.little(witness + 4, 4);
        range[1] = witness + input.little(witness + 8, 4);
    }
}
