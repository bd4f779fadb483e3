// SPDX-License-Identifier: MIT OR Apache-2.0
// `INativeRollup` with the members of its base, and a policy that calls it, without comments; tests compare
// them with the contracts.
interface INativeRollup {
    struct Head {
        uint64 number;
        uint64 timestamp;
        uint64 anchorNumber;
        uint64 messageCount;
    }
    struct Duties {
        uint64 relayed;
        uint64 relayDue;
        uint64 forcedNext;
        uint64 forcedDue;
        uint64 forcedFirstSince;
    }
    struct Genesis {
        uint64 number;
        uint64 timestamp;
        uint64 gasLimit;
        bytes32 blockHash;
        bytes32 stateRoot;
        bytes32 anchor;
    }
    enum ForkMode {
        Follow,
        Registry,
        Pinned
    }
    struct Config {
        uint64 chainId;
        uint16 schema;
        ForkMode forkMode;
        uint64 maxLag;
        uint64 openAfter;
        uint64 relayDeadline;
        uint64 upgradeDelay;
        uint64 l1SlotMillis;
        address messageQueue;
        address forced;
        address policy;
        address owner;
    }
    struct Fork {
        uint16 schema;
        uint64 from;
    }
    enum Change {
        Policy,
        GasLimit,
        Fork,
        Verification
    }
    struct Announcement {
        Change change;
        uint64 readyAt;
        uint64 clearUntil;
        bool cleared;
        uint256 value;
    }
    struct AnchorUpdate {
        uint64 index;
        uint64 l1BlockNumber;
        uint64 messageCount;
        bytes32 messageRoot;
        uint64 checkpointId;
        uint64 checkpointBlock;
        uint64 checkpointTimestamp;
    }
    struct Checkpoint {
        uint64 id;
        uint64 count;
        uint64 l1Block;
        uint64 timestamp;
        bytes32 root;
    }
    struct RelayProof {
        uint64 index;
        bytes[] accountProof;
        bytes[] storageProof;
        Checkpoint before;
        Checkpoint next;
    }
    enum Outcome {
        Included,
        Invalid,
        Underpriced,
        Expired,
        NoRoom,
        TargetHasCode
    }
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
    struct Discharge {
        ForcedTransaction transaction;
        Outcome outcome;
        uint64 position;
        bytes[] accountProof;
        bytes code;
    }
    struct ForcedBatch {
        uint64 index;
        Discharge[] discharges;
        ForcedTransaction[] next;
    }
    struct Evidence {
        AnchorUpdate[] updates;
        ForcedBatch[] forced;
        RelayProof[] relays;
    }
    event BlockAdded(uint64 indexed number, bytes32 indexed blockHash, bytes32 stateRoot);
    event Advanced(
        uint64 indexed first,
        uint64 indexed last,
        address indexed caller,
        bytes32 inputsHash,
        uint256 blobs
    );
    event AnchorUpdated(
        uint64 indexed l1BlockNumber, bytes32 l1BlockHash, uint64 messageCount, bytes32 messageRoot
    );
    event RelayProven(uint64 indexed relayed, uint64 pendingSince);
    event ChangeAnnounced(Change indexed change, uint256 value, uint256 readyAt);
    event ChangeWithdrawn(Change indexed change, uint256 value);
    event ChangeCleared(Change indexed change, uint256 value, uint256 readyAt);
    event ChangeMade(Change indexed change, uint256 value);
    event ForkReported(uint16 indexed schema, uint64 headNumber);
    event OwnershipOffered(address indexed owner, address indexed next);
    event OwnershipTransferred(address indexed previous, address indexed owner);
    error SchemaNotSupported(uint16 got, uint16 earliest, uint16 latest);
    error RegistryUnavailable(uint256 got, uint256 expected);
    error ForksNotPinned();
    error ForkNotLater(uint16 got, uint16 current);
    error GenesisIncomplete();
    error GenesisAnchored(bytes32 anchor);
    error GenesisOutOfBounds(uint64 got, uint256 max);
    error GenesisInFuture(uint64 got, uint256 latest);
    error QueueMismatch(address queue);
    error L1SlotTooShort(uint64 got, uint256 minimum);
    error DelaysInconsistent(uint256 got, uint256 minimum);
    error MessageCapsTooHigh(uint256 got, uint256 limit);
    error DutiesTooLarge(uint256 gas, uint256 limit);
    error FootprintTooLarge(uint256 got, uint256 limit);
    error NothingToAdvance();
    error AnchorUpdateUnused(uint256 update, uint64 index);
    error ForcedBatchUnused(uint256 batch, uint64 index);
    error RelayProofUnused(uint256 proof, uint64 index);
    error SchemaMismatch(uint16 got, uint16 expected);
    error ForkWentBack(uint16 got, uint16 current);
    error ChainIdMismatch(uint64 got, uint64 expected);
    error ParentHashMismatch(bytes32 got, bytes32 expected);
    error BlockNumberMismatch(uint64 got, uint64 expected);
    error GasLimitMismatch(uint64 got, uint64 expected);
    error TimestampNotAfterParent(uint64 got, uint64 parent);
    error TimestampInFuture(uint64 got, uint256 latest);
    error TimestampTooOld(uint64 got, uint256 earliest);
    error FeeRecipientMismatch(address got, address expected);
    error AnchorMismatch(bytes32 got, bytes32 expected);
    error AnchorNumberWentBack(uint64 got, uint64 current);
    error MessageCountWentBack(uint64 got, uint64 current);
    error CheckpointAfterAnchor(uint64 checkpointBlock, uint64 l1BlockNumber);
    error CheckpointUnknown(uint64 id, uint64 count, bytes32 root);
    error AnchorTooFarAhead(uint64 count, uint64 limit);
    error StateRootUnavailable(uint64 number, uint64 latest);
    error RelayProofMissing(uint64 relayed);
    error RelayedWentBack(uint64 got, uint64 known);
    error MessagesOverdue(uint64 relayed, uint64 due);
    error TooManyDischarges(uint256 got, uint256 max);
    error ForcedTransactionOmitted(uint64 index);
    error ForcedTransactionMismatch(uint64 index, bytes32 got, bytes32 expected);
    error NotDue(uint64 index, uint64 due);
    error HeaderMismatch(bytes32 got, bytes32 expected);
    error NotIncluded(uint64 index, bytes32 got, bytes32 expected);
    error StillValid(uint64 index);
    error PricedEnough(uint64 index, uint128 maxFee, uint256 baseFee);
    error StillPriced(uint64 index, uint64 until);
    error RoomLeft(uint64 index);
    error TargetIsPlain(uint64 index, address to);
    error NotExpired(uint64 index, uint64 expiresAt);
    error NotOwner(address caller);
    error NotAnnounced(Change change, uint256 value);
    error AlreadyAnnounced(Change change, uint256 value);
    error TooManyAnnouncements(uint256 max);
    error NotReady(uint256 readyAt);
    error StillPending(uint256 until);
    error NotCleared(Change change, uint256 value);
    error AlreadyCleared(Change change, uint256 value);
    error Stale(uint256 staleAt);
    error ChangeInvalid(Change change, uint256 value);
    function announce(Change change, uint256 value) external;
    function withdraw(Change change, uint256 value) external;
    function clear(Change change, uint256 value) external;
    function make(Change change, uint256 value) external;
    function reportFork(bytes[] calldata inputs) external;
    function offerOwnership(address next) external;
    function takeOwnership() external;
    function renounceOwnership() external;
    function head() external view returns (Head memory);
    function baseFee() external view returns (uint256);
    function duties() external view returns (Duties memory);
    function blockHash() external view returns (bytes32);
    function stateRoot() external view returns (bytes32);
    function stateRootAt(uint64 number) external view returns (bytes32);
    function anchor() external view returns (bytes32);
    function policy() external view returns (address);
    function gasLimits() external view returns (uint64 latest, uint64 target);
    function nextGasLimit() external view returns (uint64);
    function schemaAt(uint64 timestamp) external view returns (uint16);
    function forks(uint256 index) external view returns (Fork memory);
    function forkCount() external view returns (uint256);
    function readyAt(Change change, uint256 value) external view returns (uint256);
    function announcements() external view returns (Announcement[] memory);
    function owner() external view returns (address);
    function pendingOwner() external view returns (address);
    function CHAIN_ID() external view returns (uint64);
    function FORK_MODE() external view returns (ForkMode);
    function MAX_LAG() external view returns (uint64);
    function OPEN_AFTER() external view returns (uint64);
    function RELAY_DEADLINE() external view returns (uint64);
    function UPGRADE_DELAY() external view returns (uint64);
    function MESSAGE_QUEUE() external view returns (address);
    function FORCED() external view returns (address);
    function STATE_ROOTS() external view returns (uint64);
    event Forwarded(bytes data);
    function advance(bytes[] calldata inputs, Evidence calldata evidence) external;
}

// Members of `HybridSequencing`; `post` has the types of the rollup.
interface IHybridSequencing {
    struct Preconfirmation {
        address rollup;
        bytes32 blockHash;
        uint16 schema;
        bool isSealed;
        uint64 l1Block;
        bytes32 l1Hash;
    }
    event HandoverOffered(address indexed sequencer, address indexed next);
    event SequencerChanged(address indexed previous, address indexed sequencer);
    error NotSequencer(address caller, address sequencer, uint256 opensAt);
    error OnlySequencer(address caller, address sequencer);
    error NotOffered(address caller, address next);
    error BondTooSmall(uint256 got, uint256 minimum);
    error NotSealed();
    error NotSignedBySequencer(address signer, address sequencer);
    error PostTooSoon(uint256 from);
    error OtherBlock(bytes32 got, bytes32 expected);
    error Reentrancy();
    function post(
        Preconfirmation calldata message,
        bytes calldata signature,
        bytes[] calldata inputs,
        INativeRollup.Evidence calldata evidence
    ) external;
    function offer(address next) external;
    function take() external;
    function sequencer() external view returns (address);
    function nextSequencer() external view returns (address);
    function FEE_RECIPIENT() external view returns (address);
    function TIMEOUT() external view returns (uint64);
    function POST_DELAY() external view returns (uint64);
    function POST_BOND_DIVISOR() external view returns (uint256);
    function BONDS() external view returns (address);
    function MIN_BOND() external view returns (uint256);
}
