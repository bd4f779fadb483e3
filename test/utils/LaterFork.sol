// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title Fork after Amsterdam, inside forge
/// @notice EXECUTE with headers for an invented fork, whose inputs are those of Amsterdam with each
/// bit after the schema id inverted: no field is where a contract of today would read it. Passes
/// the inputs of Amsterdam to the real EXECUTE, and other inputs unchanged.
contract LaterFork {
    /// @dev Address of the real EXECUTE with headers.
    address internal constant REAL = address(0xe105);
    /// @dev Fork of the schema ids.
    bytes1 internal constant FORK = 0x16;

    /// @notice Returns the input of the later fork for one of Amsterdam, and the reverse.
    function inverted(bytes memory input, bytes1 fork) public pure returns (bytes memory other) {
        other = bytes.concat(input);
        for (uint256 i = 2; i < other.length; ++i) {
            other[i] = ~other[i];
        }
        other[0] = fork;
    }

    fallback(bytes calldata data) external returns (bytes memory answer) {
        bool later = data[0] == FORK;
        bool ok;
        (ok, answer) = REAL.staticcall(later ? inverted(data, 0x15) : data);
        assembly ("memory-safe") {
            if iszero(ok) { invalid() }
        }
        // Little-endian: the fork is the last byte of the result.
        if (later) answer[42] = FORK;
    }
}
