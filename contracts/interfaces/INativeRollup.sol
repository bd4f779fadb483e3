// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A native rollup as L1 sees it (EIP-8079)
/// @notice The head of an L2 that is a plain Ethereum chain, moved by `advance` and by nothing
/// else.
interface INativeRollup {
    /// @notice Head of the L2.
    struct Head {
        /// Number of the latest L2 block.
        uint64 number;
        /// Its timestamp, in seconds.
        uint64 timestamp;
        /// Number of the L1 block that the anchor in force names.
        uint64 anchorNumber;
        /// Number of L1 messages the anchor in force covers.
        uint64 messageCount;
    }

    /// @notice Duties of the rollup to messages and forced transactions that wait on L1.
    struct Duties {
        /// Number of messages that are known to be relayed.
        uint64 relayed;
        /// From this L2 time on, one that is not known to be may be overdue.
        uint64 relayDue;
        /// Number of the first forced transaction that is not discharged.
        uint64 forcedNext;
        /// From this L2 time on it may be due.
        uint64 forcedDue;
        /// The L2 time since when each block owes it, if it is due: when it became the first, or
        /// later when a block relayed older messages instead.
        uint64 forcedFirstSince;
    }

    /// @notice The L2 block with which a rollup starts, as its header says.
    struct Genesis {
        /// Number of the block, usually 0.
        uint64 number;
        /// Its timestamp, in seconds.
        uint64 timestamp;
        /// Its gas limit.
        uint64 gasLimit;
        /// Its hash.
        bytes32 blockHash;
        /// Its state root.
        bytes32 stateRoot;
        /// The parent beacon block root of its header: zero, as no anchor is in force before the
        /// first update.
        bytes32 anchor;
    }

    /// @notice Source of a rollup's forks. A block has one fork, and none earlier than its
    /// parent's.
    enum ForkMode {
        /// The fork that EXECUTE accepts at the timestamp of the block: the one that L1 had then.
        Follow,
        /// The fork of the entry that is current in L1's registry (EIP-8357) when the block is
        /// posted.
        Registry,
        /// The fork that the rollup's own schedule has at the timestamp of the block. The owner
        /// extends it.
        Pinned
    }

    /// @notice Configuration of a rollup.
    struct Config {
        /// Chain id of the L2.
        uint64 chainId;
        /// Schema id of the inputs of the first blocks: a fork from Prague to Amsterdam, and the
        /// revision, which all blocks have.
        uint16 schema;
        /// Source of the rollup's forks.
        ForkMode forkMode;
        /// Most seconds that the timestamp of a block may lie behind that of L1.
        uint64 maxLag;
        /// Age of the head, in seconds, from which on anyone may advance; and so is what the head
        /// has left undone, from when it was due.
        uint64 openAfter;
        /// Seconds after which a message from L1 must have been relayed.
        uint64 relayDeadline;
        /// Seconds between the announcement of an upgrade and the upgrade.
        uint64 upgradeDelay;
        /// The queue of messages to the L2, an `IL1MessageQueue`.
        address messageQueue;
        /// The queue of forced transactions, an `IForcedInbox`.
        address forced;
        /// Policy that says which account may advance, an `ISequencing`; zero for anyone.
        address policy;
        /// Account that may announce upgrades; with zero the rollup never changes.
        address owner;
    }

    /// @notice An entry of the fork schedule.
    struct Fork {
        /// Schema id of the inputs.
        uint16 schema;
        /// Timestamp of the first block that has it.
        uint64 from;
    }

    /// @notice A value that the owner can change.
    enum Change {
        /// The value is the address of an `ISequencing`, or zero.
        Policy,
        /// The value is the new gas limit, to which blocks move by as much as Ethereum allows.
        GasLimit,
        /// The value is `timestamp << 16 | schema`: an entry for the end of the fork schedule. Only
        /// with `ForkMode.Pinned`.
        Fork
    }

    /// @notice A change that the owner has announced, and neither made nor withdrawn.
    struct Announcement {
        /// What changes.
        Change change;
        /// Time from which on it may be made, if it is cleared.
        uint64 readyAt;
        /// What was submitted or sent until this time must be done before.
        uint64 clearUntil;
        /// Whether that was shown, see `clear`.
        bool cleared;
        /// The new value.
        uint256 value;
    }

    /// @notice A new anchor: an L1 block, and messages that had been sent by the end of that block.
    /// @dev The last four fields are a checkpoint of the queue, as `IL1MessageQueue.checkpoint` or
    /// its events tell.
    struct AnchorUpdate {
        /// Index, among the blocks of the same call, of the first that carries the new anchor.
        uint64 index;
        /// Number of the L1 block; its hash is looked up.
        uint64 l1BlockNumber;
        /// Number of messages the L2 may relay.
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

    /// @notice A state of the message queue, as in `IL1MessageQueue`.
    struct Checkpoint {
        uint64 id;
        uint64 count;
        uint64 l1Block;
        uint64 timestamp;
        bytes32 root;
    }

    /// @notice Evidence of how many messages have been relayed (or parked) after a block.
    struct RelayProof {
        /// Index of the block among those of the same call.
        uint64 index;
        /// Nodes that prove the account of `L2Messenger` against the block's state root.
        bytes[] accountProof;
        /// Nodes that prove the messenger's slot 0.
        bytes[] storageProof;
        /// The last checkpoint that covers no more messages than have been relayed.
        Checkpoint before;
        /// The one that follows; ignored if all messages have been relayed.
        Checkpoint next;
    }

    /// @notice Resolution of a forced transaction.
    enum Outcome {
        /// It stands in the block.
        Included,
        /// Its nonce, or what its sender owns, rules it out; or the sender has code.
        Invalid,
        /// It does not pay the block's base fee, and has no claim to wait (see
        /// `ForcedTransaction.priced`).
        Underpriced,
        /// For a whole day and more any block had to contain it, anyone could build one, and none
        /// did.
        Expired,
        /// The entries before it are all that can be demanded of a block; or, for some time, the
        /// block has too little gas left, or a base fee above its fee cap. It stays in the queue.
        NoRoom,
        /// It is a transfer to an account with code, of which it is not known what it reads.
        TargetHasCode
    }

    /// @notice A submitted transaction, as in `IForcedInbox`.
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

    /// @notice Evidence for the outcome of a forced transaction.
    struct Discharge {
        /// The transaction.
        ForcedTransaction transaction;
        /// The outcome.
        Outcome outcome;
        /// If it is included: its index among the transactions of the block. If it is invalid and
        /// comes without a proof: the index of an earlier discharge of the batch that shows its
        /// sender, by a proof of its own or as included.
        uint64 position;
        /// If it is invalid: nodes that prove the sender's account, or its absence, against the
        /// block's state root. If its target has code: those of the target's.
        bytes[] accountProof;
        /// If it is invalid because the sender has code: the code.
        bytes code;
    }

    /// @notice Evidence of a block about forced transactions.
    struct ForcedBatch {
        /// Index of the block among those of the same call.
        uint64 index;
        /// The next transactions of the queue, in order.
        Discharge[] discharges;
        /// The transaction that follows, to show that it is not due; none if none follows.
        ForcedTransaction[] next;
    }

    /// @notice All that goes with the inputs of a call; each list in the order of its indices.
    struct Evidence {
        /// New anchors.
        AnchorUpdate[] updates;
        /// Outcomes of forced transactions.
        ForcedBatch[] forced;
        /// Number of messages relayed so far.
        RelayProof[] relays;
    }

    /// @notice A block became the head.
    event BlockAdded(uint64 indexed number, bytes32 indexed blockHash, bytes32 stateRoot);
    /// @notice A call has moved the head; it has added the blocks `first` to `last`.
    /// @param caller Account that called `advance`: of a transaction to a contract, that contract.
    /// @param inputsHash Rolling hash over the inputs of EXECUTE, each as the call gave it, or put
    /// together if it refers to bytes that L1 keeps: `keccak256(hash ‖ keccak256(input))` for one
    /// after another, from zero on.
    /// @param blobs Number of blobs of the transaction, in which the inputs end if there are any.
    event Advanced(
        uint64 indexed first,
        uint64 indexed last,
        address indexed caller,
        bytes32 inputsHash,
        uint256 blobs
    );
    /// @notice A new anchor came into force; `keccak256(abi.encode(...))` of the four values is
    /// what the L2 blocks from here on carry.
    event AnchorUpdated(
        uint64 indexed l1BlockNumber, bytes32 l1BlockHash, uint64 messageCount, bytes32 messageRoot
    );
    /// @notice This many messages have been relayed; the next was sent at this time, or none was
    /// before.
    event RelayProven(uint64 indexed relayed, uint64 pendingSince);
    /// @notice An upgrade was announced.
    event ChangeAnnounced(Change indexed change, uint256 value, uint256 readyAt);
    /// @notice An announced upgrade was withdrawn.
    event ChangeWithdrawn(Change indexed change, uint256 value);
    /// @notice Nothing is pending any more of what the upgrade has to wait for.
    event ChangeCleared(Change indexed change, uint256 value, uint256 readyAt);
    /// @notice An upgrade was made.
    event ChangeMade(Change indexed change, uint256 value);
    /// @notice EXECUTE has accepted a block after the head under a later fork than the schedule has
    /// for it.
    event ForkReported(uint16 indexed schema, uint64 headNumber);
    /// @notice An account was named as the next owner.
    event OwnershipOffered(address indexed owner, address indexed next);
    /// @notice The rollup has another owner; with zero it never changes again.
    event OwnershipTransferred(address indexed previous, address indexed owner);

    /// @notice The schema id names no fork whose layout this contract can read.
    error SchemaNotSupported(uint16 got, uint16 earliest, uint16 latest);
    /// @notice The registry of EIP-8357 answers with so many bytes, and an entry has others: this
    /// L1 has none.
    error RegistryUnavailable(uint256 got, uint256 expected);
    /// @notice Only a rollup with `ForkMode.Pinned` has a fork schedule of its own.
    error ForksNotPinned();
    /// @notice The fork has no later rules than the one that the schedule has, or than one that was
    /// reported for this head. BPO1 and BPO2 have the rules of Osaka.
    error ForkNotLater(uint16 got, uint16 current);
    /// @notice A genesis without a state root.
    error GenesisIncomplete();
    /// @notice A genesis with an anchor: it would be in force, and no state of the message queue
    /// stands behind it.
    error GenesisAnchored(bytes32 anchor);
    /// @notice The number or the gas limit of the genesis, or the number of a block after it, does
    /// not fit into storage.
    error GenesisOutOfBounds(uint64 got, uint256 max);
    /// @notice The genesis is later than L1.
    error GenesisInFuture(uint64 got, uint256 latest);
    /// @notice The queue at this address was made for another rollup or another chain.
    error QueueMismatch(address queue);
    /// @notice Delays that do not fit to one another, see `RollupRules`.
    error DelaysInconsistent(uint256 got, uint256 least);
    /// @notice Relaying the largest message of the queue could take more gas than a transaction
    /// has.
    error MessageCapsTooHigh(uint256 got, uint256 limit);
    /// @notice More gas can be demanded of a block than it, or L1, can carry.
    error DutiesTooLarge(uint256 gas, uint256 limit);
    /// @notice The longest forced transaction of the queue takes more bytes than can be demanded of
    /// a block.
    error FootprintTooLarge(uint256 got, uint256 limit);

    /// @notice A call without inputs.
    error NothingToAdvance();
    /// @notice An anchor update with an index that no block of the call has, or out of order.
    error AnchorUpdateUnused(uint256 update, uint64 index);
    /// @notice Forced transactions for a block that the call does not have, or out of order.
    error ForcedBatchUnused(uint256 batch, uint64 index);
    /// @notice A relay proof for a block that the call does not have, or out of order.
    error RelayProofUnused(uint256 proof, uint64 index);

    /// @notice The input is of another schema than the schedule, or the registry, has for it.
    error SchemaMismatch(uint16 got, uint16 expected);
    /// @notice The input is of an earlier fork than the head.
    error ForkWentBack(uint16 got, uint16 current);
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
    /// @notice The block's fees go to another account than the policy says.
    error FeeRecipientMismatch(address got, address expected);
    /// @notice The block does not carry the anchor in force.
    error AnchorMismatch(bytes32 got, bytes32 expected);
    /// @notice The anchor names an earlier L1 block than the one in force.
    error AnchorNumberWentBack(uint64 got, uint64 current);
    /// @notice The anchor covers fewer messages than the one in force.
    error MessageCountWentBack(uint64 got, uint64 current);
    /// @notice The anchor covers messages that were sent after the L1 block that it names.
    error CheckpointAfterAnchor(uint64 checkpointBlock, uint64 l1BlockNumber);
    /// @notice The queue was never in this state at the end of an L1 block, or it has forgotten.
    error CheckpointUnknown(uint64 id, uint64 count, bytes32 root);
    /// @notice The anchor covers more messages beyond those known to be relayed than one block
    /// could bridge with hashes; a relay proof is needed first.
    error AnchorTooFarAhead(uint64 count, uint64 limit);

    /// @notice The state root of the block is not held: too old, not yet there, or before genesis.
    error StateRootUnavailable(uint64 number, uint64 latest);

    /// @notice The oldest message is overdue, or may be, and nothing shows that it was relayed.
    error RelayProofMissing(uint64 relayed);
    /// @notice Fewer messages have been relayed than are known to be.
    error RelayedWentBack(uint64 got, uint64 known);
    /// @notice Messages are overdue, and fewer have been relayed than a block owes.
    error MessagesOverdue(uint64 relayed, uint64 due);

    /// @notice More discharges than a block may have.
    error TooManyDischarges(uint256 got, uint256 max);
    /// @notice A due transaction is left out without a reason.
    error ForcedTransactionOmitted(uint64 index);
    /// @notice The transaction is not the one at this place of the queue.
    error ForcedTransactionMismatch(uint64 index, bytes32 got, bytes32 expected);
    /// @notice Before it is due, a transaction can be included and nothing else.
    error NotDue(uint64 index, uint64 due);
    /// @notice Another transaction stands there.
    error NotIncluded(uint64 index, bytes32 got, bytes32 expected);
    /// @notice The transaction is valid after the block, so it could have been appended.
    error StillValid(uint64 index);
    /// @notice The transaction pays enough.
    error PricedEnough(uint64 index, uint128 maxFee, uint256 baseFee);
    /// @notice The fee cap of the transaction was enough when it was submitted: until this L2 time
    /// a higher base fee puts it off (`NoRoom`), and does not discharge it.
    error StillPriced(uint64 index, uint64 until);
    /// @notice The block has room for the transaction, or must make some for it.
    error RoomLeft(uint64 index);
    /// @notice The target has no code, or the transaction may be demanded although it has.
    error TargetIsPlain(uint64 index, address to);
    /// @notice The transaction has not expired.
    error NotExpired(uint64 index, uint64 expiresAt);

    /// @notice The caller is not the owner (or not the one to whom ownership is offered).
    error NotOwner(address caller);
    /// @notice The upgrade was not announced, or was announced and withdrawn, made, or forgotten.
    error NotAnnounced(Change change, uint256 value);
    /// @notice The upgrade was announced before.
    error AlreadyAnnounced(Change change, uint256 value);
    /// @notice So many upgrades are announced already; withdraw one first.
    error TooManyAnnouncements(uint256 max);
    /// @notice The upgrade may not be made yet.
    error NotReady(uint256 readyAt);
    /// @notice Something that was submitted or sent until this time is, or may be, pending.
    error StillPending(uint256 until);
    /// @notice No account has shown that nothing of that time is pending.
    error NotCleared(Change change, uint256 value);
    /// @notice The change was cleared before.
    error AlreadyCleared(Change change, uint256 value);
    /// @notice The upgrade was not made in time, and has to be announced again.
    error Stale(uint256 staleAt);
    /// @notice The value is none that the rollup could have.
    error ChangeInvalid(Change change, uint256 value);

    /// @notice Moves the head by one block or more, all or none.
    /// @dev Reverts with the errors above, and with those of `Execute`, `L1History`, `StateProof`,
    /// `Rlp`, the queues and the policy.
    /// @param inputs Inputs of EXECUTE, in order: each for one block or for a batch of them.
    /// @param evidence New anchors, and what the rollup owes.
    function advance(bytes[] calldata inputs, Evidence calldata evidence) external;

    /// @notice Announces an upgrade. For the owner.
    function announce(Change change, uint256 value) external;

    /// @notice Withdraws an announced upgrade. For the owner.
    function withdraw(Change change, uint256 value) external;

    /// @notice Notes that nothing is pending of all that was submitted or sent while the upgrade
    /// delay still covered the way out: until `UPGRADE_DELAY` after the announcement, less what the
    /// way out takes. The upgrade can be made a day later at the earliest. Anyone may call.
    /// @dev The pending entries are known as of the last block that had to tell them, see `duties`.
    function clear(Change change, uint256 value) external;

    /// @notice Makes an upgrade that was announced `UPGRADE_DELAY` ago, and cleared. For the owner.
    /// @dev An entry of the fork schedule need not be cleared if its rules were reported
    /// `UPGRADE_DELAY` ago, see `reportFork`, and the head has not moved since.
    function make(Change change, uint256 value) external;

    /// @notice Notes that L1 has forked, and the schedule has not: EXECUTE accepts a block that
    /// could follow the head but for its fork, which has later rules than the schedule has. Anyone
    /// may call. Only with `ForkMode.Pinned`.
    /// @dev EXECUTE accepts one set of rules at a timestamp. So it refuses every block of the
    /// schedule from that timestamp on. Forks that differ in blob parameters alone have the same
    /// rules, and a report of one is one of each.
    /// @param inputs The inputs, in the form of `advance`. The first block of the first input is
    /// compared with the head, and the first input goes to EXECUTE.
    function reportFork(bytes[] calldata inputs) external;

    /// @notice Offers ownership to another account, which must take it; zero withdraws the offer.
    function offerOwnership(address next) external;

    /// @notice Takes ownership that is offered to the caller.
    function takeOwnership() external;

    /// @notice Gives ownership up, so that the rollup never changes again.
    function renounceOwnership() external;

    /// @notice Head of the L2.
    function head() external view returns (Head memory);

    /// @notice Base fee of the latest block in wei, rounded up to a multiple of 2^24; zero until
    /// there is one after the genesis.
    function baseFee() external view returns (uint256);

    /// @notice Duties of the rollup.
    function duties() external view returns (Duties memory);

    /// @notice Hash of the latest block.
    function blockHash() external view returns (bytes32);

    /// @notice State root of the latest block.
    function stateRoot() external view returns (bytes32);

    /// @notice State root of one of the latest `STATE_ROOTS` blocks.
    function stateRootAt(uint64 number) external view returns (bytes32);

    /// @notice The anchor in force: what the next block carries unless a new one comes with it.
    function anchor() external view returns (bytes32);

    /// @notice Policy that says which account may advance, an `ISequencing`; zero for anyone.
    function policy() external view returns (address);

    /// @notice Gas limit of the latest block, and the one to which blocks move.
    function gasLimits() external view returns (uint64 latest, uint64 target);

    /// @notice Gas limit of the next block.
    function nextGasLimit() external view returns (uint64);

    /// @notice Schema id of a block with this timestamp after the head: that of the schedule with
    /// `ForkMode.Pinned`, the current one with `ForkMode.Registry`. With `ForkMode.Follow` it is
    /// that of the head, and EXECUTE decides if the block has this or a later one.
    function schemaAt(uint64 timestamp) external view returns (uint16);

    /// @notice An entry of the fork schedule.
    function forks(uint256 index) external view returns (Fork memory);

    /// @notice Number of entries the fork schedule has.
    function forkCount() external view returns (uint256);

    /// @notice Time from which on an announced upgrade may be made; 0 if it is not announced.
    function readyAt(Change change, uint256 value) external view returns (uint256);

    /// @notice All upgrades that are announced, eight at most, in no particular order.
    function announcements() external view returns (Announcement[] memory);

    /// @notice Account that may announce upgrades; zero if none ever can.
    function owner() external view returns (address);

    /// @notice Account to which ownership is offered; zero if it is offered to none.
    function pendingOwner() external view returns (address);

    /// @notice Chain id of the L2.
    function CHAIN_ID() external view returns (uint64);

    /// @notice Source of the rollup's forks.
    function FORK_MODE() external view returns (ForkMode);

    /// @notice Most seconds that the timestamp of a block may lie behind that of L1.
    function MAX_LAG() external view returns (uint64);

    /// @notice Age of the head, in seconds, from which on anyone may advance; and so is what the
    /// head has left undone, from when it was due.
    function OPEN_AFTER() external view returns (uint64);

    /// @notice Seconds after which a message from L1 must have been relayed.
    function RELAY_DEADLINE() external view returns (uint64);

    /// @notice Seconds between the announcement of an upgrade and the upgrade.
    function UPGRADE_DELAY() external view returns (uint64);

    /// @notice The queue whose messages the anchors name, an `IL1MessageQueue`.
    function MESSAGE_QUEUE() external view returns (address);

    /// @notice The queue of forced transactions, an `IForcedInbox`.
    function FORCED() external view returns (address);

    /// @notice Number of state roots that are held.
    function STATE_ROOTS() external view returns (uint64);
}
