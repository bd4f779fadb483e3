// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title An L2's knowledge of L1
interface IL1Anchor {
    /// @notice Preimage of an anchor, which is `keccak256(abi.encode(anchor))`.
    struct Anchor {
        /// Number of an L1 block.
        uint64 l1BlockNumber;
        /// Its hash: with it any state of L1 at that block can be proven.
        bytes32 l1BlockHash;
        /// Number of messages of the L1 queue the anchor covers, all sent in that block or before.
        uint64 messageCount;
        /// Rolling hash over them.
        bytes32 messageRoot;
    }

    /// @notice A newer view of L1 is served from now on.
    event AnchorProven(
        uint64 indexed l1BlockNumber, bytes32 l1BlockHash, uint64 messageCount, bytes32 messageRoot
    );

    /// @notice The contract of EIP-4788 did not answer.
    error BeaconRootUnavailable();
    /// @notice This is not the preimage of the anchor in force.
    error AnchorMismatch(bytes32 got, bytes32 expected);
    /// @notice The anchor names an earlier L1 block than the one that is served.
    error L1BlockNumberWentBack(uint64 got, uint64 served);
    /// @notice The anchor covers fewer messages than the one that is served.
    error MessageCountWentBack(uint64 got, uint64 served);

    /// @notice Proves the preimage of the anchor that this L2 block carries, and serves it from
    /// then on. Anyone may call; one call per anchor is enough.
    function prove(Anchor calldata anchor) external;

    /// @notice The latest proven view of L1; zeros before the first.
    function latest() external view returns (Anchor memory);

    /// @notice The messages that the latest proven anchor covers.
    function messages() external view returns (uint64 count, bytes32 root);
}
