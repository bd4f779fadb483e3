// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Contract that decides whether the blocks of an input are valid
interface IVerifier {
    /// @notice Returns the selector of this function if each block of the input is valid on its
    /// parent, by the rules of the input's schema and on the chain that it names. Reverts
    /// otherwise. No other return value means anything: a call to an account without code succeeds.
    /// @dev Not payable and without effects, so a verifier cannot record, pay or call back.
    /// @param commitment Commitment to what was posted, see `Commitments`. It contains the
    /// versioned hashes of blobs, which are not in `input`.
    /// @param input What was posted: a prefix (`Execute.requirePrefix`); or, if the rest is in
    /// blobs, the head of an input and its trailer.
    /// @param proof What this verifier needs in addition.
    function verify(bytes32 commitment, bytes calldata input, bytes calldata proof)
        external
        view
        returns (bytes4);
}
