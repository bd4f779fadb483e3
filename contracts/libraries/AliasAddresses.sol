// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title Addresses of alias accounts
/// @notice An address follows from that of the L1 sender alone, on every L2, so contracts on L1 know it before
/// the account has code.
library AliasAddresses {
    /// @notice The alias account of an L1 sender: a minimal proxy to `L2Accounts`, which creates it.
    function account(address l1Sender) internal pure returns (address) {
        return LibClone.predictDeterministicAddress_PUSH0(
            Predeploys.L2_ACCOUNTS, salt(l1Sender), Predeploys.L2_ACCOUNTS
        );
    }

    /// @notice Salt that distinguishes it from the others.
    function salt(address l1Sender) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(l1Sender)));
    }
}
