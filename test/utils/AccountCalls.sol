// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Accounts} from "../../contracts/interfaces/IL2Accounts.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";

/// @title Messages to alias accounts
library AccountCalls {
    /// @dev Returns the data of a message with one call.
    function encode(address to, uint256 value, bytes memory data)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(IL2Accounts.execute, (one(to, value, data)));
    }

    /// @dev Returns a list of one call.
    function one(address to, uint256 value, bytes memory data)
        internal
        pure
        returns (IL2Accounts.Call[] memory calls)
    {
        calls = new IL2Accounts.Call[](1);
        calls[0] = IL2Accounts.Call(to, value, data);
    }

    /// @dev Returns a message as the type that `force` expects.
    function message(IL2Messenger.Message memory m)
        internal
        pure
        returns (IL2Accounts.AccountMessage memory)
    {
        return IL2Accounts.AccountMessage(
            m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, m.data
        );
    }

    /// @dev Returns a batch with one message that is to be parked.
    function packParked(IL2Messenger.Message memory m) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(m.sender, m.to, m.refundTo, m.value, m.fee, uint32(m.gasLimit)),
            abi.encodePacked(uint32(1 << 31), keccak256(m.data))
        );
    }
}
