// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ISequencing} from "../../contracts/interfaces/ISequencing.sol";

/// @dev Policy under which no account may advance.
contract ClosedPolicy is ISequencing {
    error Closed();

    function authorize(address, uint64) external pure returns (address) {
        revert Closed();
    }
}
