// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Contracts that are part of the genesis of an L2
library Predeploys {
    /// @notice `L1Anchor`: the L2's view of L1.
    address internal constant L1_ANCHOR = 0x8079000000000000000000000000000000000001;

    /// @notice `L2Messenger`: messages between L2 and L1; holds the ETH of the L2 that no account
    /// has yet.
    address internal constant L2_MESSENGER = 0x8079000000000000000000000000000000000002;

    /// @notice `L2Accounts`: accounts that are controlled by L1 senders.
    address internal constant L2_ACCOUNTS = 0x8079000000000000000000000000000000000003;

    /// @dev Highest address of a precompile, with room for later forks.
    uint160 private constant LAST_PRECOMPILE = 0x1ff;

    /// @notice Returns `true` if an account must never be the target of a message.
    /// @dev A message to the messenger would make it call itself: to contracts that trust the
    /// messenger's calls, it could claim any L1 sender. Checked on both sides, so that neither
    /// depends on the other.
    function isForbiddenTarget(address account) internal pure returns (bool) {
        return account == L1_ANCHOR || account == L2_MESSENGER;
    }

    /// @notice Returns `true` if an account can never spend assets that it receives.
    function isLost(address account) internal pure returns (bool) {
        return isForbiddenTarget(account) || account == L2_ACCOUNTS || isPrecompile(account);
    }

    /// @notice Returns `true` if an account is a precompile or the zero address.
    function isPrecompile(address account) internal pure returns (bool) {
        return uint160(account) <= LAST_PRECOMPILE;
    }
}
