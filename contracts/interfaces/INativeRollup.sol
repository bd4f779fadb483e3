// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A native rollup as L1 sees it (EIP-8079)
/// @notice The head of an L2 that is a plain Ethereum chain, moved by `advance` and by nothing else.
interface INativeRollup {
    /// @notice Where the L2 stands; one storage slot.
    struct Head {
        /// Number of the latest L2 block.
        uint64 number;
        /// Its timestamp, in seconds.
        uint64 timestamp;
        /// Number of the L1 block that the anchor in force names.
        uint64 anchorNumber;
        /// How many L1 messages the anchor in force covers.
        uint64 messageCount;
    }

    /// @notice The L2 block with which a rollup starts.
    struct Genesis {
        /// Number of the block, usually 0.
        uint64 number;
        /// Its timestamp, in seconds.
        uint64 timestamp;
        /// Its hash.
        bytes32 blockHash;
        /// Its state root.
        bytes32 stateRoot;
        /// The anchor that is in force until the first update; may be zero.
        bytes32 anchor;
    }

    /// @notice What holds for every block of a rollup.
    struct Config {
        /// Chain id of the L2.
        uint64 chainId;
        /// Schema id of the inputs (fork and revision), of Prague or later.
        uint16 schema;
        /// Gas limit of every L2 block.
        uint64 gasLimit;
        /// How far, in seconds, the timestamp of a block may lie behind that of L1.
        uint64 maxLag;
        /// The queue of messages to the L2, an `IL1MessageQueue`.
        address inbox;
    }

    /// @notice A new anchor: an L1 block, and messages that had been sent by the end of that block.
    /// @dev The last four fields are a checkpoint of the queue, as `IL1MessageQueue.checkpoint` or
    /// its events tell.
    struct AnchorUpdate {
        /// Index, in the inputs of the same call, of the first block that carries the new anchor.
        uint64 index;
        /// Number of the L1 block; its hash is looked up.
        uint64 l1BlockNumber;
        /// How many messages the L2 may relay.
        uint64 messageCount;
        /// Rolling hash over them.
        bytes32 messageRoot;
        /// Number of the checkpoint.
        uint64 checkpointId;
        /// L1 block in which the last of these messages was sent.
        uint64 checkpointBlock;
        /// Timestamp of that block.
        uint64 checkpointTimestamp;
    }

    /// @notice A block became the head.
    event BlockAdded(uint64 indexed number, bytes32 indexed blockHash, bytes32 stateRoot);
    /// @notice A new anchor came into force; `keccak256(abi.encode(...))` of the four values is what
    /// the L2 blocks from here on carry.
    event AnchorUpdated(
        uint64 indexed l1BlockNumber, bytes32 l1BlockHash, uint64 messageCount, bytes32 messageRoot
    );

    /// @notice The schema's fork has another layout than the one that is read here.
    error SchemaNotSupported(uint16 got, uint16 earliest);
    /// @notice A genesis without a block hash or without a state root.
    error GenesisIncomplete();
    /// @notice Relaying the largest message of the queue could take more gas than a transaction has.
    error MessageCapsTooHigh(uint256 got, uint256 limit);

    /// @notice A call without inputs.
    error NothingToAdvance();
    /// @notice An anchor update with an index that no block of the call has, or out of order.
    error AnchorUpdateUnused(uint256 update, uint64 index);

    /// @notice The input is of another schema.
    error SchemaMismatch(uint16 got, uint16 expected);
    /// @notice The input is for another chain.
    error ChainIdMismatch(uint64 got, uint64 expected);
    /// @notice The block does not follow the head.
    error ParentHashMismatch(bytes32 got, bytes32 expected);
    /// @notice The block's number is not the next.
    error BlockNumberMismatch(uint64 got, uint64 expected);
    /// @notice The block's gas limit is not that of the rollup.
    error GasLimitMismatch(uint64 got, uint64 expected);
    /// @notice The block is not later than its parent.
    error TimestampNotAfterParent(uint64 got, uint64 parent);
    /// @notice The block is later than L1.
    error TimestampInFuture(uint64 got, uint256 latest);
    /// @notice The block lies too far behind L1.
    error TimestampTooOld(uint64 got, uint256 earliest);
    /// @notice The block does not carry the anchor in force.
    error AnchorMismatch(bytes32 got, bytes32 expected);

    /// @notice The new anchor names an earlier L1 block than the one in force.
    error AnchorNumberWentBack(uint64 got, uint64 previous);
    /// @notice The new anchor covers fewer messages than the one in force.
    error MessageCountWentBack(uint64 got, uint64 previous);
    /// @notice The new anchor covers messages that were sent after the L1 block which it names.
    error CheckpointAfterAnchor(uint64 checkpointBlock, uint64 l1BlockNumber);
    /// @notice The queue does not know this checkpoint, or not any more.
    error CheckpointUnknown(uint64 id, uint64 messageCount, bytes32 messageRoot);

    /// @notice The state root of this block is not held, or not any more.
    error StateRootUnavailable(uint64 number, uint64 head);

    /// @notice Adds blocks on top of the head: all of them, or none.
    /// @dev Reverts with the errors above, and with those of `Execute` and `L1History`.
    /// @param inputs For each block the exact input of EXECUTE: schema id and SSZ `StatelessInput`.
    /// @param updates New anchors, in the order of the blocks with which they come into force.
    function advance(bytes[] calldata inputs, AnchorUpdate[] calldata updates) external;

    /// @notice Number and timestamp of the latest block, and what its anchor covers.
    function head() external view returns (Head memory);

    /// @notice Hash of the latest block.
    function blockHash() external view returns (bytes32);

    /// @notice State root of the latest block.
    function stateRoot() external view returns (bytes32);

    /// @notice State root of one of the latest `STATE_ROOTS` blocks.
    function stateRootAt(uint64 number) external view returns (bytes32);

    /// @notice The anchor in force: what the next block carries unless a new one comes with it.
    function anchor() external view returns (bytes32);

    /// @notice Chain id of the L2.
    function CHAIN_ID() external view returns (uint64);

    /// @notice Schema id of the inputs.
    function SCHEMA() external view returns (uint16);

    /// @notice Gas limit of every L2 block.
    function GAS_LIMIT() external view returns (uint64);

    /// @notice How far, in seconds, the timestamp of a block may lie behind that of L1.
    function MAX_LAG() external view returns (uint64);

    /// @notice The queue whose messages the anchors name, an `IL1MessageQueue`.
    function INBOX() external view returns (address);

    /// @notice How many state roots are held.
    function STATE_ROOTS() external view returns (uint64);
}
