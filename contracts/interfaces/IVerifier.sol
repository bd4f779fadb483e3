// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Contract that decides whether the blocks of an input are valid
interface IVerifier {
    /// @notice Returns the selector of this function if each block of the input is a valid child of
    /// its parent under the rules of the input's schema and on its chain. Reverts otherwise. Any
    /// other return value counts as a failure, because a call to an account without code succeeds.
    /// @dev Not payable and without effects, so a verifier cannot record, pay or call back.
    /// @param commitment Commitment to the posted data, see `Commitments`. It contains the
    /// versioned hashes of blobs, which are not in `input`.
    /// @param input Posted data: a prefix (`Execute.requirePrefix`); or, if the rest is in blobs,
    /// the head of an input and its trailer.
    /// @param proof Additional data that this verifier requires.
    function verify(bytes32 commitment, bytes calldata input, bytes calldata proof)
        external
        view
        returns (bytes4);
}
