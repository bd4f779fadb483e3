// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title Addresses of alias accounts
/// @notice An address follows from that of the L1 sender alone, on every L2, so contracts on L1
/// know it before the account has code.
library AliasAddresses {
    /// @dev Code of an account that delegates (EIP-7702): this prefix, and an address.
    bytes3 private constant DELEGATION_PREFIX = 0xef0100;
    uint256 private constant DELEGATION_LENGTH = 23;

    /// @notice The alias account of an L1 sender: a minimal proxy to `L2Accounts`, which creates
    /// it.
    function account(address l1Sender) internal pure returns (address) {
        return LibClone.predictDeterministicAddress_PUSH0(
            Predeploys.L2_ACCOUNTS, salt(l1Sender), Predeploys.L2_ACCOUNTS
        );
    }

    /// @notice The L2 account that an L1 account controls: its own address if it has a key, else
    /// its alias account.
    /// @dev An account with a key sends the transaction, or delegates to code (EIP-7702). A
    /// contract that is being created has no code yet, and sends none.
    function ofCaller(address l1Account) internal view returns (address) {
        if (l1Account == tx.origin) return l1Account;
        bytes3 prefix;
        if (l1Account.code.length == DELEGATION_LENGTH) {
            assembly ("memory-safe") {
                mstore(0, 0)
                extcodecopy(l1Account, 0, 0, 3)
                prefix := mload(0)
            }
        }
        return prefix == DELEGATION_PREFIX ? l1Account : account(l1Account);
    }

    /// @notice Salt that distinguishes it from the others.
    function salt(address l1Sender) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(l1Sender)));
    }
}
