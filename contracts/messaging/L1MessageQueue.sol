// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Quad} from "../libraries/Quad.sol";
import {Messages} from "./Messages.sol";

/// @title Messages from L1 to an L2, and the escrow of their ETH
/// @notice Each message extends a rolling hash. The states of the queue at the ends of L1 blocks are
/// its checkpoints, which an anchor may name: whoever builds an L2 block knows them beforehand, and
/// nobody can take one away by sending another message in between. Nothing here grows without bound.
contract L1MessageQueue is IL1MessageQueue {
    /// @inheritdoc IL1MessageQueue
    uint64 public constant CHECKPOINTS = 8191;

    /// @inheritdoc IL1MessageQueue
    uint64 public immutable MAX_GAS;

    /// @inheritdoc IL1MessageQueue
    uint64 public immutable MAX_DATA;

    /// @inheritdoc IL1MessageQueue
    uint64 public immutable FEE_PERCENT;

    /// @dev Slot 0: the rolling hash.
    bytes32 private _root;

    /// @dev Slot 1, a `Quad`: how many messages were sent, number of the checkpoint that this state is
    /// or becomes, L1 block of the last message, timestamp of that block.
    uint256 private _state;

    /// @dev Slots 2 to 8192: commitments to checkpoints, by number modulo `CHECKPOINTS`.
    bytes32[CHECKPOINTS] private _checkpoints;

    /// @param maxGas The most gas that a message may ask for.
    /// @param maxData The most bytes of data that a message may carry.
    /// @param feePercent What each gas of a message costs at least, in percent of the L1 base fee.
    constructor(uint64 maxGas, uint64 maxData, uint64 feePercent) {
        if (maxGas > Messages.MAX_GAS || maxData > type(uint32).max) {
            revert CapsTooHigh(maxGas, maxData);
        }
        MAX_GAS = maxGas;
        MAX_DATA = maxData;
        FEE_PERCENT = feePercent;
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
        uint256 least = minimumFee(gasLimit);
        if (fee < least) revert FeeTooLow(fee, least);
        uint128 value = _valueBesides(fee);

        bytes32 root = _root;
        index = _nextIndex(root);
        bytes32 messageHash = Messages.hash(
            Messages.Header({
                sender: msg.sender,
                to: to,
                refundTo: refundTo,
                value: value,
                fee: fee,
                gasLimit: gasLimit,
                index: index,
                dataHash: keccak256(data)
            })
        );
        _root = Messages.extend(root, messageHash);
        emit MessageSent(index, msg.sender, to, refundTo, value, fee, gasLimit, data);
    }

    /// @inheritdoc IL1MessageQueue
    function checkpoint() external view returns (Checkpoint memory now_) {
        (now_.count, now_.id, now_.l1Block, now_.timestamp) = Quad.unpack(_state);
        now_.root = _root;
    }

    /// @inheritdoc IL1MessageQueue
    function isCheckpoint(uint64 id, uint64 count, bytes32 root, uint64 l1Block, uint64 timestamp)
        external
        view
        returns (bool)
    {
        uint256 state = Quad.pack(count, id, l1Block, timestamp);
        if (state == _state) return root == _root;
        return _checkpoints[id % CHECKPOINTS] == _commitment(root, state);
    }

    /// @inheritdoc IL1MessageQueue
    /// @dev Each gas that a message uses on L2 costs whoever advances the rollup a gas on L1, and of all
    /// that a message makes others do it is the only part that its sender has not paid for in kind:
    /// without a price, 40,000 gas of a sender would command `MAX_GAS` of the rollup.
    function minimumFee(uint64 gasLimit) public view returns (uint256) {
        // No base fee comes near 2^128.
        unchecked {
            return uint256(gasLimit) * block.basefee * FEE_PERCENT / 100;
        }
    }

    /// @dev The only way by which escrowed ETH leaves; for messages from the L2 that were proven.
    function _release(address to, uint256 amount) internal {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert ReleaseFailed(to, amount);
    }

    /// @dev Counts one more message, and returns the index for it.
    function _nextIndex(bytes32 root) private returns (uint64 index) {
        uint256 state = _state;
        uint64 id;
        uint64 l1Block;
        uint64 timestamp;
        (index, id, l1Block, timestamp) = Quad.unpack(state);
        // Neither number can come near 2^64.
        unchecked {
            if (l1Block != block.number) {
                // The first message of an L1 block: the state so far was final, and can be named from
                // now on although the queue moves.
                _checkpoints[id % CHECKPOINTS] = _commitment(root, state);
                ++id;
                l1Block = uint64(block.number);
                timestamp = uint64(block.timestamp);
            }
            _state = Quad.pack(index + 1, id, l1Block, timestamp);
        }
    }

    /// @dev What is left of the ETH of this call for the target.
    function _valueBesides(uint128 fee) private view returns (uint128) {
        if (fee > msg.value) revert FeeAboveValue(fee, msg.value);
        uint256 value = msg.value - fee;
        if (value > type(uint128).max) revert ValueTooLarge(value, type(uint128).max);
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(value);
    }

    /// @dev What is kept of a checkpoint: `keccak256(root ‖ state)`. The state holds the number of the
    /// checkpoint, so nothing that is found in the ring can pass for an older or a later one.
    function _commitment(bytes32 root, uint256 state) private pure returns (bytes32) {
        return Messages.extend(root, bytes32(state));
    }
}
