// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IPreconfBonds} from "../../interfaces/IPreconfBonds.sol";

/// @title Minimum bond of the accounts that a policy authorizes
abstract contract BondRequirement {
    /// @notice The bond is smaller than the policy requires, or its withdrawal is requested.
    error BondTooSmall(uint256 got, uint256 minimum);
    /// @notice A registry is set without a minimum bond, or a minimum bond without a registry.
    error BondInconsistent(address bonds, uint256 minBond);

    /// @notice Registry of bonds; zero if no bond is required.
    IPreconfBonds public immutable BONDS;

    /// @notice Minimum bond, in wei; zero if none is required.
    uint256 public immutable MIN_BOND;

    constructor(IPreconfBonds bonds, uint256 minBond) {
        if ((address(bonds) == address(0)) != (minBond == 0)) {
            revert BondInconsistent(address(bonds), minBond);
        }
        BONDS = bonds;
        MIN_BOND = minBond;
    }

    /// @dev Reverts unless the account has the minimum bond, and has not requested its withdrawal.
    function _requireBond(address account) internal view {
        if (address(BONDS) == address(0)) return;
        uint256 bond = BONDS.bondOf(account);
        if (bond < MIN_BOND) revert BondTooSmall(bond, MIN_BOND);
    }
}
