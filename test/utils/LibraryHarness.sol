// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {Transactions} from "../../contracts/libraries/Transactions.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";

/// @title Libraries as external functions
/// @dev Positions are relative to the given bytes.
contract LibraryHarness {
    /// @notice The two functions that read a storage root disagree.
    error ReadersDisagree(bytes32 storageRoot);

    // ------------------------------------------------------------------ Rlp

    function item(bytes calldata data)
        external
        pure
        returns (uint256 start, uint256 stop, bool isList)
    {
        uint256 pos = _start(data);
        (start, stop, isList) = Rlp.item(pos, pos + data.length);
        return (start - pos, stop - pos, isList);
    }

    function integer(bytes calldata data, uint256 maxBytes)
        external
        pure
        returns (uint256 value, uint256 next)
    {
        uint256 pos = _start(data);
        (value, next) = Rlp.integer(pos, pos + data.length, maxBytes);
        next -= pos;
    }

    function fixedString(bytes calldata data, uint256 length)
        external
        pure
        returns (uint256 value, uint256 next)
    {
        uint256 pos = _start(data);
        (value, next) = Rlp.fixedString(pos, pos + data.length, length);
        next -= pos;
    }

    function list(bytes calldata data) external pure returns (uint256 start, uint256 stop) {
        uint256 pos = _start(data);
        (start, stop) = Rlp.list(pos, pos + data.length);
        return (start - pos, stop - pos);
    }

    function str(bytes calldata data) external pure returns (uint256 start, uint256 stop) {
        uint256 pos = _start(data);
        (start, stop) = Rlp.str(pos, pos + data.length);
        return (start - pos, stop - pos);
    }

    /// @notice Returns the payloads of the items of a list that spans all bytes.
    function items(bytes calldata data) external pure returns (bytes[] memory payloads) {
        uint256 end = _start(data) + data.length;
        (uint256 pos, uint256 stop) = Rlp.list(_start(data), end);
        Rlp.requireEnd(stop, end);
        uint256 count = 0;
        for (uint256 next = pos; next != stop; ++count) {
            (, next,) = Rlp.item(next, stop);
        }
        payloads = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 start;
            (start, pos,) = Rlp.item(pos, stop);
            payloads[i] = _bytes(start, pos);
        }
    }

    // ------------------------------------------------------------------ StateProof

    function account(bytes32 stateRoot, address target, bytes[] calldata nodes)
        external
        pure
        returns (bool exists, StateProof.Account memory result)
    {
        (exists, result) = StateProof.account(stateRoot, target, nodes);
        bytes32 storageRoot = StateProof.storageRoot(stateRoot, target, nodes);
        if (storageRoot != result.storageRoot) revert ReadersDisagree(storageRoot);
    }

    /// @notice Reads an account with the library, without a comparison.
    function accountOf(bytes32 stateRoot, address target, bytes[] calldata nodes)
        external
        pure
        returns (StateProof.Account memory result)
    {
        (, result) = StateProof.account(stateRoot, target, nodes);
    }

    function rootOf(bytes32 stateRoot, address target, bytes[] calldata nodes)
        external
        pure
        returns (bytes32)
    {
        return StateProof.storageRoot(stateRoot, target, nodes);
    }

    function slot(bytes32 root, bytes32 position, bytes[] calldata nodes)
        external
        pure
        returns (uint256)
    {
        return StateProof.slot(root, position, nodes);
    }

    /// @notice Returns the value of a key; empty if there is none.
    function get(bytes32 root, bytes32 key, bytes[] calldata nodes)
        external
        pure
        returns (bytes memory)
    {
        (uint256 start, uint256 stop) = StateProof.get(root, key, nodes);
        return _bytes(start, stop);
    }

    // ------------------------------------------------------------------ Transactions

    function decode(bytes calldata raw, uint64 chainId)
        external
        pure
        returns (Transactions.Transaction memory transaction, uint256 intrinsicGas)
    {
        transaction = Transactions.decode(raw, chainId);
        intrinsicGas = Transactions.intrinsicGas(transaction);
    }

    // ------------------------------------------------------------------ Messages

    function messageHash(Messages.Header memory header) external pure returns (bytes32) {
        return Messages.hash(header);
    }

    function extend(bytes32 root, bytes32 hash) external pure returns (bytes32) {
        return Messages.extend(root, hash);
    }

    /// @notice Returns the hashes of the messages of a batch, and which of them are to be parked.
    /// @param first Index of the first message.
    function unpack(bytes calldata batch, uint64 first)
        external
        pure
        returns (bytes32[] memory hashes, bool[] memory parked)
    {
        Messages.Header memory header;
        uint256 count = 0;
        for (uint256 pos = 0; pos < batch.length; ++count) {
            (, pos,) = Messages.unpack(batch, pos, header);
        }
        hashes = new bytes32[](count);
        parked = new bool[](count);
        uint256 next = 0;
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata data;
            (data, next, parked[i]) = Messages.unpack(batch, next, header);
            if (!parked[i]) header.dataHash = keccak256(data);
            // forge-lint: disable-next-line(unsafe-typecast)
            header.index = uint64(first + i);
            hashes[i] = Messages.hash(header);
        }
    }

    function sentSlot(uint256 index) external pure returns (bytes32) {
        return Messages.sentSlot(index);
    }

    // ------------------------------------------------------------------ KeptCodes

    /// @notice Returns the assembled form of an input with references; an input without references
    /// is returned unchanged.
    function assembled(bytes calldata input) external view returns (bytes memory whole) {
        if (!KeptCodes.refers(input)) return input;
        whole = new bytes(KeptCodes.lengthOf(input));
        KeptCodes.assemble(whole, input);
    }

    function _start(bytes calldata data) private pure returns (uint256 pos) {
        assembly ("memory-safe") {
            pos := data.offset
        }
    }

    function _bytes(uint256 start, uint256 stop) private pure returns (bytes memory) {
        return msg.data[start:stop];
    }
}
