// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Messenger of the L2: messages between L2 and L1
interface IL2Messenger {
    /// @notice Message of the L1 queue.
    struct Message {
        /// Account that sent it on L1.
        address sender;
        /// Target on L2.
        address to;
        /// L2 account that may cancel the message after a failed delivery; zero for none.
        address refundTo;
        /// ETH for the target, in wei.
        uint128 value;
        /// ETH for the relayer, in wei.
        uint128 fee;
        /// Minimum gas that the call to the target receives.
        uint64 gasLimit;
        /// Number of the message, counted from zero.
        uint64 index;
        /// Calldata for the target.
        bytes data;
    }

    /// @notice Message of the L1 queue with the hash of its data in place of the data.
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

    /// @notice Emitted when a message is sent to L1. It can be claimed there once the rollup has
    /// advanced to this L2 block.
    /// @param index Number of the message, counted from zero.
    /// @param sender Account that sent it on L2.
    /// @param to Target on L1.
    /// @param refundTo L1 account that may withdraw the value if the target rejects the message.
    /// @param value ETH for the target, in wei.
    /// @param fee ETH for the claimant, in wei.
    /// @param gasLimit Minimum gas that the call to the target receives.
    /// @param data Calldata for the target.
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
    /// @notice Emitted when the target accepts a message, on the first attempt or on a retry.
    event MessageDelivered(uint64 indexed index);
    /// @notice Emitted when the call to the target failed. The message is stored for `retry` and
    /// `refund`.
    /// @param index Number of the message.
    /// @param messageHash Hash of the message.
    /// @param reason First bytes of the return data of the target.
    event MessageFailed(uint64 indexed index, bytes32 indexed messageHash, bytes reason);
    /// @notice Emitted when a message is parked, i.e. stored without a delivery attempt, for
    /// `retry` and the refund functions.
    event MessageParked(uint64 indexed index, bytes32 indexed messageHash);
    /// @notice Emitted when a stored message is cancelled and its value (with the fee, if it was
    /// parked) is paid out, here or by a message to L1.
    event MessageRefunded(uint64 indexed index, address indexed recipient, uint256 value);
    /// @notice Emitted when a waypoint is added: relays may also end at this number of messages.
    event WaypointAdded(uint64 indexed count, bytes32 root);

    /// @notice The function was called from within a delivery.
    error Reentrancy();
    /// @notice The gas limit is above the maximum for a message.
    error GasLimitTooHigh(uint64 got, uint64 max);
    /// @notice The data is longer than the maximum for a message.
    error DataTooLong(uint256 got, uint256 max);
    /// @notice The fee exceeds the ETH sent with the call.
    error FeeAboveValue(uint128 fee, uint256 value);
    /// @notice The value exceeds what a message can encode.
    error ValueTooLarge(uint256 value, uint256 max);
    /// @notice The message must be delivered, not parked: its target has no code, its gas limit is
    /// zero, and it has no data.
    error NotParkable(uint64 index);
    /// @notice No message is being delivered.
    error NoDelivery();
    /// @notice The relay contains no messages, or the waypoint no hashes.
    error NothingGiven();
    /// @notice The relay does not end at the proven anchor or at a waypoint.
    error CountUnknown(uint64 got, uint64 anchored);
    /// @notice The messages are not the next messages of the queue in their order.
    error RootMismatch(bytes32 got, bytes32 expected);
    /// @notice The waypoint is not beyond the relayed messages.
    error WaypointBehind(uint256 hashes, uint256 pending);
    /// @notice The recipient of the fees rejected them.
    error FeeTransferFailed(address to, uint256 amount);
    /// @notice No such message is stored: it was not relayed, was delivered by its relay, or has
    /// been delivered or refunded since.
    error NotFailed(bytes32 messageHash);
    /// @notice The call to the target failed again.
    error RetryFailed(bytes reason);
    /// @notice The caller is not the `refundTo` account of the message.
    error NotRefundable(address caller, address refundTo);
    /// @notice The recipient of the refund rejected it.
    error RefundFailed(address recipient, uint256 value);

    /// @notice Sends a message to L1. `msg.value - fee` is passed to the target with the call.
    /// @param to Target on L1.
    /// @param refundTo L1 account that may withdraw the value if the target rejects the message. If
    /// zero, the message can only be claimed again.
    /// @param gasLimit Gas that the delivery is guaranteed to receive.
    /// @param fee ETH paid on L1 to the account that claims the message, in wei.
    /// @param data Calldata of the delivery.
    /// @return index Number of the message, counted from zero.
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64 index);

    /// @notice Delivers or parks the next messages of the L1 queue, in order. Any account may call.
    /// @dev The batch has to end at the proven anchor or at a waypoint, because the rolling hash
    /// can be verified only there. Reverts with the errors above, and with those of `Messages` and
    /// `Delivery`.
    /// @param messages One or more messages in the format of `Messages.unpack`.
    /// @param feeRecipient Account that receives the fees of all messages that are not parked.
    function relay(bytes calldata messages, address feeRecipient) external;

    /// @notice Adds a waypoint at which relays may end, for the case that more messages are pending
    /// than one call can deliver. Any account may call. From a waypoint, an earlier one can be
    /// added in turn.
    /// @param from Number of messages at a known point: the proven anchor or a waypoint.
    /// @param root Rolling hash at the new waypoint, `hashes.length` messages before `from`.
    /// @param hashes Hashes of the messages between the two points, in order.
    function addWaypoint(uint64 from, bytes32 root, bytes32[] calldata hashes) external;

    /// @notice Delivers a message that failed or was parked, with all gas of the call. Any account
    /// may call. Reverts if the target rejects the message. The fee of a parked message is paid to
    /// the caller.
    /// @param message The message.
    function retry(Message calldata message) external;

    /// @notice Cancels a message that failed or was parked, and pays out its value. Only
    /// `message.refundTo` may call.
    /// @param message The message.
    /// @param recipient Account that receives the value, and the fee if the message was parked.
    function refund(Message calldata message, address recipient) external;

    /// @notice Refunds a message as `refund` does, but to an account on L1, by a message. It calls
    /// no account, so it can be forced.
    /// @param header The message, with the hash of its data.
    /// @param recipient L1 account that receives the refund.
    /// @return index Number of the message to L1.
    function refundToL1(Header calldata header, address recipient) external returns (uint64 index);

    /// @notice Returns the L1 sender of the message that is being delivered.
    /// @dev A target may rely on it only if its own caller is the messenger: contracts that the
    /// target calls see the same value.
    function l1Sender() external view returns (address);

    /// @notice Returns the relayed messages.
    /// @return count Number of messages relayed so far.
    /// @return root Rolling hash over them.
    function relayed() external view returns (uint64 count, bytes32 root);

    /// @notice Returns `true` if the message failed and can be retried or refunded.
    function isFailed(bytes32 messageHash) external view returns (bool);

    /// @notice Returns `true` if the message is parked and can be delivered or refunded.
    function isParked(bytes32 messageHash) external view returns (bool);

    /// @notice Returns the number of messages sent to L1 so far.
    function sentCount() external view returns (uint64);

    /// @notice Returns the hash of a message to L1; zero if no message has this number.
    function sent(uint64 index) external view returns (bytes32);

    /// @notice Returns the rolling hash at a waypoint; zero if there is none.
    function waypoint(uint64 count) external view returns (bytes32);

    /// @notice Maximum gas limit of a message to L1.
    function MAX_CLAIM_GAS() external view returns (uint64);

    /// @notice Maximum length of the data of a message to L1, in bytes.
    function MAX_CLAIM_DATA() external view returns (uint64);
}
