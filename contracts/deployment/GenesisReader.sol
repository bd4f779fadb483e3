// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRollup} from "../interfaces/IRollup.sol";
import {Rlp} from "../libraries/Rlp.sol";

/// @title Decoder of the genesis header of an L2
/// @notice A rollup reads hash, state root, number, timestamp, gas limit and anchor of its genesis
/// from one header, so that they match the hash: an account that could choose the state root
/// separately could prove any message to L1 and drain the escrow.
///
/// The decoder is as strict as any L2 node. No node could build on a header that it cannot decode,
/// and funds sent to such a rollup would be lost.
/// @dev A separate contract, because `Rlp` reads calldata, which constructors do not have.
contract GenesisReader {
    /// @dev Fork whose headers have two more fields: the hash of the block access list (EIP-7928)
    /// and the slot number (EIP-7843).
    uint256 private constant AMSTERDAM = 0x15;

    uint256 private constant BLOOM_LENGTH = 256;

    /// @notice Decodes a header into the values that the rollup stores.
    /// @param header RLP of the header.
    /// @param schema Schema id of the L2's first blocks, from Prague to Amsterdam; it determines
    /// the fields of the header.
    /// @return genesis Decoded values.
    function read(bytes calldata header, uint16 schema)
        external
        pure
        returns (IRollup.Genesis memory genesis)
    {
        uint256 pos;
        assembly ("memory-safe") {
            pos := header.offset
        }
        uint256 end = pos + header.length;
        uint256 stop;
        (pos, stop) = Rlp.list(pos, end);
        Rlp.requireEnd(stop, end);
        pos = _roots(genesis, pos, stop);
        pos = _numbers(genesis, pos, stop);
        pos = _later(genesis, pos, stop, schema >> 8);
        Rlp.requireEnd(pos, stop);
        genesis.blockHash = keccak256(header);
    }

    /// @dev Reads the fields from the parent hash to the logs bloom.
    function _roots(IRollup.Genesis memory genesis, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 next)
    {
        uint256 root;
        // Parent hash, ommers hash, fee recipient.
        (, next) = Rlp.fixedString(pos, end, 32);
        (, next) = Rlp.fixedString(next, end, 32);
        (, next) = Rlp.fixedString(next, end, 20);
        (root, next) = Rlp.fixedString(next, end, 32);
        genesis.stateRoot = bytes32(root);
        // Transactions root, receipts root.
        (, next) = Rlp.fixedString(next, end, 32);
        (, next) = Rlp.fixedString(next, end, 32);
        (uint256 bloom, uint256 bloomEnd) = Rlp.str(next, end);
        if (bloomEnd - bloom != BLOOM_LENGTH) {
            revert Rlp.RlpLengthMismatch(next, bloomEnd - bloom, BLOOM_LENGTH);
        }
        next = bloomEnd;
    }

    /// @dev Reads the fields from the difficulty to the nonce.
    function _numbers(IRollup.Genesis memory genesis, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 next)
    {
        (, next) = Rlp.integer(pos, end, 32);
        (genesis.number, next) = _uint64(next, end);
        (genesis.gasLimit, next) = _uint64(next, end);
        // Gas used.
        (, next) = _uint64(next, end);
        (genesis.timestamp, next) = _uint64(next, end);
        // Extra data, prev randao, nonce.
        (, next) = Rlp.str(next, end);
        (, next) = Rlp.fixedString(next, end, 32);
        (, next) = Rlp.fixedString(next, end, 8);
    }

    /// @dev Reads the fields added by forks, from the base fee on.
    function _later(IRollup.Genesis memory genesis, uint256 pos, uint256 end, uint256 fork)
        private
        pure
        returns (uint256 next)
    {
        uint256 root;
        // Base fee, withdrawals root, blob gas used, excess blob gas.
        (, next) = _uint64(pos, end);
        (, next) = Rlp.fixedString(next, end, 32);
        (, next) = _uint64(next, end);
        (, next) = _uint64(next, end);
        (root, next) = Rlp.fixedString(next, end, 32);
        genesis.anchor = bytes32(root);
        // Requests hash.
        (, next) = Rlp.fixedString(next, end, 32);
        if (fork < AMSTERDAM) return next;
        (, next) = Rlp.fixedString(next, end, 32);
        (, next) = _uint64(next, end);
    }

    function _uint64(uint256 pos, uint256 end) private pure returns (uint64 value, uint256 next) {
        uint256 word;
        (word, next) = Rlp.integer(pos, end, 8);
        // At most eight bytes, checked above.
        // forge-lint: disable-next-line(unsafe-typecast)
        value = uint64(word);
    }
}
