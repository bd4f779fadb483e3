// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Rollup on L1
/// @notice Stores the head of an L2 that follows the rules of Ethereum. Derived interfaces add the
/// calls that advance the head, which differ in how they prove that a block is valid.
interface IRollup {
    /// @notice Head of the L2.
    struct Head {
        /// Number of the latest L2 block.
        uint64 number;
        /// Timestamp of that block, in seconds.
        uint64 timestamp;
        /// Number of the L1 block in the current anchor.
        uint64 anchorNumber;
        /// Number of L1 messages that the current anchor covers.
        uint64 messageCount;
    }

    /// @notice Duties of the rollup: pending messages and forced transactions on L1.
    struct Duties {
        /// Number of messages proven to be relayed.
        uint64 relayed;
        /// L2 timestamp from which the next message may be overdue.
        uint64 relayDue;
        /// Number of the first forced transaction that has not been discharged.
        uint64 forcedNext;
        /// L2 timestamp from which that transaction may be due.
        uint64 forcedDue;
        /// L2 timestamp since which every block has had to include that transaction, if it is due:
        /// when it became the first of the queue, or later, when a block relayed older messages
        /// instead.
        uint64 forcedFirstSince;
    }

    /// @notice L2 block with which a rollup starts, as read from its header.
    struct Genesis {
        /// Block number, usually 0.
        uint64 number;
        /// Block timestamp, in seconds.
        uint64 timestamp;
        /// Gas limit of the block.
        uint64 gasLimit;
        /// Block hash.
        bytes32 blockHash;
        /// State root after the block.
        bytes32 stateRoot;
        /// Parent beacon block root of the header. It is zero, because there is no anchor before
        /// the first update.
        bytes32 anchor;
    }

    /// @notice Source of a rollup's forks. The fork of a block is never earlier than its parent's.
    enum ForkMode {
        /// The fork that EXECUTE accepts at the block timestamp, i.e. the one that L1 had then. It
        /// may be later than Amsterdam.
        Follow,
        /// The fork of the current entry in L1's registry (EIP-8357) when the block is posted.
        Registry,
        /// The fork in the rollup's own schedule at the block timestamp. The owner extends the
        /// schedule.
        Pinned
    }

    /// @notice Configuration of a rollup.
    struct Config {
        /// L2 chain id.
        uint64 chainId;
        /// Schema id of the inputs of the first blocks: a fork from Prague to Amsterdam, and the
        /// revision, which is the same for all blocks.
        uint16 schema;
        /// Source of the rollup's forks.
        ForkMode forkMode;
        /// Maximum age of a block when it is advanced, in seconds: L1 timestamp minus block
        /// timestamp.
        uint64 maxLag;
        /// Age in seconds after which any account may advance: the age of the head, or the time for
        /// which a duty that the head has not fulfilled has been overdue.
        uint64 openAfter;
        /// Seconds within which a message from L1 must be relayed.
        uint64 relayDeadline;
        /// Seconds from the announcement of a change until it can be made; below 2^32.
        uint64 upgradeDelay;
        /// Minimum time between two L1 blocks, in milliseconds; at least 100. If L1 may halve its
        /// slot time, half of it.
        uint64 l1SlotMillis;
        /// Message queue of the L2, an `IL1MessageQueue`.
        address messageQueue;
        /// Queue of forced transactions, an `IForcedInbox`.
        address forced;
        /// Policy that decides which account may advance, an `ISequencing`; zero for any account.
        address policy;
        /// Account that may announce changes; if zero, the rollup never changes.
        address owner;
    }

    /// @notice Entry of the fork schedule.
    struct Fork {
        /// Schema id of the inputs.
        uint16 schema;
        /// Timestamp of the first block with this schema, in seconds.
        uint64 from;
    }

    /// @notice Parameters that the owner can change.
    enum Change {
        /// Sequencing policy. The value is the address of an `ISequencing`, or zero.
        Policy,
        /// Gas limit. The value is the target, towards which each block moves as far as Ethereum
        /// allows.
        GasLimit,
        /// Fork schedule. The value is `timestamp << 16 | schema`, a new entry at the end of the
        /// schedule. Only with `ForkMode.Pinned`.
        Fork,
        /// Method by which blocks are proven valid. A native rollup always uses EXECUTE and rejects
        /// every value.
        Verification
    }

    /// @notice Change that the owner has announced and that is still pending.
    struct Announcement {
        /// Parameter that changes.
        Change change;
        /// Timestamp from which the change may be made if it is cleared, in seconds.
        uint64 readyAt;
        /// Messages and forced transactions up to this timestamp must be done before the change can
        /// be cleared.
        uint64 clearUntil;
        /// `true` if the change has been cleared, see `clear`.
        bool cleared;
        /// New value.
        uint256 value;
    }

    /// @notice New anchor: an L1 block, and messages that had been sent by the end of that block.
    /// @dev The last five fields are a checkpoint of the queue, as returned by
    /// `IL1MessageQueue.checkpoint`.
    struct AnchorUpdate {
        /// Index within the call of the first block that carries the new anchor.
        uint64 index;
        /// Number of the L1 block; its hash is read on-chain.
        uint64 l1BlockNumber;
        /// Number of messages that the L2 may relay.
        uint64 messageCount;
        /// Rolling hash over these messages.
        bytes32 messageRoot;
        /// Number of the checkpoint that covers them.
        uint64 checkpointId;
        /// L1 block in which the last of them was sent.
        uint64 checkpointBlock;
        /// Timestamp of that block, in seconds.
        uint64 checkpointTimestamp;
    }

    /// @notice Checkpoint of the message queue, as in `IL1MessageQueue`.
    struct Checkpoint {
        uint64 id;
        uint64 count;
        uint64 l1Block;
        uint64 timestamp;
        bytes32 root;
    }

    /// @notice Proof of the number of messages that have been relayed or parked after a block.
    struct RelayProof {
        /// Index of the block within the call.
        uint64 index;
        /// Trie nodes that prove the account of `L2Messenger` against the block's state root.
        bytes[] accountProof;
        /// Trie nodes that prove slot 0 of the messenger.
        bytes[] storageProof;
        /// Last checkpoint that covers no more messages than have been relayed.
        Checkpoint before;
        /// Checkpoint after `before`; ignored if all messages have been relayed.
        Checkpoint next;
    }

    /// @notice Outcome of a forced transaction.
    enum Outcome {
        /// The block includes it.
        Included,
        /// Its nonce or its sender's balance makes it invalid, or the sender has code.
        Invalid,
        /// It does not pay the block's base fee, and is not entitled to wait for a lower one (see
        /// `ForcedTransaction.priced`).
        Underpriced,
        /// Every block was required to include it for longer than a day, during which any account
        /// could advance, and none did.
        Expired,
        /// The transactions before it use up what a block can be required to include; or, for a
        /// limited time, the block has too little gas left, or a base fee above the fee cap. The
        /// transaction stays in the queue.
        NoRoom,
        /// It is a transfer to an account with code, whose state reads are not bounded.
        TargetHasCode
    }

    /// @notice Record of a submitted transaction, as in `IForcedInbox`.
    struct ForcedTransaction {
        bytes32 hash;
        address sender;
        uint64 nonce;
        uint64 gasLimit;
        uint128 maxFee;
        uint256 cost;
        uint64 submittedAt;
        bool bounded;
        address to;
        uint64 footprint;
        bool priced;
    }

    /// @notice Outcome of a forced transaction, with its evidence.
    struct Discharge {
        /// The transaction.
        ForcedTransaction transaction;
        /// The claimed outcome.
        Outcome outcome;
        /// If it is included: its index among the block's transactions. If it is invalid and has no
        /// proof of its own: the index of an earlier discharge of the batch that shows its sender,
        /// by proof or by inclusion.
        uint64 position;
        /// If it is invalid: trie nodes that prove the sender's account, or its absence, against
        /// the block's state root. If its target has code: trie nodes that prove the target's
        /// account. If it is included, and its position cannot be read from the input: trie nodes
        /// that prove it against the transactions root of the block.
        bytes[] accountProof;
        /// If it is invalid because the sender has code: that code. If it is included and there is
        /// a proof: the RLP of the block's header.
        bytes code;
    }

    /// @notice Evidence for the forced transactions that a block resolves.
    struct ForcedBatch {
        /// Index of the block within the call.
        uint64 index;
        /// Outcomes of the next transactions of the queue, in order.
        Discharge[] discharges;
        /// The transaction that follows, as proof that it is not due; empty if none follows.
        ForcedTransaction[] next;
    }

    /// @notice Evidence that accompanies the inputs of a call. Each list is sorted by the index of
    /// the block.
    struct Evidence {
        /// New anchors.
        AnchorUpdate[] updates;
        /// Outcomes of forced transactions.
        ForcedBatch[] forced;
        /// Proofs of relayed messages.
        RelayProof[] relays;
    }

    /// @notice Emitted when a block becomes the head, also for the genesis.
    event BlockAdded(uint64 indexed number, bytes32 indexed blockHash, bytes32 stateRoot);
    /// @notice Emitted when a call has advanced the head by the blocks `first` to `last`.
    /// @param first Number of the first block of the call.
    /// @param last Number of the last block of the call.
    /// @param caller Caller of `advance`: an account, or the contract through which it calls.
    /// @param inputsHash Rolling hash over the EXECUTE inputs, starting at zero: `keccak256(hash ‖
    /// keccak256(input))` for each in order. An input with references to code on L1 is hashed in
    /// its assembled form.
    /// @param blobs Number of blobs of the transaction. If there are any, they contain the ends of
    /// the inputs.
    event Advanced(
        uint64 indexed first,
        uint64 indexed last,
        address indexed caller,
        bytes32 inputsHash,
        uint256 blobs
    );
    /// @notice Emitted when a new anchor comes into force. Later L2 blocks contain
    /// `keccak256(abi.encode(...))` of the four values.
    /// @param l1BlockNumber Number of the L1 block.
    /// @param l1BlockHash Hash of the L1 block.
    /// @param messageCount Number of messages that the anchor covers.
    /// @param messageRoot Rolling hash over these messages.
    event AnchorUpdated(
        uint64 indexed l1BlockNumber, bytes32 l1BlockHash, uint64 messageCount, bytes32 messageRoot
    );
    /// @notice Emitted when the number of relayed messages is proven.
    /// @param relayed Number of messages that have been relayed.
    /// @param pendingSince Timestamp of the next message; the current time if there is none from an
    /// earlier L1 block.
    event RelayProven(uint64 indexed relayed, uint64 pendingSince);
    /// @notice Emitted when a change is announced.
    event ChangeAnnounced(Change indexed change, uint256 value, uint256 readyAt);
    /// @notice Emitted when an announced change is withdrawn.
    event ChangeWithdrawn(Change indexed change, uint256 value);
    /// @notice Emitted when a change is cleared, i.e. no longer waits for pending entries.
    event ChangeCleared(Change indexed change, uint256 value, uint256 readyAt);
    /// @notice Emitted when a change is made.
    event ChangeMade(Change indexed change, uint256 value);
    /// @notice Emitted when EXECUTE has accepted a block after the head under a later fork than the
    /// schedule has for its timestamp.
    /// @param schema Schema id of the later fork.
    /// @param headNumber Number of the head.
    event ForkReported(uint16 indexed schema, uint64 headNumber);
    /// @notice Emitted when ownership is offered to another account.
    event OwnershipOffered(address indexed owner, address indexed next);
    /// @notice Emitted when ownership is transferred. If `owner` is zero, the rollup never changes
    /// again.
    event OwnershipTransferred(address indexed previous, address indexed owner);

    /// @notice This contract cannot read inputs with this schema id.
    error SchemaNotSupported(uint16 got, uint16 earliest, uint16 latest);
    /// @notice The registry of EIP-8357 returned `got` bytes instead of an entry of `expected`
    /// bytes: it is not deployed on this L1.
    error RegistryUnavailable(uint256 got, uint256 expected);
    /// @notice The operation requires `ForkMode.Pinned`. Only such a rollup has a fork schedule.
    error ForksNotPinned();
    /// @notice The rules of the fork are not later than those of the schedule, or than those
    /// already reported for this head. BPO1 and BPO2 have the rules of Osaka.
    error ForkNotLater(uint16 got, uint16 current);
    /// @notice The genesis has no state root.
    error GenesisIncomplete();
    /// @notice The genesis has an anchor. It would be the current anchor without a corresponding
    /// state of the message queue.
    error GenesisAnchored(bytes32 anchor);
    /// @notice The number or the gas limit of the genesis, or the number of a later block, would
    /// not fit into storage.
    error GenesisOutOfBounds(uint64 got, uint256 max);
    /// @notice The timestamp of the genesis is later than L1's.
    error GenesisInFuture(uint64 got, uint256 latest);
    /// @notice The queue at this address belongs to another rollup or another chain id.
    error QueueMismatch(address queue);
    /// @notice The minimum time between two L1 blocks is too short for this contract.
    error L1SlotTooShort(uint64 got, uint256 minimum);
    /// @notice The delays are inconsistent with one another, see `RollupRules`.
    error DelaysInconsistent(uint256 got, uint256 minimum);
    /// @notice Relaying the largest message of the queue could require more gas than a transaction
    /// can have.
    error MessageCapsTooHigh(uint256 got, uint256 limit);
    /// @notice The duties of a block could require more gas than the block or L1 allows.
    error DutiesTooLarge(uint256 gas, uint256 limit);
    /// @notice The longest forced transaction of the queue has a larger footprint than a block can
    /// be required to include.
    error FootprintTooLarge(uint256 got, uint256 limit);

    /// @notice The call has no inputs.
    error NothingToAdvance();
    /// @notice The index of the anchor update is not in order, or exceeds the number of blocks.
    error AnchorUpdateUnused(uint256 update, uint64 index);
    /// @notice The index of the batch of forced transactions is not in order, or exceeds the number
    /// of blocks.
    error ForcedBatchUnused(uint256 batch, uint64 index);
    /// @notice The index of the relay proof is not in order, or exceeds the number of blocks.
    error RelayProofUnused(uint256 proof, uint64 index);

    /// @notice The schema id of the input is not the one that the schedule or the registry
    /// requires.
    error SchemaMismatch(uint16 got, uint16 expected);
    /// @notice The fork of the input is earlier than the head's.
    error ForkWentBack(uint16 got, uint16 current);
    /// @notice The input has another chain id.
    error ChainIdMismatch(uint64 got, uint64 expected);
    /// @notice The parent of the block is not the head.
    error ParentHashMismatch(bytes32 got, bytes32 expected);
    /// @notice The block number is not the head's plus one.
    error BlockNumberMismatch(uint64 got, uint64 expected);
    /// @notice The gas limit of the block is not the one that the rollup requires.
    error GasLimitMismatch(uint64 got, uint64 expected);
    /// @notice The block timestamp is not later than its parent's.
    error TimestampNotAfterParent(uint64 got, uint64 parent);
    /// @notice The block timestamp is later than L1's.
    error TimestampInFuture(uint64 got, uint256 latest);
    /// @notice The block timestamp is more than `MAX_LAG` behind L1's.
    error TimestampTooOld(uint64 got, uint256 earliest);
    /// @notice The fee recipient of the block is not the one that the policy requires.
    error FeeRecipientMismatch(address got, address expected);
    /// @notice The parent beacon block root of the block is not the current anchor.
    error AnchorMismatch(bytes32 got, bytes32 expected);
    /// @notice The L1 block of the anchor is earlier than that of the current anchor.
    error AnchorNumberWentBack(uint64 got, uint64 current);
    /// @notice The anchor covers fewer messages than the current anchor.
    error MessageCountWentBack(uint64 got, uint64 current);
    /// @notice The anchor covers messages that were sent after its L1 block.
    error CheckpointAfterAnchor(uint64 checkpointBlock, uint64 l1BlockNumber);
    /// @notice The values are not a checkpoint of the queue, or the checkpoint has been
    /// overwritten.
    error CheckpointUnknown(uint64 id, uint64 count, bytes32 root);
    /// @notice The anchor covers more unproven messages than the hashes of one block can bridge. A
    /// relay proof is required first.
    error AnchorTooFarAhead(uint64 count, uint64 limit);

    /// @notice The state root of the block is not stored: the block is too old, not known yet, or
    /// before the genesis.
    error StateRootUnavailable(uint64 number, uint64 latest);

    /// @notice The oldest message may be overdue, and there is no proof that it was relayed.
    error RelayProofMissing(uint64 relayed);
    /// @notice The proof shows fewer relayed messages than have already been proven.
    error RelayedWentBack(uint64 got, uint64 known);
    /// @notice Messages are overdue, and the block has relayed fewer than it must.
    error MessagesOverdue(uint64 relayed, uint64 due);

    /// @notice The batch has more discharges than are allowed for a block.
    error TooManyDischarges(uint256 got, uint256 max);
    /// @notice The block omits a due transaction without evidence.
    error ForcedTransactionOmitted(uint64 index);
    /// @notice The queue has another transaction with this number.
    error ForcedTransactionMismatch(uint64 index, bytes32 got, bytes32 expected);
    /// @notice The transaction is not due yet, so the only possible outcome is `Included`.
    error NotDue(uint64 index, uint64 due);
    /// @notice The header in the evidence is not the block's.
    error HeaderMismatch(bytes32 got, bytes32 expected);
    /// @notice The block has another transaction at the given position.
    error NotIncluded(uint64 index, bytes32 got, bytes32 expected);
    /// @notice The transaction is valid after the block, so the block could have included it.
    error StillValid(uint64 index);
    /// @notice The fee cap of the transaction covers the block's base fee.
    error PricedEnough(uint64 index, uint128 maxFee, uint256 baseFee);
    /// @notice The fee cap of the transaction was sufficient at submission. Until this L2
    /// timestamp, a higher base fee defers the transaction (`NoRoom`) and does not discharge it.
    error StillPriced(uint64 index, uint64 until);
    /// @notice The block has capacity for the transaction, or is required to reserve it.
    error RoomLeft(uint64 index);
    /// @notice The outcome is not allowed: the target has no code, or the state reads of the
    /// transaction are bounded.
    error TargetIsPlain(uint64 index, address to);
    /// @notice The transaction has not expired.
    error NotExpired(uint64 index, uint64 expiresAt);

    /// @notice The caller is not the owner, or not the account to which ownership is offered.
    error NotOwner(address caller);
    /// @notice The change is not announced: it never was, or it has been withdrawn, made or
    /// removed.
    error NotAnnounced(Change change, uint256 value);
    /// @notice The change is already announced.
    error AlreadyAnnounced(Change change, uint256 value);
    /// @notice The maximum number of announcements is reached. Another change has to be withdrawn
    /// first.
    error TooManyAnnouncements(uint256 max);
    /// @notice The change may not be made before `readyAt`.
    error NotReady(uint256 readyAt);
    /// @notice Messages or forced transactions from before this timestamp may still be pending.
    error StillPending(uint256 until);
    /// @notice The change has not been cleared, see `clear`.
    error NotCleared(Change change, uint256 value);
    /// @notice The change has already been cleared.
    error AlreadyCleared(Change change, uint256 value);
    /// @notice The change was not made before `staleAt` and must be announced again.
    error Stale(uint256 staleAt);
    /// @notice The value is not valid for this parameter.
    error ChangeInvalid(Change change, uint256 value);

    /// @notice Announces a change. Only the owner may call.
    /// @param change Parameter to change.
    /// @param value New value, see `Change`.
    function announce(Change change, uint256 value) external;

    /// @notice Withdraws an announced change. Only the owner may call.
    /// @param change Parameter of the announcement.
    /// @param value Value of the announcement.
    function withdraw(Change change, uint256 value) external;

    /// @notice Records that all messages and forced transactions are resolved that users submitted
    /// while there was still time to exit before the change, i.e. until `UPGRADE_DELAY` minus the
    /// duration of an exit after the announcement. The change can be made no earlier than one day
    /// later. Any account may call.
    /// @dev Pending entries are known as of the last block that had to prove them, see `duties`.
    /// @param change Parameter of the announcement.
    /// @param value Value of the announcement.
    function clear(Change change, uint256 value) external;

    /// @notice Makes a change that was announced `UPGRADE_DELAY` ago and has been cleared. Only the
    /// owner may call.
    /// @dev A new entry of the fork schedule need not be cleared if its rules were reported
    /// `UPGRADE_DELAY` ago (see `reportFork`) and the head has not moved since.
    /// @param change Parameter of the announcement.
    /// @param value Value of the announcement.
    function make(Change change, uint256 value) external;

    /// @notice Records that L1 has activated a fork that is not in the schedule, with a block as
    /// evidence: EXECUTE accepts it, and it would be a valid child of the head if the schedule
    /// contained its fork. Any account may call. Only with `ForkMode.Pinned`.
    /// @dev EXECUTE accepts one set of rules at a timestamp, so it rejects every block of the
    /// schedule from that timestamp on. Forks that differ only in blob parameters have the same
    /// rules; a report of one of them is a report of all.
    /// @param inputs Inputs in the format of `advance`. The first block of the first input is
    /// compared with the head, and the first input is executed.
    function reportFork(bytes[] calldata inputs) external;

    /// @notice Offers ownership to another account, which must call `takeOwnership`. Only the owner
    /// may call.
    /// @param next The other account; zero withdraws the offer.
    function offerOwnership(address next) external;

    /// @notice Accepts the ownership that is offered to the caller.
    function takeOwnership() external;

    /// @notice Renounces ownership, so that the rollup never changes again. Only the owner may
    /// call.
    function renounceOwnership() external;

    /// @notice Returns the L2 head.
    function head() external view returns (Head memory);

    /// @notice Returns the base fee of the latest block in wei, rounded up to a multiple of 2^24;
    /// zero before the first block after the genesis.
    function baseFee() external view returns (uint256);

    /// @notice Returns the duties of the rollup.
    function duties() external view returns (Duties memory);

    /// @notice Hash of the latest block.
    function blockHash() external view returns (bytes32);

    /// @notice Returns the state root of the latest block.
    function stateRoot() external view returns (bytes32);

    /// @notice Returns the state root of one of the latest `STATE_ROOTS` blocks.
    /// @param number Number of the block.
    function stateRootAt(uint64 number) external view returns (bytes32);

    /// @notice Current anchor. The next block must contain it, unless the call updates the anchor.
    function anchor() external view returns (bytes32);

    /// @notice Returns the policy that decides which account may advance, an `ISequencing`; zero
    /// for any account.
    function policy() external view returns (address);

    /// @notice Returns the gas limit of the latest block and the target towards which blocks move.
    function gasLimits() external view returns (uint64 latest, uint64 target);

    /// @notice Returns the required gas limit of the next block.
    function nextGasLimit() external view returns (uint64);

    /// @notice Returns the schema id of a block with this timestamp after the head. With
    /// `ForkMode.Pinned` it is that of the schedule, with `ForkMode.Registry` the current one. With
    /// `ForkMode.Follow` it is that of the head, and EXECUTE decides whether the block has this
    /// schema or a later one.
    /// @param timestamp Timestamp of the block, in seconds.
    function schemaAt(uint64 timestamp) external view returns (uint16);

    /// @notice Returns an entry of the fork schedule.
    function forks(uint256 index) external view returns (Fork memory);

    /// @notice Returns the number of entries in the fork schedule.
    function forkCount() external view returns (uint256);

    /// @notice Returns the timestamp from which an announced change may be made; 0 if it is not
    /// announced.
    /// @param change Parameter of the announcement.
    /// @param value Value of the announcement.
    function readyAt(Change change, uint256 value) external view returns (uint256);

    /// @notice Returns all announced changes, at most eight, in no particular order.
    function announcements() external view returns (Announcement[] memory);

    /// @notice Account that may announce changes; zero if no account ever can.
    function owner() external view returns (address);

    /// @notice Account to which ownership is offered; zero if there is none.
    function pendingOwner() external view returns (address);

    /// @notice Chain id of the L2.
    function CHAIN_ID() external view returns (uint64);

    /// @notice Source of the rollup's forks.
    function FORK_MODE() external view returns (ForkMode);

    /// @notice Maximum age of a block when it is advanced, in seconds: L1 timestamp minus block
    /// timestamp.
    function MAX_LAG() external view returns (uint64);

    /// @notice Age in seconds after which any account may advance: the age of the head, or the time
    /// for which a duty that the head has not fulfilled has been overdue.
    function OPEN_AFTER() external view returns (uint64);

    /// @notice Seconds within which a message from L1 must be relayed.
    function RELAY_DEADLINE() external view returns (uint64);

    /// @notice Seconds from the announcement of a change until it can be made.
    function UPGRADE_DELAY() external view returns (uint64);

    /// @notice Message queue that the anchors refer to, an `IL1MessageQueue`.
    function MESSAGE_QUEUE() external view returns (address);

    /// @notice Queue of forced transactions, an `IForcedInbox`.
    function FORCED() external view returns (address);

    /// @notice Number of state roots that are stored.
    function STATE_ROOTS() external view returns (uint64);
}
