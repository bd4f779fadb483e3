// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibRLP} from "solady/utils/LibRLP.sol";
import {IL2} from "./IL2.sol";

/// @title Headers of genesis blocks
/// @notice Fields that are not in `IL2.Head` have the values of a block without transactions. That
/// is verified against the hash of a real L2's genesis.
library GenesisHeaders {
    using LibRLP for LibRLP.List;

    uint16 private constant AMSTERDAM = 0x1501;

    bytes32 private constant NO_OMMERS = keccak256(hex"c0");
    bytes32 private constant EMPTY_TRIE = keccak256(hex"80");

    /// @notice Returns the RLP of the header of a block without transactions.
    function encode(IL2.Head memory head) internal pure returns (bytes memory) {
        return encode(fields(head));
    }

    /// @notice Returns the RLP of a list of strings.
    function encode(bytes[] memory strings) internal pure returns (bytes memory) {
        LibRLP.List memory list;
        for (uint256 i = 0; i < strings.length; ++i) {
            list.p(strings[i]);
        }
        return list.encode();
    }

    /// @notice Returns the fields of the header, in order.
    function fields(IL2.Head memory head) internal pure returns (bytes[] memory f) {
        f = new bytes[](head.schema < AMSTERDAM ? 21 : 23);
        f[0] = abi.encode(head.parentHash);
        f[1] = abi.encode(NO_OMMERS);
        f[2] = abi.encodePacked(head.feeRecipient);
        f[3] = abi.encode(head.stateRoot);
        // Transactions root, receipts root, logs bloom. The difficulty, 7, is zero.
        f[4] = abi.encode(EMPTY_TRIE);
        f[5] = abi.encode(EMPTY_TRIE);
        f[6] = new bytes(256);
        f[8] = integer(head.number);
        f[9] = integer(head.gasLimit);
        f[10] = integer(head.gasUsed);
        f[11] = integer(head.timestamp);
        // Prev randao and nonce, after empty extra data.
        f[13] = new bytes(32);
        f[14] = new bytes(8);
        f[15] = integer(head.baseFee);
        // Withdrawals root. Blob gas used, 17, and excess blob gas, 18, are zero.
        f[16] = abi.encode(EMPTY_TRIE);
        f[19] = abi.encode(head.anchor);
        // Requests hash (EIP-7685).
        f[20] = abi.encode(sha256(""));
        // Hash of the empty block access list. The slot number, 22, is zero.
        if (f.length > 21) f[21] = abi.encode(NO_OMMERS);
    }

    /// @notice Returns an integer as an RLP payload, without leading zeros.
    function integer(uint256 value) internal pure returns (bytes memory digits) {
        while (value != 0) {
            // The cast extracts the lowest byte.
            // forge-lint: disable-next-line(unsafe-typecast)
            digits = bytes.concat(bytes1(uint8(value)), digits);
            value >>= 8;
        }
    }
}
