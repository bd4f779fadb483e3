// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DrakeExecute} from "../libraries/DrakeExecute.sol";

/// @title Smallest rollup that Drake's form of EXECUTE allows: it only tracks the state root
/// @notice For comparison with `NativeRollup`; not for production. The contract stores only a state
/// root and verifies no block fields, so a builder chooses chain id, parent, number, timestamp, fee
/// recipient, gas limit and anchor of each; docs/dialects.md lists the consequences. There are no
/// messages and no forced transactions.
contract StateRootRollup {
    /// @notice State root after the latest block.
    bytes32 public stateRoot;

    /// @notice Emitted when blocks are added.
    event Advanced(bytes32 indexed pre, bytes32 indexed post, uint256 gasUsed);

    /// @notice The trace does not lead from the stored state root to `post` with this gas.
    error ClaimFalse(bytes32 pre, bytes32 post, uint256 gasUsed);

    /// @param genesis State root of the genesis.
    constructor(bytes32 genesis) {
        stateRoot = genesis;
    }

    /// @notice Adds the blocks of a trace.
    /// @param post State root after the last block.
    /// @param gasUsed Total gas used by all blocks.
    /// @param trace Stateless input of EXECUTE or a batch: the blocks and their witness.
    function advance(bytes32 post, uint256 gasUsed, bytes calldata trace) external {
        bytes32 pre = stateRoot;
        if (!DrakeExecute.execute(pre, post, trace, gasUsed)) {
            revert ClaimFalse(pre, post, gasUsed);
        }
        stateRoot = post;
        emit Advanced(pre, post, gasUsed);
    }
}
