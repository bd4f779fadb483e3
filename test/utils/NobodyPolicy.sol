// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ISequencing} from "../../contracts/interfaces/ISequencing.sol";

/// @dev Lets nobody advance.
contract NobodyPolicy is ISequencing {
    error Nobody();

    function authorize(address, uint64) external pure returns (address) {
        revert Nobody();
    }
}
