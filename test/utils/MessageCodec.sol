// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";

/// @title Second implementation of the message formats, from the specification only
library MessageCodec {
    /// @dev Returns the hash of a message.
    function hash(IL2Messenger.Message memory m) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
            )
        );
    }

    /// @dev Returns the header of a message.
    function header(IL2Messenger.Message memory m)
        internal
        pure
        returns (IL2Messenger.Header memory)
    {
        return IL2Messenger.Header(
            m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
        );
    }

    /// @dev Returns the rolling hash after more messages.
    function fold(bytes32 root, IL2Messenger.Message[] memory messages)
        internal
        pure
        returns (bytes32)
    {
        for (uint256 i = 0; i < messages.length; ++i) {
            root = keccak256(bytes.concat(root, hash(messages[i])));
        }
        return root;
    }

    /// @dev Returns the hashes of messages.
    function hashes(IL2Messenger.Message[] memory messages)
        internal
        pure
        returns (bytes32[] memory result)
    {
        result = new bytes32[](messages.length);
        for (uint256 i = 0; i < messages.length; ++i) {
            result[i] = hash(messages[i]);
        }
    }

    /// @dev Returns a batch in the packed format.
    function pack(IL2Messenger.Message[] memory messages) internal pure returns (bytes memory out) {
        for (uint256 i = 0; i < messages.length; ++i) {
            IL2Messenger.Message memory m = messages[i];
            out = bytes.concat(
                out,
                abi.encodePacked(m.sender, m.to, m.refundTo, m.value, m.fee),
                abi.encodePacked(uint32(m.gasLimit), uint32(m.data.length), m.data)
            );
        }
    }

    /// @dev Returns a part of a list.
    function slice(IL2Messenger.Message[] memory messages, uint256 from, uint256 to)
        internal
        pure
        returns (IL2Messenger.Message[] memory result)
    {
        result = new IL2Messenger.Message[](to - from);
        for (uint256 i = from; i < to; ++i) {
            result[i - from] = messages[i];
        }
    }
}
