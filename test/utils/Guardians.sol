// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";

/// @title Guardians of a message queue
library Guardians {
    /// @dev The default.
    function none() internal pure returns (IL1MessageQueue.Guardian memory guardian) {}
}
