// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IVerifier} from "../interfaces/IVerifier.sol";
import {Execute} from "../libraries/Execute.sol";

/// @title Verifier that calls EXECUTE
/// @notice Without blobs, the proof is the witness of the input, and both together are what EXECUTE
/// receives. In a transaction with blobs, the proof is empty, because the witness is in the blobs.
/// @dev The addresses are parameters, because an L1 may provide EXECUTE elsewhere. The commitment
/// is not used: the bytes themselves are executed.
contract ExecuteVerifier is IVerifier {
    /// @notice Address of EXECUTE for inputs in the calldata.
    address public immutable PLAIN;
    /// @notice Address of EXECUTE for inputs whose tails are in blobs of the transaction.
    address public immutable BLOBS;

    /// @param plain Usually `Execute.PRECOMPILE`.
    /// @param blobs Usually `Execute.BLOB_PRECOMPILE`.
    constructor(address plain, address blobs) {
        (PLAIN, BLOBS) = (plain, blobs);
    }

    /// @inheritdoc IVerifier
    function verify(bytes32, bytes calldata input, bytes calldata proof)
        external
        view
        returns (bytes4)
    {
        bool inBlobs = proof.length == 0 && Execute.hasTrailer();
        bytes memory fullInput = bytes.concat(input, proof);
        // Otherwise the blocks could extend into the proof, which the commitment does not cover.
        if (!inBlobs) Execute.requirePrefix(fullInput, input.length);
        Execute.runAt(inBlobs ? BLOBS : PLAIN, fullInput);
        return IVerifier.verify.selector;
    }
}
