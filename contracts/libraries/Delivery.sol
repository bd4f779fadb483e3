// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Calls of message targets with guaranteed gas and bounded return data
library Delivery {
    /// @notice The gas left is not sufficient for the message's gas limit.
    error InsufficientGas(uint256 got, uint256 expected);

    /// @notice Maximum gas that a call costs in addition to the gas that the target receives:
    /// transfer of value 9,000, a cold account and the cold target of its EIP-7702 delegation 2,600
    /// each; with a margin for forks that price these higher.
    /// @dev Creating the target by a payment costs more, but then there is no code that could run
    /// out of gas.
    uint256 internal constant OVERHEAD = 25_000;

    /// @notice Maximum length of the returned reason, in bytes.
    uint256 internal constant MAX_REASON = 128;

    /// @notice Calls `to` with at least `minGas` and at most `maxGas` gas. Reverts if less is left.
    /// @dev Without the check, a caller could choose its gas such that the target runs out of gas
    /// while enough is left (1/64) to record a failure. Only the gas at the call itself matters, so
    /// everything that costs gas before it, such as copying the data, is done before the check.
    /// Return data is copied only up to `MAX_REASON`, so that only the target pays for long return
    /// data.
    function call(address to, uint256 value, uint256 minGas, uint256 maxGas, bytes calldata data)
        internal
        returns (bool ok)
    {
        uint256 memoryEnd;
        assembly ("memory-safe") {
            memoryEnd := mload(0x40)
            calldatacopy(memoryEnd, data.offset, data.length)
        }
        uint256 expected = required(minGas);
        uint256 got = gasleft();
        if (got < expected) revert InsufficientGas(got, expected);
        assembly ("memory-safe") {
            ok := call(maxGas, to, value, memoryEnd, data.length, 0, 0)
        }
    }

    /// @notice Returns `true` if a call with these data would succeed without executing anything,
    /// because its target has no code (yet).
    function isUnheard(address to, bytes calldata data) internal view returns (bool) {
        return data.length != 0 && to.code.length == 0;
    }

    /// @notice Returns the first bytes of the last call's return data.
    function reason() internal pure returns (bytes memory result) {
        assembly ("memory-safe") {
            let size := returndatasize()
            if gt(size, MAX_REASON) { size := MAX_REASON }
            result := mload(0x40)
            mstore(0x40, add(result, and(add(size, 0x3f), not(0x1f))))
            mstore(result, size)
            returndatacopy(add(result, 0x20), 0, size)
        }
    }

    /// @notice Reverts with the return data of the last call.
    function fail() internal pure {
        assembly ("memory-safe") {
            let start := mload(0x40)
            returndatacopy(start, 0, returndatasize())
            revert(start, returndatasize())
        }
    }

    /// @notice Returns the gas that must be left so that a call can forward `gasLimit`; a call
    /// retains 1/64.
    function required(uint256 gasLimit) internal pure returns (uint256) {
        return gasLimit + gasLimit / 63 + 1 + OVERHEAD;
    }
}
