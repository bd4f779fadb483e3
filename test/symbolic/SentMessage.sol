// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";

/// @dev Arbitrary block; the executor cannot look one up.
uint64 constant L2_BLOCK = 7;

Vm constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

/// @dev Returns the proof that a message was sent, for a queue that knows the storage root of this
/// block. The storage trie contains only the message's hash.
function proofOf(IL1MessageQueue.Message memory m)
    pure
    returns (IL1MessageQueue.MessageProof memory proof)
{
    bytes32 hash = keccak256(
        abi.encode(
            m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
        )
    );
    // A shorter integer has another RLP header.
    VM.assume(uint256(hash) >> 248 != 0);
    bytes32 key = keccak256(abi.encode(keccak256(abi.encode(m.index, 4))));
    bytes[] memory nodes = new bytes[](1);
    nodes[0] = abi.encodePacked(hex"f844a120", key, hex"a1a0", hash);
    return IL1MessageQueue.MessageProof(L2_BLOCK, keccak256(nodes[0]), new bytes[](0), nodes);
}
