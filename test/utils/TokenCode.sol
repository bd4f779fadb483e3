// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {TokenAddresses} from "../../contracts/bridge/TokenAddresses.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";

/// @title Implementation of the tokens of a bridge, which is deployed before the bridge
library TokenCode {
    /// @dev Deploys it for the bridge at a precomputed address.
    function deploy(address l2Bridge) internal {
        (bool ok,) = KeptCodes.PROXY.call(creation(l2Bridge));
        require(ok, "the code of the tokens is not deployed");
    }

    /// @dev Returns the calldata for the CREATE2 proxy that deploys it.
    function creation(address l2Bridge) internal pure returns (bytes memory) {
        return abi.encodePacked(bytes32(0), TokenAddresses.initCode(l2Bridge));
    }
}
