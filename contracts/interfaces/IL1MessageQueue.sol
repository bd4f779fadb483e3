// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Message queue between L1 and an L2, and escrow of the L2's ETH
interface IL1MessageQueue {
    /// @notice State of the queue that an anchor can commit to.
    struct Checkpoint {
        /// Number of the checkpoint; consecutive.
        uint64 id;
        /// Number of messages sent so far.
        uint64 count;
        /// L1 block in which the last of them was sent; 0 before the first message.
        uint64 l1Block;
        /// Timestamp of that block, in seconds.
        uint64 timestamp;
        /// Rolling hash over the messages.
        bytes32 root;
    }

    /// @notice Message from the L2.
    struct Message {
        /// Account that sent it on L2.
        address sender;
        /// Target on L1.
        address to;
        /// L1 account that may withdraw the value if the target rejects the message; zero for none.
        address refundTo;
        /// ETH for the target, in wei.
        uint128 value;
        /// ETH for the claimant, in wei.
        uint128 fee;
        /// Minimum gas that the call to the target receives.
        uint64 gasLimit;
        /// Number of the message, counted from zero.
        uint64 index;
        /// Calldata for the target.
        bytes data;
    }

    /// @notice Proof that a message was sent on the L2.
    struct MessageProof {
        /// L2 block after which the message was sent and whose state root the rollup still stores.
        /// Without an account proof, a block for which an earlier claim has proven the account.
        uint64 l2Block;
        /// Storage root of `L2Messenger` after that block.
        bytes32 storageRoot;
        /// Trie nodes that prove the account of `L2Messenger`; empty if an earlier claim has proven
        /// it for this block.
        bytes[] accountProof;
        /// Trie nodes that prove the storage slot of the message.
        bytes[] storageProof;
    }

    /// @notice Account that may pause the queue, and the bounds of its pauses.
    struct Guardian {
        /// The account; zero for none, in which case the other fields are zero too.
        address account;
        /// Duration of a pause, in seconds.
        uint64 pause;
        /// Maximum ETH that all claims together may withdraw during a pause, in wei.
        uint128 limit;
    }

    /// @notice Emitted when a message is sent to the L2. It is covered by a checkpoint of its L1
    /// block.
    /// @param index Number of the message, counted from zero.
    /// @param sender Account that sent it on L1.
    /// @param to Target on L2.
    /// @param refundTo L2 account that may cancel the message if the delivery fails; zero for none.
    /// @param value ETH for the target, in wei.
    /// @param fee ETH for the relayer, in wei.
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
    /// @notice Emitted when a message from the L2 is delivered.
    event MessageClaimed(uint64 indexed index);
    /// @notice Emitted when the target of a message from the L2 has rejected it and its value is
    /// paid out.
    event MessageRefunded(uint64 indexed index, address indexed recipient, uint256 value);

    /// @notice Emitted when ETH is added to the escrow without a message.
    /// @param from Account that added it.
    /// @param amount Amount in wei.
    event Backed(address indexed from, uint256 amount);
    /// @notice Emitted when the guardian pauses the queue.
    /// @param until Timestamp at which the pause ends.
    event QueuePaused(uint64 until);
    /// @notice Emitted when the guardian ends a pause early.
    event QueueResumed();

    /// @notice The duration of a pause is out of bounds, or pause values are set without a
    /// guardian.
    error GuardianInvalid(address account, uint64 pause, uint64 minimum, uint64 maximum);
    /// @notice The caller is not the contract `EXIT_CONTRACT`.
    error NotExit(address caller);
    /// @notice The queue is permanently closed, and the rollup accepts no blocks.
    error QueueClosed();
    /// @notice The caller is not the guardian.
    error NotGuardian(address caller);
    /// @notice The guardian cannot pause again before `earliest`.
    error PauseTooSoon(uint256 earliest);
    /// @notice The queue is not paused; the last pause ended at `since`.
    error NotPaused(uint64 since);
    /// @notice The queue is paused and accepts no messages before `until`.
    error SendPaused(uint64 until);
    /// @notice The queue is paused. The claim calls its target or exceeds the remaining limit, so
    /// it can be made from `until` on.
    error ClaimDelayed(uint64 until, uint256 amount);
    /// @notice The caps exceed what the packed message format can encode.
    error CapsTooHigh(uint64 maxGas, uint64 maxData);
    /// @notice The number of checkpoints that the queue is to store is out of bounds.
    error CheckpointsOutOfBounds(uint256 got, uint256 minimum, uint256 maximum);
    /// @notice The caller is not the rollup.
    error NotRollup(address caller);
    /// @notice The target must not be called by messages.
    error TargetForbidden(address to);
    /// @notice The gas limit is above the maximum for a message.
    error GasLimitTooHigh(uint64 got, uint64 max);
    /// @notice The data is longer than the maximum for a message.
    error DataTooLong(uint256 got, uint256 max);
    /// @notice The fee does not cover the gas of the message.
    error FeeTooLow(uint128 fee, uint256 minimum);
    /// @notice The fee exceeds the ETH sent with the call.
    error FeeAboveValue(uint128 fee, uint256 value);
    /// @notice The value exceeds what a message can encode.
    error ValueTooLarge(uint256 value, uint256 max);
    /// @notice Another checkpoint would overwrite one that pending messages still need. The rollup
    /// has to prove first that it has relayed older messages.
    error CheckpointsExhausted(uint256 oldestNeeded, uint256 next);
    /// @notice The two checkpoints are not adjacent checkpoints that enclose the number of relayed
    /// messages.
    error CheckpointsDoNotEnclose(uint64 relayed);
    /// @notice The function was called from within a delivery.
    error Reentrancy();
    /// @notice No message is being delivered.
    error NoDelivery();
    /// @notice The message has already been claimed or refunded.
    error AlreadyClaimed(uint64 index);
    /// @notice The L2 did not send this message with this index.
    error MessageNotSent(uint64 index, bytes32 got, bytes32 expected);
    /// @notice No earlier claim has proven this storage root for this block.
    error StorageRootUnknown(uint64 l2Block, bytes32 storageRoot);
    /// @notice The proven storage root of the messenger's account is another one.
    error StorageRootMismatch(bytes32 got, bytes32 expected);
    /// @notice The target has no code yet. A message with data can be claimed only once it has.
    error TargetWithoutCode(address to);
    /// @notice The call to the target failed. The message can be claimed again.
    error DeliveryFailed(bytes reason);
    /// @notice The caller is not the `refundTo` account of the message.
    error NotRefundable(address caller, address refundTo);
    /// @notice The recipient of escrowed ETH rejected it.
    error ReleaseFailed(address to, uint256 amount);

    /// @notice Sends a message to the L2. `msg.value - fee` is passed to the target with the call.
    /// @param to Target on L2: any account except the messenger and the anchor contract. A message
    /// to a precompile, or with data to an account without code, fails; it can be retried or
    /// cancelled.
    /// @param refundTo L2 account that may cancel the message and withdraw its value if the
    /// delivery fails. If zero, the message can only be retried.
    /// @param gasLimit Minimum gas of the delivery; zero is sufficient to pay an account without
    /// code. A message to such an account with a gas limit of zero and without data is delivered
    /// before the relay deadline of the rollup. Any other message may be parked instead; any
    /// account can then deliver it.
    /// @param fee ETH paid on L2 to the account that delivers the message, in wei; at least
    /// `minimumFee(gasLimit)`.
    /// @param data Calldata of the delivery.
    /// @return index Number of the message, counted from zero.
    function send(address to, address refundTo, uint64 gasLimit, uint128 fee, bytes calldata data)
        external
        payable
        returns (uint64 index);

    /// @notice Adds ETH to the escrow, to back what the genesis of the L2 allocates. No message is
    /// sent to the L2, and the ETH cannot be withdrawn. Reverts during a pause.
    function back() external payable;

    /// @notice Delivers a message from the L2. Any account may call. Reverts if the target rejects
    /// the message; it can then be claimed again at any time.
    /// @param message The message.
    /// @param proof Proof that the message was sent on the L2.
    /// @param feeRecipient Account that receives the fee.
    function claim(Message calldata message, MessageProof calldata proof, address feeRecipient)
        external;

    /// @notice Attempts a delivery as `claim` does, and pays the value to `recipient` if the target
    /// rejects the message. Only `message.refundTo` may call.
    /// @param message The message.
    /// @param proof Proof that the message was sent on the L2.
    /// @param recipient Account that receives the fee and, if the delivery fails, the value.
    /// @return delivered `true` if the target accepted the message after all.
    function refund(Message calldata message, MessageProof calldata proof, address recipient)
        external
        returns (bool delivered);

    /// @notice Returns when the first unrelayed message was sent. Returns the current time if all
    /// unrelayed messages were sent in this L1 block, because an L2 block cannot have been built on
    /// those yet. After this call, the queue does not overwrite `before` or later checkpoints. Only
    /// the rollup may call.
    /// @param relayed Number of messages relayed so far.
    /// @param before Last checkpoint that covers at most `relayed` messages.
    /// @param next Checkpoint after `before`; ignored if `before` was the state of the queue at the
    /// end of the last L1 block.
    /// @return pendingSince Timestamp of the first unrelayed message, in seconds.
    function settle(uint64 relayed, Checkpoint calldata before, Checkpoint calldata next)
        external
        returns (uint64 pendingSince);

    /// @notice Settles as `settle` does if all messages but those of this L1 block have been
    /// relayed. Otherwise returns 0 and changes nothing. Only the rollup may call.
    /// @param relayed Number of messages relayed so far.
    /// @return pendingSince Current timestamp, in seconds; 0 if older messages are pending.
    function settleIfIdle(uint64 relayed) external returns (uint64 pendingSince);

    /// @notice Returns the number of messages that were sent before this L1 block.
    function countBefore() external view returns (uint64);

    /// @notice Returns the number of messages that the L2 has relayed or parked, proven from the
    /// counter of the messenger.
    /// @param stateRoot State root of the L2.
    /// @param accountProof Trie nodes that prove the account of `L2Messenger`.
    /// @param storageProof Trie nodes that prove slot 0 of the messenger.
    function relayedAfter(
        bytes32 stateRoot,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external pure returns (uint64);

    /// @notice Returns the current state of the queue. It is final as a checkpoint when the L1
    /// block of the last message has ended; its values never change afterwards.
    function checkpoint() external view returns (Checkpoint memory);

    /// @notice Returns `true` if this is the current state of the queue, or was its state at the
    /// end of an L1 block, or when `CHECKPOINT_INTERVAL` messages had been sent since the previous
    /// checkpoint. Returns `false` for checkpoints that have been overwritten.
    /// @param id Number of the checkpoint.
    /// @param count Number of messages.
    /// @param root Rolling hash over the messages.
    /// @param l1Block L1 block in which the last of them was sent.
    /// @param timestamp Timestamp of that block, in seconds.
    function isCheckpoint(uint64 id, uint64 count, bytes32 root, uint64 l1Block, uint64 timestamp)
        external
        view
        returns (bool);

    /// @notice Returns the minimum fee of a message with this gas limit in this L1 block, in wei.
    /// It pays for the gas, and for the bytes that the message adds to inputs of the rollup.
    function minimumFee(uint64 gasLimit) external view returns (uint256);

    /// @notice Returns `true` if the message from the L2 has been claimed or refunded.
    function isClaimed(uint64 index) external view returns (bool);

    /// @notice Returns the L2 sender of the message that is being delivered.
    /// @dev A target may rely on it only if its own caller is this contract: contracts that the
    /// target calls see the same value.
    function l2Sender() external view returns (address);

    /// @notice Pauses the queue for the duration in `guardian`. During a pause the queue accepts
    /// only messages without value to `L2Accounts`, and rejects claims that call their target or
    /// that exceed the remaining limit. Only the guardian may call, and only after four times the
    /// duration has passed since the end of the last pause.
    function pause() external;

    /// @notice Ends a pause early. Only the guardian may call.
    function resume() external;

    /// @notice Returns the latest pause.
    /// @return until Timestamp at which it ends or ended; zero if there was none.
    /// @return claimed ETH that claims have withdrawn during it, in wei.
    function paused() external view returns (uint64 until, uint128 claimed);

    /// @notice Returns the account that may pause the queue and the bounds of its pauses; all zero
    /// for none.
    function guardian() external view returns (Guardian memory);

    /// @notice Pays ETH from the escrow, and closes the queue permanently: it accepts no messages from
    /// the next L1 block on, and the rollup no blocks. Only `EXIT_CONTRACT` may call.
    function closeAndPay(address to, uint256 amount) external;

    /// @notice Contract that may close the queue (see `IRollupExit`); zero for none.
    function EXIT_CONTRACT() external view returns (address);

    /// @notice Rollup whose L2 the messages are exchanged with.
    function ROLLUP() external view returns (address);

    /// @notice Maximum gas limit of a message.
    function MAX_GAS() external view returns (uint64);

    /// @notice Maximum length of the data of a message, in bytes.
    function MAX_DATA() external view returns (uint64);

    /// @notice Minimum price per unit of a message's gas, in percent of the L1 base fee.
    function FEE_PERCENT() external view returns (uint64);

    /// @notice Number of checkpoints that are stored in addition to the current state of the queue.
    function CHECKPOINTS() external view returns (uint64);

    /// @notice Maximum number of messages between two checkpoints.
    function CHECKPOINT_INTERVAL() external view returns (uint64);

    /// @notice Number of L2 blocks for which a proven storage root of the messenger can be stored.
    function STORAGE_ROOTS() external view returns (uint64);
}
