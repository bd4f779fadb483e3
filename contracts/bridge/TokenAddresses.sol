// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {KeptCodes} from "../libraries/KeptCodes.sol";
import {BridgedToken} from "./BridgedToken.sol";

/// @title Addresses of the tokens of a bridge
/// @notice They follow from the address of the L2 bridge and that of the token on L1, so both sides
/// know them before they exist, and nothing has to be registered for that.
library TokenAddresses {
    /// @notice Init code of the instance behind all tokens of a bridge.
    function initCode(address l2Bridge) internal pure returns (bytes memory) {
        return abi.encodePacked(type(BridgedToken).creationCode, abi.encode(l2Bridge));
    }

    /// @notice The instance behind all tokens, which the CREATE2 proxy deploys with salt zero:
    /// anyone can send it the init code, and no other code can be at this address.
    /// @dev For constructors: it has the init code in it.
    function code(address l2Bridge) internal pure returns (address) {
        return
            LibClone.predictDeterministicAddress(keccak256(initCode(l2Bridge)), 0, KeptCodes.PROXY);
    }

    /// @notice The token that stands for `l1Token`.
    function token(address tokenCode, address l2Bridge, address l1Token)
        internal
        pure
        returns (address)
    {
        return LibClone.predictDeterministicAddress_PUSH0(tokenCode, salt(l1Token), l2Bridge);
    }

    /// @notice Salt that distinguishes it from the others.
    function salt(address l1Token) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(l1Token)));
    }
}
