// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Errors with two values
/// @notice Reverts with an error of two arguments of static types, as `revert Error(got, expected)`
/// does. The compiler would repeat the encoding at each use, and a rollup has so many of them that
/// its code would exceed the limit of EIP-170.
library Mismatch {
    function fail(bytes4 selector, uint256 got, uint256 expected) internal pure {
        assembly ("memory-safe") {
            mstore(0x00, selector)
            mstore(0x04, got)
            mstore(0x24, expected)
            revert(0x00, 0x44)
        }
    }
}
