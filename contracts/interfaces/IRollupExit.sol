// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "./IL1MessageQueue.sol";

/// @title Exit from a rollup that is no longer advanced
interface IRollupExit {
    /// @notice The rollup is closed: it accepts no block after this one, and its queue no message.
    event RollupClosed(uint64 indexed number, bytes32 stateRoot, uint64 relayed);
    /// @notice The ETH of an L2 account was paid on L1.
    event AccountExited(address indexed account, address indexed recipient, uint256 amount);
    /// @notice The ETH of a message to the L2 was paid on L1; zero if it had been paid before, and the
    /// sender reclaims the message.
    event MessageReturned(uint64 indexed index, address indexed recipient, uint256 amount);

    /// @notice The rollup can be closed from this timestamp on, if no block is added until then.
    error NotLost(uint256 from);
    /// @notice The rollup was closed before.
    error AlreadyClosed();
    /// @notice The rollup has not been closed.
    error NotClosed();
    /// @notice The time without a block is too short.
    error LostAfterTooShort(uint64 got, uint256 minimum);
    /// @notice The message queue pays for another contract.
    error QueueOfAnotherExit(address got, address expected);
    /// @notice The account has been paid before.
    error AlreadyExited(address account);
    /// @notice The account has no ETH.
    error NothingOwed(address account);
    /// @notice The account has code on the L2, and does not delegate to the given address
    /// (EIP-7702).
    error AccountHasCode(address account, bytes32 codeHash);
    /// @notice The given code is not that of the account on the L2.
    error AccountCodeMismatch(address account, bytes32 got, bytes32 expected);
    /// @notice The account has never signed a transaction on the L2, so another address on L1 may
    /// control it: only the account itself can exit.
    error CallerNotAccount(address caller, address account);
    /// @notice The message has been relayed; its ETH is on the L2, unless the L2 kept it.
    error MessageRelayed(uint64 index, uint64 relayed);
    /// @notice The L2 has not kept the message as failed or parked.
    error MessageNotKept(bytes32 messageHash);
    /// @notice The ETH of the message has been paid before, or its sender has reclaimed it before.
    error AlreadyReturned(uint64 index);
    /// @notice The queue has no such checkpoint.
    error NotCheckpoint(uint64 id, uint64 count, bytes32 root);
    /// @notice The hashes do not match the messages between the two checkpoints.
    error HashesMismatch(bytes32 got, bytes32 expected);
    /// @notice The message is not the one at its index.
    error MessageMismatch(uint64 index, bytes32 got, bytes32 expected);
    /// @notice Only the refund account or the sender of the message can have it returned.
    error NotRefundable(address caller, address refundTo);

    /// @notice Closes the rollup permanently: from the next L1 block on, the rollup accepts no blocks
    /// and the queue no messages. Any account may call it, once the head and this contract are
    /// `LOST_AFTER` old. Any account could have advanced the rollup for most of that time.
    /// @param accountProof Proof of the messenger's account against the state root of the head.
    /// @param storageProof Proof of the messenger's slot with the number of relayed messages.
    function close(bytes[] calldata accountProof, bytes[] calldata storageProof) external;

    /// @notice Pays the ETH of an L2 account without code, or with a delegation (EIP-7702), to the
    /// same address on L1. Any account may call it for one that has signed a transaction on the L2.
    /// @param delegate Address to which the account delegates; zero for none.
    /// @param accountProof Proof of the account against the last state root.
    function exit(address account, address delegate, bytes[] calldata accountProof) external;

    /// @notice Pays the ETH of the alias account of an L1 address (see `L2Accounts`) to that
    /// address. Any account may call it.
    /// @param accountProof Proof of the alias account against the last state root.
    function exitAlias(address l1Account, bytes[] calldata accountProof) external;

    /// @notice Returns value and fee of a message that was never relayed to its refund account; to
    /// its sender, if there is none or if it is the sender's alias account; to the caller, if it is
    /// the caller's alias account. Only an account that would be paid or the sender may call it. If
    /// the refund account is another account's alias account, the sender must not call: ETH paid to
    /// an alias account on L1 is lost.
    /// @param before Checkpoint of the queue before the message.
    /// @param next Checkpoint after it.
    /// @param hashes Hashes of all messages between the two checkpoints.
    function returnMessage(
        IL1MessageQueue.Message calldata message,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes
    ) external;

    /// @notice Returns the value of a message that the L2 has kept as failed, or value and fee of
    /// one that it has kept as parked; to the account that `returnMessage` would pay.
    /// @param storageProof Proof of the messenger's slot for the message.
    function returnKept(IL1MessageQueue.Message calldata message, bytes[] calldata storageProof)
        external;

    /// @notice Returns value and fee of a message that was never relayed to an account that its
    /// sender chooses, if its refund account is a contract on the L2, whose address may have no
    /// owner on L1. Only the sender may call, once. If the refund account is no contract, which
    /// `returnMessage` pays, or was paid before, the call succeeds without a payment, so that a
    /// sender that holds other assets of the message, such as the tokens of a deposit, can return
    /// them after this call.
    /// @param before Checkpoint of the queue before the message.
    /// @param next Checkpoint after it.
    /// @param hashes Hashes of all messages between the two checkpoints.
    /// @param to Account on L1 that is paid.
    /// @param refundProof Proof of the refund account against the last state root, followed by its
    /// code.
    function reclaimMessage(
        IL1MessageQueue.Message calldata message,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes,
        address to,
        bytes[] calldata refundProof
    ) external;

    /// @notice Returns what `returnKept` returns to an account that the sender chooses, under the
    /// conditions of `reclaimMessage`.
    /// @param storageProof Proof of the messenger's slot for the message.
    /// @param to Account on L1 that is paid.
    /// @param refundProof Proof of the refund account against the last state root, followed by its
    /// code.
    function reclaimKept(
        IL1MessageQueue.Message calldata message,
        bytes[] calldata storageProof,
        address to,
        bytes[] calldata refundProof
    ) external;

    /// @notice Returns the last state root; zero until the rollup is closed.
    function stateRoot() external view returns (bytes32);

    /// @notice Returns the number of messages that the L2 has relayed; zero until the rollup is
    /// closed.
    function relayed() external view returns (uint64);

    /// @notice Returns `true` if the ETH of an L2 account has been paid.
    function hasExited(address account) external view returns (bool);

    /// @notice Returns `true` if the ETH of a message has been returned.
    function isReturned(uint64 index) external view returns (bool);

    /// @notice The rollup.
    function ROLLUP() external view returns (address);

    /// @notice The message queue of the rollup, which holds the escrow.
    function MESSAGE_QUEUE() external view returns (address);

    /// @notice Seconds without a block after which the rollup may be closed.
    function LOST_AFTER() external view returns (uint64);
}
