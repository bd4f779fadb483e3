// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {Escrow} from "./Escrow.sol";
import {Messages} from "./Messages.sol";

/// @title Queue of messages from L1 to an L2
/// @notice Each message extends a rolling hash. The states of the queue at the end of L1 blocks are
/// its checkpoints, which an anchor may refer to: they are fixed before an L2 block refers to them,
/// so no account can invalidate one by sending another message in the meantime. There is an
/// additional checkpoint after every `CHECKPOINT_INTERVAL` messages, which bounds the distance to
/// the next checkpoint, however many messages an L1 block has.
///
/// Storage is bounded: checkpoints are stored in a ring. A checkpoint that pending messages still
/// need is never overwritten; instead, no message is accepted until the rollup has proven that it
/// relayed older ones. A rollup that is being advanced provides such proofs long before the ring is
/// full.
abstract contract SendQueue is Escrow {
    /// @inheritdoc IL1MessageQueue
    uint64 public constant CHECKPOINT_INTERVAL = 256;

    /// @dev Bounds of the number of places in the ring. Each L1 block uses at most one, in addition
    /// to those of full intervals, so the number depends on the delays of the rollup and on the
    /// slots of its L1; `RollupRules` compares them.
    uint256 private constant MIN_CHECKPOINTS = 1 << 10;
    uint256 private constant MAX_CHECKPOINTS = 1 << 20;

    /// @dev Bits of `_state` that belong to the checkpoint.
    uint256 private constant CHECKPOINT_MASK = (1 << 176) - 1;

    /// @dev Value of the oldest needed checkpoint in `_state` once the queue is closed. `send` then
    /// fails the check for a full ring and needs no check of its own.
    uint256 private constant CLOSED = type(uint40).max;

    /// @dev Gas for the bytes that any message adds to inputs: the message itself and a trie path.
    uint256 private constant MESSAGE_GAS =
        Capacity.GAS_PER_BYTE * (Messages.PACKED_HEADER + Capacity.PATH_BYTES);

    /// @dev Increment of `_state` for a message: of the total and of the count in its L1 block.
    uint256 private constant ONE_MORE = 1 | 1 << 216;

    /// @inheritdoc IL1MessageQueue
    uint64 public immutable MAX_GAS;

    /// @inheritdoc IL1MessageQueue
    uint64 public immutable MAX_DATA;

    /// @inheritdoc IL1MessageQueue
    uint64 public immutable FEE_PERCENT;

    /// @dev Number of places in the ring that are used.
    uint256 private immutable _PLACES;

    /// @dev Slot 0: rolling hash.
    bytes32 private _root;

    /// @dev Slot 1, from the low bits on: number of messages sent (56 bits), number of the
    /// checkpoint that this state is or becomes (40), L1 block of the last message (40), timestamp
    /// of that block (40), oldest checkpoint that is still needed (40), number of messages sent in
    /// that L1 block (40).
    uint256 private _state;

    /// @dev Slots 2 to 1048577: commitments to checkpoints, by number modulo `CHECKPOINTS`.
    bytes32[MAX_CHECKPOINTS] private _checkpoints;

    constructor(uint64 maxGas, uint64 maxData, uint64 feePercent, uint64 checkpoints) {
        if (maxGas > Messages.MAX_GAS || maxData > Messages.MAX_DATA) {
            revert CapsTooHigh(maxGas, maxData);
        }
        if (checkpoints < MIN_CHECKPOINTS || checkpoints > MAX_CHECKPOINTS) {
            revert CheckpointsOutOfBounds(checkpoints, MIN_CHECKPOINTS, MAX_CHECKPOINTS);
        }
        MAX_GAS = maxGas;
        MAX_DATA = maxData;
        FEE_PERCENT = feePercent;
        _PLACES = checkpoints;
    }

    /// @inheritdoc IL1MessageQueue
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64 index)
    {
        if (Predeploys.isForbiddenTarget(to)) revert TargetForbidden(to);
        if (gasLimit > MAX_GAS) revert GasLimitTooHigh(gasLimit, MAX_GAS);
        if (data.length > MAX_DATA) revert DataTooLong(data.length, MAX_DATA);
        uint256 minimum = minimumFee(gasLimit);
        if (fee < minimum) revert FeeTooLow(fee, minimum);
        uint128 value = _valueBesides(fee);
        if (_GUARDIAN != address(0)) _requireOpen(to, value);

        bytes32 root = _root;
        index = _nextIndex(root);
        bytes32 messageHash = Messages.post(
            MessageSent.selector, uint160(to), uint160(refundTo), value, fee, gasLimit, index, data
        );
        _root = Messages.extend(root, messageHash);
    }

    /// @inheritdoc IL1MessageQueue
    function back() external payable {
        // A pause accepts ETH for no target.
        if (_GUARDIAN != address(0)) _requireOpen(address(0), msg.value);
        emit Backed(msg.sender, msg.value);
    }

    /// @inheritdoc IL1MessageQueue
    function settle(uint64 relayed, Checkpoint calldata before, Checkpoint calldata next)
        external
        returns (uint64 pendingSince)
    {
        if (msg.sender != ROLLUP) revert NotRollup(msg.sender);
        uint256 state = _openState();
        pendingSince = _pendingSince(state, relayed, before, next);
        _keepFrom(state, before.id);
    }

    /// @inheritdoc IL1MessageQueue
    function settleIfIdle(uint64 relayed) external returns (uint64 pendingSince) {
        if (msg.sender != ROLLUP) revert NotRollup(msg.sender);
        uint256 state = _openState();
        uint64 id;
        (pendingSince, id) = _pendingSinceIfIdle(state, relayed);
        if (pendingSince != 0) _keepFrom(state, id);
    }

    /// @inheritdoc IL1MessageQueue
    function CHECKPOINTS() external view returns (uint64) {
        // At most `MAX_CHECKPOINTS`.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(_PLACES);
    }

    /// @inheritdoc IL1MessageQueue
    function checkpoint() external view returns (Checkpoint memory now_) {
        (now_.count, now_.id, now_.l1Block, now_.timestamp) = _unpack(_state);
        now_.root = _root;
    }

    /// @inheritdoc IL1MessageQueue
    function isCheckpoint(uint64 id, uint64 count, bytes32 root, uint64 l1Block, uint64 timestamp)
        external
        view
        returns (bool)
    {
        return _isCheckpoint(Checkpoint(id, count, l1Block, timestamp, root));
    }

    /// @inheritdoc IL1MessageQueue
    function countBefore() external view returns (uint64 count) {
        (count,) = _before(_state);
    }

    /// @inheritdoc IL1MessageQueue
    function relayedAfter(
        bytes32 stateRoot,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external pure returns (uint64) {
        bytes32 root = StateProof.storageRoot(stateRoot, Predeploys.L2_MESSENGER, accountProof);
        // The low 64 bits are the count.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(StateProof.slot(root, Messages.RELAYED_SLOT, storageProof));
    }

    /// @inheritdoc IL1MessageQueue
    /// @dev For each unit of gas that a message uses on L2, the account that advances the rollup
    /// pays a unit on L1, and the sender's own L1 transaction does not pay for it. Without a price,
    /// a sender could make the rollup spend `MAX_GAS` for about 40,000 gas. Each message also adds
    /// bytes to inputs that prove its target or store it.
    function minimumFee(uint64 gasLimit) public view returns (uint256) {
        // The base fee is far below 2^128.
        unchecked {
            return (uint256(gasLimit) + MESSAGE_GAS) * block.basefee * FEE_PERCENT / 100;
        }
    }

    /// @dev Counts a new message and returns its index.
    function _nextIndex(bytes32 root) private returns (uint64 index) {
        uint256 state = _state;
        // The casts extract fields from the word. No number can overflow its field.
        // forge-lint: disable-start(unsafe-typecast)
        index = uint56(state);
        unchecked {
            bool isFirst = uint40(state >> 96) != block.number;
            if (isFirst || index % CHECKPOINT_INTERVAL == 0) {
                // The previous state is final. It is stored so that an anchor can refer to it after
                // this message.
                uint256 id = uint40(state >> 56);
                uint256 needed = uint40(state >> 176);
                uint256 places = _PLACES;
                // In a closed queue the subtraction underflows, since every id is below `CLOSED`.
                if (id - needed >= places) revert CheckpointsExhausted(needed, id);
                bytes32 commitment = _commitment(root, state & CHECKPOINT_MASK);
                // In assembly to skip the checks for a zero divisor and the array bounds: the
                // constructor ensures both.
                assembly ("memory-safe") {
                    sstore(add(_checkpoints.slot, mod(id, places)), commitment)
                }
                uint256 sentNow = isFirst ? 0 : state >> 216;
                state = _packed(index, id + 1, block.number, block.timestamp) | needed << 176
                    | sentNow << 216;
            }
            _state = state + ONE_MORE;
        }
        // forge-lint: disable-end(unsafe-typecast)
    }

    /// @inheritdoc Escrow
    /// @dev Messages after the first one of this L1 block are still accepted, and can be returned
    /// like all others that are not relayed.
    function _close() internal override {
        _state |= CLOSED << 176;
    }

    // A rollup that checks blocks before they are final calls the two parts of `settle` at
    // different times. A queue for it makes the following functions external.

    /// @dev Returns when the first unrelayed message was sent; see `settle`.
    function _pendingSince(
        uint256 state,
        uint64 relayed,
        Checkpoint calldata before,
        Checkpoint calldata next
    ) internal view returns (uint64 since) {
        if (before.count <= relayed && _isCheckpoint(before)) {
            (uint64 settled,) = _before(state);
            if (before.count >= settled) {
                // All pending messages were sent in this L1 block.
                since = uint64(block.timestamp);
            } else if (next.id == before.id + 1 && next.count > relayed && _isCheckpoint(next)) {
                since = next.timestamp;
            }
        }
        if (since == 0) revert CheckpointsDoNotEnclose(relayed);
    }

    /// @dev Returns the current time and the oldest checkpoint to keep, if all messages but those
    /// of this L1 block have been relayed; otherwise zeros.
    function _pendingSinceIfIdle(uint256 state, uint64 relayed)
        internal
        view
        returns (uint64 since, uint64 id)
    {
        uint64 count;
        (count, id) = _before(state);
        if (count > relayed) return (0, 0);
        since = uint64(block.timestamp);
    }

    /// @dev Returns `_state`; reverts if the queue is closed.
    function _openState() internal view returns (uint256 state) {
        state = _state;
        if ((state >> 176) & CLOSED == CLOSED) revert QueueClosed();
    }

    /// @dev Marks the checkpoints from `id` on as needed. Never goes back.
    function _keepFrom(uint256 state, uint64 id) internal {
        uint256 mask = uint256(type(uint40).max) << 176;
        if (id > (state & mask) >> 176) _state = state & ~mask | uint256(id) << 176;
    }

    /// @dev Returns the number of messages that were sent before this L1 block, and the number of
    /// the checkpoint after them.
    function _before(uint256 state) private view returns (uint64 count, uint64 id) {
        uint64 l1Block;
        (count, id, l1Block,) = _unpack(state);
        if (l1Block != block.number || count == 0) return (count, id);
        uint64 last = count - 1;
        // At most the total number.
        // forge-lint: disable-next-line(unsafe-typecast)
        count -= uint64(state >> 216);
        // The first message of the block made one checkpoint, and each full interval after it
        // another.
        id -= 1 + last / CHECKPOINT_INTERVAL - count / CHECKPOINT_INTERVAL;
    }

    function _isCheckpoint(Checkpoint memory c) private view returns (bool) {
        uint256 packed = _pack(c);
        if (packed == _state & CHECKPOINT_MASK) return c.root == _root;
        return _checkpoints[c.id % _PLACES] == _commitment(c.root, packed);
    }

    /// @dev Returns the ETH of this call that remains for the target.
    function _valueBesides(uint128 fee) private view returns (uint128) {
        if (fee > msg.value) revert FeeAboveValue(fee, msg.value);
        uint256 value;
        unchecked {
            value = msg.value - fee;
        }
        if (value > type(uint128).max) revert ValueTooLarge(value, type(uint128).max);
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(value);
    }

    /// @dev Returns the stored form of a checkpoint: `keccak256(root ‖ state)`. The state contains
    /// the number of the checkpoint, so an entry of the ring cannot be mistaken for an older or
    /// newer one.
    function _commitment(bytes32 root, uint256 state) private pure returns (bytes32) {
        return Messages.extend(root, bytes32(state));
    }

    /// @dev Packs a checkpoint. Returns a value that no state can have if a number is out of
    /// bounds.
    function _pack(Checkpoint memory c) private pure returns (uint256) {
        if ((c.id | c.l1Block | c.timestamp) >> 40 | c.count >> 56 != 0) return type(uint256).max;
        return _packed(c.count, c.id, c.l1Block, c.timestamp);
    }

    function _packed(uint256 count, uint256 id, uint256 l1Block, uint256 timestamp)
        private
        pure
        returns (uint256)
    {
        return count | id << 56 | l1Block << 96 | timestamp << 136;
    }

    function _unpack(uint256 state)
        private
        pure
        returns (uint64 count, uint64 id, uint64 l1Block, uint64 timestamp)
    {
        // forge-lint: disable-next-item(unsafe-typecast)
        return (uint56(state), uint40(state >> 56), uint40(state >> 96), uint40(state >> 136));
    }
}
