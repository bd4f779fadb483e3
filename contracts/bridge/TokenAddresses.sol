// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {LibRLP} from "solady/utils/LibRLP.sol";

/// @title Addresses of the tokens of a bridge
/// @notice They follow from the address of the L2 bridge and that of the token on L1, so both sides know
/// them before they exist, and nothing has to be registered for that.
library TokenAddresses {
    /// @notice The code behind all tokens: the first contract that the bridge makes.
    function code(address l2Bridge) internal pure returns (address) {
        return LibRLP.computeAddress(l2Bridge, 1);
    }

    /// @notice The token that stands for `l1Token`.
    function token(address l2Bridge, address l1Token) internal pure returns (address) {
        return LibClone.predictDeterministicAddress_PUSH0(code(l2Bridge), salt(l1Token), l2Bridge);
    }

    /// @notice Salt that distinguishes it from the others.
    function salt(address l1Token) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(l1Token)));
    }
}
