// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1Anchor} from "../interfaces/IL1Anchor.sol";
import {IL2Messenger} from "../interfaces/IL2Messenger.sol";
import {Delivery} from "../libraries/Delivery.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Messages} from "../messaging/Messages.sol";

/// @title Messenger between L2 and L1; predeploy at `Predeploys.L2_MESSENGER`
/// @notice This contract holds all ETH of the L2 from genesis. ETH leaves it as value and fee of
/// messages whose ETH is in the escrow on L1, and returns as value and fee of messages to L1. Each
/// message from L1 releases its ETH once: the rolling hash admits it at one position only, and its
/// value is transferred to the target, or stays here until a retry or a refund.
///
/// Messages are relayed in order, and one that fails does not block the others: it is stored, and
/// any account can retry it with more gas, or the account that its sender designated can cancel it.
/// A successful delivery or refund is final.
///
/// A message may also be parked, i.e. stored like a failed one without a delivery attempt. This is
/// necessary because gas does not bound the state that a delivery reads, so some deliveries make a
/// block larger than L1 can carry; the deadline for relaying would then halt the rollup. Any
/// account may park messages, and this is not censorship:
///
///   - A message without data and with a gas limit of zero to an account without code, i.e. every
///     plain deposit, cannot be parked. Its delivery executes nothing and always fits into a block
///     (see `Capacity`).
///   - Any other message has the same status as an L2 transaction with that much gas, which no
///     account can force into a block either, for the same reason. Once parked, any account can
///     deliver it in any block, without a time limit, by a transaction of its own, and receives its
///     fee. The account that parks it receives nothing and pays for the slot.
///   - Its value does not depend on the builder of blocks: `refundToL1` is a transaction that can
///     be forced.
/// @dev Has no constructor and no immutables: its runtime code is part of the genesis state. L1
/// proves slot 0 and the mappings at slots 2 and 4.
contract L2Messenger is IL2Messenger {
    /// @inheritdoc IL2Messenger
    uint64 public constant MAX_CLAIM_GAS = 8_000_000;

    /// @inheritdoc IL2Messenger
    uint64 public constant MAX_CLAIM_DATA = 65_536;

    /// @dev Hash of empty data, and of empty code.
    bytes32 private constant EMPTY_HASH = keccak256("");

    /// @dev Slot 0, low 64 bits: number of relayed messages.
    uint64 private _count;

    /// @dev Slot 0, next 64 bits: number of messages sent to L1.
    uint64 private _sentCount;

    /// @dev Slot 1: rolling hash over the relayed messages.
    bytes32 private _root;

    /// @dev Slot 2: `Messages.STATUS_FAILED` (the fee has been paid to the relayer) or
    /// `Messages.STATUS_PARKED` (it has not), by message hash.
    mapping(bytes32 messageHash => uint256 status) private _kept;

    /// @dev Slot 3: rolling hashes of the waypoints at which relays may end, by number of messages.
    mapping(uint64 count => bytes32 root) private _waypoints;

    /// @dev Slot 4: hashes of the messages to L1, by index.
    mapping(uint256 index => bytes32 messageHash) private _sent;

    /// @dev L1 sender of the message that is being delivered; zero otherwise.
    address private transient _sender;

    /// @dev `true` during a call that delivers or pays.
    bool private transient _busy;

    /// @dev Reentrancy lock: a target that delivers, retries or refunds would otherwise see a
    /// delivery whose outcome is not stored yet. Targets may send messages, which does not touch
    /// the state of a delivery.
    modifier exclusive() {
        if (_busy) revert Reentrancy();
        _busy = true;
        _;
        _busy = false;
    }

    /// @inheritdoc IL2Messenger
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64)
    {
        if (gasLimit > MAX_CLAIM_GAS) revert GasLimitTooHigh(gasLimit, MAX_CLAIM_GAS);
        if (data.length > MAX_CLAIM_DATA) revert DataTooLong(data.length, MAX_CLAIM_DATA);
        if (fee > msg.value) revert FeeAboveValue(fee, msg.value);
        uint256 value = msg.value - fee;
        if (value > type(uint128).max) revert ValueTooLarge(value, type(uint128).max);
        // forge-lint: disable-next-line(unsafe-typecast)
        return _send(to, refundTo, uint128(value), fee, gasLimit, data);
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
        if (fees != 0) _pay(feeRecipient, fees);
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
        Messages.Header memory header = _header(message);
        uint256 fee = _take(header);
        (bool ok, bytes memory reason) = _deliver(header, message.data, type(uint256).max);
        if (!ok) revert RetryFailed(reason);
        emit MessageDelivered(message.index);
        if (fee != 0) _pay(msg.sender, fee);
    }

    /// @inheritdoc IL2Messenger
    function refund(Message calldata message, address recipient) external exclusive {
        if (msg.sender != message.refundTo) revert NotRefundable(msg.sender, message.refundTo);
        uint256 amount = message.value + _take(_header(message));
        (bool ok,) = recipient.call{value: amount}("");
        if (!ok) revert RefundFailed(recipient, amount);
        emit MessageRefunded(message.index, recipient, amount);
    }

    /// @inheritdoc IL2Messenger
    /// @dev Not locked: it makes no call, and a message that is being delivered is not stored. With
    /// a lock, an alias account, which acts only within deliveries, could not refund anything.
    function refundToL1(Header calldata header, address recipient) external returns (uint64 index) {
        if (msg.sender != header.refundTo) revert NotRefundable(msg.sender, header.refundTo);
        uint256 fee = _take(
            Messages.Header({
                sender: header.sender,
                to: header.to,
                refundTo: header.refundTo,
                value: header.value,
                fee: header.fee,
                gasLimit: header.gasLimit,
                index: header.index,
                dataHash: header.dataHash
            })
        );
        uint256 amount = header.value + fee;
        if (amount > type(uint128).max) revert ValueTooLarge(amount, type(uint128).max);
        emit MessageRefunded(header.index, recipient, amount);
        // forge-lint: disable-next-line(unsafe-typecast)
        return _send(recipient, recipient, uint128(amount), 0, 0, msg.data[:0]);
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
        return _kept[messageHash] == Messages.STATUS_FAILED;
    }

    /// @inheritdoc IL2Messenger
    function isParked(bytes32 messageHash) external view returns (bool) {
        return _kept[messageHash] == Messages.STATUS_PARKED;
    }

    /// @inheritdoc IL2Messenger
    function sentCount() external view returns (uint64) {
        return _sentCount;
    }

    /// @inheritdoc IL2Messenger
    function sent(uint64 index) external view returns (bytes32) {
        return _sent[index];
    }

    /// @inheritdoc IL2Messenger
    function waypoint(uint64 count) external view returns (bytes32) {
        return _waypoints[count];
    }

    /// @dev Returns count and rolling hash after a batch whose first message has the index `first`.
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
            bool parked;
            (data, position, parked) = Messages.unpack(messages, position, header);
            header.index = count++;
            if (!parked) header.dataHash = keccak256(data);
            else if (_isPlain(header)) revert NotParkable(header.index);
            root = Messages.extend(root, Messages.hash(header));
        }
    }

    /// @dev Returns `true` if a delivery executes nothing. This check reads no code: the code hash
    /// is part of the account.
    function _isPlain(Messages.Header memory header) private view returns (bool) {
        bytes32 codeHash = header.to.codehash;
        return header.gasLimit == 0 && header.dataHash == EMPTY_HASH
            && (codeHash == 0 || codeHash == EMPTY_HASH);
    }

    /// @dev Delivers a batch that has been verified against the queue, and returns its fees. The
    /// relayer also receives the fee of a failed message; otherwise, anyone could make relayers
    /// spend gas for free. It does not receive the fee of a parked message.
    function _deliverAll(uint64 first, bytes calldata messages) private returns (uint256 fees) {
        Messages.Header memory header;
        header.index = first;
        uint256 position = 0;
        while (position < messages.length) {
            bytes calldata data;
            bool parked;
            (data, position, parked) = Messages.unpack(messages, position, header);
            if (parked) {
                bytes32 messageHash = Messages.hash(header);
                _kept[messageHash] = Messages.STATUS_PARKED;
                emit MessageParked(header.index, messageHash);
            } else {
                fees += header.fee;
                (bool ok, bytes memory reason) = _deliver(header, data, header.gasLimit);
                if (ok) {
                    emit MessageDelivered(header.index);
                } else {
                    header.dataHash = keccak256(data);
                    bytes32 messageHash = Messages.hash(header);
                    _kept[messageHash] = Messages.STATUS_FAILED;
                    emit MessageFailed(header.index, messageHash, reason);
                }
            }
            ++header.index;
        }
    }

    /// @dev Calls the target with at least `header.gasLimit`.
    function _deliver(Messages.Header memory header, bytes calldata data, uint256 maxGas)
        private
        returns (bool ok, bytes memory reason)
    {
        // Value sent to a precompile and calls with data to an account without code would be lost.
        if (
            Predeploys.isForbiddenTarget(header.to) || Predeploys.isPrecompile(header.to)
                || Delivery.isUnheard(header.to, data)
        ) return (false, "");
        _sender = header.sender;
        ok = Delivery.call(header.to, header.value, header.gasLimit, maxGas, data);
        if (!ok) reason = Delivery.reason();
        _sender = address(0);
    }

    /// @dev Deletes a stored message before any call or payment that it causes. Returns the fee
    /// that has not been paid yet.
    function _take(Messages.Header memory header) private returns (uint256 fee) {
        bytes32 messageHash = Messages.hash(header);
        uint256 status = _kept[messageHash];
        if (status == 0) revert NotFailed(messageHash);
        delete _kept[messageHash];
        if (status == Messages.STATUS_PARKED) fee = header.fee;
    }

    /// @dev Stores the hash of an L2→L1 message so that it can be claimed on L1.
    function _send(
        address to,
        address refundTo,
        uint128 value,
        uint128 fee,
        uint64 gasLimit,
        bytes calldata data
    ) private returns (uint64 index) {
        index = _sentCount++;
        _sent[index] = Messages.post(
            MessageSent.selector, uint160(to), uint160(refundTo), value, fee, gasLimit, index, data
        );
    }

    /// @dev Pays fees.
    function _pay(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert FeeTransferFailed(to, amount);
    }

    function _header(Message calldata message) private pure returns (Messages.Header memory) {
        return Messages.Header({
            sender: message.sender,
            to: message.to,
            refundTo: message.refundTo,
            value: message.value,
            fee: message.fee,
            gasLimit: message.gasLimit,
            index: message.index,
            dataHash: keccak256(message.data)
        });
    }

    /// @dev Reverts unless the relay ends at a proven state of the queue. Deletes the waypoint that
    /// it used.
    function _requireKnown(uint64 count, bytes32 root) private {
        bytes32 expected = _known(count);
        if (root != expected) revert RootMismatch(root, expected);
        delete _waypoints[count];
    }

    /// @dev Returns the rolling hash over the first `count` messages; reverts if it is not known.
    function _known(uint64 count) private view returns (bytes32 root) {
        uint64 anchored;
        (anchored, root) = IL1Anchor(Predeploys.L1_ANCHOR).messages();
        if (count != anchored) root = _waypoints[count];
        if (root == 0) revert CountUnknown(count, anchored);
    }
}
