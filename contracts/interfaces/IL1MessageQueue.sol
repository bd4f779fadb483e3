// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Messages between L1 and an L2, and the escrow of their ETH
interface IL1MessageQueue {
    /// @notice A state of the queue that an anchor may name.
    struct Checkpoint {
        /// Number of the checkpoint; each is one more than the one before.
        uint64 id;
        /// Number of messages had been sent.
        uint64 count;
        /// L1 block in which the last of them was sent; 0 before the first.
        uint64 l1Block;
        /// Timestamp of that block.
        uint64 timestamp;
        /// Rolling hash over the messages.
        bytes32 root;
    }

    /// @notice A message from the L2.
    struct Message {
        /// Account that sent it on L2.
        address sender;
        /// Target on L1.
        address to;
        /// L1 account that may take the value if the target refuses the message; zero for none.
        address refundTo;
        /// ETH for the target, in wei.
        uint128 value;
        /// ETH for the claimant, in wei.
        uint128 fee;
        /// Gas that the target gets at least.
        uint64 gasLimit;
        /// Number of the message, counted from zero.
        uint64 index;
        /// Calldata for the target.
        bytes data;
    }

    /// @notice Evidence that the L2 holds a message.
    struct MessageProof {
        /// An L2 block after the message was sent, among those whose state roots the rollup holds;
        /// or, without an account proof, one for which an account has claimed before.
        uint64 l2Block;
        /// Storage root of `L2Messenger` after that block.
        bytes32 storageRoot;
        /// Nodes that prove the account of `L2Messenger`; empty if that was done for this block.
        bytes[] accountProof;
        /// Nodes that prove the message's slot.
        bytes[] storageProof;
    }

    /// @notice An account that may pause the queue.
    struct Guardian {
        /// The account; zero for none, and then the rest is zero.
        address account;
        /// Seconds for which a pause lasts.
        uint64 pause;
        /// Wei that claims may take during a pause, together.
        uint128 limit;
    }

    /// @notice A message was sent; the checkpoint that covers it is one of its L1 block.
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
    /// @notice A message from the L2 was delivered.
    event MessageClaimed(uint64 indexed index);
    /// @notice The target of a message from the L2 refused it, and its value was paid out.
    event MessageRefunded(uint64 indexed index, address indexed recipient, uint256 value);

    /// @notice The guardian has paused the queue, until this time.
    event QueuePaused(uint64 until);
    /// @notice The guardian has ended a pause early.
    event QueueResumed();

    /// @notice No guardian is described with some values, or one whose pause is out of bounds.
    error GuardianInvalid(address account, uint64 pause, uint64 least, uint64 most);
    /// @notice The caller is not the guardian.
    error NotGuardian(address caller);
    /// @notice The guardian cannot pause again before this time.
    error PauseTooSoon(uint256 earliest);
    /// @notice The queue is not paused. The last pause ended at this time.
    error NotPaused(uint64 since);
    /// @notice The queue takes no messages until this time.
    error SendPaused(uint64 until);
    /// @notice The claim calls its target, or takes more than the limit leaves, and waits until
    /// this time.
    error ClaimDelayed(uint64 until, uint256 amount);
    /// @notice Caps of which no message could be relayed, or that the wire format cannot hold.
    error CapsTooHigh(uint64 maxGas, uint64 maxData);
    /// @notice The caller is not the rollup.
    error NotRollup(address caller);
    /// @notice The target is one of the contracts that messages must not command.
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
    /// @notice One checkpoint more would overwrite one that pending messages need: the rollup has
    /// to show first that it has relayed older ones.
    error CheckpointsExhausted(uint256 oldestNeeded, uint256 next);
    /// @notice Not two checkpoints between which the number of relayed messages lies.
    error CheckpointsDoNotEnclose(uint64 relayed);
    /// @notice Called from within a delivery.
    error Reentrancy();
    /// @notice No message is being delivered.
    error NoDelivery();
    /// @notice The message was claimed or refunded before.
    error AlreadyClaimed(uint64 index);
    /// @notice The L2 holds no such message in this place.
    error MessageNotSent(uint64 index, bytes32 got, bytes32 expected);
    /// @notice No account has proven this storage root for this block.
    error StorageRootUnknown(uint64 l2Block, bytes32 storageRoot);
    /// @notice The messenger's account has another storage root.
    error StorageRootMismatch(bytes32 got, bytes32 expected);
    /// @notice A message with data can be claimed once its target has code.
    error TargetWithoutCode(address to);
    /// @notice The target did not take the message, which can be claimed again.
    error DeliveryFailed(bytes reason);
    /// @notice The caller is not the one whom the message lets take its value back.
    error NotRefundable(address caller, address refundTo);
    /// @notice The receiver of escrowed ETH refused it.
    error ReleaseFailed(address to, uint256 amount);

    /// @notice Sends a message to the L2. `msg.value - fee` goes to the target with the call.
    /// @param to Target on L2: any account but the messenger and the anchor. A message to a
    /// precompile, or with data to an account without code, fails, and can be tried again or
    /// cancelled.
    /// @param refundTo L2 account that may cancel the message and take its value if the delivery
    /// fails; with zero the message can only be tried again.
    /// @param gasLimit Gas that the delivery is guaranteed to get; none is needed to pay an account
    /// without code. A message to such an account that asks for none and carries no data is
    /// delivered by the deadline of the rollup at the latest; any other may be parked instead, and
    /// is then for anyone to deliver.
    /// @param fee Paid on L2 to the account that delivers the message; at least
    /// `minimumFee(gasLimit)`.
    /// @param data Calldata of the delivery.
    /// @return index Number of the message, counted from zero.
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64 index);

    /// @notice Delivers a message from the L2. Anyone may call; reverts if the target refuses the
    /// message, which can then be claimed again at any time.
    /// @param message The message.
    /// @param proof Evidence that the L2 holds it.
    /// @param feeRecipient Gets the fee.
    function claim(Message calldata message, MessageProof calldata proof, address feeRecipient)
        external;

    /// @notice Tries a delivery as `claim` does, and pays the value to `recipient` if the target
    /// refuses the message. For `message.refundTo` only.
    /// @return delivered `true` if the target took the message after all.
    function refund(Message calldata message, MessageProof calldata proof, address recipient)
        external
        returns (bool delivered);

    /// @notice For the rollup: when the first message that has not been relayed was sent, or this
    /// moment if there is none but those of this L1 block, which no builder of an L2 block can know
    /// of. Checkpoints from `before` on are kept from now on.
    /// @param relayed Number of messages relayed so far.
    /// @param before The last checkpoint that covers no more messages than these.
    /// @param next The one that follows; ignored if `before` was the state of the queue at the end
    /// of the last L1 block.
    function settle(uint64 relayed, Checkpoint calldata before, Checkpoint calldata next)
        external
        returns (uint64 pendingSince);

    /// @notice For the rollup: as `settle`, if all messages but those of this L1 block have been
    /// relayed; otherwise the answer is 0, and nothing changes.
    function settleIfIdle(uint64 relayed) external returns (uint64 pendingSince);

    /// @notice Number of messages that were sent before this L1 block.
    function countBefore() external view returns (uint64);

    /// @notice Number of messages the L2 has relayed (or parked) in a state: the messenger's own
    /// count, by proof.
    /// @param stateRoot Root of the L2's state.
    /// @param accountProof Nodes that prove the account of `L2Messenger`.
    /// @param storageProof Nodes that prove the messenger's slot 0.
    function relayedAfter(
        bytes32 stateRoot,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external pure returns (uint64);

    /// @notice The state of the queue now. It becomes a checkpoint for good once the L1 block in
    /// which the last message was sent is over, and is named with the same values ever after.
    function checkpoint() external view returns (Checkpoint memory);

    /// @notice Returns `true` if the queue is or was in this state at the end of an L1 block (or is
    /// in it now), or when `CHECKPOINT_INTERVAL` messages had been sent since the last checkpoint.
    function isCheckpoint(uint64 id, uint64 count, bytes32 root, uint64 l1Block, uint64 timestamp)
        external
        view
        returns (bool);

    /// @notice The least fee that a message with this gas limit has to pay in this L1 block: for
    /// its gas, and for the bytes that it makes others carry.
    function minimumFee(uint64 gasLimit) external view returns (uint256);

    /// @notice Returns `true` if a message from the L2 was claimed or refunded.
    function isClaimed(uint64 index) external view returns (bool);

    /// @notice Sender, on the L2, of the message that is being delivered.
    /// @dev A target trusts it only when its own caller is this contract: what a target calls in
    /// turn sees the same answer.
    function l2Sender() external view returns (address);

    /// @notice Pauses the queue for the seconds of `guardian`: no message is taken but those
    /// without value to `L2Accounts`, and no claim succeeds that calls its target or that takes
    /// more ETH than its limit leaves. For the guardian only, and not before four times as long has
    /// passed since the last pause.
    function pause() external;

    /// @notice Ends a pause early. For the guardian only.
    function resume() external;

    /// @notice End of the latest pause, zero if there was none; and the wei that claims have taken
    /// during it.
    function paused() external view returns (uint64 until, uint128 claimed);

    /// @notice Account that may pause the queue, and the bounds of its pauses; all zero for none.
    function guardian() external view returns (Guardian memory);

    /// @notice The rollup whose L2 the messages go to and come from.
    function ROLLUP() external view returns (address);

    /// @notice The most gas that a message may ask for.
    function MAX_GAS() external view returns (uint64);

    /// @notice The most bytes of data that a message may carry.
    function MAX_DATA() external view returns (uint64);

    /// @notice Least price of each gas of a message, in percent of the L1 base fee.
    function FEE_PERCENT() external view returns (uint64);

    /// @notice Number of checkpoints that are held besides the current state of the queue.
    function CHECKPOINTS() external view returns (uint64);

    /// @notice At most so many messages lie between two checkpoints.
    function CHECKPOINT_INTERVAL() external view returns (uint64);

    /// @notice Number of L2 blocks of which the messenger's storage root is kept.
    function STORAGE_ROOTS() external view returns (uint64);
}
