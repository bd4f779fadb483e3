// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Call of EXECUTE in Drake's form
/// @notice `EXECUTE(pre_state_root, post_state_root, trace, gas_used)`, of the post "Native
/// rollups": the caller claims what the blocks of the trace come to, and the precompile answers
/// true or false. The trace is a stateless input of EXECUTE, or a batch.
///
/// @dev A false claim is a successful call that costs the whole reserve. A failed call says that
/// the trace could not be paid for, or that this chain has no EXECUTE in this form: an address
/// without code would answer nothing.
library DrakeExecute {
    /// @notice This chain has no EXECUTE in Drake's form.
    error ExecuteAbsent();
    /// @notice EXECUTE got too little gas.
    error ExecuteFailed();

    /// @notice Address of EXECUTE in Drake's form.
    address internal constant PRECOMPILE = 0x0000000000000000000000000000000000000102;

    /// @notice Returns true if the blocks of the trace are valid, lead from one state root to the
    /// other, and use this much gas in all.
    /// @dev `abi.encode` gives the one encoding that the precompile reads.
    function execute(bytes32 pre, bytes32 post, bytes calldata trace, uint256 gasUsed)
        internal
        view
        returns (bool)
    {
        (bool done, bytes memory answer) =
            PRECOMPILE.staticcall(abi.encode(pre, post, trace, gasUsed));
        if (!done) revert ExecuteFailed();
        if (answer.length != 32) revert ExecuteAbsent();
        return abi.decode(answer, (uint256)) == 1;
    }
}
