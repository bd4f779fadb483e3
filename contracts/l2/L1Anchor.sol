// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1Anchor} from "../interfaces/IL1Anchor.sol";

/// @title View of L1 on the L2; predeploy at `Predeploys.L1_ANCHOR`
/// @notice Each L2 block carries an anchor instead of a parent beacon block root, and L1 verifies
/// the anchor. The system contract of EIP-4788 makes it readable. This contract verifies the
/// preimage of the anchor once and stores it: the messages of the L1 queue, and an L1 block hash
/// against which any state of L1 can be proven.
/// @dev Has no constructor and no immutables: its runtime code is part of the genesis state.
contract L1Anchor is IL1Anchor {
    /// @notice Beacon roots contract (EIP-4788).
    address internal constant BEACON_ROOTS = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;

    /// @dev Slot 0, low 64 bits.
    uint64 private _l1BlockNumber;

    /// @dev Slot 0, next 64 bits.
    uint64 private _messageCount;

    /// @dev Slot 1.
    bytes32 private _l1BlockHash;

    /// @dev Slot 2.
    bytes32 private _messageRoot;

    /// @inheritdoc IL1Anchor
    function prove(Anchor calldata anchor) external {
        bytes32 got = keccak256(abi.encode(anchor));
        bytes32 expected = _inForce();
        if (got != expected) revert AnchorMismatch(got, expected);
        // L1 rejects such anchors too. L2 applications do not have to rely on that alone.
        if (anchor.l1BlockNumber < _l1BlockNumber) {
            revert L1BlockNumberWentBack(anchor.l1BlockNumber, _l1BlockNumber);
        }
        if (anchor.messageCount < _messageCount) {
            revert MessageCountWentBack(anchor.messageCount, _messageCount);
        }
        _l1BlockNumber = anchor.l1BlockNumber;
        _messageCount = anchor.messageCount;
        _l1BlockHash = anchor.l1BlockHash;
        _messageRoot = anchor.messageRoot;
        emit AnchorProven(
            anchor.l1BlockNumber, anchor.l1BlockHash, anchor.messageCount, anchor.messageRoot
        );
    }

    /// @inheritdoc IL1Anchor
    function latest() external view returns (Anchor memory) {
        return Anchor({
            l1BlockNumber: _l1BlockNumber,
            l1BlockHash: _l1BlockHash,
            messageCount: _messageCount,
            messageRoot: _messageRoot
        });
    }

    /// @inheritdoc IL1Anchor
    function messages() external view returns (uint64 count, bytes32 root) {
        return (_messageCount, _messageRoot);
    }

    /// @dev Returns this block's anchor, which the system call before the first transaction has
    /// stored.
    function _inForce() private view returns (bytes32) {
        (bool ok, bytes memory answer) = BEACON_ROOTS.staticcall(abi.encode(block.timestamp));
        if (!ok || answer.length != 32) revert BeaconRootUnavailable();
        return abi.decode(answer, (bytes32));
    }
}
