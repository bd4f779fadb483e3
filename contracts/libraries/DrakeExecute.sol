// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Calls of EXECUTE in Drake's form
/// @notice `EXECUTE(pre_state_root, post_state_root, trace, gas_used)`, from the post "Native
/// rollups": the caller claims the result of the blocks in the trace, and the precompile returns
/// true or false. The trace is a stateless input of EXECUTE, or a batch.
///
/// @dev A false claim is a successful call that uses the entire gas reserve. A failed call means
/// that the gas was not sufficient for the trace. If this chain has no EXECUTE in this form, the
/// account has no code and returns no data.
library DrakeExecute {
    /// @notice This chain has no EXECUTE in Drake's form.
    error ExecuteAbsent();
    /// @notice The call had too little gas.
    error ExecuteFailed();

    /// @notice Address of EXECUTE in Drake's form.
    address internal constant PRECOMPILE = 0x0000000000000000000000000000000000000102;

    /// @notice Returns `true` if the blocks of the trace are valid, lead from `pre` to `post`, and
    /// use `gasUsed` in total.
    /// @param pre State root before the first block.
    /// @param post State root after the last block.
    /// @param trace Stateless input of EXECUTE, or a batch.
    /// @param gasUsed Total gas used by all blocks.
    /// @dev `abi.encode` produces the only encoding that the precompile accepts.
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
