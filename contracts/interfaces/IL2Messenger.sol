// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Delivery of L1 messages on L2
interface IL2Messenger {
    /// @notice A message of the L1 queue.
    struct Message {
        /// Account that sent it on L1.
        address sender;
        /// Target on L2.
        address to;
        /// L2 account that may cancel it after a failed delivery; zero for nobody.
        address refundTo;
        /// ETH for the target, in wei.
        uint128 value;
        /// ETH for the relayer, in wei.
        uint128 fee;
        /// Gas that the target gets at least.
        uint64 gasLimit;
        /// Number of the message, counted from zero.
        uint64 index;
        /// Calldata for the target.
        bytes data;
    }

    /// @notice The target took the message, at the first try or later.
    event MessageDelivered(uint64 indexed index);
    /// @notice The target did not take the message, which is kept for `retry` and `refund`.
    /// @param reason The first bytes of what the target returned.
    event MessageFailed(uint64 indexed index, bytes32 indexed messageHash, bytes reason);
    /// @notice A failed message was cancelled, and its value paid out.
    event MessageRefunded(uint64 indexed index, address indexed recipient, uint256 value);
    /// @notice Relays may end at this many messages too.
    event WaypointAdded(uint64 indexed count, bytes32 root);

    /// @notice Called from within a delivery.
    error Reentrancy();
    /// @notice No message is being delivered.
    error NoDelivery();
    /// @notice A relay without messages, or a waypoint without hashes.
    error NothingGiven();
    /// @notice No proven state of the queue has this many messages: a relay ends at the proven anchor
    /// or at a waypoint.
    error CountUnknown(uint64 got, uint64 anchored);
    /// @notice The messages are not those of the queue, not in order, or not the next.
    error RootMismatch(bytes32 got, bytes32 expected);
    /// @notice The waypoint lies in what has been relayed.
    error WaypointBehind(uint256 hashes, uint256 pending);
    /// @notice The receiver of the fees refused them.
    error FeeTransferFailed(address to, uint256 amount);
    /// @notice The message did not fail, was not relayed, or has been delivered or refunded since.
    error NotFailed(bytes32 messageHash);
    /// @notice The target did not take the message this time either.
    error RetryFailed(bytes reason);
    /// @notice The caller is not the one whom the message lets cancel it.
    error NotRefundable(address caller, address refundTo);
    /// @notice The recipient of a refund did not take it.
    error RefundFailed(address recipient, uint256 value);

    /// @notice Delivers the next messages of the L1 queue, in order. Anyone may call.
    /// @dev The batch has to end where the proven anchor ends, or at a waypoint, because a rolling hash
    /// can be compared nowhere else.
    /// Reverts with the errors above, and with those of `Messages` and `Delivery`.
    /// @param messages One or more messages in the format of `Messages.unpack`.
    /// @param feeRecipient Gets the fees of all of them.
    function relay(bytes calldata messages, address feeRecipient) external;

    /// @notice Adds a point at which relays may end, for when more messages are pending than one call
    /// can deliver. Anyone may call; from one waypoint the next can be added in front of it.
    /// @param from How many messages a known point covers: the proven anchor or a waypoint.
    /// @param root Rolling hash at the new point, `hashes.length` messages before `from`.
    /// @param hashes Hashes of the messages between the two points, in order.
    function addWaypoint(uint64 from, bytes32 root, bytes32[] calldata hashes) external;

    /// @notice Delivers a message that failed, with all gas of the call. Anyone may call; reverts if
    /// the target still does not take it.
    function retry(Message calldata message) external;

    /// @notice Cancels a message that failed, and pays its value out. For `message.refundTo` only.
    function refund(Message calldata message, address recipient) external;

    /// @notice Who sent the message that is being delivered.
    /// @dev A target trusts it only when its own caller is the messenger: what a target calls in turn
    /// sees the same answer.
    function l1Sender() external view returns (address);

    /// @notice How many messages have been relayed, and the rolling hash over them.
    function relayed() external view returns (uint64 count, bytes32 root);

    /// @notice Whether a message failed and can be tried again or refunded.
    function isFailed(bytes32 messageHash) external view returns (bool);

    /// @notice Rolling hash at a waypoint; zero where there is none.
    function waypoint(uint64 count) external view returns (bytes32);
}
