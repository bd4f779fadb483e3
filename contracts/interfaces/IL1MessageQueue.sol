// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Messages from L1 to an L2, and the escrow of their ETH
interface IL1MessageQueue {
    /// @notice A state of the queue that an anchor may name.
    struct Checkpoint {
        /// Number of the checkpoint; each is one more than the one before.
        uint64 id;
        /// How many messages had been sent.
        uint64 count;
        /// L1 block in which the last of them was sent; 0 before the first.
        uint64 l1Block;
        /// Timestamp of that block.
        uint64 timestamp;
        /// Rolling hash over the messages.
        bytes32 root;
    }

    /// @notice A message was sent; the checkpoint that covers it is that of its L1 block.
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

    /// @notice Caps of which no message could be relayed, or that the wire format cannot hold.
    error CapsTooHigh(uint64 maxGas, uint64 maxData);
    /// @notice The target is one of the predeploys that messages must not command.
    error TargetForbidden(address to);
    /// @notice More gas than a message may ask for.
    error GasLimitTooHigh(uint64 got, uint64 max);
    /// @notice More data than a message may carry.
    error DataTooLong(uint256 got, uint256 max);
    /// @notice Less than what the gas of the message costs.
    error FeeTooLow(uint128 fee, uint256 minimum);
    /// @notice The fee is more than the ETH that came with the call.
    error FeeAboveValue(uint128 fee, uint256 value);
    /// @notice More ETH than a message can hold.
    error ValueTooLarge(uint256 value, uint256 max);
    /// @notice The receiver of escrowed ETH refused it.
    error ReleaseFailed(address to, uint256 amount);

    /// @notice Sends a message to the L2. `msg.value - fee` goes to the target with the call.
    /// @param to Target on L2: any account but the messenger and the anchor.
    /// @param refundTo L2 account that may cancel the message and take its value if the delivery
    /// fails; with zero the message can only be tried again.
    /// @param gasLimit Gas that the delivery is guaranteed to get; none is needed to pay an account
    /// without code.
    /// @param fee Paid on L2 to whoever relays the message; at least `minimumFee(gasLimit)`.
    /// @param data Calldata of the delivery.
    /// @return index Number of the message, counted from zero.
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64 index);

    /// @notice The state of the queue now. It becomes a checkpoint for good once the L1 block in which
    /// the last message was sent is over, and is named with the same values ever after.
    function checkpoint() external view returns (Checkpoint memory);

    /// @notice Whether the queue is or was in this state at the end of an L1 block (or is in it now),
    /// as far back as `CHECKPOINTS` states.
    function isCheckpoint(uint64 id, uint64 count, bytes32 root, uint64 l1Block, uint64 timestamp)
        external
        view
        returns (bool);

    /// @notice The least fee that a message with this gas limit has to pay in this L1 block.
    function minimumFee(uint64 gasLimit) external view returns (uint256);

    /// @notice The most gas that a message may ask for.
    function MAX_GAS() external view returns (uint64);

    /// @notice The most bytes of data that a message may carry.
    function MAX_DATA() external view returns (uint64);

    /// @notice What each gas of a message costs at least, in percent of the L1 base fee.
    function FEE_PERCENT() external view returns (uint64);

    /// @notice How many checkpoints are held besides the state of the queue now.
    function CHECKPOINTS() external view returns (uint64);
}
