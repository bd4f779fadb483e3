// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Call of a message's target that neither the caller nor the target can abuse
library Delivery {
    /// @notice Too little gas is left for what the message was promised.
    error InsufficientGas(uint256 got, uint256 expected);

    /// @notice Most gas that a call costs besides the gas that the target gets: transfer of value
    /// 9,000, a cold account and a cold target of its EIP-7702 delegation 2,600 each; and room for
    /// forks that price these higher.
    /// @dev Creating the target by paying it costs more, but then it has no code that could starve.
    uint256 internal constant OVERHEAD = 25_000;

    /// @notice Most bytes of a target's reason that are kept.
    uint256 internal constant MAX_REASON = 128;

    /// @notice Calls `to` with at least `minGas` and at most `maxGas`, or reverts when that much is
    /// not left.
    /// @dev Without the check a caller could choose its gas so that the target runs dry while
    /// enough is left (1/64) to record a failure. What matters is the gas at the call itself, so
    /// all that costs gas before it, copying the data, is done before the check. The answer is
    /// copied only as far as `MAX_REASON`, so that a long one costs its author and no other
    /// account.
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

    /// @notice Returns `true` if a call with these data would succeed although nothing is executed:
    /// its target has no code, or not yet.
    function isUnheard(address to, bytes calldata data) internal view returns (bool) {
        return data.length != 0 && to.code.length == 0;
    }

    /// @notice The first bytes of what the last call returned.
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

    /// @notice Reverts with all that the last call returned.
    function fail() internal pure {
        assembly ("memory-safe") {
            let start := mload(0x40)
            returndatacopy(start, 0, returndatasize())
            revert(start, returndatasize())
        }
    }

    /// @notice Gas that has to be left so that a call can pass on `gasLimit`: a call keeps back
    /// 1/64.
    function required(uint256 gasLimit) internal pure returns (uint256) {
        return gasLimit + gasLimit / 63 + 1 + OVERHEAD;
    }
}
