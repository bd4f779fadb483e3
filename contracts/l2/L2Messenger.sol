// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1Anchor} from "../interfaces/IL1Anchor.sol";
import {IL2Messenger} from "../interfaces/IL2Messenger.sol";
import {Delivery} from "../libraries/Delivery.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Messages} from "../messaging/Messages.sol";

/// @title Delivery of L1 messages on L2; predeploy at `Predeploys.L2_MESSENGER`
/// @notice All ETH of the L2 lies here from genesis on, and leaves only as value and fee of messages
/// whose ETH lies in the escrow on L1. Each message is released once: the rolling hash admits it at
/// one place only, and its value goes to the target, or stays here until a retry or a refund.
///
/// Messages are relayed in order, and a failing one blocks nobody: it is kept, and can be tried again
/// by anyone with more gas, or cancelled by the account that its sender named for that. Success is
/// final, and so is a refund.
/// @dev Has no constructor and no immutables: its runtime code is part of the genesis state. L1 reads
/// slot 0 by proof.
contract L2Messenger is IL2Messenger {
    /// @dev Slot 0, the low 64 bits: how many messages have been relayed.
    uint64 private _count;

    /// @dev Slot 1: rolling hash over the relayed messages.
    bytes32 private _root;

    /// @dev Slot 2: whether a message failed, by its hash.
    mapping(bytes32 messageHash => bool) private _failed;

    /// @dev Slot 3: rolling hashes at which relays may end, by how many messages they cover.
    mapping(uint64 count => bytes32 root) private _waypoints;

    /// @dev Sender of the message that is being delivered; zero at all other times.
    address private transient _sender;

    /// @dev Whether a call that delivers or pays is under way.
    bool private transient _busy;

    /// @dev A target that could deliver, retry or refund in turn would see the messenger between the
    /// start of a delivery and its outcome.
    modifier exclusive() {
        if (_busy) revert Reentrancy();
        _busy = true;
        _;
        _busy = false;
    }

    /// @inheritdoc IL2Messenger
    function relay(bytes calldata messages, address feeRecipient) external exclusive {
        if (messages.length == 0) revert NothingGiven();
        uint64 first = _count;
        (uint64 count, bytes32 root) = _extended(first, messages);
        _requireKnown(count, root);
        _count = count;
        _root = root;

        uint256 fees = _deliverAll(first, messages);
        if (fees != 0) {
            (bool ok,) = feeRecipient.call{value: fees}("");
            if (!ok) revert FeeTransferFailed(feeRecipient, fees);
        }
    }

    /// @inheritdoc IL2Messenger
    function addWaypoint(uint64 from, bytes32 root, bytes32[] calldata hashes) external {
        if (hashes.length == 0) revert NothingGiven();
        uint64 relayedCount = _count;
        uint256 pending = from > relayedCount ? from - relayedCount : 0;
        if (hashes.length >= pending) revert WaypointBehind(hashes.length, pending);

        bytes32 end = root;
        for (uint256 i = 0; i < hashes.length; ++i) {
            end = Messages.extend(end, hashes[i]);
        }
        bytes32 expected = _known(from);
        if (end != expected) revert RootMismatch(end, expected);

        uint64 count = uint64(from - hashes.length);
        _waypoints[count] = root;
        emit WaypointAdded(count, root);
    }

    /// @inheritdoc IL2Messenger
    function retry(Message calldata message) external exclusive {
        Messages.Header memory header = _takeFailed(message);
        (bool ok, bytes memory reason) = _deliver(header, message.data, type(uint256).max);
        if (!ok) revert RetryFailed(reason);
        emit MessageDelivered(message.index);
    }

    /// @inheritdoc IL2Messenger
    function refund(Message calldata message, address recipient) external exclusive {
        if (msg.sender != message.refundTo) revert NotRefundable(msg.sender, message.refundTo);
        _takeFailed(message);
        (bool ok,) = recipient.call{value: message.value}("");
        if (!ok) revert RefundFailed(recipient, message.value);
        emit MessageRefunded(message.index, recipient, message.value);
    }

    /// @inheritdoc IL2Messenger
    function l1Sender() external view returns (address sender) {
        sender = _sender;
        if (sender == address(0)) revert NoDelivery();
    }

    /// @inheritdoc IL2Messenger
    function relayed() external view returns (uint64 count, bytes32 root) {
        return (_count, _root);
    }

    /// @inheritdoc IL2Messenger
    function isFailed(bytes32 messageHash) external view returns (bool) {
        return _failed[messageHash];
    }

    /// @inheritdoc IL2Messenger
    function waypoint(uint64 count) external view returns (bytes32) {
        return _waypoints[count];
    }

    /// @dev Count and rolling hash after a batch whose first message has the index `first`.
    function _extended(uint64 first, bytes calldata messages)
        private
        view
        returns (uint64 count, bytes32 root)
    {
        Messages.Header memory header;
        count = first;
        root = _root;
        uint256 position = 0;
        while (position < messages.length) {
            bytes calldata data;
            (data, position) = Messages.unpack(messages, position, header);
            header.index = count++;
            header.dataHash = keccak256(data);
            root = Messages.extend(root, Messages.hash(header));
        }
    }

    /// @dev Delivers a batch that has been found to be that of the queue; returns its fees. They are
    /// due for a failing message too, since its relayer has done the work; otherwise it would be free
    /// to make relayers work.
    function _deliverAll(uint64 first, bytes calldata messages) private returns (uint256 fees) {
        Messages.Header memory header;
        header.index = first;
        uint256 position = 0;
        while (position < messages.length) {
            bytes calldata data;
            (data, position) = Messages.unpack(messages, position, header);
            fees += header.fee;
            (bool ok, bytes memory reason) = _deliver(header, data, header.gasLimit);
            if (ok) {
                emit MessageDelivered(header.index);
            } else {
                header.dataHash = keccak256(data);
                bytes32 messageHash = Messages.hash(header);
                _failed[messageHash] = true;
                emit MessageFailed(header.index, messageHash, reason);
            }
            ++header.index;
        }
    }

    /// @dev Calls the target, with `header.gasLimit` at least.
    function _deliver(Messages.Header memory header, bytes calldata data, uint256 maxGas)
        private
        returns (bool ok, bytes memory reason)
    {
        if (Predeploys.isForbiddenTarget(header.to)) return (false, "");
        _sender = header.sender;
        ok = Delivery.call(header.to, header.value, header.gasLimit, maxGas, data);
        if (!ok) reason = Delivery.reason();
        _sender = address(0);
    }

    /// @dev Forgets that a message failed, before anything is called or paid because of it.
    function _takeFailed(Message calldata message) private returns (Messages.Header memory header) {
        header = Messages.Header({
            sender: message.sender,
            to: message.to,
            refundTo: message.refundTo,
            value: message.value,
            fee: message.fee,
            gasLimit: message.gasLimit,
            index: message.index,
            dataHash: keccak256(message.data)
        });
        bytes32 messageHash = Messages.hash(header);
        if (!_failed[messageHash]) revert NotFailed(messageHash);
        delete _failed[messageHash];
    }

    /// @dev A relay ends at a state of the queue that was proven. A waypoint has then done its duty.
    function _requireKnown(uint64 count, bytes32 root) private {
        bytes32 expected = _known(count);
        if (root != expected) revert RootMismatch(root, expected);
        delete _waypoints[count];
    }

    /// @dev Rolling hash over the first `count` messages.
    function _known(uint64 count) private view returns (bytes32 root) {
        uint64 anchored;
        (anchored, root) = IL1Anchor(Predeploys.L1_ANCHOR).messages();
        if (count != anchored) root = _waypoints[count];
        if (root == 0) revert CountUnknown(count, anchored);
    }
}
