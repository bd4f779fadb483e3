// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Messages between L2 and L1
interface IL2Messenger {
    /// @notice A message of the L1 queue.
    struct Message {
        /// Account that sent it on L1.
        address sender;
        /// Target on L2.
        address to;
        /// L2 account that may cancel it after a failed delivery; zero for none.
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

    /// @notice A message of the L1 queue, with the hash of its data in their place.
    struct Header {
        address sender;
        address to;
        address refundTo;
        uint128 value;
        uint128 fee;
        uint64 gasLimit;
        uint64 index;
        bytes32 dataHash;
    }

    /// @notice A message was sent to L1, where it can be claimed once the rollup has this L2 block.
    event MessageSent(
        uint64 indexed index,
        address indexed sender,
        address indexed to,
        address refundTo,
        uint128 value,
        uint128 fee,
        uint64 gasLimit,
        bytes data
    );
    /// @notice The target took the message, at the first try or later.
    event MessageDelivered(uint64 indexed index);
    /// @notice The target did not take the message, which is kept for `retry` and `refund`.
    /// @param reason The first bytes of what the target returned.
    event MessageFailed(uint64 indexed index, bytes32 indexed messageHash, bytes reason);
    /// @notice The message was not tried; it is kept for `retry` and the refunds.
    event MessageParked(uint64 indexed index, bytes32 indexed messageHash);
    /// @notice A message that was kept was cancelled, and its value (with the fee, if it was
    /// parked) paid out, here or by a message to L1.
    event MessageRefunded(uint64 indexed index, address indexed recipient, uint256 value);
    /// @notice Relays may end at this many messages too.
    event WaypointAdded(uint64 indexed count, bytes32 root);

    /// @notice Called from within a delivery.
    error Reentrancy();
    /// @notice More gas than a message may ask for.
    error GasLimitTooHigh(uint64 got, uint64 max);
    /// @notice More data than a message may carry.
    error DataTooLong(uint256 got, uint256 max);
    /// @notice The fee is more than the ETH that came with the call.
    error FeeAboveValue(uint128 fee, uint256 value);
    /// @notice More ETH than a message can hold.
    error ValueTooLarge(uint256 value, uint256 max);
    /// @notice A message to an account without code that asks for no gas and carries no data has to
    /// be delivered.
    error NotParkable(uint64 index);
    /// @notice No message is being delivered.
    error NoDelivery();
    /// @notice A relay without messages, or a waypoint without hashes.
    error NothingGiven();
    /// @notice No proven state of the queue has this many messages: a relay ends at the proven
    /// anchor or at a waypoint.
    error CountUnknown(uint64 got, uint64 anchored);
    /// @notice The messages are not those of the queue, not in order, or not the next.
    error RootMismatch(bytes32 got, bytes32 expected);
    /// @notice The waypoint lies in what has been relayed.
    error WaypointBehind(uint256 hashes, uint256 pending);
    /// @notice The receiver of the fees refused them.
    error FeeTransferFailed(address to, uint256 amount);
    /// @notice The message was not relayed, did not fail and is not parked, or has been delivered
    /// or refunded since.
    error NotFailed(bytes32 messageHash);
    /// @notice The target did not take the message this time either.
    error RetryFailed(bytes reason);
    /// @notice The caller is not the one whom the message lets cancel it.
    error NotRefundable(address caller, address refundTo);
    /// @notice The recipient of a refund did not take it.
    error RefundFailed(address recipient, uint256 value);

    /// @notice Sends a message to L1. `msg.value - fee` goes to the target with the call.
    /// @param to Target on L1.
    /// @param refundTo L1 account that may take the value if the target refuses the message; with
    /// zero the message can only be claimed again.
    /// @param gasLimit Gas that the delivery is guaranteed to get.
    /// @param fee Paid on L1 to the claimant the message.
    /// @param data Calldata of the delivery.
    /// @return index Number of the message, counted from zero.
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64 index);

    /// @notice Delivers or parks the next messages of the L1 queue, in order. Anyone may call.
    /// @dev The batch has to end where the proven anchor ends, or at a waypoint, because a rolling
    /// hash can be compared nowhere else. Reverts with the errors above, and with those of
    /// `Messages` and `Delivery`.
    /// @param messages One or more messages in the format of `Messages.unpack`.
    /// @param feeRecipient Gets the fees of all that are not parked.
    function relay(bytes calldata messages, address feeRecipient) external;

    /// @notice Adds a point at which relays may end, for when more messages are pending than one
    /// call can deliver. Anyone may call; from one waypoint the next can be added in front of it.
    /// @param from Number of messages a known point covers: the proven anchor or a waypoint.
    /// @param root Rolling hash at the new point, `hashes.length` messages before `from`.
    /// @param hashes Hashes of the messages between the two points, in order.
    function addWaypoint(uint64 from, bytes32 root, bytes32[] calldata hashes) external;

    /// @notice Delivers a message that failed or was parked, with all gas of the call. Anyone may
    /// call; reverts if the target does not take it. The fee of a parked message goes to the
    /// caller.
    function retry(Message calldata message) external;

    /// @notice Cancels a message that failed or was parked, and pays its value out. For
    /// `message.refundTo` only.
    function refund(Message calldata message, address recipient) external;

    /// @notice Refunds like `refund`, to an account on L1, by a message. It calls no account, so it
    /// can be forced.
    /// @return index Number of the message to L1.
    function refundToL1(Header calldata header, address recipient) external returns (uint64 index);

    /// @notice Sender of the message that is being delivered.
    /// @dev A target trusts it only when its own caller is the messenger: what a target calls in
    /// turn sees the same answer.
    function l1Sender() external view returns (address);

    /// @notice Number of messages relayed so far, and the rolling hash over them.
    function relayed() external view returns (uint64 count, bytes32 root);

    /// @notice Returns `true` if a message failed and can be tried again or refunded.
    function isFailed(bytes32 messageHash) external view returns (bool);

    /// @notice Returns `true` if a message is parked and can be delivered or refunded.
    function isParked(bytes32 messageHash) external view returns (bool);

    /// @notice Number of messages sent to L1 so far.
    function sentCount() external view returns (uint64);

    /// @notice Hash of a message to L1; zero if there is none with this number.
    function sent(uint64 index) external view returns (bytes32);

    /// @notice Rolling hash at a waypoint; zero where there is none.
    function waypoint(uint64 count) external view returns (bytes32);

    /// @notice The most gas that a message to L1 may ask for.
    function MAX_CLAIM_GAS() external view returns (uint64);

    /// @notice The most bytes of data that a message to L1 may carry.
    function MAX_CLAIM_DATA() external view returns (uint64);
}
