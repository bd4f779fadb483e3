// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title View of L1 on an L2
interface IL1Anchor {
    /// @notice Preimage of an anchor. The anchor is `keccak256(abi.encode(anchor))`.
    struct Anchor {
        /// Number of the L1 block.
        uint64 l1BlockNumber;
        /// Hash of the L1 block. Any L1 state at that block can be proven against it.
        bytes32 l1BlockHash;
        /// Number of messages of the L1 queue that the anchor covers, all sent in that block or
        /// earlier.
        uint64 messageCount;
        /// Rolling hash over these messages.
        bytes32 messageRoot;
    }

    /// @notice Emitted when a newer view of L1 is proven. It is returned by `latest` from now on.
    /// @param l1BlockNumber Number of the L1 block.
    /// @param l1BlockHash Hash of the L1 block.
    /// @param messageCount Number of messages that the anchor covers.
    /// @param messageRoot Rolling hash over these messages.
    event AnchorProven(
        uint64 indexed l1BlockNumber, bytes32 l1BlockHash, uint64 messageCount, bytes32 messageRoot
    );

    /// @notice The call to the beacon roots contract (EIP-4788) failed.
    error BeaconRootUnavailable();
    /// @notice The argument is not the preimage of the current anchor.
    error AnchorMismatch(bytes32 got, bytes32 expected);
    /// @notice The L1 block of the anchor is earlier than the latest proven one.
    error L1BlockNumberWentBack(uint64 got, uint64 served);
    /// @notice The anchor covers fewer messages than the latest proven one.
    error MessageCountWentBack(uint64 got, uint64 served);

    /// @notice Proves the preimage of the anchor in this L2 block, and stores it as the latest view
    /// of L1. Any account may call; one call per anchor is sufficient.
    /// @param anchor Preimage of the anchor.
    function prove(Anchor calldata anchor) external;

    /// @notice Returns the latest proven view of L1; all zero before the first.
    function latest() external view returns (Anchor memory);

    /// @notice Returns the messages that the latest proven anchor covers.
    /// @return count Number of messages.
    /// @return root Rolling hash over them.
    function messages() external view returns (uint64 count, bytes32 root);
}
