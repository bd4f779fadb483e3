// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Contracts that stand on the L2 from genesis on
library Predeploys {
    /// @notice `L1Anchor`: what the L2 knows of L1.
    address internal constant L1_ANCHOR = 0x8079000000000000000000000000000000000001;

    /// @notice `L2Messenger`: delivery of L1 messages; holds the ETH of the L2 until then.
    address internal constant L2_MESSENGER = 0x8079000000000000000000000000000000000002;

    /// @notice `L2Accounts`: accounts that only L1 senders move.
    address internal constant L2_ACCOUNTS = 0x8079000000000000000000000000000000000003;

    /// @dev Greatest address of a precompile, with room for those of later forks.
    uint160 private constant LAST_PRECOMPILE = 0x1ff;

    /// @notice Returns `true` if an account must never be the target of a message.
    /// @dev A message to the messenger would speak with its voice: to contracts that trust the
    /// messenger's own calls it could name any L1 sender. Checked on both sides, so that neither
    /// depends on the other.
    function isForbiddenTarget(address account) internal pure returns (bool) {
        return account == L1_ANCHOR || account == L2_MESSENGER;
    }

    /// @notice Returns `true` if an account never spends what it has been paid.
    function isLost(address account) internal pure returns (bool) {
        return isForbiddenTarget(account) || account == L2_ACCOUNTS || isPrecompile(account);
    }

    /// @notice Returns `true` for the addresses of precompiles, and for zero.
    function isPrecompile(address account) internal pure returns (bool) {
        return uint160(account) <= LAST_PRECOMPILE;
    }
}
