// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title Addresses of alias accounts
/// @notice An alias address depends only on the address of the L1 sender and is the same on every
/// L2, so contracts on L1 can compute it before the account has code.
library AliasAddresses {
    /// @dev Prefix of the code of an account that delegates (EIP-7702); an address follows.
    bytes3 private constant DELEGATION_PREFIX = 0xef0100;
    uint256 private constant DELEGATION_LENGTH = 23;

    /// @notice Returns the alias account of an L1 sender: a minimal proxy to `L2Accounts`, which
    /// deploys it.
    function account(address l1Sender) internal pure returns (address) {
        return LibClone.predictDeterministicAddress_PUSH0(
            Predeploys.L2_ACCOUNTS, salt(l1Sender), Predeploys.L2_ACCOUNTS
        );
    }

    /// @notice Returns the L2 account that an L1 account controls: its own address if it is an EOA,
    /// otherwise its alias account.
    /// @dev An EOA is the origin of the transaction, or delegates to code (EIP-7702). A contract
    /// under construction has no code yet, but it is never the origin.
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

    /// @notice Returns the salt of an L1 sender's alias account.
    function salt(address l1Sender) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(l1Sender)));
    }
}
