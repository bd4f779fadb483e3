// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibRLP} from "solady/utils/LibRLP.sol";
import {IL2} from "./IL2.sol";

/// @title Headers of first blocks
/// @notice Fields that `IL2.Head` lacks have the values of a block without transactions. The hash
/// of the first block of a real L2 shows that this holds.
library GenesisHeaders {
    using LibRLP for LibRLP.List;

    uint16 private constant AMSTERDAM = 0x1501;

    bytes32 private constant NO_OMMERS = keccak256(hex"c0");
    bytes32 private constant EMPTY_TRIE = keccak256(hex"80");

    /// @notice RLP of the header of a block without transactions.
    function encode(IL2.Head memory head) internal pure returns (bytes memory) {
        return encode(fields(head));
    }

    /// @notice RLP of a list of strings.
    function encode(bytes[] memory strings) internal pure returns (bytes memory) {
        LibRLP.List memory list;
        for (uint256 i = 0; i < strings.length; ++i) {
            list.p(strings[i]);
        }
        return list.encode();
    }

    /// @notice The fields of the header, in its order.
    function fields(IL2.Head memory head) internal pure returns (bytes[] memory f) {
        f = new bytes[](head.schema < AMSTERDAM ? 21 : 23);
        f[0] = abi.encode(head.parentHash);
        f[1] = abi.encode(NO_OMMERS);
        f[2] = abi.encodePacked(head.feeRecipient);
        f[3] = abi.encode(head.stateRoot);
        // Transactions and receipts, bloom filter. The difficulty, 7, is zero.
        f[4] = abi.encode(EMPTY_TRIE);
        f[5] = abi.encode(EMPTY_TRIE);
        f[6] = new bytes(256);
        f[8] = integer(head.number);
        f[9] = integer(head.gasLimit);
        f[10] = integer(head.gasUsed);
        f[11] = integer(head.timestamp);
        // Randomness and nonce, behind extra data of no length.
        f[13] = new bytes(32);
        f[14] = new bytes(8);
        f[15] = integer(head.baseFee);
        // Withdrawals. No blob gas is used, 17, and none in excess, 18.
        f[16] = abi.encode(EMPTY_TRIE);
        f[19] = abi.encode(head.anchor);
        // Requests (EIP-7685).
        f[20] = abi.encode(sha256(""));
        // The block access list, empty; the slot, 22, is zero.
        if (f.length > 21) f[21] = abi.encode(NO_OMMERS);
    }

    /// @notice An integer as RLP has it, without zeros at the front.
    function integer(uint256 value) internal pure returns (bytes memory digits) {
        while (value != 0) {
            // The lowest byte.
            // forge-lint: disable-next-line(unsafe-typecast)
            digits = bytes.concat(bytes1(uint8(value)), digits);
            value >>= 8;
        }
    }
}
