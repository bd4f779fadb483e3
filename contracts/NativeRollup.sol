// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "./interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "./interfaces/INativeRollup.sol";
import {Execute} from "./libraries/Execute.sol";
import {L1History} from "./libraries/L1History.sol";
import {Quad} from "./libraries/Quad.sol";
import {Messages} from "./messaging/Messages.sol";

/// @title A native rollup (EIP-8079)
/// @notice Keeps the head of an L2 and moves it by blocks that EXECUTE has found valid. EXECUTE knows
/// nothing of this rollup: it says that a block follows from its parent by the rules of Ethereum, and
/// that no blob, no withdrawal and nothing else of L1's own is in it. This contract adds what makes
/// the block one of this L2:
///
///   schema, chain id   the rules are the expected ones
///   parent, number     it follows the head
///   gas limit          it is as large as agreed
///   timestamp          later than the parent's, not later than L1, not too far behind it
///   anchor             the parent beacon block root is what L1 says: an L1 block and the messages
///                      sent until then; neither ever goes back
///
/// Everything else in a block is free. The data of the L2 are the inputs of `advance`.
contract NativeRollup is INativeRollup {
    /// @dev The head while a call is at work on it.
    struct Tip {
        uint64 number;
        uint64 timestamp;
        uint64 anchorNumber;
        uint64 messageCount;
        bytes32 blockHash;
        bytes32 anchor;
    }

    /// @notice The most gas that a transaction can have (EIP-7825).
    uint256 internal constant TRANSACTION_GAS_CAP = 1 << 24;

    /// @inheritdoc INativeRollup
    uint64 public constant STATE_ROOTS = 8191;

    /// @inheritdoc INativeRollup
    uint64 public immutable CHAIN_ID;

    /// @inheritdoc INativeRollup
    uint16 public immutable SCHEMA;

    /// @inheritdoc INativeRollup
    uint64 public immutable GAS_LIMIT;

    /// @inheritdoc INativeRollup
    uint64 public immutable MAX_LAG;

    /// @inheritdoc INativeRollup
    address public immutable INBOX;

    /// @dev Slot 0, a `Quad`: the fields of `Head` in their order.
    uint256 private _head;

    /// @inheritdoc INativeRollup
    /// @dev Slot 1.
    bytes32 public blockHash;

    /// @inheritdoc INativeRollup
    /// @dev Slot 2.
    bytes32 public anchor;

    /// @dev Slots 3 to 8193: state roots by block number modulo `STATE_ROOTS`. Once each has been
    /// written, a block takes no new storage.
    bytes32[STATE_ROOTS] private _stateRoots;

    /// @param genesis The L2 block with which the rollup starts.
    /// @param config What holds for every block after it.
    constructor(Genesis memory genesis, Config memory config) {
        if (genesis.blockHash == 0 || genesis.stateRoot == 0) revert GenesisIncomplete();
        if (config.schema < Execute.FIRST_SCHEMA) {
            revert SchemaNotSupported(config.schema, Execute.FIRST_SCHEMA);
        }
        CHAIN_ID = config.chainId;
        SCHEMA = config.schema;
        GAS_LIMIT = config.gasLimit;
        MAX_LAG = config.maxLag;
        INBOX = config.inbox;

        // A message that no L2 block could hold would stop all messages behind it.
        IL1MessageQueue queue = IL1MessageQueue(config.inbox);
        uint256 gas = Messages.relayGas(queue.MAX_GAS(), queue.MAX_DATA());
        uint256 room = config.gasLimit < TRANSACTION_GAS_CAP ? config.gasLimit : TRANSACTION_GAS_CAP;
        if (gas > room) revert MessageCapsTooHigh(gas, room);

        _head = Quad.pack(genesis.number, genesis.timestamp, 0, 0);
        blockHash = genesis.blockHash;
        anchor = genesis.anchor;
        _stateRoots[genesis.number % STATE_ROOTS] = genesis.stateRoot;
        emit BlockAdded(genesis.number, genesis.blockHash, genesis.stateRoot);
    }

    /// @inheritdoc INativeRollup
    function advance(bytes[] calldata inputs, AnchorUpdate[] calldata updates) external {
        _authorize();
        if (inputs.length == 0) revert NothingToAdvance();

        Tip memory tip = _stored();
        bytes32 anchorBefore = tip.anchor;
        bytes memory buffer = Execute.allocate(inputs);
        uint256 used = 0;
        for (uint256 i = 0; i < inputs.length; ++i) {
            if (used < updates.length && updates[used].index == i) {
                _updateAnchor(tip, updates[used]);
                ++used;
            }
            Execute.load(buffer, inputs[i]);
            _addBlock(tip, buffer);
        }
        if (used != updates.length) revert AnchorUpdateUnused(used, updates[used].index);

        _head = Quad.pack(tip.number, tip.timestamp, tip.anchorNumber, tip.messageCount);
        blockHash = tip.blockHash;
        if (tip.anchor != anchorBefore) anchor = tip.anchor;
    }

    /// @inheritdoc INativeRollup
    function head() external view returns (Head memory h) {
        (h.number, h.timestamp, h.anchorNumber, h.messageCount) = Quad.unpack(_head);
    }

    /// @inheritdoc INativeRollup
    function stateRoot() external view returns (bytes32) {
        (uint64 latest,,,) = Quad.unpack(_head);
        return _stateRoots[latest % STATE_ROOTS];
    }

    /// @inheritdoc INativeRollup
    function stateRootAt(uint64 number) external view returns (bytes32 root) {
        (uint64 latest,,,) = Quad.unpack(_head);
        if (number <= latest && latest - number < STATE_ROOTS) {
            root = _stateRoots[number % STATE_ROOTS];
        }
        // Blocks before genesis have none.
        if (root == 0) revert StateRootUnavailable(number, latest);
    }

    /// @dev Who may advance; here anyone.
    function _authorize() internal virtual {}

    /// @dev Which schemas a block may have.
    function _requireSchema(uint16 got) internal view virtual {
        if (got != SCHEMA) revert SchemaMismatch(got, SCHEMA);
    }

    /// @dev Checks a loaded input, executes it, and moves the tip to its block.
    function _addBlock(Tip memory tip, bytes memory input) private {
        uint16 schema = Execute.schema(input);
        _requireSchema(schema);
        _requireFields(tip, input);
        Execute.run(input, CHAIN_ID, schema);

        uint64 number = Execute.blockNumber(input);
        bytes32 hash = Execute.blockHash(input);
        bytes32 root = Execute.stateRoot(input);
        tip.number = number;
        tip.timestamp = Execute.timestamp(input);
        tip.blockHash = hash;
        _stateRoots[number % STATE_ROOTS] = root;
        emit BlockAdded(number, hash, root);
    }

    /// @dev Compares the governed fields of a block that is to follow the tip.
    function _requireFields(Tip memory tip, bytes memory input) private view {
        uint64 chainId = Execute.chainId(input);
        if (chainId != CHAIN_ID) revert ChainIdMismatch(chainId, CHAIN_ID);

        bytes32 parent = Execute.parentHash(input);
        if (parent != tip.blockHash) revert ParentHashMismatch(parent, tip.blockHash);

        uint64 number = Execute.blockNumber(input);
        if (number != tip.number + 1) revert BlockNumberMismatch(number, tip.number + 1);

        uint64 gasLimit = Execute.gasLimit(input);
        if (gasLimit != GAS_LIMIT) revert GasLimitMismatch(gasLimit, GAS_LIMIT);

        uint64 time = Execute.timestamp(input);
        if (time <= tip.timestamp) revert TimestampNotAfterParent(time, tip.timestamp);
        // Time is governed to the precision that L1 itself has.
        // forge-lint: disable-next-item(block-timestamp)
        if (time > block.timestamp) revert TimestampInFuture(time, block.timestamp);
        // forge-lint: disable-next-item(block-timestamp)
        uint256 earliest = block.timestamp > MAX_LAG ? block.timestamp - MAX_LAG : 0;
        if (time < earliest) revert TimestampTooOld(time, earliest);

        bytes32 carried = Execute.parentBeaconBlockRoot(input);
        if (carried != tip.anchor) revert AnchorMismatch(carried, tip.anchor);
    }

    /// @dev Puts a new anchor into force.
    ///
    /// The messages must have been sent by the end of the L1 block that is named. So an anchor says
    /// nothing that this one block does not imply: once it is final, all that the L2 has taken from L1
    /// is.
    function _updateAnchor(Tip memory tip, AnchorUpdate calldata update) private {
        uint64 number = update.l1BlockNumber;
        uint64 count = update.messageCount;
        bytes32 root = update.messageRoot;
        if (number < tip.anchorNumber) revert AnchorNumberWentBack(number, tip.anchorNumber);
        if (count < tip.messageCount) revert MessageCountWentBack(count, tip.messageCount);
        if (update.checkpointBlock > number) {
            revert CheckpointAfterAnchor(update.checkpointBlock, number);
        }
        bytes32 l1Hash = L1History.hashOf(number);
        bool known = IL1MessageQueue(INBOX)
            .isCheckpoint(
                update.checkpointId, count, root, update.checkpointBlock, update.checkpointTimestamp
            );
        if (!known) revert CheckpointUnknown(update.checkpointId, count, root);

        tip.anchorNumber = number;
        tip.messageCount = count;
        tip.anchor = keccak256(abi.encode(number, l1Hash, count, root));
        emit AnchorUpdated(number, l1Hash, count, root);
    }

    /// @dev The head as it is stored.
    function _stored() private view returns (Tip memory tip) {
        (tip.number, tip.timestamp, tip.anchorNumber, tip.messageCount) = Quad.unpack(_head);
        tip.blockHash = blockHash;
        tip.anchor = anchor;
    }
}
