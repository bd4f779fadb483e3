// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {KeptCodes} from "../libraries/KeptCodes.sol";
import {BridgedToken} from "./BridgedToken.sol";

/// @title Addresses of the tokens of a bridge
/// @notice The address of a token is derived from the addresses of the L2 bridge and the token on
/// L1, so both sides can compute it before the token is deployed.
library TokenAddresses {
    /// @notice Returns the init code of the implementation of all tokens of a bridge.
    function initCode(address l2Bridge) internal pure returns (bytes memory) {
        return abi.encodePacked(type(BridgedToken).creationCode, abi.encode(l2Bridge));
    }

    /// @notice Returns the address of the implementation. The CREATE2 proxy deploys it with salt
    /// zero: any account can send it the init code, and no other code can be deployed at this
    /// address.
    /// @dev For use in constructors: it embeds the init code.
    function code(address l2Bridge) internal pure returns (address) {
        return
            LibClone.predictDeterministicAddress(keccak256(initCode(l2Bridge)), 0, KeptCodes.PROXY);
    }

    /// @notice Returns the address of the token that represents `l1Token`.
    function token(address tokenCode, address l2Bridge, address l1Token)
        internal
        pure
        returns (address)
    {
        return LibClone.predictDeterministicAddress_PUSH0(tokenCode, salt(l1Token), l2Bridge);
    }

    /// @notice Returns the salt of the clone that represents `l1Token`.
    function salt(address l1Token) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(l1Token)));
    }
}
